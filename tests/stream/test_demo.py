import pytest

from stream.demo import Tally, tally
from stream.scene import open_scene
from stream.store import AlertRecord

SCENE = open_scene("demo://street?seed=2&seconds=150&anomalies=1")
PLAYED_S = 150.0


def alert(started_s, ended_s, peaked_s=None):
    return AlertRecord(
        id="a",
        camera="street",
        kind="anomaly",
        state="open" if ended_s is None else "ended",
        started_utc="2026-01-31T12:00:00.000Z",
        started_s=started_s,
        peaked_s=started_s if peaked_s is None else peaked_s,
        ended_s=ended_s,
        score=9.0,
        threshold=4.0,
    )


def test_an_alert_during_every_event_catches_all_of_them():
    result = tally([alert(event.start_s + 1, event.end_s) for event in SCENE.events], SCENE.events, PLAYED_S)
    assert result.caught == result.planted
    assert sum(result.planted.values()) == len(SCENE.events) > 5
    assert list(result.planted) == sorted({event.kind for event in SCENE.events})
    assert result.false_alerts == 0


def test_no_alert_catches_nothing():
    result = tally([], SCENE.events, PLAYED_S)
    assert set(result.caught.values()) == {0}
    assert list(result.caught) == list(result.planted)


def test_an_alert_about_nothing_planted_is_false():
    result = tally([alert(1.0, 3.0), alert(5.0, 6.0)], SCENE.events, PLAYED_S)
    assert result.false_alerts == 2
    assert sum(result.caught.values()) == 0


@pytest.mark.parametrize(("after_end_s", "caught"), [(1.9, 1), (2.1, 0)])
def test_an_alert_may_start_a_little_late(after_end_s, caught):
    event = SCENE.events[0]
    result = tally([alert(event.end_s + after_end_s, event.end_s + 3.0)], SCENE.events[:1], PLAYED_S)
    assert result == Tally(caught={event.kind: caught}, planted={event.kind: 1}, false_alerts=1 - caught)


def test_an_alert_that_began_before_an_event_and_lasts_into_it_is_about_it():
    event = SCENE.events[0]
    result = tally([alert(event.start_s - 2.0, event.start_s + 0.5)], SCENE.events[:1], PLAYED_S)
    assert (sum(result.caught.values()), result.false_alerts) == (1, 0)


def test_an_open_alert_reaches_to_its_peak():
    event = SCENE.events[0]
    early = event.start_s - 2.0
    assert tally([alert(early, None, event.start_s + 1.0)], [event], PLAYED_S).false_alerts == 0
    assert tally([alert(early, None, early)], [event], PLAYED_S).false_alerts == 1


def test_one_alert_over_two_events_catches_both():
    first, second = SCENE.events[:2]
    result = tally([alert(first.start_s, second.end_s)], [first, second], PLAYED_S)
    assert sum(result.caught.values()) == 2
    assert result.false_alerts == 0


def test_events_that_were_not_played_or_had_only_begun_do_not_count():
    first = SCENE.events[0]
    assert tally([], SCENE.events, 0.0) == Tally(caught={}, planted={}, false_alerts=0)
    assert tally([], SCENE.events, first.start_s + 2.9).planted == {}
    assert tally([], SCENE.events, first.start_s + 3.0).planted == {first.kind: 1}


def test_an_alert_about_an_event_that_had_only_begun_is_not_false():
    first = SCENE.events[0]
    result = tally([alert(first.start_s + 0.5, None)], SCENE.events, first.start_s + 1.0)
    assert result == Tally(caught={}, planted={}, false_alerts=0)
