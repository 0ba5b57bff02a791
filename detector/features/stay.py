"""Stay family: where in the picture something stands still, and for how long.

What nobody leaves and nobody does there: a bag, somebody who lies on the floor, a car that stopped. The rest of a
picture's oddity is in how things move and look; this one grows with time.
"""

import numpy as np
import numpy.typing as npt

from detector.features.grid import Cells, Grid

PAUSES = 500
"""How many are made up for each camera."""
_MEAN_PAUSE_S = 4.0


def vectors(cells: Cells, still_s: npt.NDArray[np.floating], grid: Grid) -> npt.NDArray[np.float32]:
    """The family's vectors.

    Args:
        cells: (N,)
        still_s: (N,) for how long something has stood still there beyond a pause, seconds.

    Returns:
        (N, 3): x and y of the cell's centre in fractions of the frame, and the logarithm of the time.
    """
    rows, columns = np.divmod(cells, grid.columns)
    x, y = (columns + 0.5) / grid.columns, (rows + 0.5) / grid.rows
    return np.stack([x, y, np.log1p(still_s)], axis=1).astype(np.float32)


def pauses(cells: Cells, grid: Grid, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Vectors (N, 3) of short pauses in cells (N,), their times exponentially distributed.

    Where people are they stop now and then, whether or not some minutes of footage show it.
    """
    return vectors(cells, generator.exponential(_MEAN_PAUSE_S, len(cells)), grid)
