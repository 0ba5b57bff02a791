import cv2
import numpy as np
import pytest

from detector.features.background import empty_scene
from detector.features.grid import Grid
from detector.features.motion import PAUSE_S
from detector.observer import Observer

GRID = Grid(176, 320)
LEFT_HALF = (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),)


@pytest.fixture
def empty():
    coarse = np.random.default_rng(0).integers(100, 140, (22, 40, 3)).astype(np.uint8)
    return cv2.resize(coarse, (320, 176))


@pytest.fixture
def scene(empty):
    return empty_scene([cv2.cvtColor(empty, cv2.COLOR_BGR2GRAY)] * 3, GRID)


def with_thing(empty, x, y=64):
    picture = empty.copy()
    pattern = np.random.default_rng(1).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    picture[y : y + 48, x : x + 48] = cv2.resize(pattern, (48, 48))
    return picture


def columns(activity):
    return activity.cells % GRID.columns


def test_an_empty_scene_has_no_activity(empty, scene):
    observer = Observer(GRID, 5.0, scene=scene)

    for number in range(3):
        activity = observer.step(empty, number / 5)
        assert activity.cells.shape == activity.speed.shape == activity.still_s.shape == (0,)


def test_what_stands_still_is_seen_and_has_no_speed(empty, scene):
    observer = Observer(GRID, 5.0, scene=scene)

    for time_s in np.arange(0.0, PAUSE_S + 3.0, 0.2):
        activity = observer.step(with_thing(empty, 128), time_s)
        assert len(activity.cells) >= 9
        assert {8, 9, 10} <= set(columns(activity)) <= set(range(7, 12))
        assert not activity.speed.any()
        assert activity.still_s == pytest.approx(max(time_s - PAUSE_S, 0.0), abs=1e-3)

    assert activity.still_s.min() > 2.5


def test_what_moves_has_its_speed(empty, scene):
    observer = Observer(GRID, 5.0, scene=scene)

    for number in range(4):
        activity = observer.step(with_thing(empty, 64 + 8 * number), number / 5)

    assert (np.diff(activity.cells) > 0).all()
    middle = (64 + 24) // 16 * GRID.columns + (64 + 8 * 3 + 24) // 16
    assert activity.speed[activity.cells == middle] == pytest.approx([8 / 320 * 100 * 5], rel=0.15)
    assert activity.still_s[activity.cells == middle] == 0.0


def test_what_moves_on_the_spot_is_never_still(empty, scene):
    observer = Observer(GRID, 5.0, scene=scene)
    middle = (64 + 24) // 16 * GRID.columns + (64 + 24) // 16

    for number in range(round((PAUSE_S + 3.0) * 5)):
        activity = observer.step(with_thing(empty, 64 + 8 * (number % 2)), number / 5)
        assert activity.still_s[activity.cells == middle] == [0.0]
        assert number == 0 or activity.speed[activity.cells == middle] > 0.0


def test_ignored_areas_are_never_active(empty, scene):
    observer = Observer(GRID, 5.0, LEFT_HALF, scene)
    seen = []

    for number in range(30):
        activity = observer.step(with_thing(empty, 8 * number), number / 5)
        seen.append(len(activity.cells))
        assert (columns(activity) >= 10).all()

    assert seen[0] == 0
    assert seen[-1] > 0


def test_the_first_picture_is_empty_where_no_scene_is_known(empty):
    observer = Observer(GRID, 5.0)
    assert observer.scene is None

    assert not len(observer.step(empty, 0.0).cells)
    assert observer.scene is not None
    assert len(observer.step(with_thing(empty, 128), 0.2).cells)


def test_observers_remember_pictures_of_their_own_camera_only(empty, scene):
    one, two = Observer(GRID, 5.0, scene=scene), Observer(GRID, 5.0, scene=scene)
    for number in range(3):
        moving = one.step(with_thing(empty, 64 + 8 * number), number / 5)
        still = two.step(with_thing(empty, 64), number / 5)

    assert moving.speed.any()
    assert not still.speed.any()


def test_a_look_stands_for_the_pictures_of_a_moment(scene):
    observer = Observer(GRID, 10.0, scene=scene)
    assert observer.latest_look(0.0) is None

    look = observer.begin_look(1.0)

    assert observer.latest_look(1.1) is look
    assert observer.latest_look(1.2) is None
    assert observer.latest_look(0.9) is None  # the clock was set back
