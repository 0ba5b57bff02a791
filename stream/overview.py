"""What an observer knows of all cameras: levels, rates, delays, losses and alerts, kept from the broadcast lane.

Takes messages and the time, and nothing else; knows neither sockets nor how any of it is shown.
"""

import math
import time
from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Self

from stream.messages import Alert, Camera, CameraStateName, ConditionName, Health, Message, Region, Score

HISTORY_S = 600
"""How far back levels are kept, in buckets of one second."""
STALE_S = 5.0
"""A score older than this says nothing about now."""
LATENCY_BOUNDS_MS = (10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
"""Upper ends of the ranges in which delays from capture to score are counted; above them is one more."""
_RATE_WINDOW_S = 10.0
_LATENCY_WINDOW_S = 60.0
_KEPT_ALERTS = 200
_WHOLE = 0.6  # share of the picture from which on a place in it says nothing


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on two clocks."""

    monotonic_s: float
    local: datetime

    @classmethod
    def now(cls) -> Self:
        """This instant, in the machine's time zone."""
        return cls(time.monotonic(), datetime.now().astimezone())

    @property
    def unix_s(self) -> float:
        """Unix time."""
        return self.local.timestamp()


@dataclass(slots=True)
class CameraView:
    """One camera as seen from outside."""

    name: str
    state: CameraStateName = "connecting"
    reason: str = ""
    report: Camera | None = None
    """The latest of its capture process."""
    score: Score | None = None
    """The latest."""
    scored_at_s: float = 0.0
    """When the latest score came, monotonic."""
    lost: int = 0
    """Scores that were sent and never came here."""
    latency_counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_MS) + 1))
    """Scores by their delay, one count for each range."""
    latency_sum_ms: float = 0.0
    _first_s: float = 0.0
    _latencies: deque[tuple[float, float]] = field(default_factory=deque)  # (when it came, ms)
    _peaks: deque[tuple[int, float]] = field(default_factory=deque)  # (whole second, highest level in it)
    _drops: dict[tuple[str, str], "_Count"] = field(default_factory=dict)  # by process and counter
    _gaps: "_Gaps" = field(default_factory=lambda: _Gaps())

    @property
    def level(self) -> float | None:
        """The latest score in thresholds, None before the first."""
        return None if self.score is None else level(self.score.score, self.score.threshold)

    @property
    def condition(self) -> ConditionName:
        """What the camera shows, against its calibration, by the latest score."""
        return "ok" if self.score is None else self.score.condition

    @property
    def regime(self) -> str:
        """That the camera is in by the latest score, empty where it is calibrated for one only."""
        return "" if self.score is None else self.score.regime

    def silent_s(self, now: Moment) -> float | None:
        """Time since the latest score where that is too long, else None."""
        age_s = now.monotonic_s - self.scored_at_s
        return age_s if self.score is not None and age_s > STALE_S else None

    def fps(self, now: Moment) -> float:
        """Scores per second over the last ten."""
        since_s = max(now.monotonic_s - _RATE_WINDOW_S, self._first_s)
        count = 0
        for came_s, _ in reversed(self._latencies):
            if came_s <= since_s:  # the first one only begins the time in which others are counted
                break
            count += 1
        window_s = now.monotonic_s - since_s
        return count / window_s if window_s >= 1.0 else 0.0

    def latency_ms(self, now: Moment) -> tuple[float, float] | None:
        """Median and 95th percentile from capture to score over the last minute, None without any."""
        since_s = now.monotonic_s - _LATENCY_WINDOW_S
        values = sorted(value for came_s, value in self._latencies if came_s >= since_s)
        if not values:
            return None
        return values[(len(values) - 1) // 2], values[math.ceil(0.95 * len(values)) - 1]

    def drops(self) -> int:
        """Frames given up on their way to a score, for whatever cause."""
        return sum(self.drops_by_cause().values())

    def drops_by_cause(self) -> dict[str, int]:
        """The same by cause, in alphabetical order."""
        totals: Counter[str] = Counter()
        for (_, name), count in sorted(self._drops.items(), key=lambda item: item[0][1]):
            totals[name.rpartition("/")[2]] += int(count.total)
        return dict(totals)

    def history(self, columns: int, column_s: int, now: Moment) -> list[float | None]:
        """The highest level in each of the latest `columns` spans of `column_s` seconds; None where none came.

        Spans start at multiples of `column_s`, so that a peak moves along with time but never changes its height.
        """
        newest = int(now.monotonic_s) // column_s
        highest: list[float | None] = [None] * columns
        for second, peak in self._peaks:
            index = columns - 1 - newest + second // column_s
            if 0 <= index < columns:
                highest[index] = max(peak, highest[index] or 0.0)
        return highest

    def history_s(self) -> int:
        """Seconds from the first to the latest level that is kept."""
        return self._peaks[-1][0] - self._peaks[0][0] if self._peaks else 0

    def take_score(self, score: Score, now: Moment) -> None:
        """Make this the latest score."""
        if self.score is None:
            self._first_s = now.monotonic_s
        self.score, self.scored_at_s = score, now.monotonic_s
        self._latencies.append((now.monotonic_s, score.latency_ms))
        self.latency_counts[bisect_left(LATENCY_BOUNDS_MS, score.latency_ms)] += 1
        self.latency_sum_ms += score.latency_ms
        while self._latencies[0][0] < now.monotonic_s - _LATENCY_WINDOW_S:
            self._latencies.popleft()
        second, peak = int(now.monotonic_s), level(score.score, score.threshold)
        if self._peaks and self._peaks[-1][0] == second:
            peak = max(peak, self._peaks.pop()[1])
        self._peaks.append((second, peak))
        while self._peaks[0][0] < second - HISTORY_S:
            self._peaks.popleft()
        self._gaps.take(score.seq)

    def take_drops(self, health: Health) -> None:
        """Read the process's `drop/<camera>/<cause>` counters; a worker's also explain gaps between scores."""
        start = f"drop/{self.name}/"
        dropped = 0.0
        for name, value in health.counters.items():
            if name.startswith(start):
                dropped += value
                self._drops.setdefault((health.process, name), _Count()).read(value)
        if health.process.startswith("worker"):
            self.lost += self._gaps.unexplained(int(dropped))

    def forgive_gap(self) -> None:
        """The worker was replaced: what it missed meanwhile is no loss of this observer."""
        self._gaps = _Gaps()


@dataclass(slots=True)
class AlertView:
    """One alert as far as it is known."""

    latest: Alert
    began: Moment
    ended: bool = False
    _first_stream_s: float = 0.0

    def take(self, alert: Alert) -> None:
        """Go on with a later event of the same alert."""
        self.latest = alert
        self.ended = alert.event == "end"

    def duration_s(self, now: Moment) -> float:
        """How long it has lasted, in stream time once it is over."""
        if self.ended:
            return max(0.0, self.latest.stream_time_s - self._first_stream_s)
        return now.monotonic_s - self.began.monotonic_s


@dataclass(slots=True)
class ProcessView:
    """What a process last said of itself."""

    counters: dict[str, float]
    heard_s: float
    """When that was, monotonic."""


class State:
    """All an observer knows.

    Args:
        names: The cameras, in the order in which they are shown; messages of others are passed over. None = every
            camera of which something is heard, by name.
    """

    def __init__(self, names: tuple[str, ...] | None, now: Moment) -> None:
        self.started = now
        self.cameras = {name: CameraView(name) for name in names or ()}
        self.alerts: dict[str, AlertView] = {}
        """The latest ones by id, oldest first."""
        self.processes: dict[str, ProcessView] = {}
        """Those that were heard of, by name."""
        self._begun_on: tuple[date, int] = (now.local.date(), 0)
        self._worker_restarts = 0.0
        self._all = names is None

    def show(self, names: tuple[str, ...]) -> None:
        """Go on with these cameras: known ones as they are, and nothing of one that is not named stays open."""
        self.cameras = {name: self.cameras.get(name) or CameraView(name) for name in names}
        for alert in self.open_alerts():
            alert.ended = alert.latest.camera not in self.cameras

    def take(self, message: Message, now: Moment) -> None:
        """Account for a message that came at this moment."""
        if isinstance(message, Health):
            self._take_health(message, now)
            return
        camera = self.cameras.get(message.camera)
        if camera is None:
            if not self._all:
                return
            camera = CameraView(message.camera)
            self.cameras = dict(sorted({**self.cameras, camera.name: camera}.items()))
        if isinstance(message, Score):
            camera.take_score(message, now)
        elif isinstance(message, Camera):
            camera.state, camera.reason, camera.report = message.state, message.reason, message
        else:
            self._take_alert(message, now)

    def open_alerts(self) -> list[AlertView]:
        """Those that have not ended, oldest first."""
        return [alert for alert in self.alerts.values() if not alert.ended]

    def listed_alerts(self, camera: str | None = None) -> list[AlertView]:
        """Those that are open and then those that have ended, each newest first; of one camera or of all."""
        newest = [alert for alert in reversed(self.alerts.values()) if camera in (None, alert.latest.camera)]
        return sorted(newest, key=lambda alert: alert.ended)

    def begun_today(self, now: Moment) -> int:
        """Alerts that began since midnight, local time, as far as seen from here."""
        day, count = self._begun_on
        return count if day == now.local.date() else 0

    @property
    def lost(self) -> int:
        """Scores that were sent and never came here."""
        return sum(camera.lost for camera in self.cameras.values())

    def _take_alert(self, alert: Alert, now: Moment) -> None:
        known = self.alerts.get(alert.id)
        if known is not None:
            known.take(alert)
            return
        for other in self.open_alerts():  # a camera has one of each kind at a time: this one's end was missed
            if (other.latest.camera, other.latest.kind) == (alert.camera, alert.kind):
                other.ended = True
        self.alerts[alert.id] = AlertView(alert, now, alert.event == "end", alert.stream_time_s)
        self._begun_on = (now.local.date(), self.begun_today(now) + 1)
        if len(self.alerts) > _KEPT_ALERTS:
            ended = (name for name, kept in self.alerts.items() if kept.ended)
            del self.alerts[next(ended, next(iter(self.alerts)))]

    def counters(self, process: str, start: str = "") -> dict[str, float]:
        """A process's counters whose names begin so, by the rest of their names; none before it was heard."""
        view = self.processes.get(process)
        counters = {} if view is None else view.counters
        return {name.removeprefix(start): value for name, value in counters.items() if name.startswith(start)}

    def _take_health(self, health: Health, now: Moment) -> None:
        self.processes[health.process] = ProcessView(health.counters, now.monotonic_s)
        for camera in self.cameras.values():
            camera.take_drops(health)
        restarts = sum(n for name, n in health.counters.items() if name.startswith("restarts/worker"))
        if restarts > self._worker_restarts:
            self._worker_restarts = restarts
            for camera in self.cameras.values():
                camera.forgive_gap()


def level(score: float, threshold: float) -> float:
    """A score in thresholds: 1 at the threshold, never below 0, growing with the score also where it is negative."""
    if threshold > 0.0:
        return max(0.0, score / threshold)
    return max(0.0, 1.0 + (score - threshold) / (abs(threshold) or 1.0))


def place(region: Region | None) -> str:
    """Where in the picture, in words: "upper left", "centre", "whole picture"; empty where that is not known."""
    if region is None:
        return ""
    x0, y0, x1, y1 = region
    if (x1 - x0) * (y1 - y0) >= _WHOLE:
        return "whole picture"
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    across = "left" if x < 1 / 3 else "right" if x > 2 / 3 else ""
    if y < 1 / 3:
        return f"upper {across}" if across else "top"
    if y > 2 / 3:
        return f"lower {across}" if across else "bottom"
    return across or "centre"


@dataclass(slots=True)
class _Count:
    """A counter that starts at 0 again when its process is replaced; the total goes on."""

    total: float = 0.0
    last: float = 0.0

    def read(self, value: float) -> None:
        self.total += value - self.last if value >= self.last else value
        self.last = value


@dataclass(slots=True)
class _Gaps:
    """Sequence numbers missing between scores, less those whose frames the worker dropped itself.

    A worker's counters arrive after every score sent before them, so at that point no drop can be still to come that
    explains a gap already seen. Counting starts with the first such report: what was dropped before is not known.
    """

    _missing: int = 0
    _newest: int | None = None
    _dropped_before: int | None = None

    def take(self, seq: int) -> None:
        if self._newest is not None and self._dropped_before is not None:
            self._missing += max(0, seq - self._newest - 1)
        if self._dropped_before is not None:
            self._newest = seq

    def unexplained(self, dropped: int) -> int:
        """Numbers missing that are explained by nothing, each told once; `dropped` since the worker's start."""
        if self._dropped_before is None or dropped < self._dropped_before:
            self._dropped_before, self._missing, self._newest = dropped, 0, None
            return 0
        unexplained = self._missing - (dropped - self._dropped_before)
        if unexplained <= 0:
            return 0
        self._missing -= unexplained
        return unexplained
