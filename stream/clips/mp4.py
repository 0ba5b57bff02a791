"""A clip's file: an MP4 that grows, playable up to its last second at any time, and in the end a plain one.

While it grows it consists of fragments of a second at most; what is finished is written anew with its index in
front, as players on the web like it, and takes the place of the other at once. Times in it count from the first
picture; what time that was is in the file's comment, as JSON.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import OutputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from stream.clips import ClipError
from stream.clips.footage import Sample
from stream.clips.template import Template

_TICKS = 90_000  # a second
_SLACK = 16  # ticks; for pictures that are decoded a tick apart until the times of decoding have caught up
_GROWING = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "1000000"}
_FINISHED = {"movflags": "faststart"}
_ENCODER = "libx264"
_QUICK = {"preset": "veryfast", "tune": "zerolatency", "crf": "20", "threads": "1"}
_FULL, _FILM = ColorRange.JPEG, ColorRange.MPEG  # of the grey levels: players expect that of film
_KEY_EVERY_S = 1.0
_UNFINISHED = ".new"

_Put = Callable[[Sample, int, int, int], None]
"""(sample, when it is shown, when it is decoded, how long) in ticks."""


class Mp4:
    """One file as it grows. For one thread.

    Args:
        path: Must not exist; its folder is made if it is missing. Only this user may read what is written.
        template: Of packets; None = the samples are JPEGs, which are encoded.
        first: With which it begins, a key frame.
        delay_s: How much later than one that comes after it a picture may be shown: 0 unless the stream has
            pictures out of order.
        facts: For the file's comment.

    Raises:
        ClipError: It cannot be written.
    """

    def __init__(
        self, path: Path, template: Template | None, first: Sample, *, delay_s: float, facts: dict[str, Any]
    ) -> None:
        self._path = path
        self._first_s = first.time_s
        self._delay = round(delay_s * _TICKS) + (_SLACK if delay_s else 0)
        self._highest = self._decoded = -1
        self._held: tuple[Sample, int, int] | None = None  # until the next one tells how long it is shown
        self._duration = 0
        self._resources = contextlib.ExitStack()
        self._is_ours = False
        with self._trouble():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            self._is_ours = True
            file = self._resources.enter_context(os.fdopen(descriptor, "wb", buffering=0))
            container = self._resources.enter_context(av.open(file, "w", format="mp4", options=_GROWING))
            container.metadata.update(_metadata(facts))
            self._put = _encoder(container, first) if template is None else _copier(container, template, first)

    def write(self, sample: Sample) -> None:
        """Add a sample. It is in the file with its fragment, about a second later.

        Raises:
            ClipError: It cannot be written; the file is closed.
        """
        shown = max(0, round((sample.time_s - self._first_s) * _TICKS)) + self._delay
        self._highest = max(self._highest, shown)
        # Of streams with pictures out of order not every camera says when they are decoded, so none is asked.
        decoded = max(self._decoded + 1, self._highest - self._delay)
        self._pass_on(until=decoded)
        self._decoded = decoded
        self._held = (sample, max(shown, decoded), decoded)

    def finish(self, facts: dict[str, Any]) -> None:
        """Close the file and put the plain one in its place. Blocks for as long as it takes to copy it.

        Raises:
            ClipError: That did not succeed; what is there can be played up to its last second.
        """
        self._pass_on(until=self._decoded + self._duration)
        with self._trouble():
            self._resources.close()
        new = self._path.with_name(f".{self._path.name}{_UNFINISHED}")
        with self._trouble():
            try:
                _rewrite(self._path, new, self._delay, facts)
                new.replace(self._path)
            except BaseException:
                new.unlink(missing_ok=True)
                raise

    def _pass_on(self, until: int) -> None:
        if self._held is not None:
            sample, shown, decoded = self._held
            self._held, self._duration = None, until - decoded
            with self._trouble():
                self._put(sample, shown, decoded, self._duration)

    @contextlib.contextmanager
    def _trouble(self) -> Iterator[None]:
        """Say what was wrong, and close the file, which stays if it can be played."""
        try:
            yield
        except (OSError, av.error.FFmpegError, ValueError) as error:
            self._held = None
            with contextlib.suppress(OSError, av.error.FFmpegError):
                self._resources.close()
            kept = self._is_ours and is_playable(self._path)
            if self._is_ours and not kept:
                self._path.unlink(missing_ok=True)
            reason = getattr(error, "strerror", None) or error
            so_far = ": what there is so far can be played" if kept else ""
            raise ClipError(f"clip: {self._path} cannot be written: {reason}{so_far}") from error


def is_playable(path: Path) -> bool:
    """Whether the file holds a picture."""
    try:
        with av.open(_url(path)) as container:
            return any(packet.size for packet in container.demux(video=0))
    except (OSError, av.error.FFmpegError):
        return False


def start_of(path: Path) -> float | None:
    """See `stream.clips.start_of`."""
    try:
        with av.open(_url(path)) as container:
            facts = json.loads(container.metadata.get("comment", ""))
        return float(facts["stream_time_s"])
    except (OSError, av.error.FFmpegError, ValueError, KeyError, TypeError):
        return None


def remove_unfinished(folder: Path) -> None:
    """Take away what a killed process has left of a file it was writing anew."""
    for path in folder.glob(f".*.mp4{_UNFINISHED}"):
        with contextlib.suppress(OSError):
            path.unlink()


def _metadata(facts: dict[str, Any]) -> dict[str, str]:
    return {"comment": json.dumps(facts, allow_nan=False), "creation_time": str(facts["utc"])}


def _copier(container: OutputContainer, template: Template, first: Sample) -> _Put:
    """Copies packets into the container."""
    stream = container.add_stream_from_template(template.stream, opaque=True)
    stream.time_base = Fraction(1, _TICKS)  # as fine as the times of packets made up here
    if header := template.header_in(first.data):
        stream.codec_context.extradata = header
        if size := template.size_of(first.data, header):
            stream.width, stream.height = size
    container.start_encoding()

    def put(sample: Sample, shown: int, decoded: int, duration: int) -> None:
        packet = Packet(sample.data)
        packet.pts, packet.dts, packet.duration = shown, decoded, duration
        packet.time_base = Fraction(1, _TICKS)
        packet.is_keyframe = sample.key
        packet.stream = stream
        container.mux(packet)

    return put


def _encoder(container: OutputContainer, first: Sample) -> _Put:
    """Encodes JPEGs into the container."""
    decoder = av.CodecContext.create("mjpeg", "r")
    assert isinstance(decoder, VideoCodecContext), "of a video codec"
    (picture,) = decoder.decode(Packet(first.data))
    stream = container.add_stream(_ENCODER, rate=25, options=_QUICK)
    assert isinstance(stream, VideoStream), "of a video codec"
    stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "yuv420p"
    stream.codec_context.time_base = Fraction(1, _TICKS)
    next_key = 0

    def put(sample: Sample, shown: int, _decoded: int, duration: int) -> None:
        nonlocal next_key
        (picture,) = decoder.decode(Packet(sample.data))
        frame = picture.reformat(format="yuv420p", src_color_range=_FULL, dst_color_range=_FILM)
        frame.pts, frame.time_base = shown, Fraction(1, _TICKS)
        frame.pict_type = PictureType.NONE  # every JPEG is a key frame, and would be one in here, too
        if shown >= next_key:
            frame.pict_type = PictureType.I
            next_key = shown + round(_KEY_EVERY_S * _TICKS)
        for packet in stream.encode(frame):
            packet.duration = duration
            container.mux(packet)

    return put


def _rewrite(path: Path, new: Path, delay: int, facts: dict[str, Any]) -> None:
    """Copy a closed file into a new one that has its index in front, and both on the disk."""
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    with av.open(_url(path)) as grown, av.open(_url(new), "w", format="mp4", options=_FINISHED) as finished:
        finished.metadata.update(_metadata(facts))
        source = grown.streams.video[0]
        stream = finished.add_stream_from_template(source, opaque=True)
        for packet in grown.demux(source):
            if packet.pts is not None and packet.dts is not None:
                packet.pts, packet.dts = packet.pts - delay, packet.dts - delay
                packet.stream = stream
                finished.mux(packet)
    descriptor = os.open(new, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _url(path: Path) -> str:
    return f"file:{path}"  # keeps FFmpeg from reading a colon in the name as a protocol
