import stat

import numpy as np
import pytest
from safetensors.numpy import save_file

from detector import stretch
from detector.clips import Whole
from detector.detector import Features, Sample
from detector.stretch import About, Stretch, StretchError

ABOUT = About(
    camera="gate",
    model="/somewhere/gate.mulde",
    width=320,
    height=176,
    rate_fps=5.0,
    started_utc="2026-01-31T12:00:00.000Z",
    ended_utc="2026-01-31T12:00:00.600Z",
    turn=7,
)


def features(cells, moving, whole=None):
    generator = np.random.default_rng(len(cells))
    cells, moving = np.array(cells, np.int64), np.array(moving, np.int64)
    samples = {
        "motion": Sample(moving, generator.normal(size=(len(moving), 1)).astype(np.float16)),
        "shape": Sample(cells, generator.normal(size=(len(cells), 112)).astype(np.float16)),
    }
    return Features(cells=cells, samples=samples if len(cells) else {}, whole=whole)


CLIPS = [Whole(vectors=np.full((1, 6), level, np.float16), end_s=2.0 + level / 2) for level in (0, 1)]
WITHOUT_CLIPS = (features([3, 4, 90], [4]), features([], []), features([5], []))
WITH_CLIPS = (
    features([3], [3]),
    features([], [], CLIPS[0]),
    features([1, 2], [], CLIPS[0]),
    features([1], [], CLIPS[1]),
)


def alike(one, other):
    assert np.array_equal(one.cells, other.cells)
    assert one.samples.keys() == other.samples.keys()
    for name in one.samples:
        np.testing.assert_array_equal(one.samples[name].cells, other.samples[name].cells)
        np.testing.assert_array_equal(one.samples[name].vectors, other.samples[name].vectors)
    assert (one.whole is None) == (other.whole is None)
    if one.whole is not None:
        assert one.whole.end_s == other.whole.end_s
        np.testing.assert_array_equal(one.whole.vectors, other.whole.vectors)


@pytest.mark.parametrize("seen", [WITHOUT_CLIPS, WITH_CLIPS, WITHOUT_CLIPS[1:2]])
def test_a_stretch_comes_back_whole(tmp_path, seen):
    path = stretch.file_of(tmp_path / "gate", stretch.ALERT, "1")
    times_s = tuple(8.0 + 0.2 * number for number in range(len(seen)))
    stretch.write(Stretch(about=ABOUT, times_s=times_s, seen=seen), path)
    back = stretch.read(path)
    assert (back.about, back.times_s) == (ABOUT, times_s)
    assert stretch.about(path) == ABOUT
    assert len(back.seen) == len(seen)
    for one, other in zip(back.seen, seen, strict=True):
        alike(one, other)


def test_it_is_for_this_user_only_and_nothing_else_is_left(tmp_path):
    path = stretch.file_of(tmp_path / "footage" / "gate", stretch.NORMAL, "1")
    stretch.write(Stretch(about=ABOUT, times_s=(0.0,), seen=WITHOUT_CLIPS[:1]), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]
    assert stretch.files(path.parent, stretch.NORMAL) == [path]
    assert stretch.files(path.parent, stretch.ALERT) == []


def test_what_cannot_be_read_or_written_is_told(tmp_path):
    path = tmp_path / "alert-1.features"
    stretch.write(Stretch(about=ABOUT, times_s=(0.0,), seen=WITHOUT_CLIPS[:1]), path)
    cut = tmp_path / "cut.features"
    cut.write_bytes(path.read_bytes()[:-20])
    other = tmp_path / "other.features"
    save_file({"x": np.zeros(3)}, other)
    for wrong in (tmp_path / "none.features", cut, other):
        with pytest.raises(StretchError, match=wrong.name):
            stretch.read(wrong)
    with pytest.raises(StretchError, match="cannot be written"):
        stretch.write(Stretch(about=ABOUT, times_s=(0.0,), seen=WITHOUT_CLIPS[:1]), path / "below" / "it")


def test_arrays_that_do_not_fit_each_other_are_told(tmp_path):
    path = tmp_path / "alert-1.features"
    stretch.write(Stretch(about=ABOUT, times_s=(0.0, 1.0), seen=WITHOUT_CLIPS[:1]), path)
    with pytest.raises(StretchError, match="damaged"):
        stretch.read(path)
