import pytest

from benchmarks import training


def test_both_training_steps_have_the_same_gradient():
    result = training.measure(training.Size(dims=5, units=(16, 12), batch=32, rounds=1), "cpu")

    assert result.difference == pytest.approx(0.0, abs=1e-5)
    assert result.ours_ms > 0
