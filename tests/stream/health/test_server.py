import http.client
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from http import HTTPStatus

import pytest

from stream.health import server as health_server
from stream.health.server import HealthServer, Page
from tests.waiting import wait_until

OK = Page(status=HTTPStatus.OK, text="ok\n")
BAD = Page(status=HTTPStatus.SERVICE_UNAVAILABLE, text="camera gate: lost\n", content_type="text/x")
REQUEST = b"GET /well HTTP/1.1\r\nHost: here\r\n\r\n"


@contextmanager
def serving(host="127.0.0.1", **pages):
    with HealthServer(host, 0) as server:
        server.show({f"/{name}": page for name, page in ({"well": OK} | pages).items()})
        yield server


@pytest.fixture
def server():
    with serving(bad=BAD) as made:
        yield made


@contextmanager
def client(server):
    with socket.create_connection(server.server_address[:2], timeout=10.0) as made:
        yield made


def ask(server, path, method="GET"):
    """Status, type and body of the answer."""
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=10.0)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read()
    finally:
        connection.close()


def until_closed(connection):
    """All that comes before the other side hangs up."""
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


def test_pages_are_answered_with_their_status_and_type(server):
    assert ask(server, "/well") == (200, "text/plain; charset=utf-8", b"ok\n")
    assert ask(server, "/well?now=1") == (200, "text/plain; charset=utf-8", b"ok\n")
    assert ask(server, "/bad") == (503, "text/x", b"camera gate: lost\n")


def test_a_head_has_no_body_and_other_paths_and_methods_are_refused(server):
    assert ask(server, "/well", "HEAD") == (200, "text/plain; charset=utf-8", b"")
    assert ask(server, "/../etc/passwd")[::2] == (404, b"there are /well, /bad\n")
    assert ask(server, "/well", "POST")[0] == 501


def test_the_latest_pages_are_answered(server):
    server.show({"/well": BAD})
    assert ask(server, "/well")[0] == 503


def test_pages_that_are_no_longer_made_are_not_passed_off_as_news(server, monkeypatch):
    monkeypatch.setattr(health_server, "_OLDEST_S", 0.05)
    assert wait_until(lambda: ask(server, "/well")[0] == 503, 5.0)
    assert ask(server, "/well")[2] == b"process health: stands still\n"
    server.show({"/well": OK})
    monkeypatch.setattr(health_server, "_OLDEST_S", 60.0)
    assert ask(server, "/well")[0] == 200


def test_a_client_that_sends_drop_by_drop_is_hung_up_on_while_others_are_answered(server, monkeypatch):
    monkeypatch.setattr(health_server, "_REQUEST_S", 0.5)
    with client(server) as slow:
        slow.settimeout(0.05)
        started_s = time.monotonic()
        answered = 0
        while time.monotonic() - started_s < 10.0:
            try:
                slow.send(b"G")
                if slow.recv(1) == b"":
                    break
            except TimeoutError:
                answered += ask(server, "/well")[0] == 200
            except ConnectionError:
                break
        assert 0.4 < time.monotonic() - started_s < 5.0
        assert answered > 1


def test_a_request_that_is_too_long_is_hung_up_on(server):
    with client(server) as long:
        with suppress(ConnectionError):
            long.sendall(b"GET /well HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")
        assert until_closed(long) == b""
    with client(server) as fitting:
        fitting.sendall(b"GET /well HTTP/1.1\r\nX: " + b"x" * 8000 + b"\r\n\r\n")
        assert until_closed(fitting).startswith(b"HTTP/1.0 200 ")


@pytest.mark.parametrize("garbage", [b"\x00\xff\r\n\r\n", b"\r\n\r\n", b"GET\r\n\r\n", b"GET /well HTTP/9.9\r\n\r\n"])
def test_garbage_is_answered_or_hung_up_on_and_forgotten(server, garbage, caplog):
    with client(server) as confused:
        confused.sendall(garbage)
        assert b" 200 " not in until_closed(confused)
    assert ask(server, "/well")[0] == 200
    assert caplog.records == []


def test_a_connection_has_one_request(server):
    with client(server) as keen:
        keen.sendall(REQUEST + REQUEST)
        assert until_closed(keen).count(b"HTTP/1.0 200 ") == 1


def test_a_crowd_is_hung_up_on_and_later_all_is_as_before(server, monkeypatch):
    before = threading.active_count()
    monkeypatch.setattr(health_server, "_MOST_THREADS", before + 3)
    with ExitStack() as crowd:
        for _ in range(3):
            crowd.enter_context(client(server))
        assert wait_until(lambda: threading.active_count() == before + 3, 5.0)
        with client(server) as one_more:
            assert until_closed(one_more) == b""
        assert threading.active_count() == before + 3
    assert wait_until(lambda: threading.active_count() == before, 5.0)
    assert ask(server, "/well")[0] == 200


def test_a_client_that_does_not_read_holds_up_nobody(monkeypatch):
    monkeypatch.setattr(health_server, "_REQUEST_S", 0.5)
    before = threading.active_count()
    with serving(large=Page(status=HTTPStatus.OK, text="x" * 50_000_000)) as server, client(server) as idle:
        idle.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        assert wait_until(lambda: threading.active_count() == before + 2, 5.0)
        assert ask(server, "/well")[0] == 200
        assert wait_until(lambda: threading.active_count() == before + 1, 5.0)
        assert ask(server, "/well")[0] == 200


def test_the_end_does_not_wait_for_clients():
    with ExitStack() as stack:
        with serving() as server:
            stack.enter_context(client(server))
            assert ask(server, "/well")[0] == 200
            started_s = time.monotonic()
        assert time.monotonic() - started_s < 1.0


def test_a_port_in_use_is_an_error_with_its_cause(server):
    with pytest.raises(OSError, match="Address already in use"):
        HealthServer("127.0.0.1", server.server_port)


def test_a_port_is_free_again_at_once(server):
    assert ask(server, "/well")[0] == 200
    server.__exit__(None, None, None)
    with HealthServer("127.0.0.1", server.server_port) as again:
        again.show({"/well": OK})
        assert ask(again, "/well")[0] == 200


def test_it_asks_no_name_server(monkeypatch):
    def never(*_):
        raise AssertionError("asked for a name")

    monkeypatch.setattr(socket, "getfqdn", never)
    monkeypatch.setattr(socket, "gethostbyaddr", never)
    with serving() as server:
        assert ask(server, "/well")[0] == 200


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_it_listens_at_an_ipv6_address():
    with serving("::1") as server:
        assert ask(server, "/well")[0] == 200
