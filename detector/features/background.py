"""What differs from the empty scene: people who stand still, things left behind, whatever just came in.

The background is a running median of every pixel of a quarter-size grey picture, and the spread a running median of
the distance from it (McFarlane & Schofield, "Segmentation and tracking of piglets in images", 1995). Both move by a
fixed step per second, so something that stays still is absorbed after some minutes and slow light is followed. A
change of the whole picture's brightness is taken out before anything is compared.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detector.features.grid import Grid, Map, Mask

_FOLLOW_PER_S = 0.25  # grey levels the background moves per second
_SPREAD_PER_S = 0.1
_LEAST_DIFFERENCE = 10.0  # grey levels; below it lie sensor noise and compression
_SPREADS = 4.0  # leaves in the wind differ, but not more than they usually do
_PRESENT_SHARE = 0.25  # something is in a cell when this share of its window differs
_LONGEST_STEP_S = 1.0  # after a gap the background is not pulled further than this
_FIRST_SPREAD = 2.0  # grey levels


@dataclass(frozen=True, slots=True)
class Scene:
    """The empty scene, as a bundle keeps it. Both (H/4, W/4) float32, in grey levels."""

    background: Map
    spread: Map


class Background:
    """Follows one camera's empty scene.

    Args:
        scene: Where to start from; without one, the first picture is taken for empty.
    """

    def __init__(self, grid: Grid, scene: Scene | None = None) -> None:
        self._grid = grid
        self._scene = scene
        self._seen_s: float | None = None

    @property
    def scene(self) -> Scene | None:
        """The empty scene as it is known now, None before the first picture."""
        return self._scene

    def step(self, quarter: Map, time_s: float) -> Mask:
        """Cells that show something else than the empty scene, (rows, columns).

        Args:
            quarter: Grey, (H/4, W/4).
            time_s: Stream time, s.
        """
        if self._scene is None:
            self._scene = Scene(quarter, np.full_like(quarter, _FIRST_SPREAD))
        background, spread = self._scene.background, self._scene.spread
        gain = float(np.median(quarter / np.maximum(background, 8.0)))
        difference = quarter - gain * background
        distance = np.abs(difference)
        passed_s = 0.0 if self._seen_s is None else min(max(time_s - self._seen_s, 0.0), _LONGEST_STEP_S)
        self._seen_s = time_s
        self._scene = Scene(
            background + np.clip(quarter - background, -_FOLLOW_PER_S * passed_s, _FOLLOW_PER_S * passed_s),
            spread + np.clip(distance - spread, -_SPREAD_PER_S * passed_s, _SPREAD_PER_S * passed_s),
        )
        differs = distance > np.maximum(_LEAST_DIFFERENCE, _SPREADS * spread)
        return np.asarray(self._grid.windows(differs).mean(axis=-1) > _PRESENT_SHARE)


def empty_scene(grays: list[npt.NDArray[np.uint8]], grid: Grid) -> Scene:
    """The empty scene from some pictures spread over time: the median of each pixel and of the distance from it.

    Args:
        grays: (H, W) each, at least one.
    """
    quarters = np.stack([grid.quarter(gray) for gray in grays])  # (N, H/4, W/4)
    background = np.median(quarters, axis=0)
    spread = np.median(np.abs(quarters - background), axis=0)
    return Scene(background.astype(np.float32), spread.astype(np.float32))
