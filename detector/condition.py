"""Whether a camera still shows what it was calibrated on: its picture as such, whatever goes on in it.

Once a second the picture is compared with the empty scene, tile by tile, by three things that depend little on light:
the directions of gradients, how much of the scene's fine structure is left against its coarse one (as correlations,
in which noise does not count), and that structure is there at all. Medians over tiles are blind to whoever covers
less than half of the picture. A shift is found by orientation correlation (Fitch et al., "Orientation correlation",
2002). What is usual for each of them is measured in calibration. A picture in which nothing can be seen is called
covered, also where all lights went out: nothing tells the two apart.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from detector.features.grid import Map

ConditionName = Literal["ok", "changed", "moved", "defocused", "covered", "frozen"]
"""changed: another light; moved: looks elsewhere; covered: sees nothing; frozen: the same picture again and again."""

PREFIX = "condition"
"""Of the names of a reference's arrays in a bundle."""

Image = npt.NDArray[np.uint8]
"""(H, W, 3) BGR."""
_Tiles = npt.NDArray[np.float32]
"""(T,) one value of each tile."""

_EVERY_S = 1.0
_GAP_S = 10.0  # what was before so long a gap does not count any more
_TILE = 8  # quarter-size pixels
_EDGE = 3.0  # grey levels per quarter-size pixel, from which on a gradient has a direction that lasts
_FEW_EDGES = 4.0  # pixels of a tile
_FEWEST_TILES = 6
_NOISE = 1.0  # grey levels per pixel that say nothing

# How far beyond what calibration saw.
_LIKENESS_MARGIN = 0.2
_LIKENESS_LEAST = 0.15
_SHARPNESS_MARGIN = 0.5  # octaves
_LIGHT_MARGIN = 0.5  # octaves of grey levels
_TEXTURE_GONE = 1.0  # octaves below the scene's own
_STILL_SHARE = 0.25
_EASIER = 0.7  # of a margin, to stay in a state: hysteresis
_ALIGNED = 0.4  # likeness after a shift, of what is usual: it is the same scene
_LEAST_SHIFT = 0.015  # of the width
_MOST_SHIFT = 0.3
_STANDS_IN_FRONT = 0.15  # where so many tiles are as ever, something is in front of the others

_HOLD_S: Mapping[ConditionName, float] = {
    "ok": 5.0,
    "changed": 60.0,
    "moved": 5.0,
    "defocused": 8.0,
    "covered": 5.0,
    "frozen": 0.0,  # which has lasted by itself
}
_ELSEWHERE_S = 20.0  # whoever fills the picture goes away sooner
_FROZEN_S = 10.0
_LONGEST_CALM = 2.0  # times the longest calm of the calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What the picture is like when all is well, as a bundle keeps it."""

    background: Map
    """The empty scene, (H/2, W/2) grey levels."""
    likeness: tuple[float, float]
    """To the background: median, and the lowest that is usual."""
    sharpness_low: float
    """Octaves against the background, the lowest that is usual."""
    light: tuple[float, float]
    """Octaves against the background, lowest and highest that are usual."""
    step_low: float
    """Grey levels from one picture to the next, the smallest that is usual."""
    calm_s: float
    """The longest time without any."""

    def arrays(self) -> dict[str, npt.NDArray[np.floating]]:
        """The inverse of `from_arrays`."""
        usual = (*self.likeness, self.sharpness_low, *self.light, self.step_low, self.calm_s)
        return {"background": self.background, "usual": np.array(usual)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.floating]]) -> "Reference":
        """As they were.

        Raises:
            KeyError: One is missing.
            ValueError: One has another shape.
        """
        middle, low, sharpness_low, dark, bright, step_low, calm_s = (float(one) for one in arrays["usual"])
        return cls(
            background=arrays["background"].astype(np.float32),
            likeness=(middle, low),
            sharpness_low=sharpness_low,
            light=(dark, bright),
            step_low=step_low,
            calm_s=calm_s,
        )


class Study:
    """Measures in calibration what is usual. Feed it every picture of the footage, at least one.

    Args:
        spread: Pictures of the empty scene and whoever passes, some time from each other, at least one.
    """

    def __init__(self, spread: Sequence[Image]) -> None:
        self._scene = _Scene(np.median(np.stack([_half(image) for image in spread]), axis=0).astype(np.float32))
        self._steps = _Steps()
        self._due_s = -math.inf
        self._sharpness: list[float] = []
        self._likeness: list[float] = []
        self._light: list[float] = []
        self._changes: list[float] = []
        self._calms: list[float] = []

    def step(self, image: Image, time_s: float) -> None:
        """Take a picture into account; where time goes back, another recording begins."""
        change = self._steps.step(image, time_s)
        if change is not None:
            self._changes.append(change)
            self._calms.append(self._steps.calm_s)
        if self._due_s - _EVERY_S <= time_s < self._due_s:
            return
        self._due_s = time_s + _EVERY_S
        look = self._scene.look(image)
        self._sharpness.append(self._scene.median(look.sharpness))
        self._likeness.append(self._scene.median(look.likeness))
        self._light.append(look.light)

    def reference(self) -> Reference:
        """What is usual, by all that was seen."""
        return Reference(
            background=self._scene.background,
            likeness=(float(np.median(self._likeness)), float(np.quantile(self._likeness, 0.01))),
            sharpness_low=float(np.quantile(self._sharpness, 0.01)),
            light=(float(np.quantile(self._light, 0.01)), float(np.quantile(self._light, 0.99))),
            step_low=float(np.quantile(self._changes, 0.01)) if self._changes else 0.0,
            calm_s=max(self._calms, default=0.0),
        )


class Monitor:
    """Follows the condition of one camera's picture. Feed it every analysed picture."""

    def __init__(self, reference: Reference) -> None:
        self.condition: ConditionName = "ok"
        self._reference = reference
        self._scene = _Scene(reference.background)
        self._steps = _Steps(_STILL_SHARE * reference.step_low)
        self._frozen_s = max(_FROZEN_S, _LONGEST_CALM * reference.calm_s)
        self._seen_s = self._due_s = -math.inf
        self._finding: tuple[ConditionName, float] = ("ok", 0.0)
        self._since_s = 0.0

    def step(self, image: Image, time_s: float) -> ConditionName:
        """The condition now.

        Args:
            time_s: Stream time, s.
        """
        self._steps.step(image, time_s)
        restarted = not 0.0 <= time_s - self._seen_s < _GAP_S
        self._seen_s = time_s
        if time_s < self._due_s and not restarted:
            return self.condition
        self._due_s = time_s + _EVERY_S
        finding = self._find(image)
        if finding != self._finding or restarted:
            self._finding, self._since_s = finding, time_s
        name, hold_s = finding
        if name != self.condition and time_s - self._since_s >= hold_s:
            self.condition = name
        return self.condition

    def _find(self, image: Image) -> tuple[ConditionName, float]:
        """What this picture looks like, and for how long it must before that counts."""
        if self._steps.calm_s >= self._frozen_s:
            return "frozen", _HOLD_S["frozen"]
        if not self._scene.can_tell:
            return "ok", _HOLD_S["ok"]
        name, hold_s = self._compare(image)
        return name, _HOLD_S[name] if hold_s is None else hold_s

    def _compare(self, image: Image) -> tuple[ConditionName, float | None]:
        look = self._scene.look(image)
        usual = self._reference
        margin = self._margin("moved", "covered")
        least = max(_LIKENESS_LEAST, usual.likeness[1] - _LIKENESS_MARGIN * margin)
        if self._scene.median(look.likeness) >= least:
            return self._in_place(look), None
        shift, likeness = self._scene.shift(look.directions)
        if likeness >= _ALIGNED * usual.likeness[0]:
            return ("moved" if shift >= _LEAST_SHIFT else self._in_place(look)), None
        if float((look.likeness[self._scene.known] >= least).mean()) >= _STANDS_IN_FRONT:
            return "ok", None
        if self._scene.median(look.texture) < -_TEXTURE_GONE * margin:
            return "covered", None
        return "moved", _ELSEWHERE_S

    def _in_place(self, look: "_Look") -> ConditionName:
        """Of a picture that shows the scene where it was."""
        usual = self._reference
        least = usual.sharpness_low - _SHARPNESS_MARGIN * self._margin("defocused")
        if self._scene.median(look.sharpness) < least:
            return "defocused"
        beyond = _LIGHT_MARGIN * self._margin("changed")
        return "ok" if usual.light[0] - beyond <= look.light <= usual.light[1] + beyond else "changed"

    def _margin(self, *names: ConditionName) -> float:
        return _EASIER if self.condition in names else 1.0


@dataclass(frozen=True, slots=True)
class _Look:
    directions: npt.NDArray[np.complex64]
    """(H/4, W/4) gradients, of length 0 to 1."""
    likeness: _Tiles
    """-1 to 1, 0 where two have nothing in common."""
    sharpness: _Tiles
    """Octaves of what is left of the scene's fine structure over what is left of the coarse one."""
    texture: _Tiles
    """Octaves of structure over that of the background."""
    light: float
    """Octaves of grey levels over those of the background."""


class _Scene:
    """The empty scene, to compare pictures with."""

    def __init__(self, background: Map) -> None:
        self.background = background
        self._fine = np.asarray(cv2.Laplacian(background, cv2.CV_32F), np.float32)
        self._fine_power = _tiles(self._fine**2, 2 * _TILE)
        quarter = _halved(background)
        gradient = self._gradient = _gradient(quarter)
        self._power = _tiles(np.abs(gradient) ** 2)
        self._directions = _directed(gradient) * (np.abs(gradient) >= _EDGE)
        self._edges = _tiles(np.abs(self._directions)) * _TILE * _TILE
        self._structure = _tiles(np.abs(gradient))
        self._light = _tiles(quarter)
        self._spectrum = np.conj(np.fft.fft2(self._directions))
        self.known = self._edges >= _FEW_EDGES
        self.can_tell = int(self.known.sum()) >= _FEWEST_TILES
        """There is enough in it to recognise it by."""

    def median(self, tiles: _Tiles) -> float:
        """Over tiles in which the scene has edges, 0 where there are none."""
        return float(np.median(tiles[self.known])) if self.known.any() else 0.0

    def look(self, image: Image) -> _Look:
        """How the picture compares, without a shift."""
        half = _half(image)
        quarter = _halved(half)
        fine = _tiles(self._fine * cv2.Laplacian(half, cv2.CV_32F), 2 * _TILE) / (self._fine_power + _NOISE)
        gradient = _gradient(quarter)
        directions = _directed(gradient)
        agreeing = (directions * np.conj(self._directions)).real
        coarse = _tiles((gradient * np.conj(self._gradient)).real) / (self._power + _NOISE)
        structure = _tiles(np.abs(gradient))
        light = np.log2((_tiles(quarter) + 4.0) / (self._light + 4.0))
        return _Look(
            directions,
            np.asarray(_tiles(agreeing) * _TILE * _TILE / np.maximum(self._edges, 1.0), np.float32),
            _octaves(fine, coarse),
            _octaves(structure, self._structure),
            float(np.median(light)),
        )

    def shift(self, directions: npt.NDArray[np.complex64]) -> tuple[float, float]:
        """By how much of its width a picture is best shifted back, and the likeness that this gives."""
        height, width = directions.shape
        agreeing = np.fft.ifft2(np.fft.fft2(directions) * self._spectrum).real
        down, right = (np.abs(np.fft.fftfreq(side, 1.0 / side)) for side in (height, width))
        agreeing[(down > _MOST_SHIFT * height)[:, None] | (right > _MOST_SHIFT * width)[None, :]] = 0.0
        y, x = np.unravel_index(int(np.argmax(agreeing)), agreeing.shape)
        likeness = float(agreeing[y, x]) / max(1.0, float(np.abs(self._directions).sum()))
        return math.hypot(down[y], right[x]) / width, likeness


class _Steps:
    """How much pictures differ from the one before.

    Args:
        still: Grey levels up to which one counts as the same.
    """

    def __init__(self, still: float = 0.0) -> None:
        self.calm_s = 0.0
        """Since the latest picture that was not the same."""
        self._still = still
        self._before: npt.NDArray[np.int16] | None = None
        self._seen_s = self._changed_s = -math.inf

    def step(self, image: Image, time_s: float) -> float | None:
        """Mean distance to the picture before in grey levels, None where there is none."""
        now = image[::4, ::4, 1].astype(np.int16)
        before, passed_s = self._before, time_s - self._seen_s
        self._before, self._seen_s = now, time_s
        if before is None or not 0.0 <= passed_s < _GAP_S:
            self._changed_s, self.calm_s = time_s, 0.0
            return None
        change = float(np.abs(now - before).mean())
        if change > self._still:
            self._changed_s = time_s
        self.calm_s = time_s - self._changed_s
        return change


def _gradient(quarter: Map) -> npt.NDArray[np.complex64]:
    """Grey levels per pixel, x real and y imaginary."""
    across, down = (cv2.Sobel(quarter, cv2.CV_32F, dx, 1 - dx, scale=1.0 / 8.0) for dx in (1, 0))
    return np.asarray(across + 1j * down, np.complex64)


def _directed(gradient: npt.NDArray[np.complex64]) -> npt.NDArray[np.complex64]:
    length = np.abs(gradient)
    return np.asarray(gradient / (length + _NOISE), np.complex64)


def _octaves(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> _Tiles:
    return np.asarray(np.log2((np.maximum(one, 0.0) + 0.05) / (np.maximum(other, 0.0) + 0.05)), np.float32)


def _half(image: Image) -> Map:
    """Grey, (H/2, W/2)."""
    size = (image.shape[1] // 2, image.shape[0] // 2)
    gray = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), size, interpolation=cv2.INTER_AREA)
    return gray.astype(np.float32)


def _halved(picture: Map) -> Map:
    size = (picture.shape[1] // 2, picture.shape[0] // 2)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _tiles(values: npt.NDArray[np.floating], side: int = _TILE) -> _Tiles:
    """Means (T,) over square tiles; what is left over at the right and the bottom is left out."""
    rows, columns = values.shape[0] // side, values.shape[1] // side
    cut = np.asarray(values, np.float32)[: rows * side, : columns * side]
    return np.asarray(cut.reshape(rows, side, columns, side).mean(axis=(1, 3)), np.float32).ravel()
