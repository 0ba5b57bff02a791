from dataclasses import replace

import pytest

from calibrate.feedback import marking
from calibrate.feedback.error import MarkingError
from detector import bundle, stretch
from detector.detector import Sighting, detector_of, features, from_bundle
from detector.features.network import Network
from detector.stretch import About, Stretch
from stream.policy import Smoother
from stream.scene import open_scene
from stream.source import open_source

SCENE = "demo://street?seed={seed}&width=320&height=180&seconds=22&anomalies=1&kinds={kind}&fps={fps}"
UTC = "2026-01-31T12:00:00.000Z"
LATER = "2026-01-31T13:00:00.000Z"


class Camera:
    """The drawn street with the model of it."""

    def __init__(self, model):
        self.model = model
        self.threshold = model.budget.threshold
        self._network = Network("cpu", 1)
        self._watched = {}

    def watch(self, kind, seed=8, fps=15):
        """A stretch of what is planted there; another fps is the same seen at other moments."""
        url = SCENE.format(kind=kind, seed=seed, fps=fps)
        if url not in self._watched:
            made = self.model.preparation
            _, observer = from_bundle(self.model, "street.mulde", "cpu")
            times_s, seen = [], []
            with open_source(url, size=(made.width, made.height), rate_fps=made.rate_fps, connection=None) as source:
                for one in source:
                    times_s.append(one.stream_time_s)
                    sighting = Sighting(observer=observer, image=one.image, time_s=one.stream_time_s)
                    seen += features(self._network, [sighting])
            about = About(
                camera="gate", model="street.mulde", width=made.width, height=made.height, rate_fps=made.rate_fps
            )
            self._watched[url] = Stretch(about=about, times_s=tuple(times_s), seen=tuple(seen))
        return self._watched[url]

    def mark(self, watched, model=None, alert="a"):
        return marking.mark(
            model or self.model, "street.mulde", watched, alert=alert, threshold=self.threshold, utc=UTC
        )


@pytest.fixture(scope="module")
def camera(street):
    return Camera(bundle.read(street.model))


def highest(model, watched):
    detector, smoother = detector_of(model, "street.mulde", "cpu"), Smoother(model.preparation.smoothing_s)
    pictures = zip(watched.times_s, watched.seen, strict=True)
    return max(smoother.step(time_s, detector.judge(seen).score) for time_s, seen in pictures)


def direction(kind, seed):
    event = open_scene(SCENE.format(kind=kind, seed=seed, fps=15)).events[0]
    return event.box(event.end_s - 0.3)[0] > event.box(event.start_s + 0.3)[0]


def test_a_repeated_harmless_event_alerts_before_it_is_marked_and_not_after(camera):
    marked = camera.mark(camera.watch("vehicle"))
    again = camera.watch("vehicle", fps=25)
    assert highest(camera.model, again) > 2.0 * camera.threshold
    assert highest(marked.bundle, again) < camera.threshold


@pytest.mark.parametrize(("kind", "seed"), [("wrong-place", 8), ("wrong-place", 1), ("vehicle", 9), ("vehicle", 11)])
def test_what_was_not_marked_is_still_caught(camera, kind, seed):
    """Of the vans those that come from the other side."""
    assert kind != "vehicle" or direction(kind, seed) != direction(kind, 8)
    marked = camera.mark(camera.watch("vehicle"))
    other = camera.watch(kind, seed)
    assert highest(camera.model, other) > camera.threshold
    assert highest(marked.bundle, other) > camera.threshold
    assert highest(marked.bundle, other) > 0.7 * highest(camera.model, other)


def test_it_says_what_the_alert_would_reach_by_then(camera):
    watched = camera.watch("vehicle")
    marked = camera.mark(watched)
    assert marked.before == pytest.approx(highest(camera.model, watched))
    assert marked.after == pytest.approx(highest(marked.bundle, watched))
    assert 100 < marked.cells <= 2000


def test_a_mark_outlives_the_file_and_is_gone_when_it_is_undone(camera, tmp_path):
    watched = camera.watch("vehicle")
    marked = camera.mark(watched)
    bundle.write(marked.bundle, tmp_path / "street.mulde")
    back = bundle.read(tmp_path / "street.mulde")
    assert marking.is_marked(back, "a")
    assert back.budget == camera.model.budget
    assert highest(back, watched) == pytest.approx(marked.after)

    undone = marking.undo(back, alert="a", utc=LATER)
    bundle.write(undone, tmp_path / "street.mulde")
    without = bundle.read(tmp_path / "street.mulde")
    assert without.arrays.keys() == camera.model.arrays.keys()
    assert highest(without, watched) == pytest.approx(marked.before)
    (history,) = without.markings
    assert (history.alert, history.marked_utc, history.undone_utc) == ("a", UTC, LATER)

    once_more = camera.mark(watched, without).bundle
    assert [one.undone_utc for one in once_more.markings] == [LATER, None]
    assert highest(once_more, watched) == pytest.approx(marked.after)


def test_undoing_one_mark_leaves_the_others(camera):
    van, walker = camera.watch("vehicle"), camera.watch("wrong-place")
    both = camera.mark(walker, camera.mark(van).bundle, alert="ab").bundle
    assert highest(both, walker) < camera.threshold
    one = marking.undo(both, alert="a", utc=LATER)
    assert highest(one, walker) < camera.threshold
    assert highest(one, van) > camera.threshold


def test_what_is_kept_in_half_precision_marks_as_well(camera, tmp_path):
    stretch.write(camera.watch("vehicle"), tmp_path / "alert-1.features")
    marked = camera.mark(stretch.read(tmp_path / "alert-1.features"))
    assert highest(marked.bundle, camera.watch("vehicle")) < camera.threshold


def test_marking_twice_too_often_or_of_another_size_is_refused(camera, monkeypatch):
    watched = camera.watch("vehicle")
    marked = camera.mark(watched).bundle
    with pytest.raises(MarkingError, match=r"street\.mulde: alert a is marked already"):
        camera.mark(watched, marked)
    other = replace(watched, about=replace(watched.about, width=640, height=352))
    with pytest.raises(MarkingError, match=r"looks at 320×176 at 3/s, the alert was seen at 640×352"):
        camera.mark(other)
    monkeypatch.setattr(marking, "MOST_MARKS", 1)
    with pytest.raises(MarkingError, match="has 1 marks already"):
        camera.mark(watched, marked, alert="b")


def test_an_alert_that_is_none_for_this_model_needs_no_mark(camera):
    watched = camera.watch("vehicle")
    before = replace(watched, times_s=watched.times_s[:20], seen=watched.seen[:20])
    with pytest.raises(MarkingError, match="it needs no mark"):
        camera.mark(before)
