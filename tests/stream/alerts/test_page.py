import csv
import io
import json
from dataclasses import asdict, replace

import pytest
from rich.console import Console

from stream.alerts.page import as_csv, as_details, as_json_lines, as_table
from stream.store import AlertRecord, Feedback

ENDED = AlertRecord(
    id="20260131-120000-gate-3f",
    camera="gate",
    kind="anomaly",
    state="ended",
    started_utc="2026-01-31T12:00:00.120Z",
    ended_utc="2026-01-31T12:02:05.120Z",
    started_s=81.2,
    peaked_s=82.0,
    ended_s=206.2,
    score=5.5123,
    threshold=4.1,
    region=(0.1, 0.05, 0.3, 0.25),
    evidence=('/somewhere/a,"b".jpg', "/somewhere/c.jpg"),
    reason="cut off after 125 s",
    words="moving 3.4× faster than normal here",
)
OPEN = replace(
    ENDED, id="20260131-130000-yard-40", camera="yard", state="open", ended_utc=None, ended_s=None, region=None
)
OPEN = replace(OPEN, evidence=(), reason="", words="")
INTERRUPTED = replace(ENDED, id="20260131-110000-gate-3e", ended_s=None, reason="interrupted")


def shown(what, width=100):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(what)
    return console.file.getvalue()


def test_the_table_has_one_line_for_each_alert_in_the_order_given():
    header, first, second, third = shown(as_table([OPEN, ENDED, INTERRUPTED]), width=180).splitlines()
    assert header.split() == ["id", "camera", "kind", "began", "(UTC)", "lasted", "score", "where,", "what,", "why"]
    assert first.split() == [OPEN.id, "yard", "anomaly", "2026-01-31", "12:00:00", "open", "5.51/4.1"]
    began = f"{ENDED.id} gate anomaly 2026-01-31 12:00:00 2 min 05 s 5.51/4.1 upper left, "
    assert " ".join(second.split()) == f"{began}{ENDED.words}, cut off after 125 s"
    assert "interrupted" in third


def test_a_camera_that_is_out_is_listed_with_its_reason_and_without_a_score():
    reason = "no pictures: rtsp://viewer:***@gate/stream: nothing listens at port 554 of gate"
    out = replace(OPEN, kind="camera", score=0.0, threshold=0.0, reason=reason)
    _, line = shown(as_table([out]), width=200).splitlines()
    assert " ".join(line.split()) == f"{OPEN.id} yard camera 2026-01-31 12:00:00 open {reason}"
    assert reason in shown(as_details(out))
    assert "peak" not in shown(as_details(out))


def test_the_table_of_nothing_is_its_header():
    assert len(shown(as_table([])).splitlines()) == 1


@pytest.mark.parametrize("width", [40, 60, 80])
def test_an_id_is_whole_on_a_narrow_terminal(width):
    assert ENDED.id in shown(as_table([ENDED, replace(ENDED, camera="a-camera-with-a-name-of-32-bytes")]), width)


def test_the_details_tell_everything():
    page = shown(as_details(ENDED))
    for text in (
        ENDED.id,
        "gate",
        "anomaly",
        "2026-01-31 12:00:00 UTC, stream time 81.2 s",
        "5.512, threshold 4.1, stream time 82.0 s",
        "2026-01-31 12:02:05 UTC, stream time 206.2 s",
        "2 min 05 s",
        "upper left: x 10% to 30%, y 5% to 25% of the picture",
        *ENDED.evidence,
        ENDED.words,
        "cut off after 125 s",
    ):
        assert text in page


def test_the_details_of_an_open_alert_say_so():
    page = shown(as_details(OPEN))
    assert "still open" in page
    assert "evidence  none" in page
    assert "reason" not in page
    assert "where" not in page


def test_the_evidence_is_listed_by_what_it_shows_and_what_is_not_there_is_said():
    picture, clip = f"/e/{ENDED.id}.jpg", f"/e/{ENDED.id}.mp4"
    page = shown(as_details(replace(ENDED, evidence=(picture, clip)), missing=(clip,)))
    assert f"evidence  picture: {picture}\n" in "\n".join(line.rstrip() for line in page.splitlines())
    assert f"clip: {clip} (is not there)" in page
    assert "(not there yet)" in shown(as_details(replace(ENDED, state="open", evidence=(clip,)), missing=(clip,)))


def test_the_details_tell_what_was_said_and_taken_back():
    said = Feedback(alert_id=ENDED.id, verdict="normal", utc="2026-01-31T13:00:00.000Z")
    page = shown(
        as_details(ENDED, [replace(said, undone_utc="2026-01-31T14:00:00.000Z"), replace(said, verdict="real")])
    )
    assert "marked    normal, 2026-01-31 13:00:00 UTC, taken back 2026-01-31 14:00:00 UTC" in page
    assert "real, 2026-01-31 13:00:00 UTC" in page


def test_what_looks_like_markup_is_shown_as_it_is():
    marked = replace(ENDED, reason="[red]not stored[/] [/x]")
    assert "[red]not stored[/] [/x]" in shown(as_details(marked))


def test_json_lines_hold_every_field_by_its_name():
    text = as_json_lines([OPEN, ENDED])
    first, second = text.splitlines()
    assert json.loads(second) == {
        **asdict(ENDED),
        "region": list(ENDED.region),
        "evidence": list(ENDED.evidence),
        "verdict": None,
    }
    assert json.loads(first)["ended_s"] is None
    assert json.loads(first)["region"] is None
    assert text.endswith("}\n")
    assert as_json_lines([]) == ""


def test_the_verdict_that_holds_is_exported_with_its_alert():
    for verdicts, verdict in (({ENDED.id: "normal"}, "normal"), ({}, "")):
        _, row = csv.DictReader(io.StringIO(as_csv([OPEN, ENDED], verdicts)))
        assert row["verdict"] == verdict
        (line,) = as_json_lines([ENDED], verdicts).splitlines()
        assert json.loads(line)["verdict"] == (verdict or None)


def test_csv_holds_every_field_and_survives_commas_and_quotes():
    first, second = csv.DictReader(io.StringIO(as_csv([OPEN, ENDED])))
    assert (first["id"], first["ended_utc"], first["x0"], first["evidence"]) == (OPEN.id, "", "", "")
    assert second["evidence"] == '/somewhere/a,"b".jpg|/somewhere/c.jpg'
    assert [float(second[name]) for name in ("x0", "y0", "x1", "y1")] == list(ENDED.region)
    assert float(second["score"]) == ENDED.score
    assert set(second) - {"x0", "y0", "x1", "y1", "verdict"} == set(asdict(ENDED)) - {"region"}
    assert as_csv([]).splitlines() == [as_csv([ENDED]).splitlines()[0]]
