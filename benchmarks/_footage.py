"""The folder of recordings that is not part of the project, and clips drawn or cut for a measurement."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av

from benchmarks._application import REPOSITORY
from configs.settings import ConnectionSettings
from stream.source import open_source

DATA = REPOSITORY.parent / "shared" / "data"

_DRAWN_FPS = 15
_DRAWN_SIDE_PX = 640


def need(folder: Path, names: Sequence[str], layout: str) -> list[Path]:
    """The files of these names.

    Raises:
        SystemExit: One is missing; says which, and the layout the folder must have.
    """
    files = [folder / name for name in names]
    for file in files:
        if not file.is_file():
            raise SystemExit(f"{file} is missing: name a folder with --data that holds {layout}")
    return files


def cut_in_halves(clip: Path, folder: Path) -> tuple[tuple[Path, float], tuple[Path, float]]:
    """The clip's two halves with their lengths in seconds, cut at the key frame nearest its middle, nothing encoded
    again.

    Each begins at time 0.
    """
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None, "a video file has one"
        packets = [packet for packet in container.demux(stream) if packet.pts is not None]
        end = max((packet.pts or 0) + (packet.duration or 0) for packet in packets)
        keys = [index for index, packet in enumerate(packets) if packet.is_keyframe and index > 0]
        if not keys:
            raise SystemExit(f"{clip} cannot be cut: it has a single key frame")
        middle = min(keys, key=lambda index: abs((packets[index].pts or 0) - end / 2))
        cut = packets[middle].pts or 0
        halves: list[tuple[Path, float]] = []
        for part, begin, until in ((packets[:middle], 0, cut), (packets[middle:], cut, end)):
            path = folder / f"{clip.stem}-{len(halves) + 1}.mp4"
            with av.open(str(path), "w") as written:
                copy = written.add_stream_from_template(stream)
                for packet in part:
                    packet.pts = (packet.pts or 0) - begin
                    packet.dts = None if packet.dts is None else packet.dts - begin
                    packet.stream = copy
                    written.mux(packet)
            halves.append((path, float((until - begin) * stream.time_base)))
        return halves[0], halves[1]


def drawn_clip(scene: str, path: Path) -> Path:
    """A drawn scene, which must have an end, as an H.264 file."""
    with (
        open_source(
            scene, long_side_px=_DRAWN_SIDE_PX, rate_fps=_DRAWN_FPS, connection=ConnectionSettings()
        ) as source,
        av.open(str(path), "w") as container,
    ):
        stream = container.add_stream("libx264", rate=Fraction(_DRAWN_FPS))
        stream.width, stream.height = source.size
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "20", "g": "30"}
        for picture in source:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture.image, format="bgr24")))
        container.mux(stream.encode())
    return path
