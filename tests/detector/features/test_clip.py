import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from detector.features import clip, clip_weights
from detector.features.clip import ClipNetwork
from detector.features.clip_weights import WIDTHS, ClipError, weights_path

NAME = "hiera_base_16x224"  # the smallest that sees video


@pytest.fixture(scope="module")
def hiera():
    try:
        return clip._package()
    except ClipError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def original(hiera):
    """The package's own network with random weights that let something through."""
    torch.manual_seed(0)
    return getattr(hiera, NAME)().eval()


@pytest.fixture(scope="module")
def weights(original, tmp_path_factory):
    path = weights_path(NAME, tmp_path_factory.mktemp("weights"))
    torch.save({"model_state": original.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def network(weights):
    return ClipNetwork(NAME, weights, "cpu")


@pytest.fixture(scope="module")
def seen(network):
    """Two clips and their vectors, seen together."""
    moving = np.zeros((2, 16, 224, 224, 3), np.uint8)
    for index in range(16):
        moving[0, index, 80:120, 10 * index : 10 * index + 40] = (250, 60, 10)  # BGR
        moving[1, index] = np.random.default_rng(index).integers(0, 256, (7, 7, 3)).repeat(32, 0).repeat(32, 1)
    return moving, network(moving)


def test_a_batch_of_clips_gives_a_vector_each(seen):
    _, vectors = seen

    assert vectors.dtype == np.float32
    assert vectors.shape == (2, WIDTHS[NAME])
    assert np.isfinite(vectors).all()
    assert np.abs(vectors[0] - vectors[1]).max() > 0.1


def test_the_vector_is_what_goes_into_the_classifier(original, seen):
    clips, vectors = seen
    rgb = clips[:1, ..., ::-1].transpose(0, 4, 1, 2, 3) / 255.0
    caught = []
    with original.norm.register_forward_hook(lambda _, __, output: caught.append(output)), torch.inference_mode():
        original(torch.from_numpy((rgb - 0.45) / 0.225).float())

    assert vectors[:1] == pytest.approx(caught[0].numpy(), abs=1e-3)


def test_the_order_of_pictures_matters_and_the_company_does_not(network, seen):
    clips, vectors = seen

    backwards = network(clips[:1, ::-1].copy())
    alone = network(clips[:1])

    assert alone == pytest.approx(vectors[:1], abs=1e-3)
    assert np.abs(backwards - vectors[:1]).max() > 0.01


def test_weights_of_any_form_make_the_same_network(original, network, tmp_path):
    save_file(original.state_dict(), tmp_path / "weights.safetensors")
    headless = {key: value for key, value in original.state_dict().items() if not key.startswith("head.")}
    torch.save(headless, tmp_path / "weights.pth")

    for form in ("safetensors", "pth"):
        again = ClipNetwork(NAME, tmp_path / f"weights.{form}", "cpu")
        for one, other in zip(again._network.parameters(), network._network.parameters(), strict=True):
            assert torch.equal(one, other)
        assert again.weights_sha256 != network.weights_sha256  # told apart by their files


def test_weights_of_another_network_are_refused(original, tmp_path):
    state = original.state_dict()
    for name, changed, why in (
        ("norm.weight", {}, "norm.weight is missing"),  # as in the self-supervised weights
        ("patch_embed.proj.bias", {"patch_embed.proj.bias": torch.ones(7)}, r"is \(7,\), not \(96,\)"),
    ):
        arrays = {key: value for key, value in state.items() if key != name} | changed
        save_file(arrays, tmp_path / "weights.safetensors")
        with pytest.raises(ClipError, match=why):
            ClipNetwork(NAME, tmp_path / "weights.safetensors", "cpu")


def test_the_package_knows_the_same_networks_at_the_same_address(hiera):
    for name in WIDTHS:
        official = getattr(hiera, name).checkpoints["mae_k400_ft_k400"]
        assert clip_weights._ADDRESS.format(name=name) == official


@pytest.mark.gpu
def test_the_gpu_sees_what_the_cpu_sees(weights, seen):
    clips, full = seen
    half = ClipNetwork(NAME, weights, "cuda")(clips)

    assert half.shape == full.shape
    assert np.abs(half - full).mean() < 0.01 * np.abs(full).mean()


def test_a_network_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(ClipError, match="hiera_huge_224: no such clip network"):
        ClipNetwork("hiera_huge_224", tmp_path / "weights.pth", "cpu")


def test_weights_that_are_not_there_are_asked_for(tmp_path):
    with pytest.raises(ClipError, match=r"weights\.pth: no such weights: fetch them first"):
        ClipNetwork(NAME, tmp_path / "weights.pth", "cpu")


def test_a_missing_package_is_named_with_the_way_out(tmp_path, monkeypatch):
    (tmp_path / "weights.pth").touch()
    monkeypatch.setitem(sys.modules, "hiera", None)

    with pytest.raises(ClipError, match=r"package hiera is missing: pip install 'mulde-stream\[hiera\]'"):
        ClipNetwork(NAME, tmp_path / "weights.pth", "cpu")


def test_a_torchvision_for_another_torch_is_told_from_a_missing_package(tmp_path, monkeypatch):
    """torchvision from PyPI beside a CPU build of torch: it is installed, but fails with a RuntimeError on import."""
    (tmp_path / "weights.pth").touch()
    (tmp_path / "hiera.py").write_text("raise RuntimeError('operator torchvision::nms\\ndoes not exist')")
    monkeypatch.delitem(sys.modules, "hiera", raising=False)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ClipError, match=r"does not fit torch .*\(operator torchvision::nms does not exist\)"):
        ClipNetwork(NAME, tmp_path / "weights.pth", "cpu")
