import numpy as np
import pytest

from detector.drift import FEWEST_BLOCKS, Drift, dependence
from detector.fusion import Evidence

CELLS = np.arange(30)


def play(drift, means, start_s=0.0, name="shape", every_s=1.0):
    """Ten seconds of each mean; which families have drifted after each block."""
    states = []
    for number, mean in enumerate(means):
        evidence = {name: Evidence(CELLS, np.full(len(CELLS), mean))}
        for second in np.arange(0.0, 10.0, every_s):
            drift.step(evidence, start_s + 10.0 * number + float(second))
        states.append(drift.changed)
    return states


def normal(seed, count):
    return np.random.default_rng(seed).normal(0.5, 0.05, count)


def test_a_lasting_shift_is_found_within_minutes():
    drift = Drift({"shape": normal(0, 100)}, days=30)
    play(drift, normal(1, 60))
    states = play(drift, normal(2, 40) + 0.2, start_s=600.0)
    found = states.index(("shape",))
    assert 10 <= found < 30  # blocks of ten seconds


def test_what_is_as_calibrated_is_no_drift():
    for seed in range(5):
        drift = Drift({"shape": normal(seed, 100)}, days=30)
        assert not any(play(drift, normal(100 + seed, 2000)))


def test_false_alarms_are_as_rare_as_asked_for():
    days = 0.05  # 432 blocks, so that there are some to count
    alarms = 0
    for seed in range(20):
        drift = Drift({"shape": normal(seed, 100)}, days=days)
        states = play(drift, normal(100 + seed, 432))
        alarms += sum(now != before and now != () for before, now in zip([(), *states], states, strict=False))
    assert alarms <= 20


def dependent(seed, count, likeness):
    """Blocks of which neighbours correlate so much."""
    steps = np.random.default_rng(seed).normal(size=count)
    means = np.empty(count)
    means[0] = steps[0]
    for number in range(1, count):
        means[number] = likeness * means[number - 1] + np.sqrt(1.0 - likeness**2) * steps[number]
    return 0.5 + 0.05 * means


@pytest.mark.parametrize("likeness", [0.0, 0.6, 0.9])
def test_blocks_that_depend_on_each_other_raise_no_more_alarms(likeness):
    for seed in range(3):
        blocks = dependent(seed, 100 + 8640, likeness)
        drift = Drift({"shape": blocks[:100]}, days=30)
        assert not any(play(drift, blocks[100:], every_s=5.0))


@pytest.mark.parametrize(("likeness", "least", "most"), [(0.0, 1.0, 1.3), (0.5, 2.0, 4.0), (0.9, 10.0, 30.0)])
def test_dependence_is_the_time_over_which_blocks_correlate(likeness, least, most):
    """(1 + r) / (1 - r): 1, 3 and 19."""
    assert least <= dependence(dependent(0, 1000, likeness)) <= most


def test_a_calibration_of_blocks_that_hardly_differ_tells_nothing_of_what_is_as_calm():
    drift = Drift({"shape": np.full(50, 0.5)}, days=30)
    assert not any(play(drift, np.full(200, 0.5)))


def test_a_short_anomaly_is_no_drift():
    drift = Drift({"shape": normal(0, 200)}, days=30)
    play(drift, normal(1, 60))
    assert not any(play(drift, [3.0] * 3, start_s=600.0))
    assert not any(play(drift, normal(2, 100), start_s=630.0))


def test_drift_ends_where_all_is_as_before():
    drift = Drift({"shape": normal(0, 100)}, days=30)
    play(drift, normal(1, 60) + 0.3)
    assert drift.changed == ("shape",)
    states = play(drift, normal(2, 60), start_s=600.0)
    assert states[0] == ("shape",)
    assert states[-1] == ()


def test_less_than_usual_is_no_drift():
    drift = Drift({"shape": normal(0, 100)}, days=30)
    assert not any(play(drift, normal(1, 200) - 0.3))


@pytest.mark.parametrize("calibrated", [{}, {"shape": normal(0, FEWEST_BLOCKS - 1)}])
def test_too_short_a_calibration_tells_of_no_drift(calibrated):
    drift = Drift(calibrated, days=30)
    assert not any(play(drift, [3.0] * 100))


def test_blocks_with_hardly_anything_in_them_do_not_count():
    drift = Drift({"shape": normal(0, 100)}, days=30)
    for second in range(2000):
        drift.step({"shape": Evidence(CELLS[:1], np.array([3.0]))}, float(second))
    assert drift.changed == ()


def test_equal_blocks_are_no_drift():
    drift = Drift({"shape": np.zeros(100)}, days=30)
    assert not any(play(drift, [0.0] * 500))
