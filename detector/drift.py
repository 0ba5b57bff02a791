"""Whether what goes on at a camera is less normal than in its calibration, for good and not for a moment.

The unit is a block of ten seconds in which something was active, and of each family the mean of its decades in it,
turned into the normal score of its rank among the calibration's blocks: no block counts for more than the rarest of
those, so a short anomaly proves nothing. Means of the latest minutes and of the latest hour are compared with the
calibration's by Student's test, with as many degrees of freedom as the calibration has blocks that do not depend on
their neighbours. From a short calibration, or one whose blocks depend on each other for minutes, little follows, and
drift is found late or never.
"""

import bisect
import math
from collections import deque
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, stdtrit

from detector.fusion import Evidence

PREFIX = "drift"
"""Of the names of the calibrated means' arrays in a bundle, `drift.<family>`."""
BLOCK_S = 10.0
"""That of calibration."""
FEWEST_CELLS = 20
"""Of a family in a block: fewer have no mean worth comparing."""
FEWEST_BLOCKS = 20
"""Of a calibration: from fewer nothing can be told."""

_DAY_S = 86_400.0
_WINDOWS = (18, 60, 360)  # blocks; three minutes, so that no short anomaly fills one, to an hour
_BACK = 0.5  # mean normal score of the shortest window, up to which it is over; 0 is usual
_LOST = 0.05  # autocorrelation
_CAUTION = 1.4  # without it, false alarms are more than asked for: see benchmarks/drift_rate.py
_GAP_S = 10.0


class Drift:
    """Follows all families of one camera.

    Args:
        calibrated: Means of held-out normal blocks, by family.
        days: Mean time between false alarms, at least. Shared evenly by the families.
    """

    def __init__(self, calibrated: Mapping[str, npt.NDArray[np.floating]], days: float) -> None:
        known = {name: means for name, means in calibrated.items() if len(means) >= FEWEST_BLOCKS}
        level = Family.level(days, len(known))
        self._families = {name: Family(means, level) for name, means in known.items()}
        self._sums = dict.fromkeys(known, 0.0)
        self._counts = dict.fromkeys(known, 0)
        self._began_s = self._seen_s = -math.inf

    @property
    def changed(self) -> tuple[str, ...]:
        """Families that have drifted."""
        return tuple(name for name, family in self._families.items() if family.changed)

    def step(self, evidence: Mapping[str, Evidence], time_s: float) -> None:
        """Take a picture into account.

        Args:
            evidence: Of each family, with nothing forgiven.
            time_s: Stream time, s.
        """
        if not 0.0 <= time_s - self._seen_s < _GAP_S:
            self._begin(time_s)  # half a block is none
        elif time_s - self._began_s >= BLOCK_S:
            for name, family in self._families.items():
                if self._counts[name] >= FEWEST_CELLS:
                    family.step(self._sums[name] / self._counts[name])
            self._begin(time_s)
        self._seen_s = time_s
        for name, one in evidence.items():
            if name in self._families and len(one.decades):
                self._sums[name] += float(one.decades.sum())
                self._counts[name] += len(one.decades)

    def _begin(self, time_s: float) -> None:
        self._began_s = time_s
        self._sums = dict.fromkeys(self._families, 0.0)
        self._counts = dict.fromkeys(self._families, 0)


def dependence(scores: npt.NDArray[np.floating]) -> float:
    """How many blocks say as much as one that does not depend on its neighbours, from 1 on.

    The integrated autocorrelation time, cut off where the autocorrelation is lost in noise (Sokal, "Monte Carlo
    methods in statistical mechanics", 1997).
    """
    beyond = np.asarray(scores, np.float64) - np.mean(scores)
    power = float((beyond**2).mean())
    blocks = 1.0
    for lag in range(1, len(beyond) // 3):
        alike = float((beyond[:-lag] * beyond[lag:]).mean()) / power if power > 0.0 else 0.0
        if alike <= _LOST:
            break
        blocks += 2.0 * alike
    return blocks


class Family:
    """Follows one family.

    Args:
        calibrated: Means of normal blocks, in the order of time.
        level: Chance of a false alarm in one comparison.
    """

    def __init__(self, calibrated: npt.NDArray[np.floating], level: float) -> None:
        self.changed = False
        self._calibrated = sorted(float(mean) for mean in calibrated)
        scores = np.array([self._score(float(mean)) for mean in calibrated])
        self._dependence = _CAUTION * dependence(scores)
        freedom = len(calibrated) / self._dependence - 1.0
        self._critical = -float(stdtrit(freedom, level)) if freedom >= 1.0 else math.inf
        self._latest: deque[float] = deque(maxlen=max(_WINDOWS))

    @staticmethod
    def level(days: float, families: int) -> float:
        """Chance of a false alarm in one comparison that makes one in so many days of all families at most."""
        return BLOCK_S / (days * _DAY_S * max(1, families) * len(_WINDOWS))

    def step(self, mean: float) -> None:
        """Take a block into account."""
        self._latest.append(self._score(mean))
        latest = np.array(self._latest)
        if self.changed:
            if len(latest) >= min(_WINDOWS) and latest[-min(_WINDOWS) :].mean() <= _BACK:
                self.changed = False
                self._latest.clear()
        elif any(self._is_beyond(latest[-blocks:]) for blocks in _WINDOWS if len(latest) >= blocks):
            self.changed = True
            self._latest.clear()

    def _is_beyond(self, latest: npt.NDArray[np.float64]) -> bool:
        error = math.sqrt(self._dependence * (1.0 / len(self._calibrated) + 1.0 / len(latest)))
        return float(latest.mean()) > self._critical * error

    def _score(self, mean: float) -> float:
        """The normal score of a block's rank, the higher the less normal; 0 in the middle."""
        below = 0.5 * (bisect.bisect_left(self._calibrated, mean) + bisect.bisect_right(self._calibrated, mean))
        return float(ndtri((below + 0.5) / (len(self._calibrated) + 1)))
