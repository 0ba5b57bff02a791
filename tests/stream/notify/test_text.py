import json
from datetime import UTC, datetime

from stream.notice import from_json, to_json
from stream.notify.digest import digest_of
from stream.notify.text import as_object, body, title
from stream.store.outbox import notice_of
from tests.stream.notify.notices import RECORD, ended, notice, numbered

NOW = datetime(2026, 1, 31, 13, tzinfo=UTC)


def test_a_start_says_which_camera_what_spoke_how_strongly_and_where():
    start = notice_of(RECORD, "start")
    assert title(start) == "gate: anomaly"
    assert body(start, UTC).splitlines() == [
        "moving 3.4× faster than normal here",
        "2.0 × threshold, upper left",
        "since 2026-01-31 12:00:00",
        "20260131-120000-gate-3f",
    ]


def test_an_end_says_how_long_it_lasted_and_why_it_ended():
    end = notice_of(ended(reason="stopped"), "end")
    assert title(end) == "gate: anomaly ended"
    assert body(end, UTC).splitlines()[1:3] == ["2.0 × threshold, upper left, lasted 9 s", "stopped"]


def test_a_cameras_trouble_says_what_is_wrong_and_nothing_of_scores():
    trouble = notice_of(
        numbered(1, kind="camera", score=0.0, threshold=0.0, region=None, words="", reason="no pictures: no route"),
        "start",
    )
    assert title(trouble) == "gate: camera trouble"
    assert body(trouble, UTC).splitlines() == ["no pictures: no route", "since 2026-01-31 12:00:00", "001-gate"]


def test_a_digest_counts_each_alert_once_and_shows_the_worst():
    notices = [notice(1), notice(1, "end", level=5.0), notice(2, level=3.0), notice(3, camera="yard", level=1.1)]
    digest = digest_of(notices, "ops", NOW)
    assert title(digest) == "gate, yard: 3 alerts in a digest"
    first, worst = body(digest, UTC).splitlines()
    assert first == "2026-01-31 12:00:00 to 2026-01-31 13:00:00: gate 2, yard 1"
    assert worst == "the worst: gate: anomaly ended; 5.0 × threshold; since 2026-01-31 12:00:00; 1"
    assert as_object(digest)["worst"]["level"] == 5.0
    assert as_object(digest)["counts"] == {"gate": 2, "yard": 1}
    assert digest.about.alert == "1"


def test_every_notice_is_kept_whole_and_can_be_told_as_json():
    notices = [notice_of(RECORD, "start"), notice_of(ended(), "end"), digest_of([notice(1)], "ops", NOW)]
    for one in notices:
        assert from_json(to_json(one)) == one
        assert json.loads(json.dumps(as_object(one), allow_nan=False))["id"] == one.id


def test_paths_of_this_machine_are_not_told():
    record = numbered(1, evidence=("/private/place/001-gate.jpg",))
    start = notice_of(record, "start")
    assert start.picture == "/private/place/001-gate.jpg"
    assert "private" not in json.dumps(as_object(start)) + body(start)
