import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stream.clock import utc_text
from stream.sink.retention import Limits, Retention
from stream.store import AlertRecord, Feedback, Minute, Store, evidence_path

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
PICTURE_BYTES = 10_000
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path) as store:
        yield store


def alert(number, started, evidence, **changes):
    record = AlertRecord(
        id=f"{number:05}",
        camera="gate",
        kind="anomaly",
        state="ended",
        started_utc=utc_text(started),
        started_s=0.0,
        peaked_s=0.0,
        score=5.0,
        threshold=4.0,
        evidence=evidence,
    )
    return replace(record, **changes)


def keep(folder, store, count, state="ended", first=0):
    """Alerts a minute apart, the first a day before noon, each with a picture."""
    records = []
    for number in range(first, first + count):
        picture = folder / "evidence" / "gate" / f"{number:05}.jpg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(bytes(PICTURE_BYTES))
        records.append(alert(number, NOON - DAY + timedelta(minutes=number), (str(picture),), state=state))
    store.save(*records)
    return records


def settle(retention, store, now=NOON):
    """Step until there is nothing more to do; how many steps had something."""
    steps = 0
    while retention.step(store, now):
        steps += 1
    return steps


def pictures(folder):
    return sorted(path.stem for path in (folder / "evidence" / "gate").glob("*.jpg"))


def ids(store):
    return sorted(record.id for record in store.find())


def test_old_alerts_go_with_their_pictures_and_what_was_said_of_them(tmp_path, store):
    keep(tmp_path, store, 100)
    store.add_feedback(Feedback(alert_id="00000", verdict="normal", utc=utc_text(NOON)))
    settle(Retention(tmp_path, Limits(days=0.98, megabytes=100.0)), store)

    assert ids(store) == pictures(tmp_path) == [f"{number:05}" for number in range(29, 100)]
    assert store.feedback() == []


def test_thousands_of_alerts_are_kept_within_the_limit_the_oldest_go_first(tmp_path, store):
    keep(tmp_path, store, 3000)
    retention = Retention(tmp_path, Limits(days=90.0, megabytes=10.0))
    steps = settle(retention, store)

    left = pictures(tmp_path)
    assert sum(path.stat().st_size for path in (tmp_path / "evidence").rglob("*.jpg")) <= 10e6
    assert len(left) == 1000
    assert left == ids(store) == [f"{number:05}" for number in range(3000 - len(left), 3000)]
    assert steps > 10  # none of which takes long


def test_thousands_of_alerts_with_all_their_files_come_and_the_folder_stays_within_its_limit(tmp_path, store):
    """As a busy site fills it: some alerts, then a round of housekeeping, and so on."""
    roles = {"picture": 15_000, "clip": 84_000, "trace": 1_000}
    limits = Limits(days=3650.0, megabytes=20.0)
    folder, most = tmp_path / "evidence" / "gate", 0
    folder.mkdir(parents=True)
    for begin in range(0, 2000, 100):
        records = []
        for number in range(begin, begin + 100):
            paths = [evidence_path(tmp_path, "gate", f"{number:05}", role) for role in roles]
            for path, size in zip(paths, roles.values(), strict=True):
                path.touch()
                os.truncate(path, size)  # as large as it, and quick
            started = NOON + timedelta(minutes=number)
            records.append(alert(number, started, tuple(map(str, paths)), ended_utc=utc_text(started)))
        store.save(*records)
        retention = Retention(tmp_path, limits)  # whose next round is due at once
        settle(retention, store, NOON + timedelta(minutes=begin + 200))
        most = max(most, sum(path.stat().st_size for path in folder.iterdir()))
    assert 19.5e6 < most <= 20e6
    assert ids(store) == [f"{number:05}" for number in range(1800, 2000)]
    assert len(list(folder.iterdir())) == 3 * 200
    assert store.files.bytes() == 20e6


def test_a_clip_that_still_grows_counts_as_it_is_now(tmp_path, store):
    (first, second) = keep(tmp_path, store, 2)
    store.save(replace(second, ended_utc=utc_text(NOON)))
    clip = tmp_path / "evidence" / "gate" / "00001.jpg"
    settle(Retention(tmp_path, Limits(days=90.0, megabytes=1.0)), store)
    assert store.files.bytes() == PICTURE_BYTES  # of the first: the other has ended just now
    clip.write_bytes(bytes(995_000))
    settle(Retention(tmp_path, Limits(days=90.0, megabytes=1.0)), store)
    assert ids(store) == ["00001"]
    settle(Retention(tmp_path, Limits(days=90.0, megabytes=1.0)), store, NOON + timedelta(minutes=3))
    assert store.files.bytes() == 995_000
    assert first.id not in ids(store)


def test_what_is_too_old_of_a_cameras_history_goes_but_its_days_stay(tmp_path, store):
    store.history.add([Minute(camera="gate", minute="2026-01-01T12:00Z", scores=1, level=0.5, live_s=1.0)])
    settle(Retention(tmp_path, Limits(days=2.0, megabytes=1.0)), store)
    assert store.history.minutes("gate", NOON - 60 * DAY, NOON) == []
    assert store.history.days()[0].scores == 1


def test_files_that_no_alert_names_count_and_go_first_and_others_are_left(tmp_path, store):
    keep(tmp_path, store, 50)
    folder = tmp_path / "evidence" / "yard"
    folder.mkdir()
    stray, recent = folder / "20260101-120000-yard-3f.mp4", folder / ".20260131-120000-yard-40.jpg.new"
    foreign = folder / "holiday.jpg"
    for path in (stray, recent, foreign):
        path.write_bytes(bytes(400_000))
    for path in (stray, foreign):
        os.utime(path, (NOON.timestamp(), NOON.timestamp()))
    settle(Retention(tmp_path, Limits(days=90.0, megabytes=1.0)), store)
    assert (stray.exists(), recent.exists(), foreign.exists()) == (True, True, True)  # there is room: 0.9 MB
    settle(Retention(tmp_path, Limits(days=90.0, megabytes=0.7)), store)
    assert (stray.exists(), recent.exists(), foreign.exists()) == (False, True, True)
    assert len(ids(store)) == 50


def test_an_alert_that_is_open_stays_whatever_its_age(tmp_path, store):
    keep(tmp_path, store, 1, state="open")
    keep(tmp_path, store, 5, first=1)
    settle(Retention(tmp_path, Limits(days=0.1, megabytes=1.0)), store)

    assert ids(store) == ["00000"]


def test_nothing_outside_of_the_evidence_is_touched(tmp_path, store):
    (record,) = keep(tmp_path, store, 1)
    outside = tmp_path / "precious.txt"
    outside.write_text("mine")
    store.save(replace(record, evidence=(str(outside), str(tmp_path / "evidence" / ".." / "precious.txt"))))
    settle(Retention(tmp_path, Limits(days=0.1, megabytes=100.0)), store)

    assert ids(store) == []
    assert outside.read_text() == "mine"


def test_a_picture_that_is_gone_already_is_no_trouble(tmp_path, store):
    keep(tmp_path, store, 3)
    (tmp_path / "evidence" / "gate" / "00001.jpg").unlink()
    settle(Retention(tmp_path, Limits(days=0.1, megabytes=100.0)), store)

    assert ids(store) == pictures(tmp_path) == []


def test_within_the_limits_all_stays(tmp_path, store):
    keep(tmp_path, store, 60)
    retention = Retention(tmp_path, Limits(days=2.0, megabytes=100.0))
    settle(retention, store)

    assert retention.removed == 0
    assert len(ids(store)) == len(pictures(tmp_path)) == 60
