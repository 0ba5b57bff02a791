from datetime import UTC, datetime, timedelta

import pytest

from stream.store import AlertRecord, Day, Minute, StateChange, Store

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path) as store:
        yield store


def minute(text, scores=600, level=0.5, live_s=60.0, camera="gate"):
    return Minute(camera=camera, minute=f"2026-01-{text}Z", scores=scores, level=level, live_s=live_s)


def state(text, state, reason="", camera="gate"):
    return StateChange(camera=camera, state=state, reason=reason, utc=f"2026-01-{text}.000Z")


def test_a_minute_that_comes_in_parts_is_added_up_and_counts_for_its_day(store):
    store.history.add([minute("31T12:00", 400, 0.5, 40.0), minute("31T12:01", camera="yard")])
    store.history.add([minute("31T12:00", 200, 1.5, 20.0), minute("31T12:01", 300, 0.25, 30.0)])
    store.history.add([minute("30T23:59", 1, 0.125, 1.0)])
    assert store.history.minutes("gate", NOON, NOON + DAY) == [
        minute("31T12:00", 600, 1.5, 60.0),
        minute("31T12:01", 300, 0.25, 30.0),
    ]
    assert store.history.minutes("gate", NOON - DAY, NOON) == [minute("30T23:59", 1, 0.125, 1.0)]
    assert store.history.days("gate") == [
        Day(camera="gate", day="2026-01-30", scores=1, level=0.125, live_s=1.0),
        Day(camera="gate", day="2026-01-31", scores=900, level=1.5, live_s=90.0),
    ]
    assert [day.camera for day in store.history.days()] == ["gate", "gate", "yard"]


def test_only_changes_of_a_state_are_kept_and_a_day_begins_with_the_one_that_held(store):
    first, again, lost = (
        state("30T09:00:00", "live"),
        state("30T10:00:00", "live"),
        state("31T13:00:00", "lost", "why"),
    )
    back = state("31T13:00:09", "live")
    store.history.add(states=[first, again])
    store.history.add(states=[again, lost, state("31T12:00:00", "lost", camera="yard"), lost, back])
    assert store.history.states("gate", NOON, NOON + DAY) == [first, lost, back]
    assert store.history.states("gate", NOON - 10 * DAY, NOON - 5 * DAY) == []
    assert store.history.states("gate", NOON + DAY, NOON + 2 * DAY) == [back]


def test_the_count_of_a_day_outlives_its_alerts_and_counts_each_once(store):
    alert = AlertRecord(
        id="1",
        camera="gate",
        kind="anomaly",
        state="open",
        started_utc="2026-01-31T12:00:00.120Z",
        started_s=1.0,
        peaked_s=1.0,
        score=5.0,
        threshold=4.0,
    )
    store.save(alert)
    store.save(alert, alert)
    store.remove("1")
    assert store.history.days() == [Day(camera="gate", day="2026-01-31", alerts={"anomaly": 1})]


def test_what_is_forgotten_is_the_past_but_for_the_days_and_the_state_that_holds(store):
    store.history.add(
        [minute("30T11:59"), minute("30T12:00")], [state("29T09:00:00", "connecting"), state("29T10:00:00", "live")]
    )
    store.history.forget(NOON - DAY)
    assert store.history.minutes("gate", NOON - 9 * DAY, NOON) == [minute("30T12:00")]
    assert store.history.states("gate", NOON - 9 * DAY, NOON) == [state("29T10:00:00", "live")]
    assert store.history.days()[0].scores == 1200
