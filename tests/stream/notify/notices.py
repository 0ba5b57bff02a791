"""Notices and records for the tests of the notifier."""

from dataclasses import replace

from stream.notice import Notice
from stream.store import AlertRecord

RECORD = AlertRecord(
    id="20260131-120000-gate-3f",
    camera="gate",
    kind="anomaly",
    state="open",
    started_utc="2026-01-31T12:00:00.120Z",
    started_s=81.2,
    peaked_s=82.0,
    score=8.0,
    threshold=4.0,
    region=(0.0, 0.0, 0.3, 0.3),
    words="moving 3.4× faster than normal here",
)


def ended(record=RECORD, **changes):
    return replace(
        record, state="ended", ended_utc="2026-01-31T12:00:09.120Z", ended_s=record.started_s + 9.0, **changes
    )


def numbered(number, camera="gate", **changes):
    return replace(RECORD, id=f"{number:03}-{camera}", camera=camera, **changes)


def notice(number=1, event="start", camera="gate", level=2.0, **changes):
    return Notice(
        id=f"{number}/{event}",
        event=event,
        utc="2026-01-31T12:00:00.120Z",
        alert=str(number),
        camera=camera,
        started_utc="2026-01-31T12:00:00.120Z",
        score=4.0 * level,
        threshold=4.0,
        **changes,
    )
