"""What is drawn into pictures: outline, heat, caption."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from stream.messages import Region

Image = npt.NDArray[np.uint8]
"""(height, width, 3) BGR."""

_QUALITY = 90
_LEAST_SIDE_PX = 24  # of the outline; a smaller one is overlooked
_OUTER_PX, _INNER_PX = 5, 2
_DARK, _BRIGHT = (0, 0, 0), (0, 255, 255)  # BGR: black around yellow shows on any picture
_LEAST_WIDTH_PX = 320  # so that the caption can be read below a narrow picture, too
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_SCALE = 0.45
_LINE_PX, _MARGIN_PX = 18, 6
_GAP = "   "
# Lightness rises with the heat in it, and it has no red beside green: it is read by who confuses colours as well.
_COLOURS = cv2.COLORMAP_PLASMA
_LEAST_HEAT = 0.25  # of the threshold; what is less is normal and stays as it is
_OPACITY = 0.5  # at the threshold


def as_jpeg(picture: Image, quality: int = _QUALITY) -> bytes:
    """The picture as a file."""
    written, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert written, "OpenCV writes any picture of 8 bits as a JPEG"
    return data.tobytes()


def heated(picture: Image, heat: npt.NDArray[np.uint8]) -> Image:
    """The picture with a heat map over it, which leaves what is normal as it is.

    Args:
        heat: (rows, columns), 0 = normal, 255 = at least the threshold.
    """
    height, width = picture.shape[:2]
    full = cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255.0
    opacity = np.clip((full - _LEAST_HEAT) / (1.0 - _LEAST_HEAT), 0.0, 1.0) * _OPACITY
    colours = cv2.applyColorMap((full * 255.0).astype(np.uint8), _COLOURS).astype(np.float32)
    mixed: Image = (picture + opacity[..., None] * (colours - picture)).astype(np.uint8)
    return mixed


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


def outline(picture: Image, region: Region) -> None:
    """Draw the region's outline into the picture."""
    x0, y0, x1, y1 = outline_px(region, picture.shape[1], picture.shape[0])
    for colour, thickness in ((_DARK, _OUTER_PX), (_BRIGHT, _INNER_PX)):
        cv2.rectangle(picture, (x0, y0), (x1, y1), colour, thickness)


def with_caption(picture: Image, parts: Sequence[str], least_width_px: int = _LEAST_WIDTH_PX) -> Image:
    """The picture above a dark strip with the parts, in as many lines as they need."""
    parts = [part.replace("×", "x") for part in parts]  # the font has ASCII only
    height, width = picture.shape[:2]
    total_width = max(width, least_width_px)
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
