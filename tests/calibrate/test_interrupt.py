import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from calibrate.interrupt import exit_on_interrupt

BUSY = """
import hashlib
from rich.console import Console
from calibrate.interrupt import exit_on_interrupt
with exit_on_interrupt(Console(stderr=True)):
    print("computing", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)  # some ten minutes in which Python handles no signal
"""


def test_ctrl_c_ends_a_process_that_is_in_the_middle_of_a_long_computation():
    with subprocess.Popen(
        [sys.executable, "-c", BUSY],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout.readline() == "computing\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130
            assert process.stderr.read() == "stopped\n"
        finally:
            process.kill()


def test_after_the_block_ctrl_c_is_what_it_was_before():
    with exit_on_interrupt(Console(file=io.StringIO())):
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_error_in_the_block_comes_out_of_it():
    with pytest.raises(LookupError), exit_on_interrupt(Console(file=io.StringIO())):
        raise LookupError
