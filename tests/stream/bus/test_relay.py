"""The relay and who reaches it, each in a process or a ZeroMQ context of its own, over real TCP."""

import multiprocessing
import random
import shutil
import socket
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
import zmq

from stream import child
from stream.bus import Broker, BusError, Endpoints, Publisher, Subscriber
from stream.bus.keys import client_options, make_client, make_server, server_options
from stream.bus.reach import reach
from stream.bus.relay import RelaySpec
from stream.messages import encode, topic_of
from tests.stream.bus.test_lanes import HEAT, connected, health, receive_all, score
from tests.waiting import wait_until


class Site:
    """A broker, a publisher, keys, and a relay process that listens at `address`."""

    def __init__(self, tmp_path, endpoints, publisher):
        self.endpoints, self.publisher = endpoints, publisher
        self.keys = tmp_path / "keys"
        make_server(self.keys)
        self.client = make_client(self.keys, "laptop")
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.log_file = tmp_path / "relay.log"
        self._process = self.line = None

    def start(self):
        context = multiprocessing.get_context("spawn")
        self.line, there = context.Pipe()
        spec = RelaySpec(endpoints=self.endpoints, listen=self.address, keys=self.keys)
        self._process = context.Process(
            target=child.main, args=("relay", "stream.bus.relay:run", spec, there, self.log_file), daemon=True
        )
        self._process.start()
        there.close()
        assert self.line.poll(20.0)
        return self.line.recv()

    def stop(self):
        """Ask it to stop; how long that took."""
        started_s = time.monotonic()
        self.line.send(child.STOP)
        self._process.join(10)
        assert self._process.exitcode == 0
        return time.monotonic() - started_s

    def close(self):
        if self._process is not None:
            self._process.kill()
            self._process.join(10)
            self._process.close()
            self.line.close()

    def observer(self, keys=None):
        return Subscriber(replace(self.endpoints, subscribe=self.address, keys=keys or self.client))

    @contextmanager
    def counters(self):
        """Call what this gives for the relay's next report."""
        with Subscriber(self.endpoints, (b"health/relay/",)) as beats:

            def latest():
                received = beats.receive(5.0)
                assert received is not None, self.log
                return received[0].counters

            latest()
            yield latest

    @property
    def log(self):
        return self.log_file.read_text()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def is_let_in(address, keys):
    try:
        reach(address, keys)
    except BusError:
        return False
    return True


@pytest.fixture
def site(tmp_path):
    endpoints = Endpoints.in_folder(tmp_path / "bus")
    with Broker(endpoints), Publisher(endpoints) as publisher:
        site = Site(tmp_path, endpoints, publisher)
        yield site
        site.close()


@pytest.fixture
def relay(site):
    assert site.start() == (child.READY, "")
    return site


@pytest.fixture
def stranger():
    """A socket of somebody else: call it with its kind and options; it connects to the address."""
    context = zmq.Context()
    sockets = []

    def connect(kind, address, options):
        sockets.append(context.socket(kind))
        for option, value in options.items():
            sockets[-1].set(option, value)
        sockets[-1].connect(address)
        return sockets[-1]

    yield connect
    for made in sockets:
        made.close(linger=0)
    context.term()


@pytest.fixture
def other_keys(relay, tmp_path):
    """Of a client that knows the server's key and is not allowed."""
    make_server(tmp_path / "other")
    folder = make_client(tmp_path / "other", "stranger")
    shutil.copy(relay.keys / "server.key", folder)
    return folder


def test_who_is_allowed_hears_what_is_broadcast(relay):
    reach(relay.address, relay.client)
    with relay.observer() as observer:
        connected(relay.publisher, observer)
        relay.publisher.send(score(1, heat_shape=(2, 3)), HEAT)
        relay.publisher.send(score(2))
        received = [item for item in receive_all(observer) if item[0].__class__.__name__ == "Score"]
        assert received == [(score(1, heat_shape=(2, 3)), HEAT), (score(2), None)]
        assert observer.refused == 0
    assert "laptop watches from 127.0.0.1" in relay.log
    assert relay.stop() < 2.0


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_the_relay_can_be_at_an_ipv6_address(site):
    site.address = site.address.replace("127.0.0.1", "[::1]")
    assert site.start() == (child.READY, "")
    reach(site.address, site.client)
    with site.observer() as observer:
        connected(site.publisher, observer)


def test_a_key_that_is_not_allowed_is_refused_counted_and_told_to_both_sides(relay, other_keys):
    with relay.counters() as counters, relay.observer(other_keys) as observer:
        with pytest.raises(
            BusError, match=rf"{relay.address}: refused, our key is not allowed: put .*client.key into"
        ):
            reach(relay.address, other_keys)
        assert wait_until(lambda: counters()["refused"] >= 2, 5.0)  # the question and the observer
        relay.publisher.send(score(1))
        assert observer.receive(0.5) is None
        assert counters()["admitted"] == 0
    assert relay.log.count("refused 127.0.0.1: its key is not allowed") == 1


def test_without_a_key_or_with_another_server_s_nobody_hears_anything(relay, stranger, tmp_path):
    make_server(tmp_path / "other")
    wrong_server = make_client(tmp_path / "other", "laptop")
    with relay.counters() as counters:
        deaf = [
            stranger(zmq.SUB, relay.address, {zmq.SUBSCRIBE: b""}),
            stranger(zmq.SUB, relay.address, {zmq.SUBSCRIBE: b"", **client_options(wrong_server)}),
            stranger(zmq.SUB, relay.address, {zmq.SUBSCRIBE: b"", zmq.PLAIN_USERNAME: b"laptop"}),
        ]
        assert wait_until(lambda: counters()["refused"] >= 3, 5.0)
        relay.publisher.send(score(1))
        assert [one.poll(300) for one in deaf] == [0, 0, 0]
        assert counters()["admitted"] == 0
    with pytest.raises(
        BusError, match=r"who answers has not the key in .*server.key: copy it from that machine again"
    ):
        reach(relay.address, wrong_server)


def test_nobody_is_let_in_where_nobody_is_there_to_be_asked(relay, stranger):
    """ZeroMQ's default is to let everybody in then."""
    with zmq.Context() as context, context.socket(zmq.PUB) as open_door:
        for option, value in server_options(relay.keys).items():
            open_door.set(option, value)
        port = open_door.bind_to_random_port("tcp://127.0.0.1")
        address = f"tcp://127.0.0.1:{port}"
        with pytest.raises(BusError, match=r"within 1 s|has not the key"):
            reach(address, relay.client, timeout_s=1.0)


def test_an_observer_can_send_nothing_into_the_bus(relay, stranger):
    forged = [topic_of(score(7)), encode(score(7))]
    keys = client_options(relay.client)
    with Subscriber(relay.endpoints) as inside, relay.observer() as observer:
        connected(relay.publisher, inside)
        connected(relay.publisher, observer)
        sending = stranger(zmq.XSUB, relay.address, keys)
        for _ in range(100):
            sending.send_multipart(forged)
        sending.send(b"\x01")  # a subscription to everything, after which it hears what the others hear
        assert wait_until(lambda: relay.publisher.send(health("test")) or sending.poll(20), 5.0)
        sending.send(b"\x01" + b"x" * 100_000)  # one that is too large ends its connection
        greedy = stranger(zmq.SUB, relay.address, keys)
        for number in range(1000):
            greedy.subscribe(f"score/{number}/")
        for kind in (zmq.PUB, zmq.PUSH, zmq.XPUB, zmq.DEALER, zmq.REQ):
            other = stranger(kind, relay.address, keys)
            if other.poll(50, zmq.POLLOUT):
                other.send_multipart(forged)
        relay.publisher.send(health("last"))
        for end in (inside, observer):
            heard = [message for message, _ in receive_all(end)]
            assert {message.process for message in heard} <= {"test", "last", "relay"}  # Health, all of it
            assert heard.count(health("last")) == 1
            assert end.refused == 0


def test_noise_on_the_port_is_refused_counted_and_harmless(relay):
    generator = random.Random(1)
    beginnings = (
        b"",
        b"GET / HTTP/1.0\r\n\r\n",
        b"\xff" + b"\0" * 8 + b"\x7f",  # of a ZeroMQ greeting
        b"\xff" + b"\0" * 8 + b"\x7f\x03\x01CURVE" + b"\0" * 47,  # a whole one
    )
    host, port = "127.0.0.1", int(relay.address.rpartition(":")[2])
    with relay.counters() as counters, relay.observer() as observer:
        connected(relay.publisher, observer)
        for number in range(200):
            with socket.create_connection((host, port), timeout=5.0) as noisy:
                try:
                    noisy.sendall(beginnings[number % 4] + generator.randbytes(generator.randrange(5000)))
                except ConnectionError:
                    continue  # it hung up on us
        assert wait_until(lambda: counters()["refused"] >= 200, 10.0)
        relay.publisher.send(score(1))
        assert (score(1), None) in receive_all(observer)
        assert counters()["admitted"] == 1
    assert "Traceback" not in relay.log


def test_a_key_is_let_in_and_shut_out_while_it_runs(relay):
    with relay.observer() as first:
        connected(relay.publisher, first)
        second_keys = make_client(relay.keys, "tablet")
        assert wait_until(lambda: is_let_in(relay.address, second_keys), 5.0)
        with relay.observer(second_keys) as second:
            connected(relay.publisher, second)
            (relay.keys / "allowed" / "tablet.key").unlink()
            assert wait_until(lambda: "no longer allowed: tablet" in relay.log, 5.0)
            assert wait_until(lambda: relay.log.count("laptop watches from") == 2, 10.0), "it came back"
            connected(relay.publisher, first)
            while second.receive(0.2) is not None:
                pass
            relay.publisher.send(score(1))
            assert (score(1), None) in receive_all(first)
            assert second.receive(0.2) is None


def test_a_file_among_the_allowed_that_is_no_key_is_told_once_and_passed_over(site):
    (site.keys / "allowed" / "notes.key").write_text("")
    assert site.start() == (child.READY, "")
    later = make_client(site.keys, "later")
    assert wait_until(lambda: is_let_in(site.address, later), 5.0)  # so it has looked a second time
    assert site.log.count("notes.key: holds no key: remove it") == 1


def test_an_address_in_use_and_keys_that_are_gone_are_one_clear_line(site):
    with socket.create_server(("127.0.0.1", int(site.address.rpartition(":")[2]))):
        word, text = site.start()
        assert word == child.ERROR
        assert text == f"bus: cannot listen at {site.address}: Address already in use: another instance uses it"
    site.close()
    (site.keys / "server.key_secret").unlink()
    word, text = site.start()
    assert word == child.ERROR
    assert text.endswith("server.key_secret: no such file: make it with `keys`")
    assert "Traceback" not in site.log


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("tcp://nowhere.invalid:5577", "host nowhere.invalid is not known"),
        ("127.0.0.1:5577", "must be tcp://HOST:PORT"),
        ("tcp://127.0.0.1", "must be tcp://HOST:PORT"),
        ("tcp://127.0.0.1:port", "must be tcp://HOST:PORT"),
        ("tcp://127.0.0.1:70000", "must be tcp://HOST:PORT"),
        ("ipc:///tmp/x", "must be tcp://HOST:PORT"),
    ],
)
def test_an_address_that_cannot_be_is_told_at_once(site, address, why):
    started_s = time.monotonic()
    with pytest.raises(BusError, match=why):
        reach(address, site.client)
    assert time.monotonic() - started_s < 5.0


def test_nobody_there_somebody_silent_and_somebody_else_are_told_apart(site):
    with pytest.raises(
        BusError, match=r"nothing listens there within 0\.5 s: is it watching there, with bus\.listen\?"
    ):
        reach(site.address, site.client, timeout_s=0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(BusError, match=r"somebody listens, but does not answer within 0\.5 s"):
            reach(address, site.client, timeout_s=0.5)
