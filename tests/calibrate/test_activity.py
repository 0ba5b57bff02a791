import numpy as np
import pytest

from calibrate.activity import usual_of
from calibrate.blocks import Block
from detector.detector import Features, Sample
from detector.features.grid import Grid
from detector.features.motion import vectors

GRID = Grid(32, 48)


def seen(speeds, still=()):
    """A picture with these speeds, %/s, by cell."""
    moving = np.array(sorted(speeds), np.int64)
    motion = vectors(np.array([speeds[cell] for cell in moving], np.float32)).astype(np.float16)
    return Features(cells=np.array(sorted([*speeds, *still]), np.int64), samples={"motion": Sample(moving, motion)})


NOTHING = Features(cells=np.empty(0, np.int64), samples={})


def test_the_share_of_time_and_the_median_speed_are_those_of_each_cell():
    pictures = [seen({4: speed}, still=(1,)) for speed in (1.0, 2.0, 3.0, 4.0, 90.0)]
    maps = usual_of(
        [Block(segment=0, seen=[*pictures, NOTHING]), Block(segment=1, seen=[NOTHING] * 4)],
        GRID,
    )

    assert maps.share.shape == (2, 3)
    assert maps.share.ravel() == pytest.approx([0, 0.5, 0, 0, 0.5, 0])
    assert maps.moves.ravel() == pytest.approx([0, 0, 0, 0, 0.5, 0])
    assert maps.speed[1, 1] == pytest.approx(3.0, rel=0.01)
    assert np.isnan(maps.speed).sum() == 5


def test_a_cell_in_which_hardly_anything_moved_has_no_speed():
    maps = usual_of([Block(segment=0, seen=[seen({0: 5.0})] * 4)], GRID)

    assert np.isnan(maps.speed).all()
    assert maps.share[0, 0] == 1.0


def test_footage_in_which_nothing_is_has_empty_maps():
    maps = usual_of([Block(segment=0, seen=[NOTHING])], GRID)

    assert maps.share.max() == 0.0
    assert np.isnan(maps.speed).all()
