"""Published datasets as they are downloaded: UCSD Ped1 and Ped2, CUHK Avenue, ShanghaiTech, and own ones alike.

UCSD: Mahadevan et al., CVPR 2010. Avenue: Lu et al., ICCV 2013. ShanghaiTech Campus: Luo et al., ICCV 2017.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from calibrate.evaluate.labels import (
    Dataset,
    Flags,
    LabelledCamera,
    LabelledVideo,
    LabelsError,
    Masks,
    checked,
    from_json,
    from_ranges,
)
from stream.source.error import NotFoundError
from stream.source.frames import frames_url, pictures

_UCSD_FPS, _AVENUE_FPS, _SHANGHAI_FPS = 10.0, 25.0, 24.0

KNOWN = (
    "labels.json, train/ and test/; UCSD's Train/ and Test/ with its .m file; Avenue's training_videos/, "
    "testing_videos/ and ground_truth_demo/; or ShanghaiTech's training/ and testing/"
)


def find(folder: Path) -> Dataset:
    """The dataset in a folder, or in the one above where this is its part for tests.

    Raises:
        LabelsError: There is none, or a part of it is missing.
    """
    if not folder.is_dir():
        raise LabelsError(f"{folder}: no such folder")
    above = folder.resolve().parent
    for root in (folder, above) if folder.resolve().name.lower().startswith("test") else (folder,):
        if (root / "labels.json").is_file():
            masks = root / "masks.npz"
            return from_json(root / "labels.json", root / "train", root / "test", masks if masks.is_file() else None)
        if (root / "Test" / "Test001").is_dir():
            return checked(_ucsd(root), str(root))
        if (root / "testing_videos").is_dir():
            return checked(_avenue(root), str(root))
        if (root / "testing" / "frames").is_dir():
            return checked(_shanghai(root), str(root))
    several = [child.name for child in sorted(folder.iterdir()) if (child / "Test" / "Test001").is_dir()]
    if several:
        raise LabelsError(f"{folder}: holds several datasets: name one of {', '.join(several)}")
    raise LabelsError(f"{folder}: no dataset that is known here: it needs {KNOWN}; or give --train and --labels")


def _ucsd(root: Path) -> Dataset:
    test = root / "Test"
    (file,) = _some(test, "UCSDped*.m")[:1]
    code = re.sub(r"%.*", "", file.read_text(encoding="latin-1"))
    listed = re.findall(r"gt_frame\s*=\s*\[([^\]]*)\]", code)
    folders = sorted(one for one in test.iterdir() if re.fullmatch(r"Test\d+", one.name))
    if len(listed) != len(folders):
        raise LabelsError(f"{file}: labels {len(listed)} videos, but {test} has {len(folders)}")
    videos = []
    for folder, text in zip(folders, listed, strict=True):
        frames = len(_pictures(folder))
        flags = from_ranges(frames, _matlab_ranges(text, file), f"{file}: {folder.name}")
        masked = test / f"{folder.name}_gt"
        videos.append(
            LabelledVideo(
                name=folder.name,
                source=frames_url(folder, _UCSD_FPS),
                fps=_UCSD_FPS,
                anomalous=flags,
                masks=_mask_files(masked, frames) if masked.is_dir() else None,
            )
        )
    train = [one for one in _some(root / "Train", "Train*") if re.fullmatch(r"Train\d+", one.name)]
    sources = tuple(frames_url(folder, _UCSD_FPS) for folder in train)
    return Dataset(name=root.name, cameras=(LabelledCamera(name="", train=sources, test=tuple(videos)),))


def _matlab_ranges(text: str, file: Path) -> list[tuple[int, int]]:
    """`5:90, 140:200`, counted from 1, as pairs counted from 0."""
    stretches = []
    for part in re.split(r"[\s,;]+", re.sub(r"\s*:\s*", ":", text.strip())):
        ends = part.split(":")
        if len(ends) > 2 or not all(end.isdecimal() for end in ends):
            raise LabelsError(f"{file}: [{text}] is no list of frames such as [5:90, 140:200]")
        stretches.append((int(ends[0]) - 1, int(ends[-1]) - 1))
    return stretches


def _mask_files(folder: Path, frames: int) -> Masks:
    files = _pictures(folder)
    if len(files) != frames:
        raise LabelsError(f"{folder}: has {len(files)} masks for {frames} frames")

    def read() -> Iterator[Flags]:
        for file in files:
            mask = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            if mask is None:
                raise LabelsError(f"{file}: is no picture that can be decoded")
            yield np.asarray(mask > 0)

    return read


def _avenue(root: Path) -> Dataset:
    masks = [root / "ground_truth_demo" / "testing_label_mask", root / "testing_label_mask"]
    folder = next((one for one in masks if one.is_dir()), masks[0])
    videos = []
    for video in _some(root / "testing_videos", "*.avi"):
        if not video.stem.isdecimal():
            raise LabelsError(f"{video}: is not named by its number, as 01.avi is")
        file = folder / f"{int(video.stem)}_label.mat"
        flags = np.array([mask.any() for mask in _volume(file)], np.bool_)
        videos.append(
            LabelledVideo(
                name=video.stem,
                source=str(video),
                fps=_AVENUE_FPS,
                anomalous=flags,
                masks=partial(_volume, file),
            )
        )
    train = tuple(str(file) for file in _some(root / "training_videos", "*.avi"))
    return Dataset(name="Avenue", cameras=(LabelledCamera(name="", train=train, test=tuple(videos)),))


def _volume(file: Path) -> Iterator[Flags]:
    """The masks in a MATLAB file's `volLabel`, a cell per frame. They are all unpacked together: 0.3 GB at most."""
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content = loadmat(file, variable_names=["volLabel"])
    except OSError as error:
        raise LabelsError(f"{file}: is missing or cannot be read: it holds the labels of a test video") from error
    except (MatReadError, NotImplementedError, TypeError, ValueError) as error:
        raise LabelsError(f"{file}: cannot be read as a MATLAB file: {error}") from error
    if "volLabel" not in content:
        raise LabelsError(f"{file}: has no volLabel")
    for mask in content["volLabel"].ravel():
        yield np.asarray(mask) > 0


def _shanghai(root: Path) -> Dataset:
    """Each of its thirteen views is a camera of its own; those without test videos are left out."""
    testing = root / "testing"
    by_view: dict[str, list[LabelledVideo]] = {}
    for folder in sorted(one for one in (testing / "frames").iterdir() if one.is_dir()):
        frames = len(_pictures(folder))
        flags = _array(testing / "test_frame_mask" / f"{folder.name}.npy", frames).astype(np.bool_)
        pixels = testing / "test_pixel_mask" / f"{folder.name}.npy"
        by_view.setdefault(_view(folder), []).append(
            LabelledVideo(
                name=folder.name,
                source=frames_url(folder, _SHANGHAI_FPS),
                fps=_SHANGHAI_FPS,
                anomalous=flags,
                masks=_mask_array(pixels, frames) if pixels.is_file() else None,
            )
        )
    train: dict[str, list[str]] = {}
    for file in _some(root / "training" / "videos", "*.avi"):
        train.setdefault(_view(file), []).append(str(file))
    for view in by_view:
        if view not in train:
            raise LabelsError(f"{root / 'training' / 'videos'}: has no normal footage of view {view}: {view}_NNN.avi")
    cameras = tuple(
        LabelledCamera(name=view, train=tuple(train[view]), test=tuple(videos)) for view, videos in by_view.items()
    )
    return Dataset(name="ShanghaiTech", cameras=cameras)


def _view(path: Path) -> str:
    return path.name.partition("_")[0]


def _mask_array(file: Path, frames: int) -> Masks:
    _array(file, frames)
    return lambda: (np.asarray(mask) > 0 for mask in _array(file, frames))


def _array(file: Path, frames: int) -> npt.NDArray[np.generic]:
    """An array with an entry per frame, read from the disk as it is needed."""
    try:
        array: npt.NDArray[np.generic] = np.load(file, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise LabelsError(f"{file}: is missing or cannot be read: {frames} frames need it") from error
    except ValueError as error:
        raise LabelsError(f"{file}: is no array of labels: {error}") from error
    if len(array) != frames:
        raise LabelsError(f"{file}: labels {len(array)} frames, but there are {frames}")
    return array


def _pictures(folder: Path) -> list[Path]:
    try:
        return pictures(folder)
    except NotFoundError as error:
        raise LabelsError(str(error)) from error


def _some(folder: Path, pattern: str) -> list[Path]:
    """What matches in a folder, in order, at least one."""
    found = sorted(one for one in folder.glob(pattern) if not one.name.startswith("."))
    if not found:
        raise LabelsError(f"{folder / pattern}: is missing")
    return found
