"""When a run of scores becomes an alert: smoothing, entry, hold, merging, longest length, cool-down.

Pure: time is an argument, in seconds of stream time. The sink, calibration and the backtest step it alike.
"""

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Literal

from configs.settings import PolicySettings

SILENT = "no more scores"
SET_BACK = "source started again"

_RESTART_S = 2.0  # a gap longer than this, and than five time constants, leaves nothing to smooth with
_WINDOW_GAP_S = 5.0  # scores further apart than this do not make an entry together
_SILENCE_S = 10.0  # an episode nothing is heard of for this long is over
_USUAL_GAPS = 3.0  # but a camera analysed every ten seconds is not silent in between
_UPDATE_EVERY_S = 1.0


class Smoother:
    """Causal exponential smoothing by the time that really passed between two values.

    Args:
        time_constant_s: 0 = no smoothing.
    """

    def __init__(self, time_constant_s: float) -> None:
        self._time_constant_s = time_constant_s
        self._last_s: float | None = None
        self._level = 0.0

    def step(self, time_s: float, value: float) -> float:
        """The smoothed value at this time.

        The first value passes as it is, and so does one after a long gap or on a clock that was set back.
        """
        since_s = -1.0 if self._last_s is None else time_s - self._last_s
        self._last_s = time_s
        if self._time_constant_s == 0.0 or not 0.0 <= since_s <= max(5.0 * self._time_constant_s, _RESTART_S):
            self._level = value
        else:
            self._level += (value - self._level) * -math.expm1(-since_s / self._time_constant_s)
        return self._level


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A stretch of abnormal scores; times are stream time."""

    started_s: float
    """Of the first of the scores that opened it."""
    peaked_s: float
    ended_s: float | None = None
    """When it fell below the exit level, or was cut off; None while it is open."""
    peak: float
    """Highest score so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What is new about an episode."""

    event: Literal["start", "update", "end"]
    episode: Episode
    reason: str = ""
    """Why it ended, where that was not its score."""


def exit_level(threshold: float, exit_ratio: float) -> float:
    """The level an open episode must fall to, `exit_ratio` of the threshold where that is positive.

    For a threshold of 0 or less it lies below by the same share of its size (of 1 for 0), so never above it.
    """
    return threshold - (1.0 - exit_ratio) * (abs(threshold) or 1.0)


class Policy:
    """The episodes of one camera, of which at most one is open at any time.

    Scores further apart than 5 s make no entry together, and 10 s without any end what is open; both are longer
    for a camera whose scores are usually that far apart. A time before the last one is a source that has started
    again: what is open ends, and what is left of a cool-down goes on.
    """

    def __init__(self, settings: PolicySettings) -> None:
        self._settings = settings
        self._window: deque[tuple[float, float, bool]] = deque(maxlen=settings.enter_window)
        """(time, score, whether above the threshold), while an entry would be followed."""
        self._episode: Episode | None = None
        self._fell_s: float | None = None  # since when the open episode is below its exit level
        self._waiting = False  # it is for long enough: only another entry takes it up again
        self._announced_s = 0.0
        self._announced_peak = 0.0
        self._quiet_until_s = -math.inf
        self._last_s: float | None = None
        self._interval_s = 0.0  # between the last two scores

    def change(self, settings: PolicySettings) -> None:
        """Go on by other settings; an open episode stays open until these end it."""
        self._settings = settings
        self._window = deque(self._window, maxlen=settings.enter_window)

    @property
    def last_s(self) -> float | None:
        """Time of the latest score, None before the first."""
        return self._last_s

    @property
    def silence_s(self) -> float:
        """Without a score for longer than this, what is open is over."""
        return max(_SILENCE_S, _USUAL_GAPS * self._interval_s)

    @property
    def open(self) -> bool:
        """Whether an episode has started and its end was not given yet."""
        return self._episode is not None

    @property
    def peak_candidates_s(self) -> set[float]:
        """Times of the scores that are the open episode's peak or may still begin or top one."""
        times_s = {time_s for time_s, _, above in self._window if above}
        return times_s if self._episode is None else {*times_s, self._episode.peaked_s}

    def step(self, time_s: float, score: float, threshold: float) -> list[Event]:
        """What this score changes, in the order in which it happened; mostly nothing.

        Args:
            score: Already smoothed.
        """
        events = self._pass_time(time_s)
        if self._episode is not None:
            events += self._follow(time_s, score, threshold)
        if self._episode is None and time_s >= self._quiet_until_s and self._enters(time_s, score, threshold):
            peaked_s, peak = self._window_peak()
            episode = Episode(started_s=self._first_above_s(), peaked_s=peaked_s, peak=peak)
            events.append(self._announce("start", time_s, episode))
            self._window.clear()
        return events

    def close(self, time_s: float, reason: str = "") -> list[Event]:
        """End what is open, because nothing more will come or nothing was heard for long."""
        if self._episode is None:
            self._window.clear()
            return []
        return [self._end(time_s if self._fell_s is None else self._fell_s, reason)]

    def _pass_time(self, time_s: float) -> list[Event]:
        last_s, self._last_s = self._last_s, time_s
        if last_s is None:
            return []
        events: list[Event] = []
        passed_s = time_s - last_s
        if passed_s < 0.0:
            events = self.close(last_s, SET_BACK)
            self._quiet_until_s += passed_s
            self._interval_s = 0.0
            return events
        if passed_s > self.silence_s:
            events = self.close(last_s, SILENT)
        elif passed_s > max(_WINDOW_GAP_S, _USUAL_GAPS * self._interval_s):
            self._window.clear()
        self._interval_s = passed_s
        return events

    def _follow(self, time_s: float, score: float, threshold: float) -> list[Event]:
        """Go on with the open episode."""
        assert self._episode is not None
        settings = self._settings
        if not self._waiting:
            self._raise_peak(time_s, score)
            if score > exit_level(threshold, settings.exit_ratio):
                self._fell_s = None
            elif self._fell_s is None:
                self._fell_s = time_s
            self._waiting = self._fell_s is not None and time_s - self._fell_s >= settings.hold_s
        if self._waiting:
            assert self._fell_s is not None
            if time_s - self._fell_s >= settings.hold_s + settings.merge_gap_s:
                return [self._end(self._fell_s)]
            if self._enters(time_s, score, threshold):
                self._raise_peak(*self._window_peak())
                self._window.clear()
                self._waiting, self._fell_s = False, None
        if time_s - self._episode.started_s >= settings.max_length_s:
            reason = f"cut off after {settings.max_length_s:g} s"
            return [self._end(time_s if self._fell_s is None else self._fell_s, reason)]
        if self._episode.peak > self._announced_peak and time_s - self._announced_s >= _UPDATE_EVERY_S:
            return [self._announce("update", time_s, self._episode)]
        return []

    def _enters(self, time_s: float, score: float, threshold: float) -> bool:
        """Whether enough of the latest scores, with this one, are above the threshold."""
        self._window.append((time_s, score, score > threshold))
        return sum(above for _, _, above in self._window) >= self._settings.enter_count

    def _first_above_s(self) -> float:
        return next(time_s for time_s, _, above in self._window if above)

    def _window_peak(self) -> tuple[float, float]:
        """Time and height of the first of the highest that were above their thresholds, which may have changed."""
        highest = max((entry for entry in self._window if entry[2]), key=lambda entry: entry[1])
        return highest[:2]

    def _raise_peak(self, time_s: float, score: float) -> None:
        assert self._episode is not None
        if score > self._episode.peak:
            self._episode = replace(self._episode, peak=score, peaked_s=time_s)

    def _announce(self, event: Literal["start", "update"], time_s: float, episode: Episode) -> Event:
        self._episode = episode
        self._announced_s, self._announced_peak = time_s, episode.peak
        return Event(event=event, episode=episode)

    def _end(self, ended_s: float, reason: str = "") -> Event:
        assert self._episode is not None
        event = Event(event="end", episode=replace(self._episode, ended_s=ended_s), reason=reason)
        self._episode, self._fell_s, self._waiting = None, None, False
        self._window.clear()
        # From the fall on: the time until an end is given has been quiet already, and a new alert may be beginning.
        self._quiet_until_s = ended_s + self._settings.cooldown_s
        return event
