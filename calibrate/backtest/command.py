"""The command that tries a model on recorded footage."""

import math
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calibrate.computing import use
from calibrate.interrupt import exit_on_interrupt
from configs.options import ConfigFile, Device, DeviceOption, fail, messages, output
from configs.schema import Config, ConfigError, load

if TYPE_CHECKING:
    from calibrate.backtest.outcome import Level, Span
    from calibrate.backtest.replay import Alert, Image, Setup
    from calibrate.backtest.report import Backtest
    from detector.bundle import Bundle
    from detector.clips import ClipCall

_EPISODES = "episodes.json"
_STAGE = "videos"


def backtest(
    model: Annotated[Path, typer.Argument(metavar="F.mulde", help="What calibrate wrote.")],
    videos: Annotated[
        list[str], typer.Argument(metavar="VIDEO...", help="Video file, folder of videos, or demo://NAME.")
    ],
    labels: Annotated[
        Path | None,
        typer.Option(metavar="labels.json", help="Which frames are anomalous, to measure what is caught."),
    ] = None,
    alerts_per_day: Annotated[
        float | None, typer.Option(min=1e-4, help="Another false-alert budget than the model was made for.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="In place of the model's.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help=f"Where to write {_EPISODES} and a picture of each alert.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    config_file: ConfigFile = None,
    device: DeviceOption = None,
) -> None:
    """Watch recorded videos as live, but as fast as it goes, and say what alerts there would have been."""
    from detector import bundle

    if threshold is not None and alerts_per_day is not None:
        raise ConfigError("backtest: --threshold and --alerts-per-day are two ways to say the same: give one of them")
    if threshold is not None and not math.isfinite(threshold):
        raise ConfigError(f"backtest: --threshold must be a number, not {threshold}")
    config = load(config_file) if config_file else Config()
    sources = _sources(videos)
    made = bundle.read_all(model)
    _check(made[0], config, str(model))
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)  # before what takes minutes
        with exit_on_interrupt(messages):  # some libraries turn Ctrl-C into an ImportError while they are loaded
            from calibrate import progress
            from calibrate.backtest import report as backtest_report
            from calibrate.backtest.labels import spans as labelled
            from calibrate.backtest.outcome import level_for
        level = _level(made, threshold) if alerts_per_day is None else level_for(made, str(model), alerts_per_day)
        spans = None if labels is None else tuple(labelled(labels, sources, config.connection))
        setup = _setup(made, model, config, level, device or Device(config.worker.device))
        with progress.bars(messages, (_STAGE,)) as on_progress:
            found = _run(setup, sources, level, spans, alerts_per_day, out, lambda done: on_progress(_STAGE, done))
        text = backtest_report.as_json(found)
        if out is not None:
            (out / _EPISODES).write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{error.filename or out}: cannot be written: {error.strerror}")
    if as_json:
        sys.stdout.write(text)
    else:
        output.print(backtest_report.table(found))


def _sources(videos: Sequence[str]) -> dict[str, str]:
    """Each video's source by the name it is known by: its file name where no other has the same."""
    from calibrate.footage import FootageError, expand
    from stream.source import is_camera, redact
    from stream.source.arguments import expanded  # numpy comes with it

    sources = list(dict.fromkeys(expand(expanded(videos))))
    for source in sources:
        if is_camera(source):
            raise FootageError(f"{redact(source)}: is a camera: backtest takes recordings, watch takes cameras")
    alike = Counter(Path(source).name for source in sources)
    return {
        redact(source) if "://" in source or alike[Path(source).name] > 1 else Path(source).name: source
        for source in sources
    }


def _check(made: "Bundle", config: Config, where: str) -> None:
    """Refuse settings that contradict the model, as watch does."""
    from detector.bundle import check_settings

    chosen: dict[str, object] = {
        name: getattr(section, name)
        for section in (config.analysis, config.policy)
        for name in ("rate_fps", "smoothing_s")
        if name in section.model_fields_set
    }
    if made.preparation.clip is not None and "mask" in config.analysis.model_fields_set:
        chosen["mask"] = config.analysis.mask  # of clips, nothing can be left out afterwards
    check_settings(made, chosen, where)


def _level(made: "Sequence[Bundle]", threshold: float | None) -> "Level":
    """The threshold given by hand, or the model's own."""
    from calibrate.backtest.outcome import Level

    if threshold is not None:
        return Level(thresholds={one.regime: threshold for one in made}, alerts_per_day=None)
    return Level(
        thresholds={one.regime: one.budget.threshold for one in made},
        alerts_per_day=max(one.budget.alerts_per_day for one in made),  # at any time only one regime speaks
    )


def _setup(made: "tuple[Bundle, ...]", model: Path, config: Config, level: "Level", device: Device) -> "Setup":
    """What watches, with its networks loaded, on as many threads as the worker has."""
    from calibrate.backtest.replay import Setup
    from detector.features.network import Network

    threads = config.worker.threads or max(1, len(os.sched_getaffinity(0)) - 1)
    computing, threads = use(device, threads)
    if "mask" in config.analysis.model_fields_set:
        mask = config.analysis.mask
        made = tuple(replace(one, preparation=replace(one.preparation, mask=mask)) for one in made)
    return Setup(
        bundles=made,
        where=str(model),
        device=computing,
        network=Network(computing, threads),
        clip_network=_clip_network(made[0], config.analysis.clip.weights, computing),
        policy=config.policy,
        connection=config.connection,
        drift_days=config.worker.drift_days,
        thresholds=level.thresholds,
    )


def _clip_network(made: "Bundle", weights: Path | None, device: str) -> "ClipCall | None":
    """The one that the model needs, None where it needs none or its weights are not named."""
    clip = made.preparation.clip
    if clip is None or weights is None:
        return None
    with exit_on_interrupt(messages):
        from detector.features.clip import ClipNetwork

        return ClipNetwork(clip.network, weights, device)


def _run(
    setup: "Setup",
    sources: Mapping[str, str],
    level: "Level",
    spans: "tuple[Span, ...] | None",
    asked_per_day: float | None,
    out: Path | None,
    on_progress: Callable[[float], None],
) -> "Backtest":
    from calibrate.backtest.outcome import levels, outcome
    from calibrate.backtest.replay import watch
    from calibrate.backtest.report import Backtest
    from calibrate.report.summary import clock
    from stream.evidence import snapshot

    started_s = time.monotonic()
    pictures: list[str] = []

    def on_alert(alert: "Alert", image: "Image") -> None:
        if out is not None:
            plain = re.sub(r"[^\w.-]+", "_", alert.video)
            path = out / f"{len(pictures) + 1:03}-{plain}.jpg"
            snapshot(
                image,
                region=alert.region,
                score=alert.score,
                threshold=alert.threshold,
                camera=alert.video,
                moment=clock(alert.peaked_s),
                path=path,
            )
            pictures.append(str(path))

    videos = []
    for number, (name, source) in enumerate(sources.items()):

        def on_share(share: float, number: int = number) -> None:
            on_progress((number + share) / len(sources))

        videos.append(watch(name, source, setup, on_progress=on_share, on_alert=on_alert))
    return Backtest(
        model=setup.where,
        asked_per_day=asked_per_day,
        videos=tuple(videos),
        spans=spans,
        outcome=outcome(videos, setup.policy, level, spans),
        others=tuple(outcome(videos, setup.policy, one, spans) for one in levels(setup.bundles)),
        pictures=tuple(pictures),
        seconds=time.monotonic() - started_s,
    )
