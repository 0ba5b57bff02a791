import random
import threading
import time
from collections import Counter

import numpy as np
import pytest

from configs.settings import WorkerSettings
from stream.batching import Batcher, Intake
from stream.ring import Ring

PATIENT_S = 60.0  # no frame is stale
PERIOD_S = 0.04


@pytest.fixture
def ring():
    with Ring.create(4, 16, 16) as ring:
        yield ring


@pytest.fixture
def rings():
    made = [Ring.create(64, 16, 16) for _ in range(3)]
    yield made
    for ring in made:
        ring.close()


def write(ring, captured_s=None, count=1):
    captured_s = time.monotonic() if captured_s is None else captured_s
    for number in range(count):
        image = np.full((16, 16, 3), (ring.newest + 1) % 256, np.uint8)
        ring.write(image, 0.0, captured_s + number * PERIOD_S, 0.0)


def take_all(intake, now_s=0.0, staleness_s=PATIENT_S):
    taken = []
    while (frame := intake.take(now_s, staleness_s)) is not None:
        taken.append(frame.seq)
    return taken


def settings(**changes):
    return WorkerSettings(**{"min_wait_ms": 2.0, "max_wait_ms": 100.0, "staleness_s": PATIENT_S, **changes})


def batcher(rings, share=False, **changes):
    return Batcher([Intake(f"cam{i}", ring) for i, ring in enumerate(rings)], settings(**changes), share=share)


def cameras(batch):
    return [item.camera for item in batch]


class TestIntake:
    def test_it_says_how_many_frames_wait(self, ring):
        intake = Intake("gate", ring)
        assert intake.waiting == 0
        write(ring, captured_s=0.0, count=2)
        assert intake.waiting == 2
        assert intake.take(0.0, PATIENT_S).seq == 0
        assert intake.waiting == 1
        write(ring, captured_s=0.0, count=20)
        assert intake.waiting == 3  # of 4 slots one may be being written
        take_all(intake)
        assert intake.waiting == 0

    def test_every_frame_is_handed_on_once_and_in_order(self, ring):
        intake = Intake("gate", ring)
        taken = []
        for _ in range(10):
            write(ring, 0.0, 2)
            taken += take_all(intake)
        assert taken == list(range(20))
        assert intake.drops == {"overwritten": 0, "stale": 0}
        assert intake.take(0.0, PATIENT_S) is None

    def test_a_frame_is_whole_and_its_own(self, ring):
        intake = Intake("gate", ring)
        write(ring, 0.0)
        frame = intake.take(0.0, PATIENT_S)
        write(ring, 0.0, 10)
        assert (frame.image == 0).all()

    def test_overwritten_frames_are_counted(self, ring):
        intake = Intake("gate", ring)
        write(ring, 0.0, 10)
        taken = take_all(intake)
        assert taken == [7, 8, 9]  # of four slots one may be being written
        assert intake.drops == {"overwritten": 7, "stale": 0}

    def test_stale_frames_are_counted_and_the_first_that_is_not_is_handed_on(self, ring):
        intake = Intake("gate", ring)
        write(ring, 100.0, 3)
        frame = intake.take(100.0 + 0.5 + 1.5 * PERIOD_S, 0.5)
        assert frame.seq == 2
        assert intake.drops == {"overwritten": 0, "stale": 2}

    def test_it_starts_with_what_a_ring_still_has_and_counts_the_rest(self, ring):
        write(ring, 0.0, 10)
        intake = Intake("gate", ring)
        assert take_all(intake) == [7, 8, 9]
        assert intake.drops == {"overwritten": 7, "stale": 0}

    def test_whoever_takes_its_place_goes_on_where_it_was(self, ring):
        write(ring, 0.0, 2)
        assert take_all(Intake("gate", ring)) == [0, 1]
        write(ring, 0.0, 1)
        heir = Intake("gate", ring)
        assert take_all(heir) == [2]
        assert heir.drops == {"overwritten": 0, "stale": 0}

    @pytest.mark.parametrize("seed", range(5))
    def test_what_is_dropped_and_what_is_handed_on_are_all_there_was(self, ring, seed):
        rng = random.Random(seed)
        intake = Intake("gate", ring)
        now_s, taken = 0.0, []
        for _ in range(500):
            now_s += rng.uniform(0.0, 0.1)
            if rng.random() < 0.5:
                write(ring, now_s - rng.uniform(0.0, 0.3))
            elif (frame := intake.take(now_s, 0.2)) is not None:
                assert now_s - frame.captured_at_s <= 0.2
                taken.append(frame.seq)
        taken += take_all(intake, now_s, 0.2)
        assert taken == sorted(set(taken))
        assert len(taken) + intake.drops.total() == ring.newest + 1
        assert min(len(taken), *intake.drops.values()) > 10

    def test_the_sum_holds_beside_a_writer_that_never_waits(self, ring):
        intake = Intake("gate", ring)
        writer = threading.Thread(target=write, args=(ring, 0.0, 3000))
        writer.start()
        taken = []
        while writer.is_alive():
            if (frame := intake.take(0.0, PATIENT_S)) is not None:
                assert (frame.image == frame.seq % 256).all()
                taken.append(frame.seq)
        writer.join()
        taken += take_all(intake)
        assert taken == sorted(set(taken))
        assert len(taken) + intake.drops.total() == 3000

    def test_the_period_follows_the_camera(self, ring):
        intake = Intake("gate", ring)
        write(ring, 0.0)
        take_all(intake)
        assert intake.period_s == 0.0
        for number in range(1, 60):
            write(ring, number * (0.2 if number < 20 else 0.1))
            take_all(intake)
            if number == 1:
                assert intake.period_s == pytest.approx(0.2)
        assert intake.period_s == pytest.approx(0.1, abs=0.001)

    def test_a_camera_is_expected_until_it_has_been_silent_for_five_seconds(self, ring):
        intake = Intake("gate", ring)
        assert not intake.is_expected(0.0)
        write(ring, 10.0)
        take_all(intake)
        assert intake.is_expected(14.9)
        assert not intake.is_expected(15.1)


class TestWindow:
    def with_periods(self, rings, *periods_s, **changes):
        made = batcher(rings[: len(periods_s)], **changes)
        for intake, ring, period_s in zip(made._intakes, rings, periods_s, strict=False):
            for number in range(4):
                write(ring, number * period_s)
            take_all(intake)
        return made

    def test_on_a_cpu_it_is_the_shortest_wait(self, rings):
        made = self.with_periods(rings, 0.08, 0.2)
        made.ran(0.01)
        assert made.window_s() == pytest.approx(0.002)

    def test_shared_it_is_what_the_fastest_camera_leaves_after_a_run(self, rings):
        made = self.with_periods(rings, 0.08, 0.2, share=True)
        assert made.window_s() == pytest.approx(0.08)
        made.ran(0.03)
        assert made.window_s() == pytest.approx(0.05)

    @pytest.mark.parametrize(("run_s", "window_s"), [(0.0, 0.06), (0.03, 0.05), (0.075, 0.01), (1.0, 0.01)])
    def test_it_stays_within_the_settings_bounds(self, rings, run_s, window_s):
        made = self.with_periods(rings, 0.08, share=True, min_wait_ms=10.0, max_wait_ms=60.0)
        made.ran(run_s)
        assert made.window_s() == pytest.approx(window_s)

    def test_before_a_period_is_known_it_is_the_shortest_wait(self, rings):
        assert batcher(rings, share=True).window_s() == pytest.approx(0.002)

    def test_a_run_is_a_running_mean(self, rings):
        made = self.with_periods(rings, 0.08, share=True)
        for seconds in (0.01, 0.06):
            made.ran(seconds)
        assert made.window_s() == pytest.approx(0.08 - 0.02)


class TestGather:
    LONG_MS = 1000.0

    def timed(self, made, timeout_s=5.0):
        started_s = time.monotonic()
        batch = made.gather(timeout_s)
        return batch, time.monotonic() - started_s

    def expected(self, made, rings):
        """Every camera has just had a frame, which is taken."""
        for intake, ring in zip(made._intakes, rings, strict=True):
            write(ring)
            take_all(intake, time.monotonic())

    def test_without_a_frame_it_is_empty_after_its_time(self, rings):
        batch, took_s = self.timed(batcher(rings), timeout_s=0.05)
        assert batch == []
        assert 0.05 <= took_s < 1.0

    @pytest.mark.parametrize("number", range(3))
    def test_a_frame_is_found_at_once_whichever_camera_it_is_from(self, rings, number):
        """Only as many cameras as a batch has room for were once looked at, and the others' frames became stale."""
        made = batcher(rings, share=False)
        write(rings[number])
        batch, took_s = self.timed(made)
        assert cameras(batch) == [f"cam{number}"]
        assert took_s < 0.5

    def test_a_batch_is_complete_when_every_expected_camera_has_one(self, rings):
        made = batcher(rings, share=True, min_wait_ms=self.LONG_MS, max_wait_ms=self.LONG_MS)
        self.expected(made, rings)
        for ring in rings:
            write(ring)
        batch, took_s = self.timed(made)
        assert sorted(cameras(batch)) == ["cam0", "cam1", "cam2"]
        assert took_s < 0.5

    def test_it_ends_with_the_last_expected_camera_s_frame(self, rings):
        made = batcher(rings, share=True, min_wait_ms=self.LONG_MS, max_wait_ms=self.LONG_MS)
        self.expected(made, rings)
        write(rings[0])
        write(rings[1])
        later = threading.Timer(0.1, write, [rings[2]])
        later.start()
        batch, took_s = self.timed(made)
        later.join()
        assert sorted(cameras(batch)) == ["cam0", "cam1", "cam2"]
        assert 0.09 <= took_s < 0.8  # the timer began a moment before

    def test_an_expected_camera_without_a_frame_is_waited_for_no_longer_than_the_window(self, rings):
        made = batcher(rings, min_wait_ms=100.0)
        self.expected(made, rings)
        write(rings[0])
        batch, took_s = self.timed(made)
        assert cameras(batch) == ["cam0"]
        assert 0.09 <= took_s < 0.8  # the timer began a moment before

    def test_a_silent_camera_is_not_waited_for(self, rings):
        made = batcher(rings, min_wait_ms=self.LONG_MS, max_wait_ms=self.LONG_MS)
        write(rings[1], time.monotonic() - 6.0)  # and cam2 never had a frame
        take_all(made._intakes[1], time.monotonic())
        write(rings[0])
        batch, took_s = self.timed(made)
        assert cameras(batch) == ["cam0"]
        assert took_s < 0.5

    def test_a_backlog_is_worked_off_in_order_in_batches_of_the_size_allowed(self, rings):
        made = batcher(rings[:1], share=True, max_batch=4)
        write(rings[0], count=10)
        batches = [[item.frame.seq for item in made.gather(1.0)] for _ in range(3)]
        assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

    def test_where_batches_gain_nothing_they_stay_small(self, rings):
        made = batcher(rings[:1], max_batch=16)
        write(rings[0], count=5)
        assert [len(made.gather(1.0)) for _ in range(3)] == [2, 2, 1]

    def test_a_full_batch_does_not_wait(self, rings):
        made = batcher(rings, max_batch=2, min_wait_ms=self.LONG_MS, max_wait_ms=self.LONG_MS)
        self.expected(made, rings)
        write(rings[0], count=2)
        batch, took_s = self.timed(made)
        assert cameras(batch) == ["cam0", "cam0"]
        assert took_s < 0.5

    def test_stale_frames_are_in_no_batch(self, rings):
        made = batcher(rings[:1], staleness_s=0.5)
        write(rings[0], time.monotonic() - 1.0)
        write(rings[0])
        assert [item.frame.seq for item in made.gather(1.0)] == [1]
        assert made._intakes[0].drops["stale"] == 1

    @pytest.mark.parametrize("max_batch", [1, 2, 4])
    def test_no_camera_starves_where_there_is_more_than_can_be_scored(self, rings, max_batch):
        made = batcher(rings, share=True, max_batch=max_batch)
        for ring in rings:
            write(ring, count=60)
        taken = Counter(camera for _ in range(30 // max_batch) for camera in cameras(made.gather(1.0)))
        assert min(taken.values()) >= 8
        assert taken.total() == 30 // max_batch * max_batch

    def test_no_camera_starves_where_nothing_comes_between_two_batches(self, rings):
        """Turns once went on with every look at the rings: two looks a batch, and one of two cameras had them all."""
        made = batcher(rings[:2], max_batch=1, staleness_s=0.02)
        taken = Counter()
        for _ in range(6):
            written_s = time.monotonic()
            write(rings[0], written_s)
            write(rings[1], written_s)
            taken.update(cameras(made.gather(1.0)))
            while time.monotonic() <= written_s + 0.02:  # as if it were scored until the other frame is stale
                pass
            assert made.gather(0.0) == []
        assert taken == {"cam0": 3, "cam1": 3}
