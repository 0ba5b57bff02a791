"""What stands still in the drawn street, painted once per camera and size, and the trees that only sway.

Painted at twice the size and shrunk, so edges and textures are smooth. Nothing here depends on a scene's seed:
all scenes of one camera show the same place.
"""

import math
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from stream.scene.layout import Colour, Layout, Strip, Tree, View

Image = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]

_TILE_PX = 512
_FLOWER_COLOURS: tuple[Colour, ...] = ((70, 70, 215), (80, 190, 235), (225, 225, 235), (190, 90, 190), (60, 130, 240))
_TREE_REACH = 0.36
"""Of a tree's height, how far it reaches to each side."""
_FINEST_WIDTH_PX = 1280  # wider pictures are painted at their own size


class SwayingTree:
    """A tree cut out of its surroundings, (height, width) within the picture, bent by the wind when drawn."""

    def __init__(self, tree: Tree, view: View, rng: np.random.Generator) -> None:
        self.z_m = tree.z_m
        scale = view.px_per_m(tree.z_m)
        foot_px = (view.x_px(tree.x_m, tree.z_m), view.ground_px(tree.z_m))
        reach_px = _TREE_REACH * tree.height_m * scale
        left, right = max(0, int(foot_px[0] - reach_px)), min(view.width, int(foot_px[0] + reach_px) + 1)
        top, bottom = max(0, int(foot_px[1] - 1.04 * tree.height_m * scale)), min(view.height, int(foot_px[1]) + 2)
        self._place = (slice(top, bottom), slice(left, right))
        size = (bottom - top, right - left)
        self._colour, self._cover = _paint_tree(tree, scale, (foot_px[0] - left, foot_px[1] - top), size, rng)
        self._phase_rad = float(rng.uniform(0, 2 * math.pi))

        rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
        height = np.clip((foot_px[1] - top - rows) / (tree.height_m * scale), 0, 1)
        self._columns, self._rows = columns, rows
        self._bend_px = (0.11 * scale * height**2).astype(np.float32)
        flutter_px = 0.035 * scale * np.clip(3 * height - 1, 0, 1)
        ripple = 2 * math.pi * smooth_noise(rng, max(4, int(0.3 * scale)), (size[1], size[0]))
        self._flutter_px = (
            (flutter_px * np.cos(ripple)).astype(np.float32),
            (flutter_px * np.sin(ripple)).astype(np.float32),
        )

    def draw(self, image: Image, time_s: float, wind_rad: float) -> None:
        """Draw the tree into the picture as the wind bends it; `wind_rad` tells one scene's wind from another's."""
        place = image[self._place]
        beat = time_s + wind_rad + self._phase_rad
        gust = 0.65 + 0.35 * math.sin(0.31 * beat + wind_rad)
        bend = gust * (0.8 * math.sin(1.7 * beat) + 0.45 * math.sin(2.9 * beat))
        first, second = gust * math.cos(6.1 * beat), gust * math.sin(5.3 * beat)
        shift = bend * self._bend_px + first * self._flutter_px[0] + second * self._flutter_px[1]
        from_columns, from_rows = self._columns + shift, self._rows + 0.6 * second * self._flutter_px[0]
        colour = cv2.remap(self._colour, from_columns, from_rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        cover = cv2.remap(self._cover, from_columns, from_rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        behind = cv2.multiply(place, cv2.bitwise_not(cover), scale=1 / 255)
        cv2.add(behind, colour, dst=place)


@lru_cache(maxsize=8)
def outdoors(layout: Layout, grain: int, width: int, height: int) -> tuple[View, Image, tuple[SwayingTree, ...]]:
    """A camera's view, its empty place, (height, width, 3) BGR and read-only, and its trees; `grain` is a seed."""
    view = View(layout, width, height)
    factor = 2 if width <= _FINEST_WIDTH_PX else 1
    large = View(view.layout, factor * width, factor * height)
    rng = np.random.default_rng((grain, 11))
    canvas = np.zeros((large.height, large.width, 3), np.float32)
    wall_foot = min(large.height, max(0, round(large.ground_px(view.layout.wall_z_m))))
    _paint_sky(canvas[:wall_foot], rng)
    _paint_wall(canvas, large, wall_foot, rng)
    paint_ground(canvas, large, wall_foot, rng)
    street = np.asarray(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    _darken_under_trees(street, view, rng)
    background = np.clip(street, 12, 236).astype(np.uint8)
    background.flags.writeable = False
    shown = [
        tree
        for tree in view.layout.trees
        if abs(tree.x_m) - _TREE_REACH * tree.height_m < view.half_width_m(tree.z_m)
    ]
    return view, background, tuple(SwayingTree(tree, view, rng) for tree in shown)


def smooth_noise(rng: np.random.Generator, grain_px: int, size: tuple[int, int]) -> Plane:
    """Smooth noise in 0 to 1 with blobs of about this many pixels, size = (width, height)."""
    coarse = rng.random((size[1] // grain_px + 3, size[0] // grain_px + 3), np.float32)
    fine = cv2.resize(coarse, None, fx=grain_px, fy=grain_px, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(fine[: size[1], : size[0]], 0, 1), np.float32)


def _tile(rng: np.random.Generator) -> Plane:
    """A square of noise with detail at every size, mean 0, about -1 to 1."""
    size = (_TILE_PX, _TILE_PX)
    octaves = [
        (smooth_noise(rng, grain, size) - 0.5) * weight
        for grain, weight in ((64, 0.9), (16, 0.7), (4, 0.6), (1, 0.5))
    ]
    return np.asarray(sum(octaves), np.float32)


def _paint_sky(sky: Plane, rng: np.random.Generator) -> None:
    rows, columns = sky.shape[:2]
    if not rows:
        return
    puffs = smooth_noise(rng, max(4, rows // 4), (columns // 4 + 1, rows))
    cloud = cv2.resize(puffs, (columns, rows), interpolation=cv2.INTER_CUBIC)  # wider than high
    depth = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None]
    sky[:] = (
        np.array((214, 176, 138), np.float32) * (1 - 0.3 * depth)
        + np.array((222, 214, 206), np.float32) * 0.3 * depth
    )
    sky += (np.array((232, 230, 226), np.float32) - sky) * np.clip(1.8 * cloud - 0.5, 0, 1)[..., None]


def _paint_wall(canvas: Plane, view: View, foot: int, rng: np.random.Generator) -> None:
    layout = view.layout
    scale = view.px_per_m(layout.wall_z_m)
    top = max(0, round(foot - layout.wall_height_m * scale))
    if not layout.shops:
        _paint_crowns(canvas, top, scale, rng)
    wall = canvas[top:foot]
    if not wall.size:
        return
    rows, columns = np.mgrid[top:foot, : view.width].astype(np.float32)
    up_m, along_m = (foot - rows) / scale, (columns - view.width / 2) / scale + 100
    course = np.floor(up_m / 0.16)
    brick = np.floor(along_m / 0.42 + 0.5 * (course % 2))
    tone = rng.uniform(-1, 1, 997)[((brick * 31 + course * 57) % 997).astype(int)]
    joint = np.minimum(_joint(up_m, 0.16, 0.02), _joint(along_m + 0.21 * (course % 2), 0.42, 0.02))
    stain = cv2.resize(_tile(rng), (view.width, foot - top)) if foot > top else 0
    contrast = 0.05 if layout.shops else 0.13
    shade = (
        (1 + contrast * tone) * (1 - (0.25 - joint * 0.25)) * (1 + 0.08 * stain) * np.clip(0.82 + 0.1 * up_m, 0.82, 1)
    )
    wall[:] = np.array(layout.wall, np.float32) * shade[..., None]
    if layout.shops:
        for number, bay_m in enumerate(np.arange(-16.8, 17, 4.2)):
            _paint_shop(canvas, number, view.x_px(float(bay_m), layout.wall_z_m), foot, scale)
    else:
        _box(canvas, 0, view.width, foot - 2.75 * scale, foot - 2.55 * scale, (150, 158, 166))


def _paint_crowns(canvas: Plane, foot: int, scale: float, rng: np.random.Generator) -> None:
    """Far trees behind a garden wall."""
    for x_px in np.arange(0, canvas.shape[1], 0.5 * scale):
        for _ in range(7):
            centre = (int(x_px + rng.normal(0, 0.5 * scale)), int(foot - rng.uniform(-0.2, 1.2) * scale))
            green = np.array((74, 112, 92)) * rng.uniform(0.75, 1.15)
            cv2.circle(canvas, centre, int(rng.uniform(0.15, 0.5) * scale), green.tolist(), -1)


def _paint_shop(canvas: Plane, number: int, x: float, foot: int, s: float) -> None:
    """One bay of the facade, 4.2 m wide: shop window, door, awning, a sign, a window above."""
    cloths: tuple[tuple[Colour, Colour], ...] = (
        ((60, 60, 168), (214, 220, 224)),
        ((104, 124, 52), (206, 216, 214)),
        ((150, 96, 52), (220, 218, 212)),
        ((52, 128, 176), (212, 222, 226)),
    )
    frame: Colour = (58, 66, 74)
    dark, light = cloths[number % len(cloths)]
    _box(canvas, x - 1.75 * s, x + 1.0 * s, foot - 2.6 * s, foot - 0.45 * s, frame)
    for left, right in ((-1.65, -0.4), (-0.3, 0.9)):
        _glass(canvas, x + left * s, x + right * s, foot - 2.5 * s, foot - 0.55 * s)
    _box(canvas, x + 1.15 * s, x + 2.0 * s, foot - 2.6 * s, foot, frame)
    _glass(canvas, x + 1.25 * s, x + 1.9 * s, foot - 2.45 * s, foot - 1.0 * s)
    _box(canvas, x + 1.25 * s, x + 1.9 * s, foot - 0.9 * s, foot - 0.12 * s, dark)
    if number % 2:
        for stripe in range(10):
            left = x + (-1.85 + 0.3 * stripe) * s
            _box(canvas, left, left + 0.3 * s, foot - 3.05 * s, foot - 2.35 * s, light if stripe % 2 else dark)
        _box(canvas, x - 1.85 * s, x + 1.15 * s, foot - 2.39 * s, foot - 2.3 * s, (70, 74, 80))
    else:
        _box(canvas, x - 1.85 * s, x + 2.05 * s, foot - 3.2 * s, foot - 2.72 * s, dark)
        text = ("CAFE", "BOOKS", "BAKERY")[number // 2 % 3]
        origin = (int(x - 1.2 * s), int(foot - 2.82 * s))
        letters = np.zeros(canvas.shape[:2], np.uint8)  # text can only be drawn into bytes
        cv2.putText(
            letters, text, origin, cv2.FONT_HERSHEY_DUPLEX, 0.0145 * s, 255, max(1, int(0.035 * s)), cv2.LINE_AA
        )
        canvas += (np.array(light, np.float32) - canvas) * (letters[..., None] / np.float32(255))
    _box(canvas, x - 2.1 * s, x + 2.1 * s, foot - 3.62 * s, foot - 3.45 * s, (150, 166, 178))
    for left in (-1.5, 0.35):
        _box(canvas, x + (left - 0.1) * s, x + (left + 1.25) * s, foot - 5.8 * s, foot - 3.95 * s, (196, 204, 210))
        _glass(canvas, x + left * s, x + (left + 1.15) * s, foot - 5.7 * s, foot - 4.05 * s)


def paint_ground(canvas: Plane, view: View, foot: int, rng: np.random.Generator) -> None:
    """The layout's strips and markings, from the row where they begin down."""
    rows, columns = np.mgrid[foot : view.height, : view.width].astype(np.float32)
    if not rows.size:
        return
    depth_m = (
        view.depth_m(1) * (1 - view.layout.horizon * view.height) / (rows + 0.5 - view.layout.horizon * view.height)
    )
    across_m = (columns + 0.5 - view.width / 2) * depth_m / view.px_per_m(1) + 100
    tile = _tile(rng)
    texture = cv2.remap(
        tile, across_m * 42 % _TILE_PX, depth_m * 42 % _TILE_PX, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    stain = cv2.remap(
        tile, across_m * 7 % _TILE_PX, depth_m * 7 % _TILE_PX, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
    )
    grain = rng.normal(0, 1, rows.shape).astype(np.float32)
    for strip in view.layout.strips:
        inside = (depth_m[:, 0] >= strip.near_m) & (depth_m[:, 0] < strip.far_m)
        if inside.any():
            shade = _strip_shade(strip, across_m[inside], depth_m[inside], rng)
            shade *= (
                1 + 0.12 * stain[inside] + (0.22 if strip.kind in ("grass", "flowers") else 0.07) * texture[inside]
            )
            if strip.kind in ("grass", "flowers"):
                blades = cv2.GaussianBlur(grain[inside], (1, 5), sigmaX=0.1, sigmaY=1.6)
                shade *= 1 + 0.16 * blades
            canvas[foot:][inside] = np.array(strip.colour, np.float32) * shade[..., None]
        if strip.kind == "flowers":
            _paint_flowers(canvas, view, strip, rng)
    for marking in view.layout.markings:
        corners = [
            (view.x_px(x_m, z_m), view.ground_px(z_m))
            for x_m, z_m in (
                (marking.left_m, marking.near_m),
                (marking.left_m, marking.far_m),
                (marking.right_m, marking.far_m),
                (marking.right_m, marking.near_m),
            )
        ]
        paint = np.zeros(canvas.shape[:2], np.uint8)
        cv2.fillConvexPoly(paint, np.rint(np.array(corners) * 16).astype(np.int32), 210, cv2.LINE_AA, 4)
        canvas += (np.float32(206) - canvas) * (paint[..., None] / np.float32(255))
    # Less light reaches the foot of the wall.
    canvas[foot:] *= np.clip(0.72 + 0.2 * (view.layout.wall_z_m - depth_m), 0.72, 1)[..., None]


def _strip_shade(strip: Strip, across_m: Plane, depth_m: Plane, rng: np.random.Generator) -> Plane:
    """Light and dark of a strip's paving, about 1."""
    if strip.kind in ("grass", "flowers"):
        return np.ones_like(across_m)
    if strip.kind == "asphalt":
        return np.asarray(1 + 0.05 * rng.normal(0, 1, across_m.shape), np.float32)
    long_m, deep_m, joint_m = {
        "slabs": (0.9, 0.6, 0.03),
        "cobbles": (0.3, 0.22, 0.03),
        "boards": (1.6, 0.16, 0.01),
    }.get(strip.kind, (1.0, 9.0, 0.03))
    course = np.floor(depth_m / deep_m)
    offset_m = 0.5 * long_m * (course % 2)
    stone = np.floor((across_m + offset_m) / long_m)
    tone = rng.uniform(-1, 1, 991)[((stone * 37 + course * 61) % 991).astype(int)]
    joint = np.minimum(_joint(across_m + offset_m, long_m, joint_m), _joint(depth_m, deep_m, 1.5 * joint_m))
    return np.asarray((1 + 0.055 * tone) * (0.76 + 0.24 * joint), np.float32)


def _joint(position_m: Plane, period_m: float, width_m: float) -> Plane:
    """0 in the joints that come every period, 1 between them."""
    distance_m = np.abs((position_m + 0.5 * period_m) % period_m - 0.5 * period_m)
    return np.asarray(np.clip(2 * distance_m / width_m - 0.5, 0, 1), np.float32)


def _paint_flowers(canvas: Plane, view: View, strip: Strip, rng: np.random.Generator) -> None:
    half_m = view.half_width_m(strip.far_m) + 1
    for _ in range(int(42 * half_m * (strip.far_m - strip.near_m))):
        z_m = rng.uniform(strip.near_m, strip.far_m)
        x_m = rng.uniform(-half_m, half_m)
        scale = view.px_per_m(z_m)
        patch = int(abs(math.sin(0.9 * x_m) * 1.4 + math.sin(0.37 * x_m + z_m)) * 2.2)
        lit = rng.uniform(0.8, 1.05)
        colour = [lit * part for part in _FLOWER_COLOURS[patch % len(_FLOWER_COLOURS)]]
        centre = (int(view.x_px(x_m, z_m)), int(view.ground_px(z_m) - rng.uniform(0, 0.15) * scale))
        cv2.circle(canvas, centre, max(1, int(rng.uniform(0.025, 0.055) * scale)), colour, -1)


def _darken_under_trees(street: Plane, view: View, rng: np.random.Generator) -> None:
    """Soft, blotched shade on the ground beside each tree."""
    shade = np.zeros(street.shape[:2], np.float32)
    for tree in view.layout.trees:
        for _ in range(40):
            z_m = tree.z_m - 0.5 + rng.normal(0, 0.8)
            x_m = tree.x_m + 0.9 + rng.normal(0, 1.1)
            axes = (int(0.45 * view.px_per_m(z_m)), int(0.35 * view.depth_px_per_m(z_m)))
            cv2.ellipse(shade, (int(view.x_px(x_m, z_m)), int(view.ground_px(z_m))), axes, 0, 0, 360, 1, -1)
    foot = max(0, round(view.ground_px(view.layout.wall_z_m)))
    shade[:foot] = 0
    street *= (1 - 0.26 * cv2.GaussianBlur(shade, (0, 0), max(0.5, view.height / 180)))[..., None]


def _paint_tree(
    tree: Tree, scale: float, foot_px: tuple[float, float], size: tuple[int, int], rng: np.random.Generator
) -> tuple[Image, Image]:
    """A tree's colours, already multiplied by its cover, and its cover, both (height, width, 3)."""
    fine = 3
    colour = np.zeros((fine * size[0], fine * size[1], 3), np.uint8)
    cover = np.zeros(colour.shape, np.uint8)
    unit = fine * scale
    x0, y0 = fine * foot_px[0], fine * foot_px[1]

    def put(x_m: float, up_m: float, radius_m: float, shade: float) -> None:
        centre = (int(x0 + x_m * unit), int(y0 - up_m * unit))
        radius = max(1, int(radius_m * unit))
        cv2.circle(colour, centre, radius, [min(255.0, part * shade) for part in tree.leaf], -1)
        cv2.circle(cover, centre, radius, (255, 255, 255), -1)

    trunk = [(-0.15, 0.0), (-0.1, 0.5 * tree.height_m), (-0.5, 0.74 * tree.height_m), (0.0, 0.62 * tree.height_m)]
    trunk += [(0.45, 0.78 * tree.height_m), (0.09, 0.48 * tree.height_m), (0.17, 0.0)]
    outline = np.array([(x0 + x * unit, y0 - up * unit) for x, up in trunk], np.int32)
    cv2.fillPoly(colour, [outline], (52, 70, 86))
    cv2.fillPoly(cover, [outline], (255, 255, 255))
    radius_m = 0.27 * tree.height_m
    for count, spread, grain_m, dark, bright in (
        (240, 0.82, 0.2, 0.5, 0.8),
        (520, 0.9, 0.11, 0.65, 1.05),
        (700, 1.0, 0.05, 0.8, 1.35),
    ):
        angles = rng.uniform(0, 2 * math.pi, count)
        radii = spread * radius_m * np.sqrt(rng.uniform(0, 1, count))
        for angle, radius, grain in zip(
            angles.tolist(), radii.tolist(), rng.uniform(0.5, 1.4, count).tolist(), strict=True
        ):
            x_m, up_m = radius * math.cos(angle), radius * math.sin(angle)
            lobe = 1 + 0.13 * math.sin(3 * angle + tree.x_m) + 0.1 * math.sin(5 * angle)
            lit = 0.5 + 0.5 * (up_m - 0.6 * x_m) / (1.2 * radius_m)
            shade = (dark + (bright - dark) * lit) * rng.uniform(0.85, 1.15)
            put(x_m * lobe, 0.72 * tree.height_m + up_m * lobe, grain * grain_m, shade)
    shown = (size[1], size[0])
    return (
        np.asarray(cv2.resize(colour, shown, interpolation=cv2.INTER_AREA), np.uint8),
        np.asarray(cv2.resize(cover, shown, interpolation=cv2.INTER_AREA), np.uint8),
    )


def _box(canvas: Plane, left: float, right: float, top: float, bottom: float, colour: Colour) -> None:
    rows, columns = _span(top, bottom), _span(left, right)
    canvas[rows, columns] = colour


def _glass(canvas: Plane, left: float, right: float, top: float, bottom: float) -> None:
    """A pane that mirrors a bright sky above and a darker street below."""
    pane = canvas[_span(top, bottom), _span(left, right)]
    if not pane.size:
        return
    depth, along = np.mgrid[0 : 1 : pane.shape[0] * 1j, 0 : 1 : pane.shape[1] * 1j]
    mirror = np.clip(1 - 1.3 * depth + 0.25 * np.sin(9 * along + 5 * depth), 0, 1)[..., None]
    pane[:] = np.array((72, 66, 58)) + mirror * np.array((78, 64, 50))


def _span(start: float, stop: float) -> slice:
    return slice(max(0, round(start)), max(0, round(stop)))
