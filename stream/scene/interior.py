"""The drawn room without people, painted once per size, and its walls and furniture that hide who is behind them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from stream.scene.background import Plane, paint_ground, smooth_noise
from stream.scene.layout import Colour, Layout, Strip, View
from stream.scene.pen import Image, shade

WALL_M = 8.6
"""Depth of the back wall."""
DOOR_M = (1.45, 2.5)
"""Of the doorway in it, left and right."""
_HALF_ROOM_M = 4.5
TABLE_NEAR_M = 4.9
_DOOR_HIGH_M = 2.1
_CEILING_M = 3.0
_FINEST_WIDTH_PX = 1280  # wider pictures are painted at their own size
_WOOD: Colour = (70, 112, 160)
_DARK_WOOD: Colour = (48, 74, 110)
_CLOTH: Colour = (120, 104, 72)
_BOOKS: tuple[Colour, ...] = (
    (60, 60, 160),
    (140, 90, 50),
    (70, 130, 80),
    (200, 204, 206),
    (58, 110, 190),
    (96, 60, 110),
)

_LAYOUT = Layout(
    camera_height_m=2.6,
    focal=1.35,
    horizon=0.05,
    widest=1.7,
    strips=(Strip(kind="boards", near_m=0.1, far_m=100.0, colour=(104, 140, 176)),),
    walks_m=((6.2, 6.6),),
    wall_z_m=WALL_M,
    wall_height_m=_CEILING_M,
    wall=(196, 212, 218),
)


@dataclass(frozen=True, slots=True)
class Block:
    """An upright box, in metres."""

    left: float
    right: float
    near: float
    far: float
    foot: float
    top: float
    colour: Colour


def _table() -> list[Block]:
    legs = [
        Block(x, x + 0.07, z, z + 0.07, 0, 0.7, _DARK_WOOD) for z in (5.5, TABLE_NEAR_M + 0.03) for x in (-2.17, -0.8)
    ]
    return [*legs, Block(-2.2, -0.7, TABLE_NEAR_M, 5.6, 0.7, 0.75, _WOOD)]


def _chair(x: float, side: int) -> list[Block]:
    """A chair whose seat's middle is at x, facing right (1) or left (-1)."""
    legs = [
        Block(x + dx - 0.02, x + dx + 0.02, z, z + 0.04, 0, 0.43, _DARK_WOOD)
        for z in (5.43, 5.03)
        for dx in (-0.2, 0.2)
    ]
    back = x - side * 0.21
    return [
        *legs,
        Block(x - 0.23, x + 0.23, 5.03, 5.47, 0.43, 0.47, _DARK_WOOD),
        Block(back - 0.025, back + 0.025, 5.03, 5.47, 0.47, 0.95, _DARK_WOOD),
    ]


def _shelf() -> list[Block]:
    blocks = [Block(-3.95, -2.65, 8.25, WALL_M, 0, 1.95, _DARK_WOOD)]
    rng = np.random.default_rng(17)
    for floor_m in (0.1, 0.56, 1.02, 1.48):
        blocks.append(Block(-3.88, -2.72, 8.24, 8.25, floor_m, floor_m + 0.4, (40, 46, 56)))
        x = -3.86
        while x < -2.85:
            wide = float(rng.uniform(0.04, 0.1))
            if rng.random() < 0.85:
                colour = _BOOKS[int(rng.integers(len(_BOOKS)))]
                blocks.append(
                    Block(x, x + wide, 8.23, 8.24, floor_m, floor_m + float(rng.uniform(0.24, 0.36)), colour)
                )
            x += wide + 0.01
    return blocks


_FURNITURE: tuple[tuple[float, list[Block]], ...] = (
    (8.2, _shelf()),
    (
        8.2,
        [
            Block(-1.5, 0.3, 8.25, WALL_M, 0, 0.8, (178, 190, 198)),
            Block(-1.2, -0.75, 8.35, 8.5, 0.8, 1.1, (52, 52, 54)),
        ],
    ),
    (7.5, [Block(2.75, 3.6, 7.0, 7.75, 0.05, 0.42, _CLOTH), Block(3.4, 3.62, 7.0, 7.75, 0.05, 1.05, _CLOTH)]),
    (7.5, [Block(2.8, 3.6, 7.62, 7.78, 0.05, 0.62, _CLOTH)]),
    (6.95, [Block(2.75, 3.6, 6.95, 7.1, 0.05, 0.62, _CLOTH)]),
    (6.2, [Block(3.5, 3.8, 6.2, 6.5, 0, 0.45, (60, 90, 150))]),
    (5.3, _chair(-2.68, 1)),
    (5.3, _chair(-0.22, -1)),
    (TABLE_NEAR_M, _table()),
)
"""Depth at which each is drawn, farthest first, and what it is made of."""


class Cutout:
    """A piece of the empty room that is put back over whoever is behind it."""

    def __init__(self, z_m: float, background: Image, mask: Image) -> None:
        self.z_m = z_m
        left, top, wide, high = cv2.boundingRect(mask)
        self._place = (slice(top, top + high), slice(left, left + wide))
        self._pixels = background[self._place]
        self._cover = np.repeat(mask[self._place][..., None] > 0, 3, axis=2)

    def draw(self, image: Image, _time_s: float, _wind_rad: float) -> None:
        """Put it back into the picture."""
        np.copyto(image[self._place], self._pixels, where=self._cover)


@lru_cache(maxsize=8)
def interior(width: int, height: int) -> tuple[View, Image, tuple[Cutout, ...]]:
    """The view of the room, the empty room, (height, width, 3) BGR and read-only, and what covers people."""
    view = View(_LAYOUT, width, height)
    factor = 2 if width <= _FINEST_WIDTH_PX else 1
    large = View(_LAYOUT, factor * width, factor * height)
    rng = np.random.default_rng(201)
    canvas = np.zeros((large.height, large.width, 3), np.float32)
    foot = min(large.height, max(0, round(large.ground_px(WALL_M))))
    paint_ground(canvas, large, foot, rng)
    _fill(canvas, _floor(large, 0.75, 3.2, 4.4, 6.0), (96, 88, 150))
    _fill(canvas, _floor(large, 0.9, 3.05, 4.52, 5.88), (120, 128, 176))
    _paint_walls(canvas, large)
    masks = [(WALL_M, _wall_mask(large))]
    for z_m, blocks in _FURNITURE:
        mask = np.zeros(canvas.shape[:2], np.uint8)
        for block in blocks:
            for corners, colour in _faces(large, block):
                _fill(canvas, corners, colour)
                cv2.fillPoly(mask, [_whole(corners)], 255)
        masks.append((z_m, mask))
    leaves = np.zeros(canvas.shape[:2], np.uint8)
    _paint_plant(canvas, leaves, large, rng)
    masks.append((6.2, leaves))
    canvas *= 1 + 0.05 * (smooth_noise(rng, max(4, large.height // 6), (large.width, large.height)) - 0.5)[..., None]
    shrunk = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    background = np.clip(shrunk, 12, 236).astype(np.uint8)
    background.flags.writeable = False
    covers = [(z_m, cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)) for z_m, mask in masks]
    return (
        view,
        background,
        tuple(Cutout(z_m, background, np.where(mask > 127, mask, 0)) for z_m, mask in covers if (mask > 127).any()),
    )


def _point(view: View, x_m: float, up_m: float, z_m: float) -> tuple[float, float]:
    return view.x_px(x_m, z_m), view.ground_px(z_m) - up_m * view.px_per_m(z_m)


def _upright(view: View, left: float, right: float, foot: float, top: float, z_m: float) -> list[tuple[float, float]]:
    """Corners of a rectangle that faces the camera."""
    return [_point(view, *corner, z_m) for corner in ((left, foot), (left, top), (right, top), (right, foot))]


def _floor(view: View, left: float, right: float, near: float, far: float) -> list[tuple[float, float]]:
    return [_point(view, x, 0, z) for x, z in ((left, near), (left, far), (right, far), (right, near))]


def _faces(view: View, block: Block) -> Iterable[tuple[list[tuple[float, float]], Colour]]:
    """The faces of a block that the camera sees, with their light."""
    for x_m, seen in ((block.left, block.left > 0), (block.right, block.right < 0)):
        if seen:
            corners = [
                (block.foot, block.near),
                (block.top, block.near),
                (block.top, block.far),
                (block.foot, block.far),
            ]
            yield [_point(view, x_m, up_m, z_m) for up_m, z_m in corners], shade(block.colour, 0.7)
    top = [(block.left, block.near), (block.left, block.far), (block.right, block.far), (block.right, block.near)]
    yield [_point(view, x_m, block.top, z_m) for x_m, z_m in top], shade(block.colour, 1.12)
    yield _upright(view, block.left, block.right, block.foot, block.top, block.near), shade(block.colour, 0.88)


def _whole(corners: list[tuple[float, float]]) -> npt.NDArray[np.int32]:
    return np.asarray(np.rint(np.array(corners)), np.int32)


def _fill(canvas: Plane, corners: list[tuple[float, float]], colour: Colour) -> None:
    cv2.fillPoly(canvas, [_whole(corners)], colour)


def _paint_walls(canvas: Plane, view: View) -> None:
    high = _CEILING_M
    canvas[: max(0, round(_point(view, 0, high, WALL_M)[1]))] = (214, 220, 222)
    _fill(canvas, _upright(view, -_HALF_ROOM_M, _HALF_ROOM_M, 0, high, WALL_M), _LAYOUT.wall)
    _fill(canvas, _upright(view, -_HALF_ROOM_M, _HALF_ROOM_M, 0, 0.1, WALL_M), (226, 232, 234))
    for side, light in ((-1, 0.86), (1, 0.78)):
        x_m = side * _HALF_ROOM_M
        corners = [(0.0, 1.5), (high, 1.5), (high, WALL_M), (0.0, WALL_M)]
        _fill(canvas, [_point(view, x_m, up_m, z_m) for up_m, z_m in corners], shade(_LAYOUT.wall, light))
        corners = [(0.0, 1.5), (0.1, 1.5), (0.1, WALL_M), (0.0, WALL_M)]
        _fill(canvas, [_point(view, x_m, up_m, z_m) for up_m, z_m in corners], shade((226, 232, 234), light))
    _fill(canvas, _upright(view, DOOR_M[0] - 0.1, DOOR_M[1] + 0.1, 0, _DOOR_HIGH_M + 0.1, WALL_M), (228, 234, 236))
    _fill(canvas, _upright(view, *DOOR_M, 0, _DOOR_HIGH_M, WALL_M), (120, 132, 140))
    hall = [
        _point(view, x_m, 0, z_m)
        for x_m, z_m in ((DOOR_M[0], WALL_M), (DOOR_M[0] * 1.2, 10.0), (DOOR_M[1] * 1.16, 10.0), (DOOR_M[1], WALL_M))
    ]
    _fill(
        canvas,
        [(min(max(x, view.x_px(DOOR_M[0], WALL_M)), view.x_px(DOOR_M[1], WALL_M)), y) for x, y in hall],
        (84, 104, 122),
    )
    _fill(canvas, _upright(view, -2.0, 0.5, 0.95, 2.35, WALL_M), (226, 232, 234))
    for left in (-1.92, -0.7):
        pane = _whole(_upright(view, left, left + 1.12, 1.03, 2.27, WALL_M))
        (x0, y1), (x1, y0) = pane[0], pane[2]
        canvas[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = (232, 222, 206)
        cut = max(0, round(y1 - 0.35 * (y1 - y0)))
        canvas[cut : max(0, y1), max(0, x0) : max(0, x1)] = (128, 164, 140)
    for left, colour in ((3.0, (150, 120, 70)), (3.65, (80, 110, 170))):
        _fill(canvas, _upright(view, left, left + 0.5, 1.45, 2.05, WALL_M), (60, 66, 72))
        _fill(canvas, _upright(view, left + 0.05, left + 0.45, 1.5, 2.0, WALL_M), colour)


def _wall_mask(view: View) -> Image:
    """All that is above the floor, the doorway left out."""
    mask = np.zeros((view.height, view.width), np.uint8)
    mask[: max(0, round(view.ground_px(WALL_M)))] = 255
    cv2.fillPoly(mask, [_whole(_upright(view, *DOOR_M, 0, _DOOR_HIGH_M, WALL_M))], 0)
    return mask


def _paint_plant(canvas: Plane, mask: Image, view: View, rng: np.random.Generator) -> None:
    scale = view.px_per_m(6.35)
    for _ in range(160):
        up_m = rng.uniform(0.45, 1.35)
        x_m = 3.65 + rng.normal(0, 0.17) * (1.6 - 0.5 * up_m)
        centre = (round(view.x_px(x_m, 6.35)), round(view.ground_px(6.35) - up_m * scale))
        axes = (max(1, round(0.1 * scale)), max(1, round(0.035 * scale)))
        angle, light = float(rng.uniform(0, 180)), float(rng.uniform(0.6, 1.2))
        cv2.ellipse(canvas, centre, axes, angle, 0, 360, shade((58, 118, 66), light), -1)
        cv2.ellipse(mask, centre, axes, angle, 0, 360, 255, -1)
