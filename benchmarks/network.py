"""How many pictures a second go through the image network, as live and in plain torch.

    python -m benchmarks.network [--threads 1] [--device cpu|cuda] [--json FILE]

Live is ONNX Runtime on a processor, torch in half precision on a GPU. Same weights, same inner layers; the error is
the largest difference of a layer's value, in standard deviations. Times are the best of several rounds in which both
take turns.

On Linux much of plain torch's time is the system's, which hands it fresh memory for every layer. To see it without,
set MALLOC_MMAP_MAX_=0 and MALLOC_TRIM_THRESHOLD_=8589934592 in the environment.
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
    live_per_s: float
    error: float

    @property
    def ratio(self) -> float:
        """How much faster live is."""
        return self.live_per_s / self.torch_per_s


def main() -> None:
    """Measure all sizes and print a table."""
    parser = argparse.ArgumentParser(description="Pictures a second through the image network.")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, help="write the results there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results = [
        measure(size, batch, arguments.device, arguments.threads, _ROUNDS) for size in _SIZES for batch in _BATCHES
    ]
    print(f"\n{arguments.device}, {arguments.threads} threads, torch {torch.__version__}")
    print_table(("picture", "batch", "torch /s", "live /s", "ratio", "error"), list(map(_row, results)))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


def measure(size: tuple[int, int], batch: int, device: str, threads: int, rounds: int) -> Result:
    """Both on random pictures of this (width, height)."""
    width, height = size
    images = np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), np.uint8)
    layers, network = InnerLayers().to(device), Network(device, threads)
    pixels = torch.from_numpy(images)

    @torch.inference_mode()
    def plain() -> tuple[torch.Tensor, torch.Tensor]:
        fine, coarse = layers(pixels.to(device))
        return fine.cpu(), coarse.cpu()

    times_s = best_times_s({"torch": plain, "live": lambda: network(images)}, rounds, device)
    pairs = zip(plain(), network(images), strict=True)
    errors = [float(np.abs(one.numpy() - other).max() / other.std()) for one, other in pairs]
    return Result(
        width=width,
        height=height,
        batch=batch,
        torch_per_s=batch / times_s["torch"],
        live_per_s=batch / times_s["live"],
        error=max(errors),
    )


def _row(result: Result) -> tuple[str, ...]:
    return (
        f"{result.width}×{result.height}",
        f"{result.batch}",
        f"{result.torch_per_s:.1f}",
        f"{result.live_per_s:.1f}",
        f"{result.ratio:.1f}",
        f"{result.error:.0e}",
    )


if __name__ == "__main__":
    main()
