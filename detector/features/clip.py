"""Clip family: what happens in the whole picture in two seconds, as an action-recognition network sees it.

The frame-centric features of the paper: Hiera (Ryali et al., ICML 2023, arXiv 2306.00989) taught on Kinetics-400,
its mean over all tokens, normalised, as it goes into the classifier. Optional: code from the package
hiera-transformer (Apache 2.0, extra `hiera`), weights from a file the user fetched (CC BY-NC 4.0, not for commercial
use). Nothing is downloaded here.
"""

import importlib
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from detector.features.clip_weights import WIDTHS, ClipError, check_name, fingerprint, read

# (x / 255 - 0.45) / 0.225, the preprocessing of Kinetics-400, with one scale and one shift.
_SCALE, _SHIFT = 1.0 / (255.0 * 0.225), 0.45 / 0.225


class ClipNetwork:
    """Turns clips into vectors: on a GPU in half precision, on a CPU in full.

    Args:
        name: One of WIDTHS.
        weights: File that `clip_weights.fetch` made, or one with the same arrays.
        device: "cpu" or "cuda".

    Raises:
        ClipError: A package is missing, or the file is, or it is damaged or of another network.
    """

    def __init__(self, name: str, weights: Path, device: str) -> None:
        check_name(name)
        self.name = name
        self.width = WIDTHS[name]
        self.weights_sha256 = fingerprint(weights)
        network: nn.Module = getattr(_package(), name)()
        network.head = nn.Identity()  # the vector that would go into the classifier
        _load(network, read(weights), f"{weights}: not weights of {name} taught on Kinetics-400")
        self._network = network.eval().requires_grad_(False).to(device, torch.half if device == "cuda" else None)

    @torch.inference_mode()
    def __call__(self, clips: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """One vector per clip for the whole picture.

        Args:
            clips: (B, 16, 224, 224, 3) BGR, B ≥ 1, the oldest picture first.

        Returns:
            (B, width).
        """
        weight = next(self._network.parameters())
        pixels = torch.from_numpy(clips).to(weight.device)
        x = pixels.flip(-1).permute(0, 4, 1, 2, 3).to(weight.dtype)  # (B, 3, 16, 224, 224) RGB
        vectors: Tensor = self._network(x.mul_(_SCALE).sub_(_SHIFT))  # (B, width)
        result: npt.NDArray[np.float32] = vectors.float().cpu().numpy()
        return result


def _package() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports a part of timm by its old name
            return importlib.import_module("hiera")
    except ImportError as error:
        missing = error.name or str(error)
        raise ClipError(
            f"clip network: the package {missing} is missing: pip install 'mulde-stream[hiera]'"
        ) from error
    except (RuntimeError, OSError) as error:  # torchvision, when it was built for another torch
        why = " ".join(str(error).split())
        raise ClipError(
            f"clip network: torchvision {_version('torchvision')} does not fit torch {torch.__version__} ({why}): "
            "install both from the same index, for a CPU https://download.pytorch.org/whl/cpu"
        ) from error


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(missing)"


def _load(network: nn.Module, arrays: dict[str, Tensor], otherwise: str) -> None:
    """Fill the network with arrays; those of a classifier are left out.

    Raises:
        ClipError: They are not this network's; begins with `otherwise`.
    """
    wanted = network.state_dict()
    given = {name: array for name, array in arrays.items() if not name.startswith("head.")}
    for name in wanted:
        if name not in given:
            raise ClipError(f"{otherwise}: {name} is missing: give the file of that network, or fetch it")
        if given[name].shape != wanted[name].shape:
            shapes = f"{tuple(given[name].shape)}, not {tuple(wanted[name].shape)}"
            raise ClipError(f"{otherwise}: {name} is {shapes}: give the file of that network, or fetch it")
    network.load_state_dict({name: given[name] for name in wanted})
