"""How a source's clock behaves, from its timestamps and the moments when its frames came. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_JUMP_S = 1.0
_SETTLING_S = 1.0  # what was probed comes in a burst, which says nothing of the clock
_LEAST_SPAN_S, _LEAST_FRAMES = 2.0, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What was seen of a source's timestamps."""

    missing: int
    """Frames without any."""
    back: int
    """Steps backwards."""
    jumps: int
    """Steps that differ from the usual one by more than a second."""
    uneven_ms: float | None
    """Nineteen of twenty steps differ from the usual one by less; None = too few."""
    jitter_ms: float | None
    """Nineteen of twenty frames come earlier or later than that by less, once their clock is taken out."""
    drift: float | None
    """Seconds that the source's clock gains each real second; None = no camera, or looked at for too short."""
    drift_error: float | None
    """How far off that may be."""


def observed(stamps_s: Sequence[float | None], came_s: Sequence[float], *, live: bool) -> Clock:
    """What these frames tell.

    Args:
        stamps_s: Their timestamps, in the order in which they came.
        came_s: When each came, on a monotonic clock.
        live: Whether they come by a clock at all; a file comes as fast as it is read.
    """
    known = [(stamp, came) for stamp, came in zip(stamps_s, came_s, strict=True) if stamp is not None]
    steps = np.array([after - before for (before, _), (after, _) in pairwise(known)])
    off = np.abs(steps - np.median(steps)) if len(steps) else steps
    jumps = int(np.count_nonzero(off > _JUMP_S))
    jitter_s = drift = error = None
    settled = [(stamp, came) for stamp, came in known if came - came_s[0] >= _SETTLING_S]
    if live and not jumps and len(settled) >= _LEAST_FRAMES:
        stamps, came = np.array(settled).T
        span_s = came[-1] - came[0]
        if span_s >= _LEAST_SPAN_S:
            slope, start = np.polyfit(came - came[0], stamps, 1)
            jitter_s = float(np.quantile(np.abs(stamps - start - slope * (came - came[0])), 0.95))
            drift, error = float(slope) - 1.0, 2.0 * jitter_s / float(span_s)
    return Clock(
        missing=len(stamps_s) - len(known),
        back=int(np.count_nonzero(steps < 0.0)),
        jumps=jumps,
        uneven_ms=float(np.quantile(off, 0.95)) * 1000.0 if len(off) >= _LEAST_FRAMES else None,
        jitter_ms=None if jitter_s is None else jitter_s * 1000.0,
        drift=drift,
        drift_error=error,
    )
