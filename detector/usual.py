"""What is usual in each cell of a camera's picture: how often something is there or moves, and how fast.

Measured in calibration. No judgement depends on it; it is what an alert is compared with in words.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from detector.features.grid import Map

PREFIX = "usual"
"""Of the names of its arrays in a bundle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """Of normal footage, cell by cell, (rows, columns) each."""

    share: Map
    """Of the time, in which something moves or differs from the empty scene, 0 to 1."""
    moves: Map
    """Of the time, in which something moves, 0 to 1."""
    speed: Map
    """Median of what moves, in percent of the picture's longer side per second; NaN where hardly anything does."""

    def arrays(self) -> dict[str, npt.NDArray[np.floating]]:
        """All of it, for a bundle."""
        return asdict(self)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.floating]]) -> "Usual | None":
        """The inverse of `arrays`; None from a bundle of before this was kept."""
        if not arrays:
            return None
        return cls(**{name: array.astype(np.float32) for name, array in arrays.items()})
