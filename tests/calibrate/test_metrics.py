import numpy as np
import pytest

from calibrate.evaluate.metrics import auc, equal_error_rate, held, looking_ahead, ranking, roc

ANOMALOUS = np.array([False, False, True, False, True, True])
SCORES = np.array([0.1, 0.4, 0.35, 0.2, 0.8, 0.9])
"""Of the 9 pairs of a normal and an anomalous frame one is in the wrong order."""


def test_auc_is_the_share_of_pairs_in_the_right_order():
    assert auc(ANOMALOUS, SCORES) == pytest.approx(8 / 9)
    assert auc(ANOMALOUS, -SCORES) == pytest.approx(1 / 9)
    assert auc(ANOMALOUS, np.zeros(6)) == 0.5


def test_auc_of_frames_of_one_kind_is_unknown():
    assert auc(np.zeros(3, np.bool_), np.arange(3.0)) is None
    assert auc(np.ones(3, np.bool_), np.arange(3.0)) is None


def test_a_score_must_mean_the_same_in_each_video_for_the_micro_auc_only():
    """Both videos are ranked perfectly, but what is anomalous in one scores less than what is normal in the other."""
    flags, low, high = np.array([False, True]), np.array([0.0, 1.0]), np.array([2.0, 3.0])

    made = ranking([flags, flags], [low, high])

    assert made.macro_auc == 1.0
    assert made.micro_auc == 0.75


def test_videos_of_one_kind_of_frames_are_left_out_of_the_macro_auc():
    flags = [ANOMALOUS, np.ones(2, np.bool_), np.zeros(2, np.bool_)]

    made = ranking(flags, [SCORES, np.zeros(2), np.zeros(2)])

    assert made.macro_auc == pytest.approx(8 / 9)
    assert made.macro_videos == 1


def test_there_is_no_macro_auc_where_every_video_is_of_one_kind():
    made = ranking([np.ones(2, np.bool_), np.zeros(2, np.bool_)], [np.ones(2), np.zeros(2)])

    assert (made.micro_auc, made.macro_auc, made.macro_videos) == (1.0, None, 0)


def test_average_precision_counts_the_normal_frames_above_each_anomalous_one():
    assert ranking([ANOMALOUS], [SCORES]).average_precision == pytest.approx((1 + 1 + 3 / 4) / 3)


def test_the_roc_curve_runs_from_corner_to_corner():
    false_alarms, hits = roc(ANOMALOUS, SCORES)

    assert (false_alarms[0], hits[0], false_alarms[-1], hits[-1]) == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("scores", "rate"),
    [
        (SCORES, 1 / 3),  # the highest normal frame is above the lowest anomalous one
        (ANOMALOUS.astype(float), 0.0),
        (1.0 - ANOMALOUS, 1.0),
        (np.zeros(6), 0.5),
    ],
)
def test_at_the_equal_error_rate_as_many_normal_frames_are_called_as_anomalous_ones_are_missed(scores, rate):
    assert equal_error_rate(ANOMALOUS, scores) == pytest.approx(rate)


def test_frames_in_between_have_the_value_of_the_one_before():
    assert held(np.array([1.0, 2.0, 3.0]), np.array([0, 2, 5]), 8).tolist() == [1, 1, 2, 2, 2, 3, 3, 3]


def test_frames_before_the_first_value_have_it_already():
    assert held(np.array([1.0, 2.0]), np.array([2, 3]), 5).tolist() == [1, 1, 1, 2, 2]


def test_the_later_of_two_values_of_one_frame_counts():
    assert held(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 1]), 3).tolist() == [1, 3, 3]


def test_only_looking_ahead_sees_what_is_to_come():
    step = np.r_[np.zeros(20), np.ones(20)]

    smoothed = looking_ahead(step)

    assert smoothed[17] > 0.1
    assert smoothed[19] + smoothed[20] == pytest.approx(1.0)
    assert (smoothed[0], smoothed[-1]) == pytest.approx((0.0, 1.0), abs=1e-6)
