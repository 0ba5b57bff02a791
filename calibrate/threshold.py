"""The threshold for a false-alert budget, from scores of normal footage by densities that never saw it.

What is counted are the episodes that the policy would open, because frames next to each other say the same. Where the
footage is too short to hold as many episodes as the budget allows, the height of their peaks is extrapolated with an
exponential tail (peaks over threshold: Davison & Smith, "Models for exceedances over high thresholds", 1990).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibrate.train import Scored
from configs.schema import PolicySettings
from stream.policy import Policy, Smoother

DAY_S = 86400.0

_LEVELS = np.r_[np.linspace(0.3, 0.95, 14), 0.97, 0.98, 0.99, 0.995, 0.998]
_ENOUGH_EPISODES = 12
_LEAST_THRESHOLD = 1.0
"""Decades; below it an alert would be about something as common as one cell in ten."""
_LEAST_SCALE = 0.05  # decades; peaks all of one height do not mean that none can be higher
_Z95 = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A threshold and how far it can be trusted."""

    value: float
    interval: tuple[float, float]
    """95 %, from the scatter of the peaks."""
    alerts_per_day: float
    """The budget asked for."""
    footage_s: float
    held_out_alerts: int
    """Episodes that the held-out footage has above the threshold."""

    @property
    def supported_per_day(self) -> float:
        """The smallest budget that footage of this length can check by itself: one alert in all of it."""
        return DAY_S / self.footage_s

    @property
    def extrapolated(self) -> bool:
        """Whether the budget is smaller than what the footage can check."""
        return self.alerts_per_day < self.supported_per_day


def choose(held_out: Sequence[Scored], policy: PolicySettings, alerts_per_day: float, footage_s: float) -> Threshold:
    """The lowest threshold that keeps the budget, on the safe side where the footage says little.

    Args:
        held_out: Raw scores of normal footage, block by block.
        footage_s: Time that they cover, > 0.
    """
    smoothed = [_smooth(block, policy.smoothing_s) for block in held_out]
    scores = np.concatenate([block.scores for block in smoothed])
    allowed = alerts_per_day * footage_s / DAY_S
    levels = [float(level) for level in np.unique(np.quantile(scores, _LEVELS))]
    peaks = {level: _peaks(smoothed, policy, level) for level in levels}
    busy = [level for level in levels if len(peaks[level]) >= _ENOUGH_EPISODES]
    base = busy[-1] if busy else max(levels, key=lambda level: len(peaks[level]))
    excess = np.array(peaks[base]) - base
    count = len(excess)
    if count:
        scale = max(float(excess.mean()), _LEAST_SCALE)
        error = 1.0 / math.sqrt(count)  # relative, of the mean of so few peaks
        reach = max(0.0, math.log(count / allowed))
        safety = 1.0 + error if allowed < 1.0 else 1.0  # beyond what was seen, a longer tail is the safe side
        value = base + scale * safety * reach
        low, high = (base + scale * math.exp(sign * _Z95 * error) * reach for sign in (-1.0, 1.0))
    else:
        value = low = high = float(scores.max()) + _LEAST_SCALE  # on a constant score the next rounding would alarm
    value = max(value, _lowest_within(smoothed, policy, math.floor(allowed)), _LEAST_THRESHOLD)
    return Threshold(
        value=value,
        interval=(min(low, value), max(high, value)),
        alerts_per_day=alerts_per_day,
        footage_s=footage_s,
        held_out_alerts=len(_peaks(smoothed, policy, value)),
    )


def _lowest_within(smoothed: Sequence[Scored], policy: PolicySettings, allowed: int) -> float:
    """The lowest score above which the footage has no more episodes than allowed."""
    candidates = np.unique(np.concatenate([block.scores for block in smoothed]))
    low, high = 0, len(candidates) - 1  # nothing is above the highest
    while low < high:
        middle = (low + high) // 2
        if len(_peaks(smoothed, policy, float(candidates[middle]))) <= allowed:
            high = middle
        else:
            low = middle + 1
    return float(candidates[high])


def _smooth(block: Scored, smoothing_s: float) -> Scored:
    smoother = Smoother(smoothing_s)
    scores = [smoother.step(time_s, score) for time_s, score in zip(block.times_s, block.scores, strict=True)]
    return Scored(times_s=block.times_s, scores=np.array(scores))


def _peaks(smoothed: Sequence[Scored], policy: PolicySettings, level: float) -> list[float]:
    """Peak of each episode that the policy opens at this threshold."""
    peaks = []
    for block in smoothed:
        if block.scores.max(initial=-math.inf) <= level:
            continue
        stepper = Policy(policy)
        events = []
        for time_s, score in zip(block.times_s, block.scores, strict=True):
            events += stepper.step(float(time_s), float(score), level)
        events += stepper.close(float(block.times_s[-1]))
        peaks += [event.episode.peak for event in events if event.event == "end"]
    return peaks
