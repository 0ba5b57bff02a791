"""Labelled test videos: which frames are anomalous, where, and which normal footage goes with them.

Own recordings come with a labels.json; how published datasets are laid out is in `layouts`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from calibrate.footage import VIDEO_SUFFIXES
from configs.settings import ConnectionSettings
from stream.source import open_source

_LENGTH_TOLERANCE_FRAMES, _LENGTH_TOLERANCE = 2, 0.01

Flags = npt.NDArray[np.bool_]
Masks = Callable[[], Iterator[Flags]]
"""When called, each frame's anomalous pixels (H, W) in turn, read as they are asked for."""


class LabelsError(Exception):
    """Videos and labels do not fit together; the message says which file and what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledVideo:
    """A test video."""

    name: str
    source: str
    """As `open_source` takes it."""
    fps: float
    """Rate of the labels, where the source does not say its own."""
    anomalous: Flags
    """(frames,)"""
    masks: Masks | None = None
    """None where only whole frames are labelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledCamera:
    """What is learned from and judged by itself, because it is one view."""

    name: str
    train: tuple[str, ...]
    """Sources of normal footage."""
    test: tuple[LabelledVideo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Normal footage and labelled videos of one camera or several."""

    name: str
    cameras: tuple[LabelledCamera, ...]

    @property
    def videos(self) -> tuple[LabelledVideo, ...]:
        """Of all cameras."""
        return tuple(video for camera in self.cameras for video in camera.test)


def from_json(labels: Path, train: Path, test: Path, masks: Path | None = None) -> Dataset:
    """Own recordings of one camera.

    Args:
        labels: `{"fps": 10, "test": {"01.mp4": {"frames": 180, "anomalous": [[60, 179]]}}}`: ranges of frames counted
            from 0, both ends included. `fps` may be left out; `width` is needed for masks.
        train: Folder of normal videos.
        test: Folder of the labelled videos.
        masks: `.npz` with an array (frames, height, width / 8) per video, its bits packed along the last axis.

    Raises:
        LabelsError: A file is missing, or labels are none.
    """
    entries, fps, width = entries_of(labels)
    strangers = {file.name for file in _folder(test).iterdir() if file.suffix.lower() in VIDEO_SUFFIXES} - set(
        entries
    )
    if strangers:
        raise LabelsError(f"{labels}: has no labels for {test / min(strangers)}: add them, or take the video away")
    videos = []
    for name, entry in sorted(entries.items()):
        if not (test / name).is_file():
            raise LabelsError(f"{test / name}: is missing: {labels} has labels for it")
        flags = flags_of(entry, f"{labels}: {name}")
        packed = None if masks is None else _packed(masks, Path(name).stem, width, len(flags))
        videos.append(
            LabelledVideo(name=Path(name).stem, source=str(test / name), fps=fps, anomalous=flags, masks=packed)
        )
    camera = LabelledCamera(name="", train=(str(_folder(train)),), test=tuple(videos))
    return checked(Dataset(name=test.resolve().parent.name, cameras=(camera,)), str(labels))


def checked(dataset: Dataset, where: str) -> Dataset:
    """The dataset itself.

    Raises:
        LabelsError: Its frames are all normal or all anomalous, so that there is nothing to tell apart.
    """
    flags = np.concatenate([np.empty(0, np.bool_), *(video.anomalous for video in dataset.videos)])
    if not flags.any() or flags.all():
        kind = "anomalous" if not flags.any() else "normal"
        raise LabelsError(f"{where}: no frame is {kind}: nothing can be measured without both kinds")
    return dataset


def fitted(dataset: Dataset, connection: ConnectionSettings) -> Dataset:
    """The dataset with the rate that each video itself says; opens all of them.

    Raises:
        LabelsError: A video has more or fewer frames than labels.
        SourceError: One cannot be opened.
    """
    cameras = []
    for camera in dataset.cameras:
        videos = tuple(_fitted(video, connection) for video in camera.test)
        cameras.append(replace(camera, test=videos))
    return replace(dataset, cameras=tuple(cameras))


def _fitted(video: LabelledVideo, connection: ConnectionSettings) -> LabelledVideo:
    with open_source(video.source, size=(16, 16), rate_fps=1.0, connection=connection) as source:
        fps = source.native_fps or video.fps
        frames = None if source.duration_s is None else round(source.duration_s * fps)
    if not fps:
        raise LabelsError(f"{video.source}: does not say its frames per second: add fps to its labels")
    labelled = len(video.anomalous)
    # Containers round their length, and some count a frame that cannot be decoded.
    if frames is not None and abs(frames - labelled) > max(_LENGTH_TOLERANCE_FRAMES, _LENGTH_TOLERANCE * labelled):
        raise LabelsError(f"{video.source}: has {frames} frames, but {labelled} are labelled")
    return replace(video, fps=fps)


def ranges(anomalous: Flags) -> list[tuple[int, int]]:
    """First and last frame, counted from 0, of each anomalous stretch."""
    edges = np.flatnonzero(np.diff(np.r_[False, anomalous, False]))
    return [(int(first), int(end) - 1) for first, end in zip(edges[::2], edges[1::2], strict=True)]


def from_ranges(frames: int, stretches: Sequence[tuple[int, int]], where: str) -> Flags:
    """The inverse of `ranges`.

    Raises:
        LabelsError: A stretch is not within the frames.
    """
    flags = np.zeros(frames, np.bool_)
    for first, last in stretches:
        if not 0 <= first <= last < frames:
            raise LabelsError(f"{where}: frames {first} to {last} are anomalous, but there are only {frames} frames")
        flags[first : last + 1] = True
    return flags


def entries_of(labels: Path) -> tuple[dict[str, Any], float, int | None]:
    """The test videos' entries, the frame rate (0 = unknown) and the width."""
    try:
        content = json.loads(labels.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabelsError(f"{labels}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise LabelsError(f"{labels}: is not JSON: {error}") from error
    entries = content.get("test") if isinstance(content, dict) else None
    if not isinstance(entries, dict) or not entries:
        raise LabelsError(
            f'{labels}: must have "test": {{"NAME.mp4": {{"frames": N, "anomalous": [[FIRST, LAST]]}}}}'
        )
    fps, width = content.get("fps", 0.0), content.get("width")
    if not isinstance(fps, int | float) or fps < 0:
        raise LabelsError(f"{labels}: fps: must be frames per second, not {fps!r}")
    if width is not None and not _is_count(width):
        raise LabelsError(f"{labels}: width: must be in pixels, not {width!r}")
    return entries, float(fps), width


def flags_of(entry: Any, where: str) -> Flags:
    """Which frames of an entry are anomalous, (frames,)."""
    frames = entry.get("frames") if isinstance(entry, dict) else None
    if not _is_count(frames):
        raise LabelsError(f"{where}: frames: must be the number of frames, not {frames!r}")
    stretches = entry.get("anomalous")
    for one in stretches if isinstance(stretches, list) else [stretches]:
        if not (isinstance(one, list) and len(one) == 2 and all(type(end) is int for end in one)):
            raise LabelsError(f"{where}: anomalous: must be a list of [first, last] frames, has {one!r}")
    return from_ranges(frames, [(first, last) for first, last in stretches], where)


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and value > 0


def _packed(file: Path, name: str, width: int | None, frames: int) -> Masks:
    if width is None:
        raise LabelsError(f"{file}: its masks are packed: labels.json must say the videos' width in pixels")

    def read() -> npt.NDArray[np.uint8]:
        with np.load(file, allow_pickle=False) as arrays:
            if name not in arrays:
                raise LabelsError(f"{file}: has no masks for {name}")
            return np.asarray(arrays[name])

    try:
        found = read()
    except (OSError, ValueError) as error:
        raise LabelsError(f"{file}: cannot be read: {error}") from error
    row_bytes = -(-width // 8)
    if found.ndim != 3 or (len(found), found.shape[2]) != (frames, row_bytes) or found.dtype != np.uint8:
        shape = "×".join(map(str, found.shape))
        raise LabelsError(f"{file}: {name}: must be {frames}×height×{row_bytes} bytes, not {shape} {found.dtype}")
    return lambda: (np.unpackbits(one, axis=-1, count=width).astype(np.bool_) for one in read())


def _folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise LabelsError(f"{folder}: no such folder")
    return folder
