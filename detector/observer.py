"""What one camera's picture shows that needs looking at: the one part of the detector that remembers pictures."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from detector.clips import ClipView, ClipWatch, Glance
from detector.features.background import Background, Scene
from detector.features.grid import Cells, Grid, Polygons
from detector.features.motion import Motion, Moving, Stillness
from detector.features.network import Layers

# Looks change more slowly than movement has to be sampled: in a trial on UCSD Ped2 at 10 pictures/s, every second
# picture through the network cost no AUC.
_LOOK_S = 0.15


@dataclass(frozen=True, slots=True)
class Activity:
    """Cells of one picture in which something moves or differs from the empty scene. Most pictures have few."""

    cells: Cells
    """(N,) ascending."""
    speed: npt.NDArray[np.float32]
    """(N,) in percent of the picture's longer side per second, 0 for what stands still."""
    still_s: npt.NDArray[np.float32]
    """(N,) for how long it has stood still beyond a pause, seconds."""


@dataclass(slots=True)
class Look:
    """What the image network sees in a picture."""

    layers: Layers | None = None
    """None until it has run."""


class Observer:
    """Compares a camera's pictures with the one before and with the empty scene. Feed it every analysed picture.

    Args:
        rate_fps: Pictures per second that are meant to come.
        ignored: Areas to leave out, polygons in fractions of the frame.
        scene: The empty scene to start from; without one, the first picture is taken for empty.
        clips: How the whole picture is looked at in clips, None = not at all.
    """

    def __init__(
        self,
        grid: Grid,
        rate_fps: float,
        ignored: Polygons = (),
        scene: Scene | None = None,
        clips: ClipView | None = None,
    ) -> None:
        self.grid = grid
        self._motion = Motion(grid, rate_fps)
        self._stillness = Stillness(grid)
        self._background = Background(grid, scene)
        self._look: Look | None = None
        self._looked_s = -math.inf
        self._watched = grid.outside(ignored)
        self._clips = None if clips is None else ClipWatch(clips, rate_fps, ignored)

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
        quarter = self.grid.quarter(gray)
        present = self._background.step(quarter, time_s)
        moving = self._motion.step(gray, quarter, time_s)
        if moving is None:
            moving = Moving.nothing(self.grid)
        still_s = self._stillness.step(present & ~moving.cells, time_s)
        cells = np.flatnonzero((present | moving.cells) & self._watched)
        return Activity(cells, moving.speed.ravel()[cells], still_s.ravel()[cells])

    def glance(self, image: npt.NDArray[np.uint8], time_s: float) -> Glance | None:
        """The latest glance at the whole picture, None where there is none. To be called with every picture."""
        return None if self._clips is None else self._clips.step(image, time_s)

    def latest_look(self, time_s: float) -> Look | None:
        """The look at a picture recent enough to stand for the one of this time, None where there is none."""
        return self._look if 0.0 <= time_s - self._looked_s < _LOOK_S else None

    def begin_look(self, time_s: float) -> Look:
        """A look at the picture of this time, to be filled in by the network."""
        self._look, self._looked_s = Look(), time_s
        return self._look
