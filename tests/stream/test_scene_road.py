from itertools import pairwise

import numpy as np
import pytest

from stream.scene import open_scene
from stream.scene.road import ROAD
from stream.scene.traffic import LANES
from stream.scene.trafficlight import CROSSING_M, CYCLE_S, RED_S

VIEW = ROAD.scenery(1, 640, 360)[0]
LENGTHS_M = {"car": 4.3, "van": 4.8, "lorry": 6.7}
SEEDS = range(1, 6)


def living(seed, people=5, kinds=(), seconds=600):
    return ROAD.live(1, VIEW, seed, seconds, people, kinds)


def vehicles(actors, lane):
    return [one for one in actors if one.form in LENGTHS_M and one.path.zs_m[0] == lane.z_m]


def speeds_m_s(path):
    return np.abs(np.diff(path.xs_m)) / np.diff(path.times_s)


@pytest.mark.parametrize("people", [1, 3, 6, 12])
def test_about_as_many_are_there_as_asked_for(people):
    present = []
    for seed in SEEDS:
        paths = [actor.path for actor in living(seed, people)[0]]
        for time_s in range(0, 600, 5):
            places = [path.place(time_s) for path in paths if path.start_s <= time_s < path.end_s]
            present.append(sum(abs(x_m) < VIEW.half_width_m(z_m) for x_m, z_m in places))

    assert np.mean(present) == pytest.approx(people, rel=0.3)


def test_an_empty_road_is_empty():
    assert living(1, people=0) == ([], ())


@pytest.mark.parametrize("people", [3, 12])
@pytest.mark.parametrize("lane", LANES)
def test_vehicles_keep_their_distance_and_brake_as_vehicles_can(lane, people):
    gaps_m = []
    for seed in SEEDS:
        cars = vehicles(living(seed, people)[0], lane)
        assert len(cars) > 50
        assert max(np.abs(np.diff(car.path.xs_m, 2)).max() for car in cars) < 4.5 * 0.25**2
        for ahead, behind in pairwise(cars):
            both = [time_s for time_s in behind.path.times_s if ahead.path.start_s <= time_s <= ahead.path.end_s]
            lengths_m = (LENGTHS_M[ahead.form] + LENGTHS_M[behind.form]) / 2
            for time_s in both:
                apart_m = lane.direction * (ahead.path.place(time_s)[0] - behind.path.place(time_s)[0])
                gaps_m.append(apart_m - lengths_m)

    assert min(gaps_m) > 1.5


@pytest.mark.parametrize("lane", LANES)
def test_vehicles_wait_at_the_light_and_none_is_on_the_crossing_while_people_cross(lane):
    waited = 0
    for seed in SEEDS:
        for car in vehicles(living(seed)[0], lane):
            standing = np.flatnonzero(speeds_m_s(car.path) < 0.05)
            waited += bool(len(standing))
            assert all(lane.direction * car.path.xs_m[standing] < -CROSSING_M)
            for time_s in car.path.times_s[(car.path.times_s % CYCLE_S > 2) & (car.path.times_s % CYCLE_S < RED_S)]:
                assert abs(car.path.place(time_s)[0]) > CROSSING_M + LENGTHS_M[car.form] / 2

    assert waited > 50


def test_people_cross_at_the_crossing_and_only_at_red():
    crossed = 0
    for seed in SEEDS:
        for walker in [one for one in living(seed)[0] if one.form == "walker"]:
            times_s = np.arange(walker.path.start_s, walker.path.end_s, 0.2)
            places = np.array([walker.path.place(time_s) for time_s in times_s])
            on_road = (places[:, 1] > 13.9) & (places[:, 1] < 21.3)
            crossed += bool(on_road.any())
            assert all(np.abs(places[on_road, 0]) <= CROSSING_M)
            assert all(times_s[on_road] % CYCLE_S < RED_S)

    assert crossed > 30


@pytest.mark.parametrize(
    ("kind", "slowest", "fastest"), [("speeding", 18, 21), ("creeping", 2.7, 3.4), ("wrong-way", 8, 13)]
)
def test_cars_that_break_the_rules_have_a_speed_of_their_own(kind, slowest, fastest):
    _, planted = living(1, kinds=[kind])
    ways = [np.sign(one.actor.path.xs_m[-1] - one.actor.path.xs_m[0]) for one in planted]
    lanes = [next(lane for lane in LANES if lane.z_m == one.actor.path.zs_m[0]) for one in planted]

    assert len(planted) > 10
    for one, way, lane in zip(planted, ways, lanes, strict=True):
        assert slowest <= speeds_m_s(one.actor.path).min() + 1e-6
        assert speeds_m_s(one.actor.path).max() - 1e-6 <= fastest
        assert way == (-lane.direction if kind == "wrong-way" else lane.direction)


def test_a_stopped_car_stands_where_no_car_waits():
    ordinary, planted = living(1, kinds=["stopped-car"])

    assert len(planted) > 10
    for one in planted:
        lane = next(lane for lane in LANES if lane.z_m == one.actor.path.zs_m[0])
        places_m = [lane.direction * one.actor.path.place(time_s)[0] for time_s in (one.start_s, one.end_s)]
        assert places_m[0] == pytest.approx(places_m[1], abs=0.05)
        assert min(places_m) > CROSSING_M + LENGTHS_M["car"] / 2
        assert one.end_s - one.start_s > 8
    assert ordinary


@pytest.mark.parametrize("seed", SEEDS)
def test_ordinary_vehicles_stay_away_from_an_anomaly_in_their_lane(seed):
    ordinary, planted = living(seed, people=6, kinds=ROAD.kinds)
    on_foot = [one for one in planted if one.kind == "crossing"]
    driven = [one for one in planted if one.kind != "crossing"]

    assert on_foot
    assert driven
    for lane in LANES:
        for car in vehicles(ordinary, lane):
            assert not [one for one in on_foot if car.path.start_s < one.end_s and one.start_s < car.path.end_s]
            mates = [one.actor.path for one in driven if one.actor.path.zs_m[0] == lane.z_m]
            assert not [path for path in mates if car.path.start_s < path.end_s and path.start_s < car.path.end_s]


def test_the_light_changes_in_the_picture():
    scene = open_scene("demo://road?people=0")
    red, green = (scene.frame(round(time_s * scene.fps)).astype(int) for time_s in (5, 20))
    redder = (red[..., 2] - green[..., 2] > 100).nonzero()
    greener = (green[..., 1] - red[..., 1] > 100).nonzero()

    assert len(redder[0]) > 20
    assert len(greener[0]) > 20
    assert redder[0].max() < greener[0].max()
