"""Whether another machine's relay lets us in, and if not, why: ZeroMQ alone would try for ever and say nothing."""

import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import zmq

from stream.bus import BusError, End
from stream.bus.keys import client_options

_TIMEOUT_S = 10.0
_HANG_UPS = 2  # one may be a relay that begins anew because its list has changed; ZeroMQ tries again by itself


def reach(address: str, keys: Path, timeout_s: float = _TIMEOUT_S) -> None:
    """Connect once, with the client's keys in the folder. Blocks up to `timeout_s`, and for the host's name.

    Raises:
        BusError: No such host, nobody answers, it is not the machine whose key we have, or our key is not allowed.
        KeysError: The keys cannot be used.
    """
    _check_address(address)
    deadline_s = time.monotonic() + timeout_s
    last: zmq.Event | None = None
    hang_ups = 0
    with End(zmq.SUB, address, bind=False, options=client_options(keys), monitored=True) as end:
        while (event := end.event(deadline_s - time.monotonic())) is not None:
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                raise BusError(
                    f"{address}: refused, our key is not allowed: put {keys}/client.key into `allowed` there"
                )
            hang_ups += event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
            if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL or hang_ups == _HANG_UPS:
                raise BusError(
                    f"{address}: who answers has not the key in {keys}/server.key: copy it from that machine again, "
                    "or correct the address"
                )
            if event in (zmq.EVENT_CONNECTED, zmq.EVENT_CLOSED):
                last = event
    raise BusError(f"{address}: {_silence(last)} within {timeout_s:g} s: is it watching there, with bus.listen?")


def _silence(last: zmq.Event | None) -> str:
    if last == zmq.EVENT_CONNECTED:
        return "somebody listens, but does not answer"
    return "nothing listens there" if last == zmq.EVENT_CLOSED else "nobody answers"


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
        well_formed = parts.scheme == "tcp" and host and port
    except ValueError:
        well_formed = False
    if not well_formed:
        raise BusError(f"{address}: must be tcp://HOST:PORT, the port as in bus.listen of the machine that watches")
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        raise BusError(f"{address}: host {host} is not known: check the name and the name server") from error
