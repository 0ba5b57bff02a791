"""Motion family: how fast what moves in a cell moves. Also, for the stay family, how long it does not.

Dense optical flow between consecutive pictures (DIS: Kroeger et al., ECCV 2016, arXiv 1603.03590). Speed is in
percent of the picture's longer side per second, so that it does not depend on resolution, analysis rate or a
dropped frame.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from detector.features.grid import Grid, Map, Mask

# Slower than this, in percent of the longer side per second, counts as still: people who walk in a crowd
# are faster. But no flow between two pictures is better than this many pixels.
_MOVING_PERCENT_PER_S = 0.4
_LEAST_FLOW_PX = 0.2
_MOVING_SHARE = 0.4  # a cell moves when this share of its window does
# Pictures further apart than this are not compared, unless the camera is that slow: flow over such a gap matches one
# thing to another.
_LONGEST_GAP_S = 1.0
_LONGEST_GAP_PERIODS = 2.5
# Noise has a flow as well. What moves also changes its picture, by more than the quietest cells do.
_QUIET_SHARE = 0.2
_CHANGE_OVER_QUIET = 2.0
_LEAST_CHANGE = 0.5  # grey levels
_FORGIVING = 1.0  # time of stillness is forgotten as fast as it is gathered: somebody may pass in front
PAUSE_S = 3.0
"""As long as anybody stands still now and then."""
LONGEST_STILL_S = 60.0
"""Beyond a pause; longer is not counted."""


@dataclass(frozen=True, slots=True)
class Moving:
    """What moved since the picture before."""

    cells: Mask
    """(rows, columns)"""
    speed: Map
    """Median speed of the moving part of each window, %/s, (rows, columns); 0 where nothing moves."""

    @classmethod
    def nothing(cls, grid: Grid) -> "Moving":
        """Nothing moves."""
        shape = (grid.rows, grid.columns)
        return cls(np.zeros(shape, np.bool_), np.zeros(shape, np.float32))


class Motion:
    """Compares each picture with the one before; one per camera.

    Args:
        rate_fps: Pictures per second that are meant to come.
    """

    def __init__(self, grid: Grid, rate_fps: float) -> None:
        self._grid = grid
        self._longest_gap_s = max(_LONGEST_GAP_S, _LONGEST_GAP_PERIODS / rate_fps)
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._before: npt.NDArray[np.uint8] | None = None
        self._quarter_before: Map | None = None
        self._before_s = 0.0

    def step(self, gray: npt.NDArray[np.uint8], quarter: Map, time_s: float) -> Moving | None:
        """What moved, or None for a first picture and after a gap.

        Args:
            gray: (H, W).
            quarter: The same picture, (H/4, W/4).
            time_s: Stream time, s.
        """
        before, quarter_before, gap_s = self._before, self._quarter_before, time_s - self._before_s
        self._before, self._quarter_before, self._before_s = gray, quarter, time_s
        if before is None or quarter_before is None or not 0 < gap_s <= self._longest_gap_s:
            return None
        flow = self._grid.quarter(self._flow.calc(before, gray, None))  # type: ignore[call-overload]
        flow *= 100.0 / max(self._grid.height, self._grid.width) / gap_s  # %/s, (H/4, W/4, 2)
        least_flow = _LEAST_FLOW_PX * 100.0 / max(self._grid.height, self._grid.width) / gap_s
        floor = max(least_flow, _MOVING_PERCENT_PER_S)
        lengths = self._grid.windows(np.hypot(flow[..., 0], flow[..., 1]))
        fast = lengths > floor
        cells = (fast.mean(axis=-1) > _MOVING_SHARE) & self._changed(quarter - quarter_before)
        moving = Moving.nothing(self._grid)
        moving.cells[:] = cells
        moving.speed[cells] = _median_above(lengths[cells], floor)
        return moving

    def _changed(self, difference: Map) -> Mask:
        """Cells whose picture has changed by more than noise, (rows, columns)."""
        change = self._grid.windows(np.abs(difference)).mean(axis=-1)
        quiet = float(np.quantile(change, _QUIET_SHARE))
        return np.asarray(change > _LEAST_CHANGE + _CHANGE_OVER_QUIET * quiet)


class Stillness:
    """How long what is in each cell has stood still, beyond a pause as anybody makes it.

    A moment of movement, or of not being seen, is forgiven.
    """

    def __init__(self, grid: Grid) -> None:
        self._still_s = np.zeros((grid.rows, grid.columns), np.float32)
        self._before_s: float | None = None

    def step(self, still: Mask, time_s: float) -> Map:
        """Seconds (rows, columns) beyond a pause, 0 to 60.

        Args:
            still: Cells in which something is that does not move, (rows, columns).
            time_s: Stream time, s.
        """
        passed_s = 0.0 if self._before_s is None else min(max(time_s - self._before_s, 0.0), _LONGEST_GAP_S)
        self._before_s = time_s
        change = np.where(still, passed_s, -_FORGIVING * passed_s)
        self._still_s = np.clip(self._still_s + change, 0.0, PAUSE_S + LONGEST_STILL_S).astype(np.float32)
        return np.asarray(np.maximum(self._still_s - PAUSE_S, 0.0), np.float32)


def vectors(speed: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The family's vectors (N, 1) of speeds (N,) in %/s; the logarithm, as a walk and a run differ by a factor."""
    return np.log1p(speed)[:, None]


def _median_above(values: npt.NDArray[np.generic], floor: float) -> npt.NDArray[np.float32]:
    """Median of each row's values above the floor, (N, M) -> (N,); every row has some."""
    ordered = np.sort(values, axis=1)
    above = (ordered > floor).sum(axis=1)
    middle = values.shape[1] - (above + 1) // 2  # the lower median: one value, no average of two
    picked: npt.NDArray[np.float32] = ordered[np.arange(len(ordered)), middle]
    return picked
