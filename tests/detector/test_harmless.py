import numpy as np
import pytest

from detector.features.grid import Grid
from detector.harmless import REACH_CELLS, Harmless, Mark, Standardiser

GRID = Grid(160, 320)
DIMS = {"motion": 1, "texture": 4, "shape": 8, "stay": 3}
UNITS = {name: Standardiser(np.zeros(count), np.eye(count)) for name, count in DIMS.items()}
NO_CLIPS = {"clip_ends_s": np.empty(0), "clips": np.empty((0, 0), np.float16)}
PLACE = 4 * GRID.columns + 9


def mark(*cells, **clips):
    """Of cells given as (time, cell, family=level, ...): a family's vector has the level everywhere."""
    rows, vectors = {}, {}
    for row, (_, _, levels) in enumerate(cells):
        for name, level in levels.items():
            rows.setdefault(name, []).append(row)
            vectors.setdefault(name, []).append(np.full(DIMS[name], level))
    return Mark(
        times_s=np.array([time_s for time_s, _, _ in cells], np.float64),
        cells=np.array([cell for _, cell, _ in cells], np.int64),
        rows={name: np.array(own) for name, own in rows.items()},
        vectors={name: np.array(own, np.float16) for name, own in vectors.items()},
        **{**NO_CLIPS, **clips},
    )


def forgives(harmless, *cells):
    """Of one picture's cells, given as (cell, levels) in ascending order."""
    samples = {}
    for name in DIMS:
        own = [(cell, np.full(DIMS[name], levels[name])) for cell, levels in cells if name in levels]
        if own:
            where, vectors = zip(*own, strict=True)
            samples[name] = (np.array(where), np.array(vectors, np.float32))
    return harmless.forgives(np.array([cell for cell, _ in cells]), samples).tolist()


VAN = {"motion": 4.0, "texture": 5.0, "shape": 6.0}
WALKER = {"motion": 0.0, "texture": -5.0, "shape": -6.0}


def test_without_a_mark_nothing_is_forgiven():
    harmless = Harmless([], UNITS, GRID)
    assert not harmless
    assert forgives(harmless, (PLACE, VAN)) == [False]


def test_the_same_at_the_same_place_is_forgiven_and_nothing_beside_it():
    harmless = Harmless([mark((0.0, PLACE, VAN))], UNITS, GRID)
    assert harmless
    assert forgives(harmless, (PLACE, VAN), (PLACE + 1, WALKER)) == [True, False]


@pytest.mark.parametrize("step", [1, GRID.columns])
def test_the_same_is_forgiven_only_near_where_it_was(step):
    harmless = Harmless([mark((0.0, PLACE, VAN))], UNITS, GRID)
    assert forgives(harmless, (PLACE + REACH_CELLS * step, VAN)) == [True]
    assert forgives(harmless, (PLACE + (REACH_CELLS + 1) * step, VAN)) == [False]


def test_a_cell_at_the_left_edge_is_not_near_the_right_edge_a_row_above():
    edge = 4 * GRID.columns
    harmless = Harmless([mark((0.0, edge, VAN))], UNITS, GRID)
    assert forgives(harmless, (edge - 1, VAN), (edge, VAN)) == [False, True]


@pytest.mark.parametrize("name", ["motion", "texture", "shape"])
def test_what_differs_in_a_single_family_is_not_forgiven(name):
    harmless = Harmless([mark((0.0, PLACE, VAN))], UNITS, GRID)
    assert forgives(harmless, (PLACE, {**VAN, name: VAN[name] + 3.0})) == [False]


def test_families_that_resemble_different_marked_cells_forgive_nothing():
    """Or a van's speed and a walker's looks would make a runner harmless."""
    harmless = Harmless([mark((0.0, PLACE, VAN), (5.0, PLACE, WALKER))], UNITS, GRID)
    assert forgives(harmless, (PLACE, VAN), (PLACE + 1, WALKER)) == [True, True]
    assert forgives(harmless, (PLACE, {**WALKER, "motion": VAN["motion"]})) == [False]


def test_what_stands_where_only_movement_was_marked_is_not_forgiven():
    harmless = Harmless([mark((0.0, PLACE, VAN))], UNITS, GRID)
    standing = {"stay": 0.0, "texture": VAN["texture"], "shape": VAN["shape"]}
    assert forgives(harmless, (PLACE, standing)) == [False]
    assert forgives(Harmless([mark((0.0, PLACE, standing))], UNITS, GRID), (PLACE, standing)) == [True]


def test_a_mark_that_varies_reaches_further_but_only_by_what_differs_between_moments():
    near, far = {**VAN, "shape": VAN["shape"] + 0.6}, {**VAN, "shape": VAN["shape"] + 1.4}
    steady = Harmless([mark((0.0, PLACE, VAN), (1.0, PLACE, VAN))], UNITS, GRID)
    varied = Harmless([mark((0.0, PLACE, VAN), (1.0, PLACE, near))], UNITS, GRID)
    same_moment = Harmless([mark((0.0, PLACE, VAN), (0.1, PLACE + 1, near))], UNITS, GRID)
    question = (PLACE, {**VAN, "shape": VAN["shape"] - 0.55})
    assert forgives(steady, question) == [False]
    assert forgives(same_moment, question) == [False]
    assert forgives(varied, question) == [True]
    assert forgives(varied, (PLACE, far)) == [False]


def test_several_marks_forgive_what_any_of_them_would():
    harmless = Harmless([mark((0.0, PLACE, VAN)), mark((0.0, PLACE + 8, WALKER))], UNITS, GRID)
    assert forgives(harmless, (PLACE, VAN), (PLACE + 8, WALKER), (PLACE + 9, VAN)) == [True, True, False]


def test_a_whole_picture_is_forgiven_where_it_looks_like_a_marked_one():
    clips = {"clip_ends_s": np.array([2.0, 2.5]), "clips": np.array([[3.0, 3.0], [3.1, 3.0]], np.float16)}
    unit = Standardiser(np.zeros(2), np.eye(2))
    harmless = Harmless([mark((0.0, PLACE, VAN), **clips)], UNITS, GRID, unit)
    assert harmless.forgives_clip(np.array([[3.2, 3.0]], np.float32))
    assert not harmless.forgives_clip(np.array([[0.0, 0.0]], np.float32))
    assert not Harmless([mark((0.0, PLACE, VAN))], UNITS, GRID, unit).forgives_clip(np.array([[3.0, 3.0]]))


def test_a_mark_comes_back_from_its_arrays():
    made = mark((0.0, PLACE, VAN), (1.0, PLACE + 1, {"stay": 1.0, "texture": 2.0, "shape": 3.0}))
    back = Mark.from_arrays(made.arrays())
    np.testing.assert_array_equal(back.cells, made.cells)
    assert back.rows.keys() == made.rows.keys() == {"motion", "texture", "shape", "stay"}
    for name in made.rows:
        np.testing.assert_array_equal(back.rows[name], made.rows[name])
        np.testing.assert_array_equal(back.vectors[name], made.vectors[name])
    with pytest.raises(KeyError):
        Mark.from_arrays({"times_s": made.times_s})
