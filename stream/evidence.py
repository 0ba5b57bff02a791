"""An alert's picture: the frame of its peak with the place outlined, and a caption below it.

Knows neither ring nor store.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from stream.messages import Region

_QUALITY = 90
_LEAST_SIDE_PX = 24  # of the outline; a smaller one is overlooked
_OUTER_PX, _INNER_PX = 5, 2
_DARK, _BRIGHT = (0, 0, 0), (0, 255, 255)  # BGR: black around yellow shows on any picture
_LEAST_WIDTH_PX = 320  # so that the caption can be read below a narrow picture, too
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_SCALE = 0.45
_LINE_PX, _MARGIN_PX = 18, 6
_GAP = "   "


class EvidenceError(Exception):
    """The picture cannot be written; the message says where and why."""


def snapshot(
    image: npt.NDArray[np.uint8],
    *,
    region: Region | None,
    score: float,
    threshold: float,
    camera: str,
    moment: str,
    path: Path,
) -> None:
    """Write the picture as a JPEG that only this user may read; in place of an older one, at once and whole.

    Args:
        image: (height, width, 3) BGR; is left as it is.
        moment: When, as its reader is told.
        path: Its folder is made if it is missing.

    Raises:
        EvidenceError: It cannot be written.
    """
    picture = image.copy()
    if region is not None:
        _outline(picture, region)
    picture = _with_caption(picture, (camera, moment, f"score {score:.3g}, threshold {threshold:.3g}"))
    written, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert written, "OpenCV writes any picture of 8 bits as a JPEG"
    temporary = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _write(temporary, data.tobytes())
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise EvidenceError(f"evidence: {path} cannot be written: {error.strerror or error}") from error


def outline_px(region: Region, width: int, height: int) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the outline: pixels inside the picture, at least 24 apart where that is large enough."""
    x0, x1 = _span(region[0], region[2], width)
    y0, y1 = _span(region[1], region[3], height)
    return x0, y0, x1, y1


def _span(start: float, end: float, size: int) -> tuple[int, int]:
    first, last = round(start * (size - 1)), round(end * (size - 1))
    missing = max(0, _LEAST_SIDE_PX - (last - first))
    first = min(max(0, first - missing // 2), size - 1)
    last = min(max(first + _LEAST_SIDE_PX, last), size - 1)
    return max(0, min(first, last - _LEAST_SIDE_PX)), last


def _outline(picture: npt.NDArray[np.uint8], region: Region) -> None:
    x0, y0, x1, y1 = outline_px(region, picture.shape[1], picture.shape[0])
    for colour, thickness in ((_DARK, _OUTER_PX), (_BRIGHT, _INNER_PX)):
        cv2.rectangle(picture, (x0, y0), (x1, y1), colour, thickness)


def _with_caption(picture: npt.NDArray[np.uint8], parts: Sequence[str]) -> npt.NDArray[np.uint8]:
    """The picture above a dark strip with the parts, in as many lines as they need."""
    height, width = picture.shape[:2]
    total_width = max(width, _LEAST_WIDTH_PX)
    lines = _lines(parts, total_width - 2 * _MARGIN_PX)
    total = np.zeros((height + _MARGIN_PX + len(lines) * _LINE_PX, total_width, 3), np.uint8)
    total[:height, :width] = picture
    for index, line in enumerate(lines):
        scale = _FONT_SCALE
        while _width_px(line, scale) > total_width - 2 * _MARGIN_PX:  # in steps, as letters come in whole sizes only
            scale *= 0.95
        baseline = height + (index + 1) * _LINE_PX
        cv2.putText(total, line, (_MARGIN_PX, baseline), _FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return total


def _lines(parts: Sequence[str], width_px: int) -> list[str]:
    lines = [parts[0]]
    for part in parts[1:]:
        longer = lines[-1] + _GAP + part
        if _width_px(longer) <= width_px:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def _width_px(text: str, scale: float = _FONT_SCALE) -> int:
    return cv2.getTextSize(text, _FONT, scale, 1)[0][0]


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)  # the store, which names it, outlives a power cut, so it must, too
