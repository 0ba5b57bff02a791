"""Noise scales and what becomes of the energies read at them: grids of σ, and aggregates of L numbers to one.

The energy is so smooth in σ that a few nodes tell it at every scale between them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from sklearn.mixture import GaussianMixture

Array = npt.NDArray[np.float64]
AggregateKind = Literal["max", "mean", "median", "gmm1", "gmm3", "gmm5"]
AGGREGATES: tuple[AggregateKind, ...] = get_args(AggregateKind)


def sigma_grid(
    low: float, high: float, count: int, spacing: Literal["linear", "geometric"] = "linear"
) -> list[float]:
    """The L noise scales from low to high, both included; the paper reads them linearly spaced."""
    points = np.linspace(low, high, count) if spacing == "linear" else np.geomspace(low, high, count)
    return [float(point) for point in points]


def given_grid(sigmas: Sequence[float]) -> list[float]:
    """Noise scales that somebody chose one by one.

    Raises:
        ValueError: There are none, or they are not positive, finite and ascending.
    """
    grid = [float(sigma) for sigma in sigmas]
    ascending = all(below < above for below, above in pairwise(grid))
    if not grid or grid[0] <= 0 or not math.isfinite(grid[-1]) or not ascending:
        raise ValueError(f"noise scales: must be positive and each above the last, not {grid}")
    return grid


def chebyshev_nodes(low: float, high: float, count: int) -> list[float]:
    """Chebyshev nodes of the first kind on [low, high], ascending: where to read what is to be interpolated."""
    angles = np.pi * (2 * np.arange(count, 0, -1) - 1) / (2 * count)
    return [float(node) for node in (low + high) / 2 + (high - low) / 2 * np.cos(angles)]


def gauss_nodes(sigmas: Sequence[float], weights: Sequence[float], count: int) -> list[float]:
    """Nodes of Gauss's quadrature for Σ_l w_l g(σ_l), ascending.

    The sum over what is interpolated between them is exact for polynomials of degree 2·count − 1, twice the degree
    that other nodes allow: a mean over scales needs half as many.

    Args:
        sigmas: The L scales, ascending.
        weights: w_l > 0.
    """
    low, high = sigmas[0], sigmas[-1]
    sigma = 2 * (np.asarray(sigmas) - low) / (high - low) - 1
    polynomials = np.polynomial.chebyshev.chebvander(sigma, count - 1) * np.sqrt(weights)[:, None]  # (L, K)
    basis = np.linalg.qr(polynomials).Q
    nodes = np.linalg.eigvalsh(basis.T @ (sigma[:, None] * basis))  # of σ as an operator on them (Golub, Welsch)
    return [float(node) for node in low + (nodes + 1) / 2 * (high - low)]


def interpolation(nodes: Sequence[float], sigmas: Sequence[float]) -> Array:
    """Values at K nodes (N, K) times this matrix (K, L) are those of the polynomial through them at the L scales."""
    matrix = np.ones((len(nodes), len(sigmas)))
    for row, node in zip(matrix, nodes, strict=True):
        for other in nodes:
            if other != node:
                row *= (np.asarray(sigmas) - other) / (node - other)  # Lagrange's basis: 1 at node, 0 at the others
    return matrix


def single_scale(values: npt.NDArray[np.floating], index: int) -> Array:
    """The energies (or score norms) (N, L) of one scale alone, (N,): a judgement like an aggregate.

    Raises:
        ValueError: There is no such scale.
    """
    if not 0 <= index < values.shape[1]:
        raise ValueError(f"scale {index}: must be 0 to {values.shape[1] - 1}")
    return np.asarray(values[:, index], np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """L energies (or score norms) of a vector -> one number, higher = less normal.

    Each scale is standardised by its mean and deviation over normal data. Then max, mean or median over scales, or
    the negative log-likelihood under a full-covariance Gaussian mixture of normal data.
    """

    kind: AggregateKind
    mean: Array
    """(L,)"""
    std: Array
    """(L,)"""
    weights: Array
    """(K,) of the mixture; empty for the others."""
    means: Array
    """(K, L)"""
    precisions_cholesky: Array
    """(K, L, L)"""

    @classmethod
    def fit(cls, kind: AggregateKind, normal: npt.NDArray[np.floating], seed: int = 0) -> "Aggregate":
        """The aggregate calibrated on normal energies (N, L)."""
        values = np.asarray(normal, np.float64)
        mean, std = values.mean(axis=0), values.std(axis=0) + 1e-8
        weights, means, cholesky = np.empty(0), np.empty((0, len(mean))), np.empty((0, len(mean), len(mean)))
        if kind.startswith("gmm"):
            # The covariance over scales has few directions that matter; reg_covar decides the others.
            mixture = GaussianMixture(int(kind[3:]), reg_covar=1e-4, random_state=seed).fit((values - mean) / std)
            weights, means, cholesky = mixture.weights_, mixture.means_, mixture.precisions_cholesky_
        return cls(kind=kind, mean=mean, std=std, weights=weights, means=means, precisions_cholesky=cholesky)

    def __call__(self, values: npt.NDArray[np.floating]) -> Array:
        """One number per vector, (N, L) -> (N,)."""
        z = (np.asarray(values, np.float64) - self.mean) / self.std
        if self.kind == "max":
            return np.asarray(z.max(axis=1))
        if self.kind == "mean":
            return np.asarray(z.mean(axis=1))
        if self.kind == "median":
            return np.asarray(np.median(z, axis=1))
        return -self._log_likelihood(z)

    def _log_likelihood(self, z: Array) -> Array:
        """Of standardised values (N, L) under the mixture, (N,); scikit-learn takes far longer over few vectors."""
        whitened = (z - self.means[:, None]) @ self.precisions_cholesky  # (K, N, L)
        determinants = np.log(np.diagonal(self.precisions_cholesky, axis1=1, axis2=2)).sum(axis=1)  # (K,)
        constants = np.log(self.weights) + determinants - 0.5 * z.shape[1] * math.log(2 * math.pi)
        components = constants[:, None] - 0.5 * np.square(whitened).sum(axis=2)  # (K, N)
        return np.asarray(np.logaddexp.reduce(components, axis=0))

    def arrays(self) -> dict[str, Array]:
        """Everything but `kind`, for a bundle."""
        names = ("mean", "std", "weights", "means", "precisions_cholesky")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_arrays(cls, kind: AggregateKind, arrays: Mapping[str, Array]) -> "Aggregate":
        """The inverse of `arrays`."""
        return cls(kind=kind, **{name: np.asarray(value, np.float64) for name, value in arrays.items()})
