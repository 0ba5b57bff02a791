"""How often episodes reach a height that little footage has seen: a generalised Pareto tail of their peaks.

Peaks over a level arrive as a Poisson process and exceed it by a generalised Pareto variable (Davison & Smith,
"Models for exceedances over high thresholds", 1990). Few peaks say little about the shape of the tail, which is
therefore held near that of an exponential by a prior, as hydrologists do with short records (Martins & Stedinger,
"Generalized maximum-likelihood generalized extreme-value quantile estimators for hydrologic data", 2000). Heights for
a rate, and their intervals, by profile likelihood (Coles, "An Introduction to Statistical Modeling of Extreme
Values", 2001, section 4.3.3).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

Array = npt.NDArray[np.float64]

_SHAPE_DEVIATION = 0.2  # of the prior of ξ about 0
_SHAPES = np.linspace(-0.5, 0.5, 21)
_RATES = np.exp(np.linspace(-2.4, 2.4, 9))  # in Poisson deviations, made relative below
_HEIGHTS = np.geomspace(0.01, 300.0, 300)  # in mean excesses
_PARAMETERS = 3  # rate, scale and shape; Student's quantiles stand in for normal ones where peaks are few
_LEAST_SCALE = 0.02  # of the level; peaks all of one height do not mean that none can be higher


@dataclass(frozen=True, kw_only=True)
class Tail:
    """Peaks above a level.

    Args:
        level: What they exceed.
        excess: By how much, (n,), n ≥ 1, each > 0.
        footage_s: Time in which they were seen.
    """

    level: float
    excess: Array
    footage_s: float

    @property
    def per_s(self) -> float:
        """Peaks in a second."""
        return len(self.excess) / self.footage_s

    @cached_property
    def mean(self) -> float:
        """Mean excess, the unit of heights."""
        return max(float(self.excess.mean()), _LEAST_SCALE * abs(self.level), 1e-9)

    def height(self, per_s: float, confidence: float = 0.95) -> tuple[float, float, float]:
        """The height that peaks reach at this rate: most likely, and an interval with this confidence.

        Args:
            per_s: Above 0; from the rate of the peaks themselves on it is the level, and less is not asked.
        """
        if per_s >= self.per_s:
            return self.level, self.level, self.level
        profile = self._profile(per_s)
        best = int(np.argmax(profile))
        drop = 0.5 * float(student.ppf(0.5 + 0.5 * confidence, max(1, len(self.excess) - _PARAMETERS))) ** 2
        inside = np.flatnonzero(profile >= profile[best] - drop)
        low, high = (self.level + self.mean * float(_HEIGHTS[at]) for at in (inside[0], inside[-1]))
        return self.level + self.mean * float(_HEIGHTS[best]), low, high

    def chance_of(self, height: float) -> float:
        """How likely the highest of as many peaks is at least this high, by the likeliest tail without an end.

        A tail that ends somewhere often fits as well, and would call anything beyond impossible.
        """
        scales, shapes = self.mean * np.geomspace(0.3, 3.0, 81), _SHAPES[_SHAPES >= 0.0]
        likelihood = self._likelihood(scales[:, None], shapes[None, :])
        row, column = np.unravel_index(int(np.argmax(likelihood)), likelihood.shape)
        scale, shape = float(scales[row]), float(shapes[column])
        reach = (height - self.level) / scale
        beyond = math.exp(-reach) if shape == 0.0 else (1.0 + shape * reach) ** (-1.0 / shape)
        return -math.expm1(len(self.excess) * math.log1p(-min(beyond, 1.0 - 1e-12)))

    def _profile(self, per_s: float) -> Array:
        """Log-likelihood of each of _HEIGHTS as the one for this rate, with the likeliest rate of peaks and shape."""
        count = len(self.excess)
        relative = np.exp(np.log(_RATES) / math.sqrt(count))[None, :, None]  # (1, R, 1)
        reach = np.log(relative * self.per_s / per_s)
        shapes = _SHAPES[None, None, :]
        with np.errstate(divide="ignore", invalid="ignore"):
            stretch = np.where(shapes == 0.0, reach, np.expm1(shapes * reach) / shapes)  # (1, R, S)
            scales = self.mean * _HEIGHTS[:, None, None] / stretch  # (H, R, S)
        scales = np.where(stretch > 0.0, scales, np.nan)
        poisson = count * np.log(relative) - count * (relative - 1.0)
        likelihood = poisson + self._likelihood(scales, np.broadcast_to(shapes, scales.shape))
        return np.asarray(np.nanmax(np.where(np.isnan(likelihood), -np.inf, likelihood), axis=(1, 2)))

    def _likelihood(self, scales: Array, shapes: Array) -> Array:
        """Log-likelihood of scales and shapes of one shape, which it has."""
        scales, shapes = np.broadcast_arrays(scales, shapes)
        total = -len(self.excess) * np.log(scales) - 0.5 * (shapes / _SHAPE_DEVIATION) ** 2
        exponential = shapes == 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            for excess in self.excess:
                inside = 1.0 + shapes * excess / scales
                term = np.where(exponential, -excess / scales, -(1.0 / shapes + 1.0) * np.log(inside))
                total = total + np.where(inside > 0.0, term, -np.inf)
        return np.asarray(total)
