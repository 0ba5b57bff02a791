from datetime import UTC, datetime, timedelta, timezone

from stream.clock import utc_text


def test_a_moment_is_written_in_utc_with_milliseconds():
    assert utc_text(datetime(2026, 1, 31, 12, 0, 0, 120_000, tzinfo=UTC)) == "2026-01-31T12:00:00.120Z"
    assert utc_text(datetime(2026, 1, 31, 13, tzinfo=timezone(timedelta(hours=1)))) == "2026-01-31T12:00:00.000Z"
