"""Recorded footage as its camera would have been watched live, in one process and as fast as it goes.

Scores come about as in the worker process and become alerts as in the sink; each video is a camera just opened.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from configs.settings import ConnectionSettings, PolicySettings
from detector.bundle import Bundle
from detector.clips import ClipCall
from detector.condition import ConditionName
from detector.detector import features
from detector.features.network import Network
from detector.fusion import Region
from detector.watcher import Watcher
from stream.policy import Event, Policy, Smoother
from stream.source import Picture, Source, open_source

Image = npt.NDArray[np.uint8]
"""(height, width, 3) BGR."""

BATCH = 8
"""Pictures that go through the networks together; scores do not depend on it."""

_DECIMALS = 4  # of times, scores and thresholds on the way from the worker to the sink


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What watches: one camera's model, and how scores become alerts."""

    bundles: tuple[Bundle, ...]
    """Of each regime."""
    where: str
    """The model's file, for messages."""
    device: str
    network: Network
    clip_network: ClipCall | None
    policy: PolicySettings
    connection: ConnectionSettings
    drift_days: float
    thresholds: Mapping[str, float]
    """Of each regime, in place of the model's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One analysed picture."""

    time_s: float
    """Stream time, 0 at the video's first picture."""
    score: float
    """Smoothed and causal."""
    region: Region | None
    regime: str
    condition: ConditionName


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A video that was watched."""

    name: str
    moments: tuple[Moment, ...]
    length_s: float
    """Analysed time, from the first picture to one interval after the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An episode of a video; times are the video's own."""

    video: str
    started_s: float
    """Of the first of the scores that opened it."""
    told_s: float
    """When live watching would have told of it."""
    peaked_s: float
    ended_s: float
    score: float
    """Its highest."""
    threshold: float
    region: Region | None
    """At its peak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A time in which the camera itself was not as calibrated."""

    video: str
    condition: ConditionName
    started_s: float
    ended_s: float


OnAlert = Callable[[Alert, Image], None]
"""Called with each alert that has ended, and the picture of its peak."""


def watch(
    name: str,
    source: str,
    setup: Setup,
    *,
    on_progress: Callable[[float], None] = lambda _: None,
    on_alert: OnAlert = lambda *_: None,
    batch: int = BATCH,
) -> Video:
    """All scores of a video.

    Args:
        name: What its alerts are known by.
        on_progress: Called with the share that is watched, 0 to 1; stays behind where the video says no length.

    Raises:
        BundleError: The model cannot be used.
        SourceError: The video cannot be read.
    """
    preparation = setup.bundles[0].preparation
    watcher = Watcher(setup.bundles, setup.where, setup.device, setup.clip_network, setup.drift_days)
    smoother = Smoother(preparation.smoothing_s)
    follower = _Follower(name, setup.policy, setup.thresholds)
    moments: list[Moment] = []
    size = (preparation.width, preparation.height)
    with open_source(source, size=size, rate_fps=preparation.rate_fps, connection=setup.connection) as opened:
        whole_s = opened.duration_s or math.inf
        for pictures in _batches(opened, batch):
            sights = [watcher.sight(one.image, one.stream_time_s) for one in pictures]
            found = features(setup.network, [sight.sighting for sight in sights])
            for picture, sight, seen in zip(pictures, sights, found, strict=True):
                judgement = watcher.judge(sight, seen)
                score = smoother.step(picture.stream_time_s, judgement.verdict.score)
                if not math.isfinite(score):
                    raise ArithmeticError(f"{name}: at {picture.stream_time_s:.3f} s the score is {score}")
                time_s = round(picture.stream_time_s, _DECIMALS)
                moment = Moment(
                    time_s=time_s,
                    score=round(score, _DECIMALS),
                    region=judgement.verdict.region,
                    regime=judgement.regime,
                    condition=judgement.condition,
                )
                moments.append(moment)
                for ended, image in follower.step(moment, picture.image):
                    on_alert(ended, image)
            on_progress(min(1.0, moments[-1].time_s / whole_s))
    for ended, image in follower.close():
        on_alert(ended, image)
    return Video(name=name, moments=tuple(moments), length_s=_length_s(moments, preparation.rate_fps))


def alerts(video: Video, policy: PolicySettings, thresholds: Mapping[str, float]) -> tuple[Alert, ...]:
    """The alerts that live watching gives at these thresholds of each regime, in order of time."""
    follower = _Follower(video.name, policy, thresholds)
    found = [alert for moment in video.moments for alert, _ in follower.step(moment, _NO_IMAGE)]
    return (*found, *(alert for alert, _ in follower.close()))


def troubles(video: Video) -> tuple[Trouble, ...]:
    """What live watching tells of the camera itself, in order of time."""
    found: list[Trouble] = []
    for condition, group in groupby(video.moments, lambda moment: moment.condition):
        times_s = [moment.time_s for moment in group]
        if condition != "ok":
            found.append(Trouble(video=video.name, condition=condition, started_s=times_s[0], ended_s=times_s[-1]))
    return tuple(found)


_NO_IMAGE = np.zeros((0, 0, 3), np.uint8)


class _Follower:
    """Steps the policy and keeps the pictures that an alert may need, as the sink does."""

    def __init__(self, video: str, policy: PolicySettings, thresholds: Mapping[str, float]) -> None:
        self._video = video
        self._policy = Policy(policy)
        self._thresholds = {regime: round(threshold, _DECIMALS) for regime, threshold in thresholds.items()}
        self._kept: dict[float, tuple[Moment, Image]] = {}
        """By time: what is a peak, or may become one."""
        self._told_s = 0.0

    def step(self, moment: Moment, image: Image) -> list[tuple[Alert, Image]]:
        """The alerts that this moment ends, of which there is one at most."""
        events = self._policy.step(moment.time_s, moment.score, self._thresholds[moment.regime])
        if self._may_be_peak(moment.time_s, events):
            same_time = self._kept.get(moment.time_s)
            if same_time is None or moment.score > same_time[0].score:
                self._kept[moment.time_s] = (moment, image)
        if any(event.event == "start" for event in events):
            self._told_s = moment.time_s
        return self._ended(events)

    def close(self) -> list[tuple[Alert, Image]]:
        """The alert that the end of the video ends."""
        return [] if self._policy.last_s is None else self._ended(self._policy.close(self._policy.last_s))

    def _may_be_peak(self, time_s: float, events: list[Event]) -> bool:
        return time_s in self._policy.peak_candidates_s or any(event.episode.peaked_s == time_s for event in events)

    def _ended(self, events: list[Event]) -> list[tuple[Alert, Image]]:
        ended = [self._alert(event) for event in events if event.event == "end"]
        needed_s = self._policy.peak_candidates_s
        self._kept = {time_s: kept for time_s, kept in self._kept.items() if time_s in needed_s}
        return ended

    def _alert(self, event: Event) -> tuple[Alert, Image]:
        episode = event.episode
        assert episode.ended_s is not None, "an end has its time"
        peak, image = self._kept[episode.peaked_s]
        alert = Alert(
            video=self._video,
            started_s=episode.started_s,
            told_s=self._told_s,
            peaked_s=episode.peaked_s,
            ended_s=episode.ended_s,
            score=episode.peak,
            threshold=self._thresholds[peak.regime],
            region=peak.region,
        )
        return alert, image


def _batches(source: Source, size: int) -> Iterator[list[Picture]]:
    batch: list[Picture] = []
    for picture in source:
        batch.append(picture)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _length_s(moments: list[Moment], rate_fps: float) -> float:
    count = len(moments)
    if count < 2:
        return count / rate_fps
    return (moments[-1].time_s - moments[0].time_s) * count / (count - 1)
