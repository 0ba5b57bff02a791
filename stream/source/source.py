"""A camera, file or scene as pictures at analysis size and rate, each with its stream time.

Live watching and calibration read through the same `Source`, so their footage is prepared identically. What is
particular to a kind of source is in its backend (`ffmpeg`, `webcam`, `scene`, `frames`), imported only when
such a source is opened. Knows nothing of rings, processes or reconnecting.
"""

import math
import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import numpy.typing as npt

from configs.settings import ConnectionSettings
from stream.source.error import (
    EndOfStream,
    SourceError,
    redact,
)
from stream.source.timing import Pulse, Sampler, StreamClock

if TYPE_CHECKING:
    from stream.clips.footage import Footage

SIDE_MULTIPLE_PX = 16
NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https")
_RATE_WINDOW_FRAMES = 100


@dataclass(frozen=True, slots=True)
class Picture:
    """One analysed frame. The image is the caller's own."""

    image: npt.NDArray[np.uint8]
    """(height, width, 3) BGR, contiguous."""
    stream_time_s: float
    """0 at the source's first frame, never running backwards."""


class Backend(Protocol):
    """What reads one kind of source: frames in order, pictures of them only on request."""

    live: bool
    """Frames come when they come: it cannot be made to wait, and its end is a fault."""
    native_size: tuple[int, int]
    """(width, height) as shown, in pixels: square ones, upright."""
    native_fps: float
    """0 = unknown."""
    duration_s: float | None
    """Of a file or scene, where it says so."""
    decode_errors: int
    """Frames lost to damaged data."""

    def grab(self) -> float | None:
        """Go on to the next frame and say its timestamp in seconds, None where it has none.

        Blocks until there is one, a live source for its read time-out at most.

        Raises:
            EndOfStream: A file or scene is over.
            SourceError: Anything else.
        """

    def retrieve(self, width: int, height: int) -> npt.NDArray[np.uint8]:
        """The picture of the frame grabbed last, (height, width, 3) BGR, contiguous."""

    def close(self) -> None:
        """Let go of the source; safe to call twice."""


class Source:
    """An open source. Iterate, or call `read` or `poll`; close it or use it as a context manager.

    A camera is read as fast as it delivers: every packet is decoded, frames are thinned by timestamp and only those
    that are kept become pictures, so no backlog builds up unless decoding alone is slower than the camera.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        where: str,
        size: tuple[int, int],
        rate_fps: float,
        paced: bool,
        footage: "Footage | None" = None,
    ) -> None:
        self._backend = backend
        self._footage = footage
        self._where = where
        self._paced = paced
        self._period_s = 1.0 / rate_fps
        self._clock = StreamClock(backend.native_fps, backend.live)
        self._sampler = Sampler(rate_fps)
        self._pulse = Pulse()
        self._started_s: float | None = None  # when stream time 0 was due, paced sources only
        self._delivered_s = -math.inf
        self._waiting_s: float | None = None  # stream time of a frame grabbed, but not due yet
        self._times_s: deque[float] = deque(maxlen=_RATE_WINDOW_FRAMES)
        self.size = size
        """(width, height) of every picture."""
        self.late = 0
        """Frames skipped because the clock had passed them, paced sources only."""

    @property
    def backend(self) -> Backend:
        """What it reads through, for who measures that rather than looks at pictures."""
        return self._backend

    @property
    def live(self) -> bool:
        """Whether pictures come by the clock, whatever their reader does."""
        return self._backend.live or self._paced

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) of the source as shown, in square pixels."""
        return self._backend.native_size

    @property
    def native_fps(self) -> float:
        """The rate the source announces, 0 = none."""
        return self._backend.native_fps

    @property
    def duration_s(self) -> float | None:
        """How long a file or scene is, None where that is not known or there is no end."""
        return self._backend.duration_s

    @property
    def measured_fps(self) -> float:
        """The source's rate over its last frames by their stream times, 0 = not known yet."""
        if len(self._times_s) < 2 or self._times_s[-1] == self._times_s[0]:
            return 0.0
        return (len(self._times_s) - 1) / (self._times_s[-1] - self._times_s[0])

    @property
    def decode_errors(self) -> int:
        """Frames lost to damaged data."""
        return self._backend.decode_errors

    def stalled(self, now_s: float) -> bool:
        """Whether a camera has sent no whole frame for unusually long, by its own rate. For any thread."""
        return self._backend.live and self._pulse.stalled(now_s)

    def read(self) -> Picture:
        """The next picture. Blocks until there is one, a camera for its read time-out at most.

        Raises:
            EndOfStream: A file or scene is over.
            SourceError: The source failed; it is of no use any more.
        """
        while (picture := self.poll(math.inf)) is None:
            pass
        return picture

    def poll(self, wait_s: float) -> Picture | None:
        """The next picture, or None where none was due within about `wait_s`.

        A silent camera blocks longer, for its read time-out at most. Raises like `read`.
        """
        deadline_s = time.monotonic() + wait_s
        while True:
            stream_s = self._next_sample(deadline_s)
            if stream_s is None or not self._is_due(stream_s, deadline_s):
                return None
            self._waiting_s = None
            now_s = time.monotonic()
            if self._paced and self._is_late(stream_s, now_s):
                self.late += 1
                continue
            self._delivered_s = now_s
            picture = Picture(self._backend.retrieve(*self.size), stream_s)
            if self._footage is not None and self._footage.template is None:
                self._footage.add_picture(picture.image, stream_s)
            return picture

    def __iter__(self) -> Iterator[Picture]:
        while True:
            try:
                picture = self.read()
            except EndOfStream:
                return
            yield picture

    def close(self) -> None:
        """Let go of the source; safe to call twice."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Source {self._where} {self.size[0]}×{self.size[1]}>"

    def _next_sample(self, deadline_s: float) -> float | None:
        """Stream time of the next frame to analyse, None where the deadline comes first."""
        while self._waiting_s is None:
            timestamp_s = self._backend.grab()
            now_s = time.monotonic()
            stream_s = self._clock.time(timestamp_s, now_s)
            if self._footage is not None:
                self._footage.tell_time(timestamp_s, stream_s)
            self._times_s.append(stream_s)
            self._pulse.beat(now_s)
            if self._sampler.keep(stream_s):
                self._waiting_s = stream_s
            elif now_s > deadline_s:
                return None
        return self._waiting_s

    def _is_due(self, stream_s: float, deadline_s: float) -> bool:
        """Wait for a paced frame's moment; False where the deadline comes first."""
        if not self._paced:
            return True
        now_s = time.monotonic()
        if self._started_s is None:
            self._started_s = now_s - stream_s
        due_s = self._started_s + stream_s
        time.sleep(max(0.0, min(due_s, deadline_s) - now_s))
        return due_s <= max(now_s, deadline_s)

    def _is_late(self, stream_s: float, now_s: float) -> bool:
        """A later frame is due as well. Even so one passes per period, or a slow machine would see none."""
        assert self._started_s is not None
        behind_s = now_s - (self._started_s + stream_s)
        return behind_s > self._period_s and now_s - self._delivered_s < self._period_s


def open_source(
    url: str,
    *,
    size: tuple[int, int] | None = None,
    long_side_px: int | None = None,
    rate_fps: float,
    connection: ConnectionSettings,
    realtime: bool = False,
    footage: "Footage | None" = None,
) -> Source:
    """An open source. Blocks for twice `connection.open_timeout_s` at most, and however long a name server takes.

    Args:
        url: `rtsp(s)://` or `http(s)://`, a file, a webcam's number, `demo://NAME?parameters`, or a folder of
            pictures as `frames://FOLDER?fps=N`.
        size: (width, height) of the pictures; either this or `long_side_px`.
        long_side_px: Longer side of the pictures, whose other side follows from the source's aspect.
        rate_fps: Pictures per second of stream time, fewer where the source has fewer.
        realtime: Pace a file or scene by the clock as if it were a camera, skipping what is late. Otherwise it is
            read as fast as possible and nothing is skipped.
        footage: Keeps the packets of the source, or its pictures where it has no packets that can be kept.

    Raises:
        SourceError: A subclass says what is wrong.
    """
    if (size is None) == (long_side_px is None):
        raise ValueError("exactly one of size and long_side_px must be given")
    backend = _backend(url, connection, footage)
    if size is None:
        assert long_side_px is not None
        size = analysed_size(backend.native_size, long_side_px)
    paced = realtime and not backend.live
    return Source(backend, where=redact(url), size=size, rate_fps=rate_fps, paced=paced, footage=footage)


def analysed_size(native_size: tuple[int, int], long_side_px: int) -> tuple[int, int]:
    """(width, height) of about the native aspect with this longer side, both multiples of 16."""
    scale = long_side_px / max(native_size) / SIDE_MULTIPLE_PX
    width, height = (max(1, round(side * scale)) * SIDE_MULTIPLE_PX for side in native_size)
    return width, height


def is_camera(url: str) -> bool:
    """Whether the URL names a camera, worth trying again when it fails, rather than a file or scene."""
    return url.isdecimal() or _scheme(url) in NETWORK_SCHEMES


def _backend(url: str, connection: ConnectionSettings, footage: "Footage | None") -> Backend:
    scheme = _scheme(url)
    if url.isdecimal():
        from stream.source.webcam import WebcamBackend

        return WebcamBackend(int(url))
    if scheme == "demo":
        from stream.source.scene import open_demo

        return open_demo(url)
    if scheme == "frames":
        from stream.source.frames import open_frames

        return open_frames(url)
    if scheme in ("", "file", *NETWORK_SCHEMES):
        from stream.source import ffmpeg

        if scheme in NETWORK_SCHEMES:
            return ffmpeg.open_network(url, connection, footage)
        return ffmpeg.open_file(Path(url.removeprefix("file://")).expanduser(), footage)
    known = ", ".join(f"{name}://" for name in (*NETWORK_SCHEMES, "demo", "frames"))
    raise SourceError(f"{redact(url)}: unknown kind of source: use {known}, a file or a webcam's number")


def _scheme(url: str) -> str:
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", url)
    return match[1].lower() if match else ""
