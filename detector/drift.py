"""Whether what goes on at a camera is less normal than in its calibration, for good and not for a moment.

The unit is a block of ten seconds in which something was active, and of each family the mean of its decades in it. If
blocks come in no particular order (are exchangeable), the rank of each among all before it, those of the calibration
included, is uniform and independent of the others (Vovk, "Testing randomness online", 2021). Bets against that are
cumulated by a Shiryaev-Roberts e-detector (Shin, Ramdas, Rinaldo, "E-detectors", 2023), whose mean time to a false
alarm is at least its limit in blocks. No bet wins more than `_MOST`, so a short anomaly proves nothing. What comes
slowly enough becomes the normal; neighbouring blocks that depend on each other for minutes make alarms more frequent.
"""

import bisect
import math
from array import array
from collections import deque
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from detector.fusion import Evidence

PREFIX = "drift"
"""Of the names of the calibrated means' arrays in a bundle, `drift.<family>`."""
BLOCK_S = 10.0
"""That of calibration."""
FEWEST_CELLS = 20
"""Of a family in a block: fewer have no mean worth comparing."""
FEWEST_BLOCKS = 20
"""Of a calibration: from fewer nothing can be told."""

_POWERS = np.array([0.05, 0.1, 0.2, 0.35, 0.5, 0.7])  # the bet ε p^(ε-1) of each ε
_MOST = 8.0
_DAY_S = 86_400.0
_SEED = 0  # of the order of equal blocks
_LATEST = 20  # blocks, which must look ...
_BACK = 0.35  # ... as normal as this on average for it to be over; 0.5 is usual
_GAP_S = 10.0


class Drift:
    """Follows all families of one camera.

    Args:
        calibrated: Means of held-out normal blocks, by family.
        days: Mean time between false alarms, at least. Shared evenly by the families.
    """

    def __init__(self, calibrated: Mapping[str, npt.NDArray[np.floating]], days: float) -> None:
        known = {name: means for name, means in calibrated.items() if len(means) >= FEWEST_BLOCKS}
        limit = math.log(max(1.0, days * _DAY_S / BLOCK_S * len(known)))
        self._families = {name: _Family(means, limit) for name, means in known.items()}
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


class _Family:
    def __init__(self, calibrated: npt.NDArray[np.floating], limit: float) -> None:
        self.changed = False
        self._calibrated = array("d", sorted(float(mean) for mean in calibrated))
        self._limit = limit
        self._generator = np.random.default_rng(_SEED)
        self._latest: deque[float] = deque(maxlen=_LATEST)
        self._restart()

    def _restart(self) -> None:
        self._known = self._calibrated[:]
        self._evidence = np.zeros(len(_POWERS))

    def step(self, mean: float) -> None:
        if self.changed:
            self._latest.append(self._rank(self._calibrated, mean))
            if len(self._latest) == _LATEST and sum(self._latest) >= _BACK * _LATEST:
                self.changed = False
                self._restart()
            return
        rank = self._rank(self._known, mean)
        bisect.insort(self._known, mean)
        bets = np.minimum(_POWERS * rank ** (_POWERS - 1.0), _MOST)
        self._evidence = (self._evidence + 1.0) * bets
        if math.log(self._evidence.mean()) >= self._limit:
            self.changed = True
            self._latest.clear()

    def _rank(self, known: "array[float]", mean: float) -> float:
        """Share of blocks that are less normal, above 0 to 1; equal ones by lot."""
        above = len(known) - bisect.bisect_right(known, mean)
        equal = bisect.bisect_right(known, mean) - bisect.bisect_left(known, mean)
        lot = 1.0 - float(self._generator.random())
        return (above + lot * (equal + 1)) / (len(known) + 1)
