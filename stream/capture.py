"""The capture process: one camera's pictures into its ring, its state onto the bus, and a new try when it fails.

A camera is never made to wait: every packet is decoded as it comes, so the frame put into the ring is the newest
there is unless decoding alone is slower than the camera. Knows nothing of who reads the ring.
"""

import logging
import os
import random
import time
from dataclasses import dataclass, field

from configs.schema import ConnectionSettings
from stream.bus import Endpoints, Publisher
from stream.child import ChildError, Parent
from stream.clock import utc_now
from stream.messages import Camera, CameraStateName, Health
from stream.ring import Ring, RingSpec
from stream.source import EndOfStream, SourceError, is_camera, open_source

logger = logging.getLogger(__name__)

_REPORT_EVERY_S = 1.0
_POLL_S = 0.2
_NAP_S = 0.04  # in back-off, between two looks at the parent
_STEADY_S = 10.0  # live for this long, a camera's next failure is a new one
_JITTER = 0.25  # so that cameras behind one switch do not come back in step


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureSpec:
    """All the capture process of one camera needs."""

    camera: str
    source: str = field(repr=False)
    """URL with password, file, webcam number or demo://; a file or scene is paced as if it were a camera."""
    ring: RingSpec
    rate_fps: float
    connection: ConnectionSettings
    endpoints: Endpoints

    @property
    def process(self) -> str:
        """Name of the process, in heartbeats and logs."""
        return f"capture-{self.camera}"


def run(spec: CaptureSpec, parent: Parent) -> None:
    """Capture until the parent says stop or a file or scene is over.

    Ready once the ring is attached: a camera that is down must not keep the application from starting. Heartbeats
    come at least once a second except inside a blocking open (twice `open_timeout_s`, and a few seconds to find the
    cause) or read (`read_timeout_s`).

    Raises:
        ChildError: A file or scene cannot be read; a camera is tried again for ever instead.
        RingError: The ring is not there.
    """
    # Read by the C library when it looks up the first name: a dead name server then costs seconds, not half a minute.
    os.environ.setdefault("RES_OPTIONS", "timeout:2 attempts:2")
    ring = Ring.attach(spec.ring)
    try:
        with Publisher(spec.endpoints) as publisher:
            _Capture(spec, parent, ring, publisher).run()
    finally:
        ring.close()


def backoff_s(failures: int, connection: ConnectionSettings) -> float:
    """Wait before the next attempt after this many failures in a row (1 = the first), with jitter of ±25 %."""
    doublings = min(failures - 1, 32)  # far beyond any backoff_max_s
    wait_s = min(connection.backoff_first_s * 2.0**doublings, connection.backoff_max_s)
    return wait_s * random.uniform(1.0 - _JITTER, 1.0 + _JITTER)  # noqa: S311 - no secret


class _Capture:
    def __init__(self, spec: CaptureSpec, parent: Parent, ring: Ring, publisher: Publisher) -> None:
        self._spec = spec
        self._parent = parent
        self._ring = ring
        self._publisher = publisher
        self._state: CameraStateName = "connecting"
        self._reason = ""
        self._causes: set[str] = set()
        """Why this outage lasts, as far as logged."""
        self._live_since_s: float | None = None
        self._reported_s = 0.0
        self._stream_s: float | None = None  # of the last frame written ...
        self._captured_s = 0.0  # ... and when that was
        self._captured = 0
        self._reconnects = 0
        self._source_fps = 0.0
        self._decode_errors = 0
        self._late = 0

    def run(self) -> None:
        self._parent.ready()
        self._report()
        failures = 0
        while not self._parent.stopping():
            try:
                self._watch()
            except EndOfStream:
                self._enter("ended", "")
                return
            except SourceError as error:
                if self._was_steady():
                    failures = 0
                self._enter("lost", str(error))
                if not is_camera(self._spec.source):
                    raise ChildError(str(error)) from error
                failures += 1
                self._wait(backoff_s(failures, self._spec.connection))

    def _watch(self) -> None:
        """Open the source and write its pictures until it fails or the parent says stop."""
        height, width = self._spec.ring.height, self._spec.ring.width
        with open_source(
            self._spec.source,
            size=(width, height),
            rate_fps=self._spec.rate_fps,
            connection=self._spec.connection,
            realtime=True,
        ) as source:
            self._report()
            errors, late = self._decode_errors, self._late
            base_s: float | None = None
            while not self._parent.stopping():
                picture = source.poll(_POLL_S)
                captured_s, utc_s = time.monotonic(), time.time()
                self._decode_errors, self._late = errors + source.decode_errors, late + source.late
                self._source_fps = source.measured_fps
                if picture is not None:
                    if base_s is None:
                        base_s = self._base_s(picture.stream_time_s, captured_s)
                    self._stream_s, self._captured_s = base_s + picture.stream_time_s, captured_s
                    self._ring.write(picture.image, self._stream_s, captured_s, utc_s)
                    self._captured += 1
                    self._went_live(captured_s)
                if captured_s - self._reported_s >= _REPORT_EVERY_S:
                    self._report()

    def _base_s(self, first_s: float, now_s: float) -> float:
        """What to add to a new connection's stream time: the camera's goes on by the real time that passed."""
        if self._stream_s is None:
            return 0.0
        return self._stream_s + (now_s - self._captured_s) - first_s

    def _went_live(self, now_s: float) -> None:
        if self._state == "live":
            return
        if self._live_since_s is not None:
            self._reconnects += 1
        self._live_since_s = now_s
        self._causes.clear()
        self._enter("live", "")

    def _was_steady(self) -> bool:
        if self._state != "live" or self._live_since_s is None:
            return False
        return time.monotonic() - self._live_since_s >= _STEADY_S

    def _wait(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0 and not self._parent.stopping():
            if time.monotonic() - self._reported_s >= _REPORT_EVERY_S:
                self._report()
            time.sleep(min(left_s, _NAP_S))

    def _enter(self, state: CameraStateName, reason: str) -> None:
        """Change state. A camera stays "lost" over all attempts, and an outage logs each of its causes once."""
        if state != self._state or reason not in self._causes:
            text = f": {reason}" if reason else ""
            level = logging.WARNING if state == "lost" else logging.INFO
            logger.log(level, "camera %s %s%s", self._spec.camera, state, text)
            self._causes.add(reason)
        if state != "live":
            self._source_fps = 0.0
        self._state, self._reason = state, reason
        self._report()

    def _report(self) -> None:
        """Say on the bus how the camera is and that this process works."""
        utc = utc_now()
        self._publisher.send(
            Camera(
                camera=self._spec.camera,
                state=self._state,
                reason=self._reason,
                utc=utc,
                captured=self._captured,
                reconnects=self._reconnects,
                source_fps=round(self._source_fps, 2),
            )
        )
        self._publisher.send(
            Health(
                process=self._spec.process,
                utc=utc,
                counters={
                    "captured": self._captured,
                    "reconnects": self._reconnects,
                    f"drop/{self._spec.camera}/damaged": self._decode_errors,
                    f"drop/{self._spec.camera}/late": self._late,
                },
            )
        )
        self._reported_s = time.monotonic()
