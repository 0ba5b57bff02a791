import numpy as np
import pytest

from calibrate.blocks import Thumbnail
from calibrate.episodes import Peak, runs
from calibrate.report.moments import MOST_MOMENTS, exceedances, moments
from calibrate.train import Scored
from configs.settings import PolicySettings

RATE_FPS = 10.0
POLICY = PolicySettings(smoothing_s=0.0)


def footage(events, seconds=600.0, segment=0):
    """Scores of about 1, with a stretch of two seconds at each time, as high as is told."""
    times_s = np.arange(round(seconds * RATE_FPS)) / RATE_FPS
    scores = 1.0 + 0.1 * np.sin(times_s)
    for time_s, height in events.items():
        scores[(times_s >= time_s) & (times_s < time_s + 2.0)] = height
    return runs([Scored(segment=segment, times_s=times_s, scores=scores)], POLICY)


def thumbnails(seconds=600, segment=0):
    return [Thumbnail(segment, float(number), b"%d" % number) for number in range(seconds)]


EVENTS = {40.0 * number + 20.0: 3.0 + 0.25 * number for number in range(14)}


def test_the_most_unusual_moments_are_the_highest_episodes_each_once_and_with_its_picture():
    found = moments(exceedances(footage(EVENTS), ()), (), thumbnails())

    assert [moment.peak.height for moment in found] == pytest.approx(sorted(EVENTS.values())[::-1][:MOST_MOMENTS])
    by_height = {height: time_s for time_s, height in EVENTS.items()}
    for moment in found:
        assert not moment.suspicious
        start_s = by_height[moment.peak.height]
        assert start_s <= moment.peak.time_s < start_s + 2.0
        assert abs(moment.thumbnail.time_s - moment.peak.time_s) <= 0.5


def test_what_is_suspicious_comes_first_is_marked_and_is_not_told_twice():
    run = footage(EVENTS)
    highest = max(exceedances(run, ())[-1].peaks, key=lambda peak: peak.height)

    found = moments(exceedances(run, [highest]), [highest], thumbnails())

    assert [moment.suspicious for moment in found] == [True] + [False] * MOST_MOMENTS
    assert found[0].peak == highest
    assert highest not in [moment.peak for moment in found[1:]]


def test_pictures_are_of_the_same_recording_and_of_nearly_the_same_time():
    peaks = [Peak(segment=1, time_s=8.4, height=5.0), Peak(segment=1, time_s=100.0, height=4.0)]
    pictures = [*thumbnails(200), *thumbnails(10, segment=1)]

    near, far = moments([], peaks, pictures)

    assert (near.thumbnail.segment, near.thumbnail.time_s) == (1, 8.0)
    assert far.thumbnail is None


def test_higher_thresholds_let_through_no_more_episodes():
    found = exceedances(footage(EVENTS), ())

    levels = [one.level for one in found]
    assert levels == sorted(levels, reverse=True)
    above_noise = [len(one.peaks) for one in found if one.level > 1.5]
    assert above_noise == sorted(above_noise)
    assert above_noise[0] >= 1
    for one in found:
        if one.level > 1.5:
            assert len(one.peaks) == sum(height > one.level for height in EVENTS.values())


def test_footage_in_which_nothing_ever_was_has_no_moments():
    still = runs([Scored(segment=0, times_s=np.arange(600) / RATE_FPS, scores=np.zeros(600))], POLICY)

    assert exceedances(still, ()) == []
    assert moments([], (), ()) == []
