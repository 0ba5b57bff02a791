"""Where things are in a drawn scene: what a place is made of, and a camera's view of its flat ground.

Ground points are (x, z) in metres: x to the right of the picture's middle, z away from the camera.
"""

from dataclasses import dataclass
from typing import Literal

Colour = tuple[int, int, int]
"""BGR, 0 to 255."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A band of ground across the whole picture."""

    kind: Literal["slabs", "cobbles", "grass", "flowers", "kerb", "asphalt", "boards"]
    near_m: float
    far_m: float
    colour: Colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """A painted rectangle on the ground."""

    left_m: float
    right_m: float
    near_m: float
    far_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A tree by its foot."""

    x_m: float
    z_m: float
    height_m: float
    leaf: Colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One place as a fixed camera sees it."""

    camera_height_m: float
    focal: float
    """Focal length in picture heights."""
    horizon: float
    """Height of the horizon in the picture, 0 = its upper edge, 1 = its lower."""
    widest: float = 0.0
    """Width of the picture in heights below which everything gets smaller instead of being cut off."""
    strips: tuple[Strip, ...]
    markings: tuple[Marking, ...] = ()
    walks_m: tuple[tuple[float, float], ...]
    """Depths between which people walk, nearest first."""
    wall_z_m: float
    wall_height_m: float
    wall: Colour
    shops: bool = False
    trees: tuple[Tree, ...] = ()


class View:
    """A layout in a picture of this size: ground in metres to pixels."""

    def __init__(self, layout: Layout, width: int, height: int) -> None:
        self.layout = layout
        self.width = width
        self.height = height
        self._focal_px = layout.focal * (min(height, width / layout.widest) if layout.widest else height)
        self._horizon_px = layout.horizon * height

    def px_per_m(self, z_m: float) -> float:
        """Pixels per metre of anything upright at this depth."""
        return self._focal_px / z_m

    def depth_px_per_m(self, z_m: float) -> float:
        """Rows per metre of ground going away from the camera at this depth."""
        return self._focal_px * self.layout.camera_height_m / z_m**2

    def x_px(self, x_m: float, z_m: float) -> float:
        """Column of a point at this depth."""
        return self.width / 2 + x_m * self.px_per_m(z_m)

    def ground_px(self, z_m: float) -> float:
        """Row where the ground is at this depth."""
        return self._horizon_px + self.layout.camera_height_m * self.px_per_m(z_m)

    def depth_m(self, row_px: float) -> float:
        """Depth of the ground in this row, which must lie below the horizon."""
        return self._focal_px * self.layout.camera_height_m / (row_px - self._horizon_px)

    def half_width_m(self, z_m: float) -> float:
        """Metres from the picture's middle to its left or right edge at this depth."""
        return self.width / 2 / self.px_per_m(z_m)
