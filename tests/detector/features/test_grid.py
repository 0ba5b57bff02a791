import numpy as np
import pytest

from detector.features.grid import Grid

GRID = Grid(96, 160)  # 6 rows of 10 cells, maps of 24 × 40


def test_a_quarter_is_the_mean_of_sixteen_pixels():
    picture = np.random.default_rng(0).integers(0, 256, (96, 160), np.uint8).astype(np.float32)

    quarter = GRID.quarter(picture)

    assert quarter.dtype == np.float32
    assert quarter == pytest.approx(picture.reshape(24, 4, 40, 4).mean(axis=(1, 3)), abs=1e-3)


def test_a_quarter_keeps_channels():
    assert GRID.quarter(np.zeros((96, 160, 2), np.float32)).shape == (24, 40, 2)


def test_a_window_is_the_cell_and_half_a_cell_around_it():
    quarter = np.arange(24 * 40, dtype=np.float32).reshape(24, 40)

    windows = GRID.windows(quarter)

    assert windows.shape == (6, 10, 64)
    for row, column in ((1, 1), (3, 5), (4, 8)):
        around = quarter[4 * row - 2 : 4 * row + 6, 4 * column - 2 : 4 * column + 6]
        assert np.array_equal(windows[row, column], around.ravel())


def test_a_window_at_the_border_is_mirrored():
    quarter = np.arange(24 * 40, dtype=np.float32).reshape(24, 40)

    corner = GRID.windows(quarter)[0, 0].reshape(8, 8)

    assert np.array_equal(corner[2:, 2:], quarter[:6, :6])
    assert np.array_equal(corner[0], corner[4])
    assert np.array_equal(corner[:, 1], corner[:, 3])


def test_without_polygons_every_cell_counts():
    assert GRID.outside(()).shape == (6, 10)
    assert GRID.outside(()).all()


@pytest.mark.parametrize(
    ("left", "right", "covered"),
    [
        (0.0, 0.5, range(5)),
        (0.5, 1.0, range(5, 10)),
        (0.0, 0.4, range(4)),
        (0.28, 0.72, range(3, 7)),
        (0.0, 1.0, range(10)),
    ],
)
def test_cells_are_left_out_where_their_centre_is_in_a_polygon(left, right, covered):
    """Corners were once rounded to cells, which covered a column whose centres were outside."""
    outside = GRID.outside((((left, 0.0), (right, 0.0), (right, 1.0), (left, 1.0)),))

    assert np.array_equal(outside, np.tile([column not in covered for column in range(10)], (6, 1)))


def test_a_triangle_covers_what_lies_under_its_diagonal():
    outside = GRID.outside((((0.0, 0.0), (0.0, 1.0), (1.0, 1.0)),))

    for row in range(6):
        for column in range(10):
            x, y = (column + 0.5) / 10, (row + 0.5) / 6
            if abs(x - y) > 0.01:
                assert outside[row, column] == (x > y), (row, column)


def test_polygons_add_up_even_where_they_overlap():
    left = ((0.0, 0.0), (0.6, 0.0), (0.6, 1.0), (0.0, 1.0))
    right = ((0.4, 0.0), (1.0, 0.0), (1.0, 1.0), (0.4, 1.0))

    assert not GRID.outside((left, right)).any()


def test_a_polygon_smaller_than_a_cell_may_cover_none():
    assert GRID.outside((((0.01, 0.01), (0.02, 0.01), (0.02, 0.02)),)).all()
