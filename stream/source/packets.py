"""What a source that comes encoded says of its packets, for who measures it. Knows nothing of what decodes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How the pictures are encoded, as the stream says itself."""

    codec: str
    """FFmpeg's name: h264, hevc, mjpeg."""
    profile: str
    """Empty = not said."""
    pixel_format: str
    reordered: bool
    """Whether there are B-frames: pictures that wait for later ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketFacts:
    """One encoded picture, without its data."""

    shown_s: float | None
    """Its timestamp, seconds, None where it has none."""
    decoded_s: float | None
    """When it must be decoded: differs from the former, but for a constant, where pictures refer to later ones."""
    size: int
    """Bytes."""
    key: bool
    """Decoding can begin here."""


@runtime_checkable
class Encoded(Protocol):
    """A backend of `stream.source` whose pictures come in packets."""

    @property
    def encoding(self) -> Encoding:
        """How they are encoded."""

    def observe(self, seen: Callable[[PacketFacts], None]) -> None:
        """Call this with each further packet, just before it is decoded, in the reader's thread."""
