"""Simple detectors on the features of MULDE's families, to see what the densities add.

They share the held-out blocks, the rarities and the fusion.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

from calibrate.train import Taught, fused, stacked
from detector.detector import WIDTHS, Features
from detector.family import FEWEST_VECTORS, Vectors
from detector.features.grid import Grid
from detector.rarity import Rarity

Array = npt.NDArray[np.float64]
Levels = Callable[[Array], Array]
"""How far standardised vectors (N, d) are from what is normal, (N,)."""
Fit = Callable[[Array], Levels]

_REFERENCES = 4000
_RIDGE = 1e-6


def one_gaussian(normal: Array) -> Levels:
    """Mahalanobis distance to one Gaussian around all normal vectors (N, d)."""
    mean = normal.mean(axis=0)
    covariance = np.atleast_2d(np.cov(normal, rowvar=False)) + _RIDGE * np.eye(normal.shape[1])
    whitening = np.linalg.inv(np.linalg.cholesky(covariance)).T
    return lambda vectors: np.asarray(np.linalg.norm((vectors - mean) @ whitening, axis=1))


def nearest_neighbour(normal: Array) -> Levels:
    """Distance to the nearest of some thousand normal vectors (N, d)."""
    chosen = np.random.default_rng(0).permutation(len(normal))[:_REFERENCES]
    neighbours = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(normal[chosen])
    return lambda vectors: np.asarray(neighbours.kneighbors(vectors)[0][:, 0], np.float64)


class SimpleDetector:
    """What learning gives when each family's density is replaced. Give it every density that is taught."""

    def __init__(self, fit: Fit, grid: Grid) -> None:
        self._fit = fit
        self._grid = grid
        self._held_out: dict[str, list[Array]] = defaultdict(list)
        self._decades: dict[str, Callable[[Vectors], Array]] = {}

    def take(self, taught: Taught) -> None:
        """Learn what that density has learned from."""
        family, name = taught.family, taught.family.settings.name

        def standardised(vectors: Vectors) -> Array:
            return np.asarray((vectors - family.mean) @ family.projection, np.float64)

        fitted = None if family.net is None else self._fit(standardised(taught.learned_from))

        def levels(vectors: Vectors) -> Array:
            if fitted is None or not len(vectors):
                return np.zeros(len(vectors))
            return fitted(standardised(vectors))

        if taught.held_out:
            self._held_out[name] += [levels(stacked(one.seen, name, WIDTHS[name])) for one in taught.held_out]
            return
        held_out = np.concatenate(self._held_out.pop(name))
        if fitted is None or len(held_out) < FEWEST_VECTORS:
            self._decades[name] = lambda vectors: family.decades(levels(vectors))  # it has no rarity either
            return
        rarity = Rarity.fit(held_out, taught.share)
        self._decades[name] = lambda vectors: rarity(levels(vectors))

    def scores(self, seen: Sequence[Features]) -> Array:
        """Raw scores of pictures (P,)."""
        decades = {name: of(stacked(seen, name, WIDTHS[name])) for name, of in self._decades.items()}
        return fused(seen, decades, self._grid)
