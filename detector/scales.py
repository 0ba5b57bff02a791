"""Noise scales and what becomes of the energies read at them: grids of σ, and aggregates of L numbers to one."""

from collections.abc import Mapping
from dataclasses import dataclass
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
        mixture = GaussianMixture(len(self.weights))
        mixture.weights_, mixture.means_ = self.weights, self.means
        mixture.precisions_cholesky_ = self.precisions_cholesky
        return np.asarray(-mixture.score_samples(z))

    def arrays(self) -> dict[str, Array]:
        """Everything but `kind`, for a bundle."""
        names = ("mean", "std", "weights", "means", "precisions_cholesky")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_arrays(cls, kind: AggregateKind, arrays: Mapping[str, Array]) -> "Aggregate":
        """The inverse of `arrays`."""
        return cls(kind=kind, **{name: np.asarray(value, np.float64) for name, value in arrays.items()})
