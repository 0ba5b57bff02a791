"""A site file that changes while it is watched: `reload` and SIGHUP, with all real processes."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from detector import bundle
from detector.bundle import ClipPreparation
from tests import program
from tests.stream.pseudo_terminal import PseudoTerminal

ALWAYS, NEVER = -1.0, 1000.0
"""Thresholds: every score is above the one, none above the other."""
SHARED_MEMORY = Path("/dev/shm")
SEEDS = {"gate": 8, "yard": 9, "door": 10}


class Site:
    """A site file, and the `watch` that runs from it."""

    def __init__(self, folder, street):
        self.folder, self.street = folder, street
        self.file = folder / "site.yaml"

    def source(self, name):
        return f"demo://street?seed={SEEDS[name]}&width=320&height=180"

    def camera(self, name, **changes):
        return {
            "name": name,
            "source": self.source(name),
            "model": str(self.street.model),
            "threshold": ALWAYS,
            **changes,
        }

    def write(self, *cameras, **sections):
        """The file anew; JSON is YAML, too."""
        everything = {"worker": {"device": "cpu", "threads": 1}, "cameras": cameras, **sections}
        self.file.write_text(json.dumps(everything, indent=1))

    def watch(self, *options):
        return program.Program(
            self.folder / "run", "watch", "--config", self.file, "--store", self.folder / "store", *options
        )

    def reload(self):
        """The command's exit status and what it said."""
        done = program.run(self.folder, "reload", "--store", self.folder / "store")
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def site(tmp_path, street):
    return Site(tmp_path, street)


def scores(watching, camera):
    return [one for one in watching.objects("score") if one["camera"] == camera]


def alerts(watching, camera):
    """(event, reason) of each start and end."""
    told = [one for one in watching.objects("alert") if one["camera"] == camera and one["event"] != "update"]
    return [(one["event"], one["reason"]) for one in told]


def wait_for_score(watching, camera, after=-1):
    return watching.wait_for(lambda: next((one for one in scores(watching, camera) if one["seq"] > after), None))


def wait_for_log(watching, text):
    watching.wait_for(lambda: text in watching.stderr)


def expect_no_gap(scores):
    """Not a single frame from the first to the latest is missing."""
    seqs = [one["seq"] for one in scores]
    assert len(seqs) > 1
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


class Story:
    """One `watch` of gate and yard, and what was seen of it over three reloads."""

    def __init__(self, site):
        quick = {"policy": {"hold_s": 0.5, "merge_gap_s": 0.0}}
        site.write(site.camera("gate", **quick), site.camera("yard"))
        with site.watch("--json") as watching:
            watching.wait_for(lambda: alerts(watching, "gate") and alerts(watching, "yard"))
            watching.remember_memory()

            site.write(site.camera("gate", **quick), site.camera("door"))
            asked_s = time.monotonic()
            self.first = site.reload()
            wait_for_score(watching, "door")
            self.to_first_score_s = time.monotonic() - asked_s
            watching.remember_memory()
            self.rings = [name for name in watching.memory if (SHARED_MEMORY / name).exists()]
            self.removed = scores(watching, "yard")
            wait_for_score(watching, "gate", after=scores(watching, "gate")[-1]["seq"] + 6)
            self.gate, self.door, self.yard = ([*scores(watching, name)] for name in ("gate", "door", "yard"))
            watching.wait_for(lambda: alerts(watching, "door"))
            self.gate_alerts, self.yard_alerts = alerts(watching, "gate"), alerts(watching, "yard")

            last = (site.camera("gate", threshold=NEVER, **quick), site.camera("door", source=site.source("yard")))
            site.write(*last)
            os.kill(watching.process.pid, signal.SIGHUP)
            wait_for_log(watching, "reloaded: changed door, gate")
            watching.wait_for(lambda: len(alerts(watching, "gate")) == 2 and len(alerts(watching, "door")) == 3)
            self.gate_again, self.door_again = scores(watching, "gate"), scores(watching, "door")
            self.gate_alerts_again, self.door_alerts = alerts(watching, "gate"), alerts(watching, "door")
            self.quiet_log = watching.stderr

            (worker,) = [pid for pid, maps in watching.maps().items() if "libtorch" in maps]
            latest = self.door_again[-1]["seq"]
            os.kill(worker, signal.SIGKILL)
            wait_for_log(watching, "worker: ended by SIGKILL; restarting it at once")
            site.write(*last, site.camera("yard"))
            self.while_restarting = site.reload()
            wait_for_score(watching, "door", after=latest)
            watching.wait_for(lambda: len(scores(watching, "yard")) > len(self.yard))
            self.log = watching.stderr
            watching.interrupt()
            self.status = watching.end()


@pytest.fixture(scope="module")
def story(tmp_path_factory, street):
    return Story(Site(tmp_path_factory.mktemp("reload"), street))


def test_a_camera_that_does_not_change_misses_no_frame_and_its_alert_stays_open(story):
    expect_no_gap(story.gate)
    assert story.gate_alerts == [("start", "")]


def test_an_added_camera_is_watched_within_seconds(story):
    assert story.first == (0, "reloaded: added door; removed yard\n")
    expect_no_gap(story.door)
    assert story.to_first_score_s < 20.0


def test_a_removed_camera_ends_with_its_alert_and_its_ring(story):
    assert story.yard_alerts == [("start", ""), ("end", "camera removed")]
    assert story.yard == story.removed
    assert len(story.rings) == 2


def test_without_a_terminal_sighup_reloads_and_a_threshold_changes_without_a_gap(story):
    expect_no_gap(story.gate_again)
    assert {one["threshold"] for one in story.gate_again} == {ALWAYS, NEVER}
    assert story.gate_alerts_again == [("start", ""), ("end", "")]  # by its score, as any other
    assert story.quiet_log.count("capture-gate ready") == 1


def test_a_camera_with_another_source_begins_anew(story):
    assert story.door_alerts == [("start", ""), ("end", "camera changed"), ("start", "")]
    assert [one["seq"] for one in story.door_again].count(0) == 2
    assert story.quiet_log.count("capture-door ready") == 2


def test_a_worker_killed_after_a_reload_has_the_new_cameras_and_the_next_reload_waits_for_it(story):
    assert story.while_restarting == (0, "reloaded: added yard\n")
    assert story.log.count("worker ready after") == 2
    assert story.log.rindex("worker ready after") < story.log.rindex("reloaded: added yard")
    assert story.status == 0


def test_a_reload_troubles_nobody(story):
    assert "WARNING" not in story.quiet_log
    assert "ERROR" not in story.log


def test_a_site_that_cannot_be_used_is_told_in_one_message_and_everything_goes_on_as_it_was(site, tmp_path):
    gate = site.camera("gate")
    site.write(gate)
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    clips = with_clips(tmp_path, site.street)
    with site.watch("--json") as watching:
        wait_for_score(watching, "gate")
        for wrong, expected in [
            (lambda: site.file.write_text("cameras: [\n"), f"{site.file}:2: not valid YAML"),
            (
                lambda: site.write(gate, {**gate, "name": "yard", "thresold": 1}),
                "unknown key, did you mean threshold?",
            ),
            (lambda: site.write(gate, site.camera("yard", model=str(tmp_path / "none"))), "no such model"),
            (
                lambda: site.write(gate, site.camera("yard", source=str(text))),
                f"{text}: not a video that can be read",
            ),
            (lambda: site.write(), "no cameras"),
            (lambda: site.write(gate, site.camera("yard", **clips)), "hiera"),  # only the worker can tell
            (
                lambda: site.write(gate, site.camera("yard"), worker={"device": "auto", "threads": 1}),
                "worker.device: cannot change while it runs: restart to use it",
            ),
        ]:
            wrong()
            status, said = site.reload()
            assert status == 1
            assert said.startswith("error: ")
            assert expected in said
        assert watching.stderr.count("not reloaded, all goes on as it was: ") == 7
        wait_for_score(watching, "gate", after=scores(watching, "gate")[-1]["seq"])
        expect_no_gap(scores(watching, "gate"))
        assert alerts(watching, "gate") == [("start", "")]
        assert scores(watching, "yard") == []
        watching.interrupt()
        assert watching.end() == 0


def with_clips(folder, street):
    """A camera's settings with the street's model as if calibrated with clips, whose weights are not there."""
    made = bundle.read(street.model)
    clip = ClipPreparation(network="hiera_base_16x224", weights_sha256="ab" * 32, stride_s=0.5)
    model = folder / "clips.mulde"
    bundle.write(replace(made, preparation=replace(made.preparation, clip=clip)), model)
    return {
        "model": str(model),
        "analysis": {"clip": {"network": "hiera_base_16x224", "weights": str(folder / "hiera.pth")}},
    }


def test_a_dashboard_shows_the_new_cameras_and_a_window_that_is_closed_still_ends_it(site, monkeypatch):
    site.write(site.camera("gate"), site.camera("yard"))
    for name, value in program.environment(site.folder / "run").items():
        monkeypatch.setenv(name, value)
    options = ("watch", "--config", site.file, "--store", site.folder / "store")
    with PseudoTerminal([program.PROGRAM, *options]) as window:
        window.wait_for("yard", within_s=40.0)
        window.wait_for_new("live", within_s=40.0)
        site.write(site.camera("gate"), site.camera("door"))
        assert site.reload() == (0, "reloaded: added door; removed yard\n")
        window.wait_for_new("door")
        for _ in range(2):  # pages; the first may be a rest of the one before
            window.wait_for_new("╯")
        known = len(window.written)
        window.wait_for_new("╯")
        assert "yard" not in window.written[known:]
        window.hang_up()
        assert window.process.wait(20) == 0
    assert "stopping: SIGHUP received" in (site.folder / "store" / "mulde.log").read_text()


def test_the_watch_of_a_site_file_is_found_also_where_a_password_is_not_known_and_the_rest_is_wrong(site):
    site.write(
        {**site.camera("gate"), "source": "rtsp://me:${NOT_SET_PASSWORD}@host/"}, store={"folder": "here"}, no=1
    )
    done = program.run(site.folder, "reload", "--config", site.file)
    assert done.stderr.startswith(f"error: no watch has the store {site.folder / 'here'}: name")


def test_without_a_site_file_there_is_nothing_to_reload(site):
    model = site.street.model
    with program.Program(
        site.folder / "run", "watch", site.street.normal, "--model", model, "--store", site.folder / "store", "--json"
    ) as watching:
        wait_for_score(watching, "cam1")
        assert site.reload() == (
            1,
            "error: started without a site file (--config): there is nothing to read again\n",
        )
        os.kill(watching.process.pid, signal.SIGHUP)
        assert watching.end(within_s=5.0) == 0
    assert "stopping: SIGHUP received" in watching.stderr


# Who watches.


def test_nobody_is_asked_where_nobody_watches(site):
    status, said = site.reload()
    assert status == 1
    assert said.startswith(f"error: no watch has the store {site.folder / 'store'}: name that of a running watch")
