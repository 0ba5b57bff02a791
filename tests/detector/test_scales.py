import math

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from detector.scales import AGGREGATES, Aggregate, sigma_grid


@pytest.fixture
def normal():
    """Energies at three scales, of very different sizes, from two groups of vectors."""
    generator = np.random.default_rng(0)
    values = generator.normal([10.0, -2.0, 0.1], [5.0, 1.0, 0.01], (400, 3))
    values[:100] += [40.0, 6.0, -0.1]
    return values


def test_scales_are_linear_from_end_to_end():
    sigmas = sigma_grid(1e-3, 1.0, 16)

    assert sigmas[0] == 1e-3
    assert sigmas[-1] == 1.0
    assert np.diff(sigmas) == pytest.approx([0.0666] * 15)


def test_geometric_scales_grow_by_the_same_factor():
    assert sigma_grid(0.001, 1.0, 4, "geometric") == pytest.approx([0.001, 0.01, 0.1, 1.0])


@pytest.mark.parametrize(("kind", "expected"), [("max", 4.0), ("mean", 4.0 / 3), ("median", 1.0)])
def test_an_aggregate_is_taken_over_scales_that_are_standardised(kind, expected):
    aggregate = Aggregate.fit(
        kind, np.array([[8.0, 0.0, -3.0], [12.0, 2.0, -1.0]])
    )  # means 10, 1, -2; deviations 2, 1, 1

    assert aggregate(np.array([[18.0, 0.0, -1.0], [10.0, 1.0, -2.0]])) == pytest.approx([expected, 0.0])


def test_one_gaussian_gives_its_negative_log_likelihood(normal):
    aggregate = Aggregate.fit("gmm1", normal)
    points = normal[:5] + np.array([3.0, 0.0, 0.05])

    z = (points - normal.mean(axis=0)) / normal.std(axis=0)
    covariance = np.corrcoef(normal.T) + 1e-4 * np.eye(3)
    expected = 0.5 * (
        np.einsum("ni,ij,nj->n", z, np.linalg.inv(covariance), z)
        + np.linalg.slogdet(covariance)[1]
        + 3 * math.log(2 * math.pi)
    )
    assert aggregate(points) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("components", [3, 5])
def test_a_mixture_gives_the_likelihood_of_scikit_learn(normal, components):
    z = (normal - normal.mean(axis=0)) / normal.std(axis=0)
    mixture = GaussianMixture(components, reg_covar=1e-4, random_state=4).fit(z)

    assert Aggregate.fit(f"gmm{components}", normal, seed=4)(normal) == pytest.approx(
        -mixture.score_samples(z), abs=1e-4
    )


@pytest.mark.parametrize("kind", AGGREGATES)
def test_higher_energies_at_every_scale_are_less_normal(normal, kind):
    aggregate = Aggregate.fit(kind, normal)

    assert aggregate(normal.max(axis=0, keepdims=True) + 10 * normal.std(axis=0)) > aggregate(normal).max()


@pytest.mark.parametrize("kind", AGGREGATES)
def test_an_aggregate_survives_as_arrays(normal, kind):
    aggregate = Aggregate.fit(kind, normal)

    restored = Aggregate.from_arrays(kind, aggregate.arrays())

    assert np.array_equal(restored(normal), aggregate(normal))


def test_a_mixture_depends_on_nothing_but_its_seed(normal):
    first = Aggregate.fit("gmm5", normal, seed=1)(normal)
    np.random.default_rng().random()
    assert np.array_equal(first, Aggregate.fit("gmm5", normal, seed=1)(normal))


@pytest.mark.parametrize("kind", ["max", "mean", "median"])
def test_a_scale_at_which_all_energies_are_alike_does_no_harm(kind):
    aggregate = Aggregate.fit(kind, np.array([[1.0, 5.0], [3.0, 5.0]]))

    assert np.isfinite(aggregate(np.array([[1.0, 5.0], [3.0, 5.0]]))).all()
