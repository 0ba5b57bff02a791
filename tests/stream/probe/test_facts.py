import re
import shutil
import subprocess
from dataclasses import replace

import cv2
import numpy as np
import pytest

from configs.settings import AnalysisSettings, ConnectionSettings
from stream.probe.advice import advise
from stream.probe.clock import Clock
from stream.probe.command import _file_name
from stream.probe.facts import Findings, Packets, ProbeError, look, write_picture
from stream.probe.page import as_lines, as_object
from stream.source.packets import Encoding
from tests import rtsp_server
from tests.clips import make_clip
from tests.rtsp_server import serve

SETTINGS = AnalysisSettings()
CONNECTION = ConnectionSettings(open_timeout_s=5, read_timeout_s=5)


def said(found, cores=2.0):
    """The page, its texts by what they are about."""
    page: dict[str, str] = {}
    for what, text in as_lines(found, advise(found, cores), cores):
        page[what] = f"{page[what]}\n{text}" if what in page else text
    return page


@pytest.mark.skipif(rtsp_server.missing() is not None, reason=str(rtsp_server.missing()))
def test_a_camera_is_told_as_it_is(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4", frames=150)  # a key frame every 10 frames of 25 a second
    size = clip.stat().st_size
    with serve([clip], user="viewer", password="s3cret-word", codec="copy") as url:
        found = look(url.replace("//", "//viewer:s3cret-word@"), SETTINGS, CONNECTION, 3.5)
    assert (found.live, found.transport, found.native_size, found.duration_s) == (True, "tcp", (320, 240), None)
    assert (found.announced_fps, found.measured_fps) == pytest.approx((25.0, 25.0), rel=0.05)
    assert found.packets.encoding.codec == "h264"
    assert found.packets.key_interval_s == pytest.approx(0.4, abs=0.01)
    assert found.packets.bits_per_s == pytest.approx(8 * size / 6.0, rel=0.25)
    assert (found.clock.missing <= 1, found.clock.back, found.clock.jumps, found.damaged) == (True, 0, 0, 0)
    assert abs(found.clock.drift) < 0.05
    assert 0.0 < found.read_ms < 20.0
    assert 0.0 < found.scale_ms < 20.0
    page = said(found)
    assert "s3cret-word" not in str(page)
    assert page["key frames"] == "every 0.40 s, 10 frames"
    assert "of real time" in page["clock"]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg to encode with B-frames")
def test_b_frames_profile_and_bit_rate_are_those_that_were_encoded(tmp_path):
    path = tmp_path / "clip.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=20", "-t", "6"]
    coding = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "60", "-sc_threshold", "0"]
    subprocess.run(["ffmpeg", "-v", "error", *source, *coding, path], check=True, timeout=60)
    found = look(str(path), SETTINGS, CONNECTION, 1.0)
    assert found.packets.encoding == Encoding(codec="h264", profile="High", pixel_format="yuv420p", reordered=True)
    assert found.packets.key_interval_s == pytest.approx(3.0)
    assert 1.5 < found.looked_s <= 3.0  # longer than asked, for the second key frame
    whole = subprocess.run(
        [
            "ffprobe",
            "-v",
            "error",
            "-select_streams",
            "v",
            "-show_entries",
            "stream=bit_rate",
            "-of",
            "csv=p=0",
            path,
        ],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    assert found.packets.bits_per_s == pytest.approx(float(whole.stdout), rel=0.2)
    assert said(found)["B-frames"] == "yes"
    assert as_object(found, advise(found, 2.0), 2.0, "p.jpg")["packets"]["encoding"]["profile"] == "High"


def test_what_does_not_come_encoded_says_so():
    found = look("demo://street?seconds=3", SETTINGS, CONNECTION, 1.0)
    page = said(found)
    assert page["codec"] == "none: it does not come encoded"
    assert page["rate"] == "15.0 frames/s measured over 1.0 s, 15 announced"
    assert "capacity" not in page


def test_the_picture_is_the_source_s_own_and_its_user_s_alone(tmp_path):
    found = look(str(make_clip(tmp_path / "clip.mp4")), SETTINGS, CONNECTION, 1.5)
    path = tmp_path / "p.jpg"
    write_picture(found, path)
    picture = cv2.imread(str(path))
    assert picture.shape == (240, 320, 3)
    assert np.abs(picture[10, 10].astype(int) - 90).max() < 8
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ProbeError, match=r"no/p\.jpg: cannot be written: .*: name another with --picture"):
        write_picture(found, tmp_path / "no" / "p.jpg")


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("rtsp://me:***@192.0.2.10:554/stream1?token=s3cret", "probe-192.0.2.10-554-stream1.jpg"),
        ("/videos/my clip.mp4", "probe-my-clip.jpg"),
        ("demo://street?seed=1", "probe-street.jpg"),
        ("0", "probe-0.jpg"),
        ("http://host/" + "x" * 500, f"probe-host-{'x' * 55}.jpg"),
    ],
)
def test_the_picture_is_named_after_its_source_without_anything_secret(where, name):
    assert _file_name(where) == name


# What is advised.

GOOD = Clock(missing=0, back=0, jumps=0, uneven_ms=0.0, jitter_ms=4.0, drift=0.0, drift_error=0.002)
CAMERA = Findings(
    where="rtsp://me:***@192.0.2.10/Streaming/Channels/101",
    live=True,
    opened_s=0.5,
    looked_s=5.0,
    frames=125,
    damaged=0,
    transport="tcp",
    native_size=(640, 360),
    duration_s=None,
    announced_fps=25.0,
    measured_fps=25.0,
    packets=Packets(
        encoding=Encoding(codec="h264", profile="High", pixel_format="yuv420p", reordered=False),
        bits_per_s=2e6,
        key_interval_s=2.0,
    ),
    clock=GOOD,
    read_ms=4.0,
    scale_ms=2.0,
    analysed_size=(640, 352),
    picture=np.zeros((360, 640, 3), np.uint8),
)


def test_a_camera_as_it_should_be_gets_the_defaults_and_no_hints():
    advice = advise(CAMERA, 2.0)
    assert (advice.rate_fps, advice.long_side_px, advice.hints) == (10.0, 640, ())
    assert advice.core_share == pytest.approx(0.12)  # 25 × 4 ms to decode and 10 × 2 ms to scale
    assert advice.sources == 16


@pytest.mark.parametrize(
    ("changes", "rate", "side"),
    [
        ({"measured_fps": 6.25}, 6.2, 640),
        ({"native_size": (320, 240)}, 10.0, 320),
        ({"native_size": (90, 60)}, 10.0, 128),
    ],
)
def test_no_more_is_advised_than_the_source_has(changes, rate, side):
    advice = advise(replace(CAMERA, **changes), 2.0)
    assert (advice.rate_fps, advice.long_side_px) == (rate, side)


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"native_size": (1920, 1080)}, r"9 times the pixels .* smaller stream, probably rtsp://me:\*\*\*@\S+/102"),
        ({"damaged": 3, "transport": "udp"}, r"3 damaged frames: .* connection\.transport: tcp"),
        ({"packets": replace(CAMERA.packets, key_interval_s=10.0)}, r"10\.0 s apart"),
        ({"packets": replace(CAMERA.packets, key_interval_s=None)}, r"no second key frame"),
        (
            {"packets": replace(CAMERA.packets, encoding=replace(CAMERA.packets.encoding, reordered=True))},
            r"B-frames delay",
        ),
        ({"clock": replace(GOOD, missing=125)}, r"125 of 125 frames have no timestamp"),
        ({"clock": replace(GOOD, back=2)}, r"2 times back"),
        ({"clock": replace(GOOD, drift=0.03)}, r"3\.0% too fast"),
        ({"clock": replace(GOOD, jitter_ms=400.0)}, r"400 ms early or late"),
        ({"measured_fps": 12.0}, r"announces 25 frames/s and sends 12"),
    ],
)
def test_what_could_be_better_is_one_hint(changes, hint):
    (said_,) = advise(replace(CAMERA, **changes), 2.0).hints
    assert re.search(hint, said_)


def test_a_drift_within_its_error_is_no_drift():
    assert advise(replace(CAMERA, clock=replace(GOOD, drift=0.03, drift_error=0.04)), 2.0).hints == ()
