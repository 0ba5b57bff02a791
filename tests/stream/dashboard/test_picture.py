import os
import time

import cv2
import numpy as np
import pytest

from stream.dashboard import picture
from stream.dashboard.cells import width_of
from stream.dashboard.picture import Pictures, half_blocks
from tests.stream.views import alert

REGION = (0.5, 0.5, 1.0, 1.0)


def written(path, width=320, height=180, colour=(0, 0, 255)):
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2] = colour
    cv2.imwrite(str(path), image)
    return str(path)


def said(lines):
    return " ".join(text.strip() for line in lines for text, _ in line).strip()


@pytest.fixture
def pictures():
    return Pictures(here=True, colours=True)


def test_each_cell_is_two_pixels_and_equal_neighbours_are_one_part():
    image = np.zeros((4, 3, 3), np.uint8)
    image[0] = (0, 0, 248)  # BGR
    image[3, 2] = (248, 0, 0)
    assert half_blocks(image) == (
        [("▀▀▀", "#f80000 on #000000")],
        [("▀▀", "#000000 on #000000"), ("▀", "#000000 on #0000f8")],
    )


@pytest.mark.parametrize(
    ("width", "height", "cells"), [(640, 360, (36, 10)), (180, 320, (11, 10)), (900, 90, (40, 2))]
)
def test_a_picture_keeps_its_aspect_and_fits(pictures, tmp_path, width, height, cells):
    path = written(tmp_path / "a.jpg", width, height)
    lines = pictures.lines(alert("start", evidence=(path,)), 40, 10)
    assert (width_of(lines[0]), len(lines)) == cells
    assert lines[0][0][1].startswith("#f80000")
    assert lines[-1][0][1] == "#000000 on #000000"


def test_the_frame_as_it_was_is_preferred_and_the_region_is_outlined_in_it(pictures, tmp_path):
    drawn, clean = written(tmp_path / "a.jpg"), written(tmp_path / "a-clean.jpg", colour=(0, 255, 0))
    lines = pictures.lines(alert("start", evidence=(drawn, clean, str(tmp_path / "a.mp4")), region=REGION), 40, 10)
    styles = "".join(style for line in lines for _, style in line)
    assert "#00f800" in styles
    assert "#f8f800" in styles  # the outline
    only_drawn = pictures.lines(alert("start", evidence=(drawn,), region=REGION), 40, 10)
    assert "#f8f800" not in "".join(style for line in only_drawn for _, style in line)


def test_a_picture_is_read_once_and_again_when_it_is_another(pictures, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(picture, "_read", lambda path, real=picture._read: (read.append(path), real(path))[1])
    shown = alert("start", evidence=(written(tmp_path / "a.jpg"),))
    first = [pictures.lines(shown, 40, 10) for _ in range(5)][-1]
    assert len(read) == 1
    written(tmp_path / "a.jpg", colour=(255, 0, 0))
    os.utime(tmp_path / "a.jpg", ns=(1, 1))
    assert pictures.lines(shown, 40, 10) != first
    assert len(read) == 2


def test_what_cannot_be_shown_is_said_in_words(pictures, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    started_s = time.monotonic()
    for name in ("text", "pipe", "empty", "folder"):
        shown = alert("start", name, evidence=(str(tmp_path / f"{name}.jpg"),))
        assert said(pictures.lines(shown, 200, 10)) == f"picture cannot be read: {tmp_path}/{name}.jpg"
    assert time.monotonic() - started_s < 1.0
    gone = alert("start", evidence=(str(tmp_path / "a.jpg"),))
    assert said(pictures.lines(gone, 200, 10)) == f"picture is not there (any more): {tmp_path}/a.jpg"
    assert said(pictures.lines(alert("start"), 40, 10)) == "this alert has no picture"
    assert pictures.lines(None, 40, 10) == ()


def test_a_terminal_without_colours_and_another_machine_s_alerts_have_no_picture(tmp_path):
    shown = alert("start", evidence=(written(tmp_path / "a.jpg"),))
    assert said(Pictures(here=False, colours=True).lines(shown, 40, 10)) == "picture is on the other machine"
    assert "shows no colours" in said(Pictures(here=True, colours=False).lines(shown, 60, 10))
