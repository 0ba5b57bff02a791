import json
import multiprocessing
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from configs.evidence import EvidenceSettings
from configs.settings import PolicySettings
from stream import child
from stream.bus import Broker, Endpoints, Publisher, ScoreSender, Subscriber
from stream.evidence import outline_px
from stream.messages import Alert, Health, Score
from stream.messages import Camera as State
from stream.policy import Policy
from stream.ring import Ring
from stream.sink.archive import Archive
from stream.sink.camera import Camera as Followed
from stream.sink.camera import SinkCamera
from stream.sink.process import SinkSpec, _Sink
from stream.sink.retention import Limits
from stream.store import FILE_NAME, Store, role_of
from tests.stream.bus.test_lanes import connected

REPOSITORY = Path(__file__).parents[3]
FPS = 5
HEIGHT, WIDTH, SLOTS = 120, 160, 64
THRESHOLD, HIGH, LOW = 4.0, 5.0, 1.0
REGION = (0.25, 0.25, 0.75, 0.75)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
POLICY = PolicySettings(hold_s=1.0, merge_gap_s=0.0, cooldown_s=0.0)
TROUBLE_AFTER_S = 60.0  # no camera of these tests says how it is, except where that is what is tested
LIMITS = Limits(days=9000.0, megabytes=100.0)
HEAT = np.zeros((12, 16), np.uint8)
HEAT[3:9, 4:12] = 255  # the region
OPENS, ENDS = [HIGH] * 3, [LOW] * 6


class Camera:
    """What capture and worker would do for one camera: frames into its ring, scores into the lane."""

    def __init__(self, name, sender):
        self.name = name
        self.ring = Ring.create(SLOTS, HEIGHT, WIDTH)
        self._sender = sender
        self._first_seq = 0  # of the present capture process

    def restart_capture(self):
        self._first_seq = self.ring.newest + 1

    def see(self, *levels, condition="ok"):
        """A frame and its score for each level."""
        for level in levels:
            seq = self.ring.newest + 1
            image = np.full((HEIGHT, WIDTH, 3), self.grey(seq), np.uint8)
            assert self.ring.write(image, 0.0, 0.0, 0.0) == seq
            self.score(seq, level, condition)

    def score(self, seq, level, condition="ok"):
        assert self._sender.send(
            Score(
                camera=self.name,
                seq=seq,
                stream_time_s=self.time_s(seq),
                utc=self.utc(seq),
                score=level,
                threshold=THRESHOLD,
                latency_ms=50.0,
                captured_at_s=100.0,
                condition=condition,
                region=REGION,
                families={"motion": level},
                words=f"level {level:g}" if level > THRESHOLD else "",
                heat_shape=HEAT.shape,
            ),
            HEAT.tobytes(),
        )

    def time_s(self, seq):
        return (seq - self._first_seq) / FPS

    def grey(self, seq):
        return seq * 7 % 200

    def utc(self, seq):
        moment = NOON + timedelta(seconds=seq / FPS)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Site:
    """A sink process with two cameras, and all it sends."""

    def __init__(self, tmp_path, endpoints, sender, subscriber, trouble_after_s):
        self.folder, self.log_file = tmp_path / "state", tmp_path / "sink.log"
        self.gate, self.yard = Camera("gate", sender), Camera("yard", sender)
        self.endpoints = endpoints
        self._subscriber = subscriber
        self._spec = SinkSpec(
            limits=LIMITS,
            endpoints=endpoints,
            folder=self.folder,
            cameras=tuple(
                SinkCamera(name=camera.name, ring=camera.ring.spec, policy=POLICY, trouble_after_s=trouble_after_s)
                for camera in (self.gate, self.yard)
            ),
        )
        self._process = self.line = None

    def change(self, **changes):
        """Of the spec that the next process gets."""
        self._spec = replace(self._spec, **changes)

    def start(self, within_s=20.0):
        context = multiprocessing.get_context("spawn")
        self.line, there = context.Pipe()
        self._process = context.Process(
            target=child.main, args=("sink", "stream.sink.process:run", self._spec, there, self.log_file), daemon=True
        )
        self._process.start()
        there.close()
        assert self.line.poll(within_s)
        assert self.line.recv() == (child.READY, "")

    def kill(self):
        self._process.kill()
        self._forget()

    def stop(self):
        """Ask it to stop; how long that took."""
        started_s = time.monotonic()
        self.line.send(child.STOP)
        self._process.join(10)
        took_s = time.monotonic() - started_s
        assert self._process.exitcode == 0
        self._forget()
        return took_s

    def close(self):
        if self._process is not None:
            self.kill()
        self.gate.ring.close()
        self.yard.ring.close()

    def _forget(self):
        self._process.join(10)
        self._process.close()
        self.line.close()
        self._process = None

    def wait_for(self, wanted, within_s=10.0):
        """The next message for which `wanted` holds."""
        deadline_s = time.monotonic() + within_s
        passed = []
        while time.monotonic() < deadline_s:
            received = self._subscriber.receive(0.1)
            if received is not None:
                passed.append(received[0])
                if wanted(received[0]):
                    return received[0]
        raise AssertionError(f"not within {within_s} s, but {passed[-5:]}; log:\n{self.log}")

    def next_alert(self, event, within_s=10.0):
        """The next alert message, which must be of this event."""
        alert = self.wait_for(lambda message: isinstance(message, Alert), within_s)
        assert alert.event == event, alert
        return alert

    def wait_for_counters(self, **wanted):
        def holds(message):
            return isinstance(message, Health) and all(
                message.counters[name] >= count for name, count in wanted.items()
            )

        return self.wait_for(holds).counters

    def stored(self, alert):
        """What anyone finds in the store at this moment."""
        with Store.open(self.folder) as store:
            return store.get(alert.id)

    def all_stored(self):
        with Store.open(self.folder) as store:
            return store.find()

    @property
    def log(self):
        return self.log_file.read_text() if self.log_file.exists() else ""


@contextmanager
def make_site(tmp_path, trouble_after_s=TROUBLE_AFTER_S):
    endpoints = Endpoints.in_folder(tmp_path / "bus")
    with (
        Broker(endpoints),
        Subscriber(endpoints, (b"alert/", b"health/sink/", b"health/test/")) as subscriber,
        Publisher(endpoints) as publisher,
        ScoreSender(endpoints) as sender,
    ):
        connected(publisher, subscriber)
        site = Site(tmp_path, endpoints, sender, subscriber, trouble_after_s)
        try:
            yield site
        finally:
            site.close()


@pytest.fixture
def site(tmp_path):
    with make_site(tmp_path) as site:
        yield site


@pytest.fixture
def running(site):
    site.start()
    return site


def file_of(alert, role):
    """Its file that shows this."""
    (path,) = (path for path in alert.evidence if role_of(alert.id, path) == role)
    return path


def brightness(alert):
    """Of the picture's corner, which neither outline nor heat reach."""
    return cv2.imread(file_of(alert, "picture"))[5:20, 5:20].mean()


def test_an_alert_is_in_the_store_with_its_picture_before_it_is_announced(running):
    gate = running.gate
    gate.see(*[LOW] * 5, *OPENS)
    start = running.next_alert("start")
    record = running.stored(start)
    assert record.state == "open"
    assert (record.camera, record.kind, record.started_s, record.score) == ("gate", "anomaly", 1.0, HIGH)
    assert record.started_utc == start.utc == gate.utc(5)
    assert (start.stream_time_s, start.score, start.threshold, start.region) == (1.0, HIGH, THRESHOLD, REGION)
    assert start.evidence == record.evidence
    assert [role_of(start.id, path) for path in start.evidence] == ["picture", "clean", "strip", "clip", "trace"]
    assert [Path(path).exists() for path in start.evidence] == [
        True,
        True,
        True,
        False,
        True,
    ]  # the clip is capture's
    assert start.words == record.words == "level 5"
    assert brightness(start) == pytest.approx(gate.grey(5), abs=3)

    gate.see(*[HIGH] * 5, HIGH + 2)
    update = running.next_alert("update")
    assert running.stored(start).score == update.score == HIGH + 2
    assert (update.id, update.stream_time_s, update.utc) == (start.id, gate.time_s(13), gate.utc(13))

    gate.see(*ENDS)
    end = running.next_alert("end")
    record = running.stored(end)
    assert (record.state, record.ended_s, record.reason) == ("ended", end.stream_time_s, "")
    assert record.ended_utc == end.utc == gate.utc(14)
    assert (end.id, end.score, end.evidence) == (start.id, HIGH + 2, start.evidence)
    assert brightness(end) == pytest.approx(gate.grey(13), abs=3)  # the peak's, not the start's
    clean = cv2.imread(file_of(end, "clean"))
    assert clean.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(clean.astype(int) - gate.grey(13)).max() <= 3
    assert end.words == "level 7"
    trace = json.loads(Path(file_of(end, "trace")).read_text())
    assert trace["times_s"] == [round(gate.time_s(seq), 3) for seq in range(15)]  # from 5 s before it to its end
    assert trace["scores"] == trace["families"]["motion"] == [*[LOW] * 5, *[HIGH] * 8, HIGH + 2, LOW]
    assert set(trace["thresholds"]) == {THRESHOLD}
    assert (trace["peaked_s"], trace["words"], trace["region"]) == (gate.time_s(13), "level 7", list(REGION))
    assert trace["heat"] == {"shape": [12, 16], "values": HEAT.ravel().tolist()}
    strip = cv2.imread(file_of(end, "strip"))
    assert strip.shape[1] == 4 * 204 - 4  # before, start, between, peak, which is hardly before the end
    levels = [strip[20:100, 204 * number + 20 : 204 * number + 140].mean() for number in range(4)]
    assert levels == pytest.approx([gate.grey(seq) for seq in (0, 5, 9, 13)], abs=8)
    assert running.all_stored() == [record]


def test_every_one_of_many_alerts_is_stored_before_it_is_announced(running):
    for _ in range(10):
        running.gate.see(*OPENS, *ENDS)
        running.yard.see(*OPENS, *ENDS)
    ids = set()
    for _ in range(40):
        alert = running.wait_for(lambda message: isinstance(message, Alert))
        record = running.stored(alert)
        assert record is not None
        assert alert.event == "start" or record.state == "ended"
        ids.add(alert.id)
    assert len(ids) == 20


def test_the_picture_shows_the_place(running):
    running.gate.see(*OPENS)
    path = file_of(running.next_alert("start"), "picture")
    assert Path(path).parent == running.folder / "evidence" / "gate"
    picture = cv2.imread(path)[:HEIGHT, :WIDTH].astype(int)
    x0, y0, x1, y1 = outline_px(REGION, WIDTH, HEIGHT)
    grey = running.gate.grey(0)
    changed = np.abs(picture - grey).max(axis=2) > 40
    assert changed[y0, x0:x1].all()
    assert changed[y0:y1, x1].all()
    assert changed[y0 + 10 : y1 - 10, x0 + 10 : x1 - 10].all()  # hot
    changed[y0 - 12 : y1 + 12, x0 - 12 : x1 + 12] = False
    assert not changed.any()


def test_an_alert_left_open_by_a_killed_sink_is_closed_and_announced_by_the_next(running):
    running.gate.see(*OPENS)
    start = running.next_alert("start")
    running.kill()
    assert running.stored(start).state == "open"

    running.start()
    end = running.next_alert("end")
    assert (end.id, end.reason) == (start.id, "interrupted")
    record = running.stored(start)
    assert (record.state, record.reason, record.ended_s) == ("ended", "interrupted", None)

    running.gate.see(*OPENS)
    again = running.next_alert("start")
    assert again.id != start.id
    assert {record.state for record in running.all_stored()} == {"open", "ended"}


def test_scores_sent_while_the_sink_restarts_lead_to_their_alert(running):
    running.gate.see(*[LOW] * 5)
    running.wait_for_counters(scores=5)
    running.kill()
    running.gate.see(*OPENS, *ENDS)
    running.start()
    assert running.next_alert("start").stream_time_s == 1.0
    assert running.next_alert("end").stream_time_s == 1.6


def test_a_frame_that_was_overwritten_leaves_an_alert_without_picture(running):
    running.kill()
    running.gate.see(*OPENS, *[LOW] * SLOTS)
    running.start()
    start = running.next_alert("start")
    end = running.next_alert("end")
    assert [role_of(start.id, path) for path in start.evidence] == ["clip", "trace"]
    assert [role_of(end.id, path) for path in end.evidence] == ["strip", "clip", "trace"]  # its end is still there
    assert running.stored(end).evidence == end.evidence
    assert "no picture of its peak, its frame was overwritten" in running.log


def test_stopping_works_off_the_lane_and_ends_what_is_open(running):
    running.gate.see(*OPENS)
    start = running.next_alert("start")
    running.gate.see(*[HIGH] * 100, HIGH + 3, HIGH)
    assert running.stop() < 2.5
    end = running.wait_for(lambda message: isinstance(message, Alert) and message.event == "end")
    assert (end.id, end.reason, end.score) == (start.id, "stopped", HIGH + 3)
    assert end.stream_time_s == running.gate.time_s(104)
    assert running.stored(end).state == "ended"


def test_what_was_watched_is_in_the_history_of_its_camera(running):
    with Publisher(running.endpoints) as publisher:
        connected(publisher, running._subscriber)
        running.gate.see(*[LOW] * 7, *OPENS)
        running.next_alert("start")
        publisher.send(State(camera="gate", state="lost", reason="why", utc=running.gate.utc(0)))
        assert running.stop() < 2.5
    with Store.open(running.folder) as store:
        (minute,) = store.history.minutes("gate", NOON, NOON + timedelta(minutes=1))
        (day,) = store.history.days("gate")
        *_, lost, unwatched = store.history.states("gate", NOON, datetime.now(UTC))
    assert (minute.scores, minute.level, minute.live_s) == (10, HIGH / THRESHOLD, 2.0)
    assert (day.day, day.scores, day.alerts) == ("2026-01-31", 10, {"anomaly": 1})
    assert (lost.state, lost.reason, unwatched.state) == ("lost", "why", "unwatched")


def test_without_pictures_an_alert_has_its_scores_and_its_clip(site):
    site.change(evidence=EvidenceSettings(pictures=False, pre_roll_s=1.0))
    site.start()
    site.gate.see(*[LOW] * 20, *OPENS)
    start = site.next_alert("start")
    assert [role_of(start.id, path) for path in start.evidence] == ["clip", "trace"]
    trace = json.loads(Path(file_of(start, "trace")).read_text())
    assert (trace["times_s"][0], trace["times_s"][-1]) == (3.0, 4.4)  # from 1 s before its start on
    assert list((site.folder / "evidence" / "gate").glob("*.jpg")) == []


def test_stopping_is_quick_where_nothing_is_under_way(running):
    assert running.stop() < 2.5


def test_a_silent_camera_ends_its_alert_while_another_goes_on(running):
    running.gate.see(*OPENS)
    running.yard.see(*OPENS)
    assert {running.next_alert("start").camera, running.next_alert("start").camera} == {"gate", "yard"}
    began_s = time.monotonic()
    silent = []

    def is_silent(message):
        running.yard.see(HIGH)  # with each message, the health of every second at least
        silent.extend([message] if isinstance(message, Alert) else [])
        return bool(silent)

    end = running.wait_for(is_silent, within_s=15.0)
    assert (end.camera, end.event, end.reason) == ("gate", "end", "no more scores")
    assert end.stream_time_s == 0.4
    assert 9.0 < time.monotonic() - began_s < 14.0


def test_scores_that_come_again_are_passed_over(running):
    gate = running.gate
    gate.see(HIGH, HIGH)
    for _ in range(5):
        gate.score(0, HIGH)
        gate.score(1, HIGH)
    counters = running.wait_for_counters(repeated=10)
    assert (counters["scores"], counters["alerts"]) == (2, 0)
    gate.see(HIGH)
    running.next_alert("start")


def test_alerts_are_counted_by_camera_and_kind_and_open_ones_by_camera(running):
    running.gate.see(*OPENS)
    counters = running.wait_for_counters(alerts=1)
    counted = {name: count for name, count in counters.items() if name.startswith(("alerts/", "open"))}
    assert counted == {"alerts/gate/anomaly": 1, "open/gate": 1, "open/yard": 0, "open": 1}


def test_scores_of_an_alert_that_are_played_back_open_no_second_one(running):
    gate = running.gate
    levels = [*OPENS, *ENDS]
    gate.see(*levels)
    running.next_alert("start")
    ended = running.next_alert("end")
    for seq, level in enumerate(levels):
        gate.score(seq, level)
    counters = running.wait_for_counters(repeated=len(levels))
    assert (counters["alerts"], counters["open"]) == (1, 0)
    assert [alert.id for alert in running.all_stored()] == [ended.id]


def test_a_score_of_a_frame_that_is_still_to_come_is_refused_and_silences_nothing(running):
    gate = running.gate
    gate.see(HIGH, HIGH)
    gate.score(1_000_000, HIGH)
    running.wait_for_counters(refused=1)
    gate.see(HIGH)
    running.next_alert("start")


def test_a_restarted_capture_ends_the_alert_and_its_next_one_has_its_own_clock(running):
    gate = running.gate
    gate.see(*[LOW] * 10, *OPENS)
    start = running.next_alert("start")
    gate.restart_capture()
    gate.see(HIGH, HIGH, HIGH)
    end = running.next_alert("end")
    assert (end.id, end.reason, end.stream_time_s, end.utc) == (start.id, "source started again", 2.4, gate.utc(12))
    again = running.next_alert("start")
    assert (again.stream_time_s, again.utc) == (0.0, gate.utc(13))
    assert brightness(again) == pytest.approx(gate.grey(13), abs=3)


def test_scores_of_unknown_cameras_and_without_a_time_are_counted_and_harmless(running):
    unknown = Score(
        camera="roof",
        seq=1,
        stream_time_s=0.0,
        utc=running.gate.utc(0),
        score=HIGH,
        threshold=THRESHOLD,
        latency_ms=1.0,
        captured_at_s=1.0,
    )
    sender = running.gate._sender
    sender.send(unknown)
    sender.send(
        Score(
            **{name: getattr(unknown, name) for name in unknown.__struct_fields__} | {"camera": "gate", "utc": "noon"}
        )
    )
    running.gate.see(*OPENS)
    running.next_alert("start")
    counters = running.wait_for_counters(alerts=1)
    assert (counters["unknown_camera"], counters["refused"], counters["scores"]) == (1, 1, 3)


def test_the_sink_goes_on_without_a_folder_and_stores_everything_once_it_can(site):
    """A full or misconfigured disk must cost the record for a while, never the alert."""
    site.folder.write_text("in the way")
    site.start()
    site.gate.see(*OPENS)
    start = site.next_alert("start")
    assert start.reason.startswith(f"not stored: store: {site.folder} cannot be used: ")
    assert [role_of(start.id, path) for path in start.evidence] == ["clip"]  # which the capture process may manage
    counters = site.wait_for_counters(store_errors=1)
    assert (counters["not_stored"], counters["evidence_errors"]) == (1, 3)

    site.folder.unlink()
    site.wait_for(lambda message: isinstance(message, Health) and message.counters["not_stored"] == 0)
    assert site.stored(start).state == "open"
    site.gate.see(*ENDS)
    end = site.next_alert("end")
    assert end.reason == ""
    assert brightness(end) == pytest.approx(site.gate.grey(0), abs=3)
    assert site.stored(end).evidence == end.evidence
    assert site.log.count("alerts go on without being stored") == 1
    assert site.log.count("alerts are stored again") == 1
    assert site.log.count("until that is over, alerts go on without") == 1  # and not a line for each file
    assert site.log.count("evidence can be written again") == 1


def test_a_damaged_store_does_not_stop_the_sink_and_is_left_as_it_is(site):
    site.folder.mkdir()
    file = site.folder / FILE_NAME
    file.write_bytes(b"damaged" * 1000)
    site.start()
    for _ in range(3):
        site.gate.see(*OPENS, *ENDS)
        assert "is damaged or not a store" in site.next_alert("start").reason
        assert "is damaged or not a store" in site.next_alert("end").reason
    assert site.stop() < 2.5
    assert file.read_bytes() == b"damaged" * 1000
    assert site.log.count("is damaged or not a store") == 1


def test_a_store_removed_while_in_use_is_made_anew(running):
    running.gate.see(*OPENS)
    running.next_alert("start")
    (running.folder / FILE_NAME).rename(running.folder / "elsewhere")
    running.gate.see(*ENDS)
    end = running.next_alert("end")
    assert "not stored: " in end.reason
    running.wait_for_counters(store_errors=1)
    running.wait_for(lambda message: isinstance(message, Health) and message.counters["not_stored"] == 0)
    assert running.stored(end).state == "ended"


def test_only_starts_and_ends_are_logged_one_line_each(running):
    running.gate.see(*OPENS, *[HIGH + number for number in range(1, 21)], *ENDS)
    start = running.next_alert("start")
    running.wait_for(lambda message: isinstance(message, Alert) and message.event == "end")
    running.wait_for(lambda message: isinstance(message, Health))  # sent after what follows on the end
    lines = [line.split(" sink: ")[1] for line in running.log.splitlines()]
    assert lines == [
        f"alert {start.id}: started, score 5, threshold 4, centre, level 5",
        f"alert {start.id}: ended after 4.6 s, peak 25, threshold 4",
    ]


@pytest.mark.parametrize("scores", [0, 300])
def test_signs_of_life_come_every_second_whether_or_not_there_are_scores(running, scores):
    beats_s = []
    while len(beats_s) < 3:
        running.gate.see(*[LOW] * scores)
        running.wait_for(lambda message: isinstance(message, Health))
        beats_s.append(time.monotonic())
    assert beats_s[-1] - beats_s[0] < 3.0


def test_no_more_frames_are_held_than_an_alert_may_need(tmp_path, site):
    gate = Followed(name="gate", ring=site.gate.ring, policy=Policy(POLICY), trouble_after_s=TROUBLE_AFTER_S)
    scores = []
    site.gate._sender = SimpleNamespace(send=lambda *score: not scores.append(score))
    with Publisher(site.endpoints) as publisher:
        archive = Archive(tmp_path / "state", LIMITS)
        sink = _Sink(site._spec, None, None, None, publisher, archive, {"gate": gate})
        most = 0
        for level in [LOW, HIGH] * 20 + [HIGH + number for number in range(100)] + [LOW] * 20:
            site.gate.see(level)
            sink._take(*scores[-1])
            most = max(most, len(gate.moments))
            assert all(moment.frame is not None for moment in gate.moments.values())
        archive.close()
    assert 1 < most <= POLICY.enter_count
    assert gate.moments == {}


def test_the_sink_starts_without_torch():
    code = "import sys, stream.sink.process; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("condition", "kind"),
    [("moved", "camera"), ("defocused", "camera"), ("covered", "camera"), ("frozen", "camera"), ("changed", "drift")],
)
def test_a_camera_that_is_not_as_calibrated_is_an_alert_of_its_own_kind(running, condition, kind):
    gate = running.gate
    gate.see(*[LOW] * 3)
    gate.see(*[LOW] * 5, condition=condition)
    start = running.next_alert("start")
    assert (start.kind, start.reason, start.stream_time_s, start.region) == (kind, condition, gate.time_s(3), None)
    assert brightness(start) == pytest.approx(gate.grey(3), abs=3)
    assert [role_of(start.id, path) for path in start.evidence] == ["picture", "clean", "clip"]
    record = running.stored(start)
    assert (record.kind, record.state, record.reason) == (kind, "open", condition)

    gate.see(*[LOW] * 2)
    end = running.next_alert("end")
    assert (end.id, end.kind, end.stream_time_s) == (start.id, kind, gate.time_s(8))
    record = running.stored(start)
    assert (record.state, record.reason, record.ended_s) == ("ended", condition, gate.time_s(8))


def test_another_trouble_is_another_alert(running):
    running.gate.see(*[LOW] * 3, condition="moved")
    moved = running.next_alert("start")
    running.gate.see(*[LOW] * 3, condition="covered")
    assert running.next_alert("end").id == moved.id
    covered = running.next_alert("start")
    assert (covered.reason, covered.id != moved.id) == ("covered", True)


def test_anomalies_alert_also_while_the_camera_has_moved(running):
    running.gate.see(*[LOW] * 3, condition="moved")
    assert running.next_alert("start").kind == "camera"
    running.gate.see(*OPENS, condition="moved")
    start = running.next_alert("start")
    assert start.kind == "anomaly"
    assert start.evidence
    running.stop()
    assert {record.state for record in running.all_stored()} == {"ended"}
    assert len(running.all_stored()) == 2


def test_alerts_that_are_too_old_go_with_their_pictures_while_it_works(running):
    running.gate.see(*OPENS, *ENDS)
    start = running.next_alert("start")
    running.next_alert("end")
    with Store.open(running.folder) as store:
        old = replace(store.get(start.id), id="old", started_utc="1990-01-01T00:00:00.000Z")
        picture = running.folder / "evidence" / "gate" / "old.jpg"
        picture.write_bytes(b"a picture")
        store.save(replace(old, evidence=(str(picture),)))
    running.stop()
    running.start()
    running.wait_for_counters(removed=1)
    assert [record.id for record in running.all_stored()] == [start.id]
    assert not picture.exists()
    assert Path(file_of(start, "picture")).exists()
