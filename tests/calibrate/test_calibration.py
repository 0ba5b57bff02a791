import re

import numpy as np
import pytest

from calibrate.calibration import calibrate
from calibrate.footage import FootageError, plan
from configs.settings import CalibrationSettings, ConnectionSettings, PolicySettings
from detector import bundle
from detector.condition import Reference
from detector.detector import Sighting, features, from_bundle
from detector.family import FAMILIES
from detector.features.network import Network
from stream.policy import Smoother
from stream.scene import open_scene
from stream.source import open_source

CONNECTION = ConnectionSettings()
POLICY = PolicySettings()
SETTINGS = CalibrationSettings(alerts_per_day=1000.0, folds=2, steps=60, seed=1)
RATE_FPS = 3.0
SIZE = "width=320&height=180"


def calibrated(source, on_progress=lambda stage, share: None, settings=SETTINGS):
    return calibrate(
        plan([source], long_side_px=320, rate_fps=RATE_FPS, minutes=10.0, connection=CONNECTION),
        mask=(),
        policy=POLICY,
        settings=settings,
        device="cpu",
        threads=1,
        on_progress=on_progress,
    )


@pytest.fixture(scope="session")
def progress():
    """The stages and shares told during the calibration."""
    return []


@pytest.fixture(scope="session")
def calibration(progress):
    """A minute of an ordinary street."""
    return calibrated(f"demo://street?seconds=60&{SIZE}", lambda stage, share: progress.append((stage, share)))


@pytest.fixture(scope="session")
def model(calibration, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "street.mulde"
    bundle.write(calibration.bundle, path)
    return path


def judged(model, url):
    """Time, smoothed score and verdict of each picture of a scene, as live watching sees it."""
    detector, observer = from_bundle(bundle.read(model), str(model), "cpu")
    network, smoother = Network("cpu", 1), Smoother(POLICY.smoothing_s)
    made = []
    with open_source(url, size=(320, 176), rate_fps=RATE_FPS, connection=CONNECTION) as source:
        for picture in source:
            sighting = Sighting(observer=observer, image=picture.image, time_s=picture.stream_time_s)
            verdict = detector.judge(features(network, [sighting])[0])
            made.append((picture.stream_time_s, smoother.step(picture.stream_time_s, verdict.score), verdict))
    return made


def test_the_model_says_what_it_was_made_from(calibration, model):
    made = bundle.read(model)

    preparation = made.preparation
    assert (preparation.width, preparation.height, preparation.rate_fps) == (320, 176, RATE_FPS)
    assert preparation.smoothing_s == POLICY.smoothing_s
    assert made.provenance.footage == (f"demo://street?seconds=60&{SIZE}",)
    assert made.provenance.footage_s == pytest.approx(60.0)
    assert made.provenance.seed == 1
    assert re.fullmatch(r"[0-9a-f]{64}", made.provenance.footage_fingerprint)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made.provenance.created_utc)
    assert [family["name"] for family in made.families] == [settings.name for settings in FAMILIES]
    assert made.budget == calibration.threshold.budget
    assert made.budget.alerts_per_day == 1000.0
    assert made.others == calibration.threshold.others


def test_the_model_knows_what_the_picture_is_like_and_how_normal_blocks_are(calibration):
    model = calibration.bundle
    usual = Reference.from_arrays(
        {
            name.removeprefix("condition."): array
            for name, array in model.arrays.items()
            if name.startswith("condition.")
        }
    )
    height, width = model.preparation.height, model.preparation.width
    assert usual.background.shape == (height // 2, width // 2)
    assert 0.3 < usual.likeness[1] <= usual.likeness[0] <= 1.0
    for family in model.families:
        means = model.arrays[f"drift.{family['name']}"]
        assert (means >= 0.0).all()
    assert len(model.arrays["drift.shape"]) > 3


def test_the_outcome_says_how_much_there_was(calibration):
    assert calibration.pictures == 180
    assert 0.0 <= calibration.quiet_share < 1.0
    assert not calibration.thinned
    assert calibration.threshold.held_out_alerts == 0


def test_the_outcome_has_what_the_report_shows(calibration):
    assert sum(len(run.scores) for run in calibration.held_out) == calibration.pictures
    assert [round(one.time_s) for one in calibration.thumbnails] == list(range(60))
    assert calibration.activity.share.shape == calibration.activity.speed.shape == (11, 20)
    assert 0.0 < calibration.activity.share.max() <= 1.0
    assert 1.0 < np.nanmax(calibration.activity.speed) < 30.0


def test_progress_is_told_stage_by_stage(calibration, progress):
    stages = list(dict.fromkeys(stage for stage, _ in progress))

    assert stages == ["footage", "densities", "threshold"]
    for stage in stages:
        shares = [share for of, share in progress if of == stage]
        assert shares == sorted(shares)
        assert shares[0] == 0.0
        assert 0.95 < shares[-1] <= 1.0


def test_another_ordinary_stretch_stays_below_the_threshold(calibration, model):
    scores = np.array([score for _, score, _ in judged(model, f"demo://street?seconds=30&seed=8&{SIZE}")])

    assert np.mean(scores > calibration.threshold.budget.threshold) < 0.1
    assert scores.max() > 0.0


def test_a_vehicle_on_the_lawn_is_above_the_threshold_where_it_is(calibration, model):
    url = f"demo://street?seconds=20&seed=8&anomalies=1&kinds=vehicle&{SIZE}"
    event = open_scene(url).events[0]
    assert event.kind == "vehicle"

    made = judged(model, url)

    during = [one for one in made if event.start_s + 1 <= one[0] <= event.end_s]
    above = [one for one in during if one[1] > calibration.threshold.budget.threshold]
    assert len(above) > 0.5 * len(during)
    assert max(one[1] for one in during) > 1.5 * max(one[1] for one in made if one[0] < event.start_s)
    hits = 0
    for time_s, _, verdict in above:
        if time_s <= event.end_s:
            left, top, right, bottom = event.box(time_s)
            x0, y0, x1, y1 = verdict.region
            hits += x0 < right and left < x1 and y0 < bottom and top < y1
    assert hits > 0.8 * len(above)


def test_footage_that_is_too_short_is_refused_before_anything_is_learned():
    stages = []

    with pytest.raises(FootageError, match="3 s are too short to learn from: at least 30 s are needed"):
        calibrated(f"demo://street?seconds=3&{SIZE}", lambda stage, share: stages.append(stage))

    assert set(stages) == {"footage"}


def test_the_footage_must_be_long_enough_for_its_folds():
    with pytest.raises(FootageError, match="3 s are too short to learn from: at least 50 s"):
        calibrated(f"demo://street?seconds=3&{SIZE}", settings=SETTINGS.model_copy(update={"folds": 5}))
