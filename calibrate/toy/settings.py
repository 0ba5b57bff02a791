"""What the toy experiment can be asked to do: plain numbers, checked before anything heavy is loaded."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Literal

_MOST_UNITS = 65536
_MOST_SEED = 2**32 - 1  # what every random generator in use takes


class ToyError(Exception):
    """The experiment cannot be run, or its results cannot be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToySettings:
    """One toy experiment. Defaults are the authors', except `epochs`, for which 50 is ample.

    Raises:
        ToyError: A value is out of its bounds; the message names the option.
    """

    units: tuple[int, ...] = (4096, 4096)
    """Neurons of each hidden layer."""
    layernorm: bool = False
    dropout: float = 0.0
    """Share of neurons switched off in training, 0 to below 1."""
    sigma_low: float = 1e-3
    """Smallest noise scale, in units of the standardised points."""
    sigma_high: float = 1.0
    sigma_spacing: Literal["linear", "geometric"] = "linear"
    scales: int = 16
    """How many noise scales energies are read at, the paper's L."""
    beta: float = 0.1
    """Weight of the regulariser."""
    lr: float = 5e-4
    batch_size: int = 2048
    epochs: int = 50
    use_scheduler: bool = False
    """Multiply the learning rate by 0.9 every 50 epochs."""
    gradient_clipping: float | None = None
    """Bound on each element of the gradient."""
    unstandardized: bool = False
    """Learn on the points as they are."""
    gmm: bool = False
    """Also aggregate the scales by Gaussian mixtures."""
    meshgrid_offset: float = 1.0
    """How far the maps reach beyond the points, in units of the points."""
    eval_every: int = 5
    """Epochs between two evaluations; the last epoch is always evaluated."""
    seed: int = 0

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise ToyError(problem)

    @property
    def weights(self) -> int:
        """How many numbers the network learns, nearly: those between its layers."""
        widths = (3, *self.units, 1)  # two coordinates and σ come in
        return sum(below * above for below, above in pairwise(widths))

    def _problems(self) -> Iterator[str]:
        for name, value in asdict(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                yield f"--{name.replace('_', '-')}: must be a finite number, not {value}"
        if not self.units or not all(1 <= width <= _MOST_UNITS for width in self.units):
            given = " ".join(map(str, self.units)) or "none"
            yield f"--units: must be 1 to {_MOST_UNITS} neurons a layer, not {given}"
        if not 0 <= self.dropout < 1:
            yield f"--dropout: must be at least 0 and below 1, not {self.dropout:g}"
        if self.sigma_low <= 0:
            yield f"--sigma-low: must be above 0, not {self.sigma_low:g}"
        if self.sigma_low >= self.sigma_high:
            yield f"--sigma-low: must be below --sigma-high ({self.sigma_high:g}), not {self.sigma_low:g}"
        if self.beta < 0:
            yield f"--beta: must be at least 0, not {self.beta:g}"
        if self.lr <= 0:
            yield f"--lr: must be above 0, not {self.lr:g}"
        if self.gradient_clipping is not None and self.gradient_clipping <= 0:
            yield f"--gradient-clipping: must be above 0, not {self.gradient_clipping:g}"
        if self.meshgrid_offset < 0:
            yield f"--meshgrid-offset: must be at least 0, not {self.meshgrid_offset:g}"
        counts = {
            "--L": self.scales,
            "--batch-size": self.batch_size,
            "--epochs": self.epochs,
            "--eval-every": self.eval_every,
        }
        for option, count in counts.items():
            if count < 1:
                yield f"{option}: must be at least 1, not {count}"
        if not 0 <= self.seed <= _MOST_SEED:
            yield f"--seed: must be 0 to {_MOST_SEED}, not {self.seed}"
