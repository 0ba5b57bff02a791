"""What a notice says: a title and some lines for people, an object for programs. Pure."""

from datetime import datetime, tzinfo
from typing import Any

from stream.notice import VERSION, Notice
from stream.overview import place

_KINDS = {"anomaly": "anomaly", "camera": "camera trouble", "drift": "looks different from its calibration"}
_NAMED = 10  # cameras in a digest; the rest is only counted


def title(notice: Notice) -> str:
    """One line, without a line end: camera first, as lists of messages cut it off."""
    if notice.event == "test":
        return "Test of MULDE stream"
    if notice.event == "digest":
        alerts = sum(notice.counts.values())
        cameras = ", ".join(list(notice.counts)[:_NAMED]) or "all"
        return f"{cameras}: {alerts} alert{'' if alerts == 1 else 's'} in a digest"
    return f"{notice.camera}: {_KINDS[notice.kind]}{' ended' if notice.event == 'end' else ''}"


def body(notice: Notice, zone: tzinfo | None = None) -> str:
    """The details, in lines.

    Args:
        zone: Of the times, default: the machine's.
    """
    if notice.event == "test":
        return "If you read this, notification works."
    lines = _digest(notice, zone) if notice.event == "digest" else _alert(notice, zone)
    return "\n".join(filter(None, lines))


def as_object(notice: Notice) -> dict[str, Any]:
    """The same for programs, ready for JSON; docs/notifications.md lists its keys."""
    common = {"version": VERSION, "id": notice.id, "event": notice.event, "utc": notice.utc}
    texts = {"title": title(notice), "text": body(notice)}
    if notice.event == "test":
        return {**common, **texts}
    if notice.event == "digest":
        worst = None if notice.worst is None else as_object(notice.worst)
        return {**common, "since_utc": notice.since_utc, "counts": notice.counts, "worst": worst, **texts}
    return {
        **common,
        "alert": notice.alert,
        "camera": notice.camera,
        "kind": notice.kind,
        "started_utc": notice.started_utc,
        "lasted_s": notice.lasted_s,
        "score": notice.score,
        "threshold": notice.threshold,
        "level": round(notice.level, 4),
        "region": notice.region,
        "words": notice.words,
        "reason": notice.reason,
        **texts,
    }


def _alert(notice: Notice, zone: tzinfo | None) -> list[str]:
    where = place(notice.region)
    lasted = "" if notice.lasted_s is None else f"lasted {notice.lasted_s:.0f} s"
    level = f"{notice.level:.1f} × threshold" if notice.kind == "anomaly" else ""
    return [
        notice.words,
        ", ".join(filter(None, (level, where, lasted))),
        notice.reason,
        f"since {_local(notice.started_utc, zone)}",
        notice.alert,
    ]


def _digest(notice: Notice, zone: tzinfo | None) -> list[str]:
    most = sorted(notice.counts.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in most[_NAMED:])
    cameras = ", ".join(f"{name} {count}" for name, count in most[:_NAMED]) + (f", others {rest}" if rest else "")
    worst = notice.worst
    return [
        f"{_local(notice.since_utc, zone)} to {_local(notice.utc, zone)}: {cameras}",
        "" if worst is None else f"the worst: {'; '.join([title(worst), *body(worst, zone).splitlines()])}",
    ]


def _local(utc: str, zone: tzinfo | None) -> str:
    return f"{datetime.fromisoformat(utc).astimezone(zone):%Y-%m-%d %H:%M:%S}"
