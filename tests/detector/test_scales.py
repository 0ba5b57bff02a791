import math

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from detector.scales import (
    AGGREGATES,
    Aggregate,
    chebyshev_nodes,
    gauss_nodes,
    given_grid,
    interpolation,
    sigma_grid,
    single_scale,
)


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


def test_given_scales_are_taken_as_they_are():
    assert given_grid([0.1, 0.5, 2]) == [0.1, 0.5, 2.0]


@pytest.mark.parametrize(
    "sigmas", [[], [0.0, 1.0], [-1.0], [0.5, 0.5], [1.0, 0.5], [0.1, math.inf], [0.1, math.nan, 1.0]]
)
def test_scales_that_are_not_positive_and_ascending_are_refused(sigmas):
    with pytest.raises(ValueError, match="must be positive and each above the last"):
        given_grid(sigmas)


def test_chebyshev_nodes_are_where_the_polynomial_vanishes():
    nodes = np.array(chebyshev_nodes(0.3, 3.0, 6))

    assert (np.diff(nodes) > 0).all()
    assert np.polynomial.Chebyshev.basis(6, domain=[0.3, 3.0])(nodes) == pytest.approx([0.0] * 6, abs=1e-12)


@pytest.mark.parametrize("count", [1, 2, 6, 12])
def test_a_polynomial_is_interpolated_without_error(count):
    polynomial = np.polynomial.Polynomial(np.random.default_rng(0).normal(size=count))
    nodes, sigmas = chebyshev_nodes(0.3, 3.0, count), sigma_grid(0.3, 3.0, 16)

    read = polynomial(np.array(nodes)) @ interpolation(nodes, sigmas)

    assert read == pytest.approx(polynomial(np.array(sigmas)), rel=1e-9)


def test_six_nodes_tell_the_energy_of_a_blurred_gaussian_at_every_scale():
    nodes, sigmas = chebyshev_nodes(1e-3, 1.0, 6), sigma_grid(1e-3, 1.0, 16)
    energy = [0.5 * 9.0 / (1 + sigma**2) + math.log(1 + sigma**2) for sigma in (*nodes, *sigmas)]

    assert energy[:6] @ interpolation(nodes, sigmas) == pytest.approx(energy[6:], abs=0.01)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_gauss_nodes_tell_a_weighted_sum_over_scales_up_to_twice_the_degree(count):
    generator = np.random.default_rng(1)
    sigmas, weights = sigma_grid(0.3, 3.0, 16), generator.uniform(0.2, 5.0, 16)
    nodes = gauss_nodes(sigmas, list(weights), count)
    fits, beyond = (np.polynomial.Polynomial([0.0] * degree + [1.0]) for degree in (2 * count - 1, 2 * count))

    def error(polynomial):
        return weights @ (polynomial(np.array(nodes)) @ interpolation(nodes, sigmas) - polynomial(np.array(sigmas)))

    assert error(fits) == pytest.approx(0.0, abs=1e-9 * weights @ fits(np.array(sigmas)))
    assert abs(error(beyond)) > 1e-9 * weights @ beyond(np.array(sigmas))
    assert sigmas[0] < nodes[0] <= nodes[-1] < sigmas[-1]


def test_a_scale_is_read_alone(normal):
    assert np.array_equal(single_scale(normal, 1), normal[:, 1])


@pytest.mark.parametrize("index", [-1, 3])
def test_a_scale_that_is_not_there_is_refused(normal, index):
    with pytest.raises(ValueError, match="must be 0 to 2"):
        single_scale(normal, index)


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

    read = Aggregate.fit(f"gmm{components}", normal, seed=4)

    assert read(normal) == pytest.approx(-mixture.score_samples(z), abs=1e-4)
    assert read(normal[:1]) == pytest.approx(read(normal)[:1])
    assert read(normal[:0]).shape == (0,)


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
