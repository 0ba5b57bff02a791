import itertools
import random

import pytest

from stream.source.timing import Pulse, Sampler, StreamClock


def kept(times_s, rate_fps):
    sampler = Sampler(rate_fps)
    return [time_s for time_s in times_s if sampler.keep(time_s)]


def test_every_fifth_of_25_fps_is_kept_at_5_fps():
    times = [number / 25 for number in range(250)]

    assert kept(times, 5) == times[::5]


def test_timestamps_rounded_to_milliseconds_change_nothing():
    times = [round(number / 30, 3) for number in range(300)]

    assert kept(times, 10) == times[::3]


@pytest.mark.parametrize("seed", range(20))
def test_a_source_at_the_rate_keeps_every_frame_in_spite_of_jitter(seed):
    jitter = random.Random(seed)
    times = [number / 10 + jitter.uniform(-0.02, 0.02) for number in range(500)]

    assert kept(times, 10) == times


@pytest.mark.parametrize(("source_fps", "rate_fps"), [(12, 5), (25, 7), (29.97, 10), (10, 9), (60, 5)])
def test_an_odd_ratio_keeps_the_rate_on_average(source_fps, rate_fps):
    times = [number / source_fps for number in range(int(60 * source_fps))]

    count = len(kept(times, rate_fps))

    assert count == pytest.approx(60 * rate_fps, abs=1)


@pytest.mark.parametrize("seed", range(10))
def test_jitter_does_not_change_the_rate_on_average(seed):
    jitter = random.Random(seed)
    times = [number / 25 + jitter.uniform(-0.008, 0.008) for number in range(1500)]

    assert len(kept(times, 5)) == pytest.approx(300, abs=1)


def test_a_source_slower_than_the_rate_keeps_every_frame():
    times = [number / 4 for number in range(100)]

    assert kept(times, 5) == times


def test_two_kept_frames_are_never_closer_than_half_a_period():
    wild = random.Random(1)
    times, now = [], 0.0
    for _ in range(2000):
        now += wild.choice([0.001, 0.01, 0.04, 0.11, 0.3, 2.0])
        times.append(now)

    chosen = kept(times, 5)

    assert len(chosen) > 200
    assert min(after - before for before, after in itertools.pairwise(chosen)) >= 0.1


def test_a_jump_back_or_ahead_starts_anew():
    before = [number / 25 for number in range(50)]
    back = [-1000 + number / 25 for number in range(50)]
    ahead = [7000 + number / 25 for number in range(50)]

    assert kept([*before, *back, *ahead], 5) == [*before[::5], *back[::5], *ahead[::5]]


def test_stream_time_starts_at_zero_and_follows_the_timestamps():
    clock = StreamClock(25, live=False)

    assert [clock.time(stamp, 0.0) for stamp in (70.0, 70.04, 70.5, 99.0)] == pytest.approx([0, 0.04, 0.5, 29.0])


def test_a_first_frame_without_timestamp_is_followed_by_the_second_one_period_later():
    """The first frame of an RTSP stream came without timestamp, the second with 0.04 s."""
    clock = StreamClock(25, live=True)

    times = [clock.time(stamp, now) for stamp, now in ((None, 5.0), (0.04, 5.0), (0.08, 5.0))]

    assert times == pytest.approx([0, 0.04, 0.08])


def test_missing_timestamps_are_filled_with_the_frame_rate_for_a_file():
    clock = StreamClock(10, live=False)

    assert [clock.time(stamp, 0.0) for stamp in (3.0, None, None, 3.3)] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_missing_timestamps_are_filled_with_real_time_for_a_camera():
    clock = StreamClock(0, live=True)

    assert [clock.time(None, now) for now in (100.0, 100.2, 100.9)] == pytest.approx([0, 0.2, 0.9])


def test_frames_without_timestamps_faster_than_any_usual_rate_take_real_time():
    clock = StreamClock(0, live=True)

    assert [clock.time(None, number / 60) for number in range(61)][-1] == pytest.approx(1.0)


def test_a_clock_set_back_goes_on_from_the_last_stream_time():
    clock = StreamClock(25, live=False)

    times = [clock.time(stamp, 0.0) for stamp in (500.0, 500.04, 2.0, 2.04)]

    assert times == pytest.approx([0, 0.04, 0.08, 0.12])


def test_frames_in_slightly_wrong_order_do_not_run_time_backwards():
    clock = StreamClock(25, live=False)

    assert [clock.time(stamp, 0.0) for stamp in (1.0, 1.08, 1.04, 1.12)] == pytest.approx([0, 0.08, 0.08, 0.12])


def test_a_cameras_clock_set_ahead_does_not_leap_in_stream_time():
    clock = StreamClock(25, live=True)

    times = [
        clock.time(stamp, now) for stamp, now in ((0.0, 50.0), (0.04, 50.04), (1.7e9, 50.08), (1.7e9 + 1, 51.08))
    ]

    assert times == pytest.approx([0, 0.04, 0.08, 1.08])


def test_a_gap_in_a_recording_stays_a_gap():
    clock = StreamClock(25, live=False)

    assert [clock.time(stamp, 0.0) for stamp in (0.0, 3600.0)] == [0, 3600]


def stalls(gaps_s, silence_s):
    """Whether a camera with these gaps between its frames is stalled after such a silence."""
    pulse, now_s = Pulse(), 50.0
    pulse.beat(now_s)
    for gap_s in gaps_s:
        now_s += gap_s
        assert not pulse.stalled(now_s - 0.001), "not while frames come"
        pulse.beat(now_s)
    return pulse.stalled(now_s + silence_s)


@pytest.mark.parametrize(
    ("fps", "bears_s", "stalls_s"),
    [(60, 1.0, 1.01), (25, 1.0, 1.01), (2, 1.99, 2.01), (1, 3.99, 4.01), (0.2, 19, 21)],
)
def test_a_silence_is_a_stall_only_by_the_cameras_own_rate(fps, bears_s, stalls_s):
    gaps_s = [1 / fps] * 200

    assert not stalls(gaps_s, bears_s)
    assert stalls(gaps_s, stalls_s)


def test_the_burst_of_a_slow_cameras_first_frames_is_not_its_rate():
    assert not stalls([0.001] * 20, 1000.0)
    assert not stalls([*[0.001] * 20, 1.0, 1.0, 1.0], 3.9)


def test_a_camera_that_slows_down_while_nothing_moves_stalls_once_at_most():
    pulse, now_s, stalled = Pulse(), 0.0, 0
    for gap_s in [0.04] * 200 + [2.0] * 200:
        now_s += gap_s
        stalled += pulse.stalled(now_s)
        pulse.beat(now_s)

    assert stalled == 1
