"""People in a drawn scene: how they walk, run, stand, sit, climb and fall, and what they look like.

Poses are side views in a figure's own plane (see `pen`).
"""

import cmath
import math
from dataclasses import dataclass
from typing import Literal

from stream.scene.actors import CHANGE_S, CLIMB_M, FALL_S, RISE_S, Actor, Look
from stream.scene.pen import Pen, shade


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Where the joints of a person are."""

    hip: complex
    neck: complex
    head: complex
    knees: tuple[complex, complex]
    """Of the leg away from the camera, then of the near one; so for all pairs."""
    ankles: tuple[complex, complex]
    toes: tuple[complex, complex]
    elbows: tuple[complex, complex]
    hands: tuple[complex, complex]

    def turned(self, turn: complex, shift: complex) -> "Pose":
        """The same pose turned about the ground point and moved."""

        def pair(points: tuple[complex, complex]) -> tuple[complex, complex]:
            return points[0] * turn + shift, points[1] * turn + shift

        return Pose(
            hip=self.hip * turn + shift,
            neck=self.neck * turn + shift,
            head=self.head * turn + shift,
            knees=pair(self.knees),
            ankles=pair(self.ankles),
            toes=pair(self.toes),
            elbows=pair(self.elbows),
            hands=pair(self.hands),
        )


def lying(actor: Actor, time_s: float) -> float:
    """0 = upright, 1 = on the ground."""
    for spell in actor.spells:
        if spell.posture == "lie":
            since_s = time_s - spell.start_s
            return min(math.pow(_smooth(since_s / FALL_S), 1.5), _smooth((spell.length_s - since_s) / RISE_S))
    return 0.0


def _part(actor: Actor, posture: Literal["sit", "bend", "climb"], time_s: float) -> float:
    """0 = upright and on the ground, 1 = fully seated, bent down or up there."""
    return max(
        (
            min(_smooth(since_s / CHANGE_S), _smooth((spell.length_s - since_s) / CHANGE_S))
            for spell in actor.spells
            if spell.posture == posture and 0 < (since_s := time_s - spell.start_s) < spell.length_s
        ),
        default=0.0,
    )


def pose_on_foot(actor: Actor, time_s: float) -> Pose:
    """The pose of somebody on foot."""
    path, height_m = actor.path, actor.look.height_m
    running = actor.form == "runner"
    leg_m = 0.245 * height_m
    stride_m = 1.18 * math.sqrt(path.speed_m_s) if running else 0.8 * height_m * math.sqrt(path.speed_m_s / 1.3)
    turn_rad = 2 * math.pi * (path.travelled_m(time_s) / stride_m + actor.phase)
    stride = path.stride(time_s)
    down = lying(actor, time_s)
    seated, bent_down = _part(actor, "sit", time_s), _part(actor, "bend", time_s)
    climbed = _part(actor, "climb", time_s)
    reach_rad = stride * math.asin(min(0.62, stride_m / 8 / leg_m))
    lift_rad = stride * (1.65 if running else 0.85)
    bent_rad = (
        (0.28 if running else 0.06) + 0.1 * down + 1.45 * seated + 0.9 * bent_down + 4 * climbed * (1 - climbed)
    )
    knees, ankles, toes, elbows, hands = [], [], [], [], []
    lean = cmath.exp(-1j * ((0.2 if running else 0.03) + 1.1 * bent_down))
    neck = 0.29 * height_m * 1j * lean
    for side in (0, 1):
        beat_rad = turn_rad + math.pi * side
        thigh_rad = reach_rad * math.sin(beat_rad) + (0.12 if running else 0.02) + (0.12 * side - 0.06) * down
        thigh_rad += 1.45 * seated + 0.6 * bent_down + 4 * climbed * (1 - climbed) * (1 if side else 0.6)
        shank_rad = thigh_rad - bent_rad - lift_rad * max(0.0, math.cos(beat_rad)) ** 1.5
        knees.append(leg_m * _swing(thigh_rad))
        ankles.append(knees[-1] + leg_m * _swing(shank_rad))
        toes.append(
            ankles[-1] + 0.11 * height_m * cmath.exp(1j * (min(0.15, 0.7 * shank_rad + 0.1) - 0.25 - 0.9 * down))
        )
        upper_rad = -(0.75 if running else 0.85) * reach_rad * math.sin(beat_rad) - 0.05 + (3.1 - 3.1 * side) * down
        upper_rad += 0.45 * seated + 0.35 * bent_down
        shoulder = 0.93 * neck
        elbows.append(shoulder + 0.165 * height_m * _swing(upper_rad))
        elbow_rad = 1.5 if running else 0.25 + 0.15 * stride - 0.2 * down
        elbow_rad += seated * (1.05 + 0.12 * math.sin(1.9 * time_s + 6.28 * actor.phase + 2 * side))
        if side and actor.phone:
            elbow_rad += 1.5 * (1 - stride) * (1 - seated)
        hands.append(elbows[-1] + 0.165 * height_m * _swing(upper_rad + elbow_rad))
    lowest_m = min(ankle.imag for ankle in ankles)
    hop_m = 0.05 * abs(math.cos(turn_rad)) if running else 0.0
    pose = Pose(
        hip=0j,
        neck=neck,
        head=neck + 0.105 * height_m * 1j * lean,
        knees=(knees[0], knees[1]),
        ankles=(ankles[0], ankles[1]),
        toes=(toes[0], toes[1]),
        elbows=(elbows[0], elbows[1]),
        hands=(hands[0], hands[1]),
    ).turned(1 + 0j, 1j * (0.045 * height_m + hop_m - lowest_m + CLIMB_M * climbed))
    if not down:
        return pose
    fallen = pose.turned(cmath.exp(-1.52j * down), 0j)
    sunk_m = min(point.imag for point in (fallen.hip, fallen.head, *fallen.ankles, *fallen.hands))
    return fallen.turned(1 + 0j, 1j * 0.04 * down - sunk_m * down)


def body_discs(pose: Pose, look: Look) -> list[tuple[complex, float]]:
    """Discs (centre, radius) in metres that reach as far as a person with hair, shoes and bag."""
    h, wide = look.height_m, look.height_m * look.build
    upright = (pose.neck - pose.hip) / abs(pose.neck - pose.hip)
    chest = pose.hip + 0.74 * (pose.neck - pose.hip)
    discs = [(pose.head, 0.066 * h), (chest, 0.076 * wide), (pose.hip, 0.06 * wide)]
    discs += [(joint, 0.036 * wide) for joint in (*pose.knees, *pose.elbows)]
    discs += [(joint, 0.025 * h) for joint in (*pose.hands, *pose.ankles, *(toe - 0.03j for toe in pose.toes))]
    if look.backpack:
        discs += [(chest + 0.095j * wide * upright, 0.055 * h)]
    return discs


def draw_person(pen: Pen, pose: Pose, look: Look) -> None:
    """A person in this pose; what is away from the camera lies in the shade."""
    h, wide = look.height_m, look.height_m * look.build
    upright = (pose.neck - pose.hip) / abs(pose.neck - pose.hip)  # where the body points up
    ahead = upright * -1j
    shoulder = pose.hip + 0.93 * (pose.neck - pose.hip)
    for side, light in ((0, 0.72), (1, 1.0)):
        if side == 1:
            _draw_body(pen, pose, look, upright, ahead)
        trousers = shade(look.trousers, light)
        if side == 0:
            _draw_arm(pen, shoulder, pose, look, side, light)
        pen.limb(pose.ankles[side], pose.toes[side] - 0.03j, 0.024 * h, 0.016 * h, shade(look.shoes, light))
        pen.limb(pose.knees[side], pose.ankles[side], 0.034 * wide, 0.022 * wide, trousers)
        pen.limb(pose.hip, pose.knees[side], 0.052 * wide, 0.036 * wide, trousers)
    if look.coat:
        knee = 0.5 * (pose.knees[0] + pose.knees[1])
        hem = pose.hip + 0.7 * (knee - pose.hip)
        width = 0.055 * wide + 0.35 * abs(pose.knees[0] - pose.knees[1])
        waist = pose.hip + 0.06 * h * upright
        corners = [
            waist - 0.062 * wide * ahead,
            waist + 0.062 * wide * ahead,
            hem + width * ahead,
            hem - width * ahead,
        ]
        pen.shape(corners, shade(look.top, 0.94))
    _draw_arm(pen, shoulder, pose, look, 1, 1.0)


def _draw_body(pen: Pen, pose: Pose, look: Look, upright: complex, ahead: complex) -> None:
    h, wide = look.height_m, look.height_m * look.build
    chest = pose.hip + 0.74 * (pose.neck - pose.hip)
    if look.backpack:
        pen.limb(
            chest - 0.095 * wide * ahead,
            pose.hip + 0.08 * h * upright - 0.09 * wide * ahead,
            0.05 * h,
            0.055 * h,
            (52, 58, 50),
        )
    pen.limb(pose.neck - 0.01 * h * upright, pose.head, 0.026 * h, 0.028 * h, shade(look.skin, 0.85))
    if look.long_hair:
        pen.limb(
            pose.head - 0.02 * h * ahead,
            pose.head - 0.11 * h * upright - 0.035 * h * ahead,
            0.055 * h,
            0.035 * h,
            look.hair,
        )
    pen.limb(chest, pose.hip + 0.03 * h * upright, 0.076 * wide, 0.06 * wide, look.top)
    pen.limb(
        chest - 0.03 * wide * ahead, pose.hip - 0.02 * wide * ahead, 0.04 * wide, 0.035 * wide, shade(look.top, 0.86)
    )
    pen.limb(pose.neck - 0.02 * h * upright, chest, 0.035 * wide, 0.07 * wide, look.top)
    pen.disc(pose.head, 0.06 * h, look.hair)
    pen.limb(
        pose.head + 0.02 * h * ahead,
        pose.head + 0.022 * h * ahead - 0.025 * h * upright,
        0.046 * h,
        0.036 * h,
        look.skin,
    )
    pen.limb(
        pose.head - 0.02 * h * ahead + 0.03 * h * upright,
        pose.head + 0.03 * h * (ahead + upright),
        0.036 * h,
        0.02 * h,
        look.hair,
    )


def _draw_arm(pen: Pen, shoulder: complex, pose: Pose, look: Look, side: int, light: float) -> None:
    h, sleeve = look.height_m, shade(look.top, 0.8 * light)
    pen.disc(pose.hands[side], 0.024 * h, shade(look.skin, light))
    pen.limb(pose.elbows[side], pose.hands[side], 0.025 * h, 0.019 * h, sleeve)
    pen.limb(shoulder, pose.elbows[side], 0.032 * h, 0.026 * h, sleeve)


def _swing(angle_rad: float) -> complex:
    """The direction of a limb that hangs down, swung forward by this angle."""
    return -1j * cmath.exp(1j * angle_rad)


def _smooth(part: float) -> float:
    """0 to 1 with a soft start and end."""
    part = min(1.0, max(0.0, part))
    return part * part * (3 - 2 * part)
