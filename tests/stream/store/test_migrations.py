"""Stores as earlier versions of the program left them, word by word."""

import sqlite3

import pytest

from stream.store import FILE_NAME, AlertRecord, Day, Feedback, Store, StoreError
from stream.store.migrations import SCHEMA

SCHEMA_1 = """
CREATE TABLE IF NOT EXISTS alerts (
    id TEXT PRIMARY KEY, camera TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, started_utc TEXT NOT NULL,
    ended_utc TEXT, started_s REAL NOT NULL, peaked_s REAL NOT NULL, ended_s REAL, score REAL NOT NULL,
    threshold REAL NOT NULL, region TEXT, evidence TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS alerts_by_time ON alerts (started_utc);
INSERT INTO alerts VALUES (
    '20260131-120000-gate-3f', 'gate', 'anomaly', 'ended', '2026-01-31T12:00:00.120Z', '2026-01-31T12:00:09.120Z',
    81.2, 82.0, 90.2, 5.5, 4.1, '[0.1, 0.2, 0.3, 0.45]', '["/a b.jpg", "/\\u00fc.jpg"]', 'cut off after 9 s'
);
INSERT INTO alerts VALUES (
    '20260131-130000-gate-40', 'gate', 'camera', 'open', '2026-01-31T13:00:00.120Z', NULL,
    90.0, 90.0, NULL, 0.0, 0.0, NULL, '[]', 'no pictures'
);
PRAGMA user_version = 1;
"""
FEEDBACK = """
CREATE TABLE IF NOT EXISTS feedback (
    alert_id TEXT NOT NULL, verdict TEXT NOT NULL, utc TEXT NOT NULL, undone_utc TEXT
);
CREATE INDEX IF NOT EXISTS feedback_by_alert ON feedback (alert_id);
INSERT INTO feedback VALUES ('20260131-120000-gate-3f', 'normal', '2026-01-31T14:00:00.000Z', NULL);
INSERT INTO feedback VALUES ('20260131-120000-gate-3f', 'normal', '2026-01-31T15:00:00.000Z', NULL);
PRAGMA user_version = 2;
"""
FIRST = AlertRecord(
    id="20260131-120000-gate-3f",
    camera="gate",
    kind="anomaly",
    state="ended",
    started_utc="2026-01-31T12:00:00.120Z",
    ended_utc="2026-01-31T12:00:09.120Z",
    started_s=81.2,
    peaked_s=82.0,
    ended_s=90.2,
    score=5.5,
    threshold=4.1,
    region=(0.1, 0.2, 0.3, 0.45),
    evidence=("/a b.jpg", "/ü.jpg"),
    reason="cut off after 9 s",
)
SECOND = AlertRecord(
    id="20260131-130000-gate-40",
    camera="gate",
    kind="camera",
    state="open",
    started_utc="2026-01-31T13:00:00.120Z",
    started_s=90.0,
    peaked_s=90.0,
    score=0.0,
    threshold=0.0,
    reason="no pictures",
)


def made(folder, *scripts):
    connection = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    for script in scripts:
        connection.executescript(script)
    connection.close()


def version(folder):
    connection = sqlite3.connect(folder / FILE_NAME)
    ((number,),) = connection.execute("PRAGMA user_version").fetchall()
    connection.close()
    return number


@pytest.mark.parametrize("scripts", [(SCHEMA_1,), (SCHEMA_1, FEEDBACK)])
def test_an_older_store_keeps_its_alerts_and_can_do_what_a_new_one_can(tmp_path, scripts):
    made(tmp_path, *scripts)
    with Store.open(tmp_path) as store:
        assert store.find() == [SECOND, FIRST]
        assert store.history.days() == [Day(camera="gate", day="2026-01-31", alerts={"anomaly": 1, "camera": 1})]
        store.add_feedback(Feedback(alert_id=FIRST.id, verdict="real", utc="2026-01-31T16:00:00.000Z"))
        assert store.verdicts([FIRST.id]) == {FIRST.id: "real"}
        store.save(FIRST)
        store.remove(FIRST.id)
        assert store.find() == [SECOND]
    assert version(tmp_path) == SCHEMA


def test_of_several_verdicts_that_an_older_store_let_hold_the_latest_does(tmp_path):
    made(tmp_path, SCHEMA_1, FEEDBACK)
    with Store.open(tmp_path) as store:
        first, second = store.feedback()
        assert (first.undone_utc, second.undone_utc) == ("2026-01-31T14:00:00.000Z", None)
        assert store.undo_feedback(FIRST.id, "2026-01-31T16:00:00.000Z")
        assert store.verdicts([FIRST.id]) == {}


def test_an_older_store_that_cannot_be_brought_up_is_left_as_it_was(tmp_path):
    made(tmp_path, SCHEMA_1, FEEDBACK, "CREATE TABLE minutes (in_the_way TEXT);")
    with pytest.raises(StoreError, match="table minutes already exists"):
        Store.open(tmp_path)
    assert version(tmp_path) == 2
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    assert connection.execute("SELECT evidence FROM alerts WHERE evidence != '[]'").fetchall()
    connection.close()


def test_a_newer_schema_is_refused_and_left_as_it_is(tmp_path):
    Store.open(tmp_path).close()
    made(tmp_path, f"PRAGMA user_version = {SCHEMA + 1}")
    refused = rf"has schema {SCHEMA + 1}, this program knows {SCHEMA}: update it or take another"
    with pytest.raises(StoreError, match=refused) as caught:
        Store.open(tmp_path)
    assert "\n" not in str(caught.value)
    assert version(tmp_path) == SCHEMA + 1
