"""The most unusual moments of normal footage: which they are, how often there are such, and what they look like."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibrate.blocks import Thumbnail
from calibrate.episodes import Peak, Run, peaks

MOST_MOMENTS = 8
"""Usual ones; what is suspicious comes on top of them."""

_SHARES = 1.0 - np.geomspace(2e-4, 0.3, 24)  # of times, below the levels that are looked at
_NEAR_S = 5.0  # a picture from further away shows something else


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceedances:
    """Episodes that the policy opens at a threshold, suspicious ones left out."""

    level: float
    peaks: tuple[Peak, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The height of an episode, and a picture of it."""

    peak: Peak
    suspicious: bool
    thumbnail: Thumbnail | None
    """None where no picture near to it was kept."""


def exceedances(footage: Sequence[Run], suspicious: Sequence[Peak]) -> list[Exceedances]:
    """Episodes at some thresholds, from the highest down to where they are common; none where nothing ever was."""
    entries = np.concatenate([np.empty(0), *(run.entry for run in footage)])
    entries = entries[np.isfinite(entries)]
    if not len(entries):
        return []
    left_out = {(peak.segment, peak.time_s) for peak in suspicious}
    found = []
    for level in np.unique(np.quantile(entries, _SHARES))[::-1].tolist():
        usual = [peak for peak in peaks(footage, level) if (peak.segment, peak.time_s) not in left_out]
        if usual:
            found.append(Exceedances(level=level, peaks=tuple(usual)))
    return found


def moments(
    found: Sequence[Exceedances], suspicious: Sequence[Peak], thumbnails: Sequence[Thumbnail]
) -> list[Moment]:
    """What is suspicious, then the highest other episodes, each group from the highest on.

    Args:
        found: Of the footage, from the highest level on.
        thumbnails: In the order of time within each segment.
    """
    enough = (one.peaks for one in found if len(one.peaks) >= MOST_MOMENTS)
    usual = next(enough, max((one.peaks for one in found), key=len, default=()))
    highest = sorted(usual, key=lambda peak: -peak.height)[:MOST_MOMENTS]
    by_segment: dict[int, list[Thumbnail]] = {}
    for thumbnail in thumbnails:
        by_segment.setdefault(thumbnail.segment, []).append(thumbnail)
    return [
        Moment(peak=peak, suspicious=is_suspicious, thumbnail=_nearest(by_segment.get(peak.segment, []), peak.time_s))
        for is_suspicious, group in ((True, suspicious), (False, highest))
        for peak in group
    ]


def _nearest(thumbnails: Sequence[Thumbnail], time_s: float) -> Thumbnail | None:
    after = bisect_left(thumbnails, time_s, key=lambda one: one.time_s)
    around = thumbnails[max(0, after - 1) : after + 1]
    nearest = min(around, key=lambda one: abs(one.time_s - time_s), default=None)
    return nearest if nearest is not None and abs(nearest.time_s - time_s) <= _NEAR_S else None
