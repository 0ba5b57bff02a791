"""The bicycle with its rider and the van of the drawn street."""

import cmath
import itertools
import math
from dataclasses import replace

from stream.scene.actors import Actor, Look
from stream.scene.layout import Colour, View
from stream.scene.pen import CIRCLE, Image, Pen, Stand, fill, shade
from stream.scene.people import Pose, body_discs, draw_person

_WHEEL_M = 0.34
_AXLE_M = 0.53
"""How far a bicycle's hubs are from its middle."""
_HELMET_M = 0.125
_VAN_HALF_M = 0.9
_VAN_PROFILE = (
    -2.4 + 0.35j,
    -2.4 + 1.95j,
    -2.25 + 2.1j,
    0.9 + 2.1j,
    1.65 + 1.3j,
    2.3 + 1.05j,
    2.4 + 0.8j,
    2.4 + 0.35j,
)
_VAN_HUBS = (-1.45 + 0.41j, 1.45 + 0.41j)
_VAN_WHEEL_M = 0.41
_FACE_LIGHT = (0.62, 0.75, 1.08, 0.9, 1.02, 0.85, 0.8)
"""Of the faces between them: tail, its upper edge, roof, windscreen, bonnet, its edge, front."""
_GLASS: Colour = (84, 74, 64)
_VAN_COLOURS: tuple[Colour, ...] = ((214, 216, 218), (150, 110, 60), (60, 64, 168), (70, 150, 190))
_BICYCLE_COLOURS: tuple[Colour, ...] = ((40, 40, 44), (60, 60, 180), (160, 110, 50), (190, 195, 198))


def _knee(hip: complex, ankle: complex, leg_m: float) -> complex:
    """The forward knee between hip and ankle, both bones of this length."""
    along = ankle - hip
    half_m = min(0.5 * abs(along), 0.999 * leg_m)
    return hip + 0.5 * along + along / abs(along) * 1j * math.sqrt(leg_m**2 - half_m**2)


def _pedal(actor: Actor, time_s: float) -> complex:
    """Where the near pedal stands against the crank's axle."""
    return 0.17 * cmath.exp(-1j * (actor.path.travelled_m(time_s) / 0.9 + 6.28 * actor.phase))


def _rider_pose(actor: Actor, time_s: float) -> Pose:
    """How somebody sits on a bicycle, feet on the pedals."""
    crank, hip, neck = -0.06 + 0.29j, -0.24 + 0.98j, 0.12 + 1.44j
    pedal = _pedal(actor, time_s)
    ankles = (crank - pedal + 0.08j - 0.06, crank + pedal + 0.08j - 0.06)
    return Pose(
        hip=hip,
        neck=neck,
        head=neck + 0.07 + 0.17j,
        knees=(_knee(hip, ankles[0], 0.44), _knee(hip, ankles[1], 0.44)),
        ankles=ankles,
        toes=(ankles[0] + 0.16 - 0.03j, ankles[1] + 0.16 - 0.03j),
        elbows=(0.26 + 1.14j, 0.3 + 1.13j),
        hands=(0.47 + 1.03j, 0.49 + 1.02j),
    )


def cyclist_discs(actor: Actor, time_s: float) -> list[tuple[complex, float]]:
    """Discs (centre, radius) in metres that reach as far as a bicycle and its rider."""
    pose = _rider_pose(actor, time_s)
    wheels = [(complex(side * _AXLE_M, _WHEEL_M), _WHEEL_M) for side in (-1, 1)]
    return [*body_discs(pose, _rider_look(actor.look)), (pose.head + 0.03j, _HELMET_M), *wheels]


def draw_cyclist(pen: Pen, actor: Actor, time_s: float) -> None:
    """A bicycle and its rider."""
    colour = _BICYCLE_COLOURS[int(actor.phase * len(_BICYCLE_COLOURS))]
    dark: Colour = (36, 36, 38)
    crank, seat, bars = -0.06 + 0.29j, -0.24 + 0.9j, 0.42 + 0.98j
    back, front, head = -_AXLE_M + _WHEEL_M * 1j, _AXLE_M + _WHEEL_M * 1j, bars - 0.05 - 0.1j
    roll = cmath.exp(-1j * actor.path.travelled_m(time_s) / _WHEEL_M)
    for hub in (back, front):
        pen.ring(hub, _WHEEL_M, _WHEEL_M - 0.045, dark)
        for spoke in CIRCLE[:12:3]:
            pen.line([hub - 0.3 * roll * spoke, hub + 0.3 * roll * spoke], 0.008, (140, 142, 144))
    pedal = _pedal(actor, time_s)
    pen.limb(crank, crank - pedal, 0.015, 0.015, dark)
    for start, end in (
        (back, crank),
        (back, seat),
        (crank, seat),
        (crank, head),
        (seat - 0.06j, head),
        (head, front),
    ):
        pen.limb(start, end, 0.022, 0.022, colour)
    pen.limb(head, bars, 0.02, 0.02, dark)
    pen.limb(bars, bars + 0.06 - 0.03j, 0.02, 0.02, dark)
    pen.limb(seat - 0.14, seat + 0.12, 0.04, 0.02, dark)
    pose = _rider_pose(actor, time_s)
    draw_person(pen, pose, _rider_look(actor.look))
    helmet = [pose.head + 0.03j + _HELMET_M * step for step in CIRCLE[:13]]
    pen.shape(helmet, _VAN_COLOURS[int(actor.phase * 4)])
    pen.limb(crank, crank + pedal, 0.015, 0.015, dark)


def _rider_look(look: Look) -> Look:
    return replace(look, coat=False, long_hair=False, height_m=1.7)


def van_box_px(view: View, actor: Actor, time_s: float) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a van."""
    outline = (*_VAN_PROFILE, *(hub - _VAN_WHEEL_M * 1j for hub in _VAN_HUBS))
    corners = [side.pixel(point) for side in _van_sides(view, actor, time_s) for point in outline]
    columns, rows = zip(*corners, strict=True)
    return min(columns), min(rows), max(columns), max(rows)


def draw_van(image: Image, view: View, actor: Actor, time_s: float) -> None:
    """A van from the side, with what the camera sees of its roof and ends."""
    colour = _VAN_COLOURS[int(actor.phase * len(_VAN_COLOURS))]
    near_side, far_side = _van_sides(view, actor, time_s)
    near = Pen(image, near_side)

    def face(first: complex, second: complex, paint: Colour, inset: float = 0.0) -> None:
        """A face across the van, its ends set in by this part of the width."""
        sides = [(near_side.pixel(point), far_side.pixel(point)) for point in (first, second)]
        corners = [_between(*sides[0], inset), _between(*sides[1], inset)]
        corners += [_between(*sides[1], 1 - inset), _between(*sides[0], 1 - inset)]
        fill(image, corners, paint)

    for number, (edge, light) in enumerate(zip(itertools.pairwise(_VAN_PROFILE), _FACE_LIGHT, strict=True)):
        face(*edge, shade(colour, light))
        if number == 0:  # before the faces that can hide it
            face(-2.4 + 1.2j, -2.4 + 1.85j, shade(_GLASS, 0.8), inset=0.1)
    face(0.97 + 2.03j, 1.58 + 1.38j, _GLASS, inset=0.06)
    near.shape(list(_VAN_PROFILE), shade(colour, 0.9))
    near.shape([-2.4 + 0.35j, 2.4 + 0.35j, 2.4 + 0.55j, -2.4 + 0.55j], shade(colour, 0.5))
    near.shape([0.35 + 1.3j, 0.35 + 1.92j, 0.85 + 1.92j, 1.45 + 1.3j], _GLASS)
    near.shape([-0.75 + 1.3j, -0.75 + 1.92j, 0.2 + 1.92j, 0.2 + 1.3j], _GLASS)
    near.shape([-2.35 + 1.02j, 2.2 + 0.98j, 2.3 + 0.9j, -2.35 + 0.92j], shade(colour, 0.68))
    near.line([0.27 + 0.5j, 0.27 + 1.95j], 0.02, shade(colour, 0.6))
    near.disc(2.28 + 0.85j, 0.09, (190, 226, 236))
    near.disc(-2.34 + 0.95j, 0.08, (50, 50, 200))
    roll = cmath.exp(-1j * actor.path.travelled_m(time_s) / _VAN_WHEEL_M)
    for hub in _VAN_HUBS:
        near.disc(hub, _VAN_WHEEL_M, (30, 30, 30))
        near.disc(hub, 0.8 * _VAN_WHEEL_M, (44, 42, 42))
        near.disc(hub, 0.2, (168, 170, 172))
        for spoke in CIRCLE[:12:4]:
            near.line([hub - 0.18 * roll * spoke, hub + 0.18 * roll * spoke], 0.03, (90, 92, 94))


def _van_sides(view: View, actor: Actor, time_s: float) -> tuple[Stand, Stand]:
    """The planes of a van's near and far side."""
    x_m, z_m = actor.path.place(time_s)
    near, far = (Stand(view, (x_m, z_m + side * _VAN_HALF_M), actor.path.direction) for side in (-1, 1))
    return near, far


def _between(start: tuple[float, float], end: tuple[float, float], part: float) -> tuple[float, float]:
    return start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])
