"""From rarities of cells to a frame's score, a heat map and the place that stands out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from detector.features.grid import Cells, Grid, Map

Region = tuple[float, float, float, float]
"""x0, y0, x1, y1 in fractions of the frame."""

_NEIGHBOURHOOD = (3, 3)  # cells; what is real is seen in several
_REGION_SHARE = 0.5  # of the peak; cells around it that are at least this hot belong to the region


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one family holds against a picture."""

    cells: Cells
    """(n,) where."""
    decades: npt.NDArray[np.float64]
    """(n,) how rare that is, from 0 on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the detector says of one picture."""

    score: float
    """Decades of rarity summed over families, averaged over 3×3 cells, at the hottest place, and those of the picture
    as a whole; 0 = nothing there."""
    region: Region | None
    """Around that place; None where nothing stands out in any, though the whole picture may."""
    heat: Map
    """(rows, columns), without the whole picture's part."""
    families: dict[str, float]
    """Each family's part in the score at the hottest place."""


def fuse(evidence: Mapping[str, Evidence], grid: Grid, whole: Mapping[str, float] | None = None) -> Verdict:
    """The verdict from each family's evidence.

    Args:
        whole: Decades of families that speak of the picture as a whole.
    """
    maps = {name: _neighbourhood_mean(one, grid) for name, one in evidence.items()}
    heat: Map = sum(maps.values(), start=np.zeros((grid.rows, grid.columns), np.float32))
    peak = int(np.argmax(heat))
    hottest = float(heat.flat[peak])
    families = {name: float(part.flat[peak]) for name, part in maps.items()} | dict(whole or {})
    return Verdict(
        score=hottest + sum((whole or {}).values()),
        region=_region(heat, peak, grid) if hottest > 0.0 else None,
        heat=heat,
        families=families,
    )


def _neighbourhood_mean(evidence: Evidence, grid: Grid) -> Map:
    field = np.zeros((grid.rows, grid.columns), np.float32)
    field.flat[evidence.cells] = evidence.decades
    return np.asarray(cv2.blur(field, _NEIGHBOURHOOD, borderType=cv2.BORDER_CONSTANT), np.float32)


def _region(heat: Map, peak: int, grid: Grid) -> Region:
    """Box around the cells that are hot together with the peak."""
    hot = (heat >= _REGION_SHARE * heat.flat[peak]).astype(np.uint8)
    _, labels = cv2.connectedComponents(hot, connectivity=4)
    rows, columns = np.nonzero(labels == labels.flat[peak])
    sides: Sequence[tuple[npt.NDArray[np.int64], int]] = ((columns, grid.columns), (rows, grid.rows))
    (x0, x1), (y0, y1) = ((float(at.min() / count), float((at.max() + 1) / count)) for at, count in sides)
    return x0, y0, x1, y1
