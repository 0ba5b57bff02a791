import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from stream.bus import Endpoints, Publisher, Subscriber
from stream.messages import Alert, Camera, Health, Score, encode
from tests.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
UTC = "2026-01-31T12:00:00.120Z"
STOP_S = 3.0


def hello(reason="hello"):
    return Camera(camera="gate", state="connecting", reason=reason, utc=UTC)


def score(seq=0, **changes):
    return Score(
        camera="gate",
        seq=seq,
        stream_time_s=seq / 10,
        utc=UTC,
        score=1.7,
        threshold=4.1,
        latency_ms=63.0,
        captured_at_s=1.0,
        **changes,
    )


class Printing:
    """The printer under a supervisor, whoever reads its standard output, and a publisher."""

    def __init__(self, folder, process, publisher):
        self.folder, self.process, self.publisher = folder, process, publisher
        self.output = process.stdout.fileno()
        self.read = b""

    def read_until(self, condition, within_s=20.0, meanwhile=lambda: None):
        """Read until the lines printed so far are what is wanted, and return them."""
        deadline_s = time.monotonic() + within_s
        while not condition(self.lines):
            assert time.monotonic() < deadline_s, f"not within {within_s} s: {self.read[-500:]!r}\n{self.log}"
            meanwhile()
            if select.select([self.output], [], [], 0.05)[0]:
                self.read += os.read(self.output, 65536)
        return self.lines

    @property
    def lines(self):
        """Whole lines."""
        return self.read.split(b"\n")[:-1]

    @property
    def log(self):
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""

    def interrupt(self):
        """How long Ctrl-C took, and the exit status."""
        started_s = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(10), time.monotonic() - started_s


@contextmanager
def printing(folder):
    endpoints = Endpoints.in_folder(folder / "bus")
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.stream.printer_program", folder],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with Publisher(endpoints) as publisher:
        made = Printing(folder, process, publisher)
        try:
            # Who subscribes just now misses what is sent meanwhile.
            made.read_until(len, meanwhile=lambda: publisher.send(hello()))
            yield made
        finally:
            if process.poll() is None:
                made.interrupt()
            process.stdout.close()


def test_scores_alerts_and_camera_states_are_printed_as_they_are_a_line_each(tmp_path):
    alert = Alert(
        event="start",
        id="20260131-120000-gate-aa",
        kind="anomaly",
        camera="gate",
        stream_time_s=8.1,
        utc=UTC,
        score=5.0,
        threshold=4.1,
        region=(0.0, 0.25, 0.5, 1.0),
        evidence=("a picture.jpg",),
    )
    sent = [score(812, heat_shape=(2, 3)), alert, hello("two\nlines, ünd more"), score(813)]
    with printing(tmp_path) as made:
        made.publisher.send(sent[0], b"heat/m")
        made.publisher.send(Health(process="worker", utc=UTC))
        for message in sent[1:]:
            made.publisher.send(message)
        lines = made.read_until(lambda lines: encode(sent[-1]) in lines)
    lines = [line for line in lines if line != encode(hello())]
    assert lines == [encode(message) for message in sent]
    assert json.loads(lines[1])["region"] == [0.0, 0.25, 0.5, 1.0]
    assert json.loads(lines[2])["reason"] == "two\nlines, ünd more"


def test_a_reader_that_goes_ends_the_application_as_if_it_had_been_asked_to(tmp_path):
    with printing(tmp_path) as made:
        made.process.stdout.close()

        def ended_after_another_score():
            made.publisher.send(score())
            return made.process.poll() is not None

        assert wait_until(ended_after_another_score, 10.0)
        assert made.process.returncode == 0
    assert (tmp_path / "reason").read_text() == "printer asked to quit"
    assert "WARNING" not in made.log


def test_a_reader_that_does_not_read_is_waited_for_and_what_it_then_reads_is_in_order(tmp_path):
    """To wait in a full pipe once looked like a hang, and a `less` left alone for minutes ended the monitor."""
    with (
        Subscriber(Endpoints.in_folder(tmp_path / "bus"), (b"health/printer/",)) as beats,
        printing(tmp_path) as made,
    ):
        for seq in range(2000):  # some 400 KB; a pipe holds 64
            made.publisher.send(score(seq))
        started_s = time.monotonic()
        while time.monotonic() - started_s < 3.0:  # twice the time after which a silent process is replaced
            assert beats.receive(1.5) is not None, made.log
        lines = made.read_until(lambda lines: encode(score(1999)) in lines)
        seqs = [found["seq"] for found in map(json.loads, lines) if found["type"] == "score"]
        assert seqs == list(range(2000))
        status, took_s = made.interrupt()
    assert (status, took_s < STOP_S) == (0, True)
    assert "WARNING" not in made.log


def test_a_reader_that_does_not_read_does_not_hold_up_the_end(tmp_path):
    with printing(tmp_path) as made:
        for seq in range(2000):
            made.publisher.send(score(seq))
        made.read_until(lambda lines: encode(score(0)) in lines)
        status, took_s = made.interrupt()
        while data := os.read(made.output, 65536):
            made.read += data
    assert (status, took_s < STOP_S) == (0, True)
    assert "WARNING" not in made.log
    seqs = [found["seq"] for found in map(json.loads, made.lines) if found["type"] == "score"]
    assert seqs == list(range(len(seqs)))
