import itertools
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import av
import pytest

from configs.settings import ConnectionSettings
from stream import child
from stream.bus import Endpoints
from stream.capture import CaptureSpec, backoff_s
from stream.messages import Camera, Health
from stream.ring import RingSpec
from tests import rtsp_server
from tests.clips import make_clip
from tests.faults.capture import QUICK, capture
from tests.rtsp_server import serve

PASSWORD = "s3cret-word"

needs_rtsp_server = pytest.mark.skipif(rtsp_server.missing() is not None, reason=str(rtsp_server.missing()))


def test_a_file_is_captured_in_real_time_and_ends(tmp_path):
    with capture(tmp_path, make_clip(tmp_path / "clip.mp4", frames=50)) as camera:
        ended = camera.wait_for_state("ended")
        camera.process.join(10)

        assert camera.process.exitcode == 0
        assert [word for word, _ in camera.said()] == [child.READY]
        frames = camera.frames()
    assert ended.captured == len(frames)
    assert 15 <= len(frames) <= 20  # 2 s at 10 fps, less what a busy machine was late for
    assert frames[0].stream_time_s == 0
    for before, after in itertools.pairwise(frames):
        assert after.seq == before.seq + 1
        assert after.stream_time_s > before.stream_time_s
        assert after.captured_at_s > before.captured_at_s
    took_s = frames[-1].captured_at_s - frames[0].captured_at_s
    assert took_s == pytest.approx(frames[-1].stream_time_s, abs=0.5)
    assert abs(frames[-1].utc_s - time.time()) < 30


@needs_rtsp_server
def test_a_camera_that_goes_and_comes_back_is_lost_and_then_live_again(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4")
    login = {"user": "viewer", "password": PASSWORD}
    with ExitStack() as server:
        url = server.enter_context(serve([clip], loop=True, **login))
        with capture(tmp_path, url.replace("//", f"//viewer:{PASSWORD}@")) as camera:
            live = camera.wait_for(lambda message: isinstance(message, Camera) and message.captured > 5)
            assert (live.state, live.reason, live.reconnects) == ("live", "", 0)
            assert live.source_fps == pytest.approx(25, rel=0.1)

            server.close()
            lost = camera.wait_for_state("lost")
            assert "viewer:***@127.0.0.1" in lost.reason
            before = camera.ring.read(camera.ring.newest)
            refused = camera.wait_for(
                lambda message: isinstance(message, Camera) and "nothing listens" in message.reason
            )
            assert refused.state == "lost"

            with serve([clip], loop=True, port=urlsplit(url).port, **login):
                again = camera.wait_for_state("live", reconnects=1)
                assert again.captured > lost.captured
                camera.wait_for(lambda message: isinstance(message, Camera) and message.captured > lost.captured + 5)
                assert camera.stop() < 1.0
            frames = camera.frames()
            log = camera.log_file.read_text()

    after = next(frame for frame in frames if frame.seq == before.seq + 1)
    assert after.stream_time_s - before.stream_time_s == pytest.approx(after.captured_at_s - before.captured_at_s)
    times = [frame.stream_time_s for frame in frames]
    assert times == sorted(times)
    assert [frame.seq for frame in frames] == list(range(len(frames)))
    assert PASSWORD not in log + repr(camera.spec) + repr(camera.sent)
    assert camera.states() == ["live", "lost", "lost", "live"]  # two causes, however many attempts


def test_a_camera_that_is_down_is_waited_for_with_signs_of_life_until_the_parent_says_stop(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    patient = ConnectionSettings(backoff_first_s=60)
    with capture(tmp_path, f"rtsp://127.0.0.1:{port}/stream", patient) as camera:
        camera.wait_for_state("lost", captured=0, reconnects=0)
        beats = [camera.wait_for(lambda message: isinstance(message, Health)) for _ in range(3)]
        assert {beat.process for beat in beats} == {"capture-gate"}

        assert camera.stop() < 1.0
        assert camera.process.exitcode == 0


def test_a_file_that_is_not_there_fails_the_process_with_one_line(tmp_path):
    with capture(tmp_path, tmp_path / "nothing.mp4") as camera:
        camera.process.join(15)

        assert camera.process.exitcode == 1
        said = camera.said()
    assert said[-1] == (child.FINAL, f"{tmp_path}/nothing.mp4: no such file")


def test_a_recording_that_breaks_in_the_middle_fails_for_good_after_its_whole_pictures(tmp_path):
    path = make_clip(tmp_path / "clip.mp4", frames=400)
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.pos]
    data = bytearray(path.read_bytes())
    for place, size in places[30:]:
        data[place + 4 : place + size] = b"\xff" * (size - 4)
    path.write_bytes(data)
    with capture(tmp_path, path) as camera:
        lost = camera.wait_for_state("lost")
        camera.process.join(15)
        assert camera.process.exitcode == 1
        said = camera.said()
    assert lost.captured >= 8
    assert said[-1] == (child.FINAL, f"{path}: 300 frames in a row cannot be decoded")


def test_back_off_doubles_up_to_its_limit_with_jitter():
    connection = ConnectionSettings(backoff_first_s=1, backoff_max_s=60)

    for failures, nominal_s in ((1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (10_000, 60)):
        waits = [backoff_s(failures, connection) for _ in range(50)]
        assert 0.75 * nominal_s <= min(waits) < max(waits) <= 1.25 * nominal_s


def test_the_specification_does_not_show_the_source():
    spec = CaptureSpec(
        camera="gate",
        source=f"rtsp://viewer:{PASSWORD}@host/x",
        ring=RingSpec(name="none", slots=2, height=16, width=16),
        rate_fps=5,
        connection=QUICK,
        endpoints=Endpoints.in_folder(Path("folder")),
    )

    assert PASSWORD not in repr(spec)
    assert spec.process == "capture-gate"
