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

from stream.store import FILE_NAME, AlertRecord, Feedback, Store, StoreError, default_folder, new_id

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


def test_a_newer_schema_is_refused_and_left_as_it_is(tmp_path):
    Store.open(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 3")
    connection.close()
    with pytest.raises(StoreError, match=r"has schema 3, this program knows 2: update it or take another") as caught:
        Store.open(tmp_path)
    assert "\n" not in str(caught.value)
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.close()


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
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own way to run out of space
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
        reader._connection.execute("BEGIN")
        assert reader.find() == [RECORD]
        store.save(ENDED)
        reader._connection.execute("COMMIT")
        store._connection.execute("BEGIN IMMEDIATE")
        assert reader.find() == [ENDED]
        store._connection.execute("ROLLBACK")


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


def test_a_store_of_the_version_before_feedback_keeps_its_alerts_and_can_take_some(tmp_path, store):
    store.save(RECORD)
    store.close()
    old = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    old.executescript("DROP TABLE feedback; PRAGMA user_version = 1;")
    old.close()
    with Store.open(tmp_path) as now:
        assert now.find() == [RECORD]
        assert now.feedback() == []
        now.add_feedback(SAID)
        assert now.feedback() == [SAID]
