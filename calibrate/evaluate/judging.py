"""Watches a labelled video as live and keeps what it scored, frame by frame."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from calibrate.evaluate.labels import LabelledVideo
from calibrate.evaluate.metrics import Scores, held, looking_ahead
from calibrate.evaluate.regions import Hits, hits
from calibrate.evaluate.variants import Variant, Variants
from calibrate.footage import Plan
from configs.schema import Config
from detector.clips import ClipView
from detector.detector import Detector, Features, Sighting, features
from detector.features.background import Scene
from detector.features.grid import Grid
from detector.features.network import Network
from detector.fusion import Region
from detector.observer import Observer
from stream.policy import Smoother
from stream.source import Picture, open_source

_BATCH = 8  # pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Scores of a video's frames, (frames,) each. Frames that are not analysed have the score of the one before."""

    raw: Scores
    causal: Scores
    """Smoothed as live: what the product says at that moment."""
    lookahead: Scores
    """Smoothed as papers do, to both sides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A labelled video with its scores."""

    video: LabelledVideo
    traces: tuple[Trace, ...]
    """For each seed."""
    families: Mapping[str, Scores]
    """Causal scores of each family alone, of the first seed; none without ablation."""
    variants: Mapping[Variant, Scores]
    """Causal scores of each variant, likewise."""
    hits: Hits | None
    """Of the first seed; None where there are no masks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """What was learned of one camera, ready to watch its videos."""

    plan: Plan
    config: Config
    grid: Grid
    scene: Scene
    network: Network
    clips: ClipView | None
    detectors: tuple[Detector, ...]
    """For each seed."""
    families: Mapping[str, Detector]
    """Each of the first detector's families alone; none without ablation."""
    variants: Variants | None


def judge(video: LabelledVideo, watcher: Watcher) -> Judged:
    """The video's scores, as if the camera had been opened at its first frame.

    Raises:
        LabelsError: Masks cannot be read.
        SourceError: The video cannot be read.
    """
    times_s: list[float] = []
    regions: list[Region | None] = []
    raw: list[list[float]] = [[] for _ in watcher.detectors]
    alone: dict[str, list[float]] = {name: [] for name in watcher.families}
    varied: dict[Variant, list[float]] = defaultdict(list)
    for pictures, seen in _seen(video, watcher):
        times_s += [picture.stream_time_s for picture in pictures]
        for number, detector in enumerate(watcher.detectors):
            verdicts = [detector.judge(one) for one in seen]
            raw[number] += [verdict.score for verdict in verdicts]
            if number == 0:
                regions += [verdict.region for verdict in verdicts]
        for name, detector in watcher.families.items():
            alone[name] += [detector.judge(one).score for one in seen]
        if watcher.variants is not None:
            for variant, of_batch in watcher.variants.scores(seen, watcher.grid).items():
                varied[variant] += of_batch.tolist()
    frames = len(video.anomalous)
    at = np.minimum(np.round(np.array(times_s) * video.fps).astype(np.int64), frames - 1)

    def causal(scores: Sequence[float]) -> Scores:
        smoother = Smoother(watcher.config.policy.smoothing_s)
        smoothed = [smoother.step(time_s, score) for time_s, score in zip(times_s, scores, strict=True)]
        return held(np.array(smoothed), at, frames)

    traces = []
    for scores in raw:
        by_frame = held(np.array(scores), at, frames)
        traces.append(Trace(raw=by_frame, causal=causal(scores), lookahead=looking_ahead(by_frame)))
    latest = held(np.arange(len(at)), at, frames)
    return Judged(
        video=video,
        traces=tuple(traces),
        families={name: causal(scores) for name, scores in alone.items()},
        variants={variant: causal(scores) for variant, scores in varied.items()},
        hits=None if video.masks is None else hits([regions[one] for one in latest], video.masks()),
    )


def _seen(video: LabelledVideo, watcher: Watcher) -> Iterator[tuple[list[Picture], list[Features]]]:
    """The video's analysed pictures and their features, some at a time."""
    plan, config = watcher.plan, watcher.config
    observer = Observer(watcher.grid, plan.rate_fps, config.analysis.mask, watcher.scene, watcher.clips)

    def extracted(pictures: list[Picture]) -> list[Features]:
        sightings = [Sighting(observer=observer, image=one.image, time_s=one.stream_time_s) for one in pictures]
        return features(watcher.network, sightings)

    batch: list[Picture] = []
    with open_source(video.source, size=plan.size, rate_fps=plan.rate_fps, connection=config.connection) as source:
        for picture in source:
            batch.append(picture)
            if len(batch) == _BATCH:
                yield batch, extracted(batch)
                batch = []
    if batch:
        yield batch, extracted(batch)
