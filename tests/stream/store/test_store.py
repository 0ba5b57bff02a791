import multiprocessing
import os
import signal
import sqlite3
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from stream.store import (
    FILE_NAME,
    AlertRecord,
    Feedback,
    Store,
    StoreError,
    default_folder,
    evidence_path,
    new_id,
)

RECORD = AlertRecord(
    id="20260131-120000-gate-3f",
    camera="gate",
    kind="anomaly",
    state="open",
    started_utc="2026-01-31T12:00:00.120Z",
    started_s=81.2,
    peaked_s=82.0,
    score=5.5,
    threshold=4.1,
)
ENDED = replace(
    RECORD,
    state="ended",
    ended_utc="2026-01-31T12:00:09.120Z",
    ended_s=90.2,
    region=(0.1, 0.2, 0.3, 0.45),
    evidence=("/somewhere/a b.jpg", "/somewhere/ü.jpg"),
    reason="cut off after 9 s",
    words="moving 3.4× faster than normal here",
)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path) as store:
        yield store


def at(second, camera="gate", **changes):
    return replace(
        RECORD, id=f"{second:02}-{camera}", camera=camera, started_utc=f"2026-01-31T12:00:{second:02}.000Z", **changes
    )


@pytest.mark.parametrize("record", [RECORD, ENDED])
def test_what_was_saved_is_found_whole_also_after_opening_again(tmp_path, record):
    with Store.open(tmp_path) as store:
        store.save(record)
        assert store.get(record.id) == record
    with Store.open(tmp_path) as store:
        assert store.find() == [record]


def test_saving_again_replaces(store):
    store.save(RECORD)
    store.save(ENDED)
    assert store.find() == [ENDED]


def test_an_unknown_id_is_none(store):
    store.save(RECORD)
    assert store.get("20260131-120000-gate-3e") is None


def test_alerts_are_found_newest_first_by_camera_kind_time_and_number(store):
    gate, yard, drift = at(1), at(2, "yard"), at(3, kind="drift")
    store.save(yard, drift, gate)
    assert store.find() == [drift, yard, gate]
    assert store.find(camera="gate") == [drift, gate]
    assert store.find(camera="gat") == []
    assert store.find(kind="drift") == [drift]
    assert store.find(limit=2) == [drift, yard]
    assert store.find(since=datetime(2026, 1, 31, 12, 0, 2, tzinfo=UTC)) == [drift, yard]
    east = timezone(timedelta(hours=2))
    assert store.find(since=datetime(2026, 1, 31, 14, 0, 3, tzinfo=east), camera="gate", kind="drift") == [drift]
    assert store.find(since=datetime(2026, 1, 31, 12, 0, 4, tzinfo=UTC)) == []


def test_names_are_data_and_never_part_of_a_query(store):
    store.save(RECORD)
    assert store.find(camera="' OR 1=1 --") == []
    assert store.get("' OR 1=1 --") is None


def test_open_alerts_are_closed_with_the_reason_and_ended_ones_left_alone(store):
    store.save(at(2), at(1), ENDED)
    assert store.close_open("2026-02-01T00:00:00.000Z", "interrupted") == ["01-gate", "02-gate"]
    assert store.get("01-gate") == replace(
        at(1), state="ended", ended_utc="2026-02-01T00:00:00.000Z", ended_s=None, reason="interrupted"
    )
    assert store.get(ENDED.id) == ENDED
    assert store.close_open("2026-02-01T00:00:01.000Z", "interrupted") == []


def test_folder_and_files_are_for_this_user_only(tmp_path):
    folder = tmp_path / "a" / "b"
    before = os.umask(0)
    try:
        with Store.open(folder) as store:
            store.save(RECORD)
            files = sorted(folder.iterdir())
            assert [file.name for file in files] == [FILE_NAME, f"{FILE_NAME}-shm", f"{FILE_NAME}-wal"]
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_file_that_is_no_database_is_one_clear_line_and_left_as_it_is(tmp_path):
    file = tmp_path / FILE_NAME
    file.write_bytes(b"this is no database, whatever its name says\n" * 100)
    before = file.read_bytes()
    with pytest.raises(StoreError, match=r"^store: .*alerts\.sqlite is damaged or not a store .*: move it away"):
        Store.open(tmp_path)
    assert file.read_bytes() == before


def test_a_damaged_database_is_one_clear_line(tmp_path):
    with Store.open(tmp_path) as store:
        store.save(*(replace(ENDED, id=str(number)) for number in range(200)))
    file = tmp_path / FILE_NAME
    data = bytearray(file.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    file.write_bytes(data)
    with pytest.raises(StoreError, match="is damaged or not a store"), Store.open(tmp_path) as store:
        store.find()


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nothing")):
        with pytest.raises(StoreError, match=rf"^store: {folder} cannot be used: .*: correct that or take another"):
            Store.open(folder)


def test_a_full_disk_is_one_clear_line_and_keeps_what_was_there(store):
    store.save(RECORD)
    (pages,) = store._database.connection.execute("PRAGMA page_count").fetchone()
    store._database.connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own way to run out of space
    with pytest.raises(StoreError, match=r"no space left for .*: free some"):
        store.save(replace(RECORD, reason="x" * 100_000), replace(RECORD, id="other"))
    assert store.find() == [RECORD]
    store.save(ENDED)
    assert store.find() == [ENDED]


def test_several_records_are_kept_all_or_none(store):
    with pytest.raises(StoreError, match="cannot be used"):
        store.save(RECORD, replace(RECORD, id="other", camera=None))
    assert store.find() == []


def test_a_store_that_was_removed_or_replaced_while_in_use_takes_no_more(tmp_path, store):
    """SQLite goes on writing to a removed file without a word, and the alerts are gone."""
    store.save(RECORD)
    (tmp_path / FILE_NAME).rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="was moved or removed"):
        store.save(ENDED)
    (tmp_path / FILE_NAME).touch()
    with pytest.raises(StoreError, match="was moved or removed"):
        store.save(ENDED)


def test_reading_does_not_hold_up_writing_nor_the_other_way_round(tmp_path, store):
    store.save(RECORD)
    with Store.open(tmp_path) as reader:
        reader._database.connection.execute("BEGIN")
        assert reader.find() == [RECORD]
        store.save(ENDED)
        reader._database.connection.execute("COMMIT")
        store._database.connection.execute("BEGIN IMMEDIATE")
        assert reader.find() == [ENDED]
        store._database.connection.execute("ROLLBACK")


def test_a_writer_waits_for_another_but_not_for_ever(tmp_path, store):
    other = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="held by another process for too long"):
        store.save(RECORD)
    release = threading.Timer(0.2, other.execute, ["COMMIT"])
    release.start()
    store.save(RECORD)
    release.join()
    other.close()
    assert store.find() == [RECORD]


def save_and_wait(folder, line):
    store = Store.open(folder)
    store.save(RECORD)
    line.send("saved")
    line.recv()
    raise AssertionError("only a signal ends this process")


def test_what_a_killed_process_saved_is_there(tmp_path):
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=save_and_wait, args=(tmp_path, there), daemon=True)
    process.start()
    assert here.poll(20)
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    process.close()
    here.close()
    there.close()
    with Store.open(tmp_path) as store:
        assert store.find() == [RECORD]
        assert store.close_open(ENDED.ended_utc, "interrupted") == [RECORD.id]


def test_ids_are_short_sort_by_time_and_differ_within_a_second():
    noon = datetime(2026, 11, 25, 0, 45, 12, 999_000, tzinfo=UTC)
    ids = [new_id("gate", noon) for _ in range(256)]
    assert len(set(ids)) == 256
    assert all(name.startswith("20261125-004512-gate-") and len(name) == 23 for name in ids)
    assert max(ids) < new_id("gate", noon + timedelta(seconds=1))
    assert new_id("gate", noon.astimezone(timezone(timedelta(hours=9)))).startswith("20261125-004512-")


def test_the_default_folder_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "mulde-stream"
    assert not default_folder().exists()


SAID = Feedback(alert_id=RECORD.id, verdict="normal", utc="2026-01-31T13:00:00.000Z")


def test_what_is_said_of_an_alert_outlives_that_it_is_saved_again(tmp_path, store):
    store.save(RECORD)
    store.add_feedback(SAID)
    store.save(ENDED)
    assert store.feedback(RECORD.id) == store.feedback() == [SAID]
    assert store.feedback("other") == []
    with Store.open(tmp_path) as again:
        assert again.feedback() == [SAID]


def test_what_was_said_can_be_taken_back_and_said_again_and_all_of_it_is_kept(store):
    store.save(RECORD)
    store.add_feedback(SAID)
    assert store.undo_feedback(RECORD.id, "2026-01-31T14:00:00.000Z")
    assert not store.undo_feedback(RECORD.id, "2026-01-31T15:00:00.000Z")
    store.add_feedback(replace(SAID, utc="2026-01-31T16:00:00.000Z"))
    assert store.feedback() == [
        replace(SAID, undone_utc="2026-01-31T14:00:00.000Z"),
        replace(SAID, utc="2026-01-31T16:00:00.000Z"),
    ]


def test_a_later_verdict_takes_the_place_of_the_earlier_which_stays_known(store):
    store.save(RECORD, replace(RECORD, id="other"))
    store.add_feedback(SAID)
    later = replace(SAID, verdict="real", utc="2026-01-31T14:00:00.000Z")
    store.add_feedback(later)
    assert store.feedback(RECORD.id) == [replace(SAID, undone_utc=later.utc), later]
    assert store.verdicts([RECORD.id, "other"]) == {RECORD.id: "real"}
    assert store.verdicts([]) == {}
    store.undo_feedback(RECORD.id, "2026-01-31T15:00:00.000Z")
    assert store.verdicts([RECORD.id]) == {}


def test_alerts_are_found_by_score_end_of_time_and_verdict(store):
    low, high, real, drift = at(1, score=2.0), at(2, score=6.0), at(3), at(4, kind="drift", score=9.0)
    store.save(low, high, real, drift)
    store.add_feedback(replace(SAID, alert_id=low.id))
    store.add_feedback(replace(SAID, alert_id=real.id))
    store.add_feedback(replace(SAID, alert_id=real.id, verdict="real"))
    assert store.find(min_score=5.5) == [real, high]  # of a drift the score says nothing
    assert store.find(until=datetime(2026, 1, 31, 12, 0, 3, tzinfo=UTC)) == [high, low]
    assert store.find(verdict="normal") == [low]
    assert store.find(verdict="real", camera="gate") == [real]
    assert store.find(verdict="none") == [drift, high]


def test_pages_follow_each_other_whatever_is_added_in_the_meantime(store):
    records = [at(second, camera) for second in range(10) for camera in ("gate", "yard")]
    store.save(*records)
    found, last = [], None
    while page := store.find(limit=3, before_id=last):
        found += page
        last = page[-1].id
        store.save(at(20 + len(found)))
    assert found == sorted(records, key=lambda record: (record.started_utc, record.id), reverse=True)
    assert store.find(before_id="gone") == []


def test_one_page_of_ten_thousand_alerts_is_there_at_once(store):
    """Whatever is asked for, SQLite looks at an index of it and never sorts all alerts."""
    kept = [
        replace(at(0), id=f"{number:05}", started_utc=f"2026-01-{1 + number // 1440:02}T00:00:00.000Z")
        for number in range(10_000)
    ]
    store.save(*kept)
    asked = []
    store._database.connection.set_trace_callback(asked.append)
    since = datetime(2026, 1, 2, tzinfo=UTC)
    assert [record.id for record in store.find(limit=3)] == ["09999", "09998", "09997"]
    store.find(camera="gate", since=since, limit=50)
    store.find(since=since, until=since + timedelta(days=1), verdict="none", before_id="02000", limit=50)
    store.oldest(50)
    store._database.connection.set_trace_callback(None)
    for query in asked:
        steps = [row[3] for row in store._database.read(f"EXPLAIN QUERY PLAN {query}")]
        assert any("USING INDEX alerts_by" in step for step in steps), (query, steps)
        outer = [step for step in steps if "TEMP B-TREE" in step]
        assert outer == [], (query, steps)


def test_what_is_kept_in_one_transaction_is_kept_together_or_not_at_all(store):
    with store.transaction():
        store.save(RECORD)
        store.add_feedback(SAID)
    assert store.find() == [RECORD]

    def change_and_fail():
        with store.transaction():
            store.undo_feedback(RECORD.id, SAID.utc)
            store.save(ENDED, replace(RECORD, camera=None))

    with pytest.raises(StoreError):
        change_and_fail()
    assert store.find() == [RECORD]
    assert store.verdicts([RECORD.id]) == {RECORD.id: "normal"}


def test_what_the_files_show_follows_from_their_names(tmp_path):
    roles = ("picture", "clean", "strip", "clip", "trace")
    paths = [str(evidence_path(tmp_path, "gate", RECORD.id, role)) for role in roles]
    record = replace(RECORD, evidence=(*paths, "/else/where.png"))
    assert record.files() == {**dict(zip(roles, paths, strict=True)), "other": "/else/where.png"}
    assert paths[:2] == [
        f"{tmp_path}/evidence/gate/{RECORD.id}.jpg",
        f"{tmp_path}/evidence/gate/{RECORD.id}-clean.jpg",
    ]
