"""What is kept of one alert, and what people said of it."""

import itertools
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from stream.messages import Region
from stream.store.evidence import Role, role_of

Verdict = Literal["normal", "real"]
"""normal: the alert was about nothing; real: it was right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord:
    """One alert as it is kept. UTC stamps read `2026-01-31T12:00:00.120Z`; seconds are stream time."""

    id: str
    camera: str
    kind: Literal["anomaly", "camera", "drift"]
    state: Literal["open", "ended"]
    started_utc: str
    ended_utc: str | None = None
    started_s: float
    peaked_s: float
    ended_s: float | None = None
    """None while it is open, and where nobody saw its end."""
    score: float
    """The peak so far ..."""
    threshold: float
    """... and the threshold at that moment."""
    region: Region | None = None
    evidence: tuple[str, ...] = ()
    """Paths of its files; the clip's is there before the clip."""
    reason: str = ""
    """Why it ended, where that was not its score; of one about the camera itself what is wrong."""
    words: str = ""
    """What was unusual at its peak, for people; empty where that is not known."""

    def files(self) -> dict[Role, str]:
        """The paths of its evidence by what they show."""
        return {role_of(self.id, path): path for path in self.evidence}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What somebody said of an alert."""

    alert_id: str
    verdict: Verdict
    utc: str
    undone_utc: str | None = None
    """When it was taken back, or another verdict took its place."""


_suffix = itertools.count(secrets.randbelow(256))


def new_id(camera: str, started: datetime) -> str:
    """An id like `20261125-004512-gate-3f`, which sorts by time.

    Unique for 256 alerts of the same camera within a second.
    """
    return f"{started.astimezone(UTC):%Y%m%d-%H%M%S}-{camera}-{next(_suffix) % 256:02x}"
