import os
import stat

import cv2
import numpy as np
import pytest

from stream.evidence import EvidenceError, outline_px, picture, snapshot

HEIGHT, WIDTH = 200, 320
REGION = (0.25, 0.3, 0.5, 0.7)


def shoot(path, image, region=REGION, **changes):
    told = {"score": 5.2, "threshold": 4.1, "camera": "gate", "moment": "2026-11-25 00:45:12 UTC"}
    snapshot(image, region=region, path=path, **{**told, **changes})
    return cv2.imread(str(path))


def grey(level, height=HEIGHT, width=WIDTH):
    return np.full((height, width, 3), level, np.uint8)


def changed(picture, image):
    """Where the picture differs from the frame by more than JPEG does."""
    height, width = image.shape[:2]
    return np.abs(picture[:height, :width].astype(int) - image).max(axis=2) > 40


@pytest.mark.parametrize("level", [0, 128, 255])
def test_the_region_is_outlined_on_any_picture_and_the_rest_is_as_it_was(tmp_path, level):
    image = grey(level)
    difference = changed(shoot(tmp_path / "a.jpg", image), image)
    x0, y0, x1, y1 = outline_px(REGION, WIDTH, HEIGHT)
    assert (x0, y0, x1, y1) == (80, 60, 160, 139)
    for edge in (difference[y0, x0:x1], difference[y1, x0:x1], difference[y0:y1, x0], difference[y0:y1, x1]):
        assert edge.mean() > 0.9
    rows, columns = np.nonzero(difference)
    assert rows.min() >= y0 - 8
    assert rows.max() <= y1 + 8
    assert columns.min() >= x0 - 8
    assert columns.max() <= x1 + 8
    assert not difference[y0 + 8 : y1 - 7, x0 + 8 : x1 - 7].any()


def test_without_a_region_the_picture_is_as_it_was(tmp_path):
    image = grey(128)
    assert not changed(shoot(tmp_path / "a.jpg", image, region=None), image).any()


@pytest.mark.parametrize(
    "region", [(0.5, 0.5, 0.5, 0.5), (0, 0, 0.001, 0.001), (1, 1, 1, 1), (0.99, 0, 1, 1), (-3, -3, 4, 4)]
)
def test_an_outline_is_large_enough_to_be_seen_and_inside_the_picture(region):
    x0, y0, x1, y1 = outline_px(region, WIDTH, HEIGHT)
    assert 0 <= x0 <= x1 - 24
    assert x1 < WIDTH
    assert 0 <= y0 <= y1 - 24
    assert y1 < HEIGHT


def test_a_picture_smaller_than_the_outline_is_outlined_whole():
    assert outline_px((0.5, 0.5, 0.6, 0.6), 16, 10) == (0, 0, 15, 9)


@pytest.mark.parametrize(("height", "width"), [(200, 320), (1080, 1920), (128, 72), (16, 16)])
def test_the_caption_is_below_the_picture_and_fits(tmp_path, height, width):
    image = grey(255, height, width)
    picture = shoot(tmp_path / "a.jpg", image, region=None, camera="W" * 32)
    assert picture.shape[0] > height + 18
    assert picture.shape[1] == max(width, 320)
    strip = picture[height + 2 :].max(axis=2)
    assert (strip > 128).sum() > 100  # letters
    assert not (strip[:, -4:] > 128).any()  # none cut off
    assert not (strip[-2:] > 128).any()


def test_the_caption_tells_camera_time_and_score(tmp_path):
    image = grey(0)
    before = shoot(tmp_path / "a.jpg", image)[HEIGHT:]
    for change in ({"camera": "yard"}, {"moment": "2026-11-25 00:45:13 UTC"}, {"score": 6.2}, {"threshold": 3.1}):
        after = shoot(tmp_path / "b.jpg", image, **change)[HEIGHT:]
        assert before.shape != after.shape or np.abs(before.astype(int) - after).max() > 60


def test_the_frame_itself_is_left_as_it_is(tmp_path):
    image = grey(128)
    shoot(tmp_path / "a.jpg", image)
    assert (image == 128).all()


def test_an_older_picture_is_replaced_and_nothing_else_is_left(tmp_path):
    first = shoot(tmp_path / "new" / "a.jpg", grey(0))
    second = shoot(tmp_path / "new" / "a.jpg", grey(255))
    assert second.mean() > first.mean() + 100
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.jpg"]


def test_pictures_are_for_this_user_only(tmp_path):
    before = os.umask(0)
    try:
        shoot(tmp_path / "new" / "a.jpg", grey(0))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new" / "a.jpg").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_place_that_cannot_be_written_is_one_clear_line_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EvidenceError, match=r"^evidence: .*/file/a\.jpg cannot be written: "):
        shoot(tmp_path / "file" / "a.jpg", grey(0))
    (tmp_path / "folder" / "a.jpg" / "b").mkdir(parents=True)
    with pytest.raises(EvidenceError, match=r"^evidence: .*/folder/a\.jpg cannot be written: "):
        shoot(tmp_path / "folder" / "a.jpg", grey(0))
    assert [file.name for file in (tmp_path / "folder").iterdir()] == ["a.jpg"]


def drawn(image, caption=("gate",), **marks):
    """The marked copy, the clean one, and what is below."""
    height, width = image.shape[:2]
    whole = cv2.imdecode(np.frombuffer(picture(image, caption, **marks), np.uint8), cv2.IMREAD_COLOR)
    assert whole.shape[1] == 2 * width + 6
    return whole[:height, :width], whole[:height, width + 6 :], whole[height:]


def test_the_picture_has_the_frame_as_it_was_beside_the_marked_one():
    image = grey(100)
    image[50:100, 20:60] = 180
    marked, clean, caption = drawn(image, region=REGION)
    assert not changed(clean, image).any()
    x0, y0, x1, _ = outline_px(REGION, WIDTH, HEIGHT)
    assert changed(marked, image)[y0, x0:x1].mean() > 0.9
    assert (caption.max(axis=2) > 128).sum() > 20


def test_heat_colours_what_is_unusual_and_leaves_what_is_normal():
    heat = np.zeros((10, 16), np.uint8)
    heat[2:5, 3:7] = 255
    heat[8, 12] = 40  # far from the threshold
    image = grey(100)
    marked, clean, _ = drawn(image, heat=heat)
    difference = np.abs(marked.astype(int) - image).max(axis=2)
    hot = difference[50:90, 70:130]  # inside of the cells, which are 20 pixels wide
    assert hot.min() > 40
    assert difference[120:].max() < 10
    assert difference[:, 180:].max() < 10
    assert not changed(clean, image).any()


def test_more_heat_is_lighter_so_that_it_is_read_without_seeing_colours():
    lightness = []
    for level in (100, 180, 255):
        marked, _, _ = drawn(grey(20), heat=np.full((10, 16), level, np.uint8))
        lightness.append(cv2.cvtColor(marked, cv2.COLOR_BGR2GRAY).mean())
    assert lightness[0] + 10 < lightness[1] < lightness[2] - 10


def test_a_caption_with_a_sign_the_font_does_not_have_is_written_with_a_letter():
    sign, letter = (drawn(grey(0), ("moving 3.4× as fast",))[2], drawn(grey(0), ("moving 3.4x as fast",))[2])
    assert np.array_equal(sign, letter)
