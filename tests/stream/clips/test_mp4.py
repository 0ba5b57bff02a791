import itertools
import stat

import av
import numpy as np
import pytest

from configs.settings import ConnectionSettings
from stream.clips import ClipError, start_of
from stream.clips.clip import _delay_s
from stream.clips.footage import Footage, Sample
from stream.clips.mp4 import Mp4, is_playable, remove_unfinished
from stream.source import open_source
from tests.clips import make_clip

FACTS = {"alert": "x", "stream_time_s": 12.5, "utc": "2026-01-31T12:00:00.120Z"}


def read(url):
    """A file's footage after all of it was read."""
    footage = Footage(10**8, 60.0)
    with open_source(
        str(url), size=(160, 112), rate_fps=25, connection=ConnectionSettings(), footage=footage
    ) as source:
        for _ in source:
            pass
    return footage


def pictures(path):
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]


def written(path, footage, first=0):
    samples = footage.since(first)
    file = Mp4(path, footage.template, samples[0], delay_s=_delay_s(samples), facts=FACTS)
    for sample in samples:
        file.write(sample)
    return file


@pytest.mark.parametrize("out_of_order", [False, True])
def test_a_file_of_packets_has_the_pictures_and_times_of_the_source_while_it_grows_and_after(tmp_path, out_of_order):
    original = tmp_path / "source.mp4"
    with av.open(str(original), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.options = {"g": "20", "bf": "3" if out_of_order else "0", "threads": "1", "x264-params": "b-adapt=0"}
        for number in range(75):
            image = np.full((240, 320, 3), 20 + 3 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    footage = read(original)
    path = tmp_path / "new" / "clip.mp4"
    file = written(path, footage)
    grown = pictures(path)
    assert len(grown) >= 59  # all but the last fragment
    file.finish(FACTS)

    expected, found = pictures(original), pictures(path)
    assert [time for time, _ in found] == pytest.approx([time for time, _ in expected])
    assert found[0][0] == 0.0
    for (_, one), (_, other), (_, early) in zip(expected, found, grown, strict=False):
        assert np.array_equal(one, other)
        assert np.array_equal(one, early)
    data = path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["clip.mp4"]
    assert start_of(path) == 12.5


def test_packets_that_no_browser_plays_are_not_kept_but_the_pictures_are(tmp_path):
    footage = read(make_clip(tmp_path / "source.mp4", codec="mpeg4", frames=60))
    assert footage.template is None
    path = tmp_path / "clip.mp4"
    written(path, footage).finish(FACTS)

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 160, 112)
        keys = [packet.pts * packet.time_base for packet in container.demux(stream) if packet.is_keyframe]
    assert [after - before for before, after in itertools.pairwise(keys)] == pytest.approx([1.0] * 2, abs=0.05)
    assert [time for time, _ in pictures(path)] == pytest.approx([number / 25 for number in range(60)], abs=0.001)


def test_what_cannot_be_written_is_one_line_and_leaves_nothing_but_what_was_there(tmp_path):
    sample = Sample(0, 0.0, True, b"no picture")
    taken, folder = tmp_path / "taken.mp4", tmp_path / "file"
    taken.write_text("something else")
    folder.write_text("no folder")
    footage = read(make_clip(tmp_path / "source.mp4"))
    for path, reason in ((taken, "File exists"), (folder / "clip.mp4", "exists|Not a directory")):
        with pytest.raises(ClipError, match=f"{path} cannot be written: .*({reason})"):
            Mp4(path, footage.template, sample, delay_s=0.0, facts=FACTS)
    with pytest.raises(ClipError, match=r"broken.mp4 cannot be written"):
        Mp4(tmp_path / "broken.mp4", None, sample, delay_s=0.0, facts=FACTS)

    assert taken.read_text() == "something else"
    assert not (tmp_path / "broken.mp4").exists()


def test_only_a_clip_of_ours_has_a_start(tmp_path):
    other = make_clip(tmp_path / "other.mp4")
    (tmp_path / "text.mp4").write_text("no film")

    assert start_of(other) is None
    assert start_of(tmp_path / "text.mp4") is None
    assert start_of(tmp_path / "nothing.mp4") is None
    assert is_playable(other)
    assert not is_playable(tmp_path / "text.mp4")


def test_what_a_killed_process_left_unfinished_is_removed_and_nothing_else(tmp_path):
    for name in (".a.mp4.new", "a.mp4", ".a.jpg.new"):
        (tmp_path / name).write_text("")
    remove_unfinished(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.jpg.new", "a.mp4"]
