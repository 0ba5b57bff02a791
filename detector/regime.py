"""Which regime a camera is in, by its picture's own light and colour: day, infrared night, floodlight.

A picture is reduced to some 150 tiles with their light in octaves and two differences of colour, which infrared has
none of. What is usual for each tile was measured in calibration; the median over tiles is blind to whoever covers
less than half of the picture. Another regime takes over when the picture is clearly closer to it for a while.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

PREFIX = "regime"
"""Of the names of a signature's arrays in a bundle."""

Image = npt.NDArray[np.uint8]
"""(H, W, 3) BGR."""
_Tiles = npt.NDArray[np.float64]
"""(T, 3) octaves of grey levels, and blue and red against grey."""

_COLUMNS = 16
_EVERY_S = 1.0  # in calibration
_DARK = 4.0  # grey levels, below which light is noise
_FLOOR = np.array([0.15, 0.03, 0.03])  # spread that any footage has, in octaves and shares

_FAR = 3.0  # spreads from its own regime, from which on a picture may belong to another
_CLEARLY = 0.5  # of the distance to its own
_HOLD_S = 1.0
_APART_S = 10.0  # a light that flickers withholds no more than every tenth second


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Light and colour of a regime."""

    usual: _Tiles
    spread: _Tiles

    def arrays(self) -> dict[str, npt.NDArray[np.floating]]:
        """The inverse of `from_arrays`."""
        return {"usual": self.usual, "spread": self.spread}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.floating]]) -> "Signature":
        """As it was.

        Raises:
            KeyError: One is missing.
        """
        return cls(usual=arrays["usual"].astype(np.float64), spread=arrays["spread"].astype(np.float64))

    def distance(self, tiles: _Tiles) -> float:
        """Of a picture, in spreads; 1 is usual."""
        beyond = (tiles - self.usual) / (self.spread + _FLOOR)
        return float(np.median(np.sqrt((beyond**2).sum(axis=1))))


class SignatureStudy:
    """Measures in calibration what is usual. Feed it every picture of the footage, at least one."""

    def __init__(self) -> None:
        self._due_s = -math.inf
        self._seen: list[_Tiles] = []

    def step(self, image: Image, time_s: float) -> None:
        """Take a picture into account; where time goes back, another recording begins."""
        if not self._due_s - _EVERY_S <= time_s < self._due_s:
            self._due_s = time_s + _EVERY_S
            self._seen.append(tiles_of(image))

    def signature(self) -> Signature:
        """By all that was seen."""
        seen = np.stack(self._seen)
        usual = np.median(seen, axis=0)
        return Signature(usual=usual, spread=1.4826 * np.median(np.abs(seen - usual), axis=0))  # of a normal law


class Chooser:
    """Follows one camera. Feed it every analysed picture.

    Args:
        signatures: Of each regime; none where there is only one.
        now: The one that the camera is in, None = as its first picture says.
    """

    def __init__(self, signatures: Sequence[Signature], now: int | None = None) -> None:
        self._signatures = tuple(signatures)
        self._now = now
        self._other = 0
        self._since_s: float | None = None
        """Since when pictures are those of the other one."""
        self._withheld_s = -math.inf

    def step(self, image: Image, time_s: float) -> tuple[int, bool]:
        """Number of the regime, and whether the picture belongs to it for certain.

        Args:
            time_s: Stream time, s.
        """
        if not self._signatures:
            return 0, True
        tiles = tiles_of(image)
        distances = [one.distance(tiles) for one in self._signatures]
        nearest = int(np.argmin(distances))
        if self._now is None:
            self._now = nearest
        own = distances[self._now]
        if own < _FAR or distances[nearest] > _CLEARLY * own:
            self._since_s = None
            return self._now, True
        if self._since_s is None or nearest != self._other or time_s < self._since_s:
            self._other, self._since_s = nearest, time_s
        if time_s - self._since_s >= _HOLD_S:
            self._now, self._since_s = nearest, None
            return self._now, True
        if self._since_s > self._withheld_s + _APART_S or time_s < self._withheld_s:
            self._withheld_s = self._since_s
        return self._now, self._since_s != self._withheld_s


def tiles_of(image: Image) -> _Tiles:
    """Light and colour of a picture (T, 3), tile by tile."""
    height, width = image.shape[:2]
    rows = max(1, round(_COLUMNS * height / width))
    small = cv2.resize(image, (_COLUMNS, rows), interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float64)
    grey = small @ (0.114, 0.587, 0.299)
    blue, red = ((small[:, channel] - grey) / (grey + 4.0 * _DARK) for channel in (0, 2))
    return np.stack([np.log2(grey + _DARK), blue, red], axis=1)
