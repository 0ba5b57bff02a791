"""What the demo counts at its end: planted events that were caught, and alerts that were about nothing planted."""

from collections.abc import Sequence
from dataclasses import dataclass

from stream.scene import Event
from stream.store import AlertRecord

_LATE_S = 2.0  # an alert this long after an event is still about it: scores are smoothed, and whoever ran walks off
_FAIR_S = 3.0  # an event that began less than this before the end could not be caught


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How the monitor did against the scene's own truth."""

    caught: dict[str, int]
    """Events by kind over which an alert was open."""
    planted: dict[str, int]
    """Events by kind that were there to be caught."""
    false_alerts: int


def tally(alerts: Sequence[AlertRecord], events: Sequence[Event], played_s: float) -> Tally:
    """Compare alerts with the events of the part of the scene that was played."""
    seen = [event for event in events if event.start_s + _FAIR_S <= played_s]
    planted: dict[str, int] = dict.fromkeys(sorted({event.kind for event in seen}), 0)
    caught = dict(planted)
    for event in seen:
        planted[event.kind] += 1
        caught[event.kind] += any(_about(alert, event) for alert in alerts)
    false_alerts = sum(not any(_about(alert, event) for event in events) for alert in alerts)
    return Tally(caught=caught, planted=planted, false_alerts=false_alerts)


def _about(alert: AlertRecord, event: Event) -> bool:
    ended_s = alert.peaked_s if alert.ended_s is None else alert.ended_s
    return alert.started_s <= event.end_s + _LATE_S and ended_s >= event.start_s
