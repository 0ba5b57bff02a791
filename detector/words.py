"""What is unusual in a picture, in words: which families spoke, and how far from usual that is.

Each figure is the picture's own, measured where its score is, against what calibration measured. Where a bundle does
not hold what it takes, there is no figure.
"""

import numpy as np
import numpy.typing as npt

from detector.detector import Detector, Features
from detector.family import CLIP, Family
from detector.features.grid import Cells, Grid
from detector.features.motion import LONGEST_STILL_S, PAUSE_S
from detector.fusion import Verdict
from detector.usual import Usual

_WORTH_SAYING = 0.25  # of the score
_ALONE = 3.0  # as much as the other family that sees looks
_OTHER_SPEED = 1.2  # times the usual one; less is in the eye of the measure
_RARELY = 0.01  # of the time


def words(verdict: Verdict, seen: Features, detector: Detector, usual: Usual | None) -> str:
    """What the verdict on this picture is about, such as "moving 3.4× as fast as normal here"; empty for nothing."""
    parts = dict(verdict.families)
    texture, shape = parts.pop("texture", 0.0), parts.pop("shape", 0.0)
    parts["look"] = texture + shape
    strongest = sorted(parts.items(), key=lambda part: part[1], reverse=True)
    told = [name for name, part in strongest if part > 0.0 and part >= _WORTH_SAYING * verdict.score]
    cells = _around(int(np.argmax(verdict.heat)), detector.grid)
    phrases: list[str] = []
    for name in told:
        if name == "motion":
            phrase = _motion(seen, cells, _family(detector, name), usual)
        elif name == "look":
            phrase = _look(texture, shape)
        elif name == "stay":
            phrase = _stay(seen, cells)
        elif name == CLIP.name:
            phrase = "what goes on in the whole picture is like nothing seen here"
        else:
            phrase = f"unusual by its {name}"
        phrases.append(phrase if phrases else phrase + _where(name, cells, usual))
    return ", ".join(phrases)


def _around(cell: int, grid: Grid) -> Cells:
    """The cell and its neighbours, over which a score is averaged."""
    row, column = divmod(cell, grid.columns)
    rows = np.arange(max(0, row - 1), min(grid.rows, row + 2))
    columns = np.arange(max(0, column - 1), min(grid.columns, column + 2))
    cells: Cells = (rows[:, None] * grid.columns + columns).ravel()
    return cells


def _family(detector: Detector, name: str) -> Family:
    return next(family for family in detector.families if family.settings.name == name)


def _motion(seen: Features, cells: Cells, family: Family, usual: Usual | None) -> str:
    speed = _median(np.expm1(_column(seen, "motion", cells, 0)))
    here = None if usual is None else _median(usual.speed.ravel()[cells])
    if here is not None:
        normal, place = here, "here"
    elif family.net is not None:  # it has learned from enough movement
        normal, place = float(np.expm1(family.mean[0])), "in this picture"
    else:
        return "moving, as hardly anything does in this picture"
    if speed is None or normal <= 0.0 or 1.0 / _OTHER_SPEED < speed / normal < _OTHER_SPEED:
        return "moving in an unusual way"
    return f"moving {speed / normal:.1f}× as fast as normal {place}"


def _look(texture: float, shape: float) -> str:
    if shape >= _ALONE * texture:
        return "a shape not seen here"
    if texture >= _ALONE * shape:
        return "a surface not seen here"
    return "looks like nothing seen here"


def _stay(seen: Features, cells: Cells) -> str:
    still = _column(seen, "stay", cells, 2)
    if not len(still):
        return "standing still"
    still_s = float(np.expm1(still.max()))
    if still_s >= LONGEST_STILL_S - 0.5:
        return "standing still for over a minute"
    return f"standing still for {still_s + PAUSE_S:.0f} s"


def _where(name: str, cells: Cells, usual: Usual | None) -> str:
    """What is rare about the place itself."""
    if usual is None or name not in ("motion", "look", "stay"):
        return ""
    shares, does = {
        "motion": (usual.moves, "moves"),
        "look": (usual.share, "is"),
        "stay": (usual.share - usual.moves, "stands"),
    }[name]
    share = float(shares.ravel()[cells].max())
    if share <= 0.0:
        return f", where nothing {does} normally"
    return f", where hardly anything {does} normally" if share < _RARELY else ""


def _column(seen: Features, name: str, cells: Cells, column: int) -> npt.NDArray[np.float64]:
    """One component of the family's vectors in these cells, (n,)."""
    sample = seen.samples.get(name)
    if sample is None:
        return np.empty(0)
    values: npt.NDArray[np.float64] = sample.vectors[np.isin(sample.cells, cells), column].astype(np.float64)
    return values


def _median(values: npt.NDArray[np.floating]) -> float | None:
    """Of those that are known; None where none is."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else None
