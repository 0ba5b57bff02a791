"""Place family: where in the picture something is, so that the ordinary in a wrong place can be told."""

import numpy as np
import numpy.typing as npt

from detector.features.grid import Cells, Grid


def centres(cells: Cells, grid: Grid) -> npt.NDArray[np.float32]:
    """Centres of cells, (N, 2): x and y in fractions of the frame."""
    rows, columns = np.divmod(cells, grid.columns)
    return np.stack([(columns + 0.5) / grid.columns, (rows + 0.5) / grid.rows], axis=1).astype(np.float32)
