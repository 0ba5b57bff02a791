import subprocess
import sys

import cv2
import numpy as np
import pytest

from calibrate.evaluate.plots import draw_roc, draw_scores

ANOMALOUS = np.r_[np.zeros(60, np.bool_), np.ones(120, np.bool_)]
SCORES = np.r_[np.full(60, 1.0), np.full(120, 5.0)] + np.sin(np.arange(180))


def picture(path):
    image = cv2.imread(str(path))
    assert image is not None
    return image


def has_colour(image, rgb, at_least=50):
    """Whether this colour, give or take, covers some pixels."""
    return (np.abs(image[..., ::-1].astype(int) - rgb).max(axis=-1) < 12).sum() > at_least


def test_a_roc_curve_is_drawn_for_both_scores(tmp_path):
    draw_roc(tmp_path / "roc.png", "some dataset", ANOMALOUS, SCORES, SCORES[::-1])

    image = picture(tmp_path / "roc.png")
    assert image.shape[0] == pytest.approx(image.shape[1], rel=0.1)
    assert has_colour(image, (0x1F, 0x4E, 0x9C))
    assert has_colour(image, (0xD9, 0x82, 0x2B))


@pytest.mark.parametrize(
    ("anomalous", "shaded"),
    [(ANOMALOUS, slice(60, 180)), (~ANOMALOUS, slice(0, 60)), (np.zeros(180, np.bool_), slice(0))],
)
def test_labelled_frames_are_shaded_and_no_others(tmp_path, anomalous, shaded):
    draw_scores(tmp_path / "scores.png", "01", 10.0, anomalous, SCORES, SCORES, SCORES)

    image = picture(tmp_path / "scores.png")
    row = image[int(0.6 * image.shape[0]), :, ::-1].astype(int)
    is_shaded = (row[:, 0] > 230) & (row[:, 2] < 225) & (row[:, 2] > 180)
    share = (shaded.stop - (shaded.start or 0)) / 180
    axes_share = 0.94  # of the picture's width
    assert is_shaded.mean() == pytest.approx(share * axes_share, abs=0.06)


def test_a_score_that_is_nothing_throughout_can_be_drawn(tmp_path):
    draw_scores(tmp_path / "scores.png", "01", 10.0, ANOMALOUS, np.zeros(180), np.zeros(180), np.zeros(180))

    assert picture(tmp_path / "scores.png").std() > 0


def test_matplotlib_is_loaded_only_to_draw():
    code = "import sys, calibrate.evaluate.plots; print('matplotlib' in sys.modules)"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert made.stdout == "False\n"
