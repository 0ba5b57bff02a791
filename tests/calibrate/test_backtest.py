"""A van on the lawn, watched from a file by the small model of the drawn street."""

from dataclasses import replace

import numpy as np
import pytest

from calibrate.backtest.replay import Moment, Setup, Video, alerts, watch
from configs.settings import ConnectionSettings, PolicySettings
from detector.bundle import read
from detector.features.network import Network
from stream.source import open_source
from tests.clips import film

SIZE = "width=320&height=180"
VAN = f"demo://street?seed=8&seconds=20&anomalies=1&kinds=vehicle&{SIZE}"
POLICY = PolicySettings(smoothing_s=0.0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backtest")
    quiet = film(folder / "quiet.mp4", f"demo://street?seed=9&seconds=5&{SIZE}")
    return film(folder / "van.mp4", VAN), quiet


@pytest.fixture(scope="module")
def setup(street):
    model = read(street.model)
    return Setup(
        bundles=(model,),
        where=str(street.model),
        device="cpu",
        network=Network("cpu", 1),
        clip_network=None,
        policy=PolicySettings(),
        connection=ConnectionSettings(),
        drift_days=30.0,
        thresholds={model.regime: model.budget.threshold},
    )


@pytest.fixture(scope="module")
def told():
    """The alerts and pictures that were told of while the van was watched."""
    return []


@pytest.fixture(scope="module")
def van(clips, setup, told):
    return watch("van", str(clips[0]), setup, on_alert=lambda *alert: told.append(alert))


def scored(scores, rate_fps=10.0):
    moments = [
        Moment(time_s=at / rate_fps, score=score, region=None, regime="usual", condition="ok")
        for at, score in enumerate(scores)
    ]
    return Video(name="made up", moments=tuple(moments), length_s=len(scores) / rate_fps)


def test_every_picture_of_the_video_is_scored_at_the_models_rate(van, setup):
    assert len(van.moments) == 20 * setup.bundles[0].preparation.rate_fps
    assert van.length_s == pytest.approx(20.0, abs=0.01)
    assert np.diff([moment.time_s for moment in van.moments]) == pytest.approx(1 / 3, abs=0.07)


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_scores_are_the_same_to_the_last_bit_whatever_goes_through_the_networks_together(clips, setup, van, batch):
    again = watch("van", str(clips[0]), setup, batch=batch)

    assert again == van
    assert max(moment.score for moment in van.moments) > 0.0


def test_a_video_is_a_camera_just_opened_whatever_was_watched_before(clips, setup, van):
    watch("quiet", str(clips[1]), setup)

    assert watch("van", str(clips[0]), setup) == van


def test_a_van_on_the_lawn_is_told_of_with_the_picture_of_its_peak(clips, setup, van, told):
    found = alerts(van, setup.policy, setup.thresholds)
    preparation = setup.bundles[0].preparation
    size = (preparation.width, preparation.height)
    with open_source(str(clips[0]), size=size, rate_fps=preparation.rate_fps, connection=setup.connection) as opened:
        pictures = {round(picture.stream_time_s, 4): picture.image for picture in opened}

    assert found
    assert tuple(alert for alert, _ in told) == found
    for alert, image in told:
        peak = next(moment for moment in van.moments if moment.time_s == alert.peaked_s)
        assert np.array_equal(image, pictures[alert.peaked_s])
        assert (alert.score, alert.region) == (peak.score, peak.region)
        assert alert.started_s <= alert.told_s <= alert.ended_s


def test_progress_reaches_its_end(clips, setup):
    shares = []
    watch("quiet", str(clips[1]), setup, on_progress=shares.append)

    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, abs=0.1)


def test_live_watching_tells_of_an_alert_once_enough_scores_are_above():
    (alert,) = alerts(scored([0.0] * 20 + [3.0, 4.0, 3.0] + [0.0] * 100), POLICY, {"usual": 2.0})

    assert (alert.started_s, alert.told_s, alert.peaked_s, alert.ended_s) == (2.0, 2.2, 2.1, 2.3)
    assert (alert.score, alert.threshold) == (4.0, 2.0)


def test_the_end_of_a_video_ends_what_is_open():
    (alert,) = alerts(scored([0.0] * 20 + [3.0] * 10), POLICY, {"usual": 2.0})

    assert (alert.started_s, alert.ended_s) == (2.0, 2.9)


def test_a_threshold_is_as_fine_as_on_the_bus():
    """The worker sends four decimals, and so a score equal to them is not above the threshold."""
    video = scored([0.0] * 5 + [2.0] * 10)

    assert alerts(video, POLICY, {"usual": 1.99996}) == ()
    assert len(alerts(video, POLICY, {"usual": 1.9999})) == 1


def test_nothing_comes_of_a_video_without_pictures():
    assert alerts(scored([]), POLICY, {"usual": 1.0}) == ()


def test_a_score_that_is_no_number_is_not_passed_over(clips, setup):
    arrays = {name: np.full_like(array, np.nan) for name, array in setup.bundles[0].arrays.items() if "net." in name}
    broken = replace(setup.bundles[0], arrays={**setup.bundles[0].arrays, **arrays})

    with pytest.raises(ArithmeticError, match="quiet: at"):
        watch("quiet", str(clips[1]), replace(setup, bundles=(broken,)))
