import itertools
from pathlib import Path

import numpy as np
import pytest

from calibrate.footage import FootageError, expand, plan, preview, shots
from configs.settings import ConnectionSettings
from stream.source import NotFoundError, SourceError
from tests import rtsp_server
from tests.clips import make_clip
from tests.rtsp_server import serve

CONNECTION = ConnectionSettings(open_timeout_s=5, read_timeout_s=3)

needs_rtsp_server = pytest.mark.skipif(rtsp_server.missing() is not None, reason=str(rtsp_server.missing()))


def planned(*sources, minutes=10.0):
    return plan(
        [str(source) for source in sources], long_side_px=320, rate_fps=5.0, minutes=minutes, connection=CONNECTION
    )


def times_by_segment(taken):
    return [
        [shot.picture.stream_time_s for shot in group]
        for _, group in itertools.groupby(taken, key=lambda shot: shot.segment)
    ]


def test_a_folder_stands_for_its_videos_in_the_order_of_their_names(tmp_path):
    for name in ("b.mp4", "a.MKV", "c.avi", "notes.txt", "labels.json"):
        (tmp_path / name).write_text("")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "d.mp4").write_text("")

    expanded = expand(["demo://street", str(tmp_path), "last.mp4"])

    assert expanded == ("demo://street", *(str(tmp_path / name) for name in ("a.MKV", "b.mp4", "c.avi")), "last.mp4")


def test_a_folder_without_videos_is_told_with_what_it_needs(tmp_path):
    (tmp_path / "notes.txt").write_text("")

    with pytest.raises(FootageError, match=rf"{tmp_path}: no video in this folder: .*\.mp4"):
        expand([str(tmp_path)])


def test_no_source_at_all_is_told():
    with pytest.raises(FootageError, match="name at least one"):
        planned()


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(NotFoundError, match=r"gone\.mp4"):
        planned(tmp_path / "gone.mp4")


def test_videos_of_different_shapes_are_refused_by_name(tmp_path):
    wide = make_clip(tmp_path / "wide.mp4", frames=10, size=(320, 180))
    square = make_clip(tmp_path / "square.mp4", frames=10, size=(240, 240))

    with pytest.raises(FootageError, match=r"square\.mp4: its picture is 240×240, that of .*wide\.mp4 320×180"):
        planned(wide, square)


def test_videos_of_one_shape_and_different_sizes_go_together(tmp_path):
    large = make_clip(tmp_path / "large.mp4", frames=10, size=(640, 360))
    small = make_clip(tmp_path / "small.mp4", frames=10, size=(320, 180))

    footage = planned(large, small)

    assert footage.size == (320, 176)
    assert {shot.picture.image.shape for shot in shots(footage)} == {(176, 320, 3)}


def test_recordings_are_taken_whole_each_in_its_own_segment(tmp_path):
    make_clip(tmp_path / "a.mp4", frames=50)  # 2 s
    make_clip(tmp_path / "b.mp4", frames=75)  # 3 s

    taken = list(shots(planned(tmp_path, minutes=0.01)))

    assert [shot.segment for shot in taken] == [0] * 10 + [1] * 15
    for times_s in times_by_segment(taken):
        assert times_s == pytest.approx([number / 5 for number in range(len(times_s))])


def test_progress_runs_evenly_to_one(tmp_path):
    make_clip(tmp_path / "a.mp4", frames=50)
    make_clip(tmp_path / "b.mp4", frames=50)

    done = [shot.done for shot in shots(planned(tmp_path))]

    assert done == sorted(done)
    assert done[0] == 0.0
    assert done[10] == pytest.approx(0.5)
    assert 0.9 <= done[-1] <= 1.0


def test_a_scene_is_taken_for_the_minutes_asked_for():
    taken = list(shots(planned("demo://street?width=320&height=180", minutes=0.05)))

    assert len(taken) == 15
    assert taken[-1].picture.stream_time_s < 3.0
    assert taken[-1].done == pytest.approx(2.8 / 3.0)


def test_a_scene_shorter_than_asked_for_is_taken_whole():
    taken = list(shots(planned("demo://street?width=320&height=180&seconds=2", minutes=5)))

    assert len(taken) == 10
    assert taken[-1].done == pytest.approx(0.9)


def test_footage_is_the_same_each_time(tmp_path):
    footage = planned(make_clip(tmp_path / "a.mp4", frames=30))

    first, again = list(shots(footage)), list(shots(footage))

    assert all(np.array_equal(a.picture.image, b.picture.image) for a, b in zip(first, again, strict=True))


def test_a_preview_has_pictures_of_every_recording(tmp_path):
    make_clip(tmp_path / "a.mp4", frames=100)
    make_clip(tmp_path / "b.mp4", frames=75)

    pictures = preview(planned(tmp_path))

    assert [picture.stream_time_s for picture in pictures] == pytest.approx([0, 1, 2, 3, 0, 1, 2], abs=0.01)


def test_a_plan_knows_whether_its_footage_is_still_to_come(tmp_path):
    assert not planned(make_clip(tmp_path / "a.mp4", frames=10)).live
    assert not planned("demo://street").live


def test_a_password_in_a_source_is_not_shown(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", frames=10)
    footage = planned(clip, "rtsp://guard:s3cret-word@camera.invalid/stream")

    assert footage.live
    assert "s3cret-word" not in repr(footage)


@needs_rtsp_server
def test_a_camera_is_taken_in_segments_across_an_outage(tmp_path):
    clip = make_clip(tmp_path / "clip.mp4", frames=50)  # the stream ends after 2 s and can be opened again
    with serve([Path(clip)]) as url:
        footage = planned(url, clip, minutes=0.05)
        taken = list(shots(footage))

    assert footage.live
    before, after, recording = times_by_segment(taken)
    for times_s in (before, after):
        assert times_s[0] == pytest.approx(0.0, abs=0.1)
        assert np.diff(times_s) == pytest.approx(0.2, abs=0.05)
    assert before[-1] + after[-1] == pytest.approx(3.0, abs=0.3)
    assert len(recording) == 10
    assert len({shot.segment for shot in taken}) == 3
    assert [shot.done for shot in taken] == sorted(shot.done for shot in taken)
    assert taken[-11].done == 0.5


def test_a_camera_that_never_comes_is_an_error():
    with pytest.raises(SourceError):
        planned("rtsp://127.0.0.1:1/stream")
