from dataclasses import replace

import numpy as np
import pytest

from calibrate.feedback import marking
from calibrate.feedback.update import Kept, kept_for, update
from calibrate.footage import FootageError
from configs.settings import CalibrationSettings, PolicySettings
from detector import bundle, stretch
from detector.detector import Sighting, detector_of, features, from_bundle
from detector.features.network import Network
from detector.stretch import MARKED, NORMAL, About, Stretch
from detector.usual import Usual
from stream.policy import Smoother
from stream.source import open_source

NORMAL_SCENE = "demo://street?seed=3&seconds=70&width=320&height=180"
VAN = "demo://street?seed=8&width=320&height=180&seconds=22&anomalies=1&kinds=vehicle&fps={fps}"
SETTINGS = CalibrationSettings(alerts_per_day=1000.0, folds=2, steps=60, seed=1)
POLICY = PolicySettings()


class Camera:
    """The drawn street, and what was kept of it in stretches of ten seconds."""

    def __init__(self, path):
        self.path = path
        self.model = bundle.read(path)
        self._network = Network("cpu", 1)
        self.van = self.watch(VAN.format(fps=15))
        self.again = self.watch(VAN.format(fps=25))
        whole = self.watch(NORMAL_SCENE)
        self.normal = []
        for first in range(0, len(whole.times_s) - 29, 30):
            part = slice(first, first + 30)
            at = replace(whole.about, started_utc=f"2026-01-31T12:{first // 30:02}:00.000Z")
            self.normal.append(Stretch(about=at, times_s=whole.times_s[part], seen=whole.seen[part]))

    def watch(self, url):
        made = self.model.preparation
        _, observer = from_bundle(self.model, "street.mulde", "cpu")
        times_s, seen = [], []
        with open_source(url, size=(made.width, made.height), rate_fps=made.rate_fps, connection=None) as source:
            for one in source:
                times_s.append(one.stream_time_s)
                seen += features(
                    self._network, [Sighting(observer=observer, image=one.image, time_s=one.stream_time_s)]
                )
        about = About(
            camera="gate", model=str(self.path), width=made.width, height=made.height, rate_fps=made.rate_fps
        )
        return Stretch(about=about, times_s=tuple(times_s), seen=tuple(seen))


@pytest.fixture(scope="module")
def camera(street):
    return Camera(street.model)


def learned(camera, model=None, marked=(), normal=None):
    stages = []
    kept = Kept(normal=tuple(camera.normal if normal is None else normal), marked=tuple(marked))
    made = update(
        model or camera.model,
        kept,
        policy=POLICY,
        settings=SETTINGS,
        device="cpu",
        on_progress=lambda stage, share: stages.append((stage, share)),
    )
    assert [stages[0][0], stages[-1]] == ["densities", ("threshold", 1.0)]
    return made


def highest(model, watched):
    detector, smoother = detector_of(model, "street.mulde", "cpu"), Smoother(model.preparation.smoothing_s)
    pictures = zip(watched.times_s, watched.seen, strict=True)
    return max(smoother.step(time_s, detector.judge(seen).score) for time_s, seen in pictures)


@pytest.fixture(scope="module")
def updated(camera):
    return learned(camera)


def test_a_model_learned_from_kept_features_watches_the_same_scene_with_new_densities(camera, updated):
    assert updated.normal_s == pytest.approx(70.0, abs=0.5)
    made = updated.bundle
    assert made.preparation == camera.model.preparation
    assert made.provenance.footage == ("features kept of camera gate",)
    assert made.provenance.footage_fingerprint != camera.model.provenance.footage_fingerprint
    assert made.budget.alerts_per_day == 1000.0
    assert made.budget == updated.threshold.budget != camera.model.budget
    np.testing.assert_array_equal(made.arrays["scene.background"], camera.model.arrays["scene.background"])
    assert not np.array_equal(made.arrays["shape.mean"], camera.model.arrays["shape.mean"])
    usual, before = (Usual.from_arrays(bundle.below("usual", one.arrays)) for one in (made, camera.model))
    assert usual.share.shape == before.share.shape
    assert not np.array_equal(usual.share, before.share)
    assert highest(made, camera.van) > 1.5 * made.budget.threshold
    assert max(highest(made, one) for one in camera.normal) < 0.6 * highest(made, camera.van)


def test_learning_again_from_the_same_gives_the_same(camera, updated):
    again = learned(camera)
    assert again.bundle.budget == updated.bundle.budget
    assert again.bundle.provenance.footage_fingerprint == updated.bundle.provenance.footage_fingerprint


def test_what_was_marked_is_learned_but_is_not_held_out(camera, updated):
    van = replace(camera.van, about=replace(camera.van.about, started_utc="2026-01-31T11:00:00.000Z"))
    made = learned(camera, marked=[van])
    assert made.marked == 1
    assert made.threshold.footage_s == updated.threshold.footage_s
    assert made.bundle.budget.threshold < 0.7 * highest(updated.bundle, van)
    assert highest(made.bundle, van) < 0.8 * highest(updated.bundle, van)


def test_marks_outlive_learning_anew(camera):
    model = marking.mark(
        camera.model, "m", camera.van, alert="a", threshold=camera.model.budget.threshold, utc="2026-01-31T12:00:00Z"
    ).bundle
    made = learned(camera, model, marked=[camera.van]).bundle
    assert marking.is_marked(made, "a")
    assert highest(made, camera.again) < made.budget.threshold


def test_too_little_is_refused(camera):
    with pytest.raises(FootageError, match=r"20 s of normal time are kept, too short .* at least 30 s are needed"):
        learned(camera, normal=camera.normal[:2])


def test_what_is_found_is_of_the_camera_and_of_the_model_s_size(camera, tmp_path):
    def keep(name, kind, folder, **about):
        one = camera.normal[0]
        stretch.write(replace(one, about=replace(one.about, **about)), stretch.file_of(tmp_path / folder, kind, name))

    keep("2", NORMAL, "gate", started_utc="2026-01-31T13:00:00.000Z")
    keep("1", NORMAL, "gate", started_utc="2026-01-31T12:00:00.000Z")
    keep("a", MARKED, "gate")
    keep("3", NORMAL, "gate", width=640)
    keep("4", NORMAL, "yard", model="/other.mulde", started_utc="2026-01-31T14:00:00.000Z")
    (tmp_path / "gate" / "normal-5.features").write_bytes(b"cut off")

    found = kept_for(camera.path, camera.model, tmp_path)
    assert [one.about.started_utc[11:13] for one in found.normal] == ["12", "13"]
    assert len(found.marked) == 1
    yard = kept_for(camera.path, camera.model, tmp_path, "yard")
    assert ([one.about.started_utc[11:13] for one in yard.normal], yard.marked) == (["14"], ())
    with pytest.raises(FootageError, match="no normal time of its camera is kept"):
        kept_for(camera.path, camera.model, tmp_path / "none")
