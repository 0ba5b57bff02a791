"""What an operator has marked as harmless: cells that count as normal although no footage taught them.

Each mark adds a component to what is known as normal: the neighbourhood of the cells that an alert was about, in
place and in every family at once. The networks stay as they are. A cell is forgiven where one marked cell is near it
and, in every family that speaks of the cell, resembles it; families that resemble different marked cells forgive
nothing, so that a walker's speed and a van's looks do not add up to a harmless runner.

How far a resemblance reaches is read off the mark itself: as far as its own cells are from those of other moments.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from detector.features.grid import Cells, Grid

Array = npt.NDArray[np.float32]

MOST_CELLS = 2000
"""Of one mark; more are thinned evenly."""
MOST_MARKS = 50
"""Of one camera: each costs a little time with every picture in which something is unusual."""
PREFIX = "harmless"
"""Of a mark's arrays in a bundle: `harmless.<alert>.<array>`."""
REACH_CELLS = 2
"""A repetition may be this many cells beside what was marked, to every side."""

_OTHER_MOMENT_S = 0.3  # pictures closer together show the same look of a thing, and say nothing of how it varies
# Tried on the drawn street: a van that comes again is silent and cyclists, runners and vans from the other side are
# not; with 0.95, and a fifth more reach, a marked van made a cyclist and a runner on its way harmless.
_RADIUS_QUANTILE = 0.9
_LEAST_RADIUS = 0.5  # standard deviations of normal footage in each component
_LARGEST_RADIUS = 1.8  # the same; things that have nothing in common are some 1.4 apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Cells of an alert. Vectors are as they were seen, so that they outlive a calibration."""

    times_s: npt.NDArray[np.float64]
    """(M,) stream time."""
    cells: Cells
    """(M,)"""
    rows: Mapping[str, npt.NDArray[np.int64]]
    """Of each family, which of the M cells it speaks of, (n,)."""
    vectors: Mapping[str, npt.NDArray[np.float16]]
    """(n, D)"""
    clip_ends_s: npt.NDArray[np.float64]
    """(K,) stream time of the clips that were seen of the whole picture meanwhile."""
    clips: npt.NDArray[np.float16]
    """(K, D) their vectors."""

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All of it, for a bundle."""
        arrays: dict[str, npt.NDArray[Any]] = {"times_s": self.times_s, "cells": self.cells}
        arrays |= {"clip_ends_s": self.clip_ends_s, "clips": self.clips}
        for name, rows in self.rows.items():
            arrays |= {f"{name}.rows": rows, f"{name}.vectors": self.vectors[name]}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "Mark":
        """The inverse of `arrays`.

        Raises:
            KeyError: Some are missing.
        """
        names = [key.removesuffix(".rows") for key in arrays if key.endswith(".rows")]
        return cls(
            times_s=arrays["times_s"].astype(np.float64),
            cells=arrays["cells"].astype(np.int64),
            rows={name: arrays[f"{name}.rows"].astype(np.int64) for name in names},
            vectors={name: arrays[f"{name}.vectors"].astype(np.float16) for name in names},
            clip_ends_s=arrays["clip_ends_s"].astype(np.float64),
            clips=arrays["clips"].astype(np.float16),
        )


class Standardiser:
    """Puts a family's vectors into units in which normal footage has deviation 1.

    Args:
        mean: (D,)
        projection: (D, d)
    """

    def __init__(self, mean: npt.NDArray[np.float64], projection: npt.NDArray[np.float64]) -> None:
        self._mean = mean.astype(np.float32)
        self._projection = torch.from_numpy(projection.astype(np.float32))
        self.components = projection.shape[1]

    def __call__(self, vectors: npt.NDArray[np.floating]) -> Array:
        """(N, D) to (N, d)."""
        # In torch: numpy's product would start threads of its own, which take longer than this many vectors.
        x = torch.from_numpy(vectors.astype(np.float32) - self._mean) @ self._projection
        standardised: Array = x.numpy()
        return standardised


class Harmless:
    """All marks of a camera, ready to be compared with."""

    def __init__(
        self,
        marks: Iterable[Mark],
        standardise: Mapping[str, Standardiser],
        grid: Grid,
        standardise_clip: Standardiser | None = None,
    ) -> None:
        self._grid = grid
        # Families with few components first: they rule out most pairs, and cost least.
        self._standardise = dict(sorted(standardise.items(), key=lambda item: item[1].components))
        marks = tuple(marks)
        self._known = [_Known.of(mark, self._standardise, grid) for mark in marks]
        self._standardise_clip = standardise_clip
        self._clips = [_Clips.of(mark, standardise_clip) for mark in marks if standardise_clip and len(mark.clips)]

    def __bool__(self) -> bool:
        return bool(self._known)

    def forgives(
        self, cells: Cells, samples: Mapping[str, tuple[Cells, npt.NDArray[np.floating]]]
    ) -> npt.NDArray[np.bool_]:
        """Which of a picture's cells (n,) resemble something harmless.

        Args:
            cells: Those in question.
            samples: Of each family, its cells and vectors (N, D); other cells than those in question are passed over.
        """
        forgiven = np.zeros(len(cells), np.bool_)
        if not self._known or not len(cells):
            return forgiven
        rows, columns = np.divmod(cells, self._grid.columns)
        own: dict[str, tuple[npt.NDArray[np.int64], Array]] = {}
        for name, standardiser in self._standardise.items():
            if name in samples:
                where, vectors = samples[name]
                at = np.full(self._grid.rows * self._grid.columns, -1, np.int64)
                wanted = np.isin(where, cells)
                at[where[wanted]] = np.arange(int(wanted.sum()))
                own[name] = at[cells], standardiser(vectors[wanted])
        for known in self._known:
            forgiven |= known.resembled(rows, columns, own)
        return forgiven

    def forgives_clip(self, vectors: npt.NDArray[np.floating]) -> bool:
        """Whether the whole picture (1, D) looks like one that was marked."""
        if self._standardise_clip is None or not self._clips:
            return False
        own = self._standardise_clip(vectors)
        return any(clips.resembled(own) for clips in self._clips)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clips:
    """A mark's clips in standardised units."""

    vectors: Array
    """(K, d)"""
    radius: float

    @classmethod
    def of(cls, mark: Mark, standardise: Standardiser) -> "_Clips":
        vectors = standardise(mark.clips)
        nowhere = np.zeros(len(vectors), np.int64)
        return cls(vectors=vectors, radius=_radius(mark.clip_ends_s, nowhere, nowhere, vectors))

    def resembled(self, own: Array) -> bool:
        apart = self.vectors - own
        return bool((np.einsum("pd,pd->p", apart, apart) <= self.radius**2).any())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A mark in standardised units."""

    cell_rows: npt.NDArray[np.int64]
    cell_columns: npt.NDArray[np.int64]
    """(M,) each."""
    at: Mapping[str, npt.NDArray[np.int64]]
    """(M,) which of the family's vectors is a cell's, -1 = the family says nothing of it."""
    vectors: Mapping[str, Array]
    """(n, d)"""
    radii: Mapping[str, float]

    @classmethod
    def of(cls, mark: Mark, standardise: Mapping[str, Standardiser], grid: Grid) -> "_Known":
        cell_rows, cell_columns = np.divmod(mark.cells, grid.columns)
        at, vectors, radii = {}, {}, {}
        for name, standardiser in standardise.items():
            rows = mark.rows.get(name, np.empty(0, np.int64))
            at[name] = np.full(len(mark.cells), -1, np.int64)
            at[name][rows] = np.arange(len(rows))
            vectors[name] = (
                standardiser(mark.vectors[name]) if len(rows) else np.empty((0, standardiser.components), np.float32)
            )
            radii[name] = _radius(mark.times_s[rows], cell_rows[rows], cell_columns[rows], vectors[name])
        return cls(cell_rows=cell_rows, cell_columns=cell_columns, at=at, vectors=vectors, radii=radii)

    def resembled(
        self,
        rows: npt.NDArray[np.int64],
        columns: npt.NDArray[np.int64],
        own: Mapping[str, tuple[npt.NDArray[np.int64], Array]],
    ) -> npt.NDArray[np.bool_]:
        """Which of some cells (n,) are like one of this mark's."""
        near = np.abs(rows[:, None] - self.cell_rows) <= REACH_CELLS  # (n, M)
        near &= np.abs(columns[:, None] - self.cell_columns) <= REACH_CELLS
        cell, marked = np.nonzero(near)  # pairs
        for name, (at, vectors) in own.items():
            speaks = at[cell] >= 0
            may = ~speaks | (self.at[name][marked] >= 0)
            cell, marked, speaks = cell[may], marked[may], speaks[may]
            alike = np.ones(len(cell), np.bool_)
            apart = vectors[at[cell[speaks]]] - self.vectors[name][self.at[name][marked[speaks]]]
            alike[speaks] = np.einsum("pd,pd->p", apart, apart) <= self.radii[name] ** 2
            cell, marked = cell[alike], marked[alike]
        resembled = np.zeros(len(rows), np.bool_)
        resembled[cell] = True
        return resembled


def _radius(
    times_s: npt.NDArray[np.float64],
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    vectors: Array,
) -> float:
    """How far apart a family's marked vectors (n, d) of different moments are where they are most alike."""
    nearest: list[float] = []
    for index in range(len(vectors)):
        others = np.abs(times_s - times_s[index]) > _OTHER_MOMENT_S
        others &= np.abs(rows - rows[index]) <= REACH_CELLS
        others &= np.abs(columns - columns[index]) <= REACH_CELLS
        if others.any():
            nearest.append(float(np.linalg.norm(vectors[others] - vectors[index], axis=1).min()))
    scale = math.sqrt(vectors.shape[1])
    varies = float(np.quantile(nearest, _RADIUS_QUANTILE)) if nearest else 0.0
    return min(max(_LEAST_RADIUS * scale, varies), _LARGEST_RADIUS * scale)
