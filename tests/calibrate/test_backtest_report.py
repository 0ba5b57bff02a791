import io
import json

import pytest
from rich.console import Console

from calibrate.backtest.outcome import Level, Span, outcome
from calibrate.backtest.replay import Moment, Video
from calibrate.backtest.report import Backtest, as_json, table
from configs.settings import PolicySettings

POLICY = PolicySettings(smoothing_s=0.0)
REGION = (0.25, 0.5, 0.75, 1.0)
LEVELS = [
    Level(thresholds={"usual": 2.0}, alerts_per_day=24.0),
    Level(thresholds={"usual": 9.0}, alerts_per_day=1.0),
]
VIDEO = Video(
    name="gate.mp4",
    moments=tuple(
        Moment(
            time_s=at / 10,
            score=5.0 if 120 <= at <= 150 or at >= 720 else 0.5,
            region=REGION,
            regime="usual",
            condition="covered" if at >= 790 else "ok",
        )
        for at in range(800)
    ),
    length_s=80.0,
)


def backtest(level=LEVELS[0], spans=None, asked_per_day=None, pictures=()):
    return Backtest(
        model="gate.mulde",
        asked_per_day=asked_per_day,
        videos=(VIDEO,),
        spans=spans,
        outcome=outcome([VIDEO], POLICY, level, spans),
        others=tuple(outcome([VIDEO], POLICY, one, spans) for one in LEVELS),
        pictures=pictures,
        seconds=4.0,
    )


SPANS = (Span(video="gate.mp4", start_s=11.5, end_s=16.0), Span(video="gate.mp4", start_s=40.0, end_s=45.0))


def text(made, width=110):
    console = Console(file=io.StringIO(), width=width)
    console.print(table(made))
    return " ".join(console.file.getvalue().split())


def test_json_has_the_rate_with_its_interval_and_every_episode():
    made = json.loads(as_json(backtest(pictures=("a.jpg", "b.jpg"))))

    assert made["alerts_per_day"] == pytest.approx(2 * 86400 / 80)
    assert made["interval"] == pytest.approx([0.2422 * 86400 / 80, 7.225 * 86400 / 80], rel=1e-3)
    assert made["episodes"][0] == {
        "video": "gate.mp4",
        "start_s": 12.0,
        "end_s": 15.1,
        "peak_s": 12.0,
        "score": 5.0,
        "threshold": 2.0,
        "kind": "anomaly",
        "region": list(REGION),
        "picture": "a.jpg",
    }
    assert [episode["start_s"] for episode in made["episodes"]] == [12.0, 72.0]
    assert made["labels"] is None
    assert made["videos"] == [{"video": "gate.mp4", "length_s": 80.0, "pictures": 800}]


def test_trouble_with_the_camera_itself_is_told():
    made = backtest()

    assert json.loads(as_json(made))["camera"] == [
        {"video": "gate.mp4", "condition": "covered", "started_s": 79.0, "ended_s": 79.9}
    ]
    assert "gate.mp4 covered 1:19.0 1:19.9" in text(made)


def test_json_says_what_each_budget_would_have_given():
    made = json.loads(as_json(backtest(spans=SPANS)))

    assert [(one["budget_per_day"], one["thresholds"]["usual"], one["alerts"]) for one in made["what_if"]] == [
        (24.0, 2.0, 2),
        (1.0, 9.0, 0),
    ]
    assert [(one["caught"], one["median_delay_s"], one["outside"]) for one in made["what_if"]] == [
        (1, pytest.approx(0.7), 1),
        (0, None, 0),
    ]


def test_json_says_of_each_labelled_range_whether_it_was_caught():
    labels = json.loads(as_json(backtest(spans=SPANS)))["labels"]

    assert (labels["detection_rate"], labels["caught"], labels["ranges"], labels["outside"]) == (0.5, 1, 2, 1)
    assert labels["catches"] == [
        {"video": "gate.mp4", "start_s": 11.5, "end_s": 16.0, "delay_s": pytest.approx(0.7)},
        {"video": "gate.mp4", "start_s": 40.0, "end_s": 45.0, "delay_s": None},
    ]
    assert labels["normal_s"] == pytest.approx(80.0 - 6.6 - 7.1)
    assert labels["false_alerts_per_day"] == pytest.approx(86400 / labels["normal_s"])


def test_the_table_says_what_the_threshold_stands_for():
    assert "threshold 2.00, for 24 false alerts a day" in text(backtest())
    assert "threshold 3.50, given by --threshold" in text(
        backtest(Level(thresholds={"usual": 3.5}, alerts_per_day=None))
    )
    other = text(backtest(asked_per_day=30.0), width=200)
    assert (
        "for 24 false alerts a day, the next smaller budget that the model knows to the 30 a day asked for" in other
    )
    assert "next smaller" not in text(backtest(asked_per_day=24.0), width=200)


def test_the_table_has_alerts_and_what_other_budgets_give():
    shown = text(backtest())

    assert "watched 80 s in 1 video, in 4 s (20× as fast as live)" in shown
    assert "gate.mp4 0:12.0 0:15.1 0:12.0 5.00 2.00 25 50 75 100" in shown
    assert "24 a day * 2.00 2 2160" in shown
    assert "1 a day 9.00 0 0 0-3984" in shown
    assert "caught" not in shown


def test_the_table_has_what_labels_tell():
    shown = text(backtest(spans=SPANS))

    assert "caught 1 of 2 labelled ranges, half of them within 0.7 s" in shown
    assert "false 1 alert outside of labelled ranges, in 66 s of normal time" in shown
    assert "gate.mp4 0:11.5 0:16.0 yes 0.7 s gate.mp4 0:40.0 0:45.0 no -" in shown
    assert "1 of 2 0.7 s 1" in shown
