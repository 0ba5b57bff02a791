"""The threshold for a false-alert budget, from scores of normal footage by densities that never saw it.

What is counted are the episodes that the policy would open, because frames next to each other say the same. Where
the footage is too short to hold as many as the budget allows, the height of their peaks is extrapolated, on the safe
side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibrate.episodes import Peak, Run, peaks, runs
from calibrate.tail import Tail
from calibrate.train import Scored
from configs.settings import PolicySettings
from detector.bundle import Budget

DAY_S = 86400.0

BUDGETS_PER_DAY = (1.0 / 7.0, 1.0, 5.0, 24.0, 120.0, 480.0)
"""For which a threshold is told beside the one that was asked for: from one a week to twenty an hour."""

NEEDED_ALERTS = -math.log(0.05)
"""None where so many are expected has a chance of 5 % (the rule of three)."""

_SHARES = 1.0 - np.geomspace(0.7, 2e-4, 40)  # of frames, below the levels that are tried
_ENOUGH_PEAKS = 15
_MOST_PEAKS = 150
_LEAST_THRESHOLD = 1.0
"""Decades; below it an alert would be about something as common as one cell in ten."""
_LEAST_MARGIN = 0.05  # decades; on a constant score the next rounding would alarm
_SAFE_CONFIDENCE = 0.6  # of the two-sided interval whose upper end is taken where the footage cannot say
_SUSPICIOUS = 1e-4  # chance that normal footage of this kind would reach so high
_DOUBTFUL = 0.05  # the same, from which on somebody should look
_ENOUGH_TO_SUSPECT = 40  # peaks; fewer are too few to call the highest of them impossible
_FEWEST_TO_SUSPECT = 8
_MOST_SUSPICIOUS_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A threshold and how far it can be trusted."""

    budget: Budget
    """The one that was asked for."""
    others: tuple[Budget, ...] = ()
    """What other budgets would take."""
    footage_s: float
    held_out_alerts: int
    """Episodes that the held-out footage has above the threshold, suspicious ones left out."""
    suspicious: tuple[Peak, ...] = ()
    """So far above all others that they are hardly normal; they do not count in the threshold."""
    doubtful: tuple[Peak, ...] = ()
    """Above the others by more than one in twenty normal footages show; they count."""

    @property
    def supported_per_day(self) -> float:
        """What footage of this length without an alert shows by itself: with 95 % certainty there are fewer."""
        return NEEDED_ALERTS * DAY_S / self.footage_s

    @property
    def extrapolated(self) -> bool:
        """Whether the budget is smaller than what the footage can check: one alert in all of it."""
        return self.budget.alerts_per_day * self.footage_s < DAY_S


def choose(
    held_out: Sequence[Scored],
    policy: PolicySettings,
    alerts_per_day: float,
    footage_s: float,
    others: Sequence[float] = BUDGETS_PER_DAY,
) -> Threshold:
    """The lowest threshold that keeps the budget, on the safe side where the footage says little.

    Args:
        held_out: Raw scores of normal footage, block by block in the order of time.
        footage_s: Time that they cover, > 0.
        others: Budgets, false alerts a day, whose thresholds are told as well.
    """
    footage = runs(held_out, policy)
    outstanding = _outstanding(footage, footage_s, _DOUBTFUL)
    suspicious = _outstanding(footage, footage_s, _SUSPICIOUS)
    usual = [_without(run, suspicious) for run in footage]
    asked = _for_budget(usual, footage_s, alerts_per_day)
    return Threshold(
        budget=asked,
        footage_s=footage_s,
        held_out_alerts=len(peaks(usual, asked.threshold)),
        suspicious=suspicious,
        doubtful=outstanding[len(suspicious) :],
        others=tuple(_for_budget(usual, footage_s, other) for other in others),
    )


def _for_budget(footage: Sequence[Run], footage_s: float, alerts_per_day: float) -> Budget:
    allowed = alerts_per_day * footage_s / DAY_S
    tail = _tail(footage, footage_s, fewest=max(_ENOUGH_PEAKS, math.ceil(3.0 * allowed)))
    highest = max(float(run.entry.max()) for run in footage)
    if tail is None:
        value = low = high = highest + _LEAST_MARGIN
    else:
        per_s = alerts_per_day / DAY_S
        value, low, high = tail.height(per_s)
        if allowed < 1.0:
            value = max(tail.height(per_s, _SAFE_CONFIDENCE)[2], highest + _LEAST_MARGIN)
    if tail is not None:
        value = max(value, _lowest_within(footage, math.floor(allowed), tail.level))
    value = max(value, _LEAST_THRESHOLD)
    return Budget(alerts_per_day=alerts_per_day, threshold=value, low=min(low, value), high=max(high, value))


def _tail(footage: Sequence[Run], footage_s: float, fewest: int) -> Tail | None:
    """Peaks over the highest level with enough of them, or over the one with most; None where there are none."""
    entries = np.concatenate([run.entry for run in footage])
    most: tuple[float, list[Peak]] = (0.0, [])
    for level in np.unique(np.quantile(entries[np.isfinite(entries)], _SHARES))[::-1].tolist():
        found = peaks(footage, level)
        if len(found) > len(most[1]):
            most = (level, found)
        if len(found) >= fewest:
            break
    level, found = most
    if not found:
        return None
    excess = np.array([peak.height for peak in found]) - level
    if len(excess) > _MOST_PEAKS:  # as many say all; the others only take time
        excess = np.sort(excess)[-_MOST_PEAKS:]
        level, excess = level + excess[0], excess[1:] - excess[0]
    return Tail(level=level, excess=np.maximum(excess, 1e-9), footage_s=footage_s)


def _lowest_within(footage: Sequence[Run], allowed: int, least: float) -> float:
    """The lowest level from `least` on above which the footage has no more episodes than allowed."""
    entries = np.concatenate([run.entry for run in footage])
    candidates = np.r_[least, np.unique(entries[entries > least])]
    low, high = 0, len(candidates) - 1  # nothing is above the highest
    while low < high:
        middle = (low + high) // 2
        if len(peaks(footage, float(candidates[middle]))) <= allowed:
            high = middle
        else:
            low = middle + 1
    return float(candidates[high])


def _outstanding(footage: Sequence[Run], footage_s: float, chance: float) -> tuple[Peak, ...]:
    """Episodes that a tail fitted to the others brings about with less than this chance, the highest first."""
    tail = _tail(footage, footage_s, fewest=_ENOUGH_TO_SUSPECT)
    if tail is None:
        return ()
    found = sorted(peaks(footage, tail.level), key=lambda peak: -peak.height)
    flagged = 0
    while len(found) - flagged > _FEWEST_TO_SUSPECT and flagged < _MOST_SUSPICIOUS_SHARE * len(found):
        others = np.array([peak.height for peak in found[flagged + 1 :]]) - tail.level
        rest = Tail(level=tail.level, excess=np.maximum(others, 1e-9), footage_s=footage_s)
        if rest.chance_of(found[flagged].height) >= chance:
            break
        flagged += 1
    return tuple(found[:flagged])


def _without(run: Run, suspicious: Sequence[Peak]) -> Run:
    """The run with what is suspicious in it cut down to nothing."""
    scores = run.scores.copy()
    for peak in suspicious:
        if peak.segment == run.segment and run.times_s[0] <= peak.time_s <= run.times_s[-1]:
            at = int(np.searchsorted(run.times_s, peak.time_s))
            calm = run.scores <= np.median(run.scores)
            start = int(np.flatnonzero(calm[:at])[-1]) + 1 if calm[:at].any() else 0
            stop = at + int(np.argmax(calm[at:])) if calm[at:].any() else len(scores)
            scores[start:stop] = np.minimum(scores[start:stop], np.median(run.scores))
    return Run(segment=run.segment, times_s=run.times_s, scores=scores, policy=run.policy)
