"""The toy experiment of the paper: four clusters in the plane are normal, nine around them are not.

Source: MULDE (see `detector.mulde`). Departure: the best of all scales and aggregates by the labels of the test
points is an oracle, and called one; what counts is the maximum over scales, chosen beforehand.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from calibrate.toy.settings import ToyError, ToySettings
from detector.mulde import EnergyNet, Training, energies, score_norms, train
from detector.scales import AGGREGATES, Aggregate, AggregateKind, sigma_grid

Array = npt.NDArray[np.float64]

DEFAULT_AGGREGATE: AggregateKind = "max"
"""The paper's, fixed before any label is seen."""

_NORMAL_CENTRES = ((4.0, 0.0), (-4.0, 0.0), (0.0, 4.0), (0.0, -4.0))
_ANOMALOUS_CENTRES = (
    *((2.0, 2.0), (2.0, -2.0), (-2.0, 2.0), (-2.0, -2.0), (0.0, 0.0)),
    *((6.8, 0.0), (-6.8, 0.0), (0.0, 6.8), (0.0, -6.8)),
)
_CLUSTER_STD = 0.3  # before everything is divided by √2
_DECAY_EPOCHS, _DECAY_FACTOR = 50, 0.9
_MAP_POINTS = 100  # along each side of a map
_DIVERGED = "training diverged: lower --lr, or bound each element of the gradient by --gradient-clipping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """The data, each (N, 2) in the units of the plane."""

    train: Array
    normal: Array
    """To be told from the anomalous ones; never learned from."""
    anomalous: Array


def draw_points(seed: int, train: int = 10_000, test: int = 5_000) -> Points:
    """Training points and as many normal as anomalous test points; same seed, same points."""
    generator = np.random.default_rng(seed)
    return Points(
        train=_clusters(generator, _NORMAL_CENTRES, train),
        normal=_clusters(generator, _NORMAL_CENTRES, test),
        anomalous=_clusters(generator, _ANOMALOUS_CENTRES, test),
    )


def _clusters(generator: np.random.Generator, centres: tuple[tuple[float, float], ...], count: int) -> Array:
    """Points around the centres, each as likely as the others, (count, 2)."""
    chosen = np.array(centres)[generator.integers(len(centres), size=count)]
    return np.asarray((chosen + _CLUSTER_STD * generator.standard_normal((count, 2))) / math.sqrt(2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Aucs:
    """Areas under the ROC curve over the test points: 1 is perfect, 0.5 is chance."""

    by_aggregate: dict[AggregateKind, float]
    by_scale: tuple[float, ...]

    @property
    def oracle(self) -> tuple[str, float]:
        """The best of all by the labels of the test points, which a real camera has not: its name and its area."""
        named: dict[str, float] = {str(kind): auc for kind, auc in self.by_aggregate.items()}
        named |= {f"scale {index + 1}": auc for index, auc in enumerate(self.by_scale)}
        best = max(named, key=named.__getitem__)
        return best, named[best]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How well normal and anomalous test points are told apart after so much training."""

    epoch: int
    steps: int
    energy: Aucs
    score_norm: Aucs


@dataclass(frozen=True, slots=True, kw_only=True)
class Maps:
    """What the network says over the plane."""

    across: Array
    """(W,) first coordinates, in the units of the points."""
    up: Array
    """(H,) second coordinates."""
    energy: Array
    """(L, H, W)"""
    score_norm: Array
    """(L, H, W) squared length of the energy's gradient."""


OnEpoch = Callable[[int, float, Evaluation | None], None]
"""Called after each epoch with its number, its mean loss and, where there was one, its evaluation."""


class Experiment:
    """The network of one toy experiment, how it was taught and what it makes of the plane.

    Args:
        points: What to learn and to tell apart.
        settings: How.
        device: "cpu" or "cuda".
    """

    def __init__(self, points: Points, settings: ToySettings, device: str) -> None:
        self.points = points
        self.settings = settings
        self.sigmas = sigma_grid(
            settings.sigma_low, settings.sigma_high, settings.scales, spacing=settings.sigma_spacing
        )
        self.evaluations: list[Evaluation] = []
        self.seconds = 0.0
        """How long learning took, with its evaluations."""
        self._device = device
        self._mean, self._std = np.zeros(2), np.ones(2)
        if not settings.unstandardized:
            self._mean, self._std = points.train.mean(axis=0), points.train.std(axis=0, ddof=1) + 1e-8
        self._net: EnergyNet | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Batches it takes to see every training point."""
        return math.ceil(len(self.points.train) / self.settings.batch_size)

    @property
    def final(self) -> Evaluation:
        """The evaluation after the last epoch."""
        return self.evaluations[-1]

    def first_with(self, auc: float) -> Evaluation | None:
        """The first evaluation at which the default aggregate of the energies reached this area."""
        found = (one for one in self.evaluations if one.energy.by_aggregate[DEFAULT_AGGREGATE] >= auc)
        return next(found, None)

    def learn(self, on_epoch: OnEpoch = lambda *_: None) -> None:
        """Teach the network, and evaluate it every `eval_every` epochs and at the end.

        Raises:
            ToyError: The loss went out of all bounds.
        """
        settings, per_epoch = self.settings, self.steps_per_epoch
        losses: list[Tensor] = []

        def on_step(steps: int, loss: Tensor, net: EnergyNet) -> None:
            losses.append(loss)
            if steps % per_epoch:
                return
            epoch, mean_loss = steps // per_epoch, float(torch.stack(losses).mean())
            losses.clear()
            if not math.isfinite(mean_loss):
                raise ToyError(_DIVERGED)
            evaluation = None
            last = epoch == settings.epochs
            if last or epoch % settings.eval_every == 0:
                evaluation = self._evaluate(net, epoch, steps, mixtures=settings.gmm and last)
                self.evaluations.append(evaluation)
            on_epoch(epoch, mean_loss, evaluation)

        started_s = time.monotonic()
        try:
            self._net = train(
                self._prepared(self.points.train), self._training(), seed=settings.seed, on_step=on_step
            )
        except ValueError as error:
            raise ToyError(_DIVERGED) from error
        self.seconds = time.monotonic() - started_s

    def maps(self) -> Maps:
        """Energies and score norms over the plane, as far as the points reach and `meshgrid_offset` beyond."""
        assert self._net is not None, "learn first"
        everything = np.concatenate([self.points.train, self.points.normal, self.points.anomalous])
        offset = self.settings.meshgrid_offset
        low, high = everything.min(axis=0) - offset, everything.max(axis=0) + offset
        across, up = (np.linspace(low[axis], high[axis], _MAP_POINTS) for axis in (0, 1))
        grid = np.stack(np.meshgrid(across, up), axis=-1)  # (H, W, 2)
        energy, score_norm = self._read(self._net, grid.reshape(-1, 2))
        shape = (len(self.sigmas), *grid.shape[:2])
        return Maps(across=across, up=up, energy=energy.T.reshape(shape), score_norm=score_norm.T.reshape(shape))

    def _training(self) -> Training:
        settings = self.settings
        return Training(
            units=settings.units,
            layer_norm=settings.layernorm,
            dropout=settings.dropout,
            sigma_low=settings.sigma_low,
            sigma_high=settings.sigma_high,
            beta=settings.beta,
            learning_rate=settings.lr,
            batch_size=settings.batch_size,
            steps=settings.epochs * self.steps_per_epoch,
            decay="step" if settings.use_scheduler else "constant",
            decay_steps=_DECAY_EPOCHS * self.steps_per_epoch,
            decay_factor=_DECAY_FACTOR,
            gradient_clip=settings.gradient_clipping,
        )

    def _prepared(self, points: Array) -> Tensor:
        return torch.from_numpy((points - self._mean) / self._std).to(self._device, torch.float32)

    def _read(self, net: EnergyNet, points: Array) -> tuple[Array, Array]:
        """Energies and score norms of points, each (N, L)."""
        x = self._prepared(points)
        both = energies(net, x, self.sigmas), score_norms(net, x, self.sigmas)
        energy, score_norm = (values.cpu().numpy().astype(np.float64) for values in both)
        if not (np.isfinite(energy).all() and np.isfinite(score_norm).all()):
            raise ToyError(_DIVERGED)
        return energy, score_norm

    def _evaluate(self, net: EnergyNet, epoch: int, steps: int, *, mixtures: bool) -> Evaluation:
        """Of a network that is being taught; mixtures take seconds to fit."""
        kinds = [kind for kind in AGGREGATES if mixtures or not kind.startswith("gmm")]
        of_train, of_normal, of_anomalous = (
            self._read(net, points) for points in (self.points.train, self.points.normal, self.points.anomalous)
        )
        energy, score_norm = (
            _aucs(kinds, self.settings.seed, *of_all)
            for of_all in zip(of_train, of_normal, of_anomalous, strict=True)
        )
        return Evaluation(epoch=epoch, steps=steps, energy=energy, score_norm=score_norm)


def _aucs(kinds: list[AggregateKind], seed: int, train: Array, normal: Array, anomalous: Array) -> Aucs:
    """Areas of all aggregates and all scales, from values (N, L) of which higher means less normal."""
    values = np.concatenate([normal, anomalous])
    labels = np.repeat([0, 1], [len(normal), len(anomalous)])
    return Aucs(
        by_aggregate={kind: float(roc_auc_score(labels, Aggregate.fit(kind, train, seed)(values))) for kind in kinds},
        by_scale=tuple(float(roc_auc_score(labels, column)) for column in values.T),
    )
