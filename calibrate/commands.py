"""The commands that learn from footage: calibrate, evaluate."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calibrate.interrupt import exit_on_interrupt
from calibrate.update_command import update as learn_anew
from configs.options import ConfigFile, Device, DeviceOption, Sources, StoreFolder, fail, messages, output
from configs.schema import CalibrationSettings, CameraSettings, ClipSettings, Config, ConfigError, load
from stream.source_arguments import expanded

if TYPE_CHECKING:
    from calibrate.labels import Dataset
    from detector.clips import ClipView


def calibrate(
    sources: Sources = None,
    model: Annotated[Path | None, typer.Option(metavar="OUT.mulde", help="Where to write what was learned.")] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Footage to take from a camera; recordings are taken whole.")
    ] = None,
    alerts_per_day: Annotated[float | None, typer.Option(min=1e-4, help="False-alert budget. Default: 1.")] = None,
    config_file: ConfigFile = None,
    camera: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Take settings, and by default source and model, of this camera."),
    ] = None,
    device: DeviceOption = None,
    update: Annotated[
        Path | None,
        typer.Option(metavar="F.mulde", help="Learn this model anew from what watching has kept, without footage."),
    ] = None,
    store: StoreFolder = None,
) -> None:
    """Learn what is normal from footage in which everything is normal, and choose the threshold."""
    config = load(config_file) if config_file else Config()
    chosen = _camera(config, camera, config_file)
    names = expanded(sources) or ([chosen.source] if chosen else [])
    target = model or update or (chosen.model if chosen else None)
    if update is not None and sources:
        raise ConfigError("calibrate: --update learns from what watching has kept: name no SOURCE with it")
    if target is None or not (names or update):
        raise ConfigError("calibrate: name SOURCE and --model OUT.mulde, or a camera of a site file with --camera")
    settings = config.calibration
    given = {"minutes": minutes, "alerts_per_day": alerts_per_day}
    settings = CalibrationSettings(
        **{
            **settings.model_dump(exclude_unset=True),
            **{key: value for key, value in given.items() if value is not None},
        }
    )
    if update is not None:
        learn_anew(update, target, settings, config, chosen, store, device or Device(config.worker.device))
        return
    _calibrate(names, target, settings, chosen or config, device or Device(config.worker.device))


def _calibrate(
    names: list[str], target: Path, settings: CalibrationSettings, chosen: Config | CameraSettings, device: Device
) -> None:
    from calibrate import footage

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    # Before torch, which takes seconds to load: what is wrong with a source is told at once.
    plan = footage.plan(
        names,
        long_side_px=chosen.analysis.long_side_px,
        rate_fps=chosen.analysis.rate_fps,
        minutes=settings.minutes,
        connection=chosen.connection,
    )
    with exit_on_interrupt(messages):  # some libraries turn Ctrl-C into an ImportError while they are loaded
        from calibrate import calibration, html_report, progress, report
        from detector import bundle

    computing, threads = _use(device)
    clips = _clips(chosen.analysis.clip, computing)
    with progress.bars(messages) as on_progress:
        made = calibration.calibrate(
            plan,
            mask=chosen.analysis.mask,
            policy=chosen.policy,
            settings=settings,
            device=computing,
            threads=threads,
            on_progress=on_progress,
            clips=clips,
        )
    bundle.write(made.bundle, target)
    try:
        page = html_report.write(made, target)
    except html_report.ReportError as error:
        output.print(report.terminal_report(made, target))
        fail(str(error))
    output.print(report.terminal_report(made, target, page))


def _use(device: Device) -> tuple[str, int]:
    """Set this process up to compute there; "cpu" or "cuda", and the number of threads."""
    from detector.device import DeviceError, use_device

    try:
        return use_device(device.value, threads=0)
    except DeviceError as error:
        fail(str(error))


def _clips(settings: ClipSettings, device: str) -> "ClipView | None":
    """How whole pictures are looked at in clips, the network loaded; None where the settings have none."""
    if settings.network is None:
        return None
    assert settings.weights is not None, "asked in the schema"
    with exit_on_interrupt(messages):
        from detector.clips import ClipView
        from detector.features.clip import ClipNetwork

        network = ClipNetwork(settings.network, settings.weights, device)
    return ClipView(network=network, stride_s=settings.stride_s)


def _camera(config: Config, name: str | None, config_file: Path | None) -> CameraSettings | None:
    """The camera of this name, None where none is asked for."""
    if name is None:
        return None
    for camera in config.cameras:
        if camera.name == name:
            return camera
    known = ", ".join(camera.name for camera in config.cameras) or "it has none"
    raise ConfigError(f"{config_file or '--camera'}: no camera {name}; cameras: {known}")


def evaluate(
    test: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Folder of labelled videos; or a whole dataset as it is downloaded (UCSD Ped1 or Ped2, CUHK Avenue, "
            "ShanghaiTech, or one with labels.json, train and test), which needs no further options.",
        ),
    ],
    train: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of normal videos.")] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="labels.json", help="Which frames of the test videos are anomalous.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(metavar="masks.npz", help="Which pixels are, to check the place as well.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write metrics.json, all scores and pictures.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    ablation: Annotated[
        bool, typer.Option(help="Also measure each family, scale and aggregate by itself; takes longer.")
    ] = True,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random. Default: 0.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="How many to learn with, to see the spread.")] = 1,
    config_file: ConfigFile = None,
    device: DeviceOption = None,
) -> None:
    """Learn from normal videos, score labelled ones as live, and measure how well the scores tell them apart."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    config = load(config_file) if config_file else Config()
    first = config.calibration.seed if seed is None else seed
    try:
        _evaluate(
            _dataset(test, train, labels, masks, config),
            out,
            config,
            range(first, first + seeds),
            device or Device(config.worker.device),
            ablation=ablation,
            as_json=as_json,
        )
    except OSError as error:
        fail(f"{error.filename or out}: cannot be written: {error.strerror}")


def _dataset(test: Path, train: Path | None, labels: Path | None, masks: Path | None, config: Config) -> "Dataset":
    """The labelled videos, found to be there and of the right length before anything is learned."""
    from calibrate.labels import fitted, from_json
    from calibrate.layouts import find

    if labels is None and (train or masks):
        raise ConfigError("evaluate: --train and --masks go with --labels; a whole dataset needs --test only")
    if labels is None:
        return fitted(find(test), config.connection)
    if train is None:
        raise ConfigError("evaluate: --labels needs --train, a folder of normal videos")
    return fitted(from_json(labels, train, test, masks), config.connection)


def _evaluate(
    dataset: "Dataset",
    out: Path | None,
    config: Config,
    seeds: Sequence[int],
    device: Device,
    *,
    ablation: bool,
    as_json: bool,
) -> None:
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)  # before what takes minutes
    with exit_on_interrupt(messages):  # some libraries turn Ctrl-C into an ImportError while they are loaded
        from calibrate import evaluation_report, plots
        from calibrate.evaluate import STAGES, Settings, evaluate
        from calibrate.progress import bars

    computing, threads = _use(device)
    settings = Settings(
        config=config,
        device=computing,
        threads=threads,
        seeds=tuple(seeds),
        ablation=ablation,
        clips=_clips(config.analysis.clip, computing),
    )
    with bars(messages, STAGES) as on_progress:
        evaluation = evaluate(dataset, settings, on_progress)
    made = evaluation_report.summary(evaluation)
    if out is not None:
        evaluation_report.write(evaluation, made, out)
        plots.draw(evaluation, out)
    if as_json:
        sys.stdout.write(evaluation_report.as_json(made))
    else:
        output.print(evaluation_report.table(made))
