"""Pictures of alerts in a terminal: each cell is an upper half block, whose two colours are two pixels.

Reads the evidence's files of this machine, one small picture at a time. Knows nothing of the page around it.
"""

import os
import stat
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from stream.dashboard.cells import QUIET, Line, wrap
from stream.messages import Alert, Region
from stream.store import role_of

_MOST_BYTES = 8_000_000  # of a file: an alert's picture has a few hundred thousand
_CACHED = 16  # pictures
_OUTLINE = (0, 255, 255)  # BGR
_BITS = 0xF8  # of a colour that are kept: more of the cells are equal then, and a page is shorter


class Pictures:
    """Makes an alert's picture as lines, and keeps the latest.

    Args:
        here: Whether the evidence is on this machine.
        colours: Whether the terminal shows any.
    """

    def __init__(self, *, here: bool, colours: bool) -> None:
        self._here = here
        self._colours = colours
        self._made: dict[tuple[object, ...], tuple[Line, ...]] = {}

    def lines(self, alert: Alert | None, columns: int, lines: int) -> tuple[Line, ...]:
        """The picture in so many cells at most, or in words why there is none. Reads one file at the most."""
        if alert is None:
            return ()
        if not self._colours:
            return _words("no picture: this terminal shows no colours", columns)
        path, clean = _path(alert)
        if path is None:
            return _words("this alert has no picture", columns)
        if not self._here:
            return _words("picture is on the other machine", columns)
        try:
            status = path.stat()
        except OSError:
            return _words(f"picture is not there (any more): {path}", columns)
        region = alert.region if clean else None
        key = (path, status.st_mtime_ns, status.st_size, region, columns, lines)
        if key not in self._made:
            if len(self._made) >= _CACHED:
                del self._made[next(iter(self._made))]
            image = _read(path)
            made = _words(f"picture cannot be read: {path}", columns)
            self._made[key] = made if image is None else half_blocks(_small(image, columns, lines, region))
        return self._made[key]


def half_blocks(image: npt.NDArray[np.uint8]) -> tuple[Line, ...]:
    """A picture of (2 × lines, columns, 3) BGR in so many lines and columns."""
    rgb = (image & _BITS)[:, :, ::-1]
    return tuple(
        [
            ("▀" * len(list(run)), style)
            for style, run in groupby(
                f"#{bytes(upper).hex()} on #{bytes(lower).hex()}" for upper, lower in zip(*rows, strict=True)
            )
        ]
        for rows in zip(rgb[0::2], rgb[1::2], strict=True)
    )


def _path(alert: Alert) -> tuple[Path | None, bool]:
    """The picture to show, and whether it is the frame as it was."""
    by_role = {role_of(alert.id, path): Path(path) for path in alert.evidence}
    clean = by_role.get("clean")
    return (clean, True) if clean is not None else (by_role.get("picture"), False)


def _read(path: Path) -> npt.NDArray[np.uint8] | None:
    """None where it is no picture, or none of ours: never waits for a pipe, never reads without end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            data = file.read(_MOST_BYTES)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except (OSError, cv2.error):
        return None
    return None if image is None else np.asarray(image, np.uint8)


def _small(image: npt.NDArray[np.uint8], columns: int, lines: int, region: Region | None) -> npt.NDArray[np.uint8]:
    """The picture as large as fits, its region outlined, an even number of pixels high."""
    height, width = image.shape[:2]
    scale = min(columns / width, 2 * lines / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale / 2)) * 2)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if region is not None:
        corners = [(round(x * (size[0] - 1)), round(y * (size[1] - 1))) for x, y in (region[:2], region[2:])]
        cv2.rectangle(small, corners[0], corners[1], _OUTLINE, 1)
    return np.asarray(small, np.uint8)


def _words(text: str, columns: int) -> tuple[Line, ...]:
    return tuple([(part, QUIET)] for part in wrap(text, columns, 3))
