"""What a stream's packets are, kept apart from the connection, so that files of them can be made at any time."""

import io

import av
import av.error
from av.bitstream import BitStreamFilterContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

_PLAYED = ("h264", "av1", "vp9")  # by browsers, in an MP4; H.265 by few of them
_PLAYED_PIXELS = ("yuv420p", "yuvj420p", None)  # not known yet, as of a stream that was joined between key frames
_MP4_HEADER = b"\x01"  # of streams from an MP4, whose packets carry no headers of their own


class Template:
    """A copy of a stream's description, for any thread."""

    def __init__(self, stream: VideoStream) -> None:
        # A file that is never written: only there has PyAV a description that outlives the connection.
        self._shelf = av.open(io.BytesIO(), "w", format="mp4")
        self.stream = self._shelf.add_stream_from_template(stream, opaque=True)
        header = stream.codec_context.extradata or b""
        self._headers_inside = _name(stream) == "h264" and not header.startswith(_MP4_HEADER)

    def header_in(self, key_packet: bytes) -> bytes:
        """The header that a key packet carries with it, which changes with the picture's size; empty where none."""
        if not self._headers_inside:
            return b""
        try:
            filtered = BitStreamFilterContext("extract_extradata", "h264").filter(Packet(key_packet))
        except av.error.FFmpegError:  # damaged; the decoder will say so
            return b""
        with_header = (packet for packet in filtered if packet.has_sidedata("new_extradata"))
        return next((bytes(packet.get_sidedata("new_extradata")) for packet in with_header), b"")

    def size_of(self, key_packet: bytes, header: bytes) -> tuple[int, int] | None:
        """(width, height) of its picture, None where it cannot be decoded."""
        decoder = av.CodecContext.create(self.stream.codec_context.codec.name, "r")
        assert isinstance(decoder, VideoCodecContext), "of a video stream"
        decoder.extradata = header
        try:
            frames = decoder.decode(Packet(key_packet)) + decoder.decode(None)
        except av.error.FFmpegError:
            return None
        return (frames[0].width, frames[0].height) if frames else None


def template_of(stream: VideoStream) -> Template | None:
    """The stream's description, None where its packets in an MP4 are nothing that a browser plays."""
    if _name(stream) not in _PLAYED or stream.codec_context.pix_fmt not in _PLAYED_PIXELS:
        return None
    return Template(stream)


def _name(stream: VideoStream) -> str:
    """Of the codec, whichever decoder is used."""
    return stream.codec_context.codec.canonical_name
