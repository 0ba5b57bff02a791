"""Where something usually is in the picture, and how fast it moves there."""

from collections.abc import Sequence

import numpy as np

from calibrate.blocks import Block
from detector.features.grid import Grid
from detector.usual import Usual

_FEWEST_SPEEDS = 5  # fewer have no median to speak of


def usual_of(blocks: Sequence[Block], grid: Grid) -> Usual:
    """What is usual in all pictures of these blocks."""
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
    share, moves = (
        (counts / max(1, len(seen))).astype(np.float32).reshape(shape)
        for counts in (active, np.bincount(at, minlength=count))
    )
    return Usual(share=share, moves=moves, speed=speed.reshape(shape))
