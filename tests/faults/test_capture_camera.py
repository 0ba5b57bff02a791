"""What a camera itself may do to its capture process: refuse it, change, stop, be slow, be fast, lie about time."""

import itertools
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import numpy as np
import pytest

from stream.messages import Camera
from tests import rtsp_server
from tests.clips import make_clip
from tests.faults.capture import IMPATIENT, QUICK, capture
from tests.faults.proxy import Proxy
from tests.faults.web_stream import jpeg_chunks, serve_chunks, ts_chunks, ts_chunks_with_sound
from tests.rtsp_server import serve

PASSWORD, WRONG_PASSWORD = "s3cret-word", "wr0ng-word"
WRAP_S = 2**33 / 90_000  # of the timestamps of MPEG-TS
SLACK_S = 1.5

needs_rtsp_server = pytest.mark.skipif(rtsp_server.missing() is not None, reason=str(rtsp_server.missing()))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


def square_size(image):
    """(width, height) of the red square, pixels."""
    rows, columns = np.where((image[..., 2] > 170) & (image[..., 1] < 70))
    return np.ptp(columns) + 1, np.ptp(rows) + 1


def steps_s(frames):
    return [after.stream_time_s - before.stream_time_s for before, after in itertools.pairwise(frames)]


# Refused, changed, over


@needs_rtsp_server
@pytest.mark.parametrize("basic", [False, True], ids=["digest", "basic"])
def test_a_wrong_password_is_told_once_and_not_shown_and_the_right_one_is_taken_up(tmp_path, clip, basic):
    with ExitStack() as first:
        url = first.enter_context(serve([clip], loop=True, user="viewer", password=PASSWORD, basic=basic))
        port = urlsplit(url).port
        with (
            Proxy(port) as proxy,
            capture(tmp_path, proxy.url(url).replace("//", f"//viewer:{WRONG_PASSWORD}@"), IMPATIENT) as camera,
        ):
            lost = camera.wait_for_state("lost")
            assert "viewer:***@127.0.0.1" in lost.reason
            assert lost.reason.endswith("user or password not accepted")
            camera.wait_for(lambda _: len(proxy.accepted_s) >= 4)
            assert camera.states() == ["lost"]
            assert camera.longest_silence_s() < 1.0 + SLACK_S

            first.close()
            with serve([clip], loop=True, port=port, user="viewer", password=WRONG_PASSWORD, basic=basic):
                camera.wait_for_state("live", reconnects=0)
            log = camera.log_file.read_text()
    assert WRONG_PASSWORD not in log + repr(camera.sent)


@needs_rtsp_server
def test_a_stream_that_ends_is_fetched_again_and_again(tmp_path):
    short = make_clip(tmp_path / "short.mp4", frames=15)
    with serve([short]) as url, capture(tmp_path, url, IMPATIENT) as camera:
        for reconnects in range(3):
            camera.wait_for_state("live", reconnects=reconnects)
            assert camera.wait_for_state("lost").reason.endswith("the camera ended the stream")
        assert camera.states()[:6] == ["live", "lost"] * 3


@needs_rtsp_server
@pytest.mark.parametrize("change", ["size", "codec"])
def test_a_camera_that_comes_back_with_another(tmp_path, clip, change):
    """GStreamer's server cannot change either within a stream: the camera restarts with it."""
    larger = make_clip(tmp_path / "larger.mp4", size=(640, 480))
    with ExitStack() as before:
        url = before.enter_context(serve([clip], loop=True))
        with capture(tmp_path, url, IMPATIENT) as camera:
            camera.wait_for_frames(5)
            before.close()
            camera.wait_for_state("lost")
            files, codec = ([larger], "h264") if change == "size" else ([clip], "jpeg")
            with serve(files, loop=True, port=urlsplit(url).port, codec=codec):
                camera.wait_for_state("live", reconnects=1)
                camera.wait_for_frames(5)
            image = camera.frames()[-1].image
    expected = (10, 9) if change == "size" else (20, 19)
    assert square_size(image) == pytest.approx(expected, abs=2)


def test_a_size_that_changes_within_the_stream_is_followed_without_a_break(tmp_path):
    chunks = ts_chunks(40) + ts_chunks(40, size=(640, 480), first_s=1.6)
    with serve_chunks(chunks) as url, capture(tmp_path, url, QUICK, rate_fps=25.0) as camera:
        camera.wait_for(lambda one: isinstance(one, Camera) and one.captured >= 70)
        frames = camera.frames()
        assert camera.states() == ["live"]
    assert square_size(frames[20].image) == pytest.approx((20, 19), abs=2)
    assert square_size(frames[60].image) == pytest.approx((10, 9), abs=2)
    assert max(steps_s(frames)) < 0.3


def test_a_codec_that_changes_within_the_stream_costs_a_new_connection(tmp_path):
    chunks, after = ts_chunks(60) + ts_chunks(200, codec="mpeg4", first_s=2.4), ts_chunks(100, codec="mpeg4")
    with serve_chunks(chunks, after) as url, capture(tmp_path, url, IMPATIENT) as camera:
        camera.wait_for_state("live", reconnects=0)
        began_s = time.monotonic()
        camera.wait_for_state("lost")
        assert time.monotonic() - began_s < 2.4 + IMPATIENT.read_timeout_s + SLACK_S
        camera.wait_for_state("live", reconnects=1)


def test_pictures_that_stop_are_missed_though_the_sound_goes_on(tmp_path):
    """Packets of sound kept the reading busy, and no time-out was asked for."""
    with (
        serve_chunks(ts_chunks_with_sound(75, 20.0)) as url,
        capture(tmp_path, url, IMPATIENT) as camera,
    ):
        camera.wait_for_state("live")
        began_s = time.monotonic()
        camera.wait_for_state("stalled")
        assert camera.wait_for_state("lost").reason.endswith("no picture for 2 s: check the camera and its network")
        assert time.monotonic() - began_s < 3.0 + IMPATIENT.read_timeout_s + SLACK_S


# Slow and fast


@needs_rtsp_server
def test_one_frame_a_second_is_no_stall_and_several_seconds_without_one_are(tmp_path, clip):
    patient = QUICK.model_copy(update={"open_timeout_s": 15.0, "read_timeout_s": 10.0})
    with (
        serve([clip], loop=True, fps=1.0) as url,
        Proxy(urlsplit(url).port) as proxy,
        capture(tmp_path, proxy.url(url), patient) as camera,
    ):
        camera.wait_for_frames(1)
        assert camera.wait_for_frames(4).source_fps == pytest.approx(1.0, rel=0.1)  # the first ones come in a burst
        assert camera.states() == ["live"]
        proxy.stall()
        began_s = time.monotonic()
        camera.wait_for_state("stalled")
        assert 2.8 < time.monotonic() - began_s < 4.5 + SLACK_S
        assert camera.longest_silence_s() < 1.0 + SLACK_S


@needs_rtsp_server
def test_sixty_frames_a_second_are_thinned_to_the_rate_that_is_analysed(tmp_path):
    fast = make_clip(tmp_path / "fast.mp4", fps=60, frames=300)
    with serve([fast], loop=True) as url, capture(tmp_path, url, QUICK, rate_fps=10.0) as camera:
        camera.wait_for_frames(30)
        said = camera.wait_for_frames(1)
        frames = camera.frames()[10:]
        assert camera.states() == ["live"]
    assert said.source_fps == pytest.approx(60.0, rel=0.1)
    took_s = frames[-1].captured_at_s - frames[0].captured_at_s
    assert (len(frames) - 1) / took_s == pytest.approx(10.0, rel=0.15)
    assert steps_s(frames) == pytest.approx([0.1] * (len(frames) - 1), abs=0.03)


# Time


def test_stream_time_goes_on_where_timestamps_wrap_jump_back_and_jump_ahead(tmp_path):
    wrapping, back, ahead = (ts_chunks(40, first_s=first_s) for first_s in (WRAP_S - 1.0, WRAP_S - 500.0, 400.0))
    with (
        serve_chunks(wrapping + back + ahead) as url,
        capture(tmp_path, url, QUICK, rate_fps=25.0) as camera,
    ):
        camera.wait_for(lambda one: isinstance(one, Camera) and one.captured >= 100)
        frames = camera.frames()
        assert camera.states() == ["live"]
    assert min(steps_s(frames)) > 0
    assert max(steps_s(frames)) < 0.3
    assert frames[-1].stream_time_s == pytest.approx((len(frames) - 1) / 25, abs=0.3)


def test_where_timestamps_are_missing_stream_time_is_real_time(tmp_path):
    """FFmpeg counts 25 frames a second in such a format: at 10 a second, time ran at less than half its speed."""
    with (
        serve_chunks(jpeg_chunks(60), fps=10.0, multipart=True) as url,
        capture(tmp_path, url, QUICK, rate_fps=25.0) as camera,
    ):
        said = camera.wait_for(lambda one: isinstance(one, Camera) and one.captured >= 30)
        frames = camera.frames()
        assert camera.states() == ["live"]
    took_s = frames[-1].captured_at_s - frames[0].captured_at_s
    assert frames[-1].stream_time_s == pytest.approx(took_s, abs=0.1)
    assert took_s > 2.0
    assert said.source_fps == pytest.approx(10.0, rel=0.15)
