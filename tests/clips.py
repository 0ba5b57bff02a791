"""Video files for tests: a red square moving right over grey, so a frame's number can be seen in it; drawn scenes."""

from pathlib import Path

import av
import numpy as np

from stream.scene import open_scene

SQUARE_PX = 40
STEP_PX = 4


def make_clip(
    path: Path,
    *,
    frames: int = 50,
    fps: int = 25,
    size: tuple[int, int] = (320, 240),
    codec: str = "libx264",
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip; the file name's ending says which container.

    Args:
        size: (width, height).
        rotation: Degrees counter-clockwise by which a player is told to turn it.
        options: Of the container, e.g. `{"movflags": "faststart"}`.
    """
    width, height = size
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "threads": "1", "g": "10"}
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            image = np.full((height, width, 3), 90, np.uint8)
            x = square_x(number, width)
            image[height // 2 : height // 2 + SQUARE_PX, x : x + SQUARE_PX] = (0, 0, 255)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def square_x(number: int, width: int) -> int:
    """Left edge of the square in the frame of this number."""
    return number * STEP_PX % (width - SQUARE_PX)


def film(path: Path, *urls: str) -> Path:
    """Write drawn scenes, `demo://...`, one after the other as a clip of their own size, rate and length."""
    scenes = [open_scene(url) for url in urls]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=round(scenes[0].fps))
        stream.width, stream.height, stream.pix_fmt = scenes[0].width, scenes[0].height, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "20", "threads": "1"}
        for scene in scenes:
            for number in range(round(scene.duration_s * scene.fps)):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(scene.frame(number), format="bgr24")))
        container.mux(stream.encode())
    return path
