"""What the sink keeps in mind of one camera: its policy, its open alerts, and the frames that they may need."""

import math
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from configs.settings import PolicySettings
from stream.clock import utc_text
from stream.evidence import Heat, Track
from stream.messages import Score
from stream.policy import Event, Policy
from stream.ring import Frame, Ring, RingSpec
from stream.store import AlertRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkCamera:
    """What the sink needs of one camera."""

    name: str
    ring: RingSpec
    policy: PolicySettings
    trouble_after_s: float
    """Without pictures for so long, it is an alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A score above the threshold and its frame, None where the ring has lost it."""

    score: Score
    frame: Frame | None
    heat: Heat | None = None

    @property
    def utc(self) -> str:
        """When it was."""
        return utc_text(datetime.fromisoformat(self.score.utc))


@dataclass(slots=True, kw_only=True)
class Camera:
    """One camera as the sink follows it."""

    name: str
    ring: Ring
    policy: Policy
    trouble_after_s: float
    since_s: float = -math.inf
    """When it was taken up, monotonic: what was captured before was another camera of this name, or its source."""
    last_seq: int = -1
    heard_s: float = field(default_factory=time.monotonic)
    """When the latest score came, monotonic; before the first, since when it is waited for."""
    utc: datetime = datetime.min
    """Of the latest score."""
    moments: dict[float, Moment] = field(default_factory=dict)
    """By stream time: what is a peak, or may become one."""
    alert: AlertRecord | None = None
    """The open one."""
    trouble: AlertRecord | None = None
    """The open one about the camera itself."""
    well_s: float = math.inf
    """When it was last known to deliver pictures, or first heard of, monotonic; capture starts after the sink."""
    out: bool = False
    """Its open trouble is that it does not."""
    complaint: str = ""
    """Why, as its capture process says."""
    over: bool = False
    """A file or scene that has ended."""
    pictured_s: float | None = None
    """Stream time of the moment its picture shows."""
    track: Track = field(default_factory=Track)
    """Its latest scores and small pictures."""

    @classmethod
    def attached(cls, camera: SinkCamera, since_s: float = -math.inf) -> "Camera":
        """Of this name, with its ring attached.

        Raises:
            RingError: It is not there.
        """
        return cls(
            name=camera.name,
            ring=Ring.attach(camera.ring),
            policy=Policy(camera.policy),
            trouble_after_s=camera.trouble_after_s,
            since_s=since_s,
        )

    def keep_moment(self, score: Score, heat: bytes | None, events: list[Event]) -> None:
        """Take the frame of this score where an alert may need it."""
        time_s = score.stream_time_s
        if time_s in self.policy.peak_candidates_s or any(event.episode.peaked_s == time_s for event in events):
            same_time = self.moments.get(time_s)
            if same_time is None or score.score > same_time.score.score:
                self.moments[time_s] = Moment(score=score, frame=self.ring.read(score.seq), heat=_map(score, heat))

    def keep_track(self, score: Score, events: list[Event], pre_roll_s: float, *, pictures: bool) -> None:
        """Remember this score, and now and then a small picture.

        Args:
            pre_roll_s: For so long before what is or may become an alert they are needed.
        """
        time_s = score.stream_time_s
        self.track.add(score)
        if pictures and self.track.wants_picture(time_s):
            moment = self.moments.get(time_s)
            frame = self.ring.read(score.seq) if moment is None else moment.frame
            if frame is not None:
                self.track.add_picture(time_s, frame.image)
        first_s = min({time_s, *self.policy.peak_candidates_s, *(event.episode.started_s for event in events)})
        if self.alert is not None:
            first_s = min(first_s, self.alert.started_s)
        self.track.forget_before(first_s - pre_roll_s)

    def forget_moments(self) -> None:
        """Let go of the frames that no alert can need any more."""
        needed_s = self.policy.peak_candidates_s
        self.moments = {time_s: moment for time_s, moment in self.moments.items() if time_s in needed_s}

    def utc_at(self, stream_time_s: float) -> str:
        """Wall-clock time of a moment not long before the latest score."""
        assert self.policy.last_s is not None, "scores came"
        return utc_text(self.utc - timedelta(seconds=self.policy.last_s - stream_time_s))

    def stream_time_at(self, moment_s: float) -> float:
        """Stream time of a monotonic moment without scores: it goes on by real time, as capture has it."""
        return (self.policy.last_s or 0.0) + max(0.0, moment_s - self.heard_s)


def _map(score: Score, heat: bytes | None) -> Heat | None:
    return (
        None if heat is None or score.heat_shape is None else np.frombuffer(heat, np.uint8).reshape(score.heat_shape)
    )
