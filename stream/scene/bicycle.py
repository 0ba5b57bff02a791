"""The bicycle with its rider, as drawn scenes show them."""

import cmath
import math
from dataclasses import replace

from stream.scene.actors import Actor, Look
from stream.scene.layout import Colour
from stream.scene.pen import CIRCLE, Pen
from stream.scene.people import Pose, body_discs, draw_person

_WHEEL_M = 0.34
_AXLE_M = 0.53
"""How far a bicycle's hubs are from its middle."""
_HELMET_M = 0.125
_HELMET_COLOURS: tuple[Colour, ...] = ((214, 216, 218), (150, 110, 60), (60, 64, 168), (70, 150, 190))
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
    pen.shape(helmet, _HELMET_COLOURS[int(actor.phase * 4)])
    pen.limb(crank, crank + pedal, 0.015, 0.015, dark)


def _rider_look(look: Look) -> Look:
    return replace(look, coat=False, long_hair=False, height_m=1.7)
