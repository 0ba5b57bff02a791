from dataclasses import replace

from benchmarks import scoring

TINY = scoring.Size(dims=5, units=(16, 12), vectors=40, batch=32, steps=30, rounds=1)


def test_every_way_of_scoring_scores_what_the_textbook_does():
    results = {result.way: result for result in scoring.measure(TINY, "cpu", half=True)}

    assert set(results) == {"textbook", "exact", "6 nodes", "3 nodes", "half"}
    assert results["textbook"].errors == {"mean": 0.0, "max": 0.0}
    for way, most in (("exact", 1e-4), ("6 nodes", 1e-2), ("3 nodes", 1e-2), ("half", 0.1)):
        assert max(results[way].errors.values()) < most, way


def test_operations_are_those_of_the_matrix_products():
    assert scoring.operations(replace(TINY, dims=3, units=(5, 2)), 4) == 2 * (3 * 5 + 4 * (5 * 2 + 2))
