import numpy as np
import pytest

from calibrate.episodes import peaks, runs
from calibrate.train import Scored
from configs.settings import PolicySettings
from stream.policy import Policy, Smoother

POLICY = PolicySettings()
RATE_FPS = 5.0


def scored(scores, start_s=0.0, segment=0):
    scores = np.asarray(scores, float)
    return Scored(segment=segment, times_s=start_s + np.arange(len(scores)) / RATE_FPS, scores=scores)


def visits(seed, count=6000):
    generator = np.random.default_rng(seed)
    scores = 0.3 * np.abs(generator.normal(size=count))
    for start in generator.integers(0, count, count // 150):
        scores[start : start + generator.integers(1, 60)] += generator.exponential(2.0)
    return scores


def watched(scores, threshold, policy):
    """Start and end of the episodes of live watching."""
    smoother, stepper, events = Smoother(policy.smoothing_s), Policy(policy), []
    for number, score in enumerate(scores):
        time_s = number / RATE_FPS
        events += stepper.step(time_s, smoother.step(time_s, float(score)), threshold)
    events += stepper.close(len(scores) / RATE_FPS)
    return [(event.episode.started_s, event.episode.ended_s) for event in events if event.event == "end"]


@pytest.mark.parametrize("policy", [POLICY, PolicySettings(enter_count=1, enter_window=1, cooldown_s=0.0)], ids=repr)
@pytest.mark.parametrize("threshold", [0.5, 1.5, 3.0, 6.0])
def test_there_are_as_many_peaks_as_episodes_of_live_watching_each_within_its_own(policy, threshold):
    for seed in range(4):
        scores = visits(seed)
        found = peaks(runs([scored(scores)], policy), threshold)
        episodes = watched(scores, threshold, policy)

        assert len(found) == len(episodes)
        for peak, (started_s, ended_s) in zip(found, episodes, strict=True):
            assert started_s <= peak.time_s <= ended_s
            assert peak.height > threshold


def test_a_peak_is_the_highest_threshold_that_opens_it():
    scores = np.zeros(200)
    scores[50:60] = [1, 2, 3, 4, 5, 6, 7, 6, 5, 4]

    (peak,) = peaks(runs([scored(scores)], POLICY), 1.0)

    assert len(watched(scores, peak.height - 1e-6, POLICY)) == 1
    assert watched(scores, peak.height, POLICY) == []


def test_blocks_that_follow_each_other_are_one_run():
    scores = visits(0, 300)
    whole = runs([scored(scores)], POLICY)
    parts = runs([scored(scores[start : start + 50], start / RATE_FPS) for start in range(0, 300, 50)], POLICY)

    assert len(parts) == 1
    assert np.array_equal(parts[0].scores, whole[0].scores)


@pytest.mark.parametrize(("start_s", "segment"), [(30.0, 0), (10.0, 1), (0.0, 0)])
def test_blocks_of_another_segment_or_time_are_runs_of_their_own(start_s, segment):
    first, second = np.zeros(50), np.full(50, 2.0)

    made = runs([scored(first), scored(second, start_s, segment)], POLICY)

    assert [run.scores[0] for run in made] == [0.0, 2.0]
