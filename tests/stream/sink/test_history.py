import pytest

from stream.messages import Camera, Score
from stream.sink.history import Notes, level


def score(utc, value=2.0, camera="gate"):
    return Score(
        camera=camera,
        seq=0,
        stream_time_s=0.0,
        utc=utc,
        score=value,
        threshold=4.0,
        latency_ms=1.0,
        captured_at_s=0.0,
    )


def noted(notes, *scores):
    for one in scores:
        notes.score(one, one.utc)


def state(name, reason="", camera="gate"):
    return Camera(camera=camera, state=name, reason=reason, utc="2026-01-31T12:00:00.000Z")


def test_a_minute_is_told_when_the_next_begins_with_its_highest_level_and_its_live_seconds():
    notes = Notes()
    noted(notes, *(score(f"2026-01-31T12:00:{second:02}.{part}00Z") for second in range(30) for part in (0, 5)))
    noted(notes, score("2026-01-31T12:00:59.000Z", 6.0))
    assert notes.waiting() == ([], [])
    noted(notes, score("2026-01-31T12:01:00.000Z"))
    (minute,), _ = notes.waiting()
    assert (minute.camera, minute.minute, minute.scores) == ("gate", "2026-01-31T12:00Z", 61)
    assert (minute.level, minute.live_s) == (1.5, 31.0)
    notes.kept()
    assert notes.waiting() == ([], [])


def test_only_changes_of_states_are_told():
    notes = Notes()
    for one in (
        state("live"),
        state("live"),
        state("lost", "why"),
        state("lost", "why"),
        state("live", camera="yard"),
    ):
        notes.state(one)
    _, changes = notes.waiting()
    assert [(one.camera, one.state, one.reason) for one in changes] == [
        ("gate", "live", ""),
        ("gate", "lost", "why"),
        ("yard", "live", ""),
    ]


def test_what_is_not_watched_any_more_is_told_with_its_last_minute():
    notes = Notes()
    noted(notes, score("2026-01-31T12:00:00.000Z"))
    notes.unwatched(["gate"], "2026-01-31T12:00:05.000Z")
    (minute,), (change,) = notes.waiting()
    assert (minute.scores, change.state, change.utc) == (1, "unwatched", "2026-01-31T12:00:05.000Z")


def test_of_a_store_that_is_out_for_days_the_oldest_is_given_up():
    notes = Notes()
    for number in range(12_000):
        noted(notes, score(f"2026-01-{1 + number // 1440:02}T{number // 60 % 24:02}:{number % 60:02}:00.000Z"))
    minutes, _ = notes.waiting()
    assert len(minutes) == 10_000
    assert minutes[-1].minute == "2026-01-09T07:58Z"


@pytest.mark.parametrize(("value", "threshold", "expected"), [(6.0, 4.0, 1.5), (0.0, 4.0, 0.0), (-1.0, -2.0, 1.5)])
def test_a_level_is_a_multiple_of_the_threshold(value, threshold, expected):
    assert level(value, threshold) == expected
