"""The clock on the wall may be set while the monitor runs: it is for stamps, and nothing is timed by it."""

import itertools
import shutil
import subprocess

import pytest

from tests import rtsp_server
from tests.clips import make_clip
from tests.faults.capture import QUICK, capture
from tests.rtsp_server import serve
from tests.test_arrows import modules, used

WALL_CLOCKS = {"time.time", "time.time_ns", "datetime.datetime.now", "datetime.datetime.utcnow"}
STAMPS = {
    "calibrate.calibration": "when a model was made",
    "calibrate.feedback.update": "the same",
    "calibrate.toy.command": "a folder's name",
    "stream.alerts.commands": "which stored alerts are asked for",
    "stream.clock": "UTC stamps of messages and records",
    "stream.commands": "which stored alerts are the demo's",
    "stream.doctor.resources": "whether it can be believed",
    "stream.notify.webhook": "when a signature was made, for its receiver",
    "stream.overview": "the time of day on the dashboard",
    "stream.reading": "a frame's UTC stamp",
    "stream.sink.retention": "which stored alerts are too old",
    "stream.sink.process": "when an outage began, in UTC",
    "stream.store.store": "when a notice was made, which outlives processes",
    "stream.sink.strays": "which files are old enough to be nobody's",
}
"""All modules that read the clock on the wall, and what for."""

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, now);
    if (clock == CLOCK_REALTIME && access(getenv("CLOCK_STEP"), F_OK) == 0) now->tv_sec -= 86400;
    return status;
}
"""


def test_only_stamps_are_taken_from_the_clock_on_the_wall():
    assert {name for name in modules() if used(name) & WALL_CLOCKS} == set(STAMPS)


@pytest.mark.skipif(rtsp_server.missing() is not None, reason=str(rtsp_server.missing()))
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to make a clock that can be set")
def test_a_clock_set_back_by_a_day_changes_nothing_but_the_stamps(tmp_path, monkeypatch):
    step, shim, source = tmp_path / "step", tmp_path / "shim.so", tmp_path / "shim.c"
    source.write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True, timeout=60)
    with serve([make_clip(tmp_path / "clip.mp4")], loop=True) as url:
        monkeypatch.setenv("LD_PRELOAD", str(shim))
        monkeypatch.setenv("CLOCK_STEP", str(step))
        with capture(tmp_path / "bus", url, QUICK) as camera:
            monkeypatch.delenv("LD_PRELOAD")
            camera.wait_for_frames(20)
            step.touch()
            camera.wait_for_frames(20)
            frames = camera.frames()
            assert camera.states() == ["live"]
            assert camera.stop() < 1.0
    steps_s = [after.utc_s - before.utc_s for before, after in itertools.pairwise(frames)]
    assert min(steps_s) == pytest.approx(-86400, abs=5)
    assert frames[-1].stream_time_s == pytest.approx(frames[-1].captured_at_s - frames[0].captured_at_s, abs=1.0)
    assert max(after.stream_time_s - before.stream_time_s for before, after in itertools.pairwise(frames)) < 1
