import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from stream.bus import Endpoints, Publisher, Subscriber
from stream.dashboard.svg import export_svg
from stream.overview import State
from tests.stream.pseudo_terminal import PseudoTerminal
from tests.stream.views import alert, at, camera, health, score

REPOSITORY = Path(__file__).parents[3]
PROGRAM = ["-W", "error", "-m", "tests.stream.dashboard_program"]
FULL_SCREEN, NO_CURSOR = ("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?25l", "\x1b[?25h")
"""How each is begun and ended."""
STOP_S = 3.0


@contextmanager
def dashboard(folder, *cameras, columns=80, lines=24):
    """The window, with the dashboard in it, and a publisher that it hears."""
    endpoints = Endpoints.in_folder(folder / "bus")
    with (
        PseudoTerminal([*PROGRAM, folder, *cameras], columns, lines) as window,
        Publisher(endpoints) as publisher,
    ):
        window.wait_for("north side")
        yield window, publisher


def tell(window, publisher, text, *messages):
    """Publish until the window shows the text: a subscription takes a moment to reach the publisher."""
    window.wait_for(text, meanwhile=lambda: [publisher.send(message) for message in messages])


def reason(folder):
    return (folder / "reason").read_text()


def expect_put_back(window):
    assert window.modes == window.modes_before
    for on, off in FULL_SCREEN, NO_CURSOR:
        assert -1 < window.written.rfind(on) < window.written.rfind(off)


def test_what_is_on_the_bus_is_on_the_screen(tmp_path):
    with dashboard(tmp_path, "gate", "yard") as (window, publisher):
        window.wait_for("waiting for the first picture")
        tell(window, publisher, "2.40/2.00", camera("gate"), score("gate", value=2.4))
        tell(window, publisher, "nothing listens there", camera("yard", "lost", "nothing listens there"))
        tell(window, publisher, "1 open", alert("start", camera="gate", region=(0, 0, 0.1, 0.1)))
        window.wait_for_new("upper left")
        tell(window, publisher, "0 open 1 today", alert("end", camera="gate"))
        assert "Traceback" not in window.text


def test_q_ends_the_application_and_the_terminal_is_put_back(tmp_path):
    with dashboard(tmp_path, "gate") as (window, _):
        assert not window.echoes
        pressed_s = time.monotonic()
        window.type("q")
        assert window.end() == 0
        assert time.monotonic() - pressed_s < STOP_S
        expect_put_back(window)
    assert reason(tmp_path) == "view asked to quit"


def test_ctrl_c_ends_the_application_and_the_terminal_is_put_back(tmp_path):
    with dashboard(tmp_path, "gate") as (window, _):
        window.type("\x03")
        assert window.end() == 0
        expect_put_back(window)
        assert "Traceback" not in window.text
    assert reason(tmp_path) == "SIGINT received"


def test_when_its_process_is_terminated_the_terminal_is_put_back(tmp_path):
    with dashboard(tmp_path, "gate") as (window, _):
        (view,) = [
            child
            for child in psutil.Process(window.process.pid).children()
            if "resource_tracker" not in str(child.cmdline())
        ]
        view.terminate()
        assert window.end() == 0
        expect_put_back(window)


def test_a_camera_is_opened_with_its_alert_and_picture_and_keys_lead_back(tmp_path, monkeypatch):
    monkeypatch.setenv("COLORTERM", "truecolor")
    red = np.full((90, 160, 3), (0, 0, 255), np.uint8)
    cv2.imwrite(str(tmp_path / "a-clean.jpg"), red)
    seen = alert("start", camera="yard", evidence=(str(tmp_path / "a-clean.jpg"),))
    with dashboard(tmp_path, "gate", "yard") as (window, publisher):
        tell(window, publisher, "1 open", camera("yard"), score("yard"), seen)
        window.type("?")
        window.wait_for_new("the camera before, the next one")
        window.type("\x1b")
        window.wait_for_new("▸ gate")
        window.type("\x1b")  # an arrow, in two writes
        window.type("[B")
        window.wait_for_new("▸ yard")
        window.type("\r")
        window.wait_for_new("╭─ yard ─")
        window.wait_for(lambda: re.search(r"\x1b\[38;2;248;0;0;48;2;248;0;0m▀{20}", window.written))
        window.resize(120, 40)
        window.wait_for_new(f"╰{'─' * 118}╯")
        window.wait_for_new("▀" * 40)
        window.type("\x1b[D")
        window.wait_for_new("╭─ gate ─")
        window.type("q")
        assert window.end() == 0
        expect_put_back(window)


def test_where_nothing_promises_more_a_picture_has_256_colours_and_without_colours_there_are_words(
    tmp_path, monkeypatch
):
    cv2.imwrite(str(tmp_path / "a.jpg"), np.full((90, 160, 3), (0, 0, 255), np.uint8))
    seen = alert("start", camera="gate", evidence=(str(tmp_path / "a.jpg"),))
    monkeypatch.delenv("COLORTERM", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for without, shown in (("", r"\x1b\[38;5;\d+;48;5;\d+m▀{20}"), ("1", "no picture: this terminal")):
        monkeypatch.setenv("NO_COLOR", without)
        with dashboard(tmp_path / f"bus{without}", "gate") as (window, publisher):
            tell(window, publisher, "1 open", seen)
            window.type("\r")
            window.wait_for(lambda shown=shown: re.search(shown, window.written))


def test_a_window_that_changes_its_size_is_filled_again(tmp_path):
    with dashboard(tmp_path, "gate") as (window, _):
        window.resize(120, 40)
        window.wait_for_new(f"╰{'─' * 118}╯")
        window.resize(60, 20)
        window.wait_for_new(f"\n╰{'─' * 58}╯")


def test_the_dashboard_goes_on_while_nobody_sends_anything(tmp_path):
    with dashboard(tmp_path, "gate") as (window, publisher):
        tell(window, publisher, "1.00/2.00", camera("gate"), score("gate"))
        window.wait_for_new("no score for ")
        publisher.send(health())  # of a process it does not show
        window.type("xyz\r")
        window.wait_for_new("q quit")
        assert window.process.poll() is None


def test_a_window_that_is_closed_ends_the_application(tmp_path):
    with dashboard(tmp_path, "gate") as (window, _):
        window.hang_up()
        assert window.process.wait(20) == 0
    assert reason(tmp_path) == "SIGHUP received"


def test_a_terminal_that_goes_away_under_nohup_is_one_clear_line(tmp_path):
    """The dashboard used to break with a traceback of its first ioctl."""
    program = (
        "import runpy, signal, sys\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "    runpy.run_module('tests.stream.dashboard_program', run_name='__main__', alter_sys=True)\n"
    )
    script = tmp_path / "nohup.py"
    script.write_text(program)
    Endpoints.in_folder(tmp_path / "bus")
    environment_path = {"PYTHONPATH": str(REPOSITORY)}
    with with_environment(environment_path), PseudoTerminal([script, tmp_path, "gate"]) as window:
        window.wait_for("north side")
        window.hang_up()
        assert window.process.wait(20) == 1
    assert re.fullmatch(
        r"view: dashboard: the terminal is gone: .*; given up after 0 restarts in 300 s", reason(tmp_path)
    )
    assert "Traceback" not in (tmp_path / "log").read_text()


@contextmanager
def with_environment(variables):
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_without_a_terminal_the_application_says_what_to_do(tmp_path):
    Endpoints.in_folder(tmp_path / "bus")
    run = subprocess.run(
        [sys.executable, *PROGRAM, tmp_path, "gate"],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        start_new_session=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (1, b"", b"")
    assert reason(tmp_path) == "view: dashboard: there is no terminal here: start with --headless"


def test_a_terminal_that_takes_nothing_holds_up_neither_the_dashboard_nor_the_end(tmp_path):
    """Over a line that went down the dashboard stood still, and was replaced until everything was given up."""
    endpoints = Endpoints.in_folder(tmp_path / "bus")
    with (
        Subscriber(endpoints, (b"health/view/",)) as beats,
        dashboard(tmp_path, "gate", columns=250, lines=70) as (window, _),
    ):
        # Nothing is read from here on. A page is 20 KB and more, the system keeps some ten of them.
        counters = [beats.receive(5.0) for _ in range(8)]  # one a second
        assert None not in counters
        window.process.send_signal(signal.SIGTERM)
        assert window.process.wait(STOP_S) == 0
        assert "did not stop" not in (tmp_path / "log").read_text()
    assert reason(tmp_path) == "SIGTERM received"


def test_after_a_terminal_took_nothing_for_a_while_the_page_is_whole_again(tmp_path):
    endpoints = Endpoints.in_folder(tmp_path / "bus")
    with (
        Subscriber(endpoints, (b"health/view/",)) as beats,
        dashboard(tmp_path, "gate", columns=250, lines=70) as (window, publisher),
    ):
        assert None not in [beats.receive(5.0) for _ in range(4)]
        tell(window, publisher, "2.40/2.00", camera("gate"), score("gate", value=2.4))
        window.type("q")
        assert window.end() == 0
        expect_put_back(window)


@pytest.fixture
def state():
    state = State(("gate",), at(0))
    state.take(camera("gate"), at(0))
    state.take(score("gate", value=3.0), at(1))
    return state


def test_the_picture_shows_the_page_and_loads_nothing_from_elsewhere(state, tmp_path):
    path = tmp_path / "docs" / "page.svg"
    export_svg(state, "north <side>", path, 100, 30, at(2))
    svg = path.read_text(encoding="utf-8")
    assert "3.00" in svg
    assert "north&#160;&lt;side&gt;" in svg
    assert re.findall(r"https?://(?!www\.w3\.org|www\.textualize\.io)", svg) == []
    assert "@font-face" not in svg
    assert [file.name for file in path.parent.iterdir()] == ["page.svg"]


def test_a_picture_replaces_the_one_before_in_one_step(state, tmp_path):
    path = tmp_path / "page.svg"
    path.write_text("before")
    with path.open() as reader:
        export_svg(state, "t", path, 80, 24, at(2))
        assert reader.read() == "before"
    assert path.read_text(encoding="utf-8").startswith("<svg")


def test_a_picture_that_cannot_be_written_is_an_error_of_the_system(state, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        export_svg(state, "t", tmp_path / "file" / "page.svg", 80, 24, at(2))
