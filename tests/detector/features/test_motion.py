import cv2
import numpy as np
import pytest

from detector.features.grid import Grid
from detector.features.motion import (
    _FORGIVING,
    _LEAST_FLOW_PX,
    _MOVING_PERCENT_PER_S,
    PAUSE_S,
    Motion,
    Stillness,
    vectors,
)

SPEED = 12.0  # percent of the longer side per second


def texture(height, width, seed, contrast, patches):
    """Soft noise around mid-grey, with the same patches at any size."""
    coarse = np.random.default_rng(seed).integers(-contrast, contrast + 1, patches).astype(np.float32)
    return 128.0 + cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def street(width, height, at, speed=SPEED):
    """A textured square at this moment on its way to the right."""
    picture = texture(height, width, 0, 20, (22, 40))
    side = width // 5
    left, top = 0.1 * width + at * speed / 100 * width, (height - side) // 2
    pattern = texture(side, side, 1, 90, (8, 8))
    # Drawn with cv2 at a fraction of a pixel.
    move = np.array([[1, 0, left], [0, 1, top]], np.float64)
    size = (width, height)
    patch = cv2.warpAffine(pattern, move, size)
    inside = cv2.warpAffine(np.ones((side, side), np.float32), move, size)
    return np.clip(picture * (1 - inside) + patch, 0, 255).astype(np.uint8), left + side / 2, top + side / 2


def compare(motion, picture, time_s):
    """A step with the picture and its quarter."""
    height, width = picture.shape
    return motion.step(picture, Grid(height, width).quarter(picture), time_s)


def noisy(picture, generator, deviation):
    """The picture as a sensor in little light gives it."""
    noise = generator.normal(0, deviation, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(320, 176), (640, 352)])
@pytest.mark.parametrize("rate_fps", [5.0, 10.0])
@pytest.mark.parametrize("speed", [6.0, 12.0])
def test_speed_is_told_whatever_the_size_and_rate_of_the_pictures(size, rate_fps, speed):
    width, height = size
    grid = Grid(height, width)
    motion = Motion(grid, rate_fps)

    for number in range(4):
        picture, x, y = street(width, height, number / rate_fps, speed)
        moving = compare(motion, picture, number / rate_fps)

    row, column = int(y) // 16, int(x) // 16
    assert moving.cells[row, column]
    assert moving.speed[row, column] == pytest.approx(speed, rel=0.15)
    assert not moving.cells[:, -3:].any()
    assert not moving.speed[~moving.cells].any()


def test_a_dropped_picture_does_not_change_the_speed():
    grid = Grid(176, 320)
    motion = Motion(grid, 10.0)
    for time_s in (0.0, 0.1, 0.3):
        picture, x, y = street(320, 176, time_s)
        moving = compare(motion, picture, time_s)

    assert moving.speed[int(y) // 16, int(x) // 16] == pytest.approx(SPEED, rel=0.15)


@pytest.mark.parametrize("size", [(320, 176), (640, 352)])
@pytest.mark.parametrize("rate_fps", [5.0, 10.0])
@pytest.mark.parametrize("deviation", [2.5, 8.0, 20.0])
def test_nothing_moves_in_a_still_scene_with_sensor_noise(size, rate_fps, deviation):
    """Noise has a flow of its own, and where there is much of it, one faster than a walk."""
    width, height = size
    motion = Motion(Grid(height, width), rate_fps)
    generator = np.random.default_rng(0)
    still = street(width, height, 0.0)[0]

    for number in range(6):
        moving = compare(motion, noisy(still, generator, deviation), number / rate_fps)
        assert (moving is None) == (number == 0)
        assert moving is None or not moving.cells.any()
        assert moving is None or not moving.speed.any()


@pytest.mark.parametrize("rate_fps", [5.0, 10.0])
@pytest.mark.parametrize("deviation", [2.5, 8.0])
def test_what_moves_is_seen_through_sensor_noise(rate_fps, deviation):
    motion = Motion(Grid(352, 640), rate_fps)
    generator = np.random.default_rng(0)

    for number in range(4):
        picture, x, y = street(640, 352, number / rate_fps)
        moving = compare(motion, noisy(picture, generator, deviation), number / rate_fps)

    row, column = int(y) // 16, int(x) // 16
    assert moving.cells[row, column]
    assert moving.speed[row, column] == pytest.approx(SPEED, rel=0.15)
    assert not moving.cells[:, -3:].any()


@pytest.mark.parametrize("rate_fps", [1.0, 2.0, 5.0])
@pytest.mark.parametrize(("times_floor", "moves"), [(0.6, False), (1.6, True)])
def test_what_creeps_is_still_whatever_the_rate_of_the_pictures(rate_fps, times_floor, moves):
    motion = Motion(Grid(352, 640), rate_fps)
    speed = times_floor * _MOVING_PERCENT_PER_S

    for number in range(4):
        picture, x, y = street(640, 352, number / rate_fps, speed)
        moving = compare(motion, picture, number / rate_fps)

    assert moving.cells[int(y) // 16, int(x) // 16] == moves
    assert moving.cells.any() == moves


@pytest.mark.parametrize(("times_least", "moves"), [(0.5, False), (2.0, True)])
def test_a_shift_of_a_fraction_of_a_pixel_counts_only_from_the_least_flow_on(times_least, moves):
    """At many pictures per second even a walk is a small shift, and flow is not exact to any fraction of a pixel."""
    motion = Motion(Grid(176, 320), 50.0)
    speed = times_least * _LEAST_FLOW_PX / 320 * 100 * 50.0
    assert speed > 2 * _MOVING_PERCENT_PER_S

    for number in range(4):
        picture, x, y = street(320, 176, number / 50, speed)
        moving = compare(motion, picture, number / 50)

    assert moving.cells[int(y) // 16, int(x) // 16] == moves


def test_a_first_picture_and_pictures_too_far_apart_are_not_compared():
    motion = Motion(Grid(176, 320), 5.0)
    picture = street(320, 176, 0.0)[0]

    compared = [compare(motion, picture, time_s) is not None for time_s in (0.0, 0.2, 1.2, 2.3, 2.5, 1.0, 1.2, 1.2)]

    assert compared == [False, True, True, False, True, False, True, False]


def test_a_slow_camera_is_compared_at_its_own_pace():
    motion = Motion(Grid(176, 320), 0.25)
    picture = street(320, 176, 0.0)[0]

    assert [compare(motion, picture, time_s) is not None for time_s in (0.0, 4.0, 14.0, 24.5)] == [
        False,
        True,
        True,
        False,
    ]


def still_s(stillness, moments):
    """Seconds of a single cell that is still or not at these times."""
    return [float(stillness.step(np.array([[still]]), time_s)[0, 0]) for still, time_s in moments]


def times(from_s, to_s):
    """Times without a gap that is too long to be counted, the last of them included."""
    return np.linspace(from_s, to_s, 2 + int(5 * (to_s - from_s)))


@pytest.fixture
def stillness():
    return Stillness(Grid(16, 16))


def test_stillness_is_gathered_second_by_second_beyond_a_pause_up_to_a_minute(stillness):
    at_s = times(0.0, PAUSE_S + 80.0)

    seconds = still_s(stillness, [(True, time_s) for time_s in at_s])

    assert seconds == pytest.approx(np.clip(at_s - PAUSE_S, 0.0, 60.0), rel=1e-3, abs=1e-3)
    assert max(seconds) == seconds[-1] == pytest.approx(60.0)


def test_a_pause_as_anybody_makes_it_is_no_stillness(stillness):
    seconds = still_s(stillness, [(True, time_s) for time_s in times(0.0, 0.99 * PAUSE_S)])

    assert set(seconds) == {0.0}


def test_a_moment_of_movement_is_forgiven_and_a_longer_one_is_not(stillness):
    end_s = PAUSE_S + 10.0
    assert still_s(stillness, [(True, time_s) for time_s in times(0.0, end_s)])[-1] == pytest.approx(10.0, rel=1e-3)

    moment = still_s(stillness, [(False, end_s + 0.2), (True, end_s + 0.4)])
    longer = still_s(stillness, [(False, time_s) for time_s in times(end_s + 0.4, end_s + 1.0 + 10.0 / _FORGIVING)])

    assert moment == pytest.approx([10.0 - 0.2 * _FORGIVING, 10.2 - 0.2 * _FORGIVING], rel=1e-3)
    assert min(moment) > 9.0
    assert longer[-1] == 0.0


def test_after_a_long_movement_a_pause_is_a_pause_again(stillness):
    end_s = PAUSE_S + 10.0
    moved_s = end_s + 1.0 + end_s / _FORGIVING
    still_s(stillness, [(True, time_s) for time_s in times(0.0, end_s)])
    still_s(stillness, [(False, time_s) for time_s in times(end_s, moved_s)])

    seconds = still_s(stillness, [(True, time_s) for time_s in times(moved_s, moved_s + PAUSE_S + 2.0)])

    assert seconds[0] == 0.0
    assert seconds[-1] == pytest.approx(2.0, abs=1e-2)


def test_time_that_nobody_saw_is_no_stillness(stillness):
    still_s(stillness, [(True, time_s) for time_s in times(0.0, PAUSE_S)])

    assert still_s(stillness, [(True, PAUSE_S + 500.0), (True, 3.0)]) == pytest.approx([1.0, 1.0], abs=1e-3)


def test_vectors_are_logarithms_of_speed():
    made = vectors(np.array([0.0, np.e - 1], np.float32))

    assert made.dtype == np.float32
    assert made == pytest.approx(np.array([[0.0], [1.0]]), abs=1e-6)
