"""A capture process seen from outside: what it sends, logs and writes into its ring."""

import itertools
import multiprocessing
import time
from contextlib import contextmanager
from datetime import datetime

from configs.settings import ConnectionSettings
from stream import child
from stream.bus import Broker, Endpoints, Subscriber
from stream.capture import CaptureSpec
from stream.messages import Camera, Health
from stream.ring import Ring

QUICK = ConnectionSettings(open_timeout_s=3, read_timeout_s=3, backoff_first_s=0.2, backoff_max_s=0.4)
IMPATIENT = QUICK.model_copy(update={"open_timeout_s": 2.0, "read_timeout_s": 2.0, "backoff_max_s": 0.3})


class Capture:
    """A capture process, what it sends and what it writes."""

    def __init__(self, spec, ring, subscriber, process, parent, log_file):
        self.spec, self.ring, self.subscriber, self.process = spec, ring, subscriber, process
        self.parent, self.log_file = parent, log_file
        self.sent = []

    def wait_for(self, wanted, within_s=15.0):
        """The next message for which `wanted` holds."""
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            received = self.subscriber.receive(0.2)
            if received is not None:
                self.sent.append(received[0])
                if wanted(received[0]):
                    return received[0]
        raise AssertionError(f"not within {within_s} s, but {self.sent[-5:]}")

    def wait_for_state(self, state, within_s=15.0, **also):
        return self.wait_for(
            lambda message: (
                isinstance(message, Camera)
                and message.state == state
                and all(getattr(message, name) == value for name, value in also.items())
            ),
            within_s,
        )

    def wait_for_frames(self, count, within_s=15.0):
        """The message that tells of so many more frames than the latest one did."""
        before = max((one.captured for one in self.cameras()), default=0)
        return self.wait_for(
            lambda message: isinstance(message, Camera) and message.captured >= before + count, within_s
        )

    def cameras(self):
        """What it has said of its camera."""
        return [message for message in self.sent if isinstance(message, Camera)]

    def longest_silence_s(self):
        """Between two signs of life."""
        beats = [datetime.fromisoformat(one.utc) for one in self.sent if isinstance(one, Health)]
        return max((after - before).total_seconds() for before, after in itertools.pairwise(beats))

    def counter(self, name):
        """Its latest value."""
        return [one for one in self.sent if isinstance(one, Health)][-1].counters[name]

    def listen(self, seconds):
        """Take what it sends in this time."""
        until_s = time.monotonic() + seconds
        self.wait_for(lambda _: time.monotonic() >= until_s, seconds + 5.0)

    def states(self):
        """Each state in the log, a line each."""
        lines = self.log_file.read_text().splitlines()
        return [line.split("camera gate ")[1].split(":")[0] for line in lines if "camera gate " in line]

    def frames(self):
        """What is in the ring."""
        ring = self.ring
        return [frame for seq in range(ring.oldest, ring.newest + 1) if (frame := ring.read(seq)) is not None]

    def stop(self):
        """Ask it to stop and say how long that took."""
        started_s = time.monotonic()
        self.parent.send(child.STOP)
        self.process.join(10)
        return time.monotonic() - started_s

    def said(self):
        """What it told its parent."""
        words = []
        while self.parent.poll():
            try:
                words.append(self.parent.recv())
            except EOFError:
                break
        return words


@contextmanager
def capture(tmp_path, source, connection=QUICK, rate_fps=10.0, clips=None):
    endpoints = Endpoints.in_folder(tmp_path)
    ring = Ring.create(512, 112, 160)
    spec = CaptureSpec(
        camera="gate",
        source=str(source),
        ring=ring.spec,
        rate_fps=rate_fps,
        connection=connection,
        endpoints=endpoints,
        clips=clips,
    )
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    log_file = tmp_path / "capture.log"
    process = context.Process(
        target=child.main, args=(spec.process, "stream.capture:run", spec, there, log_file), daemon=True
    )
    with Broker(endpoints), Subscriber(endpoints) as subscriber:
        process.start()
        there.close()
        try:
            yield Capture(spec, ring, subscriber, process, here, log_file)
        finally:
            process.kill()
            process.join(10)
            process.close()
            here.close()
            ring.close()
