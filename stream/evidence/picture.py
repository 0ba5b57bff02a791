"""The picture of one moment: the frame with the place outlined, and what is known about it below."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stream.evidence.drawing import Image, as_jpeg, heated, outline, with_caption
from stream.evidence.files import write_file
from stream.messages import Region

Heat = npt.NDArray[np.uint8]
"""(rows, columns), 0 = normal, 255 = at least the threshold."""

_GAP_PX = 6  # between the two pictures


def picture(image: Image, caption: Sequence[str], *, region: Region | None = None, heat: Heat | None = None) -> bytes:
    """The frame with place and heat marked, the frame as it was to the right, and a caption; a JPEG.

    Args:
        image: Is left as it is.
        caption: Parts that are not to be torn apart.
    """
    marked = image.copy() if heat is None else heated(image, heat)
    if region is not None:
        outline(marked, region)
    gap = np.zeros((image.shape[0], _GAP_PX, 3), np.uint8)
    return as_jpeg(with_caption(np.hstack([marked, gap, image]), caption))


def snapshot(
    image: Image,
    *,
    region: Region | None,
    score: float,
    threshold: float,
    camera: str,
    moment: str,
    path: Path,
) -> None:
    """Write the frame with the place outlined as a JPEG that only this user may read; in place of an older one.

    Args:
        image: Is left as it is.
        moment: When, as its reader is told.
        path: Its folder is made if it is missing.

    Raises:
        EvidenceError: It cannot be written.
    """
    marked = image.copy()
    if region is not None:
        outline(marked, region)
    write_file(as_jpeg(with_caption(marked, (camera, moment, scored(score, threshold)))), path)


def scored(score: float, threshold: float) -> str:
    """The score as captions tell it."""
    return f"score {score:.3g}, threshold {threshold:.3g}"
