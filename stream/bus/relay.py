"""The relay process: the broadcast lane for observers on other machines, over TCP and for those with a key only.

In a process of its own, so that nothing a network sends reaches any other. Its end is a PUB socket, which takes
nothing but subscriptions, and these do not go on to the bus. Knows nothing of what a message means.
"""

import logging
import math
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import zmq
from zmq.utils import z85

from stream.bus import BusError, End, Endpoints, Publisher
from stream.bus.keys import KeysError, Options, allowed, server_options
from stream.child import ChildError, Parent
from stream.clock import utc_now
from stream.messages import Health

logger = logging.getLogger(__name__)

PROCESS = "relay"

_WAIT_S = 0.1
_REPORT_EVERY_S = 1.0
_DRAIN_S = 0.5
_PER_TICK = 1000  # so that a flood cannot hold the loop
_KEPT = 2000  # messages for an observer that is slow, a few megabytes with their heat maps
_HANDSHAKE_MS = 5000  # for somebody who connects and says nothing
_MOST_BYTES = 1024  # of what a client may send at once: handshakes and subscriptions are below it
_MOST_LOGGED = 100  # clients whose refusal is logged; after that it is only counted
_ASKED_AT = "inproc://zeromq.zap.01"  # where ZeroMQ asks whether a key is allowed, RFC 27
_ALLOWED, _REFUSED = b"200", b"400"


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySpec:
    """All the relay needs."""

    endpoints: Endpoints
    listen: str
    """Such as tcp://0.0.0.0:5577."""
    keys: Path
    """Folder, see `keys`."""


def run(spec: RelaySpec, parent: Parent) -> None:
    """Forward until the parent says stop, and then what is under way.

    Raises:
        ChildError: The address cannot be listened at, or the server's keys cannot be used.
    """
    try:
        with Relay(spec) as relay, Publisher(spec.endpoints) as publisher:
            parent.ready()
            reported_s = 0.0
            while not parent.stopping():
                relay.work(_WAIT_S)
                if time.monotonic() - reported_s >= _REPORT_EVERY_S:
                    reported_s = time.monotonic()
                    relay.look_who_is_allowed()
                    publisher.send(Health(process=PROCESS, utc=utc_now(), counters=relay.counters()))
            until_s = time.monotonic() + _DRAIN_S
            while relay.work(_WAIT_S) and time.monotonic() < until_s:
                pass
    except (BusError, KeysError) as error:
        raise ChildError(str(error)) from error


class Relay:
    """Forwards all that is broadcast to those who are allowed to hear it. For one thread.

    Raises:
        BusError: The address cannot be listened at.
        KeysError: The server's keys cannot be used.
    """

    def __init__(self, spec: RelaySpec) -> None:
        self._keys = spec.keys
        self._names: dict[bytes, str] = {}
        self._faults: list[str] = []
        self._logged: set[str] = set()
        self._connections = self._admitted = self._forwarded = 0
        local: Options = {zmq.SUBSCRIBE: b"", zmq.RCVHWM: _KEPT}
        remote: Options = {
            **server_options(spec.keys),
            zmq.SNDHWM: _KEPT,
            zmq.MAXMSGSIZE: _MOST_BYTES,
            zmq.HANDSHAKE_IVL: _HANDSHAKE_MS,
        }
        with ExitStack() as stack:
            asked = stack.enter_context(End(zmq.REP, _ASKED_AT, bind=True, options={}))  # before anybody can come
            incoming = stack.enter_context(End(zmq.SUB, spec.endpoints.subscribe, bind=False, options=local))
            outgoing = End(zmq.PUB, spec.listen, bind=True, options=remote, monitored=True)
            stack.enter_context(outgoing)
            self._ends = stack.pop_all()
        self._asked, self._incoming = asked.socket, incoming.socket
        self._outgoing = outgoing
        self._address = outgoing.socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0")
        self._listening = True
        self._poller = zmq.Poller()
        for socket in (self._asked, self._incoming, outgoing.monitor):
            self._poller.register(socket, zmq.POLLIN)
        self.look_who_is_allowed()

    def work(self, wait_s: float) -> bool:
        """Do what is due, after waiting up to `wait_s` for it; whether something was forwarded."""
        due = dict(self._poller.poll(math.ceil(wait_s * 1000)))
        if self._asked in due:
            self._answer()
        if self._outgoing.monitor in due:
            self._count()
        return self._incoming in due and self._forward()

    def look_who_is_allowed(self) -> None:
        """Take up changes in the folder of allowed keys. Call it about once a second.

        Where a key is gone, all are disconnected; those that are still allowed come back by themselves.
        """
        if not self._listening:
            self._listen_again()
        names, faults = allowed(self._keys)
        for fault in faults:
            if fault not in self._faults:
                logger.warning("%s", fault)
        gone = sorted(self._names[key] for key in self._names.keys() - names.keys())
        self._names, self._faults = names, faults
        if gone:
            logger.info("no longer allowed: %s", ", ".join(gone))
            self._outgoing.socket.unbind(self._address)
            self._listening = False

    def counters(self) -> dict[str, float]:
        """What happened since the start. Refused is every connection that was not let in, or not yet."""
        return {
            "connections": float(self._connections),
            "admitted": float(self._admitted),
            "refused": float(self._connections - self._admitted),
            "forwarded": float(self._forwarded),
        }

    def close(self) -> None:
        """Safe to call twice."""
        self._ends.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self) -> None:
        """Say whether the key of somebody who connects is allowed."""
        version, request, _, address, _, mechanism, *credentials = self._asked.recv_multipart()
        name = self._names.get(z85.encode(credentials[0])) if mechanism == b"CURVE" else None
        self._asked.send_multipart([version, request, _REFUSED if name is None else _ALLOWED, b"", b"", b""])
        where = address.decode(errors="replace")
        if name is not None:
            logger.info("%s watches from %s", name, where)
        elif where not in self._logged and len(self._logged) < _MOST_LOGGED:
            self._logged.add(where)
            logger.warning("refused %s: its key is not allowed; more from there are only counted", where)

    def _count(self) -> None:
        for _ in range(_PER_TICK):
            event = self._outgoing.event(0.0)
            if event is None:
                return
            self._connections += event == zmq.EVENT_ACCEPTED
            self._admitted += event == zmq.EVENT_HANDSHAKE_SUCCEEDED

    def _forward(self) -> bool:
        for _ in range(_PER_TICK):
            try:
                parts = self._incoming.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            self._outgoing.socket.send_multipart(parts, zmq.NOBLOCK)
            self._forwarded += 1
        return True

    def _listen_again(self) -> None:
        try:
            self._outgoing.socket.bind(self._address)
        except zmq.ZMQError as error:
            logger.warning("cannot listen at %s, trying again: %s", self._address, error.strerror)
        else:
            self._listening = True
