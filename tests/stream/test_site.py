from dataclasses import replace

import pytest

from configs.schema import Config, ConfigError, load, validate
from configs.settings import CameraSettings, StoreSettings
from detector import bundle
from detector.bundle import BundleError, ClipPreparation
from stream import site
from stream.source import SourceError
from stream.store import StoreError
from tests import program
from tests.clips import make_clip


def config(tmp_path, *cameras):
    """A site with its store in the test's own folder."""
    made = validate({"cameras": list(cameras)}, "test")
    return made.model_copy(update={"store": StoreSettings(folder=tmp_path / "store")})


def camera(street, **changes):
    return {"name": "gate", "source": street.normal, "model": street.model, **changes}


def refused(tmp_path, *cameras):
    """Why a site is not watched."""
    with pytest.raises((BundleError, ConfigError, SourceError, StoreError)) as caught:
        site.watch(config(tmp_path, *cameras), show="log", seconds=0.0)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_site_without_cameras_is_refused():
    with pytest.raises(ConfigError, match="no cameras: name a source, or a site file"):
        site.watch(Config(), show="log")


def test_a_camera_without_a_model_is_refused_with_the_way_to_one_and_without_its_password(tmp_path):
    said = refused(tmp_path, {"name": "gate", "source": "rtsp://me:s3cret-word@host/stream"})
    assert said.startswith("camera gate: has no model: make one with `calibrate rtsp://me:***@host/stream --model")


def test_every_camera_needs_its_own_model(tmp_path, street):
    assert refused(tmp_path, camera(street), camera(street, name="yard", model=None)).startswith(
        "camera yard: has no"
    )


@pytest.mark.parametrize(
    ("section", "setting", "value", "made_with"),
    [
        ("analysis", "rate_fps", 5.0, "3"),
        ("analysis", "long_side_px", 640, "320"),
        ("policy", "smoothing_s", 1.5, "0.2"),
    ],
)
def test_a_setting_that_contradicts_the_model_is_refused_by_its_name(
    tmp_path, street, section, setting, value, made_with
):
    said = refused(tmp_path, camera(street, **{section: {setting: value}}))
    assert f"{street.model}, camera gate: the model does not fit the settings: {setting} {value}" in said
    assert f"calibrated with {made_with}" in said


def test_settings_of_the_calibration_itself_are_no_contradiction(street):
    made = load(street.config)
    assert made.analysis.model_fields_set == {"rate_fps", "long_side_px"}
    fitting = CameraSettings(name="gate", source=street.normal, model=street.model, analysis=made.analysis)
    assert site._model(fitting).preparation.rate_fps == 3.0


def with_clips(tmp_path, street):
    """The street's model as if it had been calibrated with clips, and with a mask."""
    made = bundle.read(street.model)
    clip = ClipPreparation(network="hiera_base_16x224", weights_sha256="ab" * 32, stride_s=0.5)
    mask = (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0)),)
    model = tmp_path / "clips.mulde"
    bundle.write(replace(made, preparation=replace(made.preparation, clip=clip, mask=mask)), model)
    return model


@pytest.mark.parametrize(
    ("analysis", "why"),
    [
        ({}, "analysis.clip.network null, calibrated with hiera_base_16x224: name that one, or calibrate again"),
        (
            {"clip": {"network": "hiera_large_16x224", "weights": "a.pth"}},
            "analysis.clip.network hiera_large_16x224, calibrated with hiera_base_16x224",
        ),
        (
            {"clip": {"network": "hiera_base_16x224", "weights": "a.pth", "stride_s": 2.0}},
            "analysis.clip.stride_s 2, calibrated with 0.5: calibrate again",
        ),
        (
            {"clip": {"network": "hiera_base_16x224", "weights": "a.pth"}, "mask": []},
            "mask (), calibrated with (((0.0",
        ),
    ],
)
def test_other_clips_than_the_model_s_are_refused(tmp_path, street, analysis, why):
    model = with_clips(tmp_path, street)

    said = refused(tmp_path, camera(street, model=model, analysis=analysis))

    assert f"{model}, camera gate: the model does not fit the settings: {why}" in said


def test_clips_that_the_model_does_not_know_are_refused(tmp_path, street):
    clip = {"network": "hiera_base_16x224", "weights": "a.pth"}
    said = refused(tmp_path, camera(street, analysis={"clip": clip}))
    assert "analysis.clip.network hiera_base_16x224, calibrated with null" in said


def test_clips_as_calibrated_are_no_contradiction(tmp_path, street):
    clip = {"network": "hiera_base_16x224", "weights": tmp_path / "a.pth"}
    (fitting,) = config(tmp_path, camera(street, model=with_clips(tmp_path, street), analysis={"clip": clip})).cameras
    assert site._model(fitting).preparation.clip.stride_s == 0.5


def test_a_model_that_is_not_there_or_cut_off_is_refused(tmp_path, street):
    assert "no such model" in refused(tmp_path, camera(street, model=tmp_path / "none.mulde"))
    cut = tmp_path / "cut.mulde"
    cut.write_bytes(street.model.read_bytes()[:100_000])
    assert f"{cut}: not a model, or cut off" in refused(tmp_path, camera(street, model=cut))


def test_a_file_or_scene_that_cannot_be_opened_is_told_before_anything_starts(tmp_path, street):
    """They once cost five restarts and 20 s, each restart with a line in the log."""
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    assert (
        refused(tmp_path, camera(street, source=str(tmp_path / "none.mp4"))) == f"{tmp_path}/none.mp4: no such file"
    )
    assert refused(tmp_path, camera(street, source=str(text))).startswith(f"{text}: not a video that can be read")
    assert "there is no scene 'stret'" in refused(tmp_path, camera(street, source="demo://stret"))
    assert not (tmp_path / "store").exists()


def test_a_store_whose_folder_is_a_file_is_refused(tmp_path, street):
    (tmp_path / "store").write_text("")
    assert str(tmp_path / "store") in refused(tmp_path, camera(street))


def test_a_recording_is_watched_to_its_end_and_nothing_is_left(tmp_path, street):
    clip = make_clip(tmp_path / "clip.mp4", frames=50, size=(320, 180))
    arguments = (
        "watch",
        clip,
        "--model",
        street.model,
        "--config",
        street.config,
        "--json",
        "--store",
        tmp_path / "s",
    )
    with program.Program(tmp_path / "run", *arguments) as watching:
        watching.wait_for_score()
        watching.remember_memory()
        assert watching.memory
        assert list((tmp_path / "run" / "tmp").glob(program.SOCKETS)) != []
        assert watching.end(within_s=20.0) == 0
        scores, cameras = watching.objects("score"), watching.objects("camera")
    assert [one["seq"] for one in scores] == list(range(6))  # 2 s at 3 a second, the last one drained
    assert cameras[-1]["state"] == "ended"
    assert "stopping: all sources are over" in watching.stderr
    assert "WARNING" not in watching.stderr
