"""The whole application and a camera that is down: its user is told by an alert, and told again when it is over."""

from urllib.parse import urlsplit

import pytest

from tests import program, rtsp_server
from tests.clips import make_clip
from tests.rtsp_server import serve

PASSWORD = "s3cret-word"

needs_rtsp_server = pytest.mark.skipif(rtsp_server.missing() is not None, reason=str(rtsp_server.missing()))


@needs_rtsp_server
def test_a_camera_that_goes_away_is_an_alert_until_it_is_back(tmp_path, street):
    site = tmp_path / "site.yaml"
    site.write_text(
        f"{street.config.read_text()}connection: {{trouble_after_s: 1, backoff_first_s: 0.2, backoff_max_s: 0.4}}\n"
    )
    clip, login = make_clip(tmp_path / "clip.mp4"), {"user": "viewer", "password": PASSWORD}
    with serve([clip], loop=True, **login) as url:
        port = urlsplit(url).port
    source = url.replace("//", f"//viewer:{PASSWORD}@")
    arguments = ("watch", "--json", source, "--model", street.model, "--config", site)

    with program.Program(tmp_path / "watch", *arguments) as watch:

        def told(event):
            return watch.wait_for(
                lambda: next((one for one in watch.objects("alert") if one["event"] == event), None), 40
            )

        start = told("start")
        assert start["kind"] == "camera"
        reason = f"no pictures: rtsp://viewer:***@127.0.0.1:{port}/stream: nothing listens at port {port}"
        assert start["reason"].startswith(reason)  # and not before capture has said its first word
        listed = program.run(watch.folder, "alerts", "list").stdout
        assert start["id"] in listed
        assert "camera" in listed
        shown = " ".join(program.run(watch.folder, "alerts", "show", start["id"]).stdout.split())
        assert "still open" in shown
        assert f"nothing listens at port {port}" in shown

        with serve([clip], loop=True, port=port, **login):
            assert told("end")["id"] == start["id"]
            watch.wait_for_score()
            watch.interrupt()
            assert watch.end() == 0
        assert len([one for one in watch.objects("alert") if one["kind"] == "camera"]) == 2
        assert PASSWORD not in watch.stdout + watch.stderr + listed + shown
