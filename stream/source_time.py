"""Which frames of a source are analysed, and at what time they happened. Pure: knows no video and reads no clock."""

_SMALL_STEP_BACK_S = 1.0  # frames handed over in slightly wrong order, not a clock that was set
_LEAP_S = 10.0  # a live clock that leaves the real one behind by this much was set
_FALLBACK_FPS = 25.0


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
            passed_s = max(self._frame_s, now_s - self._last_now_s) if self._live else self._frame_s
            if timestamp_s is None:
                stream_s = self._last_s + passed_s
            else:
                if self._origin_s is None or self._was_set(timestamp_s - self._origin_s - self._last_s, passed_s):
                    self._origin_s = timestamp_s - self._last_s - passed_s
                stream_s = max(self._last_s, timestamp_s - self._origin_s)
        self._last_s, self._last_now_s = stream_s, now_s
        return stream_s

    def _was_set(self, step_s: float, passed_s: float) -> bool:
        return step_s < -_SMALL_STEP_BACK_S or (self._live and step_s > passed_s + _LEAP_S)


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
