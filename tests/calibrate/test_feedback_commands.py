"""The commands as their user runs them, on an alert that a watch has kept."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from detector import bundle, stretch
from detector.stretch import Stretch
from stream.clock import utc_text
from stream.store import AlertRecord, Store
from tests.kept_stretch import seen
from tests.program import run

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
SECONDS = 22
VAN = f"demo://street?seed=8&width=320&height=180&seconds={SECONDS}&anomalies=1&kinds=vehicle"
SAME_VAN, WRONG_PLACE = f"{VAN}&fps=25", VAN.replace("vehicle", "wrong-place")


def utc(time_s):
    return utc_text(NOON + timedelta(seconds=time_s))


@pytest.fixture(scope="module")
def van(street):
    """What a watch keeps of the van."""
    return seen(street.model, VAN, camera="gate", began=NOON)


class Site:
    """A folder with a model, a store with one alert, and what was kept of it."""

    def __init__(self, folder, street, van):
        self.folder, self.street = folder, street
        self.model = folder / "gate.mulde"
        shutil.copy(street.model, self.model)
        self.threshold = bundle.read(self.model).budget.threshold
        self.store = folder / "state" / "mulde-stream"
        self.footage = self.store / "footage" / "gate"
        self.alert = AlertRecord(
            id="20260131-120012-gate-3f",
            camera="gate",
            kind="anomaly",
            state="ended",
            started_utc=utc(12.0),
            ended_utc=utc(16.0),
            started_s=12.0,
            peaked_s=14.0,
            ended_s=16.0,
            score=12.0,
            threshold=self.threshold,
        )
        with Store.open(self.store) as store:
            store.save(self.alert)
        self.kept = stretch.file_of(self.footage, stretch.ALERT, "20260131T120000000000")
        stretch.write(replace(van, about=replace(van.about, model=str(self.model))), self.kept)

    def alerts(self, *arguments):
        return run(self.folder, "alerts", *arguments)

    def refused(self, *arguments):
        done = self.alerts(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def backtested(self, source):
        done = run(
            self.folder, "backtest", self.model, source, "--config", self.street.config, "--device", "cpu", "--json"
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["episodes"]


@pytest.fixture
def site(tmp_path, street, van):
    return Site(tmp_path, street, van)


@pytest.mark.timeout(180)
def test_a_marked_alert_does_not_come_again_until_that_is_taken_back(site):
    assert len(site.backtested(SAME_VAN)) == 1
    before = len(site.backtested(WRONG_PLACE))
    assert before >= 1

    marked = site.alerts("mark-normal", site.alert.id)
    assert marked.returncode == 0, marked.stderr
    assert f"alert {site.alert.id} counts as normal in {site.model}: by itself it would now reach" in marked.stdout
    assert site.backtested(SAME_VAN) == []
    assert len(site.backtested(WRONG_PLACE)) == before
    assert "normal" in site.alerts("list").stdout
    assert "marked    normal, " in site.alerts("show", site.alert.id).stdout
    assert [path.name for path in site.footage.iterdir()] == [f"marked-{site.alert.id}.features"]

    real = site.alerts("mark-real", site.alert.id)  # a person who errs says the other thing
    assert (real.returncode, real.stdout) == (0, f"alert {site.alert.id} counts as real\n"), real.stderr
    assert len(site.backtested(SAME_VAN)) == 1
    assert json.loads(site.alerts("export").stdout)["verdict"] == "real"
    assert list(site.footage.iterdir()) == [site.kept]
    assert site.alerts("undo", site.alert.id).returncode == 0
    assert "is not marked" in site.refused("undo", site.alert.id)

    assert site.alerts("mark-normal", site.alert.id).returncode == 0
    undone = site.alerts("undo", site.alert.id)
    assert undone.returncode == 0, undone.stderr
    assert "normal" not in site.alerts("list").stdout
    assert "taken back" in site.alerts("show", site.alert.id).stdout
    assert list(site.footage.iterdir()) == [site.kept]
    assert "is not marked" in site.refused("undo", site.alert.id)


def test_what_cannot_be_marked_is_one_clear_line(site):
    assert "alert other: there is none of this id" in site.refused("mark-normal", "other")
    with Store.open(site.store) as store:
        store.save(replace(site.alert, id="open", state="open"), replace(site.alert, id="camera", kind="camera"))
        elsewhere = replace(site.alert, id="late", started_utc=utc(3600.0))
        store.save(elsewhere)
    assert "alert open: is still going on" in site.refused("mark-normal", "open")
    assert "alert camera: is about the camera" in site.refused("mark-normal", "camera")
    assert "alert late: nothing of it is kept" in site.refused("mark-normal", "late")
    unchanged = site.model.read_bytes()
    site.model.unlink()
    assert f"{site.model}: no such model" in site.refused("mark-normal", site.alert.id)
    assert site.kept.exists()
    site.model.write_bytes(unchanged)
    site.kept.write_bytes(site.kept.read_bytes()[:-100])
    assert "nothing of it is kept" in site.refused("mark-normal", site.alert.id)
    assert site.model.read_bytes() == unchanged
    assert "marked" not in site.alerts("show", site.alert.id).stdout


def test_a_mark_of_a_model_that_was_made_anew_can_still_be_taken_back(site):
    assert site.alerts("mark-normal", site.alert.id).returncode == 0
    shutil.copy(site.street.model, site.model)
    undone = site.alerts("undo", site.alert.id)
    assert undone.returncode == 0, undone.stderr
    assert site.model.read_bytes() == site.street.model.read_bytes()
    assert "taken back" in site.alerts("show", site.alert.id).stdout


def test_a_model_learns_anew_from_what_was_kept_or_says_what_is_missing(site, van):
    learn = ("calibrate", "--update", site.model, "--config", site.street.config, "--device", "cpu")
    missing = run(site.folder, *learn)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "no normal time of its camera is kept" in missing.stderr
    both = run(site.folder, *learn, "demo://street")
    assert "name no SOURCE with it" in both.stderr
    for number in range(3):
        made = Stretch(
            about=replace(van.about, model=str(site.model), started_utc=utc(100.0 * number)),
            times_s=van.times_s[:33],
            seen=van.seen[:33],
        )
        stretch.write(made, stretch.file_of(site.footage, stretch.NORMAL, str(number)))
    done = run(site.folder, *learn)
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert "learned anew from 33 s of kept normal time and 0 alert(s) marked as normal" in " ".join(
        done.stdout.split()
    )
    made = bundle.read(site.model)
    assert made.provenance.footage == ("features kept of camera gate",)
    assert f"it was {site.threshold:.2f}" in told
