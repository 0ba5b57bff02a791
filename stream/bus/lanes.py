"""How messages get from process to process.

Two lanes. The scores lane (PUSH to PULL) is for the sink: its sender keeps a backlog while the sink is slow or
restarts, and only what a killed sink had already taken over is lost. The broadcast lane (PUB to SUB, by way of the
broker) is for observers: who is too slow misses messages and sees a gap in the sequence numbers. Sending never
blocks. Knows nothing of what a message means.
"""

import errno
import logging
import math
import stat
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import zmq

from stream.bus.keys import Options, client_options
from stream.messages import Message, MessageError, Score, decode, encode, topic_of

logger = logging.getLogger(__name__)

_BATCH = 1000  # messages
_BACKLOG = 20_000  # messages; at 20 cameras and 5 frames/s, 200 s of a sink that is away
_BROADCAST = 20_000  # messages kept for an observer that is slow
# Scores taken over by the sink. Few, because they are lost when it is killed: the backlog waits at their sender. But
# more than it is ever behind in health: a sender that ends while this is full takes along what is under way.
_TAKEN_OVER = 1000
_LINGER_MS = 500  # for a last message, such as a camera's "ended", to leave a process that is about to exit
_MAX_MESSAGE_BYTES = 16 * 2**20  # far above an alert with its picture; more is not ours
_LONGEST_IPC_PATH = 107  # bytes; a limit of Unix sockets
_THREAD_END_S = 2.0


class BusError(Exception):
    """An endpoint cannot be used; the message says which and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """ZeroMQ addresses of one application's bus; all another process needs to take part."""

    scores: str
    publish: str
    """Where publishers connect."""
    subscribe: str
    """Where observers connect."""
    keys: Path | None = None
    """Folder of this observer's keys, where `subscribe` is the relay of another machine."""

    @classmethod
    def in_folder(cls, folder: Path) -> "Endpoints":
        """Sockets in a folder that only this user may enter. Made if it is missing; cleaning up is the caller's part.

        Raises:
            BusError: Others may enter the folder, or its path is too long for a socket.
        """
        folder = folder.absolute()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = stat.S_IMODE(folder.stat().st_mode)
        except OSError as error:
            raise BusError(f"bus: cannot make the folder {folder}: {error.strerror}") from error
        if mode & 0o077:
            raise BusError(f"bus: others may enter {folder} (mode {mode:03o}): chmod 700 it")
        scores, publish, subscribe = (folder / f"{lane}.ipc" for lane in ("scores", "publish", "subscribe"))
        if len(bytes(subscribe)) > _LONGEST_IPC_PATH:
            raise BusError(f"bus: {subscribe} is longer than {_LONGEST_IPC_PATH} bytes: take a shorter folder")
        return cls(scores=f"ipc://{scores}", publish=f"ipc://{publish}", subscribe=f"ipc://{subscribe}")


class _SharedContext:
    """The process's one ZeroMQ context: made by its first user, ended by its last, so that no thread is left."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None

    def acquire(self) -> zmq.Context[zmq.Socket[bytes]]:
        with self._lock:
            if self._context is None:
                self._context = zmq.Context()
            self._users += 1
            return self._context

    def release(self) -> None:
        """Blocks up to the linger of sockets just closed where this was the last user."""
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._context is not None:
                self._context.term()
                self._context = None


_shared_context = _SharedContext()


class End:
    """One end of a lane, a socket for one thread at a time. Closed by `close` or at the end of a `with` block.

    Args:
        monitored: Whether `event` tells what becomes of its connections; `monitor` is readable then.
    """

    def __init__(
        self, kind: zmq.SocketType, endpoint: str, *, bind: bool, options: Options, monitored: bool = False
    ) -> None:
        self.socket = _shared_context.acquire().socket(kind)
        self.monitor = self.socket.get_monitor_socket() if monitored else None
        self._closed = False
        always: Options = {
            zmq.LINGER: _LINGER_MS,
            zmq.MAXMSGSIZE: _MAX_MESSAGE_BYTES,
            zmq.IPV6: int(
                endpoint.startswith("tcp://[")
            ),  # not for names: it might pick an address nobody listens at
        }
        try:
            for option, value in {**always, **options}.items():
                self.socket.setsockopt(option, value)
            if bind:
                self.socket.bind(endpoint)
            else:
                self.socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.close()
            what = "listen at" if bind else "connect to"
            taken = ": another instance uses it" if error.errno == errno.EADDRINUSE else ""
            raise BusError(f"bus: cannot {what} {endpoint}: {zmq.strerror(error.errno or 0)}{taken}") from error

    def event(self, timeout_s: float) -> zmq.Event | None:
        """What became of a connection, None where nothing has for `timeout_s`."""
        assert self.monitor is not None, "asked for at the start"
        if not self.monitor.poll(math.ceil(max(0.0, timeout_s) * 1000)):
            return None
        number, _ = struct.unpack("=hi", self.monitor.recv_multipart()[0])  # as ZeroMQ documents it
        return zmq.Event(number)

    def close(self) -> None:
        """Waits up to half a second for what was sent last. Safe to call twice."""
        if not self._closed:
            self._closed = True
            if self.monitor is not None:
                self.socket.disable_monitor()
                self.monitor.close()
            self.socket.close()
            _shared_context.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Inbox:
    """Takes messages off a socket and refuses what is none: counted, and each kind logged once."""

    def __init__(self, socket: zmq.Socket[bytes], topics: Sequence[bytes]) -> None:
        self._socket = socket
        self._topics = tuple(topics)
        self._logged: set[str] = set()
        self.refused = 0

    def receive(self, timeout_s: float) -> tuple[Message, bytes | None] | None:
        deadline_s = time.monotonic() + timeout_s
        left_s = timeout_s
        while self._socket.poll(math.ceil(max(0.0, left_s) * 1000)):
            try:
                return _unpack(self._socket.recv_multipart(zmq.NOBLOCK), self._topics)
            except MessageError as error:
                self._refuse(str(error))
            left_s = deadline_s - time.monotonic()
            if left_s <= 0.0:  # a flood of garbage must not hold the caller here
                break
        return None

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        kind = reason.partition(":")[0]
        if kind not in self._logged:
            self._logged.add(kind)
            logger.warning("bus: refused a message, %s; more of this kind are only counted", reason[:300])


class Publisher(End):
    """Sends to all observers."""

    def __init__(self, endpoints: Endpoints) -> None:
        super().__init__(zmq.PUB, endpoints.publish, bind=False, options={zmq.SNDHWM: _BROADCAST})

    def send(self, message: Message, raw: bytes | None = None) -> None:
        """Hand the message to whoever listens. Never blocks; an observer that does not keep up misses it.

        Args:
            raw: A further part: a score's heat map, an alert's JPEG.
        """
        self.socket.send_multipart(_pack(message, raw), zmq.NOBLOCK)


class Subscriber(End):
    """Receives what publishers send under some topics.

    Args:
        topics: Beginnings of topics; end them with "/" so that camera "1" is not camera "10". Default: everything.
    """

    def __init__(self, endpoints: Endpoints, topics: Sequence[bytes] = (b"",)) -> None:
        keys = {} if endpoints.keys is None else client_options(endpoints.keys)
        super().__init__(zmq.SUB, endpoints.subscribe, bind=False, options={zmq.RCVHWM: _BROADCAST, **keys})
        for topic in topics:
            self.socket.subscribe(topic)
        self._inbox = _Inbox(self.socket, topics)

    def receive(self, timeout_s: float) -> tuple[Message, bytes | None] | None:
        """The next message and its raw part, or None after `timeout_s`, for which it blocks at most."""
        return self._inbox.receive(timeout_s)

    def batch(self, wait_s: float) -> Iterator[Message]:
        """What has come, waiting so long for the first: so many at most that a flood cannot hold the caller."""
        for _ in range(_BATCH):
            received = self.receive(wait_s)
            if received is None:
                return
            yield received[0]
            wait_s = 0.0

    @property
    def refused(self) -> int:
        """Things received that were no messages."""
        return self._inbox.refused


class ScoreSender(End):
    """The worker's end of the scores lane. Scores wait here while there is no receiver."""

    def __init__(self, endpoints: Endpoints) -> None:
        super().__init__(zmq.PUSH, endpoints.scores, bind=False, options={zmq.SNDHWM: _BACKLOG})
        self.dropped = 0
        """Scores given up because the backlog was full."""

    def send(self, score: Score, heat: bytes | None = None) -> bool:
        """Queue the score. Never blocks.

        Returns:
            False where the backlog is full; the score is then dropped and counted.
        """
        try:
            self.socket.send_multipart(_pack(score, heat), zmq.NOBLOCK)
        except zmq.Again:
            self.dropped += 1
            return False
        return True


class ScoreReceiver(End):
    """The sink's end of the scores lane; one at a time.

    Raises:
        BusError: The endpoint cannot be listened at.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        super().__init__(zmq.PULL, endpoints.scores, bind=True, options={zmq.RCVHWM: _TAKEN_OVER})
        self._inbox = _Inbox(self.socket, (b"score/",))

    def receive(self, timeout_s: float) -> tuple[Score, bytes | None] | None:
        """The next score and its heat map, or None after `timeout_s`, for which it blocks at most."""
        received = self._inbox.receive(timeout_s)
        if received is None:
            return None
        score, heat = received
        assert isinstance(score, Score), "only scores have this topic"
        return score, heat

    @property
    def refused(self) -> int:
        """Things received that were no scores."""
        return self._inbox.refused


class Broker:
    """Forwards from all publishers to all observers in a thread, so that either may come and go.

    Raises:
        BusError: An endpoint cannot be listened at.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._ends: list[End] = []
        steering = f"inproc://broker-{id(self)}"
        kept = {zmq.SNDHWM: _BROADCAST, zmq.RCVHWM: _BROADCAST}
        try:
            for kind, endpoint, bind in (
                (zmq.XSUB, endpoints.publish, True),
                (zmq.XPUB, endpoints.subscribe, True),
                (zmq.PAIR, steering, True),
                (zmq.PAIR, steering, False),
            ):
                self._ends.append(End(kind, endpoint, bind=bind, options=kept))
        except BusError:
            self._close_ends()
            raise
        incoming, outgoing, steered, self._steer = (end.socket for end in self._ends)
        self._thread = threading.Thread(
            target=zmq.proxy_steerable, args=(incoming, outgoing, None, steered), name="bus-broker", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the thread at once; what is under way to observers has half a second. Safe to call twice."""
        if self._ends:
            self._steer.send(b"TERMINATE", zmq.NOBLOCK)
            self._thread.join(_THREAD_END_S)
            self._close_ends()

    def _close_ends(self) -> None:
        for end in self._ends:
            end.close()
        self._ends.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _pack(message: Message, raw: bytes | None) -> list[bytes]:
    parts = [topic_of(message), encode(message)]
    return parts if raw is None else [*parts, raw]


def _unpack(parts: list[bytes], topics: tuple[bytes, ...]) -> tuple[Message, bytes | None]:
    """The message in these parts.

    Raises:
        MessageError: They are none; what stands before the colon is the kind of fault.
    """
    if len(parts) not in (2, 3):
        raise MessageError(f"wrong number of parts: {len(parts)}, not topic, JSON and perhaps a raw part")
    message = decode(parts[1])
    if parts[0] != topic_of(message) or not parts[0].startswith(topics):
        raise MessageError(f"wrong topic: {parts[0][:100]!r} for {topic_of(message)!r}")
    raw = parts[2] if len(parts) == 3 else None
    if isinstance(message, Score):
        wanted = None if message.heat_shape is None else math.prod(message.heat_shape)
        if wanted != (None if raw is None else len(raw)):
            raise MessageError(f"wrong heat map: {len(raw or b'')} bytes for the shape {message.heat_shape}")
    return message, raw
