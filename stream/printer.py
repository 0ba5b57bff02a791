"""The printer process behind `--json`: scores, alerts and camera states on standard output, a JSON object a line.

Fed by the broadcast lane, like every observer: a reader that is too slow misses messages.
"""

import os
import select
import time
from dataclasses import dataclass

from stream.bus import Endpoints, Publisher, Subscriber
from stream.child import Parent
from stream.clock import utc_now
from stream.messages import Health, encode

PROCESS = "printer"

_TOPICS = (b"score/", b"alert/", b"camera/")
_STANDARD_OUTPUT = 1
_WAIT_S = 0.1
_REPORT_EVERY_S = 1.0
_DRAIN_S = 0.5  # the end, also where somebody goes on sending


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterSpec:
    """All the printer needs."""

    endpoints: Endpoints


def run(spec: PrinterSpec, parent: Parent) -> None:
    """Print until the parent says stop, and then what has come by then and the reader still takes.

    Whoever reads may close the pipe; that asks the application to quit.
    """
    with Subscriber(spec.endpoints, _TOPICS) as subscriber, Publisher(spec.endpoints) as publisher:
        parent.ready()
        output = _Output()
        reported_s = end_s = 0.0
        while True:
            stopping = parent.stopping()
            if not stopping:
                end_s = time.monotonic() + _DRAIN_S
            if not output.waiting:
                output.waiting = _lines(subscriber, _WAIT_S)
            idle, was_closed = not output.waiting, output.closed
            output.write(_WAIT_S)
            if output.closed and not was_closed:
                parent.ask_to_quit()
            if time.monotonic() - reported_s >= _REPORT_EVERY_S:
                reported_s = time.monotonic()
                counters = {"refused": float(subscriber.refused)}
                publisher.send(Health(process=PROCESS, utc=utc_now(), counters=counters))
            if stopping and (idle or output.waiting or output.closed or time.monotonic() >= end_s):
                return


class _Output:
    """Standard output, written to only as far as its reader keeps up: to wait there would look like a hang."""

    def __init__(self) -> None:
        self.waiting = b""
        """Lines for which there was no room yet."""
        self.closed = False
        """Nobody reads any more, and what is written is thrown away."""
        self._room = select.poll()
        self._room.register(_STANDARD_OUTPUT, select.POLLOUT)

    def write(self, wait_s: float) -> None:
        """Write what waits, until there has been no room for `wait_s`."""
        written = 0
        while not self.closed and written < len(self.waiting) and self._room.poll(wait_s * 1000):
            try:
                # A pipe with any room takes this much without blocking.
                written += os.write(_STANDARD_OUTPUT, self.waiting[written : written + select.PIPE_BUF])
            except BrokenPipeError:
                self.closed = True
        self.waiting = b"" if self.closed else self.waiting[written:]


def _lines(subscriber: Subscriber, wait_s: float) -> bytes:
    return b"".join(encode(message) + b"\n" for message in subscriber.batch(wait_s))
