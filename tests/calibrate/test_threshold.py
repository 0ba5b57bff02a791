import math

import numpy as np
import pytest

from calibrate.threshold import DAY_S, choose
from calibrate.train import Scored
from configs.settings import PolicySettings
from stream.policy import Policy, Smoother

POLICY = PolicySettings()
RATE_FPS = 5.0
BLOCK = 50  # pictures


def blocks_of(scores):
    times_s = np.arange(len(scores)) / RATE_FPS
    scores = np.asarray(scores, float)
    return [
        Scored(segment=0, times_s=times_s[start : start + BLOCK], scores=np.asarray(scores[start : start + BLOCK]))
        for start in range(0, len(scores), BLOCK)
    ]


def normal_scores(minutes, seed):
    """A quiet camera with two visitors a minute, each for some seconds at a level of its own, exponentially rare."""
    generator = np.random.default_rng(seed)
    count = int(minutes * 60 * RATE_FPS)
    scores = 0.3 * np.abs(generator.normal(size=count))
    for start in np.flatnonzero(generator.random(count) < 2 / 60 / RATE_FPS):
        visit = scores[start : start + generator.integers(5, 25)]
        visit[:] = np.maximum(visit, generator.exponential(1.0) * generator.uniform(0.8, 1.0, len(visit)))
    return scores


def chosen(scores, alerts_per_day, policy=POLICY):
    blocks = blocks_of(scores)
    return choose(blocks, policy, alerts_per_day, len(scores) / RATE_FPS, others=())


def alerts(scores, threshold, policy=POLICY):
    """Episodes that live watching would open."""
    smoother, stepper, starts = Smoother(policy.smoothing_s), Policy(policy), 0
    for number, score in enumerate(scores):
        time_s = number / RATE_FPS
        events = stepper.step(time_s, smoother.step(time_s, float(score)), threshold)
        starts += sum(event.event == "start" for event in events)
    return starts


@pytest.mark.parametrize(("minutes", "alerts_per_day"), [(10, 24), (30, 24), (60, 240)])
def test_a_budget_is_kept_on_footage_that_nobody_saw(minutes, alerts_per_day):
    fresh_minutes = 400
    allowed = alerts_per_day * fresh_minutes / 1440

    counts = [
        alerts(
            normal_scores(fresh_minutes, 1000 + seed),
            chosen(normal_scores(minutes, seed), alerts_per_day).budget.threshold,
        )
        for seed in range(5)
    ]

    assert np.median(counts) <= 1.2 * allowed
    assert max(counts) <= 6 * allowed


def test_a_large_budget_is_used():
    """The threshold that never alerts keeps every budget, and is of no use."""
    counts = [
        alerts(normal_scores(240, 1000 + seed), chosen(normal_scores(60, seed), 480).budget.threshold)
        for seed in range(3)
    ]

    assert np.median(counts) > 0.2 * 480 * 240 / 1440


def test_a_larger_budget_never_raises_the_threshold():
    scores = normal_scores(20, 0)

    thresholds = [chosen(scores, budget).budget.threshold for budget in (0.1, 1, 10, 100, 1000)]

    assert thresholds == sorted(thresholds, reverse=True)
    assert thresholds[-1] < thresholds[0]


def test_more_footage_of_the_same_kind_mostly_lowers_a_threshold_that_had_to_be_on_the_safe_side():
    short, long = (
        [chosen(normal_scores(minutes, seed), 1.0).budget.threshold for seed in range(7)] for minutes in (10, 160)
    )

    assert np.median(long) < 0.9 * np.median(short)


DISTRIBUTIONS = {
    "visitors": lambda generator, count: normal_scores(count / 60 / RATE_FPS, 5),
    "constant": lambda generator, count: np.full(count, 5.0),
    "quiet": lambda generator, count: np.zeros(count),
    "uniform": lambda generator, count: generator.uniform(2.0, 6.0, count),
    "gaussian": lambda generator, count: np.maximum(generator.normal(5.0, 1.0, count), 0.0),
    "heavy": lambda generator, count: generator.pareto(1.5, count),
    "two levels": lambda generator, count: np.repeat(generator.choice([2.0, 6.0], count // 10 + 1), 10)[:count],
    "rising": lambda generator, count: np.linspace(0.0, 8.0, count),
    "mostly quiet": lambda generator, count: np.where(generator.random(count) < 0.02, 4.0, 0.0),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("seconds", [30, 300])
@pytest.mark.parametrize("alerts_per_day", [1.0, 1440.0])
def test_normal_footage_never_alarms_more_than_its_budget(name, seconds, alerts_per_day):
    """A threshold from normal footage was once the lowest score, elsewhere (anomalib #2433): everything alarmed."""
    scores = DISTRIBUTIONS[name](np.random.default_rng(0), int(seconds * RATE_FPS))

    threshold = chosen(scores, alerts_per_day)

    assert math.isfinite(threshold.budget.threshold)
    assert threshold.budget.threshold > scores.min()
    assert np.mean(scores > threshold.budget.threshold) < 0.5
    assert threshold.budget.low <= threshold.budget.threshold <= threshold.budget.high
    assert alerts(scores, threshold.budget.threshold) <= alerts_per_day * seconds / DAY_S


def test_footage_in_which_nothing_happens_gives_the_least_threshold():
    threshold = chosen(np.zeros(3000), 1.0)

    assert threshold.budget.threshold == 1.0
    assert threshold.held_out_alerts == 0


def test_scores_that_are_all_alike_stay_below_the_threshold_whatever_their_rounding():
    """The threshold was once that score itself, so that the next rounding upwards was an alert."""
    threshold = chosen(np.full(3000, 7.0), 1.0)

    assert 7.01 < threshold.budget.threshold < 10.0


def test_one_wild_stretch_does_not_decide_where_the_budget_allows_an_alert():
    scores = normal_scores(60, 0)
    wild = scores.copy()
    wild[5000:5010] = 60.0

    plain, with_wild = chosen(scores, 240), chosen(wild, 240)

    assert plain.budget.threshold <= with_wild.budget.threshold < 2.5 * plain.budget.threshold


def test_what_is_hardly_normal_is_told_and_does_not_make_the_monitor_blind():
    plain = normal_scores(30, 0)
    scores = plain.copy()
    scores[1000:1010] = 50.0

    clean, threshold = chosen(plain, 1.0), chosen(scores, 1.0)

    (peak,) = threshold.suspicious
    assert peak.time_s == pytest.approx(1005 / RATE_FPS, abs=2.0)
    assert peak.height > 30.0
    assert threshold.budget.threshold == pytest.approx(clean.budget.threshold, rel=0.2)
    assert clean.suspicious == ()


def test_what_stands_out_a_little_counts_and_is_told():
    scores = normal_scores(30, 0)
    scores[1000:1010] = 1.6 * scores.max()

    threshold = chosen(scores, 1.0)

    assert threshold.suspicious == ()
    (peak,) = threshold.doubtful
    assert peak.time_s == pytest.approx(1005 / RATE_FPS, abs=2.0)
    assert threshold.budget.threshold > peak.height


@pytest.mark.parametrize("seed", range(10))
def test_the_highest_of_normal_visits_is_no_suspicion(seed):
    assert chosen(normal_scores(60, seed), 1.0).suspicious == ()


def test_a_threshold_says_how_far_it_can_be_trusted():
    threshold = chosen(normal_scores(60, 0), 1.0)

    assert threshold.budget.alerts_per_day == 1.0
    assert threshold.footage_s == pytest.approx(3600.0)
    assert threshold.supported_per_day == pytest.approx(3.0 * 24.0, rel=0.01)  # the rule of three
    assert threshold.extrapolated
    assert not chosen(normal_scores(60, 0), 24.0).extrapolated
    assert threshold.budget.low < threshold.budget.threshold <= threshold.budget.high


def test_other_budgets_are_told_as_if_they_had_been_asked_for():
    scores = normal_scores(30, 0)
    blocks = blocks_of(scores)

    threshold = choose(blocks, POLICY, 1.0, 1800.0, others=(1.0, 480.0))

    same, many = threshold.others
    assert same == threshold.budget
    assert many.threshold == chosen(scores, 480.0).budget.threshold < threshold.budget.threshold


def test_the_alerts_told_are_those_of_the_held_out_footage():
    scores = normal_scores(60, 0)

    threshold = chosen(scores, 240)

    assert 0 < threshold.held_out_alerts <= 10
    assert threshold.held_out_alerts == pytest.approx(
        alerts(scores, threshold.budget.threshold), abs=2
    )  # blocks cut episodes


def test_shorter_footage_has_a_wider_interval():
    short, long = chosen(normal_scores(10, 1), 24), chosen(normal_scores(90, 1), 24)

    def width(threshold):
        return (threshold.budget.high - threshold.budget.low) / threshold.budget.threshold

    assert width(short) > width(long)


def test_the_threshold_is_for_scores_as_the_policy_smooths_them():
    """Heavy smoothing lowers every peak; a threshold for raw scores would then never be reached."""
    slow = PolicySettings(smoothing_s=3.0)
    scores = normal_scores(60, 1)

    assert chosen(scores, 24, slow).budget.threshold < 0.8 * chosen(scores, 24).budget.threshold
