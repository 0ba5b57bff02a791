import tempfile

import numpy as np
import pytest
import torch

from detector.features import network
from detector.features.network import COARSE_CHANNELS, FINE_CHANNELS, Network


@pytest.fixture(scope="module")
def cpu():
    return Network("cpu", 1)


@pytest.fixture(scope="module")
def eager():
    return network.InnerLayers()


def pictures(count, height, width, seed=0):
    """Soft colours with sharp edges in them."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (count, height // 8, width // 8, 3)).astype(np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, 1).repeat(8, 2))


@pytest.mark.parametrize(("count", "height", "width"), [(1, 64, 96), (3, 176, 320), (2, 16, 16), (5, 96, 64)])
def test_a_batch_of_any_size_gives_a_vector_per_cell(cpu, count, height, width):
    fine, coarse = cpu(pictures(count, height, width))

    assert fine.dtype == coarse.dtype == np.float32
    assert fine.shape == (count, FINE_CHANNELS, height // 16, width // 16)
    assert coarse.shape == (count, COARSE_CHANNELS, height // 16, width // 16)


def test_the_exported_network_is_the_network(cpu, eager):
    images = pictures(3, 96, 160)

    with torch.inference_mode():
        expected = eager(torch.from_numpy(images))

    for got, wanted in zip(cpu(images), expected, strict=True):
        assert got == pytest.approx(wanted.numpy(), abs=1e-3)
        assert np.ptp(got) > 1.0


def test_a_picture_is_seen_alike_alone_and_in_a_batch(cpu):
    images = pictures(4, 64, 96)

    for together, alone in zip(cpu(images), cpu(images[2:3]), strict=True):
        assert together[2] == pytest.approx(alone[0], abs=1e-3)


def test_what_is_far_away_does_not_change_a_cell(cpu):
    images = pictures(2, 64, 960)
    images[1] = images[0]
    images[1, :, :32] = 255

    for layer in cpu(images):
        assert np.abs(layer[0, :, :, :2] - layer[1, :, :, :2]).max() > 0.1
        assert layer[0, :, :, 40:] == pytest.approx(layer[1, :, :, 40:], abs=1e-4)


def test_the_fine_layer_sees_only_the_neighbourhood(cpu):
    images = pictures(2, 64, 320)
    images[1] = images[0]
    images[1, :, :32] = 255

    fine, _ = cpu(images)

    assert fine[0, :, :, 8:] == pytest.approx(fine[1, :, :, 8:], abs=1e-4)


def test_the_network_sees_red_green_and_blue_as_in_its_training(cpu, eager):
    images = pictures(1, 64, 96)
    rgb = np.ascontiguousarray(images[..., ::-1].transpose(0, 3, 1, 2)).astype(np.float32)

    with torch.inference_mode():
        x = eager.stem(torch.from_numpy((rgb - 127) / 128))
        for part in eager.blocks:
            x = part(x)

    _, coarse = cpu(images)
    assert coarse == pytest.approx(x.numpy(), abs=1e-3)


@pytest.fixture
def exports(monkeypatch, tmp_path):
    """Paths that were exported to, and an empty cache folder to do it in."""
    made = []

    def export(path):
        made.append(path)
        path.write_bytes(b"network")

    monkeypatch.setattr(network, "_export", export)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return made


def test_the_network_is_exported_once_for_each_machine(exports, tmp_path):
    first, again = network._onnx_file(), network._onnx_file()

    assert first == again
    assert first.read_bytes() == b"network"
    assert len(exports) == 1
    assert list((tmp_path / "cache" / "mulde-stream").iterdir()) == [first]


def test_without_a_cache_folder_the_network_is_kept_for_this_run(exports, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("in the way")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    path = network._onnx_file()

    assert path.parent.parent == tmp_path  # in a folder that only this user may enter
    assert path.parent.stat().st_mode & 0o077 == 0
    assert path.read_bytes() == b"network"


@pytest.mark.gpu
def test_the_gpu_sees_what_the_cpu_sees(cpu):
    images = pictures(2, 96, 160)

    for half, full in zip(Network("cuda", 1)(images), cpu(images), strict=True):
        assert half.shape == full.shape
        assert np.abs(half - full).mean() < 0.02 * np.abs(full).mean() + 0.01
