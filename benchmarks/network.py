"""How many pictures a second go through the image network, in ONNX Runtime as live and in plain torch.

    python -m benchmarks.network [--threads 1] [--json FILE]

Same weights, same inner layers; the error is the largest difference of a layer's value, in standard deviations. Times
are the best of several rounds in which both take turns.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks._table import print_table
from benchmarks._timing import best_times_s
from detector.features.network import InnerLayers, Network

_SIZES = ((360, 240), (640, 352))
_BATCHES = (1, 8)
_ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One size of picture and batch."""

    width: int
    height: int
    batch: int
    torch_per_s: float
    onnx_per_s: float
    error: float

    @property
    def ratio(self) -> float:
        """How much faster ONNX Runtime is."""
        return self.onnx_per_s / self.torch_per_s


def main() -> None:
    """Measure all sizes and print a table."""
    parser = argparse.ArgumentParser(description="Pictures a second through the image network.")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--json", type=Path, help="write the results there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results = [measure(size, batch, arguments.threads, _ROUNDS) for size in _SIZES for batch in _BATCHES]
    print_table(("picture", "batch", "torch /s", "ONNX Runtime /s", "ratio", "error"), list(map(_row, results)))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


def measure(size: tuple[int, int], batch: int, threads: int, rounds: int) -> Result:
    """Both on random pictures of this (width, height)."""
    width, height = size
    images = np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), np.uint8)
    layers, network = InnerLayers(), Network("cpu", threads)
    pixels = torch.from_numpy(images)

    @torch.inference_mode()
    def plain() -> tuple[torch.Tensor, torch.Tensor]:
        fine, coarse = layers(pixels)
        return fine, coarse

    times_s = best_times_s({"torch": plain, "onnx": lambda: network(images)}, rounds, "cpu")
    pairs = zip(plain(), network(images), strict=True)
    errors = [float(np.abs(one.numpy() - other).max() / other.std()) for one, other in pairs]
    return Result(
        width=width,
        height=height,
        batch=batch,
        torch_per_s=batch / times_s["torch"],
        onnx_per_s=batch / times_s["onnx"],
        error=max(errors),
    )


def _row(result: Result) -> tuple[str, ...]:
    return (
        f"{result.width}×{result.height}",
        f"{result.batch}",
        f"{result.torch_per_s:.1f}",
        f"{result.onnx_per_s:.1f}",
        f"{result.ratio:.1f}",
        f"{result.error:.0e}",
    )


if __name__ == "__main__":
    main()
