"""Vans, cars and lorries from the side, with what the camera sees of their roofs and ends."""

import cmath
import itertools
from dataclasses import dataclass
from typing import Literal

from stream.scene.actors import Actor
from stream.scene.layout import Colour, View
from stream.scene.pen import CIRCLE, Image, Pen, Stand, fill, shade

Outline = tuple[complex, ...]

_GLASS: Colour = (84, 74, 64)
_CARGO: Colour = (212, 216, 214)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One kind of vehicle in its own upright plane (see `pen`), metres."""

    half_m: float
    """Half its width."""
    profile: Outline
    """From the foot of the tail over the roof to the foot of the front."""
    face_light: tuple[float, ...]
    """Light on the faces between the profile's points."""
    hubs: Outline
    wheel_m: float
    rim_m: float
    rear_pane: tuple[complex, complex] | None
    windscreen: tuple[complex, complex]
    panes: tuple[Outline, ...]
    sill: Outline
    trim: Outline
    door: Outline
    headlight: complex
    taillight: complex
    cargo: Outline = ()
    """The side of a load-carrying box, which has its own colour."""
    cargo_faces: int = 0
    """How many of the faces belong to it."""
    colours: tuple[Colour, ...]


BODIES: dict[Literal["van", "car", "lorry"], Body] = {
    "van": Body(
        half_m=0.9,
        profile=(
            -2.4 + 0.35j,
            -2.4 + 1.95j,
            -2.25 + 2.1j,
            0.9 + 2.1j,
            1.65 + 1.3j,
            2.3 + 1.05j,
            2.4 + 0.8j,
            2.4 + 0.35j,
        ),
        face_light=(0.62, 0.75, 1.08, 0.9, 1.02, 0.85, 0.8),
        hubs=(-1.45 + 0.41j, 1.45 + 0.41j),
        wheel_m=0.41,
        rim_m=0.2,
        rear_pane=(-2.4 + 1.2j, -2.4 + 1.85j),
        windscreen=(0.97 + 2.03j, 1.58 + 1.38j),
        panes=(
            (0.35 + 1.3j, 0.35 + 1.92j, 0.85 + 1.92j, 1.45 + 1.3j),
            (-0.75 + 1.3j, -0.75 + 1.92j, 0.2 + 1.92j, 0.2 + 1.3j),
        ),
        sill=(-2.4 + 0.35j, 2.4 + 0.35j, 2.4 + 0.55j, -2.4 + 0.55j),
        trim=(-2.35 + 1.02j, 2.2 + 0.98j, 2.3 + 0.9j, -2.35 + 0.92j),
        door=(0.27 + 0.5j, 0.27 + 1.95j),
        headlight=2.28 + 0.85j,
        taillight=-2.34 + 0.95j,
        colours=((214, 216, 218), (150, 110, 60), (60, 64, 168), (70, 150, 190)),
    ),
    "car": Body(
        half_m=0.88,
        profile=(
            -2.15 + 0.3j,
            -2.15 + 0.86j,
            -1.85 + 1.0j,
            -1.3 + 1.43j,
            0.2 + 1.46j,
            1.0 + 1.0j,
            2.0 + 0.8j,
            2.15 + 0.6j,
            2.15 + 0.3j,
        ),
        face_light=(0.62, 0.8, 0.75, 1.08, 0.9, 1.04, 0.9, 0.8),
        hubs=(-1.32 + 0.33j, 1.36 + 0.33j),
        wheel_m=0.33,
        rim_m=0.19,
        rear_pane=(-1.8 + 1.04j, -1.35 + 1.4j),
        windscreen=(0.26 + 1.42j, 0.94 + 1.04j),
        panes=(
            (-0.38 + 0.98j, -0.38 + 1.37j, 0.14 + 1.37j, 0.78 + 0.98j),
            (-1.52 + 0.98j, -1.18 + 1.34j, -0.5 + 1.37j, -0.5 + 0.98j),
        ),
        sill=(-2.15 + 0.3j, 2.15 + 0.3j, 2.15 + 0.42j, -2.15 + 0.42j),
        trim=(-2.1 + 0.72j, 2.02 + 0.66j, 2.05 + 0.6j, -2.1 + 0.65j),
        door=(-0.44 + 0.4j, -0.44 + 1.0j),
        headlight=2.02 + 0.68j,
        taillight=-2.08 + 0.8j,
        colours=(
            (60, 58, 170),
            (190, 192, 194),
            (52, 50, 48),
            (150, 96, 46),
            (226, 228, 228),
            (70, 104, 60),
            (124, 126, 130),
            (60, 150, 200),
        ),
    ),
    "lorry": Body(
        half_m=1.15,
        profile=(-3.4 + 0.5j, -3.4 + 3.0j, 1.5 + 3.0j, 1.5 + 2.5j, 2.75 + 2.45j, 3.2 + 1.4j, 3.3 + 0.5j),
        face_light=(0.72, 1.08, 0.9, 1.05, 0.9, 0.82),
        hubs=(-2.0 + 0.48j, 2.2 + 0.48j),
        wheel_m=0.48,
        rim_m=0.22,
        rear_pane=None,
        windscreen=(2.8 + 2.35j, 3.15 + 1.5j),
        panes=((1.85 + 1.45j, 1.85 + 2.2j, 2.6 + 2.2j, 2.9 + 1.45j),),
        sill=(-3.4 + 0.5j, 3.3 + 0.5j, 3.3 + 0.7j, -3.4 + 0.7j),
        trim=(1.6 + 1.2j, 3.2 + 1.2j, 3.22 + 1.1j, 1.6 + 1.1j),
        door=(1.75 + 0.7j, 1.75 + 2.3j),
        headlight=3.18 + 0.85j,
        taillight=-3.34 + 0.85j,
        cargo=(-3.4 + 0.75j, -3.4 + 3.0j, 1.5 + 3.0j, 1.5 + 0.75j),
        cargo_faces=3,
        colours=((60, 64, 168), (150, 100, 50), (70, 110, 60), (40, 120, 200)),
    ),
}


def motor_box_px(body: Body, view: View, actor: Actor, time_s: float) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a vehicle."""
    outline = (*body.profile, *(hub - body.wheel_m * 1j for hub in body.hubs))
    corners = [side.pixel(point) for side in _sides(body, view, actor, time_s) for point in outline]
    columns, rows = zip(*corners, strict=True)
    return min(columns), min(rows), max(columns), max(rows)


def draw_motor(body: Body, image: Image, view: View, actor: Actor, time_s: float) -> None:
    """A vehicle, farthest faces first."""
    colour = body.colours[int(actor.phase * len(body.colours))]
    near_side, far_side = _sides(body, view, actor, time_s)
    near = Pen(image, near_side)

    def face(first: complex, second: complex, paint: Colour, inset: float = 0.0) -> None:
        """A face across the vehicle, its ends set in by this part of the width."""
        sides = [(near_side.pixel(point), far_side.pixel(point)) for point in (first, second)]
        corners = [_between(*sides[0], inset), _between(*sides[1], inset)]
        corners += [_between(*sides[1], 1 - inset), _between(*sides[0], 1 - inset)]
        fill(image, corners, paint)

    for number, (edge, light) in enumerate(zip(itertools.pairwise(body.profile), body.face_light, strict=True)):
        face(*edge, shade(_CARGO if number < body.cargo_faces else colour, light))
        if number == 0 and body.rear_pane:  # before the faces that can hide it
            face(*body.rear_pane, shade(_GLASS, 0.8), inset=0.1)
    face(*body.windscreen, _GLASS, inset=0.06)
    near.shape(list(body.profile), shade(colour, 0.9))
    if body.cargo:
        near.shape(list(body.cargo), shade(_CARGO, 0.94))
    near.shape(list(body.sill), shade(colour, 0.5))
    for pane in body.panes:
        near.shape(list(pane), _GLASS)
    near.shape(list(body.trim), shade(colour, 0.68))
    near.line(list(body.door), 0.02, shade(colour, 0.6))
    near.disc(body.headlight, 0.09, (190, 226, 236))
    near.disc(body.taillight, 0.08, (50, 50, 200))
    roll = cmath.exp(-1j * actor.path.travelled_m(time_s) / body.wheel_m)
    for hub in body.hubs:
        near.disc(hub, body.wheel_m, (30, 30, 30))
        near.disc(hub, 0.8 * body.wheel_m, (44, 42, 42))
        near.disc(hub, body.rim_m, (168, 170, 172))
        for spoke in CIRCLE[:12:4]:
            step = 0.9 * body.rim_m * roll * spoke
            near.line([hub - step, hub + step], 0.03, (90, 92, 94))


def _sides(body: Body, view: View, actor: Actor, time_s: float) -> tuple[Stand, Stand]:
    """The planes of a vehicle's near and far side."""
    x_m, z_m = actor.path.place(time_s)
    facing = actor.path.facing(time_s)
    near, far = (Stand(view, (x_m, z_m + side * body.half_m), facing) for side in (-1, 1))
    return near, far


def _between(start: tuple[float, float], end: tuple[float, float], part: float) -> tuple[float, float]:
    return start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])
