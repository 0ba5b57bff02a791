"""The capture process: one camera's pictures into its ring, its state onto the bus, and a new try when it fails.

The reading itself is done by a thread (`reading`), so that this process says how the camera is at any time, and a
camera is never made to wait: every packet is decoded as it comes, so the frame put into the ring is the newest there
is unless decoding alone is slower than the camera. Knows nothing of who reads the ring.
"""

import gc
import logging
import os
import random
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from configs.settings import ConnectionSettings
from stream.bus import Endpoints, Publisher
from stream.child import ChildError, FinalError, Parent
from stream.clips import ClipSpec
from stream.clock import utc_now
from stream.messages import Camera, CameraStateName, Health
from stream.reading import Progress, Reading
from stream.ring import Ring, RingSpec
from stream.source import EndOfStream, SourceError, is_camera, open_source, redact

if TYPE_CHECKING:
    from stream.clips.recorder import Recorder

logger = logging.getLogger(__name__)

_REPORT_EVERY_S = 1.0
_LOOK_S = 0.05  # how soon a change is seen
_NAP_S = 0.04  # in back-off, between two looks at the parent
_GRACE_S = 30.0  # what a dead name server may add to a time-out
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
    clips: ClipSpec | None = None
    """None = none are made, and nothing is kept for them."""

    @property
    def process(self) -> str:
        """Name of the process, in heartbeats and logs."""
        return f"capture-{self.camera}"


def run(spec: CaptureSpec, parent: Parent) -> None:
    """Capture until the parent says stop or a file or scene is over.

    Ready once the ring is attached: a camera that is down must not keep the application from starting. Heartbeats
    come about once a second, whatever the camera does.

    Raises:
        FinalError: A file or scene cannot be read; a camera is tried again for ever instead.
        ChildError: A call for the source has not come back for half a minute longer than it may take.
        RingError: The ring is not there.
    """
    # Read by the C library when it looks up the first name: a dead name server then costs seconds, not half a minute.
    os.environ.setdefault("RES_OPTIONS", "timeout:2 attempts:2")
    ring = Ring.attach(spec.ring)
    with ExitStack() as stack:
        stack.callback(ring.close)
        publisher = stack.enter_context(Publisher(spec.endpoints))
        recorder = None
        if spec.clips is not None:
            from stream.clips.recorder import Recorder  # PyAV, which those who only know the specification do without

            recorder = stack.enter_context(Recorder(spec.camera, spec.clips, spec.endpoints))
        _Capture(spec, parent, ring, publisher, recorder).run()


def backoff_s(failures: int, connection: ConnectionSettings) -> float:
    """Wait before the next attempt after this many failures in a row (1 = the first), with jitter of ±25 %."""
    doublings = min(failures - 1, 32)  # far beyond any backoff_max_s
    wait_s = min(connection.backoff_first_s * 2.0**doublings, connection.backoff_max_s)
    return wait_s * random.uniform(1.0 - _JITTER, 1.0 + _JITTER)  # noqa: S311 - no secret


class _Capture:
    def __init__(
        self, spec: CaptureSpec, parent: Parent, ring: Ring, publisher: Publisher, recorder: "Recorder | None"
    ) -> None:
        self._spec = spec
        self._parent = parent
        self._ring = ring
        self._publisher = publisher
        self._recorder = recorder
        self._state: CameraStateName = "connecting"
        self._reason = ""
        self._causes: set[str] = set()
        """Why this outage lasts, as far as logged."""
        self._reported_s = 0.0
        self._progress = Progress()
        self._reconnects = 0

    def run(self) -> None:
        self._parent.ready()
        self._report()
        failures = 0
        while not self._parent.stopping():
            reading = self._start_reading()
            try:
                self._watch(reading)
            except EndOfStream:
                self._enter("ended", "")
                return
            except SourceError as error:
                self._enter("lost", str(error))
                if not is_camera(self._spec.source):
                    raise FinalError(str(error)) from error
                steady = reading.first_s is not None and self._progress.captured_s - reading.first_s >= _STEADY_S
                failures = 1 if steady else failures + 1
                self._wait(backoff_s(failures, self._spec.connection))
            finally:
                reading.stop()
                # Its failure refers to it and it to its failure, so that a decoder's megabyte would stay until Python
                # happens to look for such rings, which is rarely where so few objects are made.
                del reading
                gc.collect()

    def _start_reading(self) -> Reading:
        spec = self._spec
        footage = None if self._recorder is None else self._recorder.new_footage()
        connect = partial(
            open_source,
            spec.source,
            size=(spec.ring.width, spec.ring.height),
            rate_fps=spec.rate_fps,
            connection=spec.connection,
            realtime=True,
            footage=footage,
        )
        longest_call_s = max(2.0 * spec.connection.open_timeout_s, spec.connection.read_timeout_s)
        return Reading(connect, self._ring, self._progress, patience_s=longest_call_s + _GRACE_S, footage=footage)

    def _watch(self, reading: Reading) -> None:
        """Follow a connection until it fails or the parent says stop."""
        delivered_before, delivers = self._progress.captured > 0, False
        while not self._parent.stopping():
            ended = reading.ended(within_s=_LOOK_S)
            if reading.first_s is not None:
                if not delivers:
                    delivers = True
                    self._reconnects += delivered_before
                self._enter_live_or_stalled(reading)
            if ended:
                assert reading.failure is not None, "only stop ends it without one"
                raise reading.failure
            if reading.stuck:
                raise ChildError(f"{redact(self._spec.source)}: reading it does not come back")
            if time.monotonic() - self._reported_s >= _REPORT_EVERY_S:
                self._report()

    def _enter_live_or_stalled(self, reading: Reading) -> None:
        if reading.stalled:
            if self._state != "stalled":
                self._enter("stalled", f"{redact(self._spec.source)}: connected, but no whole picture comes")
        elif self._state != "live":
            self._causes.clear()
            self._enter("live", "")

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
            level = logging.WARNING if state in ("stalled", "lost") else logging.INFO
            logger.log(level, "camera %s %s%s", self._spec.camera, state, text)
            self._causes.add(reason)
        if state != "live":
            self._progress.source_fps = 0.0
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
                captured=self._progress.captured,
                reconnects=self._reconnects,
                source_fps=round(self._progress.source_fps, 2),
            )
        )
        counters: dict[str, float] = {
            "captured": self._progress.captured,
            "reconnects": self._reconnects,
            f"drop/{self._spec.camera}/damaged": self._progress.damaged,
            f"drop/{self._spec.camera}/late": self._progress.late,
        }
        if self._recorder is not None:
            counters["clips_written"] = self._recorder.written
            counters["clips_failed"] = self._recorder.failed
            counters["clip_memory_bytes"] = self._recorder.held_bytes
        self._publisher.send(Health(process=self._spec.process, utc=utc, counters=counters))
        self._reported_s = time.monotonic()
