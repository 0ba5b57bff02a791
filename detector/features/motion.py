"""Motion family: how fast what moves in a cell moves.

Dense optical flow between consecutive pictures (DIS: Kroeger et al., ECCV 2016, arXiv 1603.03590). Speed is in
percent of the picture's longer side per second, so that it does not depend on resolution, analysis rate or a
dropped frame.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from detector.features.grid import Grid, Map, Mask

_MOVING_PX = 0.5  # flow below this many pixels between two pictures is noise, at 640 px and 5 frames/s
_MOVING_SHARE = 0.4  # a cell moves when this share of its window does
# Pictures further apart than this are not compared, unless the camera is that slow: flow over such a gap matches one
# thing to another.
_LONGEST_GAP_S = 1.0
_LONGEST_GAP_PERIODS = 2.5


@dataclass(frozen=True, slots=True)
class Moving:
    """What moved since the picture before."""

    cells: Mask
    """(rows, columns)"""
    speed: Map
    """Median speed of the moving part of each window, %/s, (rows, columns); 0 where nothing moves."""


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
        self._before_s = 0.0

    def step(self, gray: npt.NDArray[np.uint8], time_s: float) -> Moving | None:
        """What moved, or None for a first picture and after a gap.

        Args:
            gray: (H, W).
            time_s: Stream time, s.
        """
        before, gap_s = self._before, time_s - self._before_s
        self._before, self._before_s = gray, time_s
        if before is None or not 0 < gap_s <= self._longest_gap_s:
            return None
        flow = self._grid.quarter(self._flow.calc(before, gray, None))  # type: ignore[call-overload]
        length = np.hypot(flow[..., 0], flow[..., 1])  # pixels, (H/4, W/4)
        windows = self._grid.windows(length)
        floor = _MOVING_PX * max(self._grid.height, self._grid.width) / 640
        cells = (windows > floor).mean(axis=-1) > _MOVING_SHARE
        speed = np.zeros(cells.shape, np.float32)
        speed[cells] = _median_above(windows[cells], floor)
        speed *= 100.0 / max(self._grid.height, self._grid.width) / gap_s
        return Moving(cells, speed)


def logarithm(speed: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The family's vectors (N, 1) of speeds (N,) in %/s: a walk and a run differ by a factor, not by a distance."""
    return np.log1p(speed)[:, None]


def _median_above(values: npt.NDArray[np.generic], floor: float) -> npt.NDArray[np.float32]:
    """Median of each row's values above the floor, (N, M) -> (N,); every row has some."""
    ordered = np.sort(values, axis=1)
    above = (ordered > floor).sum(axis=1)
    middle = values.shape[1] - (above + 1) // 2  # the lower median: one value, no average of two
    picked: npt.NDArray[np.float32] = ordered[np.arange(len(ordered)), middle]
    return picked
