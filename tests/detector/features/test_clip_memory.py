import numpy as np
import pytest

from detector.features.clip_memory import PICTURES, SIDE_PX, SPAN_S, ClipMemory


def picture(time_s, height=32, width=48):
    """Carries its time in milliseconds, up to a minute."""
    high, low = divmod(round(1000 * time_s), 250)
    return np.full((height, width, 3), (low, high, 7), np.uint8)


def times_s(clip):
    return clip[:, 0, 0, 0] / 1000.0 + clip[:, 0, 0, 1] / 4.0


def clips(memory, at_s):
    """Time and clip, for each picture that had one."""
    given = ((time_s, memory.step(picture(time_s), time_s)) for time_s in at_s)
    return [(time_s, clip) for time_s, clip in given if clip is not None]


def steady(rate_fps, seconds, start_s=0.0):
    return [start_s + index / rate_fps for index in range(int(seconds * rate_fps))]


@pytest.mark.parametrize("rate_fps", [3.0, 5.0, 10.0, 12.5, 15.0, 25.0, 29.97, 60.0])
@pytest.mark.parametrize("span_s", [SPAN_S, 0.5])
def test_a_clip_has_its_span_at_any_rate(rate_fps, span_s):
    interval_s = span_s / (PICTURES - 1)
    given = clips(ClipMemory(rate_fps, stride_s=0.5, span_s=span_s), steady(rate_fps, 20.0))

    assert len(given) >= 20
    for time_s, clip in given:
        rounding_s = times_s(clip) - np.arange(PICTURES) * interval_s
        assert np.ptp(rounding_s) <= 1.0 / rate_fps + 0.002  # half a period at most, to either side
        assert time_s - times_s(clip)[-1] < interval_s + 0.001


@pytest.mark.parametrize("rate_fps", [4.0, 10.0, 30.0])
def test_a_clip_holds_no_future_and_is_in_order(rate_fps):
    given = clips(ClipMemory(rate_fps, stride_s=0.1), steady(rate_fps, 10.0))

    assert given
    for time_s, clip in given:
        assert times_s(clip).max() <= time_s + 0.001
        assert (np.diff(times_s(clip)) >= 0.0).all()


def test_every_fourth_picture_of_30_per_second_is_taken_as_in_training():
    memory = ClipMemory(30.0, stride_s=0.5)
    seen = {index / 30.0: index for index in range(61)}
    found = [memory.step(np.full((8, 8, 3), index, np.uint8), time_s) for time_s, index in seen.items()]

    assert [clip is not None for clip in found] == [False] * 60 + [True]
    assert found[-1][:, 0, 0, 0].tolist() == list(range(0, 61, 4))


def test_there_is_no_clip_before_its_first_picture():
    assert clips(ClipMemory(10.0, stride_s=0.5), steady(10.0, 1.9)) == []


@pytest.mark.parametrize("stride_s", [0.1, 0.5, 2.0])
def test_clips_come_a_stride_apart(stride_s):
    given = clips(ClipMemory(10.0, stride_s=stride_s), steady(10.0, 12.0))

    assert np.diff([time_s for time_s, _ in given]) == pytest.approx(stride_s)


@pytest.mark.parametrize("resumed_s", [5.6, 40.0, 1.0], ids=["a gap", "a long gap", "a jump back"])
def test_a_clip_never_reaches_over_a_leap(resumed_s):
    memory = ClipMemory(10.0, stride_s=0.1)
    assert clips(memory, steady(10.0, 5.0))  # the last one at 4.9 s

    given = clips(memory, steady(10.0, 4.0, resumed_s))

    assert given[0][0] == pytest.approx(resumed_s + SPAN_S)
    assert times_s(given[0][1]).min() == pytest.approx(resumed_s, abs=0.001)


def test_some_missing_pictures_are_filled_with_a_neighbour():
    seen = [time_s for index, time_s in enumerate(steady(10.0, 6.0)) if index % 10 not in (4, 5)]

    given = clips(ClipMemory(10.0, stride_s=0.1), seen)

    assert given[0][0] == pytest.approx(2.0)
    assert given[-1][0] == pytest.approx(5.9)
    assert max(np.diff(times_s(clip)).max() for _, clip in given) == pytest.approx(0.3, abs=0.002)


def test_a_repeated_time_neither_empties_nor_lengthens_it():
    memory = ClipMemory(10.0, stride_s=0.1)
    twice = [time_s for time_s in steady(10.0, 3.0) for _ in range(2)]

    given = clips(memory, twice)

    assert given[0][0] == pytest.approx(2.0)
    assert times_s(given[-1][1])[[0, -1]] == pytest.approx([0.9, 2.9], abs=0.11)


def test_a_camera_slower_than_any_gap_is_followed():
    given = clips(ClipMemory(0.5, stride_s=2.0), steady(0.5, 40.0))

    assert len(given) >= 17


def test_memory_does_not_grow():
    memory = ClipMemory(60.0, stride_s=1.0)

    clips(memory, steady(60.0, 30.0))

    assert len(memory._pictures) == PICTURES
    assert sum(each.nbytes for each in memory._pictures) == PICTURES * SIDE_PX * SIDE_PX * 3


def test_a_clip_shows_the_whole_picture_and_is_the_callers():
    memory = ClipMemory(10.0, stride_s=0.1)
    image = np.zeros((360, 640, 3), np.uint8)
    image[-40:, -40:] = (10, 20, 30)  # BGR, in the corner that a crop to the middle would lose
    found = [memory.step(image, time_s) for time_s in steady(10.0, 2.2)]
    first, second = [clip for clip in found if clip is not None]

    assert first.shape == (PICTURES, SIDE_PX, SIDE_PX, 3)
    assert first[:, -1, -1].tolist() == [[10, 20, 30]] * PICTURES
    first[:] = 255
    assert second.max() == 30


def test_ignored_areas_are_gray_in_every_clip():
    left = (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),)
    memory = ClipMemory(10.0, stride_s=0.1, ignored=left)
    generator = np.random.default_rng(0)

    ((_, clip),) = [
        (time_s, clip)
        for time_s in steady(10.0, 2.1)
        if (clip := memory.step(generator.integers(0, 256, (90, 160, 3)).astype(np.uint8), time_s)) is not None
    ]

    assert np.ptp(clip[:, :, : SIDE_PX // 2]) == 0
    assert np.ptp(clip[:, :, SIDE_PX // 2 + 1 :]) > 200


def test_the_latest_clip_is_known_until_a_gap():
    memory = ClipMemory(10.0, stride_s=0.5)
    assert memory.latest_s == -np.inf
    clips(memory, steady(10.0, 2.4))
    assert memory.latest_s == 2.0
    memory.step(picture(4.0), 4.0)
    assert memory.latest_s == -np.inf
