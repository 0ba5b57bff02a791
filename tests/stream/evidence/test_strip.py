from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from stream.evidence import Track, strip
from stream.messages import Score

STARTED = datetime(2026, 1, 31, 12, 0, 10, tzinfo=UTC)


def filmed(*times_s):
    """Pictures whose level tells their time: ten grey levels a second."""
    track = Track()
    for time_s in times_s:
        track.add_picture(time_s, np.full((90, 160, 3), round(time_s * 10), np.uint8))
    return track.thumbnails


def times_shown(jpeg, count):
    """What the tiles of a strip show, in seconds."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[1] == count * 204 - 4
    return [image[20:70, 204 * tile + 20 : 204 * tile + 140].mean() / 10 for tile in range(count)]


def test_five_moments_are_shown_in_their_order():
    thumbnails = filmed(*np.arange(2.0, 20.5, 0.5))
    made = strip(thumbnails, started_s=8.0, peaked_s=10.0, ended_s=19.0, started=STARTED)
    assert times_shown(made, 5) == pytest.approx([6.0, 8.0, 10.0, 14.5, 19.0], abs=0.15)


def test_a_late_peak_comes_after_what_is_between():
    made = strip(filmed(*np.arange(2.0, 20.5, 0.5)), started_s=8.0, peaked_s=18.0, ended_s=19.0, started=STARTED)
    assert times_shown(made, 5) == pytest.approx([6.0, 8.0, 13.0, 18.0, 19.0], abs=0.15)


def test_moments_that_are_the_same_picture_are_shown_once():
    made = strip(filmed(8.0, 8.5), started_s=8.0, peaked_s=8.0, ended_s=None, started=STARTED)
    assert times_shown(made, 2) == pytest.approx([8.0, 8.5], abs=0.15)


def test_a_moment_without_a_picture_near_it_is_not_shown_nor_what_came_after_the_end():
    made = strip(filmed(8.0, 8.5, 14.0, 20.0), started_s=4.0, peaked_s=8.2, ended_s=14.0, started=STARTED)
    assert times_shown(made, 3) == pytest.approx([8.0, 8.5, 14.0], abs=0.15)  # peak, between, end
    assert strip(filmed(20.0), started_s=8.0, peaked_s=8.0, ended_s=9.0, started=STARTED) is None


def test_without_pictures_there_is_no_strip():
    assert strip([], started_s=8.0, peaked_s=8.0, ended_s=None, started=STARTED) is None


def test_few_pictures_of_a_long_alert_are_kept_and_those_that_count_stay():
    track = Track()
    for number in range(600):
        if track.wants_picture(number / 2):
            track.add_picture(number / 2, np.zeros((90, 160, 3), np.uint8), lasting=number in (11, 333))
    kept = [one.time_s for one in track.thumbnails]
    assert len(kept) <= 40
    assert {5.5, 166.5, 299.5} <= set(kept)
    assert kept == sorted(kept)
    track.forget_before(100.0)
    assert min(one.time_s for one in track.thumbnails) >= 100.0


def score(time_s, level=1.0, **families):
    return Score(
        camera="gate",
        seq=0,
        stream_time_s=time_s,
        utc="2026-01-31T12:00:00.000Z",
        score=level,
        threshold=4.0,
        latency_ms=1.0,
        captured_at_s=0.0,
        families=families,
    )


def test_a_long_curve_is_thinned_but_keeps_its_peaks():
    track = Track()
    for number in range(9000):
        track.add(score(number / 10, 9.0 if number in (17, 4000, 8888) else 1.0))
    assert len(track.points) <= 2000
    assert [point.time_s for point in track.points if point.score == 9.0] == [1.7, 400.0, 888.8]
    assert track.points[-1].time_s == 899.9


def test_a_source_that_starts_again_begins_anew():
    track = Track()
    track.add(score(100.0))
    track.add_picture(100.0, np.zeros((90, 160, 3), np.uint8))
    track.add(score(0.1))
    assert [point.time_s for point in track.points] == [0.1]
    assert track.thumbnails == []
