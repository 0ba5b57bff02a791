"""Which codecs FFmpeg, as PyAV brings it, lacks of those that cameras and clips need."""

from typing import Literal

from av.codec import Codec
from av.codec.codec import UnknownCodecError

_NEEDED: tuple[tuple[str, Literal["r", "w"], str], ...] = (
    ("h264", "r", "a decoder for H.264"),
    ("hevc", "r", "a decoder for H.265"),
    ("libx264", "w", "an encoder for H.264"),
)


def missing() -> list[str]:
    """What is not there, in words."""
    return [words for name, mode, words in _NEEDED if not _is_there(name, mode)]


def _is_there(name: str, mode: Literal["r", "w"]) -> bool:
    try:
        Codec(name, mode)
    except UnknownCodecError:
        return False
    return True
