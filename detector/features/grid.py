"""The regions a feature vector belongs to: square cells, each seen through a window twice its side."""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

CELL_PX = 16
"""Side of a cell in pixels of the analysed picture; the image network's inner layers have the same stride."""
_MAP_PX = 4  # motion and presence are measured on maps a quarter of the picture's size
_WINDOW = 2 * CELL_PX // _MAP_PX

Map = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Cells = npt.NDArray[np.int64]
"""Flat indices of cells, row-major."""
_Value = TypeVar("_Value", bound=np.generic)
Polygons = tuple[tuple[tuple[float, float], ...], ...]
"""Areas as corners x, y in fractions of the frame."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells over a picture whose sides are multiples of CELL_PX."""

    height: int
    width: int

    @property
    def rows(self) -> int:
        """Cells from top to bottom."""
        return self.height // CELL_PX

    @property
    def columns(self) -> int:
        """Cells from left to right."""
        return self.width // CELL_PX

    def quarter(self, picture: npt.NDArray[np.uint8 | np.float32]) -> Map:
        """The picture, or a map of its size, averaged to a quarter: (H/4, W/4[, C]) float32."""
        size = (self.width // _MAP_PX, self.height // _MAP_PX)
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)

    def windows(self, quarter: npt.NDArray[_Value]) -> npt.NDArray[_Value]:
        """The window around every cell of a quarter-size map: (rows, columns, 64); mirrored at the border."""
        margin = (_WINDOW - CELL_PX // _MAP_PX) // 2
        padded = np.pad(quarter, margin, mode="reflect")
        step = CELL_PX // _MAP_PX
        views = np.lib.stride_tricks.sliding_window_view(padded, (_WINDOW, _WINDOW))[::step, ::step]
        return views.reshape(self.rows, self.columns, _WINDOW * _WINDOW)

    def outside(self, polygons: Polygons) -> Mask:
        """Cells whose centre lies in none of the polygons (fractions of the frame), (rows, columns)."""
        outside = np.ones((self.rows, self.columns), np.bool_)
        for polygon in polygons:
            corners = np.array(polygon, np.float32)
            for row, column in np.argwhere(outside):
                centre = (column + 0.5) / self.columns, (row + 0.5) / self.rows
                outside[row, column] = cv2.pointPolygonTest(corners, centre, measureDist=False) < 0
        return outside
