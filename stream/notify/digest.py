"""Many notices in one. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from stream.clock import utc_text
from stream.notice import Notice


def digest_of(notices: Sequence[Notice], channel: str, now: datetime) -> Notice:
    """One notice about all of these, which are of one channel, at least one, oldest first.

    An alert counts once, however much of it is among them. The worst is the one furthest above its threshold.

    Args:
        now: With its time zone.
    """
    alerts = {notice.alert: notice for notice in notices}  # of one with start and end the end, which knows the peak
    counts = Counter(notice.camera for notice in alerts.values())
    utc = utc_text(now)
    return Notice(
        id=f"{channel}/{utc}/digest",
        event="digest",
        utc=utc,
        since_utc=min(notice.started_utc or notice.utc for notice in notices),
        counts=dict(counts.most_common()),
        worst=max(alerts.values(), key=lambda notice: notice.level),
    )
