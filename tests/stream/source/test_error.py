import pytest

from stream.source.error import redact


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://admin:pw@10.0.0.9:554/live", "rtsp://admin:***@10.0.0.9:554/live"),
        ("rtsp://admin:p@ss/w?rd@10.0.0.9/live", "rtsp://admin:***@10.0.0.9/live"),
        ("https://host/x.m3u8?token=abc&quality=2", "https://host/x.m3u8?token=***&quality=2"),
        ("http://host/video.cgi?user=a&PWD=b@c", "http://host/video.cgi?user=a&PWD=***"),
        ("rtsp://host:554/user=admin&password=abc&channel=1", "rtsp://host:554/user=admin&password=***&channel=1"),
        ("rtsp://host/live", "rtsp://host/live"),
        ("/videos/monday.mp4", "/videos/monday.mp4"),
    ],
)
def test_redact_hides_what_may_be_secret_and_nothing_else(url, shown):
    assert redact(url) == shown
