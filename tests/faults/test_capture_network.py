"""A real camera, a real capture process, and a bad network between them."""

import itertools
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests import rtsp_server
from tests.clips import make_clip
from tests.faults.capture import IMPATIENT, QUICK, capture
from tests.faults.proxy import Proxy
from tests.faults.scenarios import FAULTS
from tests.rtsp_server import serve

pytestmark = pytest.mark.skipif(rtsp_server.missing() is not None, reason=str(rtsp_server.missing()))

SLACK_S = 1.5
"""What a busy machine may add."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", frames=250)


@pytest.fixture(scope="module")
def server(clip):
    with serve([clip], loop=True) as url:
        yield url


@pytest.fixture
def proxy(server):
    with Proxy(urlsplit(server).port) as proxy:
        yield proxy


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_camera_comes_back_by_itself_after(tmp_path, server, proxy, fault):
    with capture(tmp_path, proxy.url(server), IMPATIENT) as camera:
        camera.wait_for_frames(35 if "stalled" in fault.states else 5)  # for a stall, its rate must be known
        before = camera.cameras()[-1]
        began_s = time.monotonic()
        fault.begin(proxy)
        for state, reason in zip(fault.states, fault.reasons, strict=True):
            said = camera.wait_for(lambda one, text=reason: getattr(one, "reason", "").find(text) >= 0)
            assert said.state == state
            if state == "stalled":
                assert 0.9 < time.monotonic() - began_s < 1.0 + SLACK_S
            if state == "lost" and reason == fault.reasons[0]:
                assert time.monotonic() - began_s < SLACK_S
            if state == "lost" and "no picture for" in reason:
                assert (
                    IMPATIENT.read_timeout_s - 0.3 < time.monotonic() - began_s < IMPATIENT.read_timeout_s + SLACK_S
                )
        if fault.lasts:
            camera.listen(1.0)  # for more tries, of which no word is said
            proxy.heal()
        healed_s = time.monotonic()
        live = camera.wait_for_state("live", reconnects=before.reconnects + 1)
        # A try may have been on its way into the silence, and another pause follows it.
        assert time.monotonic() - healed_s < IMPATIENT.open_timeout_s + IMPATIENT.backoff_max_s * 1.25 + 2 * SLACK_S
        camera.wait_for_frames(5)

        assert live.reason == ""
        assert camera.states() == ["live", *fault.states, "live"]
        assert camera.longest_silence_s() < 1.0 + SLACK_S
        assert camera.stop() < 1.0
        assert camera.process.exitcode == 0
        frames = camera.frames()
    times = [frame.stream_time_s for frame in frames]
    assert times == sorted(times)
    gap = max(itertools.pairwise(frames), key=lambda pair: pair[1].captured_at_s - pair[0].captured_at_s)
    missed_s = gap[1].captured_at_s - gap[0].captured_at_s
    assert gap[1].stream_time_s - gap[0].stream_time_s == pytest.approx(missed_s, abs=0.1)


def test_a_capture_process_stops_at_once_while_it_waits_for_a_silent_camera(tmp_path, server, proxy):
    patient = QUICK.model_copy(update={"open_timeout_s": 60.0, "read_timeout_s": 60.0})
    with capture(tmp_path, proxy.url(server), patient) as camera:
        camera.wait_for_frames(5)
        proxy.stall()
        camera.listen(1.5)
        assert camera.stop() < 1.0
        assert camera.process.exitcode == 0


def test_a_connection_that_breaks_gives_back_what_it_held(tmp_path, server, proxy):
    """Each had left a decoder's 1.2 MiB, until Python looked for rings of objects; the soak grew by it."""

    def own_mib(camera):
        lines = Path(f"/proc/{camera.process.pid}/smaps_rollup").read_text().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024.0

    with capture(tmp_path, proxy.url(server)) as camera:
        camera.wait_for_frames(3)
        before_mib = own_mib(camera)
        for reconnects in range(1, 6):
            proxy.cut()
            proxy.heal()
            camera.wait_for_state("live", reconnects=reconnects)
        assert own_mib(camera) - before_mib < 3.0


def test_a_stall_that_ends_in_time_needs_no_new_connection(tmp_path, server, proxy):
    with capture(tmp_path, proxy.url(server), QUICK) as camera:
        camera.wait_for_frames(35)
        proxy.stall()
        camera.wait_for_state("stalled")
        proxy.heal()
        camera.wait_for_state("live", reconnects=0)
        camera.wait_for_frames(5)
        assert camera.states() == ["live", "stalled", "live"]


def test_a_late_camera_is_a_live_camera(tmp_path, server, proxy):
    proxy.delay(0.3)
    with capture(tmp_path, proxy.url(server), QUICK) as camera:
        camera.wait_for_frames(10)
        assert camera.states() == ["live"]


def test_pictures_after_damage_are_held_back_until_they_are_whole_again(tmp_path, server, proxy):
    """A smear looks to the detector like something that moves."""
    with capture(tmp_path, proxy.url(server), QUICK) as camera:
        camera.wait_for_frames(5)
        proxy.corrupt(0.05, seed=1)
        camera.wait_for(lambda _: proxy.corrupted >= 8)
        proxy.heal()
        camera.wait_for_frames(15)
        frames = camera.frames()
        assert set(camera.states()) <= {"live", "stalled"}
        assert camera.cameras()[-1].reconnects == 0
        assert camera.counter("drop/gate/damaged") >= 8
    assert [frame.seq for frame in frames if is_smeared(frame.image)] == []


def is_smeared(image):
    """Whether something is in the clip's picture beside its square, 20×19 pixels at this size."""
    blurred = np.abs(image.astype(int) - 90).max(axis=2) > 30
    rows, columns = np.where(blurred)
    return np.ptp(rows) > 22 or np.ptp(columns) > 24


def test_a_host_that_does_not_answer_is_unreachable_until_it_does(tmp_path, clip):
    """A port whose queue is full drops what arrives, as a host does that is switched off."""
    with ExitStack() as switched_off:
        listener = switched_off.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listener.getsockname()[1]
        for _ in range(2):
            waiting = switched_off.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        quick = IMPATIENT.model_copy(update={"open_timeout_s": 1.0})
        with capture(tmp_path, f"rtsp://127.0.0.1:{port}/stream", quick) as camera:
            lost = camera.wait_for_state("lost")
            assert f"host 127.0.0.1 does not answer at port {port}: is it switched on?" in lost.reason
            camera.listen(3.0)
            assert camera.states() == ["lost"]
            assert camera.longest_silence_s() < 1.0 + SLACK_S
            switched_off.close()
            with serve([clip], loop=True, port=port):
                camera.wait_for_state("live", reconnects=0)


def test_tries_come_ever_more_slowly_and_only_the_first_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    slowing = IMPATIENT.model_copy(update={"backoff_first_s": 0.1, "backoff_max_s": 1.0})
    with Proxy(port) as proxy, capture(tmp_path, f"rtsp://127.0.0.1:{proxy.port}/stream", slowing) as camera:
        camera.wait_for(lambda _: len(proxy.accepted_s) >= 14)
        assert camera.states() == ["lost"]
    # Each try is followed by a look at the network, which the proxy counts as well.
    pauses_s = [after - before for before, after in itertools.pairwise(proxy.accepted_s[::2])]
    for pause_s, nominal_s in zip(pauses_s, (0.1, 0.2, 0.4, 0.8, 1.0, 1.0), strict=False):
        assert 0.75 * nominal_s <= pause_s < 1.25 * nominal_s + 0.5
    assert pauses_s[4] > 3 * pauses_s[0]


def test_a_host_that_is_not_known_is_told_once_and_tried_again(tmp_path):
    with capture(tmp_path, "rtsp://no-such-host.invalid/stream", IMPATIENT) as camera:
        assert "host no-such-host.invalid is not known" in camera.wait_for_state("lost").reason
        camera.listen(2.0)
        assert camera.states() == ["lost"]
        assert camera.longest_silence_s() < 1.0 + SLACK_S
