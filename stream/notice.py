"""A notice: what somebody is told of an alert, or of many at once. The sink writes it, the notifier delivers it.

It holds all that is told, so that it can be delivered whatever has become of the alert in the store. Knows neither
how it is kept nor how it is sent.
"""

from typing import Literal

import msgspec

from stream.messages import AlertKind, Region
from stream.overview import level

VERSION = 1

NoticeEvent = Literal["start", "end", "digest", "test"]


class NoticeError(Exception):
    """Bytes are no notice that this version understands."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell. UTC stamps read `2026-01-31T12:00:00.120Z`."""

    id: str
    """The same whenever it is sent, so that a receiver knows it again: `ALERT/start`, `ALERT/end`."""
    event: NoticeEvent
    utc: str
    """When it happened."""
    alert: str = ""
    """The alert's id; empty for a digest or a test, like the fields up to `picture`."""
    camera: str = ""
    kind: AlertKind = "anomaly"
    started_utc: str = ""
    lasted_s: float | None = None
    """Of one that has ended, where that was seen."""
    score: float = 0.0
    """The peak so far ..."""
    threshold: float = 0.0
    """... and the threshold at that moment."""
    region: Region | None = None
    words: str = ""
    """What spoke, in words."""
    reason: str = ""
    """Why it ended, or what is wrong with the camera."""
    picture: str = ""
    """Path of a JPEG on this machine, which may be gone when it is told; empty where there is none."""
    since_utc: str = ""
    """Of a digest: when its first alert began."""
    counts: dict[str, int] = {}
    """Of a digest: alerts by camera."""
    worst: "Notice | None" = None
    """Of a digest: the alert that was furthest above its threshold."""

    @property
    def level(self) -> float:
        """The peak in thresholds; 1 for what is no matter of scores."""
        return level(self.score, self.threshold) if self.threshold or self.score else 1.0

    @property
    def about(self) -> "Notice":
        """The notice whose alert is shown: of a digest its worst one."""
        return self.worst or self


_decoder = msgspec.json.Decoder(Notice)


def to_json(notice: Notice) -> bytes:
    """The notice as it is kept."""
    return msgspec.json.encode(notice)


def from_json(data: bytes | str) -> Notice:
    """The notice that was kept so.

    Raises:
        NoticeError: It is none, or another version's.
    """
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise NoticeError(f"not a notice: {error}") from error
