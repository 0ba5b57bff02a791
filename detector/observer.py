"""What one camera's picture shows that needs looking at: the one part of the detector that remembers pictures."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from detector.features.background import Background, Scene
from detector.features.grid import Cells, Grid, Polygons
from detector.features.motion import Motion


@dataclass(frozen=True, slots=True)
class Activity:
    """Cells of one picture in which something moves or differs from the empty scene. Most pictures have few."""

    cells: Cells
    """(N,) ascending."""
    speed: npt.NDArray[np.float32]
    """(N,) in percent of the picture's longer side per second, 0 for what stands still."""


class Observer:
    """Compares a camera's pictures with the one before and with the empty scene. Feed it every analysed picture.

    Args:
        rate_fps: Pictures per second that are meant to come.
        ignored: Areas to leave out, polygons in fractions of the frame.
        scene: The empty scene to start from; without one, the first picture is taken for empty.
    """

    def __init__(self, grid: Grid, rate_fps: float, ignored: Polygons = (), scene: Scene | None = None) -> None:
        self.grid = grid
        self._motion = Motion(grid, rate_fps)
        self._background = Background(grid, scene)
        self._watched = grid.outside(ignored)

    @property
    def scene(self) -> Scene | None:
        """The empty scene as it is known now, None before the first picture."""
        return self._background.scene

    def step(self, image: npt.NDArray[np.uint8], time_s: float) -> Activity:
        """What the picture shows.

        Args:
            image: (H, W, 3) BGR.
            time_s: Stream time, s.
        """
        gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        active = self._background.step(gray, time_s)
        moving = self._motion.step(gray, time_s)
        if moving is None:
            speed = np.zeros(active.shape, np.float32)
        else:
            active = active | moving.cells
            speed = moving.speed
        cells = np.flatnonzero(active & self._watched)
        return Activity(cells, speed.ravel()[cells])
