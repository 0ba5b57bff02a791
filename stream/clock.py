"""The one way a time of day is written: on the bus, in the store and in the log."""

from datetime import UTC, datetime


def utc_text(moment: datetime) -> str:
    """The moment, given with its time zone, as `2026-01-31T12:00:00.120Z`; such texts sort by time."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_now() -> str:
    """This moment, written so."""
    return utc_text(datetime.now(UTC))
