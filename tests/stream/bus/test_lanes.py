import logging
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import zmq

from stream.bus import Broker, BusError, Endpoints, Publisher, ScoreReceiver, ScoreSender, Subscriber
from stream.messages import Alert, Health, Score, encode
from tests.waiting import wait_until

REPOSITORY = Path(__file__).parents[3]
HEAT = bytes(range(6))


def score(seq, camera="gate", **fields):
    return Score(
        camera=camera,
        seq=seq,
        stream_time_s=seq / 5,
        utc="2026-01-31T12:00:00.000Z",
        score=1.0,
        threshold=2.0,
        latency_ms=50.0,
        captured_at_s=100.0,
        **fields,
    )


def health(process="worker", **counters):
    return Health(process=process, utc="2026-01-31T12:00:00.000Z", counters=counters)


@pytest.fixture
def endpoints(tmp_path):
    return Endpoints.in_folder(tmp_path)


@pytest.fixture
def broker(endpoints):
    with Broker(endpoints) as broker:
        yield broker


@pytest.fixture
def raw_peer():
    """A peer that speaks ZeroMQ but not our messages: call it with socket type and endpoint."""
    context = zmq.Context()
    sockets = []

    def connect(kind, endpoint):
        sockets.append(context.socket(kind))
        sockets[-1].connect(endpoint)
        return sockets[-1]

    yield connect
    for socket in sockets:
        socket.close(linger=0)
    context.term()


def connected(publisher, subscriber, within_s=5.0):
    """Send until the subscriber hears it: a subscription takes a moment to reach the publisher."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        publisher.send(health("test"))
        if subscriber.receive(0.02) is not None:
            while subscriber.receive(0.05) is not None:
                pass
            return
    raise AssertionError("publisher and subscriber did not find each other")


def receive_all(receiver, within_s=5.0):
    """What arrives until nothing has come for a moment."""
    received = []
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s and (item := receiver.receive(0.3 if received else 2.0)) is not None:
        received.append(item)
    return received


def test_scores_arrive_in_order_with_their_heat_maps(endpoints):
    with ScoreReceiver(endpoints) as receiver, ScoreSender(endpoints) as sender:
        assert sender.send(score(1, heat_shape=(2, 3)), HEAT)
        assert sender.send(score(2))
        assert receiver.receive(2.0) == (score(1, heat_shape=(2, 3)), HEAT)
        assert receiver.receive(2.0) == (score(2), None)
        assert receiver.refused == 0


def test_scores_wait_for_a_sink_that_comes_later_and_for_one_that_restarts(endpoints):
    files = psutil.Process().num_fds
    with ScoreSender(endpoints) as sender:
        alone = files()
        assert all(sender.send(score(seq)) for seq in range(500))
        with ScoreReceiver(endpoints) as receiver:
            assert [receiver.receive(2.0)[0].seq for _ in range(500)] == list(range(500))
            assert receiver.receive(0.0) is None
        assert wait_until(lambda: files() <= alone, 5.0), "the sender knows that the sink is gone"
        assert all(sender.send(score(seq)) for seq in range(500, 1000))
        with ScoreReceiver(endpoints) as receiver:
            assert [item.seq for item, _ in receive_all(receiver)] == list(range(500, 1000))
        assert sender.dropped == 0


def test_the_backlog_stays_with_the_sender_while_the_sink_is_slow(endpoints):
    """A sink killed with the backlog in its own memory would take it along: nearly all must wait at the sender."""
    with ScoreSender(endpoints) as sender:
        with ScoreReceiver(endpoints) as receiver:
            assert all(sender.send(score(seq)) for seq in range(10_000))
            assert receiver.receive(2.0)[0].seq == 0
        with ScoreReceiver(endpoints) as receiver:
            first, *rest = receive_all(receiver, within_s=20.0)
    assert 1 <= first[0].seq < 5000  # what the system holds between the two is out of anyone's hands
    assert rest[-1][0].seq == 9_999


def test_a_full_backlog_drops_and_counts_without_waiting(endpoints):
    with ScoreSender(endpoints) as sender:
        slowest_s, sent = 0.0, 0
        for seq in range(20_100):
            started_s = time.monotonic()
            sent += sender.send(score(seq))
            slowest_s = max(slowest_s, time.monotonic() - started_s)
        assert sent + sender.dropped == 20_100
        assert sender.dropped == 100
        assert slowest_s < 1.0
        started_s = time.monotonic()
    assert time.monotonic() - started_s < 2.0  # closing does not wait for a sink that never comes


def test_everyone_who_listens_hears_a_broadcast(endpoints, broker):
    with Publisher(endpoints) as publisher, Subscriber(endpoints) as one, Subscriber(endpoints) as other:
        connected(publisher, one)
        connected(publisher, other)
        receive_all(one)
        alert = Alert(
            event="start",
            id="a",
            kind="anomaly",
            camera="gate",
            stream_time_s=1.0,
            utc="2026-01-31T12:00:00.000Z",
            score=3.0,
            threshold=2.0,
        )
        publisher.send(alert, b"JPEG")
        assert one.receive(2.0) == (alert, b"JPEG")
        assert other.receive(2.0) == (alert, b"JPEG")


def test_camera_1_does_not_receive_camera_10(endpoints, broker):
    with Publisher(endpoints) as publisher, Subscriber(endpoints, (b"score/1/", b"health/test/")) as subscriber:
        connected(publisher, subscriber)
        publisher.send(score(1, camera="10"))
        publisher.send(score(2, camera="1"))
        assert subscriber.receive(2.0) == (score(2, camera="1"), None)
        assert subscriber.receive(0.2) is None


def test_a_last_message_leaves_a_process_that_ends_at_once(endpoints, broker):
    code = (
        "import sys\n"
        "from stream.bus import Endpoints, ScoreSender\n"
        "from tests.stream.bus.test_lanes import score\n"
        "with ScoreSender(Endpoints.in_folder(__import__('pathlib').Path(sys.argv[1]))) as sender:\n"
        "    [sender.send(score(seq)) for seq in range(500)]\n"
    )
    with ScoreReceiver(endpoints) as receiver:
        folder = Path(endpoints.scores.removeprefix("ipc://")).parent
        process = subprocess.Popen([sys.executable, "-W", "error", "-c", code, folder], cwd=REPOSITORY)
        assert process.wait(10) == 0
        assert [item.seq for item, _ in receive_all(receiver)] == list(range(500))


def test_receiving_waits_no_longer_than_told(endpoints, broker):
    with Subscriber(endpoints) as subscriber, ScoreReceiver(endpoints) as receiver:
        for end in (subscriber, receiver):
            started_s = time.monotonic()
            assert end.receive(0.1) is None
            assert 0.09 < time.monotonic() - started_s < 1.0


GARBAGE = [
    [b""],
    [b"score/gate/"],
    [b"score/gate/", b"\xff\xfe"],
    [b"score/gate/", b'{"type":"shout"}'],
    [b"score/gate/", encode(score(1)).replace(b'"version":1', b'"version":2')],
    [b"score/gate/", encode(score(1)), b"raw", b"one too many"],
    [b"score/other/", encode(score(1))],
    [b"score/gate/", encode(score(1, heat_shape=(2, 3)))],
    [b"score/gate/", encode(score(1, heat_shape=(2, 3))), HEAT + b"!"],
    [b"score/gate/", encode(score(1)), HEAT],
]


def test_what_is_no_score_is_refused_counted_and_harmless(endpoints, raw_peer, caplog):
    with ScoreReceiver(endpoints) as receiver:
        peer = raw_peer(zmq.PUSH, endpoints.scores)
        garbage = [*GARBAGE, [b"health/worker/", encode(health())]]
        for _ in range(3):
            for parts in garbage:
                peer.send_multipart(parts)
        peer.send_multipart([b"score/gate/", encode(score(7))])
        assert receiver.receive(5.0) == (score(7), None)
        assert receiver.refused == 3 * len(garbage)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 5  # parts, content, version, topic, heat map: each kind once
    assert all("\n" not in record.getMessage() for record in warnings)


def test_what_is_no_message_is_refused_counted_and_harmless(endpoints, broker, raw_peer):
    with Publisher(endpoints) as publisher, Subscriber(endpoints) as subscriber:
        peer = raw_peer(zmq.PUB, endpoints.publish)
        deadline_s = time.monotonic() + 5.0
        while subscriber.refused == 0 and time.monotonic() < deadline_s:
            peer.send_multipart(GARBAGE[0])
            subscriber.receive(0.05)
        receive_all(subscriber)
        refused = subscriber.refused
        assert refused > 0
        for parts in GARBAGE:
            peer.send_multipart(parts)
        assert subscriber.receive(0.5) is None
        assert subscriber.refused == refused + len(GARBAGE)
        connected(publisher, subscriber)


def test_a_flood_of_garbage_does_not_hold_the_receiver(endpoints, raw_peer):
    with ScoreReceiver(endpoints) as receiver:
        peer = raw_peer(zmq.PUSH, endpoints.scores)
        over = threading.Event()

        def flood():
            while not over.is_set():
                if peer.poll(50, zmq.POLLOUT):
                    peer.send(b"garbage", zmq.NOBLOCK)

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            started_s = time.monotonic()
            assert receiver.receive(0.2) is None
            assert time.monotonic() - started_s < 1.0
            assert receiver.refused > 0
        finally:
            over.set()
            thread.join(5)


def test_publishers_never_wait_for_an_observer_that_stands_still(endpoints, broker):
    with Publisher(endpoints) as publisher, Subscriber(endpoints) as stuck, Subscriber(endpoints) as awake:
        connected(publisher, stuck)
        connected(publisher, awake)
        started_s = time.monotonic()
        for seq in range(30_000):
            publisher.send(score(seq))
        assert time.monotonic() - started_s < 10.0
        publisher.send(health(mark=1))
        assert len(receive_all(awake, within_s=20.0)) > 0


def test_the_folder_is_made_for_this_user_only(tmp_path):
    Endpoints.in_folder(tmp_path / "bus")
    assert stat.S_IMODE((tmp_path / "bus").stat().st_mode) == 0o700


def test_a_folder_others_may_enter_is_refused(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(BusError, match=r"others may enter .* chmod 700"):
        Endpoints.in_folder(tmp_path)


def test_a_path_too_long_for_a_socket_is_one_clear_line(tmp_path):
    with pytest.raises(BusError, match="longer than 107 bytes: take a shorter folder"):
        Endpoints.in_folder(tmp_path / ("x" * 100))


def test_an_endpoint_that_cannot_be_opened_is_one_clear_line():
    nowhere = Endpoints(scores="ipc:///no/such/folder/s", publish="tcp://256.0.0.1:1", subscribe="wrong")
    for make in (Broker, ScoreReceiver, Subscriber):
        with pytest.raises(BusError, match=r"^bus: cannot (listen at|connect to) "):
            make(nowhere)


def test_a_second_instance_on_the_same_port_is_one_clear_line(raw_peer):
    taken = raw_peer(zmq.PULL, "tcp://127.0.0.1:1")
    address = f"tcp://127.0.0.1:{taken.bind_to_random_port('tcp://127.0.0.1')}"
    with pytest.raises(BusError, match="another instance uses it"):
        ScoreReceiver(Endpoints(scores=address, publish=address, subscribe=address))


def test_closing_everything_leaves_no_thread_and_no_socket(endpoints):
    process = psutil.Process()
    threads, files = process.num_threads(), process.num_fds()
    broker = Broker(endpoints)
    ends = [Publisher(endpoints), Subscriber(endpoints), ScoreReceiver(endpoints), ScoreSender(endpoints)]
    assert process.num_threads() > threads
    started_s = time.monotonic()
    for end in [*ends, broker, broker, *ends]:  # a second time is harmless
        end.close()
    assert time.monotonic() - started_s < 2.0
    assert process.num_threads() == threads
    assert process.num_fds() == files
    assert not any(thread.name == "bus-broker" for thread in threading.enumerate())
