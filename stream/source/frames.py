"""A folder of pictures as a recording, behind frames://FOLDER?fps=N: the form in which datasets are published."""

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from stream.source.error import CodecError, EndOfStream, NotFoundError

PICTURE_SUFFIXES = frozenset({".tif", ".tiff", ".jpg", ".jpeg", ".png", ".bmp"})

_URL = re.compile(r"frames://(?P<folder>.+)\?fps=(?P<fps>\d+(?:\.\d+)?)", re.DOTALL)


class FramesBackend:
    """Frames that are files, read only when asked for. Their time is index / fps."""

    live = False

    def __init__(self, files: Sequence[Path], fps: float) -> None:
        self._files = files
        self._index = -1
        height, width = _read(files[0]).shape[:2]
        self.native_size = (width, height)
        self.native_fps = fps
        self.duration_s: float | None = len(files) / fps
        self.decode_errors = 0

    def grab(self) -> float | None:
        """The next frame's time; never blocks."""
        if self._index + 1 == len(self._files):
            raise EndOfStream(f"{self._files[0].parent}: over after {len(self._files)} pictures")
        self._index += 1
        return self._index / self.native_fps

    def retrieve(self, width: int, height: int) -> npt.NDArray[np.uint8]:
        """The grabbed frame, (height, width, 3) BGR."""
        image = _read(self._files[self._index])
        shrink = width < image.shape[1]
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
        return np.ascontiguousarray(resized, np.uint8)

    def close(self) -> None:
        """Nothing to let go of."""


def frames_url(folder: Path, fps: float) -> str:
    """The source that reads a folder's pictures at this rate."""
    return f"frames://{folder}?fps={fps:g}"


def open_frames(url: str) -> FramesBackend:
    """The recording of a frames:// URL.

    Raises:
        SourceError: The rate is missing, or the folder, or its pictures.
    """
    match = _URL.fullmatch(url)
    if match is None or float(match["fps"]) == 0.0:
        raise NotFoundError(f"{url}: say how fast its pictures follow each other: frames://FOLDER?fps=10")
    return FramesBackend(pictures(Path(match["folder"]).expanduser()), float(match["fps"]))


def pictures(folder: Path) -> list[Path]:
    """The pictures in a folder in the order of their numbers; hidden files are none.

    Raises:
        NotFoundError: There is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise NotFoundError(f"{folder}: no such folder")
    files = [
        file for file in folder.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES and not file.name.startswith(".")
    ]
    if not files:
        raise NotFoundError(
            f"{folder}: no picture in this folder: it needs files that end in .tif, .jpg, .png or .bmp"
        )
    # Numbers may have been written without leading zeros, and with more digits than were thought of.
    return sorted(files, key=lambda file: [int(part) if part.isdigit() else part for part in _parts(file.stem)])


def _parts(stem: str) -> list[str]:
    """Text and digits in turn, text first."""
    return re.split(r"(\d+)", stem)


def _read(file: Path) -> npt.NDArray[np.uint8]:
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise CodecError(f"{file}: is no picture that can be decoded")
    return np.asarray(image, np.uint8)
