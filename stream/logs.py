"""Logging of a process: one line per record, on standard error or in a file that all processes share.

Records go straight to the file, each in one appending write that the system keeps whole, and not through a queue to
one listener: a child killed while it holds the queue's lock would silence all the others for good.
"""

import contextlib
import logging
import os
import re
from datetime import UTC, datetime
from pathlib import Path

from stream.clock import utc_text
from stream.source.error import redact

_STANDARD_ERROR = 2
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_LINE_END = re.compile(r"\s*\n\s*")


class LogError(Exception):
    """The log file cannot be written; the message says which and why."""


def configure(name: str, log_file: Path | None) -> None:
    """Send this process's log, from INFO on, and Python's warnings to `log_file`, or to standard error for None.

    Lines read `2026-01-31T12:00:00.120Z WARNING worker: message`. Calling it again replaces what it set up before.
    The file is only ever appended to, so it may be cut short while the application runs.

    Args:
        name: The process, in every line.

    Raises:
        LogError: The file cannot be opened.
    """
    handler = _LineHandler(log_file)
    handler.setFormatter(_LineFormatter(name))
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _LineHandler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)


def without_passwords(text: str) -> str:
    """The text with the password hidden in each URL it holds."""
    return _URL.sub(lambda match: redact(match[0]), text)


class _LineHandler(logging.Handler):
    """Writes each record with a single call, past all buffers."""

    def __init__(self, log_file: Path | None) -> None:
        super().__init__()
        self._own: int | None = None
        if log_file is not None:
            try:
                log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._own = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            except OSError as error:
                raise LogError(f"log file {log_file}: cannot be written: {error.strerror}") from error

    def emit(self, record: logging.LogRecord) -> None:
        line = f"{self.format(record)}\n".encode(errors="backslashreplace")
        # A full disk or a closed terminal must not stop the work, and there is nowhere left to say so.
        with contextlib.suppress(OSError):
            os.write(_STANDARD_ERROR if self._own is None else self._own, line)

    def close(self) -> None:
        self.acquire()
        try:
            if self._own is not None:
                os.close(self._own)
                self._own = None
        finally:
            self.release()
        super().close()


class _LineFormatter(logging.Formatter):
    """One line whatever a record holds, without passwords."""

    def __init__(self, name: str) -> None:
        escaped = name.replace("%", "%%")
        super().__init__(f"%(asctime)s %(levelname)-7s {escaped}: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802, ARG002
        return utc_text(datetime.fromtimestamp(record.created, UTC))

    def format(self, record: logging.LogRecord) -> str:
        try:
            text = super().format(record)
        except (TypeError, ValueError) as error:  # logging's own report of this would show passwords
            text = f"log message at {record.pathname}:{record.lineno} does not fit its arguments: {error}"
        # The finished text is what is cleaned, so that message, arguments, traceback and warnings are all covered.
        text = _LINE_END.sub(" | ", text.rstrip())
        text = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
        return without_passwords(text)
