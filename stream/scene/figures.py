"""Any figure of a drawn scene as it is at a time: its picture, its shadow and its box."""

import cv2
import numpy as np

from stream.scene.actors import Actor
from stream.scene.bags import bag_discs, draw_bag, hanging
from stream.scene.bicycle import cyclist_discs, draw_cyclist
from stream.scene.layout import View
from stream.scene.motors import BODIES, draw_motor, motor_box_px
from stream.scene.pen import Image, Pen, Stand
from stream.scene.people import body_discs, draw_person, lying, pose_on_foot

_SHADOW_PX = 48
_SUN_M = 0.3
"""How far to the right of a standing person the middle of its shadow lies."""

_SHADOWS = {
    "van": (3.2, 1.6, 0.6),
    "car": (2.9, 1.5, 0.6),
    "lorry": (4.4, 1.9, 0.6),
    "cyclist": (1.25, 0.42, 0.45),
    "bag": (0.5, 0.25, 0.5),
}
"""Half length and half depth in metres, and strength; all others are people."""


def _shadow_template() -> Image:
    """A soft dark spot, 255 in the middle and 0 at the edges."""
    across = np.linspace(-1, 1, _SHADOW_PX)
    distance = np.hypot(across[:, None], across[None, :])
    return (255 * np.clip(1.35 * (1 - distance), 0, 1) ** 1.3).clip(0, 255).astype(np.uint8)


_SHADOW = _shadow_template()


def draw(image: Image, view: View, actor: Actor, time_s: float) -> None:
    """Draw an actor, its shadow apart."""
    pen = Pen(image, Stand(view, actor.path.place(time_s), actor.path.facing(time_s)))
    if actor.form == "van" or actor.form == "car" or actor.form == "lorry":
        draw_motor(BODIES[actor.form], image, view, actor, time_s)
    elif actor.form == "cyclist":
        draw_cyclist(pen, actor, time_s)
    elif actor.form == "bag":
        draw_bag(pen, actor, 0j)
    else:
        pose = pose_on_foot(actor, time_s)
        draw_person(pen, pose, actor.look)
        if any(start_s <= time_s < end_s for start_s, end_s in actor.carries):
            draw_bag(pen, actor, hanging(pose.hands[1]))


def draw_shadow(image: Image, view: View, actor: Actor, time_s: float, sunlight: float) -> None:
    """Darken the ground under an actor; sunlight is about 1 and less under clouds."""
    x_m, z_m = actor.path.place(time_s)
    down = lying(actor, time_s)
    long_m, deep_m, strength = _SHADOWS.get(actor.form, (0.62, 0.36, 0.5))
    long_m += 0.75 * down
    centre_m = x_m + _SUN_M * (1 - down) + actor.path.facing(time_s) * 0.85 * down
    half_px = (long_m * view.px_per_m(z_m), deep_m * view.depth_px_per_m(z_m))
    centre_px = (view.x_px(centre_m, z_m), view.ground_px(z_m))
    left, right = max(0, int(centre_px[0] - half_px[0])), min(view.width, int(centre_px[0] + half_px[0]) + 1)
    top, bottom = max(0, int(centre_px[1] - half_px[1])), min(view.height, int(centre_px[1] + half_px[1]) + 1)
    if left >= right or top >= bottom:
        return
    middle = (_SHADOW_PX - 1) / 2
    step_x, step_y = middle / half_px[0], middle / half_px[1]
    from_picture = np.array(
        [[step_x, 0, middle + step_x * (left - centre_px[0])], [0, step_y, middle + step_y * (top - centre_px[1])]]
    )
    spot = cv2.warpAffine(
        _SHADOW, from_picture, (right - left, bottom - top), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    light = cv2.convertScaleAbs(spot, alpha=-strength * min(1.0, max(0.3, sunlight)), beta=255)
    place = image[top:bottom, left:right]
    cv2.multiply(place, cv2.merge([light, light, light]), dst=place, scale=1 / 255)


def box_px(view: View, actor: Actor, time_s: float) -> tuple[float, float, float, float]:
    """The box (left, top, right, bottom) of an actor without its shadow, also where it is outside the picture."""
    if actor.form == "van" or actor.form == "car" or actor.form == "lorry":
        return motor_box_px(BODIES[actor.form], view, actor, time_s)
    if actor.form == "cyclist":
        discs = cyclist_discs(actor, time_s)
    elif actor.form == "bag":
        discs = bag_discs()
    else:
        discs = body_discs(pose_on_foot(actor, time_s), actor.look)
    stand = Stand(view, actor.path.place(time_s), actor.path.facing(time_s))
    columns, rows = np.array([stand.pixel(point) for point, _ in discs]).T
    reach = np.array([radius for _, radius in discs]) * stand.scale
    left, top = (columns - reach).min(), (rows - reach).min()
    right, bottom = (columns + reach).max(), (rows + reach).max()
    return float(left), float(top), float(right), float(bottom)
