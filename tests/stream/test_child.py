import multiprocessing
import os
import signal
import time
from contextlib import contextmanager

import pytest

from stream import child

SPAWN = multiprocessing.get_context("spawn")
HERE = "tests.stream.test_child"


def waits_for_stop(spec, parent):
    parent.ready()
    while not parent.stopping():
        time.sleep(0.01)


def adapts(spec, parent):
    parent.ready()
    while not parent.stopping():
        new = parent.new_spec()
        if new == "rtsp://user:s3cret@gate/":
            parent.refuse(f"{new}: not like this")
        elif new is not None:
            assert parent.new_spec() is None
            parent.ready()
        time.sleep(0.01)


def returns(spec, parent):
    parent.ready()


def refuses(spec, parent):
    raise child.ChildError(f"{spec}: no such device\nand a second line")


def breaks(spec, parent):
    raise ValueError(f"cannot open {spec}")


def asks_to_quit(spec, parent):
    parent.ask_to_quit()
    waits_for_stop(spec, parent)


def hears_a_lot(spec, parent):
    """Signals that a terminal sends to all do not end a child."""
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGHUP)
    waits_for_stop(spec, parent)


@contextmanager
def running(target, spec=None, log_file=None):
    """The process, and the parent's end of its line."""
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=child.main, args=("cam", target, spec, there, log_file), daemon=True)
    process.start()
    there.close()
    try:
        yield process, here
    finally:
        process.kill()
        process.join(10)
        process.close()
        here.close()


def heard(line, within_s=20.0):
    assert line.poll(within_s), "the child says nothing"
    return line.recv()


def test_a_child_says_ready_and_stops_when_told():
    with running(f"{HERE}:waits_for_stop") as (process, line):
        assert heard(line) == (child.READY, "")
        line.send(child.STOP)
        process.join(10)
        assert process.exitcode == 0


def test_a_child_takes_up_or_refuses_another_spec_without_password_and_goes_on():
    with running(f"{HERE}:adapts") as (process, line):
        assert heard(line) == (child.READY, "")
        line.send((child.CHANGE, "another"))
        assert heard(line) == (child.READY, "")
        line.send((child.CHANGE, "rtsp://user:s3cret@gate/"))
        assert heard(line) == (child.REFUSED, "rtsp://user:***@gate/: not like this")
        line.send(child.STOP)
        process.join(10)
        assert process.exitcode == 0


def test_a_child_stops_when_its_parent_is_gone():
    with running(f"{HERE}:waits_for_stop") as (process, line):
        assert heard(line) == (child.READY, "")
        line.close()
        process.join(10)
        assert process.exitcode == 0


def test_a_child_whose_task_is_over_ends_with_status_0():
    with running(f"{HERE}:returns") as (process, line):
        assert heard(line) == (child.READY, "")
        process.join(10)
        assert process.exitcode == 0


def test_a_child_that_cannot_do_its_task_says_why_in_one_line_without_password(tmp_path):
    with running(f"{HERE}:refuses", "rtsp://user:s3cret@gate/", tmp_path / "log") as (process, line):
        assert heard(line) == (child.ERROR, "rtsp://user:***@gate/: no such device and a second line")
        process.join(10)
        assert process.exitcode == 1
    assert (tmp_path / "log").read_text() == ""  # the parent is the one to tell


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (f"{HERE}:breaks", "ValueError: cannot open rtsp://user:***@gate/"),
        (f"{HERE}:missing", "AttributeError: module 'tests.stream.test_child' has no attribute 'missing'"),
        ("no.such:run", "ModuleNotFoundError: No module named 'no'"),
    ],
)
def test_a_child_that_breaks_tells_its_parent_and_logs_where_without_password(tmp_path, target, reason):
    with running(target, "rtsp://user:s3cret@gate/", tmp_path / "log") as (process, line):
        assert heard(line) == (child.ERROR, reason)
        process.join(10)
        assert process.exitcode == 1
    (logged,) = (tmp_path / "log").read_text().splitlines()
    assert "ERROR   cam: cam stopped working | Traceback" in logged
    assert logged.endswith(reason)
    assert "s3cret" not in logged


def runs_out_of_memory(spec, parent):
    raise MemoryError


def test_a_child_without_memory_says_so_and_what_helps():
    with running(f"{HERE}:runs_out_of_memory") as (process, line):
        word, reason = heard(line)
        process.join(10)
    assert word == child.ERROR
    assert reason.startswith("out of memory: raise its limit, watch fewer cameras")


def test_a_child_may_ask_to_quit():
    with running(f"{HERE}:asks_to_quit") as (_, line):
        assert heard(line) == (child.QUIT, "")


def test_ctrl_c_and_a_closing_terminal_are_left_to_the_parent():
    with running(f"{HERE}:hears_a_lot") as (process, line):
        assert heard(line) == (child.READY, "")
        line.send(child.STOP)
        process.join(10)
        assert process.exitcode == 0
