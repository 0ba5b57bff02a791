import re
import resource
import xml.etree.ElementTree as ET
from base64 import b64decode
from contextlib import contextmanager
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from calibrate.blocks import Thumbnail
from calibrate.calibration import Calibration
from calibrate.episodes import runs
from calibrate.report import page as html_report
from calibrate.report import pictures as report_pictures
from calibrate.report.summary import promise
from calibrate.threshold import choose
from calibrate.train import Scored
from configs.settings import PolicySettings
from detector.bundle import Bundle, Preparation, Provenance, read
from detector.usual import Usual
from tests import program

RATE_FPS = 5.0
POLICY = PolicySettings(smoothing_s=0.2)
VOID = {"meta", "img", "br"}


def jpeg(level):
    return cv2.imencode(".jpg", np.full((24, 32, 3), level, np.uint8))[1].tobytes()


def level_at(segment, time_s):
    """Grey level of the picture at this time."""
    return int(time_s) * 7 % 200 + 20 * segment


def calibration(events=(), *, footage=("gate <1>.mp4",), seconds=600, quiet=False):
    """Of drawn scores with events (segment, start, height) of two seconds each; `choose` is the real one."""
    generator = np.random.default_rng(0)
    held_out, thumbnails = [], []
    for segment in range(len(footage)):
        times_s = np.arange(round(seconds * RATE_FPS)) / RATE_FPS
        calm = np.repeat(generator.gamma(2.0, 0.4, len(times_s) // 25), 25)
        scores = np.zeros(len(times_s)) if quiet else calm
        for of, start_s, height in events:
            if of == segment:
                scores[(times_s >= start_s) & (times_s < start_s + 2.0)] = height
        held_out.append(Scored(segment=segment, times_s=times_s, scores=scores))
        if not quiet:
            thumbnails += [Thumbnail(segment, float(at), jpeg(level_at(segment, at))) for at in range(seconds)]
    threshold = choose(held_out, POLICY, 1.0, float(seconds * len(footage)))
    bundle = Bundle(
        preparation=Preparation(width=320, height=176, rate_fps=RATE_FPS, smoothing_s=POLICY.smoothing_s),
        provenance=Provenance(
            code_version="0",
            created_utc="2026-01-31T12:00:00Z",
            footage=footage,
            footage_fingerprint="0",
            footage_s=threshold.footage_s,
            seed=0,
        ),
        budget=threshold.budget,
        others=threshold.others,
        families=({"name": "motion"},),
        arrays={"scene.background": np.full((44, 80), 120, np.float32)},
    )
    share = np.zeros((11, 20), np.float32)
    share[5] = 0.0 if quiet else 0.4
    return Calibration(
        bundle=bundle,
        threshold=threshold,
        pictures=len(thumbnails),
        quiet_share=0.5,
        thinned=False,
        held_out=tuple(runs(held_out, POLICY)),
        thumbnails=tuple(thumbnails),
        activity=Usual(share=share, moves=share, speed=np.where(share > 0.0, 4.0, np.nan).astype(np.float32)),
    )


class Page(HTMLParser):
    """Raises where an element is not closed, or another is; keeps text, pictures and everything that is named."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.named, self.figures = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.named += [value for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        if tag == "figure":
            self.figures.append({"class": dict(attrs).get("class"), "src": None, "text": ""})
        if tag == "img":
            assert dict(attrs)["alt"]
            self.figures[-1]["src"] = dict(attrs)["src"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)
            if "figure" in self.open:
                self.figures[-1]["text"] += data


def decoded(uri):
    return b64decode(uri.partition("base64,")[2])


@pytest.fixture(scope="module")
def made():
    """Two recordings; in the second something is far above all else."""
    return calibration([(0, 200.0, 5.0), (1, 300.0, 60.0)], footage=("gate <1>.mp4", "folder/gate 2.mp4"))


@pytest.fixture(scope="module")
def page(made):
    return html_report.page(made, "gate.mulde")


def test_the_page_is_written_beside_the_model_and_only_for_its_user(made, page, tmp_path):
    path = html_report.write(made, tmp_path / "gate.mulde")

    assert path == tmp_path / "gate.html"
    assert path.read_text(encoding="utf-8") == page
    assert [item.name for item in tmp_path.iterdir()] == ["gate.html"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("model", "name"), [("gate.day.mulde", "gate.day.html"), ("gate", "gate.html"), ("gate.html", "gate.html.html")]
)
def test_each_model_has_a_page_of_its_own(tmp_path, model, name):
    assert html_report.write(calibration(seconds=60), tmp_path / model).name == name


def test_the_page_is_whole_says_the_promise_and_every_budget(made, page):
    text = Page(page).text

    assert promise(made.threshold) in text
    for words in ("1 false alert in 7 days", "1 false alert a day (asked for)", "20 false alerts an hour"):
        assert words in text
    assert text.count("(asked for)") == 1
    for one in made.threshold.others:
        assert f"{one.threshold:.2f} {one.low:.2f}\u2013{one.high:.2f}" in re.sub(r"\s+", " ", text)


def test_the_page_asks_nobody_for_anything(page):
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|url\(|@import|<script|<link", page)
    for uri in Page(page).named:
        assert uri.startswith(("data:image/jpeg;base64,", "data:image/svg+xml;base64,"))
        if "svg" in uri:
            drawing = decoded(uri).decode()
            plain = re.sub(r'xmlns(:xlink)?="[^"]*"', "", drawing)
            assert not re.search(r"https?:|url\((?!#)|@import|<script", plain)


def test_drawings_are_sound_and_follow_the_readers_scheme(page):
    drawings = [decoded(uri) for uri in Page(page).named if "svg" in uri]

    assert len(drawings) == 2
    for drawing in drawings:
        assert ET.fromstring(drawing).tag.endswith("svg")
        text = drawing.decode()
        assert "prefers-color-scheme:dark" in text
        assert set(re.findall(r"var\((--\w+),", text)) <= set(re.findall(r"(--\w+):", text))
    assert "prefers-color-scheme:dark" in page


def test_moments_are_shown_as_they_looked_the_suspicious_first_and_how_to_exclude_them(made, page):
    (suspicious,) = made.threshold.suspicious
    moments = [figure for figure in Page(page).figures if re.match(r"(suspicious)?\d+: score", figure["text"])]

    assert [figure["class"] for figure in moments] == ["suspicious"] + [None] * 8
    assert re.match(r"suspicious1: score (59\.9\d|60\.00)5:0[0-2] of recording 2 \(gate 2\.mp4\)", moments[0]["text"])
    assert re.search(r"2: score (4\.9\d|5\.00)3:2[0-2] of recording 1 \(gate <1>\.mp4\)", moments[1]["text"])
    for figure, segment, near_s in ((moments[0], 1, suspicious.time_s), (moments[1], 0, 201.0)):
        picture = cv2.imdecode(np.frombuffer(decoded(figure["src"]), np.uint8), cv2.IMREAD_COLOR)
        assert min(abs(picture.mean() - level_at(segment, near_s + off)) for off in (-1, 0, 1)) < 2.0
    assert "cut its time out of the recording" in page


def test_footage_without_anything_suspicious_has_nothing_to_exclude():
    text = html_report.page(calibration([(0, 200.0, 5.0)]), "gate.mulde")

    assert 'class="suspicious"' not in text
    assert "cut its time" not in text


def test_a_picture_that_was_not_kept_is_told():
    made = calibration()
    text = Page(
        html_report.page(
            Calibration(**{name: getattr(made, name) for name in made.__slots__} | {"thumbnails": ()}), "gate.mulde"
        )
    ).text

    assert "no picture was kept" in text


def test_footage_in_which_nothing_ever_was_has_a_page():
    text = Page(html_report.page(calibration(quiet=True), "gate.mulde")).text

    assert "Nothing stood out at any time." in text


def test_a_camera_has_no_recordings_to_name():
    made = calibration(footage=("rtsp://192.0.2.1/a", "street.mp4"))

    assert "(street.mp4)" not in html_report.page(made, "gate.mulde")


def test_the_map_has_colours_where_something_is_and_the_empty_scene_elsewhere():
    values = np.zeros((11, 20), np.float32)
    values[5], values[6] = 1.0, np.nan

    picture = cv2.imdecode(
        np.frombuffer(report_pictures.over_scene(np.full((44, 80), 120, np.float32), values, 1.0), np.uint8),
        cv2.IMREAD_COLOR,
    )

    assert picture.shape == (352, 640, 3)
    spread = (picture.max(axis=2).astype(int) - picture.min(axis=2)).reshape(11, 32, 640).mean(axis=(1, 2))
    assert spread[5] > 60
    assert np.delete(spread, 5).max() < 12
    assert picture[300].mean() == pytest.approx(120, abs=2)


def test_long_footage_does_not_make_a_large_page():
    made = calibration([(0, 200.0, 9.0)], seconds=4 * 3600)

    assert len(html_report.page(made, "gate.mulde")) < 400_000


@contextmanager
def files_no_longer_than(size):
    """As if the disk were full: the kernel writes no byte further."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_and_leaves_the_model_and_the_old_page(made, tmp_path):
    model, old = tmp_path / "gate.mulde", tmp_path / "gate.html"
    model.write_bytes(b"model")
    old.write_text("old")

    with files_no_longer_than(10_000), pytest.raises(html_report.ReportError) as caught:
        html_report.write(made, model)

    assert re.fullmatch(
        r".*gate\.html: the report cannot be written: .+: the model .*gate\.mulde is written and can be used",
        str(caught.value),
    )
    assert (model.read_bytes(), old.read_text()) == (b"model", "old")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["gate.html", "gate.mulde"]


def test_a_folder_that_takes_no_file_is_told(made, tmp_path):
    with pytest.raises(html_report.ReportError, match=r"gone/gate\.html: the report cannot be written: No such file"):
        html_report.write(made, tmp_path / "gone" / "gate.mulde")


def test_the_command_keeps_the_model_when_the_page_cannot_be_written(tmp_path):
    (tmp_path / "street.html").mkdir()
    config = tmp_path / "small.yaml"
    config.write_text("analysis: {rate_fps: 3, long_side_px: 320}\ncalibration: {folds: 2, steps: 10}\n")

    made = program.run(
        tmp_path,
        *("calibrate", "demo://street?seconds=32&width=320&height=180", "--model", "street.mulde"),
        *("--config", config, "--device", "cpu"),
    )

    assert made.returncode == 1
    told = r"error: street\.html: the report cannot be written: .+: the model street\.mulde is written .*\n"
    assert re.fullmatch(told, made.stderr)
    assert "threshold" in made.stdout
    assert read(tmp_path / "street.mulde").provenance.footage_s == pytest.approx(32.0)
