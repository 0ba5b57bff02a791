"""``demo://road``: two lanes with a light and a crossing, a pavement on each side, and who breaks the rules there."""

from collections.abc import Sequence

import numpy as np

from stream.scene.actors import Actor, AnomalyKind, Planted, plant, some_look
from stream.scene.background import outdoors
from stream.scene.layout import Layout, Marking, Strip, View
from stream.scene.pedestrians import MARGIN_M, passers_by
from stream.scene.pen import Image
from stream.scene.route import Steps
from stream.scene.traffic import LANES, drive, most_vehicles, traffic
from stream.scene.trafficlight import CROSSING_M, CYCLE_S, RED_S, WARNING_S, TrafficLight
from stream.scene.world import Standing, World

_KERBS_M = (13.9, 21.3)
"""Depths of the roadway's edges."""
_NEAR_PAVEMENT_M, _FAR_PAVEMENT_M = (10.9, 13.2), (22.0, 23.6)
_WAITING_M = 0.5
"""How far from the kerb people wait."""
_WAY_M = 3.5
"""How much farther along somebody gets who crosses the roadway between the cars."""

_VEHICLES_PER_LANE, _CROSSERS = 0.26, 0.15
"""Shares of all who are in the picture; the others walk by."""
_KINDS: tuple[AnomalyKind, ...] = ("wrong-way", "crossing", "creeping", "stopped-car", "speeding")

_LAYOUT = Layout(
    camera_height_m=6.0,
    focal=1.25,
    horizon=0.04,
    widest=1.6,
    strips=(
        Strip(kind="grass", near_m=0.1, far_m=8.9, colour=(54, 112, 86)),
        Strip(kind="kerb", near_m=8.9, far_m=9.1, colour=(150, 156, 160)),
        Strip(kind="slabs", near_m=9.1, far_m=13.6, colour=(140, 146, 152)),
        Strip(kind="kerb", near_m=13.6, far_m=_KERBS_M[0], colour=(166, 170, 174)),
        Strip(kind="asphalt", near_m=_KERBS_M[0], far_m=_KERBS_M[1], colour=(92, 88, 86)),
        Strip(kind="kerb", near_m=_KERBS_M[1], far_m=21.6, colour=(160, 164, 168)),
        Strip(kind="slabs", near_m=21.6, far_m=100.0, colour=(146, 150, 154)),
    ),
    markings=(
        *(
            Marking(left_m=x_m, right_m=x_m + 2.0, near_m=17.53, far_m=17.67)
            for x_m in np.arange(-58.0, 58.0, 4.0).tolist()
            if abs(x_m + 1.0) > CROSSING_M + 1.2
        ),
        *(
            Marking(left_m=-CROSSING_M, right_m=CROSSING_M, near_m=z_m, far_m=z_m + 0.5)
            for z_m in np.arange(14.2, 21.0, 1.0).tolist()
        ),
        Marking(left_m=-CROSSING_M - 0.9, right_m=-CROSSING_M - 0.55, near_m=14.0, far_m=17.5),
        Marking(left_m=CROSSING_M + 0.55, right_m=CROSSING_M + 0.9, near_m=17.7, far_m=21.2),
    ),
    walks_m=(_NEAR_PAVEMENT_M, _FAR_PAVEMENT_M),
    wall_z_m=25.0,
    wall_height_m=14.0,
    wall=(132, 150, 172),
    shops=True,
)


def _scenery(camera: int, width: int, height: int) -> tuple[View, Image, tuple[Standing, ...]]:
    view, background, _ = outdoors(_LAYOUT, 100 + camera, width, height)
    lights = (
        TrafficLight(view, -CROSSING_M - 0.4, _KERBS_M[0] - 0.5),
        TrafficLight(view, CROSSING_M + 0.4, _KERBS_M[1] + 0.5),
    )
    return view, background, lights


def _live(
    _camera: int, view: View, seed: int, duration_s: float, people: float, kinds: Sequence[AnomalyKind]
) -> tuple[list[Actor], tuple[Planted, ...]]:
    planted = plant(seed, duration_s, kinds, lambda rng, kind, due_s: _anomaly(view, rng, kind, due_s))
    vehicles = [min(_VEHICLES_PER_LANE * people, most_vehicles(view, lane)) for lane in LANES]
    actors = passers_by(view, seed, duration_s, (1 - _CROSSERS) * people - sum(vehicles))
    actors += _crossers(view, np.random.default_rng((seed, 5)), duration_s, people)
    for number, lane in enumerate(LANES):
        closed_s = np.array(
            [_closed_s(one) for one in planted if one.kind == "crossing" or _lane_z_m(one) == lane.z_m]
        )
        closed_s = closed_s.reshape(-1, 2)  # in order and apart
        for actor in traffic(view, lane, np.random.default_rng((seed, 6 + number)), duration_s, vehicles[number]):
            after = int(np.searchsorted(closed_s[:, 1], actor.path.start_s))
            if after == len(closed_s) or closed_s[after, 0] > actor.path.end_s:
                actors.append(actor)
    return actors, planted


def _closed_s(planted: Planted) -> tuple[float, float]:
    """When ordinary cars would run into an anomaly; they do not come then."""
    if planted.kind == "crossing":
        return planted.start_s - 2.0, planted.end_s + 1.0
    return planted.actor.path.start_s, planted.actor.path.end_s


def _lane_z_m(planted: Planted) -> float:
    return planted.actor.path.place(planted.start_s)[1]


def _crossers(view: View, rng: np.random.Generator, duration_s: float, people: float) -> list[Actor]:
    """Who waits at the kerb and crosses while the cars have to wait."""
    actors: list[Actor] = []
    for red_s in np.arange(-CYCLE_S, duration_s, CYCLE_S).tolist():
        for _ in range(int(rng.poisson(1.1 * _CROSSERS * people))):
            walks = [float(rng.uniform(*_NEAR_PAVEMENT_M)), float(rng.uniform(*_FAR_PAVEMENT_M))]
            kerbs = [_KERBS_M[0] - _WAITING_M, _KERBS_M[1] + _WAITING_M]
            if rng.random() < 0.5:
                walks, kerbs = walks[::-1], kerbs[::-1]
            x_m = float(rng.uniform(-0.8, 0.8)) * CROSSING_M
            from_side, to_side = (float(rng.choice((-1.0, 1.0))) for _ in range(2))
            steps = Steps(
                0.0, from_side * _outside_m(view, walks[0]), walks[0], float(np.clip(rng.normal(1.3, 0.1), 1.15, 1.6))
            )
            steps.to(x_m + from_side, walks[0])
            steps.to(x_m, kerbs[0])
            steps.stay(float(rng.uniform(0.5, 7)))
            goes_s = steps.time_s
            steps.to(float(np.clip(x_m + rng.normal(0, 0.4), -CROSSING_M, CROSSING_M)), kerbs[1])
            steps.to(x_m + 1.5 * to_side, walks[1])
            steps.to(to_side * _outside_m(view, walks[1]), walks[1])
            route = steps.route().later(red_s + float(rng.uniform(1.0, 2.5)) - goes_s)
            actors.append(Actor(form="walker", path=route, look=some_look(rng), phase=float(rng.random())))
    return actors


def _anomaly(view: View, rng: np.random.Generator, kind: AnomalyKind, due_s: float) -> Planted:
    """One anomaly whose interval starts at `due_s`, or as soon after it as the light lets it pass."""
    if kind == "crossing":
        return _person_on_the_roadway(view, rng, due_s)
    lane = LANES[int(rng.integers(len(LANES)))]
    slowest, fastest = {"speeding": (18.0, 21.0), "creeping": (2.7, 3.4)}.get(kind, lane.speeds_m_s)
    speed = float(rng.uniform(slowest, fastest))
    side = -lane.direction if kind == "wrong-way" else lane.direction
    half_m = view.half_width_m(lane.z_m)
    stop = (float(rng.uniform(0.45, 0.7)) * half_m, float(rng.uniform(12, 16))) if kind == "stopped-car" else None
    route = drive(view, lane.z_m, side, speed, stop)
    places_m = side * route.xs_m
    if stop:
        standing_s = route.times_s[np.abs(places_m - stop[0]) < 0.02]
        start_s, end_s = float(standing_s[0]), float(standing_s[-1])
        passed_s = start_s
    else:
        start_s, end_s = (float(np.interp(edge_m, places_m, route.times_s)) for edge_m in (-half_m, half_m))
        passed_s = end_s
    later_s = _when_green(due_s + route.start_s - start_s, passed_s - route.start_s) - route.start_s
    route = route.later(later_s)
    return Planted(
        kind=kind,
        start_s=start_s + later_s,
        end_s=end_s + later_s,
        actor=Actor(form="car", path=route, look=some_look(rng), phase=float(rng.random())),
        gone_s=route.end_s,
    )


def _person_on_the_roadway(view: View, rng: np.random.Generator, due_s: float) -> Planted:
    walks = [float(rng.uniform(*_NEAR_PAVEMENT_M)), float(rng.uniform(*_FAR_PAVEMENT_M))]
    kerbs = list(_KERBS_M)
    if rng.random() < 0.5:
        walks, kerbs = walks[::-1], kerbs[::-1]
    side, speed = float(rng.choice((-1.0, 1.0))), float(rng.uniform(1.2, 1.6))
    x_m = float(rng.uniform(0.46, 0.6)) * view.half_width_m(_KERBS_M[0]) * float(rng.choice((-1.0, 1.0)))
    x_m -= side * _WAY_M / 2
    steps = Steps(0.0, -side * _outside_m(view, walks[0]), walks[0], speed)
    steps.to(x_m - side * 0.5, walks[0])
    steps.to(x_m, kerbs[0])
    start_s = steps.time_s
    steps.to(x_m + side * _WAY_M, kerbs[1])
    end_s = steps.time_s
    steps.to(x_m + side * (_WAY_M + 0.5), walks[1])
    steps.to(side * _outside_m(view, walks[1]), walks[1])
    later_s = _when_green(due_s, end_s - start_s) - start_s
    route = steps.route().later(later_s)
    return Planted(
        kind="crossing",
        start_s=start_s + later_s,
        end_s=end_s + later_s,
        actor=Actor(form="walker", path=route, look=some_look(rng), phase=float(rng.random())),
        gone_s=route.end_s,
    )


def _when_green(due_s: float, length_s: float) -> float:
    """The first time from `due_s` on from which the light lets cars pass for this long."""
    since_s = due_s % CYCLE_S
    if since_s < RED_S:
        return due_s - since_s + RED_S
    if since_s + length_s > CYCLE_S - WARNING_S:
        return due_s - since_s + CYCLE_S + RED_S
    return due_s


def _outside_m(view: View, z_m: float) -> float:
    return view.half_width_m(z_m) + MARGIN_M


ROAD = World(
    name="road",
    cameras=1,
    kinds=_KINDS,
    usual_kinds=_KINDS,
    scenery=_scenery,
    live=_live,
)
