"""Watches that run, as people, scripts, a service manager and Prometheus see them."""

import json
import os
import re
import signal
import socket
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from tests.program import Program, run
from tests.stream.health.test_metrics import samples

TROUBLE, NOTHING_RUNS = 1, 3


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def get(port, path):
    """Status and text of an answer, None where nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10.0) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except urllib.error.URLError:
        return None


def watch(folder, street, source, *options):
    arguments = ("watch", source, "--model", street.model, "--config", street.config, "--headless", *options)
    return Program(folder, *arguments)


@contextmanager
def service_manager(path):
    """A service manager's socket while the environment names it; gives what it was told so far."""
    told = []

    def listen():
        while received := receiver.recv(4096):
            told.append(dict(line.split("=", 1) for line in received.decode().splitlines()))

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver, pytest.MonkeyPatch.context() as patch:
        receiver.bind(str(path))
        listening = threading.Thread(target=listen)
        listening.start()
        patch.setenv("NOTIFY_SOCKET", str(path))
        try:
            yield told
        finally:
            receiver.connect(str(path))
            receiver.send(b"")
            listening.join()


@pytest.fixture(scope="module")
def watches(tmp_path_factory, street):
    """One that is well, told of to a service manager, and one of the same user whose camera is lost.

    The lost one's worker was killed, was seen to be missing, and came back.
    """
    folder = tmp_path_factory.mktemp("watches")
    for name in ("well", "lost"):
        (folder / name).mkdir()
    (folder / "well" / "tmp").mkdir()
    (folder / "lost" / "tmp").symlink_to(folder / "well" / "tmp")
    well_port, lost_port, nobody = free_port(), free_port(), free_port()
    dead = f"rtsp://viewer:s3cret-word@127.0.0.1:{nobody}/stream"
    kept = folder / "kept"
    with (
        watch(folder / "lost", street, dead, "--health", f"127.0.0.1:{lost_port}", "--store", kept) as lost,
        service_manager(folder / "notify") as told,
        watch(folder / "well", street, street.normal, "--health", f"127.0.0.1:{well_port}") as well,
    ):
        well.wait_for(lambda: (get(well_port, "/readyz") or [0])[0] == 200)
        lost.wait_for(lambda: (get(lost_port, "/readyz") or ["", ""])[1].startswith("camera cam1: lost"))
        lost.remember()
        (worker,) = [pid for pid, text in lost.maps().items() if "libtorch" in text]
        os.kill(worker, signal.SIGKILL)
        lost.wait_for(lambda: get(lost_port, "/readyz")[1].startswith("process worker: not ready\n"))
        lost.wait_for(lambda: get(lost_port, "/readyz")[1].startswith("camera cam1: lost"))
        yield SimpleNamespace(
            well=well,
            lost=lost,
            well_port=well_port,
            lost_port=lost_port,
            well_store=folder / "well" / "state" / "mulde-stream",
            lost_store=kept,
            told=told,
            status=lambda *options: run(folder / "well", "status", *options),
        )


def test_a_watch_that_is_well_is_status_0_and_tells_of_its_camera(watches):
    ended = watches.status("--store", watches.well_store)
    assert (ended.returncode, ended.stderr) == (0, "")
    first, camera, last = ended.stdout.splitlines()
    assert first.startswith("watch runs for 0:0")
    assert f"process {watches.well.process.pid}, " in first
    assert camera.startswith("  cam1  live, ")
    assert last == "  all well"


def test_the_status_for_programs_has_numbers(watches):
    ended = watches.status("--store", watches.well_store, "--json")
    (said,) = map(json.loads, ended.stdout.splitlines())
    assert (said["process"], said["well"], said["troubles"]) == (watches.well.process.pid, True, [])
    assert said["uptime_s"] > 1.0
    (camera,) = said["cameras"]
    assert (camera["camera"], camera["state"], camera["condition"]) == ("cam1", "live", "ok")
    assert 2.0 < camera["fps"] < 4.0  # 3 are analysed
    assert camera["captured"] > 3
    assert 0.0 < camera["latency_p50_ms"] <= camera["latency_p95_ms"]
    assert set(camera["drops"]) == {"damaged", "late", "overwritten", "stale"}
    processes = {one["process"]: one for one in said["processes"]}
    assert set(processes) == {"health", "sink", "worker", "capture-cam1"}
    assert all(one["ready"] for one in processes.values())


def test_both_watches_of_a_user_are_found_and_one_in_trouble_is_status_1(watches):
    ended = watches.status("--json")
    said = {one["store"]: one for one in map(json.loads, ended.stdout.splitlines())}
    assert ended.returncode == TROUBLE
    assert set(said) == {str(watches.well_store), str(watches.lost_store)}
    assert said[str(watches.well_store)]["well"]
    (trouble,) = said[str(watches.lost_store)]["troubles"]
    assert trouble.startswith("camera cam1: lost: rtsp://viewer:***@127.0.0.1:")
    assert "s3cret-word" not in ended.stdout + ended.stderr


def test_where_nothing_runs_it_is_status_3(tmp_path):
    ended = run(tmp_path, "status")
    assert (ended.returncode, ended.stdout, ended.stderr) == (NOTHING_RUNS, "", "no watch runs\n")
    assert run(tmp_path, "status", "--store", tmp_path / "nowhere", "--json").returncode == NOTHING_RUNS


def test_a_watch_that_stands_still_is_in_trouble(watches):
    watches.well.process.send_signal(signal.SIGSTOP)
    try:
        ended = watches.status("--store", watches.well_store)
    finally:
        watches.well.process.send_signal(signal.SIGCONT)
    assert ended.returncode == TROUBLE
    assert re.search(r"trouble: process supervisor: nothing heard for \d+ s", ended.stdout)


def test_a_watch_that_is_well_is_ready_and_one_without_its_camera_lives_but_is_not(watches):
    assert watches.well.wait_for(lambda: get(watches.well_port, "/readyz") == (200, "ok\n"))
    assert get(watches.well_port, "/healthz") == (200, "ok\n")
    assert get(watches.lost_port, "/healthz") == (200, "ok\n")
    status, text = get(watches.lost_port, "/readyz")
    assert status == 503
    assert text.startswith("camera cam1: lost: rtsp://viewer:***@127.0.0.1:")
    assert text.count("\n") == 1


def test_metrics_are_those_of_the_watch(watches):
    found = samples(get(watches.well_port, "/metrics")[1])
    assert found["camera_state", 'camera="cam1",state="live"'] == 1
    assert found["process_ready", 'process="worker"'] == 1
    assert found["frames_captured_total", 'camera="cam1"'] > 0
    assert found["latency_seconds_count", 'camera="cam1"'] == found["frames_analysed_total", 'camera="cam1"'] > 0
    assert found["batch_frames_sum", ""] > 0
    assert found["queue_frames", 'camera="cam1"'] >= 0
    assert found["alerts_open", 'camera="cam1"'] >= 0
    lost = samples(get(watches.lost_port, "/metrics")[1])
    assert lost["camera_state", 'camera="cam1",state="lost"'] == 1
    assert lost["frames_analysed_total", 'camera="cam1"'] == 0
    assert lost["process_restarts_total", 'process="worker"'] == 1
    assert lost["process_restarts_total", 'process="sink"'] == 0


def test_a_store_in_use_and_a_port_in_use_are_told_in_one_line(tmp_path, street, watches):
    arguments = ("watch", street.normal, "--model", street.model, "--config", street.config, "--headless")
    ended = run(tmp_path, *arguments, "--store", watches.well_store)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"error: store {watches.well_store}: another watch has it: stop that, or name another with --store\n"
    )
    ended = run(tmp_path, *arguments, "--health", f"127.0.0.1:{watches.well_port}")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        f"error: health: cannot listen at 127.0.0.1:{watches.well_port}: Address already in use: "
        "name another with --health"
    )
    assert "Traceback" not in ended.stderr


def test_a_killed_watch_does_not_run(tmp_path, street):
    with watch(tmp_path, street, street.normal) as watching:
        store = tmp_path / "state" / "mulde-stream"
        watching.wait_for(lambda: len(watching.tree) >= 3)  # with what cleans up, and a first process
        assert (store / "watch.json").stat().st_size > 0
        os.kill(watching.process.pid, signal.SIGKILL)
        watching.process.wait(10)
        assert run(tmp_path, "status").returncode == NOTHING_RUNS
        assert run(tmp_path, "status", "--store", store).returncode == NOTHING_RUNS


def test_a_service_manager_is_told_of_the_start_the_work_and_the_end(watches):
    """The last one: it ends the watch that is well."""
    told = watches.told
    watches.well.process.send_signal(signal.SIGTERM)
    assert watches.well.process.wait(10) == 0
    ready = told.index({"READY": "1"})
    assert all("READY" not in one for one in told[ready + 1 :])
    assert all(one["STATUS"].partition(" of 4")[0] in ("0", "1", "2", "3") for one in told[:ready] if "STATUS" in one)
    beats = [one for one in told[ready:] if "WATCHDOG" in one]
    assert len(beats) > 3
    assert beats[-1] == {"WATCHDOG": "1", "STATUS": "4 of 4 processes ready, 0 restarts"}
    assert told[-1] == {"STOPPING": "1", "STATUS": "stopping: SIGTERM received"}
