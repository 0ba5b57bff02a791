import numpy as np
import pytest

from detector.features.grid import Grid
from detector.fusion import Evidence, fuse

GRID = Grid(160, 320)  # 10 rows of 20 cells


def cells_at(rows, columns):
    """Flat indices of a rectangle of cells."""
    return np.array([row * GRID.columns + column for row in rows for column in columns])


def fused(decades, cells):
    """The verdict where all families speak of the same cells."""
    return fuse({name: Evidence(cells, values) for name, values in decades.items()}, GRID)


def test_nothing_there_has_no_score_and_no_region():
    verdict = fused({}, np.empty(0, np.int64))

    assert (verdict.score, verdict.region) == (0.0, None)
    assert verdict.heat.shape == (10, 20)
    assert not verdict.heat.any()


def test_what_is_entirely_common_has_no_score_and_no_region():
    cells = cells_at([4, 5], [7, 8])

    verdict = fused({"motion": np.zeros(4), "shape": np.zeros(4)}, cells)

    assert (verdict.score, verdict.region) == (0.0, None)
    assert verdict.families == {"motion": 0.0, "shape": 0.0}


def test_the_score_is_the_sum_of_the_families_where_it_is_hottest():
    cells = cells_at(range(3, 6), range(10, 13))

    verdict = fused({"motion": np.full(9, 2.0), "shape": np.full(9, 1.5)}, cells)

    assert verdict.score == pytest.approx(3.5)
    assert verdict.families == pytest.approx({"motion": 2.0, "shape": 1.5})
    assert verdict.heat.max() == pytest.approx(verdict.score)
    assert np.unravel_index(verdict.heat.argmax(), verdict.heat.shape) == (4, 11)


def test_parts_of_the_families_add_up_to_the_score():
    generator = np.random.default_rng(0)
    cells = np.sort(generator.choice(200, 60, replace=False))
    decades = {name: generator.exponential(0.6, 60) for name in ("motion", "texture", "shape", "stay")}

    verdict = fused(decades, cells)

    assert verdict.families.keys() == decades.keys()
    assert sum(verdict.families.values()) == pytest.approx(verdict.score, rel=1e-5)


def test_the_region_is_around_what_is_hot_in_fractions_of_the_frame():
    cells = cells_at(range(2, 8), range(4, 10))

    x0, y0, x1, y1 = fused({"shape": np.full(36, 3.0)}, cells).region

    cell_x, cell_y = 1 / 20, 1 / 10
    assert (x0, x1) == pytest.approx((4 / 20, 10 / 20), abs=cell_x)
    assert (y0, y1) == pytest.approx((2 / 10, 8 / 10), abs=cell_y)


def test_the_region_leaves_out_what_is_hot_elsewhere():
    hottest, other = cells_at(range(1, 4), range(1, 4)), cells_at(range(6, 9), range(15, 18))
    decades = {"shape": np.r_[np.full(9, 4.0), np.full(9, 3.9)]}

    verdict = fused(decades, np.r_[hottest, other])

    x0, y0, x1, y1 = verdict.region
    assert x0 <= 2.5 / 20 <= x1 < 0.5
    assert y0 <= 2.5 / 10 <= y1 < 0.55
    assert verdict.score == pytest.approx(4.0)


def test_the_region_of_a_whole_hot_picture_is_the_frame():
    verdict = fused({"shape": np.full(200, 3.0)}, np.arange(200))

    assert verdict.region == (0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize("cell", [0, 19, 180, 199])
def test_a_single_hot_cell_in_a_corner_is_in_the_region(cell):
    x0, y0, x1, y1 = fused({"shape": np.array([6.0])}, np.array([cell])).region

    row, column = divmod(cell, 20)
    assert 0.0 <= x0 <= (column + 0.5) / 20 <= x1 <= 1.0
    assert 0.0 <= y0 <= (row + 0.5) / 10 <= y1 <= 1.0


def test_one_hot_cell_counts_less_than_several():
    alone = fused({"shape": np.array([4.0])}, cells_at([5], [5]))
    together = fused({"shape": np.full(4, 4.0)}, cells_at([5, 6], [5, 6]))

    assert 0.0 < alone.score < together.score


def test_a_verdict_does_not_depend_on_what_is_common_elsewhere():
    hot, common = cells_at(range(1, 4), range(1, 4)), cells_at(range(6, 9), range(15, 18))

    alone = fused({"shape": np.full(9, 4.0)}, hot)
    beside = fused({"shape": np.r_[np.full(9, 4.0), np.full(9, 0.2)]}, np.r_[hot, common])

    assert (beside.score, beside.region) == (alone.score, alone.region)


def test_a_family_that_has_nothing_to_say_of_a_cell_leaves_it_to_the_others():
    block, part = cells_at(range(3, 6), range(10, 13)), cells_at(range(3, 6), range(10, 11))

    verdict = fuse({"shape": Evidence(block, np.full(9, 2.0)), "motion": Evidence(part, np.full(3, 3.0))}, GRID)

    assert verdict.families == pytest.approx({"shape": 2.0, "motion": 1.0})


def test_what_speaks_of_the_whole_picture_is_added_and_leaves_the_place_alone():
    evidence = {"shape": Evidence(cells_at(range(3, 6), range(10, 13)), np.full(9, 2.0))}

    without, verdict = fuse(evidence, GRID), fuse(evidence, GRID, {"clip": 1.5})

    assert verdict.score == pytest.approx(without.score + 1.5)
    assert verdict.families == {**without.families, "clip": 1.5}
    assert verdict.region == without.region
    assert np.array_equal(verdict.heat, without.heat)


def test_a_whole_picture_alone_scores_and_has_no_place():
    verdict = fuse({}, GRID, {"clip": 2.5})

    assert (verdict.score, verdict.region, verdict.families) == (2.5, None, {"clip": 2.5})
    assert not verdict.heat.any()
