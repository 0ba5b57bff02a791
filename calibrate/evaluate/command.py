"""The command that measures on labelled videos: evaluate."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calibrate.computing import clip_view, use
from calibrate.interrupt import exit_on_interrupt
from configs.options import ConfigFile, Device, DeviceOption, fail, messages, output
from configs.schema import Config, ConfigError, load

if TYPE_CHECKING:
    from calibrate.evaluate.labels import Dataset


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
    from calibrate.evaluate.labels import fitted, from_json
    from calibrate.evaluate.layouts import find

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
        from calibrate.evaluate import plots
        from calibrate.evaluate import report as evaluation_report
        from calibrate.evaluate.evaluation import STAGES, Settings, evaluate
        from calibrate.progress import bars

    computing, threads = use(device)
    settings = Settings(
        config=config,
        device=computing,
        threads=threads,
        seeds=tuple(seeds),
        ablation=ablation,
        clips=clip_view(config.analysis.clip, computing),
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
