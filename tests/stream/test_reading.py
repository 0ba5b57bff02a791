import threading

import numpy as np
import pytest

from stream.reading import Progress, Reading
from stream.ring import Ring
from stream.source import Source
from stream.source.error import DisconnectedError, SourceError
from tests.waiting import wait_until


class Backend:
    """A camera of some frames a 25th of a second apart that then breaks off, or waits until it is let go."""

    live, native_size, native_fps, duration_s, decode_errors = True, (64, 48), 25.0, None, 0

    def __init__(self, frames, hold=None):
        self._left, self._hold, self._time_s = frames, hold, 0.0

    def grab(self):
        if self._left == 0:
            if self._hold is not None:
                assert self._hold.wait(20)
            raise DisconnectedError("gone")
        self._left -= 1
        self._time_s += 0.04
        return self._time_s

    def retrieve(self, width, height):
        return np.zeros((height, width, 3), np.uint8)

    def close(self):
        pass


@pytest.fixture
def ring():
    with Ring.create(64, 16, 32) as ring:
        yield ring


def source_of(backend):
    return Source(backend, where="here", size=(32, 16), rate_fps=25, paced=False)


def test_frames_are_in_the_ring_and_counted_and_the_end_has_its_reason(ring):
    progress = Progress(captured=7, stream_s=50.0, captured_s=0.0)
    reading = Reading(lambda: source_of(Backend(10)), ring, progress, patience_s=10.0)

    assert reading.ended(within_s=10.0)
    assert isinstance(reading.failure, DisconnectedError)
    assert (progress.captured, ring.newest) == (17, 9)
    assert ring.read(0).captured_at_s == reading.first_s
    assert ring.read(0).stream_time_s == pytest.approx(50.0 + reading.first_s)  # real time since the frame before


@pytest.mark.parametrize("error", [SourceError("no such host"), ValueError("a mistake")])
def test_whatever_goes_wrong_is_told(ring, error):
    def connect():
        raise error

    reading = Reading(connect, ring, Progress(), patience_s=10.0)

    assert reading.ended(within_s=10.0)
    assert reading.failure is error
    assert reading.first_s is None


def test_a_call_that_does_not_come_back_is_noticed_and_left_behind(ring):
    hold = threading.Event()
    reading = Reading(lambda: source_of(Backend(3, hold)), ring, Progress(), patience_s=0.3)
    try:
        assert wait_until(lambda: reading.stuck, 10)
        assert not reading.ended(within_s=0.0)
        reading.stop()
    finally:
        hold.set()
    assert reading.ended(within_s=10.0)
    assert ring.newest == 2


def test_a_stopped_reading_ends_without_a_failure(ring):
    reading = Reading(lambda: source_of(Backend(10**9)), ring, Progress(), patience_s=10.0)
    assert wait_until(lambda: reading.first_s is not None, 10)
    reading.stop()

    assert reading.ended(within_s=10.0)
    assert reading.failure is None
