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
from detector.family import Vectors
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
        if family.net is None:
            self._decades[name] = lambda vectors: family.decades(family.levels(vectors))
            return

        def standardised(vectors: Vectors) -> Array:
            return np.asarray((vectors - family.mean) @ family.projection, np.float64)

        levels = self._fit(standardised(taught.learned_from))
        if taught.held_out:
            for block in taught.held_out:
                vectors = stacked(block.seen, name, WIDTHS[name])
                if len(vectors):
                    self._held_out[name].append(levels(standardised(vectors)))
            return
        rarity = Rarity.fit(np.concatenate(self._held_out.pop(name)), taught.share)
        self._decades[name] = lambda vectors: rarity(levels(standardised(vectors)))

    def scores(self, seen: Sequence[Features]) -> Array:
        """Raw scores of pictures (P,)."""
        stacks = {name: stacked(seen, name, WIDTHS[name]) for name in self._decades}
        decades = {name: of(stacks[name]) if len(stacks[name]) else np.empty(0) for name, of in self._decades.items()}
        return fused(seen, decades, self._grid)
