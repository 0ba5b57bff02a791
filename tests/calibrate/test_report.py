import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from calibrate.calibration import Calibration
from calibrate.episodes import Peak
from calibrate.report.summary import budget, duration, promise, terminal_report
from calibrate.threshold import Threshold
from detector.bundle import Budget, Bundle, Preparation, Provenance
from detector.usual import Usual


def threshold(**changes):
    plain = {
        "budget": Budget(alerts_per_day=1.0, threshold=4.02, low=2.16, high=5.6),
        "footage_s": 600.0,
        "held_out_alerts": 0,
    }
    return Threshold(**{**plain, **changes})


def calibration(thinned=False):
    chosen = threshold()
    bundle = Bundle(
        preparation=Preparation(width=640, height=352, rate_fps=10.0, smoothing_s=0.4),
        provenance=Provenance(
            code_version="0",
            created_utc="2026-01-31T12:00:00Z",
            footage=("street.mp4",),
            footage_fingerprint="0",
            footage_s=chosen.footage_s,
            seed=0,
        ),
        budget=chosen.budget,
        families=({"name": "motion"}, {"name": "texture"}),
        arrays={"motion.reading_error": np.array([4e-4]), "texture.reading_error": np.array([0.0])},
    )
    nowhere = np.zeros((22, 40), np.float32)
    return Calibration(
        bundle=bundle,
        threshold=chosen,
        pictures=6000,
        quiet_share=0.25,
        thinned=thinned,
        held_out=(),
        thumbnails=(),
        activity=Usual(share=nowhere, moves=nowhere, speed=nowhere),
    )


def printed(width, thinned=False):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(terminal_report(calibration(thinned), Path("models/street.mulde")))
    return console.file.getvalue()


def test_the_report_says_what_was_learned_from_what_and_what_the_threshold_stands_for():
    lines = printed(200).splitlines()
    assert [line.split(maxsplit=1)[0] for line in lines[:4]] == ["model", "footage", "learned", "threshold"]
    model, footage, learned, chosen = (line.split(maxsplit=1)[1].strip() for line in lines[:4])
    assert model == "models/street.mulde"
    assert footage == "10 min in 6000 pictures of 640×352 at 10/s, nothing going on in 25%"
    assert learned == "motion, texture (reading error 4e-04)"
    assert chosen == "4.02 (2.16 to 5.60) for 1 false alert a day"
    assert " ".join(" ".join(lines[4:]).split()) == promise(threshold())


def test_the_report_names_the_page_with_pictures():
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(terminal_report(calibration(), Path("street.mulde"), Path("street.html")))

    assert "report     street.html (open it in a browser)" in console.file.getvalue()


def test_the_report_says_where_footage_was_left_out():
    assert "evenly thinned" in printed(200, thinned=True)
    assert "thinned" not in printed(200)


def test_the_report_loses_nothing_on_a_narrow_console():
    narrow = printed(40)
    assert max(map(len, narrow.splitlines())) <= 40
    letters = "".join(sorted(printed(200).replace(" ", "").replace("\n", "")))
    assert "".join(sorted(narrow.replace(" ", "").replace("\n", ""))) == letters


def test_the_command_prints_the_report(street):
    assert [line.split()[0] for line in street.report.splitlines()[:4]] == [
        "model",
        "footage",
        "learned",
        "threshold",
    ]
    assert "45 s in 135 pictures of 320×176 at 3/s" in street.report
    assert "street.html" in street.report
    assert street.model.with_suffix(".html").stat().st_size > 20_000


def test_footage_too_short_for_the_budget_is_said_with_how_much_would_do():
    said = promise(threshold())
    assert said.startswith("On 10 min of normal footage, scored by densities that had not seen it, this threshold")
    assert "gives no alert." in said
    assert "fewer than 431 false alerts a day; for 1 false alert a day the threshold is extrapolated" in said
    assert said.endswith("About 3 days would confirm it.")


def test_footage_long_enough_for_the_budget_promises_what_was_seen():
    said = promise(threshold(footage_s=5 * 86400.0, held_out_alerts=4))
    assert said.endswith("this threshold gives 4 alerts.")
    assert "extrapolated" not in said


def test_what_only_stands_out_is_told_to_be_looked_at():
    said = promise(threshold(doubtful=(Peak(segment=2, time_s=65.0, height=7.0),)))

    assert "Look at 1:05 of 3 (minutes and recording)" in said


def test_what_is_suspicious_is_told_with_its_time():
    peaks = (Peak(segment=0, time_s=125.2, height=20.0), Peak(segment=2, time_s=3725.0, height=15.0))
    said = promise(threshold(suspicious=peaks))
    assert "left out of the threshold: at 2:05 of 1, 1:02:05 of 3 (" in said


@pytest.mark.parametrize(
    ("alerts_per_day", "words"),
    [
        (0.1, "1 false alert in 10 days"),
        (0.4, "1 false alert in 2.5 days"),
        (1.0, "1 false alert a day"),
        (2.5, "2.5 false alerts a day"),
        (20.0, "20 false alerts a day"),
        (480.0, "20 false alerts an hour"),
    ],
)
def test_a_budget_in_words(alerts_per_day, words):
    assert budget(alerts_per_day) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(45.4, "45 s"), (90, "90 s"), (720, "12 min"), (12600, "3.5 h"), (86400, "24 h"), (216000, "2.5 days")],
)
def test_a_length_of_time_in_its_natural_unit(seconds, words):
    assert duration(seconds) == words
