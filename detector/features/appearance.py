"""Appearance families: what a cell looks like to the image network, in two of its inner layers.

The direction of a channel vector says what is seen, its length mostly with how much contrast; only the
direction is kept.
"""

import numpy as np
import numpy.typing as npt

from detector.features.grid import Cells


def directions(layer: npt.NDArray[np.float32], cells: Cells) -> npt.NDArray[np.float32]:
    """Unit vectors of some cells of one picture's layer.

    Args:
        layer: (C, rows, columns).
        cells: (N,) flat indices.

    Returns:
        (N, C).
    """
    vectors = layer.reshape(len(layer), -1)[:, cells].T  # (N, C)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-6)).astype(np.float32)
    return unit
