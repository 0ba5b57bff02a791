"""A real RTSP camera for tests: GStreamer's server playing video files in turn as one stream, in real time.

Two faces of one file. Tests import `serve` from it; `serve` runs the file itself with the system's Python, which is
where Debian keeps GStreamer's bindings (gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-{base,good,ugly},
gstreamer1.0-libav; glib-networking for rtsps). Every client that connects sees the first file from its start, or,
with `shared`, joins the one stream that is on. By hand:

    /usr/bin/python3 tests/rtsp_server.py --loop --port 8554 one.mp4 two.mp4
"""

import argparse
import functools
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PYTHON = "/usr/bin/python3"
READY_TIMEOUT_S = 20.0


class ServerError(Exception):
    """The server did not come up; the message holds what it said."""


@functools.cache
def missing() -> str | None:
    """Why the server cannot run on this machine; None where it can. For `pytest.mark.skipif`."""
    if not Path(PYTHON).exists():
        return f"no {PYTHON}"
    check = subprocess.run([PYTHON, __file__, "--check"], capture_output=True, text=True, timeout=60, check=False)
    return None if check.returncode == 0 else f"no GStreamer RTSP server: {check.stderr.strip()}"


@contextmanager
def serve(
    files: Sequence[Path],
    *,
    loop: bool = False,
    fps: float | None = None,
    shared: bool = False,
    port: int = 0,
    user: str | None = None,
    password: str | None = None,
    basic: bool = False,
    codec: str = "h264",
    tls: Path | None = None,
) -> Iterator[str]:
    """A running server's URL, without user and password. It is killed at the end, in the middle of a stream if so.

    Args:
        files: Played in this order as one stream, all at the first one's size and rate.
        loop: Start over for ever, with timestamps that go on; otherwise the stream ends after the last file.
        fps: Frames per second of the stream, where it shall not be the first file's own.
        shared: All clients see the same stream instead of each its own from the start.
        port: 0 takes a free one.
        user: Digest authentication, together with `password`.
        basic: Basic authentication instead.
        codec: "h264" or "jpeg"; "copy" sends one H.264 file as it is, for ever, which costs next to nothing.
        tls: PEM file with certificate and key; the URL is then rtsps://.

    Raises:
        ServerError: Not ready in time.
    """
    options = ["--port", str(port)]
    options += ["--loop"] if loop else []
    options += ["--shared"] if shared else []
    options += ["--fps", str(fps)] if fps else []
    options += ["--user", user, "--password", password or ""] if user else []
    options += ["--basic"] if basic else []
    options += ["--codec", codec]
    options += ["--tls", str(tls)] if tls else []
    # The server ends when its standard input closes, so a killed test leaves none behind.
    process = subprocess.Popen(
        [PYTHON, __file__, *options, *map(str, files)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield _url(process)
    finally:
        process.kill()
        process.wait(timeout=10)
        process.stdin.close()
        process.stdout.close()


def _url(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    said = []
    deadline = time.monotonic() + READY_TIMEOUT_S
    while select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
        line = process.stdout.readline()
        if not line:
            break
        if line.startswith("ready "):
            return line.split()[1]
        said.append(line)
    raise ServerError(f"RTSP server not ready: {''.join(said).strip() or 'it says nothing'}")


# From here on: what runs under the system's Python.

_CODECS = {
    "h264": "x264enc tune=zerolatency threads=1 speed-preset=veryfast key-int-max=20 bitrate=4000 "
    "! rtph264pay name=pay0 pt=96",
    "jpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
    "copy": "rtph264pay name=pay0 pt=96 config-interval=-1",
}


class _Playlist:
    """Decoded pictures of the files in turn, restamped with the stream's own time."""

    def __init__(self, gst: Any, files: Sequence[str], loop: bool, fps: float | None) -> None:
        self._gst = gst
        self._files = files
        self._loop = loop
        self._next_file = 0
        self._player: Any = None
        self._frames = 0
        self._caps: Any = None
        self._open()
        sample = self._player.get_by_name("out").emit("pull-preroll")
        size = sample.get_caps().get_structure(0)
        own = size.get_fraction("framerate")
        self._rate = (round(fps * 1000), 1000) if fps else (own[1], own[2])
        self.caps = (
            f"video/x-raw,format=I420,width={size.get_value('width')},height={size.get_value('height')},"
            f"framerate={self._rate[0]}/{self._rate[1]}"
        )
        self._caps = size

    def _open(self) -> None:
        size = f",width={self._caps.get_value('width')},height={self._caps.get_value('height')}" if self._caps else ""
        self._player = self._gst.parse_launch(
            "filesrc name=in ! decodebin ! videoconvert ! videoscale ! "
            f"video/x-raw,format=I420{size},pixel-aspect-ratio=1/1 ! appsink name=out sync=false max-buffers=4"
        )
        self._player.get_by_name("in").set_property("location", self._files[self._next_file])
        self._player.set_state(self._gst.State.PLAYING)
        self._next_file += 1

    def feed(self, source: Any, _wanted: int = 0) -> None:
        """Push one more picture into the stream, or its end."""
        while (sample := self._player.get_by_name("out").emit("pull-sample")) is None:
            self.close()
            if self._next_file == len(self._files):
                if not self._loop:
                    source.emit("end-of-stream")
                    return
                self._next_file = 0
            self._open()
        buffer = sample.get_buffer().copy()
        frame_ns = self._gst.SECOND * self._rate[1] // self._rate[0]
        buffer.pts = buffer.dts = self._frames * frame_ns
        buffer.duration = frame_ns
        self._frames += 1
        source.emit("push-buffer", buffer)

    def close(self, *_: Any) -> None:
        """Let go of the file that is open."""
        self._player.set_state(self._gst.State.NULL)


class _Copy:
    """The encoded pictures of a file over and over, restamped with the stream's own time. Kept in memory."""

    def __init__(self, gst: Any, file: str) -> None:
        self._gst = gst
        player = gst.parse_launch(
            "filesrc name=in ! qtdemux ! h264parse config-interval=-1 ! "
            "video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false"
        )
        player.get_by_name("in").set_property("location", file)
        player.set_state(gst.State.PLAYING)
        out = player.get_by_name("out")
        samples = list(iter(lambda: out.emit("pull-sample"), None))
        player.set_state(gst.State.NULL)
        self._buffers = [sample.get_buffer() for sample in samples]
        caps = samples[0].get_caps()
        self.caps = caps.to_string()
        _, above, below = caps.get_structure(0).get_fraction("framerate")
        self._frame_ns = gst.SECOND * below // above
        self._frames = 0

    def feed(self, source: Any, _wanted: int = 0) -> None:
        """Push one more picture into the stream."""
        buffer = self._buffers[self._frames % len(self._buffers)].copy()
        buffer.pts = buffer.dts = self._frames * self._frame_ns
        buffer.duration = self._frame_ns
        self._frames += 1
        source.emit("push-buffer", buffer)

    def close(self, *_: Any) -> None:
        """Nothing is open."""


def _main() -> None:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    gi.require_version("GstRtsp", "1.0")
    from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer

    arguments = _arguments()
    Gst.init(None)
    lacking = [name for name in ("appsrc", "decodebin", "x264enc", "rtph264pay") if not Gst.ElementFactory.find(name)]
    if lacking:
        sys.exit(f"GStreamer lacks {', '.join(lacking)}")
    if arguments.check:
        return

    def configure(_factory: Any, media: Any) -> None:
        if arguments.codec == "copy":
            playlist: _Playlist | _Copy = _Copy(Gst, arguments.files[0])
        else:
            playlist = _Playlist(Gst, arguments.files, arguments.loop, arguments.fps)
        source = media.get_element().get_child_by_name("source")
        source.set_property("caps", Gst.Caps.from_string(playlist.caps))
        source.connect("need-data", playlist.feed)
        media.connect("unprepared", playlist.close)

    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(arguments.port))
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( appsrc name=source format=time block=true max-buffers=4 ! {_CODECS[arguments.codec]} )")
    factory.set_shared(arguments.shared)
    factory.connect("media-configure", configure)
    if arguments.user or arguments.tls:
        auth = GstRtspServer.RTSPAuth()
        if arguments.tls:
            auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(arguments.tls))
        allowed = GstRtspServer.RTSPToken()
        allowed.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
        if arguments.user:
            if arguments.basic:
                auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
                auth.add_basic(GstRtspServer.RTSPAuth.make_basic(arguments.user, arguments.password), allowed)
            else:
                auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
                auth.add_digest(arguments.user, arguments.password, allowed)
        else:
            auth.set_default_token(allowed)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        for action in (
            GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS,
            GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
        ):
            permissions.add_permission_for_role("viewer", action, True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/stream", factory)
    if server.attach(None) == 0:
        sys.exit(f"port {arguments.port} is in use")
    scheme = "rtsps" if arguments.tls else "rtsp"
    print(f"ready {scheme}://127.0.0.1:{server.get_bound_port()}/stream", flush=True)
    main_loop = GLib.MainLoop()
    if not sys.stdin.isatty():
        GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_HUP, lambda *_: main_loop.quit())
    main_loop.run()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Play video files in turn as one RTSP stream.")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--check", action="store_true", help="only say whether everything is installed")
    parser.add_argument("--loop", action="store_true", help="for ever")
    parser.add_argument("--shared", action="store_true", help="one stream for all clients")
    parser.add_argument("--fps", type=float, help="instead of the first file's own rate")
    parser.add_argument("--port", type=int, default=0, help="0 = a free one")
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--basic", action="store_true", help="send the password as it is, instead of a digest")
    parser.add_argument("--codec", choices=list(_CODECS), default="h264")
    parser.add_argument("--tls", help="PEM file with certificate and key")
    arguments = parser.parse_args()
    if not arguments.files and not arguments.check:
        parser.error("at least one file is needed")
    return arguments


if __name__ == "__main__":
    try:
        _main()
    except (ImportError, ValueError) as error:
        sys.exit(str(error))
