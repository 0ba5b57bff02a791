"""After every test: no new thread, no child process, no shared memory of ours. GPU tests run where there is one."""

import multiprocessing
import os
import threading
import time
from pathlib import Path

import psutil
import pytest

SHARED_MEMORY = Path("/dev/shm")
PATIENCE_S = 5.0


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu"):
        import torch  # not at the top: most tests do without it, and it takes seconds

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device")


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    """Fixtures of a whole module come before this one, so what they hold does not count."""
    before = _held()
    yield
    deadline_s = time.monotonic() + PATIENCE_S
    while (left := _held() - before) and (left := left - _of_others(left)) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert not left, f"left behind: {', '.join(sorted(map(_describe, left)))}"


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
