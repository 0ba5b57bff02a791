from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from configs.notify import NotifySettings
from stream.notify.channel import NotDeliveredError, RefusedError
from stream.notify.dispatch import Dispatcher
from stream.notify.sender import Sender
from stream.overview import Moment
from stream.store import Store
from tests.stream.notify.notices import ended, numbered
from tests.waiting import wait_until

WITHIN_S = 5.0
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)  # notices are made by the real clock


class Noting:
    """A channel that notes what it is told, and does what it shall with it."""

    def __init__(self):
        self.got = []
        self.pictures = []
        self.trouble = None

    def deliver(self, notice, picture):
        if self.trouble is not None:
            raise self.trouble
        self.got.append(notice)
        self.pictures.append(picture)

    def close(self):
        pass


class Desk:
    """A dispatcher with one channel over a real store, at a time that the test sets."""

    def __init__(self, folder, **changes):
        channel = {"name": "ops", "url": "http://127.0.0.1/", **changes}
        self.settings = NotifySettings.model_validate(
            {"webhook": [channel], "retry_first_s": 2.0, "give_up_hours": 24.0}
        )
        self.folder = folder
        self.channel = Noting()
        self.store = Store.open(folder, notices=True)
        self.now = Moment(0.0, NOON)
        self.start()

    def start(self):
        self.sender = Sender("ops", self.channel, pictures=self.settings.webhook[0].pictures)
        self.dispatcher = Dispatcher(self.settings, {"ops": self.sender})

    def later(self, **span):
        span = timedelta(**span)
        self.now = Moment(self.now.monotonic_s + span.total_seconds(), self.now.local + span)

    def step(self):
        self.dispatcher.step(self.store.outbox, self.now)

    def settle(self):
        """Step until nothing is under way."""
        self.step()
        while self.dispatcher.under_way():
            assert wait_until(self.dispatcher.answered, WITHIN_S)
            self.step()

    def heard(self):
        return [one.id for one in self.channel.got]

    def count(self, name):
        return self.dispatcher.counters(self.now)[f"{name}/ops"]

    def close(self):
        self.sender.close()
        self.store.close()


@pytest.fixture
def desk(tmp_path):
    made = []

    def at(**changes):
        made.append(Desk(tmp_path, **changes))
        return made[-1]

    yield at
    for one in made:
        one.close()


def test_start_and_end_are_told_in_order_with_the_picture_and_once(desk, tmp_path):
    picture = tmp_path / "001-gate.jpg"
    picture.write_bytes(b"\xff\xd8 a picture")
    one = desk()
    one.store.save(numbered(1, evidence=(str(picture), str(tmp_path / "001-gate.mp4"))))
    one.store.save(ended(numbered(1)))
    one.settle()
    one.settle()
    assert one.heard() == ["001-gate/start", "001-gate/end"]
    assert one.channel.pictures == [Path(picture), None]
    assert (one.count("sent"), one.count("waiting")) == (2, 0)


def test_a_receiver_that_fails_gets_pauses_and_then_all_in_order(desk, caplog):
    one = desk()
    one.channel.trouble = NotDeliveredError("it is down")
    one.store.save(numbered(1), numbered(2))
    one.settle()
    one.later(seconds=0.9)
    one.settle()
    assert one.count("failed") == 1  # the pause is a second at least
    for _ in range(3):
        one.later(seconds=60)
        one.settle()
    assert one.count("failed") == 4
    assert (one.count("waiting"), one.count("failing_s")) == (2, 180.9)
    one.channel.trouble = None
    one.later(seconds=60)
    one.settle()
    assert one.heard() == ["001-gate/start", "002-gate/start"]
    assert (one.count("failing_s"), one.count("waiting")) == (0, 0)
    assert caplog.text.count("channel ops: cannot deliver, trying again: it is down") == 1


def test_a_notice_that_is_refused_is_counted_told_of_once_and_does_not_hold_up_others(desk, caplog):
    one = desk()
    one.channel.trouble = RefusedError("answers 404 Not Found")
    one.store.save(numbered(1), numbered(2))
    one.settle()
    one.channel.trouble = None
    one.store.save(numbered(3))
    one.settle()
    assert (one.count("rejected"), one.heard()) == (2, ["003-gate/start"])
    assert caplog.text.count("refuses notice") == 1


def test_an_error_of_a_services_code_is_that_channels_trouble_only(desk, caplog):
    one = desk()
    one.channel.trouble = KeyError("t0ken")
    one.store.save(numbered(1))
    one.settle()
    assert (one.count("failed"), one.count("waiting")) == (1, 1)
    assert "KeyError in " in caplog.text
    assert "t0ken" not in caplog.text


def test_a_camera_that_talks_too_much_comes_in_an_hourly_digest_and_the_others_do_not(desk):
    one = desk(per_camera_per_hour=2)
    for number in range(1, 6):
        one.store.save(numbered(number, score=4.0 * number))
        one.store.save(ended(numbered(number, score=4.0 * number)))
        one.settle()
        one.later(minutes=1)
    one.store.save(numbered(6, camera="yard"))
    one.settle()
    told = ["001-gate/start", "001-gate/end", "002-gate/start", "002-gate/end", "006-yard/start"]
    assert one.heard() == told
    assert one.count("held") == 6

    one.later(minutes=56)  # an hour less a minute after the third
    one.settle()
    assert one.heard() == told
    one.later(minutes=1)
    one.settle()
    (digest,) = one.channel.got[len(told) :]
    assert (digest.event, digest.counts, digest.worst.alert) == ("digest", {"gate": 3}, "005-gate")
    one.store.save(numbered(7))
    one.settle()
    assert one.heard()[-1] == "007-gate/start"  # the hour is over


def test_quiet_hours_are_told_of_afterwards_in_one_digest_except_for_what_is_urgent(desk):
    one = desk(quiet="22:00-06:00", urgent=3.0)
    one.later(hours=11)
    one.store.save(numbered(1), numbered(2, camera="yard"), numbered(3, score=12.0))
    one.settle()
    assert one.heard() == ["003-gate/start"]
    one.later(hours=6, minutes=59)
    one.settle()
    assert len(one.channel.got) == 1
    one.later(minutes=1)
    one.settle()
    assert one.channel.got[1].counts == {"gate": 1, "yard": 1}
    assert len(one.channel.got) == 2


def test_a_receiver_that_comes_back_in_quiet_hours_is_not_told_before_they_are_over(desk):
    one = desk(quiet="22:00-06:00", per_camera_per_hour=1)
    one.channel.trouble = NotDeliveredError("it is down")
    one.later(hours=9)
    one.store.save(numbered(1), numbered(2))  # the second one in a digest, an hour later
    one.settle()
    one.later(minutes=59)
    one.settle()
    one.channel.trouble = None
    one.later(hours=3)
    one.settle()
    assert one.channel.got == []
    one.later(hours=6)
    one.settle()
    assert [(got.event, got.counts) for got in one.channel.got] == [("digest", {"gate": 2})]


def test_what_cannot_be_delivered_for_too_long_is_given_up_and_told_of(desk, caplog):
    one = desk()
    one.channel.trouble = NotDeliveredError("it is down")
    one.store.save(numbered(1))
    one.settle()
    one.later(hours=47)  # from noon, whatever time it is now
    one.settle()
    one.later(hours=24)
    one.settle()
    assert (one.count("given_up"), one.count("waiting")) == (1, 0)
    assert "channel ops: 1 notices given up" in caplog.text


def test_after_a_restart_what_was_told_is_not_told_again_and_what_was_not_is(desk):
    one = desk(per_camera_per_hour=1)
    one.store.save(numbered(1))
    one.settle()
    one.channel.trouble = NotDeliveredError("it is down")
    one.store.save(ended(numbered(1)), numbered(2))
    one.settle()
    one.sender.close()
    one.channel.trouble = None
    one.start()
    one.later(minutes=2)
    one.settle()
    assert one.heard() == ["001-gate/start", "001-gate/end"]
    assert one.count("held") == 1  # the rate counts on, too
