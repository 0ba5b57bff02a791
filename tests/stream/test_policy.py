import itertools

import pytest

from configs.settings import PolicySettings
from stream.policy import SET_BACK, SILENT, Policy, Smoother, exit_level

THRESHOLD = 10.0
HIGH, BETWEEN, LOW = 12.0, 9.0, 1.0  # above the threshold, above the exit level of 8, below both


def settings(**changes):
    plain = {
        "enter_count": 3,
        "enter_window": 5,
        "exit_ratio": 0.8,
        "hold_s": 2.0,
        "merge_gap_s": 3.0,
        "max_length_s": 300.0,
        "cooldown_s": 5.0,
    }
    return PolicySettings(**{**plain, **changes})


def play(policy, scores, fps=1.0, start_s=0.0, threshold=THRESHOLD):
    """Events as (time they were given, event, episode), for scores one frame apart."""
    events = []
    for index, score in enumerate(scores):
        time_s = start_s + index / fps
        events += [(time_s, event.event, event.episode) for event in policy.step(time_s, score, threshold)]
        assert policy.last_s == time_s
    return events


def given(events):
    return [(time_s, event) for time_s, event, _ in events]


class TestSmoother:
    def test_the_first_value_passes(self):
        assert Smoother(1.0).step(5.0, 3.0) == 3.0

    def test_a_step_is_followed_by_the_time_constant_at_any_rate(self):
        for fps in (10, 30, 100):
            smoother = Smoother(0.4)
            smoother.step(0.0, 0.0)
            levels = [smoother.step(frame / fps, 1.0) for frame in range(1, 2 * fps + 1)]
            assert levels[round(0.4 * fps) - 1] == pytest.approx(0.632, abs=0.001)
            assert levels[-1] == pytest.approx(1 - 2.718281828**-5, abs=0.001)
            assert levels == sorted(levels)

    def test_zero_smooths_nothing(self):
        smoother = Smoother(0.0)
        assert [smoother.step(frame / 5, value) for frame, value in enumerate([1.0, 5.0, 2.0])] == [1.0, 5.0, 2.0]
        assert smoother.step(0.4, 7.0) == 7.0

    def test_a_long_gap_starts_afresh_and_a_short_one_does_not(self):
        for time_constant_s, limit_s in ((0.1, 2.0), (1.0, 5.0)):
            smoother = Smoother(time_constant_s)
            smoother.step(0.0, 0.0)
            assert smoother.step(limit_s, 1.0) < 1.0
            assert smoother.step(limit_s + limit_s + 0.1, 5.0) == 5.0

    def test_equal_times_and_a_clock_set_back_are_harmless(self):
        smoother = Smoother(1.0)
        smoother.step(3.0, 2.0)
        assert smoother.step(3.0, 100.0) == 2.0
        assert smoother.step(0.0, 7.0) == 7.0


class TestEntry:
    def test_opens_with_the_third_high_score_of_five_and_starts_at_the_first(self):
        policy = Policy(settings())
        events = play(policy, [LOW, HIGH, LOW, HIGH + 1, LOW, HIGH], fps=5)
        ((time_s, event, episode),) = events
        assert (time_s, event) == (1.0, "start")
        assert (episode.started_s, episode.peaked_s, episode.peak) == (0.2, 0.6, HIGH + 1)
        assert episode.ended_s is None
        assert policy.open

    def test_two_of_five_do_not_open(self):
        policy = Policy(settings())
        assert play(policy, [HIGH, LOW, LOW, HIGH, LOW] * 20, fps=5) == []
        assert not policy.open

    def test_a_score_at_the_threshold_is_not_above_it(self):
        assert play(Policy(settings()), [THRESHOLD] * 20, fps=5) == []

    @pytest.mark.parametrize("fps", [0.1, 1, 30])
    def test_opens_after_as_many_scores_at_any_rate(self, fps):
        events = play(Policy(settings(max_length_s=1e4)), [LOW] * 10 + [HIGH] * 3, fps=fps)
        assert given(events) == [(12 / fps, "start")]
        assert events[0][2].started_s == 10 / fps

    def test_scores_from_before_a_gap_do_not_count(self):
        policy = Policy(settings())
        assert play(policy, [HIGH, HIGH], fps=5) == []
        assert play(policy, [HIGH, HIGH], fps=5, start_s=6.0) == []
        assert given(play(policy, [HIGH], start_s=6.4)) == [(6.4, "start")]

    def test_scores_from_before_a_short_pause_count(self):
        policy = Policy(settings())
        assert play(policy, [HIGH, HIGH], fps=5) == []
        assert given(play(policy, [HIGH], start_s=5.0)) == [(5.0, "start")]

    def test_each_score_is_held_against_its_own_threshold(self):
        policy = Policy(settings())
        assert play(policy, [HIGH] * 5, fps=5, threshold=20.0) == []
        assert given(play(policy, [HIGH] * 3, fps=5, start_s=1.0)) == [(1.4, "start")]


class TestExit:
    def test_ends_after_hold_and_merge_gap_at_the_time_it_fell(self):
        events = play(Policy(settings()), [HIGH] * 3 + [LOW] * 20)
        assert given(events) == [(2.0, "start"), (8.0, "end")]  # fell at 3, held 2, waited 3
        episode = events[-1][2]
        assert (episode.started_s, episode.ended_s, episode.peak) == (0.0, 3.0, HIGH)

    def test_the_same_at_30_frames_a_second(self):
        events = play(Policy(settings()), [HIGH] * 30 + [LOW] * 300, fps=30)
        assert [event for _, event in given(events)] == ["start", "end"]
        assert events[-1][0] == pytest.approx(6.0, abs=0.04)
        assert events[-1][2].ended_s == 1.0

    def test_between_the_levels_it_stays_open(self):
        policy = Policy(settings())
        play(policy, [HIGH] * 3)
        assert play(policy, [BETWEEN] * 100, start_s=3) == []
        assert policy.open

    def test_a_dip_shorter_than_the_hold_is_no_end(self):
        policy = Policy(settings(merge_gap_s=0))
        events = play(policy, [HIGH] * 15 + ([LOW] * 9 + [BETWEEN]) * 20, fps=5)
        assert [event for _, event in given(events)] == ["start"]

    def test_without_hold_and_merging_the_first_low_score_ends_it(self):
        events = play(Policy(settings(hold_s=0, merge_gap_s=0)), [HIGH] * 3 + [LOW])
        assert given(events) == [(2.0, "start"), (3.0, "end")]

    @pytest.mark.parametrize("threshold", [10.0, 0.5, 0.0, -0.5, -10.0])
    def test_the_exit_level_is_below_the_threshold_whatever_its_sign(self, threshold):
        assert exit_level(threshold, 0.8) < threshold
        assert exit_level(threshold, 1.0) == threshold

    def test_the_exit_level_is_a_share_of_a_positive_threshold(self):
        assert exit_level(10.0, 0.8) == pytest.approx(8.0)

    def test_an_episode_above_a_negative_threshold_opens_and_ends(self):
        events = play(Policy(settings()), [-20.0] * 5 + [-5.0] * 3 + [-11.0] * 5 + [-20.0] * 10, threshold=-10.0)
        assert [event for _, event in given(events)] == ["start", "end"]
        assert events[-1][2].ended_s == 13.0


class TestMerging:
    def test_an_entry_while_it_waits_takes_the_episode_up_again(self):
        scores = [HIGH] * 15 + [LOW] * 15 + [HIGH + 3] * 10 + [LOW] * 60
        events = play(Policy(settings()), scores, fps=5)
        assert [event for _, event in given(events)] == ["start", "update", "end"]
        end = events[-1][2]
        assert (end.started_s, end.peaked_s, end.ended_s, end.peak) == (0.0, 6.0, 8.0, HIGH + 3)

    def test_a_single_high_score_does_not(self):
        events = play(Policy(settings()), [HIGH] * 15 + [LOW] * 15 + [HIGH + 3] + [LOW] * 60, fps=5)
        assert [event for _, event in given(events)] == ["start", "end"]
        assert (events[-1][2].ended_s, events[-1][2].peak) == (3.0, HIGH)

    def test_an_entry_after_the_gap_is_another_episode(self):
        scores = [HIGH] * 15 + [LOW] * 30 + [HIGH] * 10 + [LOW] * 60
        events = play(Policy(settings(cooldown_s=0)), scores, fps=5)
        assert [event for _, event in given(events)] == ["start", "end", "start", "end"]
        assert events[2][2].started_s == 9.0

    def test_high_scores_from_before_the_fall_do_not_take_part(self):
        policy = Policy(settings(hold_s=1.0))
        events = play(policy, [HIGH] * 3 + [LOW, LOW, HIGH, LOW, LOW, LOW])
        assert given(events) == [(2.0, "start"), (7.0, "end")]


class TestLength:
    def test_a_score_that_stays_high_is_cut_off_and_opens_again_after_the_cooldown(self):
        events = play(Policy(settings(max_length_s=20, cooldown_s=5)), [HIGH] * 60)
        assert given(events) == [(2, "start"), (20, "end"), (27, "start"), (45, "end"), (52, "start")]
        assert [episode.started_s for _, event, episode in events if event == "start"] == [0, 25, 50]
        assert events[1][2].ended_s == 20

    def test_the_cut_has_its_reason_and_a_fall_has_none(self):
        policy = Policy(settings(max_length_s=2))
        *_, cut = [event for time_s in range(3) for event in policy.step(time_s, HIGH, THRESHOLD)]
        assert (cut.event, cut.reason) == ("start", "")
        (cut,) = policy.step(3, HIGH, THRESHOLD)
        assert (cut.event, cut.reason) == ("end", "cut off after 2 s")

    def test_merged_episodes_have_one_length(self):
        scores = ([HIGH] * 5 + [LOW] * 10) * 20
        events = play(Policy(settings(max_length_s=10, cooldown_s=0)), scores, fps=5)
        lengths_s = [episode.ended_s - episode.started_s for _, event, episode in events if event == "end"]
        assert len(lengths_s) >= 4
        assert max(lengths_s) <= 10


class TestCooldown:
    def test_nothing_opens_in_it_and_scores_in_it_do_not_count(self):
        policy = Policy(settings(hold_s=0, merge_gap_s=0, cooldown_s=10))
        play(policy, [HIGH] * 3 + [LOW])  # ends at 3
        assert given(play(policy, [HIGH] * 12, start_s=4)) == [(15, "start")]

    def test_without_one_the_next_may_open_at_once(self):
        policy = Policy(settings(hold_s=0, merge_gap_s=0, cooldown_s=0, enter_count=1, max_length_s=1))
        events = play(policy, [HIGH] * 4)
        assert given(events) == [
            (0, "start"),
            (1, "end"),
            (1, "start"),
            (2, "end"),
            (2, "start"),
            (3, "end"),
            (3, "start"),
        ]


class TestUpdates:
    def test_come_on_a_new_peak_at_most_once_a_second(self):
        events = play(Policy(settings()), [HIGH + frame for frame in range(30)], fps=5)
        updates_s = [time_s for time_s, event, _ in events if event == "update"]
        assert len(updates_s) == 5
        assert min(after - before for before, after in itertools.pairwise([0.4, *updates_s])) >= 1.0
        peaks = [episode.peak for _, _, episode in events]
        assert peaks == sorted(set(peaks))

    def test_a_peak_that_came_too_soon_is_announced_later(self):
        events = play(Policy(settings()), [HIGH] * 3 + [HIGH + 5] + [HIGH] * 20, fps=4)
        assert given(events) == [(0.5, "start"), (1.5, "update")]
        assert (events[1][2].peak, events[1][2].peaked_s) == (HIGH + 5, 0.75)

    def test_none_come_without_a_new_peak(self):
        assert given(play(Policy(settings()), [HIGH] * 100, fps=5)) == [(0.4, "start")]


class TestSilence:
    def test_close_ends_what_is_open_and_only_that(self):
        policy = Policy(settings())
        assert policy.close(0.0, "stopped") == []
        play(policy, [HIGH] * 4)
        (end,) = policy.close(3.0, "stopped")
        assert (end.event, end.reason, end.episode.ended_s) == ("end", "stopped", 3.0)
        assert policy.close(3.0) == []
        assert not policy.open

    def test_close_while_it_waits_ends_it_when_it_fell(self):
        policy = Policy(settings())
        play(policy, [HIGH] * 3 + [LOW] * 4)
        assert policy.close(6.0)[0].episode.ended_s == 3.0

    def test_a_long_silence_ends_it_at_the_last_score(self):
        policy = Policy(settings())
        play(policy, [HIGH] * 20, fps=5)
        (end,) = policy.step(3.8 + 10.1, HIGH, THRESHOLD)
        assert (end.event, end.reason, end.episode.ended_s) == ("end", SILENT, 3.8)

    def test_a_short_silence_does_not(self):
        policy = Policy(settings())
        play(policy, [HIGH] * 20, fps=5)
        assert policy.step(3.8 + 9.9, HIGH, THRESHOLD) == []
        assert policy.open

    def test_a_camera_analysed_every_twenty_seconds_is_not_silent_in_between(self):
        policy = Policy(settings())
        assert policy.silence_s == 10.0
        events = play(policy, [LOW] * 3 + [HIGH] * 6, fps=0.05)
        assert [event for _, event in given(events)] == ["start"]
        assert policy.silence_s == 60.0

    def test_a_source_that_starts_again_ends_it_and_keeps_the_rest_of_the_cooldown(self):
        policy = Policy(settings(cooldown_s=5))
        play(policy, [HIGH] * 50, start_s=100.0)
        (end,) = policy.step(0.0, HIGH, THRESHOLD)
        assert (end.event, end.reason, end.episode.ended_s) == ("end", SET_BACK, 149.0)
        assert given(play(policy, [HIGH] * 10, start_s=1.0)) == [(7.0, "start")]

    def test_equal_times_are_harmless(self):
        policy = Policy(settings())
        events = [event for _ in range(20) for event in policy.step(1.0, HIGH, THRESHOLD)]
        assert [event.event for event in events] == ["start"]


def test_other_settings_hold_at_once_and_an_open_episode_goes_on():
    policy = Policy(settings(hold_s=100))
    assert given(play(policy, [HIGH] * 3 + [LOW])) == [(2, "start")]
    policy.change(settings(hold_s=2, merge_gap_s=1, cooldown_s=0, enter_count=1, enter_window=1))
    assert given(play(policy, [LOW] * 3, start_s=4)) == [(6, "end")]
    assert given(play(policy, [HIGH], start_s=7)) == [(7, "start")]


def test_peak_candidates_are_the_scores_that_may_become_a_peak():
    policy = Policy(settings())
    play(policy, [HIGH, LOW, HIGH + 2])
    assert policy.peak_candidates_s == {0.0, 2.0}
    play(policy, [HIGH], start_s=3.0)
    assert policy.peak_candidates_s == {2.0}
    play(policy, [HIGH + 5, HIGH], start_s=4.0)
    assert policy.peak_candidates_s == {4.0}
    play(policy, [LOW] * 6, start_s=6.0)
    assert policy.peak_candidates_s == set()


@pytest.mark.parametrize("fps", [1, 5, 30])
@pytest.mark.parametrize("seed", range(8))
def test_events_always_make_whole_episodes_one_at_a_time(fps, seed):
    """Over a random walk around the threshold: start, updates, end; no overlap; all limits kept."""
    import random

    source = random.Random(seed)
    chosen = settings(max_length_s=15, cooldown_s=2)
    policy = Policy(chosen)
    score, time_s, open_episode, ended_at_s, ended = THRESHOLD, 0.0, None, None, 0
    for _ in range(4000):
        score += source.gauss(0, 1.5) + 0.1 * (THRESHOLD - score)
        time_s += 1 / fps
        for event in policy.step(time_s, score, THRESHOLD):
            episode = event.episode
            assert episode.started_s <= episode.peaked_s <= time_s
            if event.event == "start":
                assert open_episode is None
                assert ended_at_s is None or episode.started_s >= ended_at_s + chosen.cooldown_s
                open_episode = episode
                continue
            assert open_episode is not None
            assert episode.started_s == open_episode.started_s
            assert episode.peak >= open_episode.peak > THRESHOLD
            open_episode = episode
            if event.event == "end":
                assert episode.peaked_s <= episode.ended_s <= episode.started_s + 15 + 1 / fps
                open_episode, ended_at_s, ended = None, episode.ended_s, ended + 1
        assert policy.open == (open_episode is not None)
    assert ended > 5


def test_the_peak_is_one_of_the_scores_that_opened_it_also_where_the_threshold_has_just_changed():
    """A higher score, below an older threshold, once became the peak, and ended the sink: nobody had kept it."""
    policy = Policy(settings())
    play(policy, [9.0, 5.0], threshold=THRESHOLD)
    ((_, _, episode),) = play(policy, [3.0, 4.0, 3.0], start_s=2.0, threshold=2.0)
    assert (episode.peak, episode.peaked_s) == (4.0, 3.0)
