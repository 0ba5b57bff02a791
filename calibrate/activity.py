"""Where something usually is in the picture, and how fast it moves there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calibrate.blocks import Block
from detector.features.grid import Grid, Map

_FEWEST_SPEEDS = 5  # fewer have no median to speak of


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityMaps:
    """Of normal footage, cell by cell."""

    share: Map
    """Of the time, in which something moves or differs from the empty scene, 0 to 1, (rows, columns)."""
    speed: Map
    """Median of what moves, in percent of the picture's longer side per second; NaN where hardly anything does."""


def activity_maps(blocks: Sequence[Block], grid: Grid) -> ActivityMaps:
    """The maps of all pictures in these blocks."""
    count = grid.rows * grid.columns
    seen = [one for block in blocks for one in block.seen]
    active = np.bincount(np.concatenate([np.empty(0, np.int64), *(one.cells for one in seen)]), minlength=count)
    moving = [one.samples["motion"] for one in seen if "motion" in one.samples]
    at = np.concatenate([np.empty(0, np.int64), *(one.cells for one in moving)])
    speeds = np.expm1(np.concatenate([np.empty(0, np.float32), *(one.vectors[:, 0] for one in moving)]))
    speed = np.full(count, np.nan, np.float32)
    order = np.argsort(at, kind="stable")
    cells, starts = np.unique(at[order], return_index=True)
    for cell, of_cell in zip(cells, np.split(speeds[order], starts[1:]), strict=False):
        if len(of_cell) >= _FEWEST_SPEEDS:
            speed[cell] = np.median(of_cell)
    shape = grid.rows, grid.columns
    share = (active / max(1, len(seen))).astype(np.float32)
    return ActivityMaps(share=share.reshape(shape), speed=speed.reshape(shape))
