import numpy as np
import pytest

from detector.features.grid import Grid
from detector.features.stay import pauses, vectors

GRID = Grid(64, 96)


def of(cells, still_s):
    return vectors(np.array(cells), np.array(still_s, np.float32), GRID)


def test_a_vector_begins_with_the_centre_of_its_cell_in_fractions_of_the_frame():
    found = of([0, 23], [0, 0])
    assert found[0, :2] == pytest.approx([0.5 / 6, 0.5 / 4])
    assert found[1, :2] == pytest.approx([5.5 / 6, 3.5 / 4])


def test_time_is_in_logarithms():
    assert of([5, 5], [0.0, 9.0])[:, 2] == pytest.approx([0.0, np.log(10.0)])


def test_no_cells_give_no_vectors():
    assert of(np.empty(0, np.int64), []).shape == (0, 3)


def test_pauses_are_in_their_cells_and_mostly_short():
    cells = np.tile([3, 20], 1000)
    found = pauses(cells, GRID, np.random.default_rng(0))

    assert np.array_equal(found[:, :2], vectors(cells, np.zeros(2000), GRID)[:, :2])
    assert np.expm1(found[:, 2]).mean() == pytest.approx(4.0, rel=0.1)
    assert (np.expm1(found[:, 2]) > 20.0).mean() < 0.02
