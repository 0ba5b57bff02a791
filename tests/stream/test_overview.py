import math

import pytest

from stream.overview import HISTORY_S, STALE_S, State, level, place
from tests.stream.views import alert, at, camera, health, score


@pytest.fixture
def state():
    return State(("gate", "yard"), at(0))


@pytest.fixture
def gate(state):
    return state.cameras["gate"]


def feed(state, *messages, when=0.0):
    for message in messages:
        state.take(message, at(when))


# Levels.


@pytest.mark.parametrize("threshold", [2.0, 0.5, 1e-3, 0.0, -0.5, -3.0])
def test_a_level_is_1_at_the_threshold_and_grows_with_the_score(threshold):
    assert level(threshold, threshold) == pytest.approx(1.0)
    levels = [level(threshold + step / 10, threshold) for step in range(-100, 100)]
    assert levels == sorted(levels)
    assert min(levels) == 0.0
    assert all(value > 1.0 for value in levels[101:])
    assert all(value < 1.0 for value in levels[:100])


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (None, ""),
        ((0.0, 0.0, 1.0, 1.0), "whole picture"),
        ((0.0, 0.0, 0.2, 0.2), "upper left"),
        ((0.4, 0.0, 0.6, 0.2), "top"),
        ((0.8, 0.0, 1.0, 0.2), "upper right"),
        ((0.0, 0.4, 0.2, 0.6), "left"),
        ((0.4, 0.4, 0.6, 0.6), "centre"),
        ((0.8, 0.4, 1.0, 0.6), "right"),
        ((0.0, 0.8, 0.2, 1.0), "lower left"),
        ((0.4, 0.8, 0.6, 1.0), "bottom"),
        ((0.8, 0.8, 1.0, 1.0), "lower right"),
    ],
)
def test_a_place_is_told_in_words(region, words):
    assert place(region) == words


# Cameras.


def test_cameras_keep_their_order_and_strangers_are_passed_over(state):
    feed(state, score("stranger"), camera("stranger"), alert("start", camera="stranger"))
    assert list(state.cameras) == ["gate", "yard"]
    assert state.alerts == {}


def test_a_cameras_state_and_reason_are_the_latest(state, gate):
    assert gate.state == "connecting"
    feed(state, camera(state="lost", reason="nothing listens there"), camera("yard"))
    assert (gate.state, gate.reason) == ("lost", "nothing listens there")
    feed(state, camera(state="live"))
    assert (gate.state, gate.reason) == ("live", "")


def test_the_latest_score_is_shown_until_it_is_too_old(state, gate):
    assert (gate.level, gate.silent_s(at(99))) == (None, None)
    feed(state, score(value=1.0), score(seq=1, value=3.0))
    assert gate.level == 1.5
    assert gate.silent_s(at(STALE_S)) is None
    assert gate.silent_s(at(STALE_S + 1)) == STALE_S + 1


def test_the_rate_is_that_of_the_last_ten_seconds(state, gate):
    for number in range(100):  # 5 a second for 20 s
        state.take(score(seq=number), at(number / 5))
        if number == 4:
            assert gate.fps(at(0.8)) == 0.0  # too early to tell
        if number == 7:
            assert gate.fps(at(1.4)) == pytest.approx(5.0)
    assert gate.fps(at(19.8)) == pytest.approx(5.0, abs=0.2)
    assert gate.fps(at(24.8)) == pytest.approx(2.5, abs=0.2)
    assert gate.fps(at(40.0)) == 0.0


def test_latency_is_median_and_95th_percentile_of_the_last_minute(state, gate):
    assert gate.latency_ms(at(0)) is None
    state.take(score(latency_ms=9999.0), at(0))
    for number in range(1, 101):
        state.take(score(seq=number, latency_ms=float(number)), at(61.0))
    assert gate.latency_ms(at(61.0)) == (50.0, 95.0)
    assert gate.latency_ms(at(200.0)) is None


def test_history_keeps_the_peak_of_each_second(state, gate):
    for when, value in [(0.1, 1.0), (0.5, 4.0), (0.9, 2.0), (2.0, 1.0)]:
        state.take(score(value=value), at(when))
    assert gate.history(4, 1, at(2.5)) == [None, 2.0, None, 0.5]
    assert gate.history_s() == 2


def test_a_peak_moves_with_time_and_keeps_its_height(state, gate):
    state.take(score(value=7.0), at(3))
    seen = [gate.history(10, 4, at(3 + later)) for later in range(36)]
    assert all(levels.count(3.5) == 1 and levels.count(None) == 9 for levels in seen)
    positions = [levels.index(3.5) for levels in seen]
    assert positions == sorted(positions, reverse=True)


def test_history_forgets_what_is_older_than_it_says(state, gate):
    for when in range(HISTORY_S + 100):
        state.take(score(value=when, threshold=1.0), at(when))
    newest = HISTORY_S + 99
    levels = gate.history(HISTORY_S + 50, 1, at(newest))
    assert levels[-1] == newest
    assert [value for value in levels if value is not None] == [
        float(n) for n in range(newest - HISTORY_S, newest + 1)
    ]
    assert gate.history_s() == HISTORY_S


# Drops and gaps.


def test_drops_of_all_processes_add_up(state, gate):
    feed(state, health(drop_gate_stale=3, drop_gate_full=1, drop_yard_stale=5), health("gate", drop_gate_late=10))
    assert gate.drops() == 14
    assert state.cameras["yard"].drops() == 5
    feed(state, health(drop_gate_stale=4, drop_gate_full=1))
    assert gate.drops() == 15


def test_drops_go_on_when_their_process_is_replaced(state, gate):
    feed(state, health(drop_gate_stale=10), health(drop_gate_stale=2))
    assert gate.drops() == 12


def test_camera_1_does_not_have_the_drops_of_camera_10():
    state = State(("1", "10"), at(0))
    feed(state, health(drop_10_stale=7))
    assert (state.cameras["1"].drops(), state.cameras["10"].drops()) == (0, 7)


def test_a_gap_that_the_worker_explains_is_no_loss(state):
    feed(state, health(drop_gate_stale=0), score(seq=1), score(seq=5), health(drop_gate_stale=3))
    assert state.lost == 0


def test_a_gap_that_nothing_explains_is_a_loss_told_once(state):
    feed(state, health(drop_gate_stale=0), score(seq=1), score(seq=5), health(drop_gate_stale=1))
    assert state.lost == 2
    feed(state, score(seq=6), health(drop_gate_stale=1))
    assert state.lost == 2


def test_drops_before_the_first_report_are_not_held_against_anyone(state):
    feed(state, score(seq=1), score(seq=100), health(drop_gate_stale=7), score(seq=200), health(drop_gate_stale=7))
    assert state.lost == 0


@pytest.mark.parametrize("restarts", [{"restarts_worker": 1}, {"restarts_worker": 1, "restarts_gate": 4}])
def test_what_a_replaced_worker_missed_is_no_loss(state, restarts):
    feed(state, health(drop_gate_stale=0), score(seq=1))
    feed(state, health("supervisor", **restarts), score(seq=50), health(drop_gate_stale=0))
    assert state.lost == 0
    feed(state, score(seq=51), score(seq=60), health(drop_gate_stale=0))
    assert state.lost == 8


def test_drops_are_told_by_cause(state, gate):
    feed(state, health(drop_gate_stale=3, drop_gate_overwritten=0), health("capture-gate", drop_gate_late=10))
    assert gate.drops_by_cause() == {"late": 10, "overwritten": 0, "stale": 3}


def test_delays_are_counted_in_ranges_up_to_and_with_their_upper_end(state, gate):
    for number, latency_ms in enumerate([0.0, 10.0, 10.1, 10_000.0, 10_001.0]):
        feed(state, score(seq=number, latency_ms=latency_ms))
    assert gate.latency_counts == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert gate.latency_sum_ms == pytest.approx(20_021.1)


def test_what_a_process_last_said_is_known_by_name_and_time(state):
    assert state.counters("worker") == {}
    feed(state, health(frames=1), health(frames=2, waiting_gate=7), when=3.0)
    assert state.counters("worker") == {"frames": 2, "waiting/gate": 7}
    assert state.counters("worker", "waiting/") == {"gate": 7}
    assert state.processes["worker"].heard_s == at(3.0).monotonic_s


# Alerts.


def test_an_alert_opens_peaks_and_ends(state):
    state.take(alert("start", stream_time_s=10.0), at(0))
    state.take(alert("update", stream_time_s=11.0, value=5.0), at(1))
    (open_alert,) = state.open_alerts()
    assert open_alert.latest.score == 5.0
    assert open_alert.duration_s(at(3)) == 3.0
    state.take(alert("end", stream_time_s=14.5), at(9))
    assert state.open_alerts() == []
    assert state.alerts["a"].duration_s(at(99)) == 4.5


def test_an_alert_whose_end_was_missed_is_over_when_its_camera_has_the_next(state):
    feed(
        state,
        alert("start", "a"),
        alert("start", "b"),
        alert("start", "c", "yard"),
        alert("start", "d", kind="camera"),
    )
    assert [shown.latest.id for shown in state.open_alerts()] == ["b", "c", "d"]


def test_an_alert_whose_start_was_missed_counts_and_may_already_be_over(state):
    feed(state, alert("update", "a"), alert("end", "b", "yard"))
    assert [shown.latest.id for shown in state.open_alerts()] == ["a"]
    assert state.begun_today(at(0)) == 2


def test_alerts_are_counted_from_midnight(state):
    feed(state, alert("start", "a"), alert("end", "a"), alert("start", "b"))
    assert state.begun_today(at(0)) == 2
    midnight_s = 12 * 3600
    assert state.begun_today(at(midnight_s - 1)) == 2
    assert state.begun_today(at(midnight_s)) == 0
    state.take(alert("start", "c"), at(midnight_s + 1))
    assert state.begun_today(at(midnight_s + 1)) == 1


def test_alerts_do_not_pile_up_and_those_that_are_open_stay(state):
    feed(state, alert("start", "open", "yard"))
    for number in range(1000):
        feed(state, alert("start", str(number)), alert("end", str(number)))
    assert len(state.alerts) <= 200
    assert [shown.latest.id for shown in state.open_alerts()] == ["open"]
    assert "999" in state.alerts


def test_a_level_beyond_all_measure_is_still_a_number(state, gate):
    feed(state, score(value=1e300, threshold=5e-324))
    assert gate.level == math.inf
    assert gate.history(1, 1, at(0)) == [math.inf]


# Other cameras.


def test_other_cameras_are_shown_in_their_order_and_known_ones_go_on(state, gate):
    feed(state, score("gate", value=1.5), alert("start", "a", "gate"), alert("start", "b", "yard"))
    state.show(("door", "gate"))
    assert list(state.cameras) == ["door", "gate"]
    assert state.cameras["gate"] is gate
    assert [one.latest.id for one in state.open_alerts()] == ["a"]
    feed(state, score("yard"), score("door"))
    assert state.cameras["door"].score is not None
