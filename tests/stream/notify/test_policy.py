from datetime import datetime

import pytest

from configs.notify import WebhookSettings
from stream.notify.policy import (
    HOUR_S,
    Told,
    decide,
    digest_due,
    hold_until_s,
    is_quiet,
    must_wait,
    retry_pause_s,
)
from tests.stream.notify.notices import notice

NOTHING = Told(alerts_in_hour=0, start=None)


def settings(**changes):
    return WebhookSettings(name="ops", url="http://127.0.0.1/", **changes)


def at(clock):
    return datetime.fromisoformat(f"2026-01-31T{clock}")


@pytest.mark.parametrize(
    ("quiet", "clock", "expected"),
    [
        (None, "23:00", False),
        ("22:00-06:00", "21:59:59", False),
        ("22:00-06:00", "22:00", True),
        ("22:00-06:00", "00:00", True),
        ("22:00-06:00", "05:59:59", True),
        ("22:00-06:00", "06:00", False),
        ("12:00-13:30", "11:59", False),
        ("12:00-13:30", "13:29", True),
        ("12:00-13:30", "13:30", False),
        ("12:00-13:30", "00:00", False),
    ],
)
def test_quiet_hours_begin_and_end_on_the_minute_and_may_pass_midnight(quiet, clock, expected):
    assert is_quiet(quiet, at(clock)) is expected


def test_a_camera_is_told_one_by_one_up_to_its_rate_and_then_held():
    channel = settings(per_camera_per_hour=2)
    decisions = [
        decide(channel, notice(), Told(alerts_in_hour=told, start=None), at("12:00")) for told in (0, 1, 2, 3)
    ]
    assert decisions == ["send", "send", "hold", "hold"]


@pytest.mark.parametrize("start", ["send", "hold"])
def test_an_end_goes_the_way_of_its_start_whatever_the_rate(start):
    for told in (0, 99):
        end = decide(settings(), notice(event="end"), Told(alerts_in_hour=told, start=start), at("12:00"))
        assert end == start


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cameras": ("gate", "yard")}, True),
        ({"cameras": ("yard",)}, False),
        ({"kinds": ("camera", "anomaly")}, True),
        ({"kinds": ("camera", "drift")}, False),
        ({"ends": False}, True),
    ],
)
def test_what_a_channel_is_not_for_is_skipped_even_in_quiet_hours(changes, told):
    for clock, otherwise in (("12:00", "send"), ("23:00", "hold")):
        channel = settings(quiet="22:00-06:00", **changes)
        assert decide(channel, notice(), NOTHING, at(clock)) == (otherwise if told else "skip")


def test_a_channel_without_ends_hears_of_starts_only():
    assert (
        decide(settings(ends=False), notice(event="end"), Told(alerts_in_hour=0, start="send"), at("12:00")) == "skip"
    )


def test_in_quiet_hours_only_what_is_urgent_is_told_at_once():
    channel = settings(quiet="22:00-06:00", urgent=3.0)
    assert decide(channel, notice(level=2.9), NOTHING, at("23:00")) == "hold"
    assert decide(channel, notice(level=3.0), NOTHING, at("23:00")) == "send"
    assert decide(channel, notice(level=3.0), Told(alerts_in_hour=6, start=None), at("23:00")) == "hold"
    assert decide(channel, notice(level=2.9), NOTHING, at("06:00")) == "send"


def test_what_was_due_before_the_quiet_hours_waits_in_them_too():
    channel = settings(quiet="22:00-06:00", urgent=3.0)
    assert must_wait(channel, notice(level=2.0), at("23:00"))
    assert not must_wait(channel, notice(level=4.0), at("23:00"))
    assert not must_wait(channel, notice(level=2.0), at("06:00"))
    assert must_wait(channel, notice(event="digest", level=4.0), at("23:00"))


def test_a_digest_comes_an_hour_after_the_first_that_was_held():
    channel, noon_s = settings(), 1000.0
    until_s = hold_until_s(channel, noon_s, at("12:00"))
    assert until_s == noon_s + HOUR_S
    held = [until_s, hold_until_s(channel, noon_s + 1800.0, at("12:30"))]
    assert not digest_due(channel, held, noon_s + HOUR_S - 1.0, at("12:59"))
    assert digest_due(channel, held, noon_s + HOUR_S, at("13:00"))
    assert not digest_due(channel, [], noon_s + HOUR_S, at("13:00"))


def test_what_quiet_hours_held_is_told_as_soon_as_they_are_over():
    channel = settings(quiet="22:00-06:00")
    held = [hold_until_s(channel, 1000.0, at("23:00"))]
    assert not digest_due(channel, held, 1000.0 + 6 * HOUR_S, at("05:59"))
    assert digest_due(channel, held, 1000.0 + 7 * HOUR_S, at("06:00"))


def test_an_hourly_digest_waits_for_the_end_of_quiet_hours():
    channel = settings(quiet="22:00-06:00")
    held = [hold_until_s(channel, 1000.0, at("21:30"))]
    assert not digest_due(channel, held, 1000.0 + 2 * HOUR_S, at("23:30"))
    assert digest_due(channel, held, 1000.0 + 9 * HOUR_S, at("06:30"))


def test_a_clock_that_was_set_back_does_not_hold_a_digest_for_longer():
    assert digest_due(settings(), [1000.0 + 5 * HOUR_S], 1000.0, at("12:00"))


def test_the_pauses_between_tries_double_up_to_the_longest_and_never_come_in_step():
    assert [retry_pause_s(n, 2.0, 60.0, 1.0) for n in (1, 2, 3, 4, 5, 6, 7, 1000)] == [2, 4, 8, 16, 32, 60, 60, 60]
    assert [retry_pause_s(n, 2.0, 60.0, 0.0) for n in (1, 2, 7)] == [1, 2, 30]
