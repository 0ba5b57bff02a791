"""Clips as a real capture process makes them of a real camera, told of alerts over a real bus."""

import json
import shutil
import stat
import subprocess
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from types import SimpleNamespace

import av
import cv2
import numpy as np
import psutil
import pytest

from configs.settings import ConnectionSettings
from stream.bus import Broker, Endpoints, Publisher
from stream.clips import ClipSpec, start_of
from stream.clips.mp4 import is_playable
from stream.clips.recorder import Recorder
from stream.clock import utc_text
from stream.messages import Alert, Health
from stream.source import open_source
from tests import rtsp_server
from tests.clips import make_clip
from tests.faults.capture import IMPATIENT, capture
from tests.faults.web_stream import serve_chunks, ts_chunks
from tests.rtsp_server import serve
from tests.waiting import wait_until

SPEC = ClipSpec(pre_roll_s=1.0, post_roll_s=0.5, longest_s=60.0, memory_bytes=4_000_000)
KEY_INTERVAL_S = 0.8  # of the RTSP server: 20 frames at 25 a second
FRAME_S = 0.04
FFPROBE = shutil.which("ffprobe")
SCENE = "demo://street?seed=8&width=320&height=180&fps=10&seconds=60"

needs_rtsp_server = pytest.mark.skipif(rtsp_server.missing() is not None, reason=str(rtsp_server.missing()))


class Alerts:
    """Says on the bus of a capture process what a sink would."""

    def __init__(self, camera, publisher, folder):
        self._camera, self._publisher, self._folder = camera, publisher, folder
        self._names = 0

    def start(self, time_s=None, kind="anomaly"):
        """An alert that has started half a second ago, at the frame of its attribute `frame`."""
        frames = self._camera.frames()
        time_s = frames[-1].stream_time_s - 0.5 if time_s is None else time_s
        frame = min(frames, key=lambda one: abs(one.stream_time_s - time_s))
        self._names += 1
        name = f"alert-{self._names}"
        alert = SimpleNamespace(name=name, frame=frame, kind=kind, path=self._folder / f"{name}.mp4")
        alert.start_s = frame.stream_time_s
        alert.utc = utc_text(datetime.fromtimestamp(frame.utc_s).astimezone())
        self._say("start", alert, alert.start_s)
        return alert

    def end(self, alert, time_s):
        self._say("end", alert, time_s)

    def _say(self, event, alert, time_s):
        self._publisher.send(
            Alert(
                event=event,
                id=alert.name,
                kind=alert.kind,
                camera="gate",
                stream_time_s=time_s,
                utc=alert.utc,
                score=2.0,
                threshold=1.0,
                evidence=(str(alert.path.with_suffix(".jpg")), str(alert.path)),
            )
        )


@contextmanager
def filming(folder, source, spec=SPEC, **options):
    """A capture process that makes clips, and the alerts that it hears."""
    with capture(folder, source, clips=spec, **options) as camera, Publisher(camera.spec.endpoints) as publisher:
        yield camera, Alerts(camera, publisher, folder / "evidence")


def wait_for_stream_time(camera, time_s):
    """Until its ring has a frame this late."""
    ring = camera.ring
    assert wait_until(lambda: ring.newest >= 0 and ring.read(ring.newest).stream_time_s >= time_s, 30.0)


def wait_for_clips(camera, written=0, failed=0):
    counts = {"clips_written": written, "clips_failed": failed}
    return camera.wait_for(lambda one: isinstance(one, Health) and counts.items() <= one.counters.items(), 20.0)


def pictures(path):
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]


def grey(image):
    """As numbers that can be subtracted; colours are kept at half the size by any camera."""
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(int)


def most_like(frame, found):
    """The time of the picture that most resembles an analysed frame, and by how much it differs, in grey levels."""
    height, width = frame.image.shape[:2]
    wanted = grey(frame.image)
    scaled = [(time, cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)) for time, image in found]
    difference, time = min((float(np.abs(grey(image) - wanted).mean()), time) for time, image in scaled)
    return time, difference


def facts(path):
    with av.open(str(path)) as container:
        return json.loads(container.metadata["comment"])


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("film") / "film.mp4", frames=500, size=(640, 480))


@needs_rtsp_server
def test_clip_of_an_rtsp_camera_through_its_life_and_two_accidents(tmp_path, film):
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    (evidence / ".alert-0.mp4.new").write_text("what a killed process left")
    with serve([film], loop=True) as url, filming(tmp_path, url) as (camera, alerts):
        wait_for_stream_time(camera, 2.5)

        # A whole one.
        alert = alerts.start()
        assert wait_until(lambda: is_playable(alert.path), 5.0)
        early = start_of(alert.path)
        wait_for_stream_time(camera, alert.start_s + 1.0)
        alerts.end(alert, alert.start_s + 0.5)
        said = wait_for_clips(camera, written=1)
        assert 0 < said.counters["clip_memory_bytes"] < SPEC.memory_bytes
        started_s = start_of(alert.path)
        wanted_s = alert.start_s - SPEC.pre_roll_s
        assert wanted_s - KEY_INTERVAL_S - FRAME_S < started_s <= wanted_s
        assert early == started_s
        found = pictures(alert.path)
        assert found[0][0] == 0.0
        assert SPEC.post_roll_s <= started_s + found[-1][0] - (alert.start_s + 0.5) + FRAME_S
        at_s, difference = most_like(alert.frame, found)
        assert started_s + at_s == pytest.approx(alert.frame.stream_time_s, abs=0.001)
        assert difference < 1.0
        data = alert.path.read_bytes()
        assert 0 < data.index(b"moov") < data.index(b"mdat")
        assert stat.S_IMODE(alert.path.stat().st_mode) == 0o600
        assert [path.name for path in evidence.iterdir()] == [alert.path.name]
        told = datetime.fromisoformat(facts(alert.path)["utc"])
        assert told + timedelta(seconds=alert.start_s - started_s) == datetime.fromisoformat(alert.utc)
        assert "cut" not in facts(alert.path)
        (tmp_path / "whole.mp4").write_bytes(data)

        # The disk is full.
        limits = psutil.Process(camera.process.pid).rlimit(psutil.RLIMIT_FSIZE)
        psutil.Process(camera.process.pid).rlimit(psutil.RLIMIT_FSIZE, (10_000, limits[1]))
        full = alerts.start()
        wait_for_clips(camera, written=1, failed=1)
        psutil.Process(camera.process.pid).rlimit(psutil.RLIMIT_FSIZE, limits)
        lines = [line for line in camera.log_file.read_text().splitlines() if full.name in line]
        assert len(lines) == 1
        assert "File too large" in lines[0]
        assert full.path.exists() == is_playable(full.path)
        before = camera.ring.newest
        assert wait_until(lambda: camera.ring.newest > before + 5, 10.0)
        assert camera.states() == ["live"]

        # The process is killed in the last seconds of a clip.
        alert = alerts.start()
        alerts.end(alert, alert.start_s + 20.0)
        wait_for_stream_time(camera, alert.start_s + 1.2)
        camera.process.kill()
        camera.process.join(10)
        found = pictures(alert.path)
        started_s = start_of(alert.path)
        assert started_s <= alert.start_s - SPEC.pre_roll_s
        assert started_s + found[-1][0] > alert.start_s
        assert most_like(alert.frame, found)[1] < 1.0
    if FFPROBE is None:
        pytest.skip("no ffprobe to play the clip with; all else was as it should be")
    command = [FFPROBE, "-v", "error", "-count_frames", "-show_streams", "-of", "json", tmp_path / "whole.mp4"]
    probed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert probed.stderr == ""
    (stream,) = json.loads(probed.stdout)["streams"]
    assert (stream["codec_name"], stream["width"], stream["height"]) == ("h264", 640, 480)
    assert float(stream["start_time"]) == 0.0
    assert int(stream["nb_read_frames"]) == int(stream["nb_frames"]) > 45


@pytest.mark.parametrize(
    "kind", ["scene", pytest.param("jpeg", marks=needs_rtsp_server)], ids=["demo", "motion JPEG over RTSP"]
)
def test_where_no_packet_can_be_played_the_analysed_pictures_become_a_clip(tmp_path, film, kind):
    source = serve([film], loop=True, codec="jpeg") if kind == "jpeg" else nullcontext(SCENE)
    with source as url, filming(tmp_path, url) as (camera, alerts):
        wait_for_stream_time(camera, 2.0)
        alert = alerts.start()
        alerts.end(alert, alert.start_s)
        said = wait_for_clips(camera, written=1)
        assert camera.stop() < 1.0
        assert camera.process.exitcode == 0
    assert 0 < said.counters["clip_memory_bytes"] < SPEC.memory_bytes
    found, started_s = pictures(alert.path), start_of(alert.path)
    assert 0.0 <= alert.start_s - SPEC.pre_roll_s - started_s < 0.15
    assert found[0][0] == 0.0
    assert found[0][1].shape == alert.frame.image.shape
    at_s, difference = most_like(alert.frame, found)
    assert started_s + at_s == pytest.approx(alert.frame.stream_time_s, abs=0.01)
    assert difference < 5.0
    data = alert.path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_a_clip_ends_where_the_picture_changes_its_size_and_where_the_connection_ends(tmp_path):
    changing = ts_chunks(45) + ts_chunks(45, size=(640, 480), first_s=1.8)
    with (
        serve_chunks(changing, ts_chunks(250)) as url,
        filming(tmp_path, url, connection=IMPATIENT) as (camera, alerts),
    ):
        wait_for_stream_time(camera, 1.0)
        first = alerts.start(0.5)
        wait_for_clips(camera, written=1)
        wait_for_stream_time(camera, 2.6)
        second = alerts.start(2.4)
        standing = alerts.start(2.4, kind="drift")
        camera.wait_for_state("lost")
        wait_for_clips(camera, written=3)
        camera.wait_for_state("live")
        wait_for_stream_time(camera, camera.frames()[-1].stream_time_s + 0.8)
        third = alerts.start()
        assert wait_until(lambda: is_playable(third.path), 10.0)
        assert camera.stop() < 1.0

    sizes = [{image.shape[:2] for _, image in pictures(one.path)} for one in (first, second, standing, third)]
    assert sizes == [{(240, 320)}, {(480, 640)}, {(480, 640)}, {(240, 320)}]
    starts = [start_of(one.path) for one in (first, second)]
    assert starts == pytest.approx([0.0, 1.8], abs=0.05)
    assert facts(second.path)["begins_late_s"] == pytest.approx(1.8 - (second.start_s - SPEC.pre_roll_s), abs=0.05)
    assert starts[0] + pictures(first.path)[-1][0] == pytest.approx(1.8, abs=0.3)
    cuts = [facts(one.path)["cut"] for one in (first, second, third)]
    assert cuts == [
        "the stream has become another, or more came than the memory holds",
        "nothing more came",
        "nothing more came",
    ]
    assert most_like(second.frame, pictures(second.path))[1] < 5.0
    assert most_like(third.frame, pictures(third.path))[1] < 5.0
    assert second.start_s < start_of(third.path) <= third.start_s  # of the new connection alone


BASE_S = 100.0  # the camera had other connections before


def test_a_small_memory_is_told_once_no_end_is_waited_for_for_ever_and_what_cannot_be_is_counted(tmp_path, caplog):
    film = make_clip(tmp_path / "film.mp4", frames=300)  # 12 s, a key frame every 0.4 s
    spec = ClipSpec(pre_roll_s=2.0, post_roll_s=0.5, longest_s=1.0, memory_bytes=25_000)
    endpoints = Endpoints.in_folder(tmp_path / "bus")
    with Broker(endpoints), Publisher(endpoints) as publisher, Recorder("gate", spec, endpoints) as recorder:

        def say(name, time_s, *files):
            publisher.send(
                Alert(
                    event="start",
                    id=name,
                    kind="anomaly",
                    camera="gate",
                    stream_time_s=time_s,
                    utc="2026-01-31T12:00:00.000Z",
                    score=2.0,
                    threshold=1.0,
                    evidence=tuple(str(tmp_path / file) for file in files),
                )
            )

        def say_until_heard(name, *files):
            """What is sent before the subscription has reached the publisher is lost."""
            heard = recorder.failed
            assert wait_until(lambda: say(name, 5.0, *files) or recorder.failed > heard, 10.0)

        say_until_heard("early", "early.mp4")  # before there is any picture
        footage = recorder.new_footage()
        connection = ConnectionSettings()
        with open_source(str(film), size=(160, 112), rate_fps=25, connection=connection, footage=footage) as source:
            for _ in source:
                pass
        footage.base_s = BASE_S
        assert 0 < recorder.held_bytes <= 25_000
        say("outage", BASE_S + 10.0, "outage.jpg")
        say("one", BASE_S + 10.0, "one.jpg", "one.mp4")
        say("two", BASE_S + 10.2, "two.mp4")
        assert wait_until(lambda: recorder.written == 2, 10.0)

    assert {path.name for path in tmp_path.glob("*.mp4")} == {"film.mp4", "one.mp4", "two.mp4"}
    late_s = [facts(tmp_path / name)["begins_late_s"] for name in ("one.mp4", "two.mp4")]
    start_s = start_of(tmp_path / "one.mp4")
    assert late_s == [pytest.approx(start_s - BASE_S - 8.0), pytest.approx(start_s - BASE_S - 8.2)]
    assert start_s + pictures(tmp_path / "one.mp4")[-1][0] == pytest.approx(BASE_S + 11.5, abs=FRAME_S)
    said = {record.getMessage().split(": ")[0] for record in caplog.records}
    assert said == {"alert early", "alert one"}  # and nothing of the second clip, which is late as well
    told = caplog.records[-1].getMessage()
    assert "hold too little" in told
    assert "raise evidence.clip_megabytes" in told
