"""The server of the review page: one process, one event loop, and threads for what may wait for a disk or the bus."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from stream.review.access import Access, Guard
from stream.review.api import ERRORS, Api
from stream.review.error import ReviewError
from stream.review.evidence import Evidence
from stream.review.live import Live
from stream.review.marking import Marking
from stream.review.routes import routes
from stream.review.store_thread import StoreThread
from stream.stopping import StopSignals

_END_S = 1  # for answers that are under way
_MOST_CLIENTS = 200  # connections and answers at once; more are told to come again
_LONGEST_BODY = 4096  # bytes


def serve(
    folder: Path, host: str, port: int, access: Access, *, config_file: Path | None, started: Callable[[], None]
) -> None:
    """Serve the page of this store until a signal says stop. Call it in the main thread.

    Args:
        config_file: The site file, for marking.
        started: Called when the address can be opened.

    Raises:
        ReviewError: It cannot listen there.
        StoreError: There is no store in this folder, or it cannot be used.
    """
    with ExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        store = stack.enter_context(StoreThread(folder))
        listening = stack.enter_context(_listen(host, port))
        live = stack.enter_context(Live(folder))
        evidence, ending = Evidence(folder), asyncio.Event()
        marking = Marking(folder, config_file, ending)
        app = Starlette(
            routes=routes(Api(store, evidence, marking), evidence, live, ending),
            exception_handlers=ERRORS,
            middleware=[Middleware(Guard, access=access)],
            max_body_size=_LONGEST_BODY,
        )
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CLIENTS,
            timeout_graceful_shutdown=_END_S,
        )
        _Server(config, signals, ending, started).run(sockets=[listening])


class _Server(uvicorn.Server):
    """uvicorn's, stopped the way the rest of this program is."""

    def __init__(
        self, config: uvicorn.Config, signals: StopSignals, ending: asyncio.Event, started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._signals = signals
        self._ending = ending
        self._tell_started: Callable[[], None] | None = started

    async def on_tick(self, counter: int) -> bool:
        """Look ten times a second whether somebody wants it to end."""
        if self._tell_started is not None:
            self._tell_started()
            self._tell_started = None
        if self._signals.presses:
            self._ending.set()  # for streams, which would never end by themselves, and what is being marked
            return True
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to `StopSignals`."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        # With its protocol named, or asyncio leaves Nagle's algorithm on: 40 ms more for every answer.
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what has just ended may start again
            listening.bind(address)
            listening.listen()
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise ReviewError(
            f"review: cannot listen at {host}:{port}: {error.strerror}: name another address with --listen"
        ) from error
    return listening
