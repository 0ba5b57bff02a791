"""The real sink and the real notifier, killed at will, between a real bus and receivers that are away meanwhile."""

import multiprocessing
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace

import psutil
import pytest

from configs.notify import NotifySettings
from stream import child
from stream.bus import Subscriber
from stream.notify.spec import PROCESS, NotifySpec
from stream.store import Store
from tests.receivers import Broker, Listener, Receiver
from tests.stream.sink.test_process import ENDS, LOW, OPENS, make_site
from tests.waiting import wait_until

WITHIN_S = 20.0
SECRETS = {
    "password": "br0ker-s3cret",
    "secret": "s1gning-s3cret-key",
    "authorization": "Bearer b3arer-s3cret",
    "url": "t0ken-in-a-path",
}


class Notifier:
    """The notifier process of a site."""

    def __init__(self, folder, endpoints, settings):
        self._log_file = folder / "notify.log"
        spec = NotifySpec(endpoints=endpoints, folder=folder / "state", cameras=("gate", "yard"), settings=settings)
        self._task = (PROCESS, "stream.notify.process:run", spec)
        self._process = self._line = None

    def start(self):
        context = multiprocessing.get_context("spawn")
        self._line, there = context.Pipe()
        self._process = context.Process(target=child.main, args=(*self._task, there, self._log_file), daemon=True)
        self._process.start()
        there.close()
        assert self._line.poll(WITHIN_S)
        assert self._line.recv() == (child.READY, "")

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._end()

    def stop(self):
        self._line.send(child.STOP)
        self._process.join(WITHIN_S)
        assert self._process.exitcode == 0
        self._end()

    def command_line(self):
        return " ".join(psutil.Process(self._process.pid).cmdline()) + str(
            psutil.Process(self._process.pid).environ()
        )

    @property
    def log(self):
        return self._log_file.read_text()

    def _end(self):
        self._process.join(WITHIN_S)
        self._process.close()
        self._line.close()
        self._process = None


@pytest.fixture
def place(tmp_path):
    """A site with its receivers, of which only the broker has begun: long enough to know who listens."""
    with ExitStack() as stack:
        site = stack.enter_context(make_site(tmp_path))
        site._spec = replace(site._spec, notices=True)
        broker = stack.enter_context(Broker(tmp_path, SECRETS["password"]))
        broker.start()
        listener = stack.enter_context(Listener(broker.port, SECRETS["password"]))
        receiver = stack.enter_context(Receiver())
        settings = NotifySettings.model_validate(
            {
                "mqtt": [
                    {
                        "name": "home",
                        "host": "127.0.0.1",
                        "port": broker.port,
                        "username": "mulde",
                        "password": SECRETS["password"],
                        "per_camera_per_hour": 100,
                    }
                ],
                "webhook": [
                    {
                        "name": "ops",
                        "url": f"{receiver.url}/{SECRETS['url']}",
                        "secret": SECRETS["secret"],
                        "authorization": SECRETS["authorization"],
                        "per_camera_per_hour": 100,
                    }
                ],
                "timeout_s": 1.0,
                "retry_first_s": 0.2,
                "retry_max_s": 0.5,
            }
        )
        notifier = Notifier(tmp_path, site.endpoints, settings)
        stack.callback(notifier.kill)
        yield site, broker, listener, receiver, notifier


def alert(camera, site):
    """One that begins and ends."""
    camera.see(*[LOW] * 3, *OPENS)
    start = site.next_alert("start")
    camera.see(*ENDS, LOW)
    assert site.next_alert("end").id == start.id
    return start.id


def counters(site, wanted):
    """The notifier's, as soon as they are as wanted."""
    with Subscriber(site.endpoints, (b"health/notify/",)) as health:
        found = []

        def look():
            received = health.receive(0.1)
            if received is not None:
                found.append(received[0].counters)
            return bool(found) and wanted(found[-1])

        assert wait_until(look, WITHIN_S), found[-1:]
        return found[-1]


def test_every_start_and_end_arrives_exactly_once_whoever_is_killed_or_away_meanwhile(place, tmp_path):
    site, broker, listener, receiver, notifier = place
    broker.stop()
    notifier.start()  # nobody is there
    site.start()
    ids = [alert(site.gate, site), alert(site.gate, site)]
    failing = counters(site, lambda now: min(now["failed/home"], now["failed/ops"]) >= 2)
    assert (failing["waiting/home"], failing["waiting/ops"], failing["sent/ops"]) == (4, 4, 0)

    site.yard.see(*[LOW] * 3, *OPENS)  # this one is open ...
    ids.append(site.next_alert("start").id)
    site.kill()  # ... when the sink is killed
    site.start()
    assert site.next_alert("end").reason == "interrupted"
    ids.append(alert(site.gate, site))
    command_line = notifier.command_line()
    notifier.kill()
    ids.append(alert(site.yard, site))  # while nobody looks into the outbox

    receiver.answers.put(503)
    receiver.answers.put("hang")
    receiver.start()
    broker.start()
    notifier.start()
    counters(site, lambda now: now["waiting/home"] == now["waiting/ops"] == 0.0)
    notifier.kill()
    notifier.start()
    ids.append(alert(site.gate, site))
    expected = Counter(f"{one}/{event}" for one in ids for event in ("start", "end"))
    assert len(expected) == 12

    def arrived():
        return min(len(receiver.notices()), len(listener.notices())) >= len(expected)

    assert wait_until(arrived, WITHIN_S), notifier.log
    counters(site, lambda now: now["waiting/home"] == now["waiting/ops"] == 0.0 and now["sent/ops"] == 2.0)
    assert Counter(one["id"] for one in receiver.notices()) == expected
    assert Counter(one["id"] for one in listener.notices()) == expected
    for told in (receiver.notices(), listener.notices()):
        order = [one["id"] for one in told]
        assert all(order.index(f"{one}/start") < order.index(f"{one}/end") for one in ids)
        reasons = {one["id"]: one["reason"] for one in told}
        assert reasons[f"{ids[2]}/end"] == "interrupted"
    assert all("picture" in one for one in receiver.notices() if one["event"] == "start")
    assert wait_until(lambda: listener.of("mulde/gate/anomaly")[-1:] == ["OFF"], WITHIN_S)

    # What ends with the watch is told before the end of it.
    site.gate.see(*[LOW] * 3, *OPENS)
    last = site.next_alert("start").id
    assert wait_until(lambda: listener.of("mulde/gate/anomaly")[-1:] == ["ON"], WITHIN_S)
    site.stop()
    notifier.stop()
    assert [one["id"] for one in receiver.notices()[12:]] == [f"{last}/start", f"{last}/end"]
    assert wait_until(lambda: listener.of("mulde/gate/anomaly")[-1:] == ["OFF"], WITHIN_S)
    assert wait_until(lambda: listener.of("mulde/availability")[-1:] == ["offline"], WITHIN_S)

    # Nothing of all this shows a secret.
    kept = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    for secret in SECRETS.values():
        secret = secret.removeprefix("Bearer ")
        assert secret not in notifier.log + site.log + command_line
        assert secret.encode() not in kept
    assert notifier.log.count("channel ops: cannot deliver") == 2  # once for each process that met it
    assert (tmp_path / "state" / "alerts.sqlite").stat().st_mode & 0o077 == 0


def test_a_store_that_cannot_be_written_is_waited_for_and_what_was_sent_meanwhile_is_not_sent_again(place, tmp_path):
    """As a full disk: the note that a notice was sent cannot be made."""
    site, _, listener, receiver, notifier = place
    receiver.answers.put("hang")
    receiver.start()
    notifier.start()
    site.start()
    site.gate.see(*[LOW] * 3, *OPENS)
    site.next_alert("start")
    assert wait_until(lambda: receiver.requests, WITHIN_S)
    with Store.open(tmp_path / "state") as held, held.transaction():  # who holds it keeps others from writing
        receiver.release.set()
        assert wait_until(lambda: "nobody is told of alerts until that is over" in notifier.log, WITHIN_S)
    assert wait_until(lambda: "the outbox can be used again" in notifier.log, WITHIN_S)
    counters(site, lambda now: now["waiting/home"] == now["waiting/ops"] == 0.0)
    assert Counter(one["event"] for one in receiver.notices()) == {"start": 1}
    assert Counter(one["event"] for one in listener.notices()) == {"start": 1}
