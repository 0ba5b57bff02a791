"""Episodes of normal footage as the policy would open them, and how high each of them reaches."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from calibrate.train import Scored
from configs.settings import PolicySettings
from stream.policy import Policy, Smoother, exit_level

Array = npt.NDArray[np.float64]

_JOINED_GAPS = 2.5  # intervals; blocks that follow each other closer than this are one stretch of time


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """Where one episode was highest."""

    segment: int
    time_s: float
    height: float
    """The highest threshold at which the policy would still open it."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Smoothed scores without a gap."""

    segment: int
    times_s: Array
    scores: Array
    policy: PolicySettings

    @cached_property
    def entry(self) -> Array:
        """At each time the highest threshold at which the policy would open an episode then, (N,)."""
        count, window = self.policy.enter_count, self.policy.enter_window
        padded = np.r_[np.full(window - 1, -np.inf), self.scores]
        latest = np.lib.stride_tricks.sliding_window_view(padded, window)
        entry: Array = np.sort(latest, axis=1)[:, -count]
        return entry


def runs(held_out: Sequence[Scored], policy: PolicySettings) -> list[Run]:
    """Blocks that follow each other joined and smoothed as live."""
    made: list[Run] = []
    joined: list[list[Scored]] = []
    for block in held_out:
        if joined and _follows(joined[-1][-1], block):
            joined[-1].append(block)
        else:
            joined.append([block])
    for blocks in joined:
        times_s = np.concatenate([block.times_s for block in blocks])
        raw = np.concatenate([block.scores for block in blocks])
        smoother = Smoother(policy.smoothing_s)
        smoothed = [
            smoother.step(time_s, score) for time_s, score in zip(times_s.tolist(), raw.tolist(), strict=True)
        ]
        made.append(Run(segment=blocks[0].segment, times_s=times_s, scores=np.array(smoothed), policy=policy))
    return made


def peaks(footage: Sequence[Run], level: float) -> list[Peak]:
    """The peak of each episode that the policy opens at this threshold, in order of time."""
    return [peak for run in footage for peak in _peaks(run, level)]


def _follows(before: Scored, block: Scored) -> bool:
    if block.segment != before.segment or not len(before.times_s) or not len(block.times_s):
        return False
    usual_s = np.median(np.diff(np.r_[before.times_s, block.times_s]))
    return bool(0.0 < block.times_s[0] - before.times_s[-1] <= _JOINED_GAPS * usual_s)


def _peaks(run: Run, level: float) -> Iterator[Peak]:
    if run.entry.max(initial=-math.inf) <= level:
        return
    for start, stop in _stretches(run, level):
        stepper = Policy(run.policy)
        events = []
        for time_s, score in zip(run.times_s[start:stop].tolist(), run.scores[start:stop].tolist(), strict=True):
            events += stepper.step(time_s, score, level)
        events += stepper.close(float(run.times_s[stop - 1]))
        for event in events:
            if event.event == "end":
                yield _peak(run, event.episode.started_s, event.episode.ended_s)


def _stretches(run: Run, level: float) -> Iterator[tuple[int, int]]:
    """Parts of the run that the policy can be stepped through one by one: between them it has come to rest."""
    policy = run.policy
    rest_s = policy.hold_s + policy.merge_gap_s + policy.cooldown_s
    above = np.flatnonzero(run.scores > exit_level(level, policy.exit_ratio))
    breaks = np.flatnonzero(np.diff(run.times_s[above]) > rest_s) + 1
    for part in np.split(above, breaks):
        start = max(0, int(part[0]) - policy.enter_window)
        stop = int(np.searchsorted(run.times_s, run.times_s[part[-1]] + rest_s, side="right"))
        if run.entry[start:stop].max() > level:
            yield start, stop


def _peak(run: Run, started_s: float, ended_s: float | None) -> Peak:
    end_s = math.inf if ended_s is None else ended_s
    start, stop = np.searchsorted(run.times_s, [started_s, end_s], side="left")
    # Up to the score that ends it, as the last of the window may be it.
    at = int(start + np.argmax(run.entry[start : stop + 1]))
    return Peak(segment=run.segment, time_s=float(run.times_s[at]), height=float(run.entry[at]))
