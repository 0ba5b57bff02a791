from dataclasses import replace

import pytest

from calibrate.backtest.outcome import DAY_S, Level, Span, level_for, levels, normal_s, outcome, rate
from calibrate.backtest.replay import Moment, Video
from configs.settings import PolicySettings
from detector.bundle import Budget, Bundle, BundleError, Preparation, Provenance

RATE_FPS = 10.0
POLICY = PolicySettings(smoothing_s=0.0)
LEVEL = Level(thresholds={"usual": 2.0}, alerts_per_day=1.0)


def video(length_s, *above, name="one"):
    """A video whose scores are above the threshold in these stretches, first and last time included."""
    times_s = [at / RATE_FPS for at in range(round(length_s * RATE_FPS))]
    moments = [
        Moment(
            time_s=time_s,
            score=3.0 if any(a <= time_s <= b for a, b in above) else 0.0,
            region=None,
            regime="usual",
            condition="ok",
        )
        for time_s in times_s
    ]
    return Video(name=name, moments=tuple(moments), length_s=length_s)


def span(start_s, end_s, name="one"):
    return Span(video=name, start_s=start_s, end_s=end_s)


def bundle(asked, *others):
    made = [Budget(alerts_per_day=per_day, threshold=level, low=level, high=level) for per_day, level in others]
    preparation = Preparation(width=320, height=176, rate_fps=3.0, smoothing_s=0.2)
    provenance = Provenance(
        code_version="1", created_utc="", footage=(), footage_fingerprint="", footage_s=1.0, seed=0
    )
    budget = Budget(alerts_per_day=asked[0], threshold=asked[1], low=asked[1], high=asked[1])
    return Bundle(
        preparation=preparation, provenance=provenance, budget=budget, others=tuple(made), families=(), arrays={}
    )


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0.0, 3.689), (1, 0.02532, 5.572), (10, 4.795, 18.39), (100, 81.36, 121.6)]
)
def test_the_interval_of_a_count_is_the_one_in_tables_of_the_poisson_distribution(count, low, high):
    found = rate(count, DAY_S)

    assert found.per_day == count
    assert found.low == pytest.approx(low, rel=1e-3)
    assert found.high == pytest.approx(high, rel=1e-3)


def test_a_rate_is_per_day_whatever_the_length():
    assert rate(3, DAY_S / 24).per_day == pytest.approx(72.0)
    assert rate(3, DAY_S / 24).high == pytest.approx(24 * rate(3, DAY_S).high)


def test_alerts_of_all_videos_count_over_the_time_of_all():
    found = outcome([video(60.0, (5.0, 7.0)), video(40.0, (5.0, 7.0), name="two")], POLICY, LEVEL, None)

    assert [alert.video for alert in found.alerts] == ["one", "two"]
    assert found.rate.per_day == pytest.approx(2 * DAY_S / 100.0)
    assert (found.catches, found.outside, found.outside_rate) == ((), (), None)


def test_a_range_is_caught_when_live_watching_tells_of_it():
    found = outcome([video(60.0, (20.5, 25.0))], POLICY, LEVEL, [span(20.0, 26.0), span(40.0, 45.0)])

    assert [catch.delay_s for catch in found.catches] == [pytest.approx(0.7), None]  # the third score that is above
    assert (found.caught, found.median_delay_s) == (1, pytest.approx(0.7))
    assert found.outside == ()


def test_an_alert_that_is_open_already_catches_at_once():
    found = outcome([video(60.0, (15.0, 25.0))], POLICY, LEVEL, [span(20.0, 26.0)])

    assert found.catches[0].delay_s == 0.0


def test_an_alert_in_another_video_catches_nothing():
    videos = [video(60.0), video(60.0, (20.0, 25.0), name="two")]
    found = outcome(videos, POLICY, LEVEL, [span(20.0, 26.0)])

    assert found.caught == 0
    assert found.median_delay_s is None
    assert [alert.video for alert in found.outside] == ["two"]


def test_an_alert_right_after_a_range_neither_catches_it_nor_is_false():
    found = outcome([video(60.0, (21.0, 25.0))], POLICY, LEVEL, [span(10.0, 20.0)])

    assert (found.caught, found.outside) == (0, ())


def test_an_alert_later_than_that_is_false():
    found = outcome([video(60.0, (22.5, 25.0))], POLICY, LEVEL, [span(10.0, 20.0)])

    assert len(found.outside) == 1
    assert found.outside_rate.per_day == pytest.approx(DAY_S / 47.9)  # without 10 to 22 s


def test_normal_time_is_what_no_range_nor_its_aftermath_covers():
    videos = [video(60.0), video(40.0, name="two")]

    assert normal_s(videos, []) == pytest.approx(100.0)
    assert normal_s(videos, [span(0.0, 9.9), span(5.0, 17.9)]) == pytest.approx(80.0)
    assert normal_s(videos, [span(0.0, 99.0), span(0.0, 99.0, "two")]) == 0.0


def test_without_normal_time_there_is_no_rate_of_false_alerts():
    found = outcome([video(10.0)], POLICY, LEVEL, [span(0.0, 10.0)])

    assert found.outside_rate is None


def test_budgets_are_those_of_the_model_each_once_the_smallest_first():
    known = levels([bundle((5.0, 3.0), (24.0, 2.0), (5.0, 3.5), (1.0, 4.0))])

    assert [(level.alerts_per_day, level.thresholds["usual"]) for level in known] == [
        (1.0, 4.0),
        (5.0, 3.0),
        (24.0, 2.0),
    ]


def test_with_several_regimes_only_budgets_that_all_know_are_levels():
    night = replace(bundle((1.0, 7.0), (24.0, 6.0)), regime="night")

    known = levels([bundle((5.0, 3.0), (24.0, 2.0), (1.0, 4.0)), night])

    assert [(level.alerts_per_day, level.thresholds) for level in known] == [
        (1.0, {"usual": 4.0, "night": 7.0}),
        (24.0, {"usual": 2.0, "night": 6.0}),
    ]


def test_each_moment_counts_by_the_threshold_of_its_regime():
    level = Level(thresholds={"usual": 2.0, "night": 4.0}, alerts_per_day=1.0)
    day = video(60.0, (20.0, 25.0))
    night = replace(day, moments=tuple(replace(one, regime="night") for one in day.moments))

    assert len(outcome([day], POLICY, level, None).alerts) == 1
    assert len(outcome([night], POLICY, level, None).alerts) == 0


@pytest.mark.parametrize(("asked", "per_day", "threshold"), [(5.0, 5.0, 3.0), (20.0, 5.0, 3.0), (999.0, 24.0, 2.0)])
def test_another_budget_takes_the_threshold_of_the_next_smaller_one(asked, per_day, threshold):
    model = bundle((5.0, 3.0), (24.0, 2.0), (1.0, 4.0))

    assert level_for([model], "gate.mulde", asked) == Level(thresholds={"usual": threshold}, alerts_per_day=per_day)


def test_a_budget_smaller_than_all_is_refused_with_those_that_there_are():
    with pytest.raises(BundleError, match=r"gate\.mulde: knows no threshold for 0\.5 .* only for 1, 5: calibrate"):
        level_for([bundle((5.0, 3.0), (1.0, 4.0))], "gate.mulde", 0.5)
