"""How rare a value is among normal ones, in decades: 1 = one in ten, 2 = one in a hundred.

Decades make families comparable, whatever their energies look like, and they need nothing but normal footage: a
family whose values wander on normal footage it was not trained on needs a larger one to be called rare. Summed over
families they are Fisher's method of combining tests ("Statistical Methods for Research Workers", § 21.1) to base 10.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_TAIL = 0.99  # from here on an exponential tail stands in for values that are too few to count
_POINTS = 200
# Beyond this many decades a tail is a guess, and one family's guess must not drown the others: it counts with its
# logarithm.
_TRUSTED_DECADES = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rarity:
    """Decades of rarity as a function of a family's value, from values of normal footage held out in training."""

    values: Array
    """(P,) ascending quantiles up to the tail, each value once."""
    decades: Array
    """(P,) their rarity."""
    scale: float
    """Mean excess over the last quantile, the scale of the exponential tail."""

    @classmethod
    def fit(cls, normal: npt.NDArray[np.floating], share: float = 1.0) -> "Rarity":
        """Rarity among these values (N,), N ≥ 1, and those that have none.

        Args:
            share: Of all that could have a value, how many have one, above 0 to 1. To have one at all may be rare.
        """
        shares = np.linspace(0.0, _TAIL, _POINTS)
        values = np.quantile(np.asarray(normal, np.float64), shares)
        # What many have in common, as all that stands still has its speed, is as common as they are together.
        distinct = np.r_[True, np.diff(values) > 0.0]
        excess = normal[normal > values[-1]] - values[-1]
        spread = float(values[-1] - values[_POINTS // 2])
        # Where the largest values are all alike there is no excess; a tail of no width would call anything beyond
        # them impossible.
        scale = max(float(excess.mean()) if len(excess) else 0.0, 0.05 * spread, 1e-6)
        return cls(values=values[distinct], decades=-np.log10(share * (1.0 - shares[distinct])), scale=scale)

    def __call__(self, values: npt.NDArray[np.floating]) -> Array:
        """Decades (N,) of values (N,), from 0 on."""
        body = np.interp(values, self.values, self.decades)
        beyond = np.maximum(values - self.values[-1], 0.0) / self.scale / np.log(10.0)
        decades = body + beyond
        distrusted: Array = _TRUSTED_DECADES * (
            1.0 + np.log(np.maximum(decades, _TRUSTED_DECADES) / _TRUSTED_DECADES)
        )
        return np.asarray(np.where(decades <= _TRUSTED_DECADES, decades, distrusted), np.float64)

    def arrays(self) -> dict[str, Array]:
        """All of it, for a bundle."""
        return {"values": self.values, "decades": self.decades, "scale": np.array([self.scale])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "Rarity":
        """The inverse of `arrays`."""
        return cls(values=arrays["values"], decades=arrays["decades"], scale=float(arrays["scale"][0]))
