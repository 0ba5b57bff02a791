import numpy as np
import pytest

from detector.features.appearance import directions


def test_directions_are_unit_vectors_of_the_cells_asked_for():
    layer = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)

    vectors = directions(layer, np.array([0, 6, 11]))

    assert vectors.dtype == np.float32
    for vector, (row, column) in zip(vectors, [(0, 0), (1, 2), (2, 3)], strict=True):
        assert vector == pytest.approx(layer[:, row, column] / np.linalg.norm(layer[:, row, column]), abs=1e-6)


def test_contrast_does_not_change_a_direction():
    layer = np.random.default_rng(0).normal(size=(5, 3, 4)).astype(np.float32)

    assert directions(7 * layer, np.arange(12)) == pytest.approx(directions(layer, np.arange(12)), abs=1e-6)


def test_a_cell_without_any_signal_has_a_finite_direction():
    assert np.array_equal(directions(np.zeros((5, 3, 4), np.float32), np.array([3])), np.zeros((1, 5)))


def test_no_cells_have_no_directions():
    assert directions(np.ones((5, 3, 4), np.float32), np.empty(0, np.int64)).shape == (0, 5)
