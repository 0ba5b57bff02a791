"""``demo://street``: three streets for people on foot, who walks there, and what ought not to be there."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from stream.scene.actors import (
    BEND_S,
    BESIDE_M,
    FALL_S,
    LEAVE_M,
    REACH_M,
    RISE_S,
    Actor,
    AnomalyKind,
    Planted,
    Spell,
    bag,
    plant,
    some_look,
)
from stream.scene.background import outdoors
from stream.scene.layout import Layout, Strip, Tree, View
from stream.scene.pedestrians import LONGEST_STOP_S, MARGIN_M, passers_by
from stream.scene.route import Path
from stream.scene.world import World

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
        wall_z_m=18.0,
        wall_height_m=2.6,
        wall=(78, 96, 142),
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

CLOSED_M: dict[int, tuple[float, float]] = {1: (6.9, 7.8), 2: (13.2, 15.0), 3: (11.2, 12.4)}
"""Depths of each street between which nobody walks in normal footage."""
_FIRST_KINDS: tuple[AnomalyKind, ...] = ("runner", "cyclist", "vehicle", "wrong-place", "fallen")


def _live(
    camera: int, view: View, seed: int, duration_s: float, people: float, kinds: Sequence[AnomalyKind]
) -> tuple[list[Actor], tuple[Planted, ...]]:
    def make(rng: np.random.Generator, kind: AnomalyKind, due_s: float) -> Planted:
        return _anomaly(view, CLOSED_M[camera], rng, kind, due_s)

    return passers_by(view, seed, duration_s, people), plant(seed, duration_s, kinds, make)


def _anomaly(
    view: View, closed_m: tuple[float, float], rng: np.random.Generator, kind: AnomalyKind, due_s: float
) -> Planted:
    """One anomaly whose interval starts at `due_s`."""
    near_m, far_m = view.layout.walks_m[int(rng.integers(len(view.layout.walks_m)))]
    if kind == "wrong-place":
        near_m, far_m = closed_m
    elif kind == "vehicle":
        middle_m = 0.5 * (near_m + far_m)
        near_m, far_m = min(middle_m, near_m + 0.9), max(middle_m, far_m - 0.9)
    z_m = float(rng.uniform(near_m, far_m))
    direction: Literal[-1, 1] = 1 if rng.random() < 0.5 else -1
    slowest, fastest = {"runner": (3.5, 5.0), "cyclist": (4.0, 6.0), "vehicle": (3.0, 5.0)}.get(kind, (0.95, 1.4))
    speed = float(rng.uniform(slowest, fastest))
    half_m = view.half_width_m(z_m)
    margin_m = {"cyclist": 1.4, "vehicle": 3.6}.get(kind, MARGIN_M)
    stop_x_m = float(rng.uniform(-0.4, 0.25)) * half_m  # how far along the way
    to_stop_s = (half_m + margin_m + stop_x_m) / speed
    start_s, stop_s, stop_length_s = due_s - margin_m / speed, math.inf, 0.0
    if kind == "fallen":
        stop_s, stop_length_s = due_s, FALL_S + float(rng.uniform(8, 11)) + RISE_S
    elif kind == "loitering":
        stop_s, stop_length_s = due_s - LONGEST_STOP_S, LONGEST_STOP_S + float(rng.uniform(9, 13))
    elif kind == "left-object":
        stop_s, stop_length_s = due_s - LEAVE_M / speed - BEND_S, BEND_S
    if math.isfinite(stop_s):
        start_s = stop_s - to_stop_s
    path = Path(
        start_s=start_s,
        direction=direction,
        speed_m_s=speed,
        reach_m=half_m + margin_m,
        near_z_m=z_m,
        far_z_m=z_m,
        stop_s=stop_s,
        stop_length_s=stop_length_s,
    )
    forms: dict[AnomalyKind, Literal["runner", "cyclist", "van"]] = {
        "runner": "runner",
        "cyclist": "cyclist",
        "vehicle": "van",
    }
    actor = Actor(
        form=forms.get(kind, "walker"),
        path=path,
        look=some_look(rng),
        phase=float(rng.random()),
        spells=(Spell(posture="lie", start_s=stop_s, length_s=stop_length_s),) if kind == "fallen" else (),
        phone=kind == "loitering",
    )
    if kind == "left-object":
        return _left(rng, actor, path, due_s)
    end_s = stop_s + stop_length_s if math.isfinite(stop_s) else path.crossing_s(direction * half_m)
    return Planted(
        kind=kind,
        start_s=due_s,
        end_s=end_s,
        actor=actor,
        gone_s=end_s if kind == "fallen" else path.end_s,
    )


def _left(rng: np.random.Generator, owner: Actor, path: Path, due_s: float) -> Planted:
    """A bag that somebody puts down where they stop, and takes away later."""
    put_s, taken_s = path.stop_s + BEND_S / 2, due_s + float(rng.uniform(10, 15))
    x_m, z_m = path.place(path.stop_s)
    bag_x_m = x_m + path.direction * REACH_M
    direction: Literal[-1, 1] = 1 if rng.random() < 0.5 else -1
    stop_s = taken_s - BEND_S / 2
    back = replace(
        path,
        direction=direction,
        start_s=stop_s - (direction * bag_x_m - REACH_M + path.reach_m) / path.speed_m_s,
        stop_s=stop_s,
    )
    bends = [Spell(posture="bend", start_s=way.stop_s, length_s=BEND_S) for way in (path, back)]
    return Planted(
        kind="left-object",
        start_s=due_s,
        end_s=taken_s,
        actor=bag(owner, (bag_x_m, z_m - BESIDE_M), put_s, taken_s),
        others=(
            replace(owner, spells=(bends[0],), carries=((path.start_s, put_s),)),
            replace(owner, path=back, spells=(bends[1],), carries=((taken_s, back.end_s),)),
        ),
        gone_s=back.end_s,
    )


STREET = World(
    name="street",
    cameras=len(LAYOUTS),
    kinds=(*_FIRST_KINDS, "loitering", "left-object"),
    usual_kinds=_FIRST_KINDS,
    scenery=lambda camera, width, height: outdoors(LAYOUTS[camera], camera, width, height),
    live=_live,
)
