import random

import pytest

from stream.probe.clock import observed


def frames(count=150, fps=25.0, rate=1.0, late_s=0.0):
    """Stamps of a camera whose clock runs at this rate, and when its frames came, some of them late."""
    draw = random.Random(1)
    real_s = [number / fps for number in range(count)]
    return [5000.0 + time_s * rate for time_s in real_s], [time_s + draw.uniform(0, late_s) for time_s in real_s]


def test_a_good_clock_has_nothing_to_tell():
    clock = observed(*frames(), live=True)
    assert (clock.missing, clock.back, clock.jumps) == (0, 0, 0)
    assert (clock.uneven_ms, clock.jitter_ms, clock.drift) == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)


def test_drift_is_found_and_its_error_is_no_less_than_it_is_off():
    clock = observed(*frames(rate=1.02, late_s=0.02), live=True)
    assert clock.drift == pytest.approx(0.02, abs=0.005)
    assert abs(clock.drift - 0.02) <= clock.drift_error < 0.02


def test_frames_that_come_late_are_jitter_and_no_drift():
    clock = observed(*frames(late_s=0.1), live=True)
    assert 30.0 < clock.jitter_ms < 70.0
    assert clock.uneven_ms == pytest.approx(0.0, abs=1e-6)
    assert abs(clock.drift) < clock.drift_error


def test_a_burst_at_the_start_says_nothing():
    stamps, came = frames()
    came = [max(1.0, time_s) for time_s in came]  # the first second all at once
    assert observed(stamps, came, live=True).drift == pytest.approx(0.0, abs=1e-6)


def test_missing_stamps_steps_back_and_jumps_are_counted_and_no_drift_is_made_of_them():
    stamps, came = frames()
    stamps[0] = stamps[7] = None
    stamps[20], stamps[21] = stamps[21], stamps[20]
    stamps[100:] = [stamp + 3600.0 for stamp in stamps[100:]]
    clock = observed(stamps, came, live=True)
    assert (clock.missing, clock.back, clock.jumps) == (2, 1, 1)
    assert clock.drift is None


def test_a_file_has_no_real_time_and_few_frames_tell_nothing():
    assert observed(*frames(), live=False).drift is None
    few = observed(*frames(count=5), live=True)
    assert (few.drift, few.jitter_ms, few.uneven_ms) == (None, None, None)
    assert observed([None], [0.0], live=True).missing == 1
