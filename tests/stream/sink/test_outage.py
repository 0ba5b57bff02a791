"""A camera without pictures is an alert: what the sink makes of what capture says, or no longer says."""

import time

import pytest

from stream.bus import Publisher
from stream.messages import Alert, Camera
from tests.stream.sink.test_process import LOW, make_site
from tests.waiting import wait_until

AFTER_S = 1.0
REFUSED = "rtsp://viewer:***@gate/stream: nothing listens at port 554 of gate"


class Says:
    """The capture processes of both cameras: what they say of them, again and again until they say something else."""

    def __init__(self, site, publisher):
        self.site, self._publisher = site, publisher
        self.states = {"gate": ("live", ""), "yard": ("live", "")}

    def repeat(self):
        for name, (state, reason) in self.states.items():
            self._publisher.send(Camera(camera=name, state=state, reason=reason, utc=self.site.gate.utc(0)))

    def alerts_within(self, seconds, at_most=10):
        """Those that come meanwhile, up to a number of them."""
        until_s, alerts = time.monotonic() + seconds, []
        while time.monotonic() < until_s and len(alerts) < at_most:
            self.repeat()
            received = self.site._subscriber.receive(0.1)
            alerts += [received[0]] if received is not None and isinstance(received[0], Alert) else []
        return alerts

    def next_alert(self):
        (alert,) = self.alerts_within(10.0, at_most=1)
        return alert


@pytest.fixture
def says(tmp_path):
    with make_site(tmp_path, trouble_after_s=AFTER_S) as site, Publisher(site.endpoints) as publisher:
        site.start()
        says = Says(site, publisher)
        says.repeat()
        yield says


@pytest.mark.parametrize("state", ["lost", "stalled", "connecting"])
def test_an_outage_is_one_alert_that_says_why_and_ends_with_the_first_picture(says, state):
    site = says.site
    site.gate.see(*[LOW] * 6)
    assert says.alerts_within(1.0) == []
    lost_s = time.monotonic()
    says.states["gate"] = (state, REFUSED)
    start = says.next_alert()
    assert 0.9 * AFTER_S < time.monotonic() - lost_s < AFTER_S + 2.5
    assert (start.event, start.kind, start.camera) == ("start", "camera", "gate")
    assert start.reason == f"no pictures: {REFUSED}"
    record = site.stored(start)
    assert (record.kind, record.state, record.reason) == ("camera", "open", start.reason)
    assert record.started_s == start.stream_time_s >= site.gate.time_s(5)

    says.states["gate"] = ("lost", "rtsp://viewer:***@gate/stream: user or password not accepted")
    site.gate.see(*[LOW] * 3)  # scores that were late
    assert says.alerts_within(2 * AFTER_S) == []
    says.states["gate"] = ("live", "")
    end = says.next_alert()
    assert (end.event, end.id, end.reason) == ("end", start.id, start.reason)
    record = site.stored(start)
    assert (record.state, record.ended_utc) == ("ended", end.utc)
    assert AFTER_S <= record.ended_s - record.started_s <= time.monotonic() - lost_s + 0.5
    assert site.all_stored() == [record]
    wait_until(lambda: "ended after" in site.log, 5)  # logged after it was told
    lines = [line.split(" sink: ")[1] for line in site.log.splitlines()]
    assert lines[0] == f"alert {start.id}: camera gate: {start.reason}"
    assert lines[1].startswith(f"alert {start.id}: camera gate: ended after ")
    assert len(lines) == 2


def test_a_short_outage_is_no_alert(says):
    says.states["gate"] = ("lost", REFUSED)
    assert says.alerts_within(0.3) == []
    says.states["gate"] = ("live", "")
    assert says.alerts_within(2 * AFTER_S) == []


def test_a_capture_process_that_says_nothing_is_an_outage_too(says):
    del says.states["yard"]
    start = says.next_alert()
    assert (start.camera, start.kind) == ("yard", "camera")
    assert start.reason == "no pictures: no word from its capture process"
    says.states["yard"] = ("live", "")
    assert says.next_alert().event == "end"


def test_a_recording_that_is_over_is_no_outage(says):
    says.states["yard"] = ("ended", "")
    assert says.alerts_within(0.3) == []
    del says.states["yard"]
    assert says.alerts_within(2 * AFTER_S) == []


def test_an_outage_takes_the_place_of_what_the_picture_showed(says):
    says.site.gate.see(*[LOW] * 3, condition="covered")
    covered = says.next_alert()
    assert covered.reason == "covered"
    says.states["gate"] = ("lost", REFUSED)
    end, start = says.next_alert(), says.next_alert()
    assert (end.id, end.event) == (covered.id, "end")
    assert (start.event, start.reason) == ("start", f"no pictures: {REFUSED}")


def test_stopping_ends_an_outage(says):
    says.states["gate"] = ("lost", REFUSED)
    start = says.next_alert()
    says.site.stop()
    assert says.site.stored(start).state == "ended"


def test_a_source_that_starts_again_ends_its_outage(says):
    says.site.gate.see(*[LOW] * 6)
    says.states["gate"] = ("lost", REFUSED)
    start = says.next_alert()
    says.site.gate.restart_capture()
    says.site.gate.see(LOW)
    end = says.next_alert()
    assert (end.id, end.event) == (start.id, "end")
