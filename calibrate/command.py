"""The command that learns from footage: calibrate."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from calibrate.computing import clip_view, use
from calibrate.feedback.update_command import update as learn_anew
from calibrate.interrupt import exit_on_interrupt
from configs.options import ConfigFile, Device, DeviceOption, Sources, StoreFolder, fail, messages, output
from configs.schema import Config, ConfigError, load
from configs.settings import CalibrationSettings, CameraSettings


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
    regime: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Add this regime to the model, or renew it, and keep its others: day, night ... "
            "While watching, the picture's light and colour choose.",
        ),
    ] = None,
    store: StoreFolder = None,
) -> None:
    """Learn what is normal from footage in which everything is normal, and choose the threshold."""
    from stream.source.arguments import expanded  # numpy comes with it

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
        learn_anew(update, target, regime, settings, config, chosen, store, device or Device(config.worker.device))
        return
    _calibrate(names, target, regime, settings, chosen or config, device or Device(config.worker.device))


def _calibrate(
    names: list[str],
    target: Path,
    regime: str | None,
    settings: CalibrationSettings,
    chosen: Config | CameraSettings,
    device: Device,
) -> None:
    from calibrate import footage
    from detector import bundle

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    bundle.check_target(target, regime)
    # Before torch, which takes seconds to load: what is wrong with a source is told at once.
    plan = footage.plan(
        names,
        long_side_px=chosen.analysis.long_side_px,
        rate_fps=chosen.analysis.rate_fps,
        minutes=settings.minutes,
        connection=chosen.connection,
    )
    with exit_on_interrupt(messages):  # some libraries turn Ctrl-C into an ImportError while they are loaded
        from calibrate import calibration, progress
        from calibrate.report import page as html_report
        from calibrate.report import summary as report

    computing, threads = use(device)
    clips = clip_view(chosen.analysis.clip, computing)
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
    if regime is None:
        bundle.write(made.bundle, target)
    else:
        made = replace(made, bundle=replace(made.bundle, regime=regime))
        bundle.put(made.bundle, target)
    try:
        page = html_report.write(made, target)
    except html_report.ReportError as error:
        output.print(report.terminal_report(made, target))
        fail(str(error))
    output.print(report.terminal_report(made, target, page))


def _camera(config: Config, name: str | None, config_file: Path | None) -> CameraSettings | None:
    """The camera of this name, None where none is asked for."""
    if name is None:
        return None
    for camera in config.cameras:
        if camera.name == name:
            return camera
    known = ", ".join(camera.name for camera in config.cameras) or "it has none"
    raise ConfigError(f"{config_file or '--camera'}: no camera {name}; cameras: {known}")
