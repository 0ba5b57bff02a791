"""Network cameras and video files through PyAV (FFmpeg), which nothing else touches."""

import math
import ssl
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from configs.settings import ConnectionSettings
from stream.clips.footage import Footage
from stream.clips.template import template_of
from stream.source.diagnosis import explain
from stream.source.error import CodecError, DisconnectedError, EndOfStream, NoAnswerError, SourceError, redact
from stream.source.packets import Encoding, PacketFacts

_ERRORS_IN_A_ROW = 300
# After damage each picture is drawn on the damaged one, and a smear looks like something that moves. The next key
# frame ends that; in a stream without any, which refreshes bit by bit, so many frames do.
_HEALING_FRAMES = 100
_NO_TIMESTAMPS = 0x80  # FFmpeg's flag of such a format
_HIGHEST_FPS = 240.0  # a container that announces more tells its time base, not its rate


class AvBackend:
    """Whole frames of one video stream. `limit_s` is the longest silence of a live one, with data or without.

    The packets go into `footage` before they are decoded, as far as files can be made of them.
    """

    def __init__(
        self,
        container: InputContainer,
        where: str,
        *,
        live: bool,
        first_limit_s: float,
        limit_s: float,
        footage: Footage | None = None,
    ) -> None:
        self._container = container
        self._where = where
        self._limit_s = limit_s
        self._reformatter = VideoReformatter()  # keeps its tables: a fresh one costs twice as much per frame
        self._seen: Callable[[PacketFacts], None] | None = None
        self.live = live
        self.decode_errors = 0
        self._healing = 0  # frames to hold back unless a key frame comes
        self.duration_s = None if live or container.duration is None else container.duration / av.time_base
        self._stream = self._video_stream()
        # Of a format without timestamps FFmpeg counts frames as if 25 came each second, whatever the camera does.
        self._timed = not (live and container.format.flags & _NO_TIMESTAMPS)
        if footage is not None:
            footage.template = template_of(self._stream)
        self._footage = footage if footage is not None and footage.template is not None else None
        self._frames = self._decode(first_limit_s)
        frame = next(self._frames, None)
        if frame is None:
            raise CodecError(f"{where}: holds no picture that can be decoded")
        self._frame, self._held = frame, True
        self._turns = round(frame.rotation / 90) % 4  # counter-clockwise, as phones note in the file
        width, height = round(frame.width * float(self._stream.sample_aspect_ratio or 1)), frame.height
        self.native_size = (height, width) if self._turns % 2 else (width, height)
        self.native_fps = 0.0
        if self._timed:
            self.native_fps = _plausible(self._stream.average_rate) or _plausible(self._stream.guessed_rate)

    def grab(self) -> float | None:
        """The next frame's timestamp, None where it has none."""
        if not self._held:
            frame = next(self._frames, None)
            if frame is None:
                raise self._over()
            self._frame = frame
        self._held = False
        return self._frame.time if self._timed and self._frame.pts is not None else None

    def retrieve(self, width: int, height: int) -> npt.NDArray[np.uint8]:
        """The grabbed frame scaled straight from the decoder's planes, (height, width, 3) BGR."""
        if self._turns % 2:
            width, height = height, width
        shrink = width < self._frame.width
        scaled = self._reformatter.reformat(
            self._frame,
            width,
            height,
            "bgr24",
            interpolation=Interpolation.AREA if shrink else Interpolation.BILINEAR,
            threads=1,
        )
        image = scaled.to_ndarray()  # a view with padded rows unless the width is a multiple of 16
        return np.ascontiguousarray(np.rot90(image, self._turns), np.uint8)

    @property
    def encoding(self) -> Encoding:
        """How the pictures are encoded, as far as was seen by now."""
        context = self._stream.codec_context
        return Encoding(
            codec=context.name,
            profile=context.profile or "",
            pixel_format=context.pix_fmt or "",
            reordered=bool(context.has_b_frames),
        )

    def observe(self, seen: Callable[[PacketFacts], None]) -> None:
        """See `stream.source.packets`."""
        self._seen = seen

    def close(self) -> None:
        """Let go of the connection or file; safe to call twice."""
        self._container.close()

    def _video_stream(self) -> VideoStream:
        streams = self._container.streams.video
        if not streams:
            raise CodecError(f"{self._where}: holds no video, only {_kinds(self._container)}")
        stream = streams[0]
        if stream.codec_context is None:
            raise CodecError(f"{self._where}: its codec is not known here: let the camera send H.264 or H.265")
        if self.live:
            stream.codec_context.thread_count = 1  # more threads hold frames back, and cameras share the cores
        else:
            stream.thread_type = "AUTO"
        return stream

    def _decode(self, first_limit_s: float) -> Iterator[VideoFrame]:
        """Whole frames in order until the stream ends; damaged ones are skipped and counted.

        Raises:
            SourceError: The connection failed, or nothing can be decoded any more.
        """
        errors_before = 0  # up to the last whole frame
        limit_s, since_s = first_limit_s, time.monotonic()
        while True:
            try:
                # All streams, because sound that goes on would hide that the pictures have stopped.
                for packet in self._container.demux():
                    # Asked before decoding: FFmpeg answers a time-out with a last packet it held back.
                    if time.monotonic() - since_s > limit_s:
                        raise self._silent(limit_s)
                    if packet.stream.index != self._stream.index:
                        continue
                    self._keep(packet)
                    for frame in self._whole_frames(packet):
                        yield frame
                        errors_before = self.decode_errors
                        limit_s, since_s = self._limit_s, time.monotonic()
                    self._give_up_after(self.decode_errors - errors_before)
                return
            except av.error.InvalidDataError:  # a damaged place in the container: what follows may be whole
                self.decode_errors += 1
                self._give_up_after(self.decode_errors - errors_before)
            except av.error.ExitError:
                raise self._silent(limit_s) from None  # the cause holds the whole URL
            except av.error.FFmpegError as error:
                raise DisconnectedError(f"{self._where}: reading broke off: {error.strerror}") from None

    def _keep(self, packet: "Packet[Stream]") -> None:
        """A copy of the packet for the footage; decoding may take the packet itself apart."""
        if self._footage is not None and packet.size:
            pts = packet.dts if packet.pts is None else packet.pts
            timestamp_s = float(pts * packet.time_base) if self._timed and pts is not None else None
            self._footage.add_packet(timestamp_s, packet.is_keyframe, bytes(packet))

    def _whole_frames(self, packet: "Packet[Stream]") -> list[VideoFrame]:
        if self._seen is not None and packet.size:
            self._seen(_facts(packet))
        try:
            frames = self._stream.decode(packet)
        except av.error.InvalidDataError:
            self.decode_errors += 1
            self._healing = _HEALING_FRAMES
            return []
        whole = [frame for frame in frames if self._is_whole(frame)]
        self.decode_errors += len(frames) - len(whole)
        return whole

    def _is_whole(self, frame: VideoFrame) -> bool:
        if frame.is_corrupt:
            self._healing = _HEALING_FRAMES
            return False
        self._healing = 0 if frame.key_frame else max(0, self._healing - 1)
        return self._healing == 0

    def _give_up_after(self, errors_in_a_row: int) -> None:
        if errors_in_a_row > _ERRORS_IN_A_ROW:
            raise CodecError(f"{self._where}: {_ERRORS_IN_A_ROW} frames in a row cannot be decoded")

    def _silent(self, limit_s: float) -> SourceError:
        return NoAnswerError(f"{self._where}: no picture for {limit_s:g} s: check the camera and its network")

    def _over(self) -> SourceError:
        if self.live:
            return DisconnectedError(f"{self._where}: the camera ended the stream")
        return EndOfStream(f"{self._where}: over")


def open_network(url: str, connection: ConnectionSettings, footage: Footage | None = None) -> AvBackend:
    """A camera or a recording on a server. Blocks for twice the open time-out at most.

    Raises:
        SourceError: A subclass says what is wrong.
    """
    options = {"tls_verify": "1" if connection.verify_tls else "0", **_authorities()}
    if url.lower().startswith("rtsp"):
        # "nobuffer" is left out on purpose: it throws away the frames seen while probing, and with them the first
        # key frame. Probed frames are handed over in one burst instead, which leaves no lag behind.
        options |= {
            "rtsp_transport": connection.transport,
            "allowed_media_types": "video",
            "fpsprobesize": "3",  # opens in a third of the time; the rate is measured anyway
        }
    started_s = time.monotonic()
    try:
        container = av.open(url, options=options, timeout=(connection.open_timeout_s, connection.read_timeout_s))
    except av.error.FFmpegError as error:
        raise explain(error, url, connection, time.monotonic() - started_s) from None  # it holds the whole URL
    live = container.duration is None
    return _backend(container, redact(url), live, connection.open_timeout_s, connection.read_timeout_s, footage)


def open_file(path: Path, footage: Footage | None = None) -> AvBackend:
    """A video file.

    Raises:
        SourceError: A subclass says what is wrong.
    """
    try:
        # "file:" keeps FFmpeg from reading a colon in the name as a protocol.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except av.error.FFmpegError as error:
        raise explain(error, str(path), None, 0.0) from None
    return _backend(container, str(path), False, math.inf, math.inf, footage)


def _backend(
    container: InputContainer, where: str, live: bool, first_limit_s: float, limit_s: float, footage: Footage | None
) -> AvBackend:
    try:
        return AvBackend(container, where, live=live, first_limit_s=first_limit_s, limit_s=limit_s, footage=footage)
    except SourceError:
        container.close()
        raise


def _facts(packet: "Packet[Stream]") -> PacketFacts:
    unit = packet.time_base
    shown, decoded = (None if time is None else float(time * unit) for time in (packet.pts, packet.dts))
    return PacketFacts(shown_s=shown, decoded_s=decoded, size=packet.size, key=packet.is_keyframe)


def _authorities() -> dict[str, str]:
    """FFmpeg as packaged with PyAV does not know where this system keeps its certificate authorities; Python does."""
    paths = ssl.get_default_verify_paths()
    bundle = Path(paths.cafile or Path(paths.capath or "/etc/ssl/certs", "ca-certificates.crt"))
    return {"ca_file": str(bundle)} if bundle.exists() else {}


def _plausible(rate: Fraction | None) -> float:
    return float(rate) if rate and rate <= _HIGHEST_FPS else 0.0


def _kinds(container: InputContainer) -> str:
    return " and ".join(sorted({stream.type for stream in container.streams})) or "nothing"
