"""What may come over a socket that is no message: valid messages with something changed, and plain noise. Seeded.

`python -m tests.faults.bus_fuzz [COUNT]` sends so many, by default a million, through both lanes and says what
came of it.
"""

import itertools
import json
import logging
import math
import random
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
import zmq

from stream.bus import Broker, Endpoints, ScoreReceiver, Subscriber
from stream.messages import Alert, Camera, Health, Score, encode, topic_of

BATCH = 1000  # fewer than any lane keeps, so that none is dropped on its way
_UTC = "2026-01-31T12:00:00.000Z"
_VALID = (
    Score(
        camera="gate",
        seq=812,
        stream_time_s=81.2,
        utc=_UTC,
        score=1.7,
        threshold=4.1,
        latency_ms=63.0,
        captured_at_s=100.0,
        region=(0.0, 0.25, 0.5, 1.0),
        families={"motion": 0.5},
        heat_shape=(2, 3),
    ),
    Alert(
        event="start",
        id="20260131-120000-gate-3f",
        kind="anomaly",
        camera="gate",
        stream_time_s=1.0,
        utc=_UTC,
        score=3.0,
        threshold=2.0,
        evidence=("/evidence/gate.jpg",),
        reason="why",
    ),
    Camera(camera="gate", state="live", reason="", utc=_UTC, captured=7, source_fps=25.0),
    Health(process="worker", utc=_UTC, counters={"drop/gate/stale": 3.0}),
)
_HEAT = bytes(range(6))
_VALUES = (
    None,
    True,
    -1,
    0,
    2**63,
    2**70,
    1e308,
    -0.5,
    "",
    "x" * 300,
    "\x1b[2J\0",
    "ü/../",
    [],
    [1, 2],
    {},
    {"a": {}},
)
_TOPICS = (
    b"",
    b"score/",
    b"score/gate",
    b"score/gates/",
    b"alert/gate/",
    b"health/worker/",
    b"\xff\0",
    b"score/gate/x/",
)
_TEXTS = (
    b"NaN",
    b'{"type":"score","score":NaN}',
    b'{"type":"score","score":1e999}',
    b"[" * 100_000,
    b'{"a":' * 5000,
    b'{"type":"\\ud800"}',
    b"\xef\xbb\xbf{}",
    b'{"version":18446744073709551616}',
)


def parts_of(message):
    heat = [_HEAT] if isinstance(message, Score) else []
    return [topic_of(message), encode(message), *heat]


def mutants(count, seed):
    """So many lists of parts that are no messages, but for the few that happen to be valid all the same."""
    generator = random.Random(seed)
    for _ in range(count):
        parts = parts_of(generator.choice(_VALID))
        yield generator.choice((_noise, _flipped, _cut, _other_value, _other_version, _other_parts, _text))(
            parts, generator
        )


def _noise(parts, generator):
    return [generator.randbytes(generator.randrange(200)) for _ in range(generator.randint(1, 4))]


def _flipped(parts, generator):
    data = bytearray(parts[1])
    for _ in range(generator.randint(1, 8)):
        data[generator.randrange(len(data))] = generator.randrange(256)
    return [parts[0], bytes(data), *parts[2:]]


def _cut(parts, generator):
    at = generator.randrange(len(parts[1]))
    return [parts[0], parts[1][:at] + parts[1][at + generator.randint(1, 9) :], *parts[2:]]


def _other_value(parts, generator):
    fields = json.loads(parts[1])
    name = generator.choice(list(fields))
    if generator.random() < 0.2:
        del fields[name]
    else:
        fields[name] = generator.choice(_VALUES)
    return [parts[0], json.dumps(fields).encode(), *parts[2:]]


def _other_version(parts, generator):
    version = generator.choice((2, 3, 99, 0, -1, 2**40))
    return [parts[0], parts[1].replace(b'"version":1', f'"version":{version}'.encode()), *parts[2:]]


def _other_parts(parts, generator):
    kind = generator.randrange(4)
    if kind == 0:
        return [generator.choice(_TOPICS), *parts[1:]]
    if kind == 1:
        return [*parts, b"one", b"more"]
    if kind == 2:
        return parts[:1]
    return [*parts[:2], _HEAT + b"!" if len(parts) == 3 else b"\xff\xd8"]


def _text(parts, generator):
    return [parts[0], generator.choice(_TEXTS)]


def is_message(parts):
    """Whether these parts are a message, judged from the documented form alone and not by the code under test."""
    if len(parts) not in (2, 3):
        return False

    def refuse(_):
        raise ValueError

    try:
        fields = json.loads(parts[1].decode(), parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    if not isinstance(fields, dict) or fields.get("version", 1) != 1 or fields.get("type") not in list(_FORMS):
        return False
    wanted, given = _FORMS[fields["type"]], set(fields)
    if not set(wanted) <= given or not all(_fits(fields[name], kind) for name, kind in wanted.items()):
        return False
    who = fields["process" if fields["type"] == "health" else "camera"]
    if parts[0] != f"{fields['type']}/{who}/".encode():
        return False
    if fields["type"] == "score":
        shape = fields.get("heat_shape")
        if shape is None or len(parts) == 2:
            return shape is None and len(parts) == 2
        return (
            isinstance(shape, list)
            and all(_fits(side, _COUNT) for side in shape)
            and math.prod(shape) == len(parts[2])
        )
    return True


_NUMBER, _TEXT, _COUNT = "number", "text", "count"
_FORMS = {
    "score": {
        "camera": _TEXT,
        "seq": _COUNT,
        "stream_time_s": _NUMBER,
        "utc": _TEXT,
        "score": _NUMBER,
        "threshold": _NUMBER,
        "latency_ms": _NUMBER,
        "captured_at_s": _NUMBER,
    },
    "alert": {
        "event": ("start", "update", "end"),
        "id": _TEXT,
        "kind": ("anomaly", "camera", "drift"),
        "camera": _TEXT,
        "stream_time_s": _NUMBER,
        "utc": _TEXT,
        "score": _NUMBER,
        "threshold": _NUMBER,
    },
    "camera": {
        "camera": _TEXT,
        "state": ("connecting", "live", "stalled", "lost", "ended"),
        "reason": _TEXT,
        "utc": _TEXT,
    },
    "health": {"process": _TEXT, "utc": _TEXT},
}


def _fits(value, kind):
    if isinstance(kind, tuple):
        return value in kind
    if kind == _TEXT:
        return isinstance(value, str)
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return number and (kind == _NUMBER or (value >= 0 and value == int(value) and value <= 2**62))


class Outcome:
    """What became of a fuzzed lane."""

    def __init__(self):
        self.sent = self.accepted = self.refused = self.grown_bytes = 0
        self.wrong = []
        """Accepted without being a message."""
        self.lost = 0
        """Real messages in between that were not accepted."""
        self.took_s = 0.0

    def __str__(self):
        return (
            f"{self.sent} sent, {self.refused} refused, {self.accepted} accepted, "
            f"{len(self.wrong)} of them wrongly, "
            f"{self.lost} real ones lost, memory +{self.grown_bytes / 1e6:.1f} MB, {self.took_s:.1f} s"
        )


def fuzz(lane, count, seed):
    """Send mutants through a lane in batches, after each a real message that must arrive; take what is accepted."""
    outcome, process = Outcome(), psutil.Process()
    with lane() as (socket, receiver, mark):
        started_s, warm = time.monotonic(), 0
        waiting, batches = mutants(count, seed), math.ceil(count / BATCH)
        for number in range(batches):
            batch = list(itertools.islice(waiting, BATCH))
            for parts in (*batch, parts_of(mark(number))):
                socket.send_multipart(parts)
            outcome.sent += len(batch)
            valid = iter([_core(json.loads(parts[1])) for parts in batch if is_message(parts)])
            while (received := receiver.receive(5.0)) is not None and received[0] != mark(number):
                outcome.accepted += 1
                if _core(json.loads(encode(received[0]))) not in valid:  # goes on from the one before: in order
                    outcome.wrong.append(received)
            outcome.lost += received is None
            if number == batches // 4:
                warm = process.memory_info().rss
        outcome.grown_bytes = process.memory_info().rss - warm
        outcome.refused, outcome.took_s = receiver.refused, time.monotonic() - started_s
    return outcome


def _core(fields):
    return fields["type"], *(fields[name] for name in _FORMS[fields["type"]])


@contextmanager
def scores_lane():
    """A peer that speaks ZeroMQ, the sink's end, and a real score by its number."""
    with _folder() as endpoints, ScoreReceiver(endpoints) as receiver, _peer(zmq.PUSH, endpoints.scores) as peer:
        yield peer, receiver, lambda number: msgspec.structs.replace(_VALID[0], seq=number, heat_shape=(3, 2))


@contextmanager
def broadcast_lane():
    """A peer that speaks ZeroMQ, an observer, and a real message by its number."""
    with (
        _folder() as endpoints,
        Broker(endpoints),
        Subscriber(endpoints) as subscriber,
        _peer(zmq.PUB, endpoints.publish) as peer,
    ):
        hello = Health(process="hello", utc=_UTC)
        deadline_s = time.monotonic() + 10.0
        while subscriber.receive(0.02) is None:  # a subscription takes a moment
            assert time.monotonic() < deadline_s
            peer.send_multipart(parts_of(hello))
        while subscriber.receive(0.2) is not None:
            pass
        yield peer, subscriber, lambda number: Health(process="marker", utc=_UTC, counters={"number": float(number)})


@contextmanager
def _folder():
    with tempfile.TemporaryDirectory(prefix="mulde-fuzz-") as folder:
        yield Endpoints.in_folder(Path(folder))


@contextmanager
def _peer(kind, endpoint):
    with zmq.Context() as context, context.socket(kind) as peer:
        peer.set_hwm(2 * BATCH)
        peer.linger = 0
        peer.connect(endpoint)
        yield peer


if __name__ == "__main__":
    logging.disable()
    for lane in (scores_lane, broadcast_lane):
        print(lane.__name__, fuzz(lane, int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, seed=1))
