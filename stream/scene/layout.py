"""Where things are in the drawn street: a camera's view of flat ground, and three streets to look at.

Ground points are (x, z) in metres: x to the right of the picture's middle, z away from the camera.
"""

from dataclasses import dataclass
from typing import Literal

Colour = tuple[int, int, int]
"""BGR, 0 to 255."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A band of ground across the whole picture."""

    kind: Literal["slabs", "cobbles", "grass", "flowers", "kerb"]
    near_m: float
    far_m: float
    colour: Colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A tree by its foot."""

    x_m: float
    z_m: float
    height_m: float
    leaf: Colour


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One street as a fixed camera sees it."""

    camera_height_m: float
    focal: float
    """Focal length in picture heights."""
    horizon: float
    """Height of the horizon in the picture, 0 = its upper edge, 1 = its lower."""
    strips: tuple[Strip, ...]
    walks_m: tuple[tuple[float, float], ...]
    """Depths between which people walk, nearest first."""
    closed_m: tuple[float, float]
    """Depths between which nobody walks in normal footage."""
    wall_z_m: float
    wall_height_m: float
    wall: Colour
    shops: bool
    trees: tuple[Tree, ...]


class View:
    """A layout in a picture of this size: ground in metres to pixels."""

    def __init__(self, layout: Layout, width: int, height: int) -> None:
        self.layout = layout
        self.width = width
        self.height = height
        self._focal_px = layout.focal * height
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


_NEAREST_M, _FARTHEST_M = 0.1, 100.0

LAYOUTS: dict[int, Layout] = {
    # A shopping street behind a lawn.
    1: Layout(
        camera_height_m=5.0,
        focal=1.33,
        horizon=-0.03,
        strips=(
            Strip(kind="grass", near_m=_NEAREST_M, far_m=7.9, colour=(52, 112, 84)),
            Strip(kind="flowers", near_m=7.9, far_m=8.45, colour=(44, 84, 62)),
            Strip(kind="kerb", near_m=8.45, far_m=8.65, colour=(150, 156, 160)),
            Strip(kind="slabs", near_m=8.65, far_m=15.9, colour=(138, 146, 152)),
            Strip(kind="cobbles", near_m=15.9, far_m=_FARTHEST_M, colour=(104, 110, 118)),
        ),
        walks_m=((9.2, 15.4),),
        closed_m=(6.9, 7.8),
        wall_z_m=18.0,
        wall_height_m=12.0,
        wall=(126, 158, 184),
        shops=True,
        trees=(
            Tree(x_m=-8.6, z_m=16.6, height_m=5.6, leaf=(46, 120, 88)),
            Tree(x_m=0.9, z_m=16.6, height_m=5.0, leaf=(40, 128, 102)),
            Tree(x_m=9.6, z_m=16.6, height_m=5.8, leaf=(42, 112, 80)),
        ),
    ),
    # A park path before a lawn, a brick wall and the sky.
    2: Layout(
        camera_height_m=4.2,
        focal=1.3,
        horizon=0.1,
        strips=(
            Strip(kind="slabs", near_m=_NEAREST_M, far_m=11.6, colour=(126, 150, 166)),
            Strip(kind="kerb", near_m=11.6, far_m=11.85, colour=(142, 146, 148)),
            Strip(kind="flowers", near_m=11.85, far_m=12.5, colour=(44, 80, 60)),
            Strip(kind="grass", near_m=12.5, far_m=_FARTHEST_M, colour=(50, 122, 92)),
        ),
        walks_m=((6.9, 11.2),),
        closed_m=(13.2, 15.0),
        wall_z_m=18.0,
        wall_height_m=2.6,
        wall=(78, 96, 142),
        shops=False,
        trees=(
            Tree(x_m=-6.4, z_m=16.8, height_m=6.0, leaf=(44, 116, 82)),
            Tree(x_m=7.4, z_m=16.2, height_m=5.4, leaf=(36, 124, 104)),
        ),
    ),
    # A square with a planted island between two pavements.
    3: Layout(
        camera_height_m=6.0,
        focal=1.33,
        horizon=-0.11,
        strips=(
            Strip(kind="cobbles", near_m=_NEAREST_M, far_m=10.7, colour=(128, 134, 142)),
            Strip(kind="kerb", near_m=10.7, far_m=10.9, colour=(158, 162, 166)),
            Strip(kind="grass", near_m=10.9, far_m=12.7, colour=(58, 116, 96)),
            Strip(kind="kerb", near_m=12.7, far_m=12.95, colour=(158, 162, 166)),
            Strip(kind="slabs", near_m=12.95, far_m=_FARTHEST_M, colour=(150, 154, 156)),
        ),
        walks_m=((7.8, 10.3), (13.3, 17.0)),
        closed_m=(11.2, 12.4),
        wall_z_m=19.0,
        wall_height_m=12.0,
        wall=(170, 178, 182),
        shops=True,
        trees=(
            Tree(x_m=-6.0, z_m=17.8, height_m=5.2, leaf=(48, 118, 92)),
            Tree(x_m=4.6, z_m=11.8, height_m=4.2, leaf=(40, 120, 98)),
        ),
    ),
}
