"""A camera behind http:// whose bytes a test decides: MPEG-TS with any timestamps, codecs, sizes; motion JPEG."""

import http.server
import io
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import av
import cv2
import numpy as np

BOUNDARY = b"frame"


def ts_chunks(
    frames: int, *, fps: int = 25, size: tuple[int, int] = (320, 240), codec: str = "libx264", first_s: float = 0.0
) -> list[bytes]:
    """MPEG-TS, a chunk for each frame; the timestamps start at `first_s` and wrap at 95443.7 s, as 33 bits do."""
    width, height = size
    chunks, file = [], io.BytesIO()
    with av.open(file, "w", format="mpegts", options={"mpegts_copyts": "1"}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = 10
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "tune": "zerolatency", "threads": "1"}
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(_picture(number, width, height), format="bgr24")
            frame.pts = round(first_s * fps) + number
            container.mux(stream.encode(frame))
            chunks.append(_taken(file))
        container.mux(stream.encode())
    return [*chunks, file.getvalue()]


def ts_chunks_with_sound(frames: int, seconds: float) -> list[bytes]:
    """MPEG-TS of so many frames at 25 a second, whose sound comes first and goes on, a chunk for each 25th."""
    chunks, file = [], io.BytesIO()
    hold_back = {"max_interleave_delta": "100000"}  # of the sound while pictures may still come, µs
    with av.open(file, "w", format="mpegts", options=hold_back) as container:
        sound = container.add_stream("mp2", rate=48_000)
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "threads": "1", "g": "10"}
        for number in range(round(seconds * 25)):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 3840), np.int16), format="s16", layout="stereo")
            silence.sample_rate, silence.pts = 48_000, number * 1920
            container.mux(sound.encode(silence))
            if number < frames:
                frame = av.VideoFrame.from_ndarray(_picture(number, 320, 240), format="bgr24")
                frame.pts = number
                container.mux(stream.encode(frame))
            chunks.append(_taken(file))
    return chunks


def jpeg_chunks(frames: int) -> list[bytes]:
    """Motion JPEG, which carries no timestamps; to be served as `multipart`."""
    chunks = []
    for number in range(frames):
        jpeg = cv2.imencode(".jpg", _picture(number, 320, 240))[1].tobytes()
        head = f"--{BOUNDARY.decode()}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        chunks.append(head.encode() + jpeg + b"\r\n")
    return chunks


@contextmanager
def serve_chunks(*connections: Sequence[bytes], fps: float = 25.0, multipart: bool = False) -> Iterator[str]:
    """URL of a server that sends each client a chunk every 1 / fps seconds, and then silence.

    Args:
        connections: What the first client gets, the second, and so on; the last is for all that follow.
    """
    left = list(connections)
    kind = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}" if multipart else "video/mp2t"

    class Camera(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            chunks = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            due_s = time.monotonic()
            try:
                for chunk in chunks:
                    self.wfile.write(chunk)
                    due_s += 1.0 / fps
                    time.sleep(max(0.0, due_s - time.monotonic()))
                self.connection.recv(1)
            except OSError:  # the client has gone
                pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/stream"
        finally:
            server.shutdown()
            thread.join()


def _picture(number: int, width: int, height: int) -> np.ndarray:
    image = np.full((height, width, 3), 90, np.uint8)
    x = number * 4 % (width - 40)
    image[height // 2 : height // 2 + 40, x : x + 40] = (0, 0, 255)
    return image


def _taken(file: io.BytesIO) -> bytes:
    """What is in the file, which is empty afterwards."""
    data = file.getvalue()
    file.seek(0)
    file.truncate()
    return data
