"""Normal footage as pictures in order: files, folders of files, drawn scenes, or a camera for some minutes.

Reads through the same `Source` as live watching, so that pictures are prepared identically.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from configs.settings import ConnectionSettings
from stream.source import (
    AuthenticationError,
    Picture,
    Source,
    SourceError,
    analysed_size,
    is_camera,
    open_source,
    redact,
)

VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv"})

_PREVIEW_PICTURES = 60  # over all recordings together
_PREVIEW_FPS = 1.0
_ASPECT_TOLERANCE = 0.05
_GIVE_UP_S = 60.0  # a camera that is away for longer while its footage is taken
_RETRY_S = 2.0


class FootageError(Exception):
    """There is no footage to learn from; the message says what, where and the way out."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of the footage."""

    segment: int
    """Pictures of one segment follow each other in time without a gap; the next one starts at 0 again."""
    picture: Picture
    done: float
    """Share of the footage that is read with this picture, 0 to 1; stays behind where a recording has no length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which footage to take and how to prepare it."""

    sources: tuple[str, ...] = field(repr=False)
    """No folders: see `expand`."""
    size: tuple[int, int]
    """(width, height)"""
    rate_fps: float
    minutes: float
    """How much of each camera or scene; recordings are taken whole."""
    connection: ConnectionSettings

    @property
    def live(self) -> bool:
        """Whether some of it is still to happen."""
        return any(is_camera(source) for source in self.sources)


def expand(sources: Sequence[str]) -> tuple[str, ...]:
    """The sources with each folder replaced by the videos directly in it, in the order of their names.

    Raises:
        FootageError: A folder holds none.
    """
    expanded: list[str] = []
    for source in sources:
        folder = Path(source)
        if "://" in source or not folder.is_dir():
            expanded.append(source)
            continue
        videos = sorted(str(path) for path in folder.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
        if not videos:
            endings = ", ".join(sorted(VIDEO_SUFFIXES))
            raise FootageError(f"{folder}: no video in this folder: it needs files that end in {endings}")
        expanded += videos
    return tuple(expanded)


def plan(
    sources: Sequence[str], *, long_side_px: int, rate_fps: float, minutes: float, connection: ConnectionSettings
) -> Plan:
    """The plan for these sources; opens each recording once to see that all are of one camera.

    Raises:
        FootageError: A folder without videos, or pictures of different shapes.
        SourceError: A source cannot be opened.
    """
    names = expand(sources)
    if not names:
        raise FootageError("no footage: name at least one camera, file or folder")
    first: tuple[int, int] | None = None
    for name in names:
        if first is not None and is_camera(name):
            continue
        with open_source(name, long_side_px=long_side_px, rate_fps=rate_fps, connection=connection) as source:
            width, height = source.native_size
        if first is None:
            first = (width, height)
        elif abs(width / height * first[1] / first[0] - 1.0) > _ASPECT_TOLERANCE:
            raise FootageError(
                f"{redact(name)}: its picture is {width}×{height}, that of {redact(names[0])} {first[0]}×{first[1]}: "
                "take footage of one camera at a time"
            )
    assert first is not None
    return Plan(
        sources=names,
        size=analysed_size(first, long_side_px),
        rate_fps=rate_fps,
        minutes=minutes,
        connection=connection,
    )


def preview(plan: Plan) -> list[Picture]:
    """Some pictures spread over the recordings, to see the empty scene between whoever passes.

    Raises:
        SourceError: A recording cannot be read.
    """
    each = max(3, _PREVIEW_PICTURES // len(plan.sources))
    pictures: list[Picture] = []
    for name in plan.sources:
        with _open(name, plan, _PREVIEW_FPS) as source:
            for number, picture in enumerate(source):
                pictures.append(picture)
                if number + 1 == each:
                    break
    return pictures


def shots(plan: Plan) -> Iterator[Shot]:
    """All of the footage in order.

    A camera that fails meanwhile is opened again and goes on in a new segment.

    Raises:
        SourceError: A recording cannot be read, or a camera stays away for a minute.
    """
    segment = 0
    for index, name in enumerate(plan.sources):
        for shot in _camera(name, plan, segment) if is_camera(name) else _recording(name, plan, segment):
            segment = shot.segment
            yield replace(shot, done=(index + min(1.0, shot.done)) / len(plan.sources))
        segment += 1


def _open(name: str, plan: Plan, rate_fps: float) -> Source:
    return open_source(name, size=plan.size, rate_fps=rate_fps, connection=plan.connection)


def _recording(name: str, plan: Plan, segment: int) -> Iterator[Shot]:
    limit_s = plan.minutes * 60.0 if name.startswith("demo://") else math.inf
    with _open(name, plan, plan.rate_fps) as source:
        length_s = min(limit_s, source.duration_s or math.inf)
        for picture in source:
            if picture.stream_time_s >= limit_s:
                return
            yield Shot(segment, picture, picture.stream_time_s / length_s)


def _camera(name: str, plan: Plan, segment: int) -> Iterator[Shot]:
    """Pictures until `minutes` of them are there; outages do not count."""
    wanted_s = plan.minutes * 60.0
    taken_s = 0.0
    lost_s: float | None = None
    while taken_s < wanted_s:
        last_s = 0.0
        try:
            with _open(name, plan, plan.rate_fps) as source:
                for picture in source:
                    last_s, lost_s = picture.stream_time_s, None
                    yield Shot(segment, picture, (taken_s + last_s) / wanted_s)
                    if taken_s + last_s >= wanted_s:
                        return
        except AuthenticationError:
            raise
        except SourceError:
            now_s = time.monotonic()
            lost_s = now_s if lost_s is None else lost_s
            if taken_s + last_s == 0.0 or now_s - lost_s > _GIVE_UP_S:
                raise
            time.sleep(_RETRY_S)
        taken_s += last_s
        segment += 1
