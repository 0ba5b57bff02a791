"""After every test: no new thread, no child process, no shared memory of ours. GPU tests run where there is one."""

import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests import program

SHARED_MEMORY = Path("/dev/shm")
PATIENCE_S = 5.0
_OWN_BASE = pytest.StashKey[str]()


# Read when torch is loaded: where several tests run side by side, threads that spin while they wait take the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_configure(config):
    """Short paths for temporary files: pytest's own, with a test's name in them, are too long for a socket."""
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        config.option.basetemp = config.stash[_OWN_BASE] = tempfile.mkdtemp(prefix="tests-")


def pytest_sessionfinish(session, exitstatus):
    """What failed may be looked at afterwards."""
    if exitstatus == 0 and (folder := session.config.stash.get(_OWN_BASE, None)):
        shutil.rmtree(folder, ignore_errors=True)


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu"):
        import torch  # not at the top: most tests do without it, and it takes seconds

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


@dataclass(frozen=True, kw_only=True)
class Street:
    """A camera on the drawn street that was calibrated by the command line, small and quick."""

    model: Path
    config: Path
    """Site file with the settings of the calibration."""
    report: str
    """What was printed."""
    normal: str = "demo://street?seed=8&width=320&height=180"
    """Source that plays another ordinary day."""
    van: str = "demo://street?seed=8&width=320&height=180&seconds=30&anomalies=1&kinds=vehicle"
    """The same with a vehicle on the lawn from about second 12 on."""


@pytest.fixture(scope="session")
def street(tmp_path_factory):
    """Once for all tests; it takes some ten seconds."""
    folder = tmp_path_factory.mktemp("street")
    config = folder / "small.yaml"
    config.write_text(
        "analysis: {rate_fps: 3, long_side_px: 320}\n"
        "calibration: {alerts_per_day: 1000, folds: 2, steps: 60, seed: 1}\n"
        "worker: {device: cpu, threads: 1}\n"
    )
    model = folder / "street.mulde"
    footage = "demo://street?seconds=45&width=320&height=180"
    made = program.run(folder, "calibrate", footage, "--model", model, "--config", config, "--device", "cpu")
    assert made.returncode == 0, made.stderr
    return Street(model=model, config=config, report=made.stdout)


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    """Fixtures of a whole module come before this one, so what they hold does not count."""
    before = _held()
    yield
    deadline_s = time.monotonic() + PATIENCE_S
    while (left := _left(before)) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert not left, f"left behind: {', '.join(sorted(map(_describe, left)))}"


def _left(before):
    left = _held() - before
    return left - _of_others(left) - _of_fixtures(left, before)


def _held():
    """Threads, children and shared memory there are now, as (kind, which)."""
    multiprocessing.active_children()  # takes the exit status of those that are over
    threads = {("thread", thread.ident) for thread in threading.enumerate()}
    children = {("child", child.pid) for child in psutil.Process().children(recursive=True) if not _is_kept(child)}
    memory = {("shared memory", path.name) for path in SHARED_MEMORY.glob("mulde_*")}
    return threads | children | memory


def _is_kept(child):
    """Whether multiprocessing keeps this process on purpose, to clean up after all others."""
    try:
        return "resource_tracker" in " ".join(child.cmdline())
    except psutil.ZombieProcess:
        return False
    except psutil.NoSuchProcess:
        return True


def _describe(left):
    kind, which = left
    words = [thread.name for thread in threading.enumerate() if kind == "thread" and thread.ident == which]
    if kind == "child":
        try:
            words = [psutil.Process(which).status(), *psutil.Process(which).cmdline()]
        except psutil.NoSuchProcess:  # also a zombie, which has no command line
            words = ["ended, but nobody asked how"]
    return f"{kind} {which} ({' '.join(words)})" if words else f"{kind} {which}"


def _of_others(held):
    """Shared memory in use by processes that are not ours: two test runs, or a monitor, on one machine."""
    names = {which for kind, which in held if kind == "shared memory"}
    ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
    found = set()
    for process in psutil.process_iter() if names else []:
        if process.pid not in ours:
            try:
                mapped = Path(f"/proc/{process.pid}/maps").read_text()
            except OSError:  # gone, or another user's
                continue
            found |= {("shared memory", name) for name in names if f"/dev/shm/{name}" in mapped}
    return found


def _of_fixtures(left, before):
    """Processes started by one that was there before, such as a browser's for its pages: they end with it."""
    found = set()
    for kind, which in left:
        if kind == "child":
            try:
                above = {(kind, parent.pid) for parent in psutil.Process(which).parents()}
            except psutil.NoSuchProcess:
                continue
            if above & before:
                found.add((kind, which))
    return found
