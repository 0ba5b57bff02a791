from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stream.clock import utc_text
from stream.retention import Limits, Retention
from stream.store import AlertRecord, Feedback, Store

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
PICTURE_BYTES = 10_000
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path) as store:
        yield store


def keep(folder, store, count, state="ended", first=0):
    """Alerts a minute apart, the first a day before noon, each with a picture."""
    records = []
    for number in range(first, first + count):
        picture = folder / "evidence" / "gate" / f"{number:05}.jpg"
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(bytes(PICTURE_BYTES))
        records.append(
            AlertRecord(
                id=f"{number:05}",
                camera="gate",
                kind="anomaly",
                state=state,
                started_utc=utc_text(NOON - DAY + timedelta(minutes=number)),
                started_s=0.0,
                peaked_s=0.0,
                score=5.0,
                threshold=4.0,
                evidence=(str(picture),),
            )
        )
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
