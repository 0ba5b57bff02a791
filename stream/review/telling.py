"""Alerts and cameras' days as the page is told of them: plain values for JSON."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from stream.overview import level, place
from stream.review.evidence import address, thumbnail
from stream.store import AlertRecord, Minute, Role, StateChange, Verdict


def summary(record: AlertRecord, verdict: Verdict | None) -> dict[str, Any]:
    """An alert as a line of the list or a mark of the day."""
    return {
        "id": record.id,
        "camera": record.camera,
        "kind": record.kind,
        "state": record.state,
        "started_utc": record.started_utc,
        "lasted_s": None if record.ended_s is None else round(max(0.0, record.ended_s - record.started_s), 1),
        "level": _level(record),
        "words": record.words,
        "reason": record.reason,
        "place": place(record.region),
        "region": record.region,
        "thumbnail": thumbnail(record),
        "verdict": verdict,
    }


def details(
    record: AlertRecord, verdict: Verdict | None, files: dict[Role, Path], clip_start_s: float | None
) -> dict[str, Any]:
    """All of an alert.

    Args:
        files: Those that are there.
        clip_start_s: Stream time of the clip's first picture.
    """
    return {
        **summary(record, verdict),
        "score": record.score,
        "threshold": record.threshold,
        "started_s": record.started_s,
        "peaked_s": record.peaked_s,
        "ended_s": record.ended_s,
        "files": {role: address(record, path.name) for role, path in files.items()},
        "clip_expected": "clip" in record.files(),
        "clip_start_s": clip_start_s,
    }


def day_of_camera(
    name: str,
    minutes: Iterable[Minute],
    states: Iterable[StateChange],
    alerts: Iterable[tuple[AlertRecord, Verdict | None]],
    since: datetime,
) -> dict[str, Any]:
    """A camera's day: its minutes as [minutes since its beginning, level], changes of state, and alerts."""
    return {
        "name": name,
        "minutes": [[_minute(one, since), round(one.level, 2)] for one in minutes],
        "states": [{"state": one.state, "reason": one.reason, "utc": one.utc} for one in states],
        "alerts": [
            {
                "id": record.id,
                "kind": record.kind,
                "started_utc": record.started_utc,
                "level": _level(record),
                "verdict": verdict,
            }
            for record, verdict in alerts
        ],
    }


def _level(record: AlertRecord) -> float | None:
    """Its peak in thresholds; trouble of the camera itself has none."""
    return round(level(record.score, record.threshold), 2) if record.kind == "anomaly" else None


def _minute(one: Minute, since: datetime) -> int:
    return int((datetime.fromisoformat(one.minute) - since).total_seconds() // 60)
