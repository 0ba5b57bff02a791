"""Alerts as stretches of stream time, put together from what the application printed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from stream.messages import Alert, Message, Score

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """An alert from its first score above the threshold until its score fell again, in seconds of stream time."""

    started_s: float
    ended_s: float
    peak: float

    def overlaps(self, start_s: float, end_s: float) -> bool:
        """Whether it was open at some time from `start_s` to `end_s`."""
        return self.started_s <= end_s and self.ended_s >= start_s


def scores(messages: Iterable[Message]) -> list[Score]:
    """The scores among the messages."""
    return [message for message in messages if isinstance(message, Score)]


def episodes(messages: Sequence[Message]) -> list[Episode]:
    """The anomaly alerts among one camera's messages; one whose end was not told lasts until the last score."""
    last_s = max((score.stream_time_s for score in scores(messages)), default=0.0)
    found: dict[str, Episode] = {}
    for alert in messages:
        if not isinstance(alert, Alert) or alert.kind != "anomaly":
            continue
        time_s = alert.stream_time_s
        known = found.get(alert.id, Episode(started_s=time_s, ended_s=last_s, peak=alert.score))
        ended_s = time_s if alert.event == "end" else known.ended_s
        found[alert.id] = replace(known, ended_s=ended_s, peak=max(known.peak, alert.score))
    return sorted(found.values(), key=lambda episode: episode.started_s)
