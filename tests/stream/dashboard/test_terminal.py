import os
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.stream.pseudo_terminal import PseudoTerminal

REPOSITORY = Path(__file__).parents[3]

READS_KEYS = """
import time
from stream.dashboard.terminal import Terminal
with Terminal() as terminal:
    print("ready", terminal.size(), flush=True)
    typed = ""
    while not typed.endswith("."):
        typed += "".join(terminal.read_keys())
        time.sleep(0.01)
print("typed", repr(typed), flush=True)
"""
STARTS_ITSELF_IN_THE_BACKGROUND = """
import subprocess, sys
code = "from stream.dashboard.terminal import Terminal\\nwith Terminal(): pass"
run = subprocess.run([sys.executable, "-c", code], process_group=0, capture_output=True, text=True)
print(run.stderr.splitlines()[-1])
"""
LOSES_ITS_TERMINAL = """
import contextlib, signal, sys, time
from pathlib import Path
from stream.dashboard.terminal import Terminal, TerminalError
signal.signal(signal.SIGHUP, signal.SIG_IGN)
try:
    with Terminal() as terminal:
        with contextlib.suppress(OSError):  # who reads it may hang up before the writing is over
            print("ready", flush=True)
        end_s = time.monotonic() + 20
        while time.monotonic() < end_s:
            terminal.read_keys()
            terminal.size()
            time.sleep(0.01)
except TerminalError as error:
    Path(sys.argv[1]).write_text(str(error))
"""


def test_keys_come_one_by_one_and_are_not_shown():
    with PseudoTerminal(["-c", READS_KEYS]) as window:
        window.wait_for("ready")
        assert not window.echoes
        window.type("ab")
        window.type("Ü.")
        assert window.end() == 0
        assert "typed 'abÜ.'" in window.text
        assert window.text.count("ab") == 1


def test_special_keys_come_by_name_or_not_at_all():
    """F2 is ESC O Q, and used to end the whole application as if it were q."""
    with PseudoTerminal(["-c", READS_KEYS]) as window:
        window.wait_for("ready")
        window.type("x\x1bOQ\x1b[15;2~\x1bq\x1b[A\ry.")
        assert window.end() == 0
        assert "typed 'xupentery.'" in window.text


@pytest.mark.parametrize(("columns", "lines", "size"), [(132, 50, "(132, 50)"), (0, 0, "(80, 24)")])
def test_the_size_is_the_windows_or_80_by_24_where_it_does_not_know(columns, lines, size):
    with PseudoTerminal(["-c", READS_KEYS], columns, lines) as window:
        window.wait_for(f"ready {size}")
        window.type(".")
        assert window.end() == 0


def test_the_terminal_is_put_back_as_it_was():
    with PseudoTerminal(["-c", READS_KEYS]) as window:
        window.wait_for("ready")
        assert window.modes != window.modes_before
        window.type(".")
        assert window.end() == 0
        assert window.modes == window.modes_before


def test_the_terminal_is_put_back_after_an_exception():
    code = "from stream.dashboard.terminal import Terminal\nwith Terminal():\n    raise ValueError"
    with PseudoTerminal(["-c", code]) as window:
        assert window.end() == 1
        assert "ValueError" in window.text
        assert window.modes == window.modes_before


def test_ctrl_c_is_still_a_signal_after_which_the_terminal_is_put_back():
    with PseudoTerminal(["-c", READS_KEYS]) as window:
        window.wait_for("ready")
        window.type("\x03")
        window.end()
        assert "KeyboardInterrupt" in window.text
        assert window.modes == window.modes_before


def test_ctrl_z_and_ctrl_s_stop_nothing():
    with PseudoTerminal(["-c", READS_KEYS]) as window:
        window.wait_for("ready")
        window.type("\x1a\x13.")
        assert window.end() == 0
        assert r"typed '\x1a\x13.'" in window.text


def test_what_was_typed_and_not_read_is_not_left_to_the_shell():
    code = (
        "import os, select, time\nfrom stream.dashboard.terminal import Terminal\n"
        "with Terminal():\n"
        "    print('ready', flush=True)\n"
        "    select.select([0], [], [], 20)\n"
        "print('left', select.select([0], [], [], 0)[0])\n"
    )
    with PseudoTerminal(["-c", code]) as window:
        window.wait_for("ready")
        window.type("rm\r")
        assert window.end() == 0
        assert "left []" in window.text


def test_echo_comes_back_even_where_a_display_that_was_killed_left_it_off():
    with PseudoTerminal(["-c", READS_KEYS]) as killed:
        killed.wait_for("ready")
        left_over = killed.modes
    with PseudoTerminal(
        ["-c", "import time\nprint('up', flush=True)\nimport sys; sys.stdin.readline()\n" + READS_KEYS]
    ) as window:
        window.wait_for("up")
        termios.tcsetattr(window._program, termios.TCSANOW, left_over)
        assert not window.echoes
        window.type("\n")
        window.wait_for("ready")
        window.type(".")
        assert window.end() == 0
        assert window.echoes


def test_without_a_terminal_the_error_says_what_to_do():
    code = "from stream.dashboard.terminal import Terminal\nTerminal()"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        start_new_session=True,
        check=False,
    )
    assert run.stderr.splitlines()[-1] == (
        "stream.dashboard.terminal.TerminalError: dashboard: there is no terminal here: start with --headless"
    )


def test_in_the_background_the_error_says_what_to_do_and_the_terminal_stays_as_it_is():
    with PseudoTerminal(["-c", STARTS_ITSELF_IN_THE_BACKGROUND]) as window:
        assert window.end() == 0
        assert "dashboard: cannot draw from the background: start with --headless" in window.text
        assert window.modes == window.modes_before


def test_a_terminal_that_goes_away_is_one_clear_line(tmp_path):
    with PseudoTerminal(["-c", LOSES_ITS_TERMINAL, tmp_path / "said"]) as window:
        window.wait_for("ready")
        window.hang_up()
        assert window.process.wait(20) == 0
        assert (tmp_path / "said").read_text() == f"dashboard: the terminal is gone: {os.strerror(5)}"
