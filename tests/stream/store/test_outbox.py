from dataclasses import replace

import pytest

from stream.store import Store, StoreError
from stream.store.database import Database
from tests.stream.notify.notices import RECORD, ended, notice, numbered

NOW_S = 1_800_000_000.0
HOUR_S = 3600.0


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path, notices=True) as made:
        yield made


def waiting(store):
    return [one.id for _, one in store.outbox.unrouted(100)]


def routed(store, *channels, state="due", now_s=NOW_S):
    for number, _ in store.outbox.unrouted(100):
        store.outbox.route(number, dict.fromkeys(channels, (state, now_s)), now_s)


def due(store, channel="ops", now_s=NOW_S):
    return store.outbox.due(channel, now_s, HOUR_S)


def test_each_alert_has_one_start_and_one_end_however_often_it_is_saved(store):
    store.save(RECORD)
    store.save(replace(RECORD, score=9.0))
    store.save(ended())
    store.save(ended())
    store.save(RECORD, ended())  # as after a look back that was wrong
    assert waiting(store) == [f"{RECORD.id}/start", f"{RECORD.id}/end"]


def test_one_that_could_be_kept_only_after_its_end_has_both(store):
    store.save(ended())
    assert waiting(store) == [f"{RECORD.id}/start", f"{RECORD.id}/end"]


def test_what_a_crash_left_open_ends_in_the_outbox_too(store):
    store.save(RECORD)
    store.close_open("2026-01-31T12:05:00.000Z", "interrupted")
    (_, start), (_, end) = store.outbox.unrouted(10)
    assert (start.event, end.event, end.reason, end.utc) == (
        "start",
        "end",
        "interrupted",
        "2026-01-31T12:05:00.000Z",
    )
    assert end.lasted_s is None


def test_where_nobody_is_told_the_outbox_stays_empty(tmp_path):
    with Store.open(tmp_path) as store:
        store.save(RECORD)
        store.close_open("2026-01-31T12:05:00.000Z", "interrupted")
        assert waiting(store) == []


def test_an_alert_that_is_not_kept_has_no_notice_either(store):
    with pytest.raises(StoreError):
        store.save(RECORD, replace(RECORD, id="other", reason=None))
    assert store.find() == []
    assert waiting(store) == []


def test_an_end_waits_until_its_start_has_arrived_and_others_do_not(store):
    store.save(RECORD, numbered(2), ended())
    routed(store, "ops", "home")
    first = due(store)
    assert first.notice.id == f"{RECORD.id}/start"
    store.outbox.postpone(first, NOW_S + 60.0)
    assert due(store).notice.id == "002-gate/start"
    store.outbox.finish(due(store), "sent", NOW_S)
    assert due(store) is None
    assert due(store, "home").notice.id == f"{RECORD.id}/start"  # each channel for itself
    again = due(store, now_s=NOW_S + 60.0)
    assert (again.notice.id, again.attempts) == (f"{RECORD.id}/start", 1)
    store.outbox.finish(again, "sent", NOW_S)
    assert due(store).notice.id == f"{RECORD.id}/end"


def test_a_receiver_that_is_back_gets_all_at_once_and_so_does_one_whose_clock_was_set_back(store):
    store.save(RECORD)
    routed(store, "ops")
    store.outbox.postpone(due(store), NOW_S + 300.0)
    assert due(store) is None
    assert due(store, now_s=NOW_S - 10 * HOUR_S) is not None
    store.outbox.wake("ops", NOW_S)
    assert due(store) is not None


def test_a_digest_takes_the_place_of_what_was_held(store):
    store.save(numbered(1), numbered(2))
    routed(store, "ops", state="held")
    held = store.outbox.held("ops")
    assert [one.notice.alert for one in held] == ["001-gate", "002-gate"]
    assert store.outbox.counts() == {("held", "ops"): 2}
    store.outbox.bundle(held, notice(event="digest", camera="", counts={"gate": 2}), NOW_S)
    assert store.outbox.held("ops") == []
    assert due(store).notice.counts == {"gate": 2}
    assert store.outbox.state_of_start("ops", "001-gate") == "told"
    assert store.outbox.alerts_told("ops", "gate", NOW_S - HOUR_S) == 0


def test_alerts_told_are_counted_by_camera_channel_and_hour_without_their_ends(store):
    store.save(numbered(1), ended(numbered(2)), numbered(3, camera="yard"))
    routed(store, "ops")
    assert store.outbox.alerts_told("ops", "gate", NOW_S - HOUR_S) == 2
    assert store.outbox.alerts_told("ops", "gate", NOW_S) == 0
    assert store.outbox.alerts_told("home", "gate", NOW_S - HOUR_S) == 0


def test_what_is_too_old_or_of_a_channel_that_is_no_more_is_given_up_and_counted(store):
    store.save(numbered(1), numbered(2))
    routed(store, "ops", "gone")
    assert store.outbox.give_up(["ops"], 0.0, NOW_S) == {"gone": 2}
    future_s = 4e9  # after they were made, by this machine's clock
    assert store.outbox.give_up(["ops"], future_s, NOW_S) == {"ops": 2}
    assert store.outbox.counts() == {}


def test_only_what_is_done_is_forgotten(store):
    store.save(numbered(1), numbered(2))
    routed(store, "ops")
    store.save(numbered(3))
    store.outbox.finish(due(store), "sent", NOW_S)
    store.outbox.forget(4e9)
    assert due(store).notice.alert == "002-gate"
    assert waiting(store) == ["003-gate/start"]
    assert store.outbox.alerts_told("ops", "gate", 0.0) == 1


def test_open_alerts_are_those_that_have_not_ended(store):
    store.save(numbered(1), ended(numbered(2)), numbered(3, camera="yard", kind="camera"))
    assert sorted(store.open_alerts()) == [("gate", "anomaly"), ("yard", "camera")]


def test_a_damaged_notice_is_told_of_in_one_line(tmp_path, store):
    store.save(RECORD)
    database = Database.open(tmp_path)
    with database.transaction() as connection:
        connection.execute("UPDATE notices SET content = 'nonsense'")
    database.close()
    with pytest.raises(StoreError, match=r"a notice in .* is damaged"):
        store.outbox.unrouted(1)
