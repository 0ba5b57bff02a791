"""``demo://room``: people who come in, sit or stand for a while, and go; and what ought not to happen there."""

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stream.scene.actors import (
    BEND_S,
    BESIDE_M,
    CHANGE_S,
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
from stream.scene.interior import DOOR_M, TABLE_NEAR_M, WALL_M, interior
from stream.scene.layout import View
from stream.scene.route import Steps
from stream.scene.world import World

_KINDS: tuple[AnomalyKind, ...] = ("runner", "fallen", "left-object", "climbing")
_DOOR_X_M = sum(DOOR_M) / 2
_OUTSIDE_M = (3.6, 9.4)
"""Where people wait unseen beyond the door, (x, z)."""
_WAY_M = (6.15, 6.6)
"""Depths of the free way along the room."""
_BEFORE_S = 150.0
"""So long before time 0 the first people come."""
_UNSEEN_S = 3.0
"""Of a visit, before and after being seen."""
_LONGEST_WAY_S = 16.0
"""From anywhere in the room to anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place to be for a while, reached straight from the way along the room."""

    from_x_m: float
    x_m: float
    """On that side of `from_x_m` to which one looks from there."""
    z_m: float
    seat: bool = False


_SPOTS = (
    Spot(from_x_m=-2.75, x_m=-2.65, z_m=5.25, seat=True),
    Spot(from_x_m=-0.15, x_m=-0.25, z_m=5.25, seat=True),
    Spot(from_x_m=3.15, x_m=3.05, z_m=7.35, seat=True),
    Spot(from_x_m=-3.2, x_m=-3.3, z_m=7.85),
    Spot(from_x_m=-0.8, x_m=-0.7, z_m=7.9),
    Spot(from_x_m=0.6, x_m=0.7, z_m=7.6),
    Spot(from_x_m=1.2, x_m=1.4, z_m=5.5),
)


def _live(
    _camera: int, _view: View, seed: int, duration_s: float, people: float, kinds: Sequence[AnomalyKind]
) -> tuple[list[Actor], tuple[Planted, ...]]:
    inhabitants = _inhabitants(np.random.default_rng((seed, 1)), duration_s, people)
    return inhabitants, plant(seed, duration_s, kinds, _anomaly)


def _inhabitants(rng: np.random.Generator, duration_s: float, people: float) -> list[Actor]:
    """Who comes and goes: up to twice as many as are there on average, each after a time followed by another."""
    if people == 0:
        return []
    actors: list[Actor] = []
    busy_s: dict[Spot, list[tuple[float, float]]] = {spot: [] for spot in _SPOTS}
    chains = max(1, round(2 * people))
    for _ in range(chains):
        time_s = -_BEFORE_S * float(rng.uniform(1, 2))
        while time_s < duration_s:
            actor = _visit(rng, time_s, busy_s)
            actors.append(actor)
            seen_s = actor.path.end_s - time_s - _UNSEEN_S
            away_s = max(0.0, seen_s * (chains / people - 1) - _UNSEEN_S)
            time_s = actor.path.end_s + away_s * float(rng.uniform(0.3, 1.7))
    return actors


def _visit(rng: np.random.Generator, time_s: float, busy_s: dict[Spot, list[tuple[float, float]]]) -> Actor:
    """Somebody comes in, is at one place after the other, and goes."""
    steps, way_z_m = _entering(rng, time_s, float(np.clip(rng.normal(1.15, 0.12), 0.9, 1.5)))
    sits: list[Spell] = []
    for _ in range(int(rng.integers(2, 5))):
        seat = bool(rng.random() < 0.6)
        stay_s = float(rng.uniform(15, 45) if seat else rng.uniform(3, 9))
        soonest_s, latest_s = steps.time_s, steps.time_s + _LONGEST_WAY_S + stay_s
        free = [spot for spot in _SPOTS if spot.seat == seat and _is_free(busy_s[spot], soonest_s, latest_s)]
        if not free:
            steps.to(float(rng.uniform(-3.3, 3.3)), way_z_m)
            steps.stay(float(rng.uniform(3, 9)))
            continue
        spot = free[int(rng.integers(len(free)))]
        bisect.insort(busy_s[spot], (soonest_s, latest_s))
        steps.to(spot.from_x_m, way_z_m)
        steps.to(spot.x_m, spot.z_m)
        began_s = steps.stay(stay_s)
        if seat:
            sits.append(Spell(posture="sit", start_s=began_s, length_s=stay_s))
        steps.to(spot.from_x_m, way_z_m)
    _leaving(steps, way_z_m)
    return Actor(
        form="walker",
        path=steps.route(),
        look=some_look(rng),
        phase=float(rng.random()),
        spells=tuple(sits),
        phone=bool(rng.random() < 0.5),
    )


def _is_free(busy_s: list[tuple[float, float]], start_s: float, end_s: float) -> bool:
    """Whether none of these intervals, which are in order and apart, meets this one."""
    after = bisect.bisect(busy_s, (start_s, end_s))
    return not (after and busy_s[after - 1][1] > start_s) and not (after < len(busy_s) and busy_s[after][0] < end_s)


def _entering(rng: np.random.Generator, time_s: float, speed: float) -> tuple[Steps, float]:
    """The first steps into the room, and the depth at which this person walks along it."""
    way_z_m = float(rng.uniform(*_WAY_M))
    steps = Steps(time_s, *_OUTSIDE_M, speed)
    steps.to(_DOOR_X_M, _OUTSIDE_M[1])
    steps.to(_DOOR_X_M, way_z_m)
    return steps, way_z_m


def _leaving(steps: Steps, way_z_m: float) -> None:
    steps.to(_DOOR_X_M, way_z_m)
    steps.to(_DOOR_X_M, _OUTSIDE_M[1])
    steps.to(*_OUTSIDE_M)


def _anomaly(rng: np.random.Generator, kind: AnomalyKind, due_s: float) -> Planted:
    """One anomaly whose interval starts at `due_s`."""
    speed = float(rng.uniform(3.5, 4.5) if kind == "runner" else rng.uniform(1.0, 1.35))
    steps, way_z_m = _entering(rng, 0.0, speed)
    spells: tuple[Spell, ...] = ()
    if kind == "runner":
        at_door_s = ((_OUTSIDE_M[0] - _DOOR_X_M) + (_OUTSIDE_M[1] - WALL_M)) / speed
        for x_m in (-3.4, 3.3) * int(rng.integers(1, 3)):
            steps.to(x_m, way_z_m)
        _leaving(steps, way_z_m)
        start_s, end_s = at_door_s, steps.time_s - at_door_s
    elif kind == "fallen":
        x_m, z_m = float(rng.uniform(1.9, 2.5)), float(rng.uniform(4.7, 5.5))
        steps.to(3.1, z_m)
        steps.to(x_m, z_m)
        length_s = FALL_S + float(rng.uniform(8, 11)) + RISE_S
        start_s = steps.stay(length_s)
        end_s = steps.time_s
        spells = (Spell(posture="lie", start_s=start_s, length_s=length_s),)
        _leaving(steps, way_z_m)
    elif kind == "climbing":
        x_m = float(rng.uniform(-1.7, -1.1))
        for corner in ((0.45, way_z_m), (0.45, 4.5), (x_m, 4.5), (x_m, TABLE_NEAR_M - 0.02)):
            steps.to(*corner)
        length_s = 2 * CHANGE_S + float(rng.uniform(6, 9))
        start_s = steps.stay(length_s)
        end_s = steps.time_s
        spells = (Spell(posture="climb", start_s=start_s, length_s=length_s),)
        for corner in ((x_m, 4.5), (0.45, 4.5), (0.45, way_z_m)):
            steps.to(*corner)
        _leaving(steps, way_z_m)
    else:
        return _left(rng, speed, due_s)
    actor = Actor(
        form="runner" if kind == "runner" else "walker",
        path=steps.route().later(due_s - start_s),
        look=some_look(rng),
        phase=float(rng.random()),
        spells=tuple(replace(spell, start_s=due_s) for spell in spells),
    )
    return Planted(kind=kind, start_s=due_s, end_s=due_s + end_s - start_s, actor=actor, gone_s=actor.path.end_s)


def _left(rng: np.random.Generator, speed: float, due_s: float) -> Planted:
    """A bag that somebody puts on the floor, goes, and comes back for."""
    x_m, z_m = float(rng.uniform(1.2, 1.7)), float(rng.uniform(4.8, 5.5))
    taken_s = due_s + float(rng.uniform(10, 15))
    visits = []
    for moment_s in (due_s - LEAVE_M / speed - BEND_S / 2, taken_s):  # when the bag meets the floor, and leaves it
        steps, way_z_m = _entering(rng, 0.0, speed)
        steps.to(x_m, z_m)
        middle_s = steps.stay(BEND_S) + BEND_S / 2
        _leaving(steps, way_z_m)
        visits.append((steps.route().later(moment_s - middle_s), moment_s))
    (comes, put_s), (returns, _) = visits
    owner = Actor(form="walker", path=comes, look=some_look(rng), phase=float(rng.random()))
    return Planted(
        kind="left-object",
        start_s=due_s,
        end_s=taken_s,
        actor=bag(owner, (x_m - REACH_M, z_m - BESIDE_M), put_s, taken_s),
        others=(
            replace(owner, spells=(_bend(put_s),), carries=((comes.start_s, put_s),)),
            replace(owner, path=returns, spells=(_bend(taken_s),), carries=((taken_s, returns.end_s),)),
        ),
        gone_s=returns.end_s,
    )


def _bend(middle_s: float) -> Spell:
    return Spell(posture="bend", start_s=middle_s - BEND_S / 2, length_s=BEND_S)


ROOM = World(
    name="room",
    cameras=1,
    kinds=_KINDS,
    usual_kinds=_KINDS,
    scenery=lambda _camera, width, height: interior(width, height),
    live=_live,
    clouds=0.35,
)
