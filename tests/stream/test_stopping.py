import os
import signal
import time

import pytest

from stream.stopping import Patience, StopSignals
from tests.waiting import wait_until


@pytest.fixture
def signals():
    with StopSignals() as signals:
        yield signals


def press(number=signal.SIGINT):
    os.kill(os.getpid(), number)  # its handler has run when this returns


def press_again(signals):
    """One more Ctrl-C, as soon as it counts as another."""
    before, heard_s = signals.presses, time.monotonic()
    wait_until(lambda: time.monotonic() >= heard_s + 0.35, 1.0)
    press()
    assert signals.presses == before + 1


# Signals.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_noted_and_does_nothing_else(signals, number):
    assert signals.presses == 0
    press(number)
    assert (signals.presses, signals.last_name) == (1, number.name)


def test_signals_in_quick_succession_are_one_press_whatever_their_kind(signals):
    press(signal.SIGINT)
    press(signal.SIGTERM)
    press(signal.SIGINT)
    assert signals.presses == 1


def test_a_later_signal_is_another_press(signals):
    press()
    press_again(signals)
    assert signals.presses == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_handler_before_comes_back_also_after_an_exception(number):
    before = signal.getsignal(number)

    def break_down():
        with StopSignals():
            assert signal.getsignal(number) != before
            raise ValueError("fault")

    with pytest.raises(ValueError, match="fault"):
        break_down()
    assert signal.getsignal(number) == before


def test_a_hangup_may_ask_for_a_reload_instead_once_for_each_time_it_is_looked_at():
    with StopSignals(hangup_reloads=True) as signals:
        assert not signals.take_reload()
        press(signal.SIGHUP)
        press(signal.SIGHUP)
        assert signals.take_reload()
        assert not signals.take_reload()
        assert signals.presses == 0
        press(signal.SIGTERM)
        assert signals.presses == 1


def test_a_hangup_that_nohup_had_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            press(signal.SIGHUP)
            assert signals.presses == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


# Patience.


def test_the_processes_together_have_less_than_three_seconds(signals):
    press()
    patience = Patience(signals, drain=False)
    now_s = time.monotonic()
    assert patience.to_kill_until_s() - now_s < 3.0
    assert 2.0 < patience.to_ask_until_s(now_s, 0) - now_s < patience.to_kill_until_s() - now_s


def test_what_is_under_way_may_be_worked_off_where_nobody_waits(signals):
    patience = Patience(signals, drain=True)
    assert patience.to_ask_until_s(time.monotonic(), 0) - time.monotonic() > 9.0


@pytest.mark.parametrize("drain", [True, False])
def test_each_stage_is_asked_terminated_and_killed_in_this_order_before_the_next(signals, drain):
    """All stages take as long as they are allowed to."""
    patience = Patience(signals, drain=drain)
    now_s = time.monotonic()
    end_s = patience.to_kill_until_s() - 0.2
    for stages_after in (3, 2, 1, 0):
        asked_until_s = patience.to_ask_until_s(now_s, stages_after)
        assert asked_until_s >= now_s + 0.2, f"{stages_after} stages after it leave no time"
        terminated_until_s = patience.to_terminate_until_s(asked_until_s)
        assert asked_until_s < terminated_until_s <= end_s + 1e-6
        now_s = terminated_until_s
    assert now_s == pytest.approx(end_s)


def test_a_stage_that_is_quick_leaves_its_time_to_the_next(signals):
    patience = Patience(signals, drain=False)
    now_s = time.monotonic()
    quick = patience.to_ask_until_s(now_s, 0)
    assert patience.to_ask_until_s(now_s + 1.0, 0) == pytest.approx(quick)


def test_a_stage_asked_when_all_time_is_over_is_terminated_at_once(signals):
    patience = Patience(signals, drain=False)
    late_s = patience.to_kill_until_s() + 1.0
    assert patience.to_ask_until_s(late_s, 2) < late_s
    assert patience.to_terminate_until_s(late_s) < late_s


def test_another_ctrl_c_ends_all_patience(signals):
    press()
    patience = Patience(signals, drain=False)
    assert patience.to_ask_until_s(time.monotonic(), 1) > time.monotonic()
    press_again(signals)
    assert patience.to_kill_until_s() <= time.monotonic() + 0.2
    now_s = time.monotonic()
    assert patience.to_ask_until_s(now_s, 1) <= now_s
    assert patience.to_terminate_until_s(now_s) <= now_s


def test_ctrl_c_while_working_off_asks_for_an_ordinary_end_and_a_second_for_one_at_once(signals):
    patience = Patience(signals, drain=True)
    press()
    now_s = time.monotonic()
    assert 1.5 < patience.to_ask_until_s(now_s, 0) - now_s < 3.0
    press_again(signals)
    assert patience.to_ask_until_s(time.monotonic(), 0) <= time.monotonic()


def test_time_that_has_passed_does_not_come_back_with_ctrl_c(signals):
    patience = Patience(signals, drain=True)
    end_s = patience.to_kill_until_s()
    press()
    shortened_s = patience.to_kill_until_s()
    assert shortened_s < end_s
    assert patience.to_kill_until_s() == shortened_s  # told once, not with every question
