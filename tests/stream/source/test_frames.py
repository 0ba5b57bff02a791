import cv2
import numpy as np
import pytest

from configs.settings import ConnectionSettings
from stream.source import CodecError, NotFoundError, open_source
from stream.source.frames import frames_url, pictures


def write(folder, names, size=(96, 64)):
    """Pictures of one grey level each: 10, 20, ..."""
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names, start=1):
        assert cv2.imwrite(str(folder / name), np.full((size[1], size[0]), 10 * number, np.uint8))
    return folder


def opened(url, rate_fps=60.0, size=(48, 32)):
    return open_source(url, size=size, rate_fps=rate_fps, connection=ConnectionSettings())


@pytest.mark.parametrize("ending", ["tif", "png", "bmp"])
def test_a_folder_is_read_as_a_recording_of_its_rate(tmp_path, ending):
    folder = write(tmp_path / "Train001", [f"{number:03d}.{ending}" for number in range(1, 7)])

    with opened(frames_url(folder, 10.0)) as source:
        seen = list(source)

        assert (source.native_size, source.native_fps, source.duration_s) == ((96, 64), 10.0, 0.6)
        assert not source.live
    assert [picture.stream_time_s for picture in seen] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert [picture.image.shape for picture in seen] == [(32, 48, 3)] * 6
    assert [int(picture.image[16, 24, 0]) for picture in seen] == [10, 20, 30, 40, 50, 60]


def test_it_is_thinned_to_the_rate_of_analysis(tmp_path):
    folder = write(tmp_path / "frames", [f"{number}.png" for number in range(12)])

    with opened(frames_url(folder, 24.0), rate_fps=8.0) as source:
        assert [int(picture.image[0, 0, 0]) for picture in source] == [10, 40, 70, 100]


def test_pictures_are_in_the_order_of_their_numbers_whatever_their_width(tmp_path):
    names = ["frame9.png", "frame10.png", "frame0100.png", "frame1000.png"]
    folder = write(tmp_path / "frames", names)
    for other in ("._frame9.png", "Thumbs.db", "labels.txt"):
        (folder / other).write_text("")

    assert [file.name for file in pictures(folder)] == names


@pytest.mark.parametrize("ending", ["", "?fps=", "?fps=0", "?fps=fast"])
def test_a_folder_without_its_rate_is_refused(tmp_path, ending):
    folder = write(tmp_path / "frames", ["1.png"])

    with pytest.raises(NotFoundError, match=r"frames://FOLDER\?fps=10"):
        opened(f"frames://{folder}{ending}")


def test_a_missing_or_empty_folder_is_told(tmp_path):
    with pytest.raises(NotFoundError, match=f"{tmp_path}/gone: no such folder"):
        opened(frames_url(tmp_path / "gone", 10.0))
    with pytest.raises(NotFoundError, match=f"{tmp_path}: no picture in this folder"):
        opened(frames_url(tmp_path, 10.0))


def test_a_damaged_picture_is_told_by_name(tmp_path):
    folder = write(tmp_path / "frames", ["1.png", "2.png"])
    (folder / "2.png").write_bytes(b"no picture")

    with opened(frames_url(folder, 10.0)) as source:
        source.read()
        with pytest.raises(CodecError, match=r"2\.png: is no picture"):
            source.read()
