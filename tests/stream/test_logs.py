import logging
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import psutil
import pytest

from stream import logs

REPOSITORY = Path(__file__).parents[2]
logger = logging.getLogger("stream.test")


@pytest.fixture
def root():
    """Call it for the root logger without pytest's handlers, which come back when the test is over."""
    root = logging.getLogger()
    kept, level = [], root.level

    def alone():
        kept.extend(root.handlers)
        root.handlers = []
        return root

    yield alone
    for handler in root.handlers:
        handler.close()
    root.handlers = kept
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def log(tmp_path, root):
    """Call it to begin logging to a file; it returns a function for the file's lines so far."""

    def begin():
        root()
        logs.configure("worker", tmp_path / "log")
        return lambda: (tmp_path / "log").read_text().splitlines()

    return begin


def test_a_line_has_time_level_process_and_message(log):
    lines = log()
    logger.warning("camera %s lost", "gate")
    logger.debug("not for operators")
    (line,) = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING worker: camera gate lost", line)


@pytest.mark.parametrize(
    "url",
    [
        "rtsp://user:s3cret@gate:554/path",
        "rtsps://user:s3c@r:e/t?@gate/path",
        "HTTP://user:s3cret@gate",
        "http://gate/video?user=a&password=s3cret",
    ],
)
def test_no_password_gets_into_the_log(log, url):
    lines = log()
    logger.info(f"cannot open {url}")
    logger.info("cannot open %s", url)
    logger.info("cannot open %(url)r", {"url": url})
    logger.info("%s", ValueError(url))
    logger.info("two of them: %s and '%s'", url, url)
    try:
        raise ValueError(url)
    except ValueError as error:
        logger.exception("stopped")
        logger.info("again", exc_info=error, stack_info=True)
    logger.info("%d is no number: " + url, url)
    written = lines()
    assert len(written) == 8
    assert not any("s3c" in line for line in written)
    assert all("gate" in line for line in written[:7])


def test_a_record_is_one_line_whatever_it_holds(log):
    lines = log()
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logger.exception("stopped\r\n\x1b[2Jworking\0\u2028")
    (line,) = lines()
    assert line.isprintable()
    assert "stopped | \\x1b[2Jworking\\x00" in line
    assert line.endswith("ValueError: first | second")


def test_text_that_is_no_unicode_is_written_all_the_same(log):
    lines = log()
    logger.info("file %s", os.fsdecode(b"clip\xff.mp4"))
    assert lines()[0].endswith("file clip\\udcff.mp4")


def test_a_message_that_does_not_fit_its_arguments_is_reported_not_raised(log):
    lines = log()
    logger.info("%d frames", "many")
    (line,) = lines()
    assert "does not fit its arguments" in line
    assert "test_logs.py" in line


def test_warnings_of_python_are_logged(log):
    lines = log()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old call", DeprecationWarning, stacklevel=1)
    (line,) = lines()
    assert "WARNING worker: " in line
    assert "DeprecationWarning: old call" in line


def test_configuring_again_replaces_what_was_there(log, tmp_path):
    lines = log()
    open_files = psutil.Process().num_fds()
    logs.configure("sink", tmp_path / "folder" / "other")
    logger.info("once")
    assert len(logging.getLogger().handlers) == 1
    assert psutil.Process().num_fds() == open_files
    assert lines() == []
    assert (tmp_path / "folder" / "other").read_text().endswith("INFO    sink: once\n")


def test_the_file_may_be_cut_short_while_it_is_written(log, tmp_path):
    lines = log()
    logger.info("one")
    os.truncate(tmp_path / "log", 0)
    logger.info("two")
    (line,) = lines()
    assert line.endswith("two")


def test_without_a_file_the_log_goes_to_standard_error(root, capfd):
    root()
    logs.configure("cam 100%", None)
    logger.info("live")
    out, err = capfd.readouterr()
    assert out == ""
    assert err.endswith("INFO    cam 100%: live\n")


def test_a_log_that_cannot_be_opened_is_one_clear_line(tmp_path, root):
    root()
    with pytest.raises(logs.LogError, match=r"^log file .*: cannot be written: Is a directory$"):
        logs.configure("worker", tmp_path)
    assert logging.getLogger().handlers == []


def test_a_disk_that_is_full_does_not_stop_the_work(root):
    root()
    with pytest.raises(OSError, match="No space left"), Path("/dev/full").open("w") as full:
        full.write("x")
    logs.configure("worker", Path("/dev/full"))
    logger.info("lost")


def test_lines_of_several_processes_do_not_mix(tmp_path):
    code = (
        "import logging, sys; from pathlib import Path; from stream import logs\n"
        "logs.configure(sys.argv[1], Path(sys.argv[2]))\n"
        "for n in range(2000): logging.getLogger().info('%s', sys.argv[1] * 300)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, name, tmp_path / "log"], cwd=REPOSITORY) for name in "abc"
    ]
    assert [process.wait(30) for process in processes] == [0, 0, 0]
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 6000
    assert {line.split(" ", 1)[1] for line in lines} == {f"INFO    {name}: {name * 300}" for name in "abc"}
