"""Each published layout as a tiny tree of files that says nothing but where what is."""

import json
import shutil

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from calibrate.evaluate.labels import LabelsError, fitted, ranges
from calibrate.evaluate.layouts import find
from configs.settings import ConnectionSettings
from tests.clips import make_clip

SIZE = (64, 48)
UCSD_LABELS = "% frames with anomalies\nTestVideoFile = {};\n"


def write_pictures(folder, count, ending, values=None):
    folder.mkdir(parents=True)
    for number in range(count):
        image = np.zeros((SIZE[1], SIZE[0]), np.uint8)
        image[:, : 0 if values is None else values[number]] = 255
        assert cv2.imwrite(str(folder / f"{number + 1:03d}.{ending}"), image)


def write_text(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.fixture
def ucsd(tmp_path):
    root = tmp_path / "UCSDped1"
    write_pictures(root / "Train" / "Train001", 6, "tif")
    write_pictures(root / "Train" / "Train002", 6, "tif")
    write_pictures(root / "Test" / "Test001", 10, "tif")
    write_pictures(root / "Test" / "Test001_gt", 10, "bmp", values=[0] * 4 + [8] * 6)
    write_pictures(root / "Test" / "Test002", 8, "tif")
    write_text(
        root / "Test" / "UCSDped1.m",
        UCSD_LABELS
        + "TestVideoFile{end+1}.gt_frame = [5:10];\n"
        + "% TestVideoFile{end+1}.gt_frame = [1:2];\n"
        + "TestVideoFile{end+1}.gt_frame = [1 : 2, 4, 7:8];\n",
    )
    return root


@pytest.fixture
def avenue(tmp_path):
    root = tmp_path / "Avenue Dataset"
    for folder in ("training_videos", "testing_videos"):
        (root / folder).mkdir(parents=True)
        for name in ("01", "02"):
            make_clip(root / folder / f"{name}.avi", frames=12, size=SIZE)
    masks = root / "ground_truth_demo" / "testing_label_mask"
    masks.mkdir(parents=True)
    for number, first in ((1, 12), (2, 3)):
        volume = np.empty((1, 12), object)
        for frame in range(12):
            volume[0, frame] = np.full((6, 8), frame >= first, np.uint8)
        savemat(masks / f"{number}_label.mat", {"volLabel": volume})
    return root


@pytest.fixture
def shanghai(tmp_path):
    root = tmp_path / "shanghaitech"
    for name in ("01_001", "01_002", "02_001", "13_001"):
        write_text(root / "training" / "videos" / f"{name}.avi", "")
    for name, flags in (("01_0014", [0, 0, 1]), ("01_0015", [0, 0, 0, 0]), ("02_0128", [1, 0])):
        write_pictures(root / "testing" / "frames" / name, len(flags), "jpg")
        for kind, array in (
            ("test_frame_mask", np.array(flags, np.int8)),
            ("test_pixel_mask", np.array(flags, np.uint8)[:, None, None] * np.ones((1, 4, 5), np.uint8)),
        ):
            (root / "testing" / kind).mkdir(exist_ok=True)
            np.save(root / "testing" / kind / f"{name}.npy", array)
    return root


@pytest.fixture
def own(tmp_path):
    root = tmp_path / "own"
    for folder in ("train", "test"):
        (root / folder).mkdir(parents=True)
        make_clip(root / folder / "a.mp4", frames=10, size=SIZE)
    content = {"width": 16, "test": {"a.mp4": {"frames": 10, "anomalous": [[8, 9]]}}}
    write_text(root / "labels.json", json.dumps(content))
    np.savez(root / "masks.npz", a=np.zeros((10, 4, 2), np.uint8))
    return root


def labelled(dataset):
    return {video.name: ranges(video.anomalous) for video in dataset.videos}


def test_ucsd_ranges_are_counted_from_one(ucsd):
    dataset = fitted(find(ucsd), ConnectionSettings())

    assert dataset.name == "UCSDped1"
    (camera,) = dataset.cameras
    assert camera.train == tuple(f"frames://{ucsd}/Train/Train00{number}?fps=10" for number in (1, 2))
    assert labelled(dataset) == {"Test001": [(4, 9)], "Test002": [(0, 1), (3, 3), (6, 7)]}
    assert {video.fps for video in dataset.videos} == {10.0}


def test_ucsd_masks_are_there_for_some_videos(ucsd):
    first, second = find(ucsd).videos

    assert [int(mask.sum()) for mask in first.masks()] == [0] * 4 + [8 * SIZE[1]] * 6
    assert second.masks is None


def test_avenue_labels_are_the_frames_with_a_mask(avenue):
    dataset = fitted(find(avenue), ConnectionSettings())

    (camera,) = dataset.cameras
    assert camera.train == tuple(f"{avenue}/training_videos/0{number}.avi" for number in (1, 2))
    assert labelled(dataset) == {"01": [], "02": [(3, 11)]}
    assert [int(mask.sum()) for mask in dataset.videos[1].masks()] == [0] * 3 + [48] * 9
    assert {video.fps for video in dataset.videos} == {25.0}


def test_shanghaitech_views_are_cameras_of_their_own(shanghai):
    dataset = fitted(find(shanghai), ConnectionSettings())

    videos = shanghai / "training" / "videos"
    assert {camera.name: camera.train for camera in dataset.cameras} == {
        "01": (f"{videos}/01_001.avi", f"{videos}/01_002.avi"),
        "02": (f"{videos}/02_001.avi",),
    }
    assert labelled(dataset) == {"01_0014": [(2, 2)], "01_0015": [], "02_0128": [(0, 0)]}
    assert [int(mask.sum()) for mask in dataset.videos[0].masks()] == [0, 0, 20]
    assert {video.fps for video in dataset.videos} == {24.0}


def test_own_recordings_are_found_by_their_labels(own):
    dataset = fitted(find(own), ConnectionSettings())

    assert dataset.name == "own"
    assert dataset.cameras[0].train == (str(own / "train"),)
    assert labelled(dataset) == {"a": [(8, 9)]}
    assert len(list(dataset.videos[0].masks())) == 10


@pytest.mark.parametrize(
    ("layout", "part"),
    [("ucsd", "Test"), ("avenue", "testing_videos"), ("shanghai", "testing"), ("own", "test")],
)
def test_the_folder_of_test_videos_stands_for_the_dataset_around_it(request, layout, part):
    root = request.getfixturevalue(layout)

    assert labelled(find(root / part)) == labelled(find(root))


@pytest.mark.parametrize(
    ("layout", "gone", "message"),
    [
        ("ucsd", "Test/UCSDped1.m", r"Test/UCSDped\*\.m: is missing"),
        ("ucsd", "Train", r"Train/Train\*: is missing"),
        ("ucsd", "Test/Test002", r"UCSDped1\.m: labels 2 videos, but .*Test has 1"),
        ("ucsd", "Test/Test001_gt/003.bmp", r"Test001_gt: has 9 masks for 10 frames"),
        ("ucsd", "Test/Test001/010.tif", r"UCSDped1\.m: Test001: frames 4 to 9 .* only 9 frames"),
        ("avenue", "training_videos", r"training_videos/\*\.avi: is missing"),
        ("avenue", "ground_truth_demo/testing_label_mask/2_label.mat", r"2_label\.mat: is missing or cannot be read"),
        ("shanghai", "testing/test_frame_mask/01_0015.npy", r"01_0015\.npy: is missing or cannot be read"),
        ("shanghai", "testing/frames/01_0014/002.jpg", r"01_0014\.npy: labels 3 frames, but there are 2"),
        ("shanghai", "training/videos/02_001.avi", r"no normal footage of view 02: 02_NNN\.avi"),
        ("own", "test/a.mp4", r"test/a\.mp4: is missing"),
        ("own", "train", r"own/train: no such folder"),
    ],
)
def test_a_missing_part_is_told_by_name(request, layout, gone, message):
    root = request.getfixturevalue(layout)
    shutil.rmtree(root / gone) if (root / gone).is_dir() else (root / gone).unlink()

    with pytest.raises(LabelsError, match=message) as told:
        find(root)

    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["[5:]", "[a:b]", "[1:2:3]", "[]"])
def test_matlab_that_is_no_list_of_frames_is_told(ucsd, text):
    lines = [f"TestVideoFile{{end+1}}.gt_frame = {one};\n" for one in ("[1:2]", text)]
    write_text(ucsd / "Test" / "UCSDped1.m", "".join(lines))

    with pytest.raises(LabelsError, match=r"UCSDped1\.m: .* is no list of frames such as"):
        find(ucsd)


def test_a_matlab_file_that_holds_something_else_is_told(avenue):
    file = avenue / "ground_truth_demo" / "testing_label_mask" / "1_label.mat"
    savemat(file, {"other": 1})
    with pytest.raises(LabelsError, match=r"1_label\.mat: has no volLabel"):
        find(avenue)

    file.write_bytes(b"nothing like it, though it is long enough to be looked at more closely" * 4)
    with pytest.raises(LabelsError, match=r"1_label\.mat: cannot be read as a MATLAB file"):
        find(avenue)


def test_a_video_that_is_longer_than_its_labels_is_told(avenue):
    make_clip(avenue / "testing_videos" / "02.avi", frames=30, size=SIZE)

    with pytest.raises(LabelsError, match=r"02\.avi: has 30 frames, but 12 are labelled"):
        fitted(find(avenue), ConnectionSettings())


def test_the_folder_of_both_ucsd_datasets_asks_for_one(ucsd):
    with pytest.raises(LabelsError, match="name one of UCSDped1"):
        find(ucsd.parent)


def test_a_folder_of_anything_else_is_told_with_what_is_known(tmp_path):
    with pytest.raises(LabelsError, match=r"no dataset that is known here: .*labels\.json.*UCSD.*Avenue.*Shanghai"):
        find(tmp_path)
    with pytest.raises(LabelsError, match="gone: no such folder"):
        find(tmp_path / "gone")
