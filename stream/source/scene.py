"""A scene drawn in code, behind demo://NAME."""

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from stream.source.error import EndOfStream, NotFoundError, redact

if TYPE_CHECKING:
    from stream.scene import Scene


class SceneBackend:
    """Frames of a scene, drawn only when asked for. Their time is index / fps."""

    live = False

    def __init__(self, scene: "Scene", where: str) -> None:
        self._scene = scene
        self._where = where
        self._index = -1
        self.native_size = (scene.width, scene.height)
        self.native_fps = float(scene.fps)
        self.duration_s: float | None = float(scene.duration_s)
        self.decode_errors = 0

    def grab(self) -> float | None:
        """The next frame's time; never blocks."""
        time_s = (self._index + 1) / self.native_fps
        if time_s >= self._scene.duration_s:
            raise EndOfStream(f"{self._where}: over after {self._scene.duration_s:g} s")
        self._index += 1
        return time_s

    def retrieve(self, width: int, height: int) -> npt.NDArray[np.uint8]:
        """The grabbed frame drawn, (height, width, 3) BGR."""
        image = self._scene.frame(self._index)
        if (width, height) == self.native_size:
            return np.ascontiguousarray(image)
        shrink = width < self.native_size[0]
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
        return np.asarray(resized, np.uint8)

    def close(self) -> None:
        """Nothing to let go of."""


def open_demo(url: str) -> SceneBackend:
    """The scene of a demo:// URL.

    Raises:
        NotFoundError: There is none of this name, or a parameter is wrong.
    """
    from stream.scene import open_scene

    try:
        return SceneBackend(open_scene(url), redact(url))
    except ValueError as error:
        raise NotFoundError(f"{redact(url)}: {error}") from error
