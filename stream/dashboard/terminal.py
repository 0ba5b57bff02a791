"""The terminal under a full-screen display: single keys, its size, a file to draw on, and all of it put back.

Opens the controlling terminal itself, because a spawned process has no standard input. Does not know what is drawn.
"""

import contextlib
import io
import os
import select
import termios
import time
from types import TracebackType
from typing import Any, Self

from stream.dashboard.keys import KeyReader

_DEVICE = "/dev/tty"
_MOST_BYTES = 64  # of keys at a time
_LAST_OUTPUT_S = 0.3  # for what puts the screen back to get out, where the terminal is slow


class TerminalError(Exception):
    """There is no terminal to use; the message says what to do."""


class Terminal:
    """The controlling terminal inside a `with` block: keys come one by one and are not shown.

    Ctrl-C stays a signal. Ctrl-Z and Ctrl-S do nothing meanwhile: a display that stands still gives no sign of life.
    Writing to `file` never waits: a terminal that takes nothing, such as one at the far end of a line that went down,
    must not hold the program. Ask `behind` before drawing more.

    Raises:
        TerminalError: There is none, or it is not this program's at the moment.
    """

    def __init__(self) -> None:
        try:
            self._descriptor = os.open(_DEVICE, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise TerminalError("dashboard: there is no terminal here: start with --headless") from error
        self._keys = KeyReader()
        self._output = _Output(self._descriptor)
        self.file = io.TextIOWrapper(self._output, encoding="utf-8", write_through=True)  # type: ignore[type-var]

    def __enter__(self) -> Self:
        try:
            if not self._in_foreground():
                raise TerminalError("dashboard: cannot draw from the background: start with --headless")
            self._before = termios.tcgetattr(self._descriptor)
            termios.tcsetattr(self._descriptor, termios.TCSANOW, _keys_one_by_one(self._before))
        except (OSError, termios.error) as error:
            self._close()
            raise TerminalError(f"dashboard: the terminal cannot be used: {error}") from error
        except TerminalError:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError, termios.error):  # a terminal that was closed needs nothing put back
            self._output.send(_LAST_OUTPUT_S)
            if self._in_foreground():  # otherwise a shell has it already, in the way it wants it
                termios.tcflush(self._descriptor, termios.TCIFLUSH)
                termios.tcsetattr(self._descriptor, termios.TCSANOW, _line_by_line(self._before))
        self._close()

    def read_keys(self) -> list[str]:
        """What was typed since the last call, key by key; see `stream.dashboard.keys`. Never waits.

        Raises:
            TerminalError: The terminal is gone.
        """
        typed = b""
        if select.select([self._descriptor], [], [], 0.0)[0]:
            try:
                typed = os.read(self._descriptor, _MOST_BYTES)
            except OSError as error:
                raise TerminalError(f"dashboard: the terminal is gone: {error.strerror}") from error
        return self._keys.read(typed, time.monotonic())

    def behind(self, within_s: float = 0.0) -> bool:
        """Whether the terminal has not taken all that was written to it, after waiting for that so long at most.

        Raises:
            OSError: The terminal is gone.
        """
        return not self._output.send(within_s)

    def size(self) -> tuple[int, int]:
        """Columns and lines; 80 × 24 where the terminal does not know.

        Raises:
            TerminalError: The terminal is gone.
        """
        try:
            columns, lines = os.get_terminal_size(self._descriptor)
        except OSError as error:
            raise TerminalError(f"dashboard: the terminal is gone: {error.strerror}") from error
        return columns or 80, lines or 24

    def _in_foreground(self) -> bool:
        return os.tcgetpgrp(self._descriptor) == os.getpgrp()

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


class _Output(io.RawIOBase):
    """Bytes for a descriptor that does not block, kept until it takes them."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._kept = b""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._kept += bytes(data)
        return len(data)

    def flush(self) -> None:
        if not self.closed:
            self.send()

    def send(self, within_s: float = 0.0) -> bool:
        """Hand over what is taken within this time; whether that is all."""
        deadline_s = time.monotonic() + within_s
        while self._kept:
            try:
                self._kept = self._kept[os.write(self._descriptor, self._kept) :]
            except BlockingIOError:
                left_s = deadline_s - time.monotonic()
                if left_s <= 0.0 or not select.select([], [self._descriptor], [], left_s)[1]:
                    return False
        return True

    def close(self) -> None:
        self._kept = b""  # or closing would try to send it once more
        super().close()


# The seven parts that termios gives as a plain list.
_IN, _LOCAL, _CHARACTERS = 0, 3, 6
_Modes = list[int | list[bytes | int]]


def _keys_one_by_one(before: _Modes) -> _Modes:
    modes = _copy(before)
    modes[_IN] = _flags(modes[_IN]) & ~termios.IXON
    modes[_LOCAL] = _flags(modes[_LOCAL]) & ~(termios.ICANON | termios.ECHO)
    characters = modes[_CHARACTERS]
    assert isinstance(characters, list)
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    characters[termios.VSUSP] = b"\0"
    return modes


def _line_by_line(before: _Modes) -> _Modes:
    """The modes found at the start, with echo also where a display killed before this one had left it off."""
    modes = _copy(before)
    modes[_LOCAL] = _flags(modes[_LOCAL]) | termios.ICANON | termios.ECHO
    return modes


def _copy(modes: _Modes) -> _Modes:
    return [list(part) if isinstance(part, list) else part for part in modes]


def _flags(part: int | list[bytes | int]) -> int:
    assert isinstance(part, int)
    return part
