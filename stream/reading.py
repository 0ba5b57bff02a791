"""One connection to a source, read into the ring by a thread of its own.

FFmpeg does not come back from a silent camera before its time-out, and the capture process must go on saying how it
is meanwhile. Knows nothing of states, messages or trying again.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from stream.clips.footage import Footage
from stream.ring import Ring
from stream.source import Source

_POLL_S = 0.2
_STOP_S = 0.3


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a camera has come, over all its connections. Written by the one that reads."""

    captured: int = 0
    """Frames put into the ring."""
    stream_s: float | None = None
    """Stream time of the latest ..."""
    captured_s: float = 0.0
    """... and when that was captured, monotonic."""
    damaged: int = 0
    late: int = 0
    source_fps: float = 0.0
    """As measured, 0 = not known yet."""


class Reading:
    """A connection from its opening to its end. Ask it from one thread, and stop it in the end.

    Args:
        connect: Opens the source; may block.
        patience_s: The longest time that a single call of the source may take.
        footage: What the source fills, to be told of the camera's stream time and the end.
    """

    def __init__(
        self,
        connect: Callable[[], Source],
        ring: Ring,
        progress: Progress,
        *,
        patience_s: float,
        footage: Footage | None = None,
    ) -> None:
        self._connect = connect
        self._ring = ring
        self._progress = progress
        self._patience_s = patience_s
        self._footage = footage
        self._source: Source | None = None
        self._called_s = time.monotonic()
        self._stopping = False
        self.first_s: float | None = None
        """When this connection's first frame was captured, monotonic."""
        self.failure: Exception | None = None
        """Why it ended, None where it was stopped."""
        # Not waited for at exit: it may sit in a call that nothing interrupts.
        self._thread = threading.Thread(target=self._run, name="reading", daemon=True)
        self._thread.start()

    def ended(self, within_s: float) -> bool:
        """Whether it is over; waits so long for that."""
        self._thread.join(within_s)
        return not self._thread.is_alive()

    @property
    def stalled(self) -> bool:
        """Whether frames have stopped coming, though nothing has failed yet."""
        return self._source is not None and self._source.stalled(time.monotonic())

    @property
    def stuck(self) -> bool:
        """Whether a call does not come back in the time in which it must."""
        return time.monotonic() - self._called_s > self._patience_s

    def stop(self) -> None:
        """Read no more. A call that blocks is left behind, and finds out when it comes back."""
        self._stopping = True
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        try:
            self._read()
        except Exception as error:  # noqa: BLE001 - for the thread that asks, which raises it
            self.failure = error
        finally:
            if self._footage is not None:
                self._footage.over = True

    def _read(self) -> None:
        progress, damaged, late = self._progress, self._progress.damaged, self._progress.late
        with self._connect() as source:
            self._source = source
            base_s = 0.0
            while not self._stopping:
                self._called_s = time.monotonic()
                picture = source.poll(_POLL_S)
                captured_s, utc_s = time.monotonic(), time.time()
                progress.damaged, progress.late = damaged + source.decode_errors, late + source.late
                progress.source_fps = source.measured_fps
                if picture is None or self._stopping:
                    continue
                if self.first_s is None:
                    base_s = self._base_s(picture.stream_time_s, captured_s)
                    if self._footage is not None:
                        self._footage.base_s = base_s
                stream_s = base_s + picture.stream_time_s
                self._ring.write(picture.image, stream_s, captured_s, utc_s)
                progress.stream_s, progress.captured_s = stream_s, captured_s
                progress.captured += 1
                self.first_s = captured_s if self.first_s is None else self.first_s

    def _base_s(self, first_s: float, now_s: float) -> float:
        """What to add to a new connection's stream time: the camera's goes on by the real time that passed."""
        progress = self._progress
        if progress.stream_s is None:
            return 0.0
        return progress.stream_s + (now_s - progress.captured_s) - first_s
