"""A small HTTP server that hands out pages made beforehand, so that no client can hold up whoever makes them.

One request a connection, small and soon, from few clients at once; everything else is hung up on. Asks nothing of
anybody. Knows nothing of what the pages say.
"""

import io
import logging
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self

logger = logging.getLogger(__name__)

_REQUEST_S = 5.0  # for a whole request, and again for its answer
_LONGEST_REQUEST = 8192  # bytes, headers included
_MOST_THREADS = 32  # of this process
_OLDEST_S = 5.0  # pages are made anew every second; such old ones say that their maker stands still
_POLL_S = 0.1
_STOP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is answered to a path."""

    status: HTTPStatus
    text: str
    content_type: str = "text/plain; charset=utf-8"


class HealthServer(ThreadingHTTPServer):
    """Serves in a thread of its own inside a `with` block.

    Args:
        host: Name or address; one with a colon is IPv6.

    Raises:
        OSError: It cannot listen there.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._pages: Mapping[str, Page] = {}
        self._made_s = 0.0
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_S,), name="health-server", daemon=True)
        super().__init__((host, port), _Handler)

    def show(self, pages: Mapping[str, Page]) -> None:
        """Answer with these from now on, for as long as they are not too old."""
        self._pages, self._made_s = pages, time.monotonic()

    def page(self, path: str) -> Page:
        """The answer to a request for this path."""
        if time.monotonic() - self._made_s > _OLDEST_S:
            return Page(status=HTTPStatus.SERVICE_UNAVAILABLE, text="process health: stands still\n")
        known = f"there are {', '.join(self._pages)}\n"
        return self._pages.get(path, Page(status=HTTPStatus.NOT_FOUND, text=known))

    def server_bind(self) -> None:
        """Bind without asking a name server for this machine's name, as the library's own does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or hang up where there are too many."""
        if threading.active_count() < _MOST_THREADS:
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Log what the library would print."""
        logger.warning("health: a request failed", exc_info=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self._thread.join(_STOP_S)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: HealthServer
    server_version, sys_version = "mulde-stream", ""

    def handle(self) -> None:
        with suppress(OSError):  # gone, or too slow
            head = self._head()
            if head:
                self.rfile.close()
                self.rfile = io.BytesIO(head)
                self.connection.settimeout(_REQUEST_S)
                self.handle_one_request()

    def do_GET(self) -> None:
        page = self.server.page(self.path.partition("?")[0])
        body = page.text.encode()
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Requests are not logged."""

    def _head(self) -> bytes:
        """The request up to its empty line; nothing where it is too long, too slow or cut off."""
        until_s = time.monotonic() + _REQUEST_S
        head = b""
        while b"\r\n\r\n" not in head and b"\n\n" not in head:
            self.connection.settimeout(max(0.001, until_s - time.monotonic()))
            received = self.connection.recv(_LONGEST_REQUEST)
            head += received
            if not received or len(head) > _LONGEST_REQUEST or time.monotonic() > until_s:
                return b""
        return head
