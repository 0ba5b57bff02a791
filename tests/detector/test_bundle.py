import json
import resource
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from detector.bundle import (
    Budget,
    Bundle,
    BundleError,
    ClipPreparation,
    Preparation,
    Provenance,
    check_settings,
    check_target,
    put,
    read,
    read_all,
    write,
)

MODEL = Bundle(
    preparation=Preparation(
        width=640,
        height=352,
        rate_fps=5.0,
        smoothing_s=0.4,
        mask=(((0.0, 0.0), (0.25, 0.0), (0.1, 0.3)), ((0.5, 0.5), (1.0, 0.5), (1.0, 1.0))),
    ),
    provenance=Provenance(
        code_version="0.1.0",
        created_utc="2026-01-31T12:00:00Z",
        footage=("rtsp://gate/stream", "/videos/a b é.mp4"),
        footage_fingerprint="ab12",
        footage_s=600.2,
        seed=3,
    ),
    budget=Budget(alerts_per_day=0.5, threshold=4.25, low=3.5, high=5.0),
    others=(Budget(alerts_per_day=24.0, threshold=3.0, low=2.5, high=3.5),),
    families=({"name": "motion", "components": 0, "training": {"units": [8, 8]}},),
    arrays={
        "scene.background": np.arange(6, dtype=np.float32).reshape(2, 3),
        "motion.mean": np.array([0.1, 1e-300]),
        "motion.net.first.weight": np.ones((4, 2), np.float32)[:, ::-1],
    },
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "gate.mulde"


def with_header(path, header):
    """A safetensors file that says this about itself."""
    save_file({"a": np.zeros(2, np.float32)}, path, metadata=header)
    return path


def own_header(path):
    write(MODEL, path)
    length = int.from_bytes(path.read_bytes()[:8], "little")
    return json.loads(json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"]["mulde-stream"])


def test_what_is_written_is_read(path):
    write(MODEL, path)

    restored = read(path)

    assert replace(restored, arrays={}) == replace(MODEL, arrays={})
    assert restored.arrays.keys() == MODEL.arrays.keys()
    for name, array in MODEL.arrays.items():
        assert restored.arrays[name].dtype == array.dtype
        assert np.array_equal(restored.arrays[name], array)


def test_the_clip_network_is_read_as_written(path):
    clip = ClipPreparation(network="hiera_base_16x224", weights_sha256="ab" * 32, stride_s=0.5)
    preparation = replace(MODEL.preparation, clip=clip)

    write(replace(MODEL, preparation=preparation), path)

    assert read(path).preparation == preparation


def test_the_same_model_is_the_same_file(path, tmp_path):
    write(MODEL, path)
    write(read(path), tmp_path / "again.mulde")

    assert (tmp_path / "again.mulde").read_bytes() == path.read_bytes()


def test_folders_are_made_and_nothing_else_is_left_in_them(tmp_path):
    path = tmp_path / "models" / "north" / "gate.mulde"

    write(MODEL, path)
    write(MODEL, path)

    assert [item.name for item in path.parent.iterdir()] == ["gate.mulde"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_missing_file_is_told_with_the_way_out(path):
    with pytest.raises(BundleError, match=rf"{path}: no such model: make one with `calibrate"):
        read(path)


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(BundleError, match="no such model"):
        read(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(path, share):
    write(MODEL, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])

    with pytest.raises(BundleError, match=rf"{path}: not a model, or cut off .*: calibrate again"):
        read(path)


def test_a_text_file_is_refused(path):
    path.write_text("capture:\n  fps: 5\n" * 100)

    with pytest.raises(BundleError, match="not a model"):
        read(path)


@pytest.mark.parametrize("header", [None, {"format": "pt"}])
def test_arrays_of_another_program_are_refused(path, header):
    with pytest.raises(BundleError, match="no model of this program"):
        read(with_header(path, header))


def test_a_file_of_another_format_is_refused_with_both_numbers(path):
    header = {**own_header(path), "format": 1}

    with pytest.raises(BundleError, match=r"has format 1, this program reads 4: .*change the program's version"):
        read(with_header(path, {"mulde-stream": json.dumps(header)}))


@pytest.mark.parametrize(
    "damage",
    [
        lambda regime: {key: value for key, value in regime.items() if key != "budget"},
        lambda regime: regime | {"budget": "high"},
        lambda regime: regime | {"preparation": regime["preparation"] | {"colour": "red"}},
        lambda regime: regime | {"budget": [1.0]},
        lambda regime: regime | {"preparation": regime["preparation"] | {"clip": {"stride_s": 1.0}}},
    ],
)
def test_a_damaged_header_is_refused(path, damage):
    header = own_header(path)
    damaged = header | {"regimes": [damage(one) for one in header["regimes"]]}

    with pytest.raises(BundleError, match=rf"{path}: its header is damaged .*: calibrate again"):
        read(with_header(path, {"mulde-stream": json.dumps(damaged)}))


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 4}', '{"format": 4, "regimes": [3]}'])
def test_what_is_no_header_is_refused(path, text):
    with pytest.raises(BundleError, match=rf"{path}: its header is damaged .*: calibrate again"):
        read(with_header(path, {"mulde-stream": text}))


def test_a_file_without_any_regime_is_refused(path):
    with pytest.raises(BundleError, match=rf"{path}: holds no regime: calibrate again"):
        read(with_header(path, {"mulde-stream": '{"format": 4, "regimes": []}'}))


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(BundleError, match=r"cannot be written: .*: the old file, if any, is unchanged"):
        write(MODEL, tmp_path / "file" / "gate.mulde")


def test_a_folder_in_the_place_of_the_file_is_told_and_left_alone(tmp_path):
    (tmp_path / "gate.mulde").mkdir()

    with pytest.raises(BundleError, match="cannot be written"):
        write(MODEL, tmp_path / "gate.mulde")

    assert [item.name for item in tmp_path.iterdir()] == ["gate.mulde"]


@contextmanager
def files_no_longer_than(size):
    """As if the disk were full: the kernel writes no byte further."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_breaks_off_leaves_the_old_file(path):
    write(MODEL, path)
    old = path.read_bytes()

    with files_no_longer_than(len(old) // 2), pytest.raises(BundleError, match="cannot be written"):
        write(replace(MODEL, budget=replace(MODEL.budget, threshold=9.0)), path)

    assert path.read_bytes() == old
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_settings_as_calibrated_pass():
    check_settings(
        MODEL, {"width": 640, "height": 352, "rate_fps": 5.0, "mask": MODEL.preparation.mask}, "camera gate"
    )


def test_every_setting_that_differs_is_named():
    with pytest.raises(BundleError) as caught:
        check_settings(MODEL, {"width": 320, "height": 352, "rate_fps": 10.0}, "camera gate")

    assert str(caught.value) == (
        "camera gate: the model does not fit the settings: width 320, calibrated with 640; "
        "rate_fps 10.0, calibrated with 5.0: calibrate again"
    )


def test_reading_needs_no_torch(path):
    write(MODEL, path)
    program = (
        "import sys, pathlib, detector.bundle as bundle; "
        f"model = bundle.read(pathlib.Path({str(path)!r})); "
        "heavy = ('torch', 'onnxruntime', 'sklearn', 'cv2'); "
        "print(model.budget.threshold, [name for name in heavy if name in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert said.stdout.strip() == "4.25 []"


NIGHT = replace(MODEL, regime="night", arrays={"scene.background": np.ones((2, 3), np.float32)})


def test_a_regime_is_added_beside_the_others_and_renewed_in_its_place(path):
    put(MODEL, path)
    put(NIGHT, path)
    put(replace(MODEL, budget=Budget(alerts_per_day=1.0, threshold=9.0, low=8.0, high=10.0)), path)

    assert [one.regime for one in read_all(path)] == ["usual", "night"]
    assert read(path, "usual").budget.threshold == 9.0
    assert read(path, "usual").arrays.keys() == MODEL.arrays.keys()
    assert np.array_equal(read(path, "night").arrays["scene.background"], NIGHT.arrays["scene.background"])


def test_a_regime_that_prepares_pictures_otherwise_is_refused_and_the_file_stays(path):
    write(MODEL, path)
    before = path.read_bytes()

    with pytest.raises(BundleError, match=r"regime night: .* rate_fps 9\.0, calibrated with 5\.0"):
        put(replace(NIGHT, preparation=replace(MODEL.preparation, rate_fps=9.0)), path)
    assert path.read_bytes() == before


def test_one_of_several_regimes_must_be_named(path):
    write(MODEL, path)
    put(NIGHT, path)

    with pytest.raises(BundleError, match=r"holds several regimes \(usual, night\): name one with --regime"):
        read(path)
    with pytest.raises(BundleError, match=r"has no regime dusk; it has: usual, night"):
        read(path, "dusk")


def test_calibrating_anew_is_refused_where_regimes_would_be_lost(path):
    check_target(path, None)
    write(MODEL, path)
    check_target(path, None)
    check_target(path, "night")
    put(NIGHT, path)
    with pytest.raises(BundleError, match=r"holds usual, night: say with --regime which one"):
        check_target(path, None)
    with pytest.raises(BundleError, match=r"regime 'a/b': a name has"):
        check_target(path, "a/b")
    path.write_bytes(b"no model")
    check_target(path, None)  # to be written over
    with pytest.raises(BundleError, match="not a model"):
        check_target(path, "night")
