"""The printer process behind `--json`: scores, alerts and camera states on standard output, a JSON object a line.

Fed by the broadcast lane, like every observer.
"""

import os
from dataclasses import dataclass

from stream.bus import Endpoints, Publisher, Subscriber
from stream.child import Parent
from stream.clock import utc_now
from stream.messages import Health, encode

PROCESS = "printer"

_TOPICS = (b"score/", b"alert/", b"camera/")
_STANDARD_OUTPUT = 1
_WAIT_S = 0.1
_MESSAGES_PER_TICK = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterSpec:
    """All the printer needs."""

    endpoints: Endpoints


def run(spec: PrinterSpec, parent: Parent) -> None:
    """Print until the parent says stop, and then what has come by then.

    Whoever reads may close the pipe; that asks the application to quit.
    """
    with Subscriber(spec.endpoints, _TOPICS) as subscriber, Publisher(spec.endpoints) as publisher:
        parent.ready()
        reading = True
        while True:
            stopping = parent.stopping()
            lines = _lines(subscriber, _WAIT_S)
            if reading and lines and not _print(lines):
                reading = False
                parent.ask_to_quit()
            publisher.send(Health(process=PROCESS, utc=utc_now(), counters={"refused": float(subscriber.refused)}))
            if stopping and not lines:
                return


def _lines(subscriber: Subscriber, wait_s: float) -> list[bytes]:
    lines: list[bytes] = []
    while len(lines) < _MESSAGES_PER_TICK:
        received = subscriber.receive(0.0 if lines else wait_s)
        if received is None:
            break
        lines.append(encode(received[0]) + b"\n")
    return lines


def _print(lines: list[bytes]) -> bool:
    """Whether somebody still reads."""
    data = memoryview(b"".join(lines))
    try:
        while data:
            data = data[os.write(_STANDARD_OUTPUT, data) :]
    except BrokenPipeError:
        return False
    return True
