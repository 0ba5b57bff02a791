"""Place family: where in the picture something is, which way it goes there, and for how long it stays.

One density over all of it, so that the ordinary in a wrong place can be told: a car on the pavement, a walker who
goes against the others, somebody who stops where nobody stops.
"""

import numpy as np
import numpy.typing as npt

from detector.features.grid import Cells, Grid


def vectors(
    cells: Cells, velocity: npt.NDArray[np.float32], still_s: npt.NDArray[np.float32], grid: Grid
) -> npt.NDArray[np.float32]:
    """The family's vectors.

    Args:
        cells: (N,)
        velocity: (N, 2) to the right and down, %/s; 0 for what stands still.
        still_s: (N,) for how long, seconds.

    Returns:
        (N, 5): x and y of the cell's centre in fractions of the frame; velocity with its length put in logarithms;
        logarithm of the time of stillness.
    """
    rows, columns = np.divmod(cells, grid.columns)
    length = np.hypot(velocity[:, 0], velocity[:, 1])[:, None]
    course = velocity / np.maximum(length, 1e-6) * np.log1p(length)
    centres = np.stack([(columns + 0.5) / grid.columns, (rows + 0.5) / grid.rows], axis=1)
    return np.concatenate([centres, course, np.log1p(still_s)[:, None]], axis=1).astype(np.float32)
