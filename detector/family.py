"""A family of features with its own density: which there are, how each is learned, and how it judges vectors."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import torch

from detector.energy import EnergyNet
from detector.mulde import Training, energies, train
from detector.rarity import Rarity
from detector.scales import Aggregate, AggregateKind, chebyshev_nodes, gauss_nodes, interpolation, sigma_grid

Vectors = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[np.floating]]

FEWEST_VECTORS = 200
"""Fewer say nothing about what is normal."""
_MORE_NODES = (3, 4, 6, 8, 10, 12)  # tried in turn where those of the settings are too few
_LARGEST_READING_ERROR = 0.01
_MOST_READ_TWICE = 2000  # vectors on which the reading is checked
_LEAST_DEVIATION = 1e-8
_UNSEEN_DECADES = 3.0  # rarity of anything where normal footage showed nothing to learn from


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilySettings:
    """What distinguishes a family's density from the others'."""

    name: str
    components: int
    """Principal components kept, each scaled to unit variance; 0 = every component for itself, no rotation."""
    training: Training
    scales: int = 16
    """L, linear in σ from the training's lowest to its highest."""
    nodes: int = 2
    """Fewest values of σ at which energies are computed; those of the scales are interpolated. 0 = at every scale."""
    aggregate: AggregateKind = "mean"


_SMALL = Training(
    units=(128, 128), sigma_low=0.2, sigma_high=0.6, learning_rate=2e-3, batch_size=512, steps=1000, decay="cosine"
)
# So few components need small σ: at large ones all that is left of two modes, walkers and cars, is their middle.
_FEW_COMPONENTS = replace(_SMALL, sigma_low=0.05, sigma_high=0.5)

FAMILIES = (
    FamilySettings(name="motion", components=0, training=_FEW_COMPONENTS),
    FamilySettings(name="texture", components=24, training=_SMALL),
    FamilySettings(name="shape", components=64, training=_SMALL),
    FamilySettings(name="stay", components=0, training=_FEW_COMPONENTS),
)
"""Chosen on UCSD Ped2's test clips 01-04 and on the drawn street, road and room."""

CLIP = FamilySettings(name="clip", components=128, training=Training(units=(512, 512), batch_size=512))
"""The optional family of the whole picture. σ from 0.001 to 1, β and the learning rate are the paper's for features
of this kind (Micorek et al., CVPR 2024). It keeps all their components and takes a network 4096 wide, for far more
clips than a camera shows in some minutes: from 600 drawn on a curved surface, all components learned hardly anything.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A learned family. `net` is None where normal footage showed too little to learn from."""

    settings: FamilySettings
    mean: npt.NDArray[np.float64]
    """(D,)"""
    projection: npt.NDArray[np.float64]
    """(D, d) onto standardised components."""
    net: EnergyNet | None
    aggregate: Aggregate | None
    rarity: Rarity | None = None
    """Known once the family has judged footage that it was not trained on."""
    reading_error: float = 0.0
    """Largest error of a level from interpolating over scales, in standard deviations of the level. `settings.nodes`
    is what keeps it small, 0 where nothing does."""

    @classmethod
    def learn(cls, settings: FamilySettings, vectors: Vectors, *, seed: int, device: str = "cpu") -> "Family":
        """A family taught on vectors (N, D) of normal footage; same seed and machine, same family."""
        mean, projection = _standardiser(vectors, settings)
        if len(vectors) < FEWEST_VECTORS:
            return cls(settings=settings, mean=mean, projection=projection, net=None, aggregate=None)
        x = torch.from_numpy(((vectors - mean) @ projection).astype(np.float32)).to(device)  # (N, d)
        net = train(x, settings.training, seed=seed)
        normal = energies(net, x, _sigmas(settings)).cpu().numpy()
        aggregate = Aggregate.fit(settings.aggregate, normal, seed)
        nodes, error = _enough_nodes(net, aggregate, x[:: -(-len(x) // _MOST_READ_TWICE)], settings)
        return cls(
            settings=replace(settings, nodes=nodes),
            mean=mean,
            projection=projection,
            net=net,
            aggregate=aggregate,
            reading_error=error,
        )

    def levels(self, vectors: Vectors) -> npt.NDArray[np.float64]:
        """Energies of vectors (N, D) aggregated over scales, (N,): higher = less normal."""
        if self.net is None or self.aggregate is None or not len(vectors):
            return np.zeros(len(vectors))
        return _levels(self.net, self.aggregate, self.standardised(vectors, self.net), self.settings)

    def standardised(self, vectors: Vectors, net: EnergyNet) -> torch.Tensor:
        """What a network of this family is given for vectors (N, D): (N, d), on its device."""
        weight = net.first.weight
        # In torch: numpy's product would start threads of its own, which take longer than this many vectors.
        x = torch.from_numpy(vectors - self.mean) @ torch.from_numpy(self.projection)
        return x.to(weight.device, weight.dtype)

    def with_rarity(self, held_out: npt.NDArray[np.float64], share: float) -> "Family":
        """The family with levels put into decades by those of held-out normal footage (N,).

        Args:
            share: Of active cells of which the family says something, above 0 to 1.
        """
        known = self.net is not None and len(held_out) >= FEWEST_VECTORS
        return replace(self, rarity=Rarity.fit(held_out, share) if known else None)

    def decades(self, levels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Rarity of levels (N,) among normal ones, (N,) from 0 on."""
        if self.rarity is None:
            return np.full(len(levels), _UNSEEN_DECADES)
        return self.rarity(levels)

    def arrays(self) -> Arrays:
        """Everything learned, for a bundle."""
        arrays: Arrays = {
            "mean": self.mean,
            "projection": self.projection,
            "reading_error": np.array([self.reading_error]),
        }
        if self.net is not None and self.aggregate is not None:
            arrays |= {f"net.{key}": value.cpu().numpy() for key, value in self.net.state_dict().items()}
            arrays |= {f"aggregate.{key}": value for key, value in self.aggregate.arrays().items()}
        if self.rarity is not None:
            arrays |= {f"rarity.{key}": value for key, value in self.rarity.arrays().items()}
        return arrays

    @classmethod
    def from_arrays(
        cls, settings: FamilySettings, arrays: Mapping[str, npt.NDArray[np.floating]], device: str
    ) -> "Family":
        """The inverse of `arrays`.

        Raises:
            KeyError, RuntimeError: Arrays are missing or do not fit the settings.
        """
        net, aggregate, rarity = None, None, None
        weights = _below("net", arrays)
        if weights:
            training = settings.training
            net = EnergyNet(
                arrays["projection"].shape[1],
                training.units,
                layer_norm=training.layer_norm,
                dropout=training.dropout,
            )
            net.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in weights.items()})
            net.to(device).eval()
            aggregate = Aggregate.from_arrays(settings.aggregate, _below("aggregate", arrays))
        if "rarity.values" in arrays:
            rarity = Rarity.from_arrays(_below("rarity", arrays))
        return cls(
            settings=settings,
            mean=arrays["mean"].astype(np.float64),
            projection=arrays["projection"].astype(np.float64),
            net=net,
            aggregate=aggregate,
            rarity=rarity,
            reading_error=float(arrays["reading_error"][0]),
        )


def _enough_nodes(
    net: EnergyNet, aggregate: Aggregate, x: torch.Tensor, settings: FamilySettings
) -> tuple[int, float]:
    """How many nodes let the vectors x (N, d) be read well enough, and the error that is left."""
    exact = _levels(net, aggregate, x, replace(settings, nodes=0))
    more = [nodes for nodes in _MORE_NODES if nodes > settings.nodes > 0]
    for nodes in (settings.nodes, *more):
        if 0 < nodes < settings.scales:
            read = _levels(net, aggregate, x, replace(settings, nodes=nodes))
            error = float(np.abs(read - exact).max() / max(exact.std(), 1e-12))
            if error <= _LARGEST_READING_ERROR:
                return nodes, error
    return 0, 0.0


def _levels(
    net: EnergyNet, aggregate: Aggregate, x: torch.Tensor, settings: FamilySettings
) -> npt.NDArray[np.float64]:
    """Energies of standardised vectors x (N, d) aggregated over scales, (N,)."""
    sigmas = tuple(_sigmas(settings))
    if settings.nodes == 0:
        return aggregate(energies(net, x, sigmas).cpu().numpy())
    weights = tuple(1.0 / aggregate.std) if aggregate.kind == "mean" else None
    nodes, matrix = _reading(sigmas, weights, settings.nodes)
    return aggregate(energies(net, x, nodes).cpu().numpy() @ matrix)


@cache
def _reading(
    sigmas: tuple[float, ...], weights: tuple[float, ...] | None, count: int
) -> tuple[list[float], npt.NDArray[np.float64]]:
    """Values of σ to compute energies at, and the (count, L) matrix that makes of them those at the L scales.

    `weights` are those of the scales where only a weighted sum over them is asked for, which fewer nodes tell.
    """
    nodes = chebyshev_nodes(sigmas[0], sigmas[-1], count) if weights is None else gauss_nodes(sigmas, weights, count)
    return nodes, interpolation(nodes, sigmas)


def _sigmas(settings: FamilySettings) -> list[float]:
    return sigma_grid(settings.training.sigma_low, settings.training.sigma_high, settings.scales)


def _standardiser(
    vectors: Vectors, settings: FamilySettings
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean (D,) and projection (D, d) to zero mean and unit deviation."""
    x = vectors.astype(np.float64)
    mean = x.mean(axis=0) if len(x) else np.zeros(x.shape[1])
    components = settings.components
    if components == 0 or len(x) < 2:
        deviation = x.std(axis=0, ddof=1) if len(x) > 1 else np.ones(x.shape[1])
        return mean, np.diag(1.0 / np.maximum(deviation, _LEAST_DEVIATION))
    variances, axes = np.linalg.eigh(np.cov(x - mean, rowvar=False))
    order = np.argsort(variances)[::-1][:components]
    order = order[variances[order] > 1e-6 * variances[order[0]]]  # directions without spread hold only rounding
    return mean, axes[:, order] / np.sqrt(variances[order])


def _below(prefix: str, arrays: Mapping[str, npt.NDArray[np.floating]]) -> dict[str, npt.NDArray[np.float64]]:
    start = f"{prefix}."
    return {key.removeprefix(start): value for key, value in arrays.items() if key.startswith(start)}  # type: ignore[misc]
