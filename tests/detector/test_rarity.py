import numpy as np
import pytest

from detector.rarity import Rarity


@pytest.fixture
def normal():
    return np.random.default_rng(0).exponential(2.0, 20_000)


def test_rarity_counts_how_few_normal_values_are_higher(normal):
    rarity = Rarity.fit(normal)

    assert rarity(np.quantile(normal, [0.0, 0.5, 0.9, 0.99])) == pytest.approx([0.0, 0.301, 1.0, 2.0], abs=0.01)


def test_beyond_what_can_be_counted_an_exponential_tail_goes_on(normal):
    thousandth = 2.0 * np.log(1000)  # of this exponential distribution

    assert Rarity.fit(normal)(np.array([thousandth])) == pytest.approx([3.0], abs=0.15)


def test_more_is_never_less_rare(normal):
    decades = Rarity.fit(normal)(np.linspace(-5.0, 300.0, 5000))

    assert (np.diff(decades) >= 0).all()
    assert decades[0] == 0.0


def test_a_guess_far_out_counts_with_its_logarithm(normal):
    rarity = Rarity.fit(normal)
    at_decades = rarity.values[-1] + rarity.scale * np.log(10) * (np.array([3.0, 6.0, 30.0]) - 2.0)

    assert rarity(at_decades) == pytest.approx([3.0, 3.0 * (1 + np.log(2)), 3.0 * (1 + np.log(10))])


def test_a_value_that_many_normal_ones_have_is_as_common_as_they_are():
    """Things that stand still all have the same speed; what a fifth of them has was once called one in a hundred."""
    normal = np.r_[np.random.default_rng(0).uniform(0.0, 1.0, 8000), np.full(2000, 1.0)]

    assert Rarity.fit(normal)(np.array([1.0])) == pytest.approx([-np.log10(0.2)], abs=0.02)


def test_what_all_normal_footage_shows_is_not_rare():
    assert Rarity.fit(np.full(500, 3.7))(np.array([3.7, 3.0])) == pytest.approx([0.0, 0.0])


def test_more_than_all_normal_footage_shows_is_rare():
    assert Rarity.fit(np.full(500, 3.7))(np.array([5.0]))[0] > 3.0


def test_one_outlier_leaves_the_common_values_as_they_are(normal):
    without, with_one = Rarity.fit(normal), Rarity.fit(np.r_[normal, 1e4])
    common = np.quantile(normal, np.linspace(0.0, 0.98, 50))

    assert with_one(common) == pytest.approx(without(common), abs=0.01)


def test_one_outlier_is_rare_itself():
    normal = np.r_[np.random.default_rng(0).normal(0.0, 1.0, 2000), 1e3]

    assert Rarity.fit(normal)(np.array([1e3]))[0] > 3.0


@pytest.mark.parametrize("count", [1, 2, 200])
def test_few_values_give_finite_rarities(count):
    decades = Rarity.fit(np.arange(float(count)))(np.array([-1.0, 0.0, 0.5 * count, 10.0 * count, 1e9]))

    assert np.isfinite(decades).all()
    assert (np.diff(decades) >= 0).all()


def test_a_rarity_survives_as_arrays(normal):
    rarity = Rarity.fit(normal)

    restored = Rarity.from_arrays(rarity.arrays())

    assert np.array_equal(restored(np.linspace(-1, 99, 500)), rarity(np.linspace(-1, 99, 500)))
