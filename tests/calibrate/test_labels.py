import json

import numpy as np
import pytest

from calibrate.evaluate.labels import LabelsError, fitted, from_json, from_ranges, ranges
from configs.settings import ConnectionSettings
from tests.clips import make_clip

GOOD = {"fps": 5, "width": 42, "test": {"a.mp4": {"frames": 30, "anomalous": [[0, 2], [10, 29]]}}}


@pytest.fixture
def folder(tmp_path):
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
    (tmp_path / "test" / "a.mp4").write_bytes(b"")
    (tmp_path / "labels.json").write_text(json.dumps(GOOD))
    return tmp_path


def read(folder, content=None, masks=None):
    labels = folder / "labels.json"
    if content is not None:
        labels.write_text(content if isinstance(content, str) else json.dumps(content))
    return from_json(labels, folder / "train", folder / "test", masks)


def packed(masks):
    return np.packbits(masks, axis=-1)


def test_ranges_are_counted_from_zero_and_hold_both_ends(folder):
    (video,) = read(folder).videos

    assert (video.name, video.source, video.fps) == ("a", str(folder / "test" / "a.mp4"), 5.0)
    assert np.flatnonzero(video.anomalous).tolist() == [0, 1, 2, *range(10, 30)]
    assert video.masks is None


@pytest.mark.parametrize("flags", [[0, 0, 0], [1, 1, 1], [1, 0, 1, 1, 0], [0, 1, 1, 0, 0, 1]])
def test_ranges_of_frames_and_back(flags):
    flags = np.array(flags, np.bool_)

    assert from_ranges(len(flags), ranges(flags), "here").tolist() == flags.tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "labels.json: is not JSON"),
        ([], 'must have "test"'),
        ({"test": {}}, 'must have "test"'),
        ({**GOOD, "fps": "ten"}, "fps: must be frames per second, not 'ten'"),
        ({**GOOD, "width": 0}, "width: must be in pixels, not 0"),
        ({"test": {"a.mp4": {"anomalous": []}}}, "a.mp4: frames: must be the number of frames, not None"),
        ({"test": {"a.mp4": {"frames": True, "anomalous": []}}}, "frames: must be the number"),
        ({"test": {"a.mp4": {"frames": 9}}}, "anomalous: must be a list of .* has None"),
        ({"test": {"a.mp4": {"frames": 9, "anomalous": [[1, 2, 3]]}}}, "has .1, 2, 3."),
        ({"test": {"a.mp4": {"frames": 9, "anomalous": [[5, 9]]}}}, "frames 5 to 9 .* only 9 frames"),
        ({"test": {"a.mp4": {"frames": 9, "anomalous": [[5, 4]]}}}, "frames 5 to 4"),
        ({"test": {"a.mp4": {"frames": 9, "anomalous": []}}}, "no frame is anomalous"),
        ({"test": {"a.mp4": {"frames": 9, "anomalous": [[0, 8]]}}}, "no frame is normal"),
        ({"test": {**GOOD["test"], "b.mp4": GOOD["test"]["a.mp4"]}}, "b.mp4: is missing"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(folder, content, message):
    with pytest.raises(LabelsError, match=message) as told:
        read(folder, content)

    assert "\n" not in str(told.value)


def test_a_video_without_labels_is_told(folder):
    (folder / "test" / "forgotten.avi").write_bytes(b"")

    with pytest.raises(LabelsError, match=r"no labels for .*forgotten\.avi"):
        read(folder)


@pytest.mark.parametrize("gone", ["labels.json", "train", "test"])
def test_what_is_missing_is_told(folder, gone):
    (folder / gone).rename(folder / "elsewhere")

    with pytest.raises(LabelsError, match=f"{folder / gone}: "):
        read(folder)


def test_masks_are_unpacked_frame_by_frame(folder):
    masks = np.random.default_rng(0).random((30, 20, 42)) < 0.1
    np.savez(folder / "masks.npz", a=packed(masks))

    (video,) = read(folder, masks=folder / "masks.npz").videos

    for _ in range(2):  # they can be read again
        assert np.array_equal(list(video.masks()), masks)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"b": np.zeros((30, 20, 6), np.uint8)}, "has no masks for a"),
        ({"a": np.zeros((29, 20, 6), np.uint8)}, "a: must be 30×height×6 bytes, not 29×20×6 uint8"),
        ({"a": np.zeros((30, 20, 42), np.bool_)}, "a: must be 30×height×6 bytes, not 30×20×42 bool"),
    ],
)
def test_masks_that_do_not_fit_are_told(folder, arrays, message):
    np.savez(folder / "masks.npz", **arrays)

    with pytest.raises(LabelsError, match=message):
        read(folder, masks=folder / "masks.npz")


def test_masks_need_a_width_and_a_file(folder):
    with pytest.raises(LabelsError, match=r"masks\.npz: cannot be read"):
        read(folder, masks=folder / "masks.npz")
    with pytest.raises(LabelsError, match="must say the videos' width"):
        read(folder, {"test": GOOD["test"]}, masks=folder / "masks.npz")


def test_the_rate_is_what_the_file_says(folder):
    make_clip(folder / "test" / "a.mp4", frames=30, fps=15)

    (video,) = fitted(read(folder), ConnectionSettings()).videos

    assert video.fps == 15.0


@pytest.mark.parametrize("frames", [20, 40])
def test_a_video_of_another_length_than_its_labels_is_refused(folder, frames):
    make_clip(folder / "test" / "a.mp4", frames=frames)

    with pytest.raises(LabelsError, match=rf"a\.mp4: has {frames} frames, but 30 are labelled"):
        fitted(read(folder), ConnectionSettings())
