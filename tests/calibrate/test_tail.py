import numpy as np
import pytest

from calibrate.tail import Tail

HOUR_S = 3600.0


def exponential(count=60, seed=0, level=3.0):
    """Peaks over a level in an hour, e times fewer with each unit of height."""
    return Tail(level=level, excess=np.random.default_rng(seed).exponential(1.0, count), footage_s=HOUR_S)


@pytest.mark.parametrize("times_fewer", [5.0, 50.0])
def test_the_height_for_a_rate_is_where_the_tail_has_it(times_fewer):
    truth = 3.0 + np.log(times_fewer)
    heights = np.array([exponential(seed=seed).height(60 / HOUR_S / times_fewer) for seed in range(40)])

    assert np.median(heights[:, 0]) == pytest.approx(truth, rel=0.08)
    assert np.mean((heights[:, 1] <= truth) & (truth <= heights[:, 2])) >= 0.9


def test_rarer_is_higher_and_less_certain():
    tail = exponential()
    likely, low, high = np.array([tail.height(rate / HOUR_S) for rate in (30.0, 6.0, 1.0, 0.1)]).T

    assert (np.diff(likely) > 0).all()
    assert (np.diff(high - low) > 0).all()


def test_a_surer_interval_is_wider():
    _, low, high = exponential().height(1 / HOUR_S)
    _, lower, higher = exponential().height(1 / HOUR_S, confidence=0.99)

    assert lower < low < high < higher


def test_as_often_as_the_peaks_themselves_is_their_level():
    assert exponential().height(60 / HOUR_S) == (3.0, 3.0, 3.0)


def test_a_bounded_tail_is_lower_and_a_heavy_one_higher_than_an_exponential_of_the_same_mean():
    uniform = np.random.default_rng(0)

    def height(shape):
        excess = (uniform.random(300) ** -shape - 1.0) / shape
        return Tail(level=0.0, excess=excess / excess.mean(), footage_s=HOUR_S).height(1 / HOUR_S)[0]

    assert height(-0.4) < 0.8 * np.log(300) < 1.2 * np.log(300) < height(0.4)


@pytest.mark.parametrize("excess", [[1.0], [0.5, 0.5, 0.5], [1e-9, 1e-9]])
def test_few_peaks_or_peaks_all_alike_give_a_finite_height_above_their_level(excess):
    likely, low, high = Tail(level=5.0, excess=np.array(excess), footage_s=600.0).height(1 / 86400.0)

    assert 5.0 < low <= likely <= high < np.inf


def test_the_chance_of_the_highest_is_that_of_as_many_peaks():
    tail = exponential(count=2000)
    truth = 1.0 - (1.0 - np.exp(-9.0)) ** 2000

    assert tail.chance_of(12.0) == pytest.approx(truth, abs=0.1)
    assert tail.chance_of(40.0) < 1e-6
    assert tail.chance_of(4.0) > 0.999
