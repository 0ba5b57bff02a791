"""From a camera on the network to an alert that is kept: the whole product, through its command line."""

import json
from pathlib import Path

import pytest

from configs.evidence import EvidenceSettings
from stream.clips import start_of
from stream.scene import open_scene
from tests import rtsp_server
from tests.clips import film
from tests.program import Program, run
from tests.rtsp_server import serve

NORMAL = "demo://street?seed=5&fps=10&seconds=40"
VAN = "demo://street?seed=8&fps=10&seconds=20&anomalies=1&kinds=vehicle"
PRE_ROLL_S = EvidenceSettings().pre_roll_s
KEY_INTERVAL_S, FRAME_S = 2.0, 0.1  # of the RTSP server at 10 frames a second
OFFSET_S = 1.0  # of the stream's clock against the clip's: a client may miss the first pictures

pytestmark = pytest.mark.skipif(rtsp_server.missing() is not None, reason=str(rtsp_server.missing()))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return film(folder / "normal.mp4", NORMAL), film(folder / "van.mp4", VAN)


@pytest.mark.timeout(240)
def test_a_camera_is_calibrated_and_a_van_on_its_lawn_becomes_an_alert_with_a_picture(tmp_path, clips, street):
    normal, van = clips
    model = tmp_path / "gate.mulde"
    with serve([normal]) as url:
        made = run(
            tmp_path,
            *("calibrate", url, "--minutes", "0.6", "--model", model, "--config", street.config, "--device", "cpu"),
            within_s=150.0,
        )
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""
    assert "36 s in 1" in made.stdout  # pictures at 3 a second

    event = open_scene(VAN).events[0]
    folder = tmp_path / "run"
    with serve([van]) as url:
        arguments = ("watch", url, "--model", model, "--config", street.config, "--json")
        with Program(folder, *arguments) as watching:
            started = watching.wait_for(
                lambda: next((one for one in watching.objects("alert") if one["event"] == "start"), None)
            )
            files = {Path(path).name.removeprefix(started["id"]): Path(path) for path in started["evidence"]}
            watching.wait_for(lambda: start_of(files[".mp4"]) is not None)
            watching.remember_memory()
            watching.interrupt()
            assert watching.end() == 0
            ended = watching.objects("alert")[-1]
            before = [one for one in watching.objects("score") if one["stream_time_s"] < event.start_s - OFFSET_S]

    assert len(before) > 20
    assert max(one["score"] for one in before) < started["threshold"]
    assert (started["kind"], started["camera"]) == ("anomaly", "cam1")
    assert event.start_s - OFFSET_S <= started["stream_time_s"] <= event.end_s
    assert started["score"] > started["threshold"]
    x0, y0, x1, y1 = started["region"]
    assert 0.0 <= x0 < x1 <= 1.0
    assert 0.0 <= y0 < y1 <= 1.0
    assert (ended["event"], ended["id"]) == ("end", started["id"])  # which it could not see to its own end
    assert ended["score"] >= started["score"]

    assert set(files) == {".jpg", "-clean.jpg", "-strip.jpg", ".mp4", ".json"}
    assert all(files[name].read_bytes().startswith(b"\xff\xd8\xff") for name in files if name.endswith(".jpg"))
    assert all(path.is_relative_to(folder / "state") for path in files.values())
    clip_s = start_of(files[".mp4"]) - (started["stream_time_s"] - PRE_ROLL_S)
    assert -KEY_INTERVAL_S - FRAME_S <= clip_s <= 0.0
    clip = files[".mp4"].read_bytes()
    assert 0 < clip.index(b"moov") < clip.index(b"mdat")
    assert started["words"]
    listed = run(folder, "alerts", "list")
    assert started["id"] in listed.stdout
    exported = run(folder, "alerts", "export")
    (kept,) = [json.loads(line) for line in exported.stdout.splitlines()]
    assert (kept["id"], kept["kind"], kept["state"]) == (started["id"], "anomaly", "ended")
    assert kept["evidence"] == started["evidence"]
    assert kept["words"] == ended["words"]
