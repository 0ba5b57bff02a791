"""Place family: position, course and stillness of cells."""

import numpy as np
import pytest

from detector.features.grid import Grid
from detector.features.place import vectors

GRID = Grid(64, 96)


def of(cells, velocity, still_s):
    return vectors(np.array(cells), np.array(velocity, np.float32), np.array(still_s, np.float32), GRID)


def test_a_vector_begins_with_the_centre_of_its_cell_in_fractions_of_the_frame():
    found = of([0, 23], [[0, 0], [0, 0]], [0, 0])
    assert found[0, :2] == pytest.approx([0.5 / 6, 0.5 / 4])
    assert found[1, :2] == pytest.approx([5.5 / 6, 3.5 / 4])


def test_the_course_keeps_its_direction_and_the_logarithm_of_its_length():
    found = of([0], [[3.0, -4.0]], [0])
    assert found[0, 2:4] == pytest.approx(np.array([0.6, -0.8]) * np.log1p(5.0))


def test_what_stands_still_has_no_course_and_its_time_in_logarithms():
    found = of([5], [[0.0, 0.0]], [9.0])
    assert found[0, 2:] == pytest.approx([0.0, 0.0, np.log1p(9.0)])


def test_no_cells_give_no_vectors():
    assert of(np.empty(0, np.int64), np.empty((0, 2)), []).shape == (0, 5)
