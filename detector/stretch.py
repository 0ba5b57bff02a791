"""A stretch of what one camera showed, kept as features: no picture can be made of it again.

What a worker keeps of alerts and of normal time, and what calibration learns from without new footage. A
safetensors file: plain arrays and a header of JSON, nothing that could run.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from detector.bundle import USUAL
from detector.clips import Whole
from detector.detector import Features, Sample
from detector.whole_file import write_whole

FORMAT = 1

Kind = Literal["alert", "normal", "marked"]
ALERT: Kind = "alert"
"""Around an alert; the file is named after its time."""
NORMAL: Kind = "normal"
"""Some seconds of normal time."""
MARKED: Kind = "marked"
"""Of an alert that was marked as harmless, and named after it."""

_SUFFIX = ".features"
_KEY = "mulde-stream-stretch"
_NO_CLIP = -1

_Arrays = dict[str, npt.NDArray[Any]]


class StretchError(Exception):
    """A kept stretch cannot be written or read; the message says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Where and how a stretch was seen."""

    camera: str
    model: str
    """File of the bundle it was judged with."""
    width: int
    """Of the analysed picture, pixels."""
    height: int
    rate_fps: float
    started_utc: str = ""
    ended_utc: str = ""
    regime: str = USUAL
    """That the camera was in."""
    turn: int = 0
    """How many stretches of normal time the camera had shown by then, this one included; 0 for an alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Pictures that follow each other."""

    about: About
    times_s: tuple[float, ...]
    """Stream time."""
    seen: tuple[Features, ...] = field(repr=False)
    """Of each; vectors in half precision."""


def file_of(folder: Path, kind: Kind, name: str) -> Path:
    """Where a stretch is kept in its camera's folder."""
    return folder / f"{kind}-{name}{_SUFFIX}"


def files(folder: Path, kind: Kind) -> list[Path]:
    """All stretches of a kind in a camera's folder, in the order of their names, which is that of time."""
    return sorted(folder.glob(f"{kind}-*{_SUFFIX}"))


def write(stretch: Stretch, path: Path) -> None:
    """Put the stretch at `path` for this user only, whole or not at all; the folder is made where it is missing.

    Does not wait for the disk, as whoever scores pictures must not.

    Raises:
        StretchError: The file cannot be written.
    """
    about = {name: getattr(stretch.about, name) for name in About.__dataclass_fields__}
    header = json.dumps({"format": FORMAT, "about": about}, allow_nan=False)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(save(_arrays(stretch), metadata={_KEY: header}), path, 0o600, sync=False)
    except OSError as error:
        raise StretchError(f"{path}: cannot be written: {error.strerror}") from error


def about(path: Path) -> About:
    """What the file says of itself, without its arrays.

    Raises:
        StretchError: It is not there, or no such file.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            return _about((file.metadata() or {}).get(_KEY), path)
    except (SafetensorError, OSError) as error:
        raise StretchError(f"{path}: cannot be read: {error}") from error


def read(path: Path) -> Stretch:
    """The stretch in this file.

    Raises:
        StretchError: It is not there, no such file, or cut off.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            found = _about((file.metadata() or {}).get(_KEY), path)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise StretchError(f"{path}: cannot be read: {error}") from error
    try:
        return Stretch(about=found, times_s=tuple(arrays["times_s"].tolist()), seen=tuple(_seen(arrays)))
    except (KeyError, IndexError, ValueError) as error:
        raise StretchError(f"{path}: is damaged: {error}") from error


def _about(text: str | None, path: Path) -> About:
    try:
        header = json.loads(text or "null")
        if header["format"] == FORMAT:
            return About(**header["about"])
    except (ValueError, KeyError, TypeError) as error:
        raise StretchError(f"{path}: holds no stretch of features") from error
    raise StretchError(f"{path}: has format {header['format']}, this program reads {FORMAT}")


def _arrays(stretch: Stretch) -> _Arrays:
    arrays: _Arrays = {"times_s": np.array(stretch.times_s, np.float64)}
    arrays["counts"], arrays["cells"] = _joined([one.cells for one in stretch.seen])
    for name in sorted({name for one in stretch.seen for name in one.samples}):
        samples = [one.samples.get(name) for one in stretch.seen]
        cells = [np.empty(0, np.int64) if sample is None else sample.cells for sample in samples]
        arrays[f"{name}.counts"], arrays[f"{name}.cells"] = _joined(cells)
        arrays[f"{name}.vectors"] = np.concatenate(
            [sample.vectors.astype(np.float16) for sample in samples if sample is not None]
        )
    clips = {one.whole.end_s: one.whole for one in stretch.seen if one.whole is not None}
    if clips:
        ends_s = list(clips)
        arrays["clip.of_picture"] = np.array(
            [_NO_CLIP if one.whole is None else ends_s.index(one.whole.end_s) for one in stretch.seen], np.int64
        )
        arrays["clip.ends_s"] = np.array(ends_s, np.float64)
        arrays["clip.vectors"] = np.concatenate([whole.vectors.astype(np.float16) for whole in clips.values()])
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _seen(arrays: _Arrays) -> list[Features]:
    count = len(arrays["times_s"])
    cells = _parted(arrays["cells"].astype(np.int64), arrays["counts"], count)
    samples: list[dict[str, Sample]] = [{} for _ in range(count)]
    for name in sorted(key.removesuffix(".counts") for key in arrays if key.endswith(".counts")):
        counts = arrays[f"{name}.counts"]
        own = _parted(arrays[f"{name}.cells"].astype(np.int64), counts, count)
        vectors = _parted(arrays[f"{name}.vectors"], counts, count)
        for of_picture, where, what in zip(samples, own, vectors, strict=True):
            of_picture[name] = Sample(where, what)
    wholes: list[Whole | None] = [None] * count
    if "clip.of_picture" in arrays:
        clips = [
            Whole(vectors=vector[None], end_s=float(end_s))
            for vector, end_s in zip(arrays["clip.vectors"], arrays["clip.ends_s"], strict=True)
        ]
        wholes = [None if index == _NO_CLIP else clips[index] for index in arrays["clip.of_picture"].tolist()]
    return [
        Features(cells=own, samples=of_picture if len(own) else {}, whole=whole)
        for own, of_picture, whole in zip(cells, samples, wholes, strict=True)
    ]


def _joined(parts: list[npt.NDArray[np.int64]]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Lengths of the parts, and all of them one after the other."""
    counts = np.array([len(part) for part in parts], np.int32)
    return counts, np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int32)


def _parted(joined: npt.NDArray[Any], counts: npt.NDArray[Any], pictures: int) -> list[npt.NDArray[Any]]:
    """The inverse of `_joined`."""
    if len(counts) != pictures or int(counts.sum()) != len(joined):
        raise ValueError("its arrays do not fit each other")
    return np.split(joined, np.cumsum(counts)[:-1]) if pictures else []
