import numpy as np
import pytest

from detector.features.background import Background, empty_scene
from detector.features.grid import Grid

GRID = Grid(96, 160)  # 6 rows of 10 cells
RATE_FPS = 5.0


@pytest.fixture
def empty():
    """Grey levels 50 to 190, in soft structures and with a fixed pattern."""
    rows, columns = np.mgrid[:96, :160]
    return (120 + 60 * np.sin(rows / 17.0) * np.cos(columns / 23.0) + (rows * 7 + columns * 3) % 10).astype(np.uint8)


def with_thing(empty, levels=60):
    """Something over rows 2 and 3 of cells, columns 4 and 5."""
    picture = empty.astype(np.int16)
    picture[32:64, 64:96] += levels
    return np.clip(picture, 0, 255).astype(np.uint8)


def see(background, picture, time_s):
    return background.step(GRID.quarter(picture), time_s)


def watch(background, picture, from_s, to_s):
    """Show the picture again and again; the cells of the last time."""
    for number in range(round(from_s * RATE_FPS), round(to_s * RATE_FPS)):
        cells = see(background, picture, number / RATE_FPS)
    return cells


def test_the_first_picture_is_taken_for_empty(empty):
    background = Background(GRID)
    assert background.scene is None

    assert not see(background, empty, 0.0).any()
    assert background.scene.background == pytest.approx(GRID.quarter(empty))


def test_a_thing_is_seen_where_it_is(empty):
    background = Background(GRID, empty_scene([empty] * 3, GRID))

    cells = see(background, with_thing(empty), 0.0)

    assert cells.shape == (6, 10)
    assert cells[2:4, 4:6].all()
    assert not cells[[0, 5]].any()
    assert not cells[:, [0, 1, 2, 7, 8, 9]].any()


@pytest.mark.parametrize("levels", [60, -60])
def test_a_thing_that_stays_is_absorbed_only_after_minutes(empty, levels):
    background = Background(GRID, empty_scene([empty] * 3, GRID))
    thing = with_thing(empty, levels)

    assert watch(background, thing, 0, 30)[2:4, 4:6].all()
    assert not watch(background, thing, 30, 400).any()


def test_a_thing_that_was_absorbed_is_missed_when_it_goes(empty):
    background = Background(GRID, empty_scene([with_thing(empty)] * 3, GRID))

    assert see(background, empty, 0.0)[2:4, 4:6].all()


@pytest.mark.parametrize("gain", [0.85, 1.15])
def test_a_change_of_the_light_is_no_thing(empty, gain):
    background = Background(GRID, empty_scene([empty] * 3, GRID))
    see(background, empty, 0.0)

    other_light = np.round(empty * gain).astype(np.uint8)

    assert not watch(background, other_light, 1, 20).any()
    assert not watch(background, empty, 20, 21).any()


def test_a_thing_is_seen_in_changed_light(empty):
    background = Background(GRID, empty_scene([empty] * 3, GRID))

    cells = see(background, np.round(with_thing(empty) * 0.85).astype(np.uint8), 0.0)

    assert cells[2:4, 4:6].all()
    assert cells.sum() <= 16


def swaying(empty, number):
    """Leaves over two rows of cells, that differ by up to 25 levels from picture to picture."""
    picture = empty.astype(np.int16)
    picture[32:64] += (
        np.random.default_rng(number).integers(-25, 26, (8, 40)).repeat(4, 0).repeat(4, 1).astype(np.int16)
    )
    return np.clip(picture, 0, 255).astype(np.uint8)


def test_what_sways_from_the_start_is_not_a_thing(empty):
    scene = empty_scene([swaying(empty, number) for number in range(40)], GRID)
    background = Background(GRID, scene)

    assert scene.spread[8:16].mean() > scene.spread[:8].mean() + 5
    assert not any(see(background, swaying(empty, number), number / RATE_FPS).any() for number in range(100, 150))


def test_what_begins_to_sway_is_got_used_to(empty):
    background = Background(GRID, empty_scene([empty] * 3, GRID))

    shares = [see(background, swaying(empty, number), number / RATE_FPS)[2:4].mean() for number in range(1000)]

    assert np.mean(shares[:10]) > 0.5
    assert np.mean(shares[-50:]) < 0.05
    assert background.scene.spread[9:15].mean() > 5


def test_the_empty_scene_leaves_out_who_passes(empty):
    pictures = [empty] * 7
    pictures[3] = with_thing(empty)

    scene = empty_scene(pictures, GRID)

    assert scene.background.dtype == scene.spread.dtype == np.float32
    assert scene.background == pytest.approx(GRID.quarter(empty))
    assert not scene.spread.any()


def test_the_background_follows_no_faster_after_a_gap(empty):
    background = Background(GRID, empty_scene([empty] * 3, GRID))
    before = background.scene.background
    see(background, with_thing(empty), 0.0)
    see(background, with_thing(empty), 5000.0)

    assert np.abs(background.scene.background - before).max() == pytest.approx(0.25, abs=1e-4)


def test_a_clock_set_back_does_not_move_the_background(empty):
    background = Background(GRID, empty_scene([empty] * 3, GRID))
    before = background.scene.background
    see(background, with_thing(empty), 100.0)
    see(background, with_thing(empty), 3.0)

    assert background.scene.background == pytest.approx(before)


def test_a_black_scene_does_not_divide_by_zero(empty):
    background = Background(GRID, empty_scene([np.zeros_like(empty)] * 3, GRID))

    assert not see(background, np.zeros_like(empty), 0.0).any()
    assert np.isfinite(background.scene.background).all()
