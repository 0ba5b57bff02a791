"""A source looked at for some seconds: what it is, what it delivers, and what it costs here to read it.

Reads every frame as the capture process does, from one connection, and times that. Knows not how it is told.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import numpy.typing as npt

from configs.settings import AnalysisSettings, ConnectionSettings
from stream.probe.clock import Clock, observed
from stream.source import Backend, EndOfStream, open_source, redact
from stream.source.packets import Encoded, Encoding, PacketFacts
from stream.source.timing import Sampler, StreamClock

KEY_FRAMES_S = 12.0
"""How long is waited for a second key frame at most."""

_SETTLED_S = 1.0  # of stream, after which a webcam has found its exposure
_QUALITY = 92


class ProbeError(Exception):
    """The picture cannot be written; the message says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packets:
    """What was seen of a source's packets."""

    encoding: Encoding
    bits_per_s: float | None
    """None = too few."""
    key_interval_s: float | None
    """None = no second key frame was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that was found. Times of work are of the processor, all threads together."""

    where: str
    """The source, without a password."""
    live: bool
    opened_s: float
    """Time to the first picture."""
    looked_s: float
    """Of the stream."""
    frames: int
    damaged: int
    transport: str
    """Of RTSP: tcp or udp; empty for others."""
    native_size: tuple[int, int]
    """(width, height)."""
    duration_s: float | None
    announced_fps: float
    """0 = not said."""
    measured_fps: float
    """0 = not known."""
    packets: Packets | None
    """None = it does not come encoded."""
    clock: Clock
    read_ms: float
    """To receive and decode a frame."""
    scale_ms: float
    """To make the analysed picture of one."""
    analysed_size: tuple[int, int]
    """(width, height) of that picture, with the settings that were given."""
    picture: npt.NDArray[np.uint8] = field(repr=False)
    """(height, width, 3) BGR, native size."""


def look(url: str, analysis: AnalysisSettings, connection: ConnectionSettings, seconds: float) -> Findings:
    """Open the source, read it for so long (longer for a second key frame, `KEY_FRAMES_S` at most), and close it.

    A file is read as fast as that goes, and less of it where it is shorter.

    Raises:
        SourceError: A subclass says what is wrong.
    """
    started_s = time.monotonic()
    with open_source(
        url, long_side_px=analysis.long_side_px, rate_fps=analysis.rate_fps, connection=connection
    ) as source:
        backend = source.backend
        opened_s = time.monotonic() - started_s
        reader = _Reader(backend, source.size, analysis.rate_fps)
        for stream_s in reader.times():
            if stream_s >= seconds and (reader.keys_known or stream_s >= KEY_FRAMES_S):
                break
        assert reader.picture is not None, "an open source has a first frame"
        return Findings(
            where=redact(url),
            live=backend.live,
            opened_s=opened_s,
            looked_s=reader.stream_s,
            frames=len(reader.came_s),
            damaged=backend.decode_errors,
            transport=connection.transport if url.lower().startswith("rtsp") else "",
            native_size=backend.native_size,
            duration_s=backend.duration_s,
            announced_fps=backend.native_fps,
            measured_fps=(len(reader.came_s) - 1) / reader.stream_s if reader.stream_s else 0.0,
            packets=reader.packets(),
            clock=observed(reader.stamps_s, reader.came_s, live=backend.live),
            read_ms=1000.0 * reader.read_s / len(reader.came_s),
            scale_ms=1000.0 * reader.scale_s / max(1, reader.scaled),
            analysed_size=source.size,
            picture=reader.picture,
        )


def write_picture(findings: Findings, path: Path) -> None:
    """Write the picture as a file that only this user may read.

    Raises:
        ProbeError: It cannot be written.
    """
    try:
        written, data = cv2.imencode(".jpg", findings.picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        assert written, "OpenCV writes any picture of 8 bits as a JPEG"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data.tobytes())
    except OSError as error:
        raise ProbeError(f"{path}: cannot be written: {error.strerror}: name another with --picture") from error


class _Reader:
    """Reads frames and keeps what is seen of them."""

    def __init__(self, backend: Backend, size: tuple[int, int], rate_fps: float) -> None:
        self._backend = backend
        self._size = size
        self._sampler = Sampler(rate_fps)
        self._clock = StreamClock(backend.native_fps, backend.live)
        self._seen: list[PacketFacts] = []
        if isinstance(backend, Encoded):
            backend.observe(self._seen.append)
        self.stamps_s: list[float | None] = []
        self.came_s: list[float] = []
        self.stream_s = self.read_s = self.scale_s = 0.0
        self.scaled = 0
        self.picture: npt.NDArray[np.uint8] | None = None

    def times(self) -> Iterator[float]:
        """The stream time of each frame, until a file or scene is over."""
        while True:
            begun_s = time.process_time()
            try:
                stamp_s = self._backend.grab()
            except EndOfStream:
                return
            self.read_s += time.process_time() - begun_s
            self.came_s.append(time.monotonic())
            self.stamps_s.append(stamp_s)
            before_s, self.stream_s = self.stream_s, self._clock.time(stamp_s, self.came_s[-1])
            if self._sampler.keep(self.stream_s):
                begun_s = time.process_time()
                self._backend.retrieve(*self._size)
                self.scale_s += time.process_time() - begun_s
                self.scaled += 1
            if self.picture is None or before_s < _SETTLED_S <= self.stream_s:
                self.picture = self._backend.retrieve(*self._backend.native_size)
            yield self.stream_s

    @property
    def keys_known(self) -> bool:
        """Whether the interval of key frames can be told, or there is no such thing."""
        return not isinstance(self._backend, Encoded) or len(self._keys()) >= 2

    def packets(self) -> Packets | None:
        if not isinstance(self._backend, Encoded):
            return None
        seen = self._seen
        decoded = [packet.decoded_s for packet in seen if packet.decoded_s is not None]
        span_s = decoded[-1] - decoded[0] if len(decoded) > 1 else 0.0
        keys = self._keys()
        steps = [after - before for before, after in pairwise(keys)]
        return Packets(
            encoding=self._backend.encoding,
            bits_per_s=8.0 * sum(packet.size for packet in seen[:-1]) / span_s if span_s > 0.0 else None,
            key_interval_s=median(steps) if steps else None,
        )

    def _keys(self) -> list[float]:
        """Times of the key frames: of the first picture, without which nothing could be decoded, and those after."""
        first = [stamp for stamp in self.stamps_s[:1] if stamp is not None]
        later = [packet.shown_s for packet in self._seen if packet.key and packet.shown_s is not None]
        return sorted({*first, *later})
