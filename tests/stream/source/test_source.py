import http.server
import shutil
import socket
import subprocess
import threading
import time
import traceback
from contextlib import contextmanager

import av
import cv2
import numpy as np
import pytest

from configs.settings import ConnectionSettings
from stream.source import (
    AuthenticationError,
    CodecError,
    DisconnectedError,
    EndOfStream,
    NoAnswerError,
    NotFoundError,
    RefusedError,
    Source,
    SourceError,
    TlsError,
    UnreachableError,
    analysed_size,
    is_camera,
    open_source,
)
from tests import rtsp_server
from tests.clips import SQUARE_PX, make_clip, square_x
from tests.rtsp_server import serve

CONNECTION = ConnectionSettings(open_timeout_s=5, read_timeout_s=5)
PASSWORD = "s3cret-word"
WRONG_PASSWORD = "wr0ng-word"

needs_rtsp_server = pytest.mark.skipif(rtsp_server.missing() is not None, reason=str(rtsp_server.missing()))


def open_small(url, rate_fps=25.0, connection=CONNECTION, **options):
    return open_source(str(url), long_side_px=320, rate_fps=rate_fps, connection=connection, **options)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")  # 2 s of 25 frames/s, 320×240


@pytest.fixture(scope="module")
def camera(clip):
    """URL of an RTSP camera that wants user and password, without them."""
    with serve([clip], user="viewer", password=PASSWORD) as url:
        yield url


def with_login(url, password=PASSWORD):
    return url.replace("//", f"//viewer:{password}@")


def read_until_it_fails(source):
    pictures = []
    while True:
        try:
            pictures.append(source.read())
        except SourceError as error:
            return pictures, error


# Reading


@needs_rtsp_server
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_rtsp_yields_pictures_of_the_right_size_rate_and_time(camera, transport):
    connection = ConnectionSettings(transport=transport, open_timeout_s=5, read_timeout_s=5)
    with open_source(with_login(camera), size=(160, 128), rate_fps=5, connection=connection) as source:
        assert (source.live, source.native_size, source.native_fps) == (True, (320, 240), 25)
        pictures, error = read_until_it_fails(source)
        assert source.measured_fps == pytest.approx(25, rel=0.05)

    assert isinstance(error, DisconnectedError)
    times = [picture.stream_time_s for picture in pictures]
    assert {picture.image.shape for picture in pictures} == {(128, 160, 3)}
    assert times == pytest.approx([number / 5 for number in range(10)], abs=0.05)
    assert times[0] == 0


@needs_rtsp_server
def test_files_played_in_turn_are_one_stream_without_loss(tmp_path):
    one, two = make_clip(tmp_path / "one.mp4", frames=20), make_clip(tmp_path / "two.mp4", frames=20, codec="mpeg4")
    with serve([one, two]) as url, open_small(url) as source:
        pictures, _ = read_until_it_fails(source)

    times = [picture.stream_time_s for picture in pictures]
    assert times == pytest.approx([number / 25 for number in range(40)], abs=0.001)


def test_a_file_is_read_whole_without_waiting(clip):
    started_s = time.monotonic()
    with open_small(clip) as source:
        pictures = list(source)

    assert not source.live
    assert time.monotonic() - started_s < 1.8
    assert [picture.stream_time_s for picture in pictures] == pytest.approx([n / 25 for n in range(50)])
    for number, picture in enumerate(pictures):
        assert picture.image.dtype == np.uint8
        assert picture.image.flags.c_contiguous
        x = square_x(number, 320) + SQUARE_PX // 2
        blue, green, red = picture.image[120 + SQUARE_PX // 2, x].astype(int)
        assert red > 200 > 60 > max(blue, green)


def test_the_end_of_a_file_stays_the_end(clip):
    with open_small(clip, rate_fps=1) as source:
        list(source)
        with pytest.raises(EndOfStream):
            source.read()


def test_a_file_in_real_time_takes_its_own_time(clip):
    with open_small(clip, rate_fps=10, realtime=True) as source:
        assert source.live
        source.read()
        started_s = time.monotonic()
        last_s = [picture.stream_time_s for picture in source][-1]

    assert last_s == pytest.approx(1.9, abs=0.05)
    assert time.monotonic() - started_s > last_s - 0.1


def test_a_file_in_real_time_skips_what_its_reader_was_too_late_for(clip):
    with open_small(clip, rate_fps=25, realtime=True) as source:
        first = source.read()
        busy_until_s = time.monotonic() + 1.0
        while time.monotonic() < busy_until_s:
            pass
        times = [source.read().stream_time_s for _ in range(5)]  # however late, one comes per period

        assert first.stream_time_s == 0
        assert times[-1] > 0.8
        assert source.late > 15


def test_poll_comes_back_when_nothing_is_due(clip):
    with open_small(clip, rate_fps=1, realtime=True) as source:
        source.read()
        started_s = time.monotonic()

        assert source.poll(0.1) is None
        assert time.monotonic() - started_s < 0.9
        assert source.read().stream_time_s == pytest.approx(1.0)


class CountingBackend:
    live, native_size, native_fps, decode_errors = False, (64, 48), 25.0, 0

    def __init__(self):
        self.grabbed, self.retrieved = 0, 0

    def grab(self):
        if self.grabbed == 100:
            raise EndOfStream("over")
        self.grabbed += 1
        return self.grabbed / 25

    def retrieve(self, width, height):
        self.retrieved += 1
        return np.zeros((height, width, 3), np.uint8)

    def close(self):
        pass


def test_frames_that_sampling_skips_are_not_made_into_pictures():
    backend = CountingBackend()

    pictures = list(Source(backend, where="here", size=(32, 16), rate_fps=5, paced=False))

    assert (backend.grabbed, backend.retrieved, len(pictures)) == (100, 20, 20)


def test_an_upright_phone_video_is_upright(tmp_path):
    path = make_clip(tmp_path / "phone.mp4", frames=3, rotation=90)
    with open_small(path) as source:
        assert source.native_size == (240, 320)
        assert source.size == (240, 320)
        image = source.read().image

    assert image.shape == (320, 240, 3)
    red = np.argwhere((image[..., 2] > 200) & (image[..., 1] < 60))  # left edge of the unturned picture ...
    assert red[:, 0].min() > 320 - SQUARE_PX - 4  # ... is the lower edge, turned counter-clockwise
    assert red[:, 1].min() == pytest.approx(120, abs=4)


@pytest.mark.parametrize(
    ("native", "long_side_px", "expected"),
    [
        ((1920, 1080), 640, (640, 352)),
        ((1080, 1920), 640, (352, 640)),
        ((240, 160), 640, (640, 432)),
        ((4000, 20), 128, (128, 16)),
    ],
)
def test_the_analysed_size_follows_the_aspect_in_steps_of_16(native, long_side_px, expected):
    assert analysed_size(native, long_side_px) == expected


def test_size_must_be_given_in_one_way(clip):
    with pytest.raises(ValueError, match="exactly one"):
        open_source(str(clip), rate_fps=5, connection=CONNECTION)


def test_a_damaged_frame_is_skipped_and_counted(tmp_path):
    path = make_clip(tmp_path / "clip.mp4", frames=50)
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.pos]
    data = bytearray(path.read_bytes())
    data[places[25] : places[25] + 8] = b"\xff" * 8
    path.write_bytes(data)

    with open_small(path) as source:
        pictures = list(source)

    assert source.decode_errors >= 1
    assert len(pictures) >= 40


def test_a_recording_cut_off_is_read_up_to_the_cut(tmp_path):
    path = make_clip(tmp_path / "clip.mp4", options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])

    with open_small(path) as source:
        assert 10 < len(list(source)) < 50


# What can be wrong with a file


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda path: None, NotFoundError, "no such file"),
        (lambda path: path.mkdir(), NotFoundError, "is a folder"),
        (lambda path: path.write_text("hello\n" * 100), CodecError, "not a video"),
        (lambda path: path.write_bytes(b""), CodecError, "not a video"),
        (lambda path: path.write_bytes(make_clip(path).read_bytes()[:3000]), CodecError, "cut off"),
    ],
    ids=["missing", "folder", "text", "empty", "truncated"],
)
def test_what_is_not_a_video_is_said_in_one_line(tmp_path, make, error, says):
    path = tmp_path / "input.mp4"
    make(path)

    with pytest.raises(error, match=says) as caught:
        open_small(path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_video_says_what_it_holds(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))

    with pytest.raises(CodecError, match="no video, only audio"):
        open_small(path)


# What can be wrong with a camera


def text_of(error):
    return "".join(traceback.format_exception(error)) + repr(error)


@needs_rtsp_server
def test_a_wrong_password_is_an_authentication_error_that_does_not_tell_it(camera, capfd):
    with pytest.raises(AuthenticationError, match="not accepted") as caught:
        open_small(with_login(camera, WRONG_PASSWORD))

    assert WRONG_PASSWORD not in text_of(caught.value)
    assert "viewer:***@" in str(caught.value)
    assert capfd.readouterr() == ("", "")


@needs_rtsp_server
def test_a_missing_password_is_asked_for(camera):
    with pytest.raises(AuthenticationError, match="wants user and password"):
        open_small(camera)


@needs_rtsp_server
def test_a_wrong_path_is_not_found(camera):
    with pytest.raises(NotFoundError, match="no such path") as caught:
        open_small(with_login(camera) + "-of-another-camera")

    assert PASSWORD not in text_of(caught.value)


@needs_rtsp_server
def test_an_open_source_does_not_show_its_password(camera):
    with open_small(with_login(camera)) as source:
        assert PASSWORD not in repr(source)


def test_a_port_nobody_listens_at_refuses():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(RefusedError, match=f"nothing listens at port {port}"):
        open_small(f"rtsp://127.0.0.1:{port}/stream")


def test_a_host_that_is_not_known_is_unreachable():
    with pytest.raises(UnreachableError, match=r"host no-such-host\.invalid is not known"):
        open_small(f"rtsp://viewer:{PASSWORD}@no-such-host.invalid/stream")


def test_a_host_that_accepts_and_stays_silent_gives_no_answer():
    quick = ConnectionSettings(open_timeout_s=0.3, read_timeout_s=0.3)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(NoAnswerError, match=r"no answer within 0\.3 s"),
    ):
        open_small(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/stream", connection=quick)


def test_a_webcam_that_is_not_there_is_one_clear_line(capfd):
    with pytest.raises(NotFoundError, match=r"webcam 97: no /dev/video97"):
        open_small("97")

    assert capfd.readouterr() == ("", "")


def test_an_unknown_kind_of_source_lists_the_known_ones():
    with pytest.raises(SourceError, match="unknown kind of source: use rtsp://"):
        open_small("ftp://viewer:hidden@host/video.mp4")


# http and TLS


class WebCamera(http.server.BaseHTTPRequestHandler):
    """Ten pictures a twentieth of a second apart as motion JPEG, then silence until the client goes."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path != "/video":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for number in range(10):
            jpeg = cv2.imencode(".jpg", np.full((120, 160, 3), 20 * number, np.uint8))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")
            time.sleep(0.05)
        self.connection.settimeout(20)
        self.connection.recv(1)


@contextmanager
def web_camera():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), WebCamera) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_motion_jpeg_over_http_is_read_until_it_falls_silent():
    quick = ConnectionSettings(open_timeout_s=2, read_timeout_s=0.5)
    with web_camera() as url, open_small(f"{url}/video", connection=quick) as source:
        assert source.live
        pictures, error = read_until_it_fails(source)

    assert isinstance(error, NoAnswerError)
    assert "no picture for 0.5 s" in str(error)
    times = [picture.stream_time_s for picture in pictures]
    assert times[0] == 0
    assert times == sorted(times)
    assert len(times) >= 5  # timed by their arrival: of those that a busy machine takes in together one is kept


def test_a_wrong_path_on_a_web_camera_is_not_found():
    with web_camera() as url, pytest.raises(NotFoundError):
        open_small(f"{url}/nothing")


@needs_rtsp_server
@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command to make a certificate")
def test_a_certificate_of_its_own_making_is_refused_unless_verification_is_off(tmp_path, clip):
    key, certificate, both = (tmp_path / name for name in ("key.pem", "certificate.pem", "both.pem"))
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*make.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=30)
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    with serve([clip], tls=both) as url:
        with pytest.raises(TlsError, match="certificate is not trusted"):
            open_small(url)
        trusting = ConnectionSettings(verify_tls=False)
        with open_small(url, connection=trusting) as source:
            assert source.read().stream_time_s == 0


# URLs


@pytest.mark.parametrize(
    ("url", "camera"), [("0", True), ("RTSP://h/x", True), ("a.mp4", False), ("demo://x", False)]
)
def test_only_cameras_are_worth_trying_again(url, camera):
    assert is_camera(url) is camera
