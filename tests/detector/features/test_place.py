import numpy as np
import pytest

from detector.features.grid import Grid
from detector.features.place import centres


def test_places_are_centres_of_cells_in_fractions_of_the_frame():
    grid = Grid(64, 160)  # 4 rows of 10 cells

    places = centres(np.array([0, 9, 25, 39]), grid)

    assert places.dtype == np.float32
    assert places == pytest.approx(np.array([[0.05, 0.125], [0.95, 0.125], [0.55, 0.625], [0.95, 0.875]]))


def test_no_cells_have_no_places():
    assert centres(np.empty(0, np.int64), Grid(64, 160)).shape == (0, 2)
