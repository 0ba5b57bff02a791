"""The review command as its user runs it, and questions to it without a browser."""

import http.client
import json
import socket
from contextlib import contextmanager

from tests.program import Program


def free_port():
    """A port that nobody listens at just now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def served(folder, store, *options, host="127.0.0.1"):
    """The program, serving this store; its address is `port`."""
    port = free_port()
    with Program(folder, "review", "--store", store, "--listen", f"{host}:{port}", *options) as program:
        program.port = port
        program.wait_for(lambda: program.stdout)
        yield program


def ask(port, path, method="GET", body=None, **headers):
    """Status, headers and body of the answer; `sec_fetch_site="..."` for a header."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30.0)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=None if body is None else json.dumps(body), headers=named)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()
