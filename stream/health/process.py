"""The health process: how the watch is, over HTTP, for whoever runs it: `/healthz`, `/readyz`, `/metrics`.

Fed by the broadcast lane, like every observer. Its pages are made once a second, however many ask for them.
"""

import logging
import time
from dataclasses import dataclass
from http import HTTPStatus

from configs.settings import host_and_port
from stream.bus import Endpoints, Publisher, Subscriber
from stream.child import ChildError, Parent
from stream.clock import utc_now
from stream.health import metrics
from stream.health.server import HealthServer, Page
from stream.health.troubles import supervisor_silence, troubles
from stream.messages import Health
from stream.overview import Moment, State

logger = logging.getLogger(__name__)

PROCESS = "health"

_PAGES_EVERY_S = 1.0
_WAIT_S = 0.1
_DEAD_S = 30.0  # a supervisor silent for so long is beyond hope, while a slow machine is not


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSpec:
    """All the health process needs."""

    endpoints: Endpoints
    cameras: tuple[str, ...]
    listen: str
    """HOST:PORT; an IPv6 address is in brackets."""


def run(spec: HealthSpec, parent: Parent) -> None:
    """Answer until the parent says stop.

    Raises:
        ChildError: It cannot listen there.
    """
    try:
        server = HealthServer(*host_and_port(spec.listen))
    except OSError as error:
        raise ChildError(f"cannot listen at {spec.listen}: {error.strerror}: name another with --health") from error
    state = State(spec.cameras, Moment.now())
    with server, Subscriber(spec.endpoints) as subscriber, Publisher(spec.endpoints) as publisher:
        server.show(_pages(state, Moment.now()))
        logger.info("health at http://%s: /healthz, /readyz, /metrics", spec.listen)
        parent.ready()
        made_s = time.monotonic()
        while not parent.stopping():
            if (new := parent.new_spec()) is not None:
                state.show(new.cameras)
                parent.ready()
            for message in subscriber.batch(_WAIT_S):
                state.take(message, Moment.now())
            now = Moment.now()
            if now.monotonic_s - made_s >= _PAGES_EVERY_S:
                made_s = now.monotonic_s
                counters = {"refused": float(subscriber.refused)}
                publisher.send(Health(process=PROCESS, utc=utc_now(), counters=counters))
                server.show(_pages(state, now))


def _pages(state: State, now: Moment) -> dict[str, Page]:
    silence = supervisor_silence(state, now, _DEAD_S)
    return {
        "/healthz": _verdict([silence] if silence else []),
        "/readyz": _verdict(troubles(state, now)),
        "/metrics": Page(status=HTTPStatus.OK, text=metrics.render(state, now), content_type=metrics.CONTENT_TYPE),
    }


def _verdict(faults: list[str]) -> Page:
    if faults:
        return Page(status=HTTPStatus.SERVICE_UNAVAILABLE, text="".join(f"{fault}\n" for fault in faults))
    return Page(status=HTTPStatus.OK, text="ok\n")
