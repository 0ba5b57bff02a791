"""The last two seconds of one camera as the clip network wants them: 16 small pictures at even times.

Hiera was taught on Kinetics-400 with 16 pictures, every fourth of video at 30 per second: one each 2/15 s, two
seconds from the first to the last (Ryali et al., arXiv 2306.00989; table of video models in its code). Whatever rate
the camera comes at, its pictures are taken at those times. Knows no network.
"""

import math
from collections import deque

import cv2
import numpy as np
import numpy.typing as npt

from detector.features.grid import Polygons

PICTURES = 16
"""In a clip."""
SIDE_PX = 224
"""Of a picture in a clip, which is square."""
SPAN_S = 2.0
"""Of a clip in training, from its first picture to its last."""

# A clip that stands still for this long and then leaps shows an event that never happened. A camera that is that
# slow is followed nevertheless.
_LONGEST_GAP_S = 0.5
_LONGEST_GAP_PERIODS = 2.5
_GRAY = 115  # of ignored areas: nothing, for a network that takes 0.45 off every pixel

Clip = npt.NDArray[np.uint8]
"""(16, 224, 224, 3) BGR, the oldest picture first."""


class ClipMemory:
    """Keeps one camera's latest pictures and hands them out as a clip; holds at most 16 of them, 2.3 MiB.

    A clip holds no picture of a time after the one it was asked for. Where the camera is slower than a clip's
    pictures are apart, a picture stands for several of them.

    Args:
        rate_fps: Pictures per second that are meant to come.
        stride_s: From one clip to the next.
        span_s: From a clip's first picture to its last.
        ignored: Areas that are gray in every clip, polygons in fractions of the frame.
    """

    def __init__(self, rate_fps: float, *, stride_s: float, span_s: float = SPAN_S, ignored: Polygons = ()) -> None:
        self._tick_s = span_s / (PICTURES - 1)
        self._half_period_s = 0.5 / rate_fps
        self._longest_gap_s = max(_LONGEST_GAP_S, _LONGEST_GAP_PERIODS / rate_fps)
        self._stride_s = stride_s
        self._pictures: deque[npt.NDArray[np.uint8]] = deque(maxlen=PICTURES)
        self._seen_s = -math.inf
        self._first_s = 0.0
        self._ticks = 0
        self._given_s = -math.inf
        self._ignored = [np.round(np.array(polygon) * SIDE_PX).astype(np.int32) for polygon in ignored]

    @property
    def latest_s(self) -> float:
        """Stream time at which the latest clip ended, s; -inf where there was none since the start or a gap."""
        return self._given_s

    def step(self, image: npt.NDArray[np.uint8], time_s: float) -> Clip | None:
        """The clip that ends here, where one is due; None between strides, and for a span after a start or a gap.

        Args:
            image: (H, W, 3) BGR of any size; not kept. All of it is squeezed into the square, not only the middle
                as in Kinetics: what happens at the border of a camera's picture counts as well.
            time_s: Stream time, s.

        Returns:
            A copy that is the caller's.
        """
        if not 0.0 <= time_s - self._seen_s <= self._longest_gap_s:
            self._pictures.clear()
            self._first_s, self._ticks, self._given_s = time_s, 0, -math.inf
        self._seen_s = time_s
        # Ticks lie on a grid, so that rounding to the camera's pictures does not add up to a longer clip. A picture
        # is the nearest to every tick up to half a period after it.
        due = math.floor((time_s + self._half_period_s - self._first_s) / self._tick_s) + 1 - self._ticks
        if due > 0:
            small = _small(image)
            cv2.fillPoly(small, self._ignored, (_GRAY, _GRAY, _GRAY))
            self._pictures.extend([small] * due)
            self._ticks += due
        waited_s = time_s - self._given_s
        if len(self._pictures) < PICTURES or waited_s + self._half_period_s < self._stride_s:
            return None
        self._given_s = time_s
        return np.stack(self._pictures)


def _small(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    shrinks = min(image.shape[:2]) >= SIDE_PX
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=how), np.uint8)
