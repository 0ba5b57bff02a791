"""Which frames of a source are analysed, and at what time they happened. Pure: knows no video and reads no clock."""

import math
from collections import deque

_SMALL_STEP_BACK_S = 1.0  # frames handed over in slightly wrong order, not a clock that was set
_LEAP_S = 10.0  # a live clock that leaves the real one behind by this much was set
_FALLBACK_FPS = 25.0
_USUAL_GAPS = 100  # between frames, by which is judged how long a silence is usual
_LEARN_S = 2.0  # before which nothing can be: what was probed comes in a burst
_STALL_GAPS = 4.0
_SHORTEST_STALL_S = 1.0  # networks and encoders pause for less without anything being wrong


class StreamClock:
    """Stream time in seconds: 0 at the first frame, then the source's own timestamps, never backwards.

    Args:
        native_fps: The source's rate, 0 = unknown; fills in for timestamps that are missing.
        live: Whether real time passes between frames, so that the clock on the wall can fill in.
    """

    def __init__(self, native_fps: float, live: bool) -> None:
        self._frame_s = 1.0 / (native_fps or _FALLBACK_FPS)
        self._live = live
        self._origin_s: float | None = None  # timestamp of stream time 0
        self._last_s: float | None = None
        self._last_now_s = 0.0

    def time(self, timestamp_s: float | None, now_s: float) -> float:
        """Stream time of the next frame.

        Args:
            timestamp_s: What the source says, on its own clock; None where it says nothing. A clock that was set
                (a jump back of more than a second, or for a live source a leap ahead of real time) is followed
                from the last stream time on.
            now_s: A monotonic clock, used for live sources only.
        """
        if self._last_s is None:
            stream_s = 0.0
            self._origin_s = timestamp_s
        else:
            real_s = now_s - self._last_now_s if self._live else self._frame_s
            passed_s = max(self._frame_s, real_s)
            if timestamp_s is None:
                stream_s = self._last_s + real_s
            else:
                if self._origin_s is None or self._was_set(timestamp_s - self._origin_s - self._last_s, passed_s):
                    self._origin_s = timestamp_s - self._last_s - passed_s
                stream_s = max(self._last_s, timestamp_s - self._origin_s)
        self._last_s, self._last_now_s = stream_s, now_s
        return stream_s

    def _was_set(self, step_s: float, passed_s: float) -> bool:
        return step_s < -_SMALL_STEP_BACK_S or (self._live and step_s > passed_s + _LEAP_S)


class Pulse:
    """Whether frames have stopped coming, by the camera's own rate: one frame a second is no stall at one a second.

    The longest of the latest gaps counts, not the mean, so that a camera that sends fewer frames while nothing moves
    is stalled once at most.
    """

    def __init__(self) -> None:
        self._gaps_s: deque[float] = deque(maxlen=_USUAL_GAPS)
        self._first_s = 0.0
        self._beat_s: float | None = None
        self._stalled_at_s = math.inf

    def beat(self, now_s: float) -> None:
        """A frame has come."""
        if self._beat_s is None:
            self._first_s = now_s
        else:
            self._gaps_s.append(now_s - self._beat_s)
        self._beat_s = now_s
        if now_s - self._first_s >= _LEARN_S:
            self._stalled_at_s = now_s + max(_SHORTEST_STALL_S, _STALL_GAPS * max(self._gaps_s))

    def stalled(self, now_s: float) -> bool:
        """Whether nothing has come for several times as long as usual, at least for a second. For any thread."""
        return now_s > self._stalled_at_s


class Sampler:
    """Thins frames to a rate by their timestamps, so jitter, odd ratios and gaps do not matter.

    It keeps the frame nearest to each tick of a grid of 1 / rate_fps, which is laid anew after a gap or a jump, and
    every frame of a source that is no faster than the rate. Two kept frames are never closer than half a tick.
    """

    def __init__(self, rate_fps: float) -> None:
        self._tick_s = 1.0 / rate_fps
        self._due_s = 0.0
        self._kept_s: float | None = None
        self._seen_s = 0.0
        self._interval_s = 0.0  # of the source, running mean

    def keep(self, time_s: float) -> bool:
        """Whether to analyse the frame of this time; call it once per frame."""
        interval_s, self._seen_s = time_s - self._seen_s, time_s
        if self._kept_s is None or time_s < self._kept_s - self._tick_s or time_s > self._due_s + self._tick_s:
            self._kept_s, self._due_s = time_s, time_s + self._tick_s
            return True
        interval_s = min(max(interval_s, 0.0), self._tick_s)
        self._interval_s += (interval_s - self._interval_s) * (0.1 if self._interval_s else 1.0)
        # Half an interval early would be the nearest frame; a little more bears jitter of 20 % in both frames.
        early_s = self._due_s - time_s
        if early_s > 0.7 * self._interval_s or time_s - self._kept_s < 0.5 * self._tick_s:
            return False
        self._kept_s = time_s
        self._due_s += self._tick_s
        return True
