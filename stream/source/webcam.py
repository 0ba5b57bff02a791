"""A webcam by its number, through OpenCV and V4L2."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from stream.source.error import DisconnectedError, NotFoundError, RefusedError

_DEVICES = Path("/dev")


class WebcamBackend:
    """Frames of /dev/videoN. They carry no timestamps of their own."""

    live = True
    duration_s: float | None = None

    def __init__(self, index: int) -> None:
        self._device = _DEVICES / f"video{index}"
        if not self._device.exists():
            present = sorted(path.name.removeprefix("video") for path in _DEVICES.glob("video[0-9]*"))
            there = f"there are {', '.join(present)}" if present else "there is none on this machine"
            raise NotFoundError(f"webcam {index}: no {self._device}: {there}")
        cv2.utils.logging.setLogLevel(
            cv2.utils.logging.LOG_LEVEL_SILENT
        )  # its warnings on standard error would tear the dashboard
        self._capture = cv2.VideoCapture(index, cv2.CAP_V4L2)
        if not self._capture.isOpened():
            raise RefusedError(
                f"webcam {index}: {self._device} cannot be opened: another program may use it, or the user is not "
                "in the group video"
            )
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the driver drops the oldest
        self.native_size = (
            int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        self.native_fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.decode_errors = 0

    def grab(self) -> float | None:
        """The next frame; V4L2 gives up after 10 s."""
        if not self._capture.grab():
            raise DisconnectedError(f"{self._device}: the webcam stopped delivering: check its cable")
        return None

    def retrieve(self, width: int, height: int) -> npt.NDArray[np.uint8]:
        """The grabbed frame, (height, width, 3) BGR."""
        whole, image = self._capture.retrieve()
        if not whole:
            raise DisconnectedError(f"{self._device}: the webcam sends pictures that cannot be decoded")
        shrink = width < image.shape[1]
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
        return resized.astype(np.uint8, copy=False)

    def close(self) -> None:
        """Let go of the device; safe to call twice."""
        self._capture.release()
