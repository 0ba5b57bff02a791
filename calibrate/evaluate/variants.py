"""What other readings of the same densities would score: each scale alone, other aggregates, score norms.

All variants share the energies of a vector; each has its own rarities, learned from held-out footage as the product
learns its own, and goes through the same fusion. Nothing here is chosen by test labels.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from calibrate.blocks import Block
from calibrate.train import Taught, count, fused, stacked
from detector.detector import Features
from detector.family import FAMILIES, Family, Vectors
from detector.features.grid import Grid
from detector.mulde import EnergyNet, energies, score_norms
from detector.scales import AGGREGATES, Aggregate, AggregateKind, sigma_grid

Array = npt.NDArray[np.float64]
Reading = Literal["energy", "score norm"]

_READINGS: dict[Reading, Callable[[EnergyNet, torch.Tensor, Sequence[float]], torch.Tensor]] = {
    "energy": energies,
    "score norm": score_norms,
}
_FITTED_ON = 4_000  # vectors of each density's own; the mixtures take time
_HELD_OUT = 12_000  # vectors of each family and fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A way from the network's values at the scales of a vector to one number."""

    reading: Reading
    aggregate: AggregateKind
    scale: int | None = None
    """The only one that is looked at, counted from the lowest σ; None = all."""

    def of(self, values: Mapping[Reading, Array]) -> Array:
        """The values that are looked at, (N, L) or (N, 1)."""
        read = values[self.reading]
        return read if self.scale is None else read[:, self.scale : self.scale + 1]


SCALES = tuple(
    Variant(reading="energy", aggregate="mean", scale=scale)
    for scale in range(min(settings.scales for settings in FAMILIES))
)
AGGREGATED: dict[Reading, dict[str, Variant]] = {
    reading: {kind: Variant(reading=reading, aggregate=kind) for kind in AGGREGATES} for reading in _READINGS
}
ALL = (*SCALES, *(variant for of_reading in AGGREGATED.values() for variant in of_reading.values()))


class Variants:
    """All variants of a camera's families. Give it every density that is taught, then pictures.

    Args:
        seed: Of the samples and the mixtures.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._generator = np.random.default_rng(seed)
        self._held_out: dict[str, dict[Variant, list[Array]]] = defaultdict(lambda: defaultdict(list))
        self._families: dict[str, dict[Variant, Family]] = {}

    def take(self, taught: Taught) -> None:
        """Learn from a density, which is let go of afterwards unless it is the last of its family."""
        with threadpool_limits(1, "blas"):  # threads that spin over the mixtures' small matrices cost far more
            self._take(taught)

    def _take(self, taught: Taught) -> None:
        family = taught.family
        name = family.settings.name
        own = _values(family, self._some(taught.learned_from, _FITTED_ON))
        fitted = {variant: self._fitted(family, variant, own) for variant in ALL}
        if not taught.held_out:
            self._families[name] = {
                variant: one.with_rarity(np.concatenate(self._held_out[name][variant]), taught.share)
                for variant, one in fitted.items()
            }
            return
        values = _values(family, self._some_of(taught.held_out, name, len(family.mean)))
        for variant, one in fitted.items():
            self._held_out[name][variant].append(_levels(one, variant, values))

    def scores(self, seen: Sequence[Features], grid: Grid) -> dict[Variant, Array]:
        """Raw scores of pictures (P,). All their vectors are held at once: some dozens of pictures are enough."""
        decades: dict[Variant, dict[str, Array]] = {variant: {} for variant in ALL}
        with threadpool_limits(1, "blas"):
            self._judge(seen, decades)
        return {variant: fused(seen, by_family, grid) for variant, by_family in decades.items()}

    def _judge(self, seen: Sequence[Features], decades: dict[Variant, dict[str, Array]]) -> None:
        """Fill in the decades of every variant and family."""
        for name, of_family in self._families.items():
            first = next(iter(of_family.values()))
            values = _values(first, stacked(seen, name, len(first.mean)))
            for variant, family in of_family.items():
                decades[variant][name] = family.decades(_levels(family, variant, values))

    def _fitted(self, family: Family, variant: Variant, own: Mapping[Reading, Array]) -> Family:
        if family.net is None:
            return family
        return replace(family, aggregate=Aggregate.fit(variant.aggregate, variant.of(own), self._seed))

    def _some(self, vectors: Vectors, most: int) -> Vectors:
        if len(vectors) <= most:
            return vectors
        return vectors[np.sort(self._generator.choice(len(vectors), most, replace=False))]

    def _some_of(self, blocks: Sequence[Block], name: str, width: int) -> Vectors:
        """Vectors of all of the blocks, as many of each as is its part."""
        share = min(1.0, _HELD_OUT / max(1, count(blocks, name)))
        vectors = (stacked(block.seen, name, width) for block in blocks)
        return np.concatenate([self._some(one, round(share * len(one))) for one in vectors])


def _values(family: Family, vectors: Vectors) -> dict[Reading, Array]:
    """What the network says of vectors (N, D) at every scale, (N, L) by reading."""
    if family.net is None:
        return {reading: np.zeros((len(vectors), family.settings.scales)) for reading in _READINGS}
    training = family.settings.training
    sigmas = sigma_grid(training.sigma_low, training.sigma_high, family.settings.scales)
    x = family.standardised(vectors, family.net)  # (N, d)
    return {
        reading: read(family.net, x, sigmas).detach().cpu().numpy().astype(np.float64)
        for reading, read in _READINGS.items()
    }


def _levels(family: Family, variant: Variant, values: Mapping[Reading, Array]) -> Array:
    """The variant's number for each vector, (N,)."""
    read = variant.of(values)
    if family.aggregate is None or not len(read):
        return np.zeros(len(read))
    return family.aggregate(read)
