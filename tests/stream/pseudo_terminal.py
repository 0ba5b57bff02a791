"""A terminal without a screen: a program runs in it, a test types and reads what a person would see.

Run as a module, it makes its standard input the controlling terminal and becomes the program it is given.
"""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|.)")


class PseudoTerminal:
    """The user's side of a terminal in which `command` runs; whatever still runs at the end is killed."""

    def __init__(self, command, columns=80, lines=24):
        self._user, self._program = os.openpty()
        self.resize(columns, lines)
        self.written = ""
        """All that the program wrote, with its escape sequences."""
        self.modes_before = self.modes
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.stream.pseudo_terminal", *map(str, command)],
            stdin=self._program,
            stdout=self._program,
            stderr=self._program,
            cwd=REPOSITORY,
            start_new_session=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(10)
        self.hang_up()

    @property
    def modes(self):
        """How the terminal is set, as termios has it."""
        return termios.tcgetattr(self._program)

    @property
    def echoes(self):
        return bool(self.modes[3] & termios.ECHO)

    @property
    def text(self):
        """All that was written, as a person would read it."""
        return _ESCAPE.sub("", self.written)

    def resize(self, columns, lines):
        fcntl.ioctl(self._user, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys):
        os.write(self._user, keys.encode())

    def hang_up(self):
        """Close the window."""
        if self._user >= 0:
            os.close(self._user)
            os.close(self._program)
            self._user = -1

    def wait_for(self, wanted, within_s=20.0, meanwhile=lambda: None):
        """Read until the text, or what a function finds, is there; `meanwhile` is called again and again."""
        condition = wanted if callable(wanted) else lambda: wanted in self.text
        deadline_s = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline_s, f"not within {within_s} s: {wanted}\n{self.text[-4000:]}"
            meanwhile()
            self.read()

    def wait_for_new(self, text, **options):
        """The same for text that is written from now on."""
        self.read()
        known = len(self.written)
        self.wait_for(lambda: text in _ESCAPE.sub("", self.written[known:]), **options)

    def read(self, wait_s=0.05):
        if self._user >= 0 and select.select([self._user], [], [], wait_s)[0]:
            self.written += os.read(self._user, 65536).decode(errors="replace")

    def end(self, within_s=20.0):
        """The program's exit status."""
        deadline_s = time.monotonic() + within_s
        while self.process.poll() is None:
            assert time.monotonic() < deadline_s, f"still runs:\n{self.text[-4000:]}"
            self.read()  # or the program might wait for its output to be taken
        self.read()
        return self.process.returncode


if __name__ == "__main__":
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
