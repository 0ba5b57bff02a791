"""How many vectors a second are scored at 16 noise scales, against the textbook's way, with the same trained weights.

    python -m benchmarks.scoring [--threads 1] [--device cpu|cuda] [--json FILE]

textbook   one scale after the other, the energy and by automatic differentiation its gradient, as the authors do
exact      the energy at every scale, all scales in one batch, the first layer once per vector
6 nodes    the energy at 6 Chebyshev nodes of σ, interpolated to the scales
3 nodes    the energy at 3 Gauss nodes of σ, enough for the mean over scales
half       as exact, in half precision (CUDA only)

An error is the largest difference to the textbook's score, in standard deviations of the score, for the aggregate
over scales that is named. Times are the best of several rounds in which all ways take turns.
"""

import argparse
import copy
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks import _textbook
from benchmarks._table import print_table
from benchmarks._timing import best_times_s, matmul_flops_per_s
from detector.mulde import EnergyNet, Training, energies, train
from detector.scales import Aggregate, AggregateKind, chebyshev_nodes, gauss_nodes, interpolation, sigma_grid

_LOW, _HIGH, _SCALES = 1e-3, 1.0, 16
_TEXTBOOK_BATCH = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A network to measure: the length of a vector, hidden units, vectors scored, and how it is taught beforehand."""

    dims: int
    units: tuple[int, ...]
    vectors: int
    batch: int
    steps: int
    rounds: int


SIZES = (
    Size(dims=1152, units=(4096, 4096), vectors=128, batch=128, steps=20, rounds=3),
    Size(dims=512, units=(1024, 1024), vectors=512, batch=256, steps=60, rounds=5),
    Size(dims=256, units=(512, 512), vectors=2048, batch=512, steps=100, rounds=5),
    Size(dims=64, units=(128, 128), vectors=2048, batch=512, steps=600, rounds=20),
    Size(dims=2, units=(256, 256), vectors=2048, batch=512, steps=600, rounds=10),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One way of scoring one network."""

    dims: int
    units: tuple[int, ...]
    way: str
    vectors_per_s: float
    ratio: float
    """To the textbook's."""
    matmul_share: float | None
    """Of the device's rate of matrix products, where the ways' own products are counted."""
    errors: dict[AggregateKind, float]


def main() -> None:
    """Measure all sizes and print a table."""
    parser = argparse.ArgumentParser(description="Vectors scored per second.")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, help="write the results there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results = [
        result for size in SIZES for result in measure(size, arguments.device, half=arguments.device == "cuda")
    ]
    print(f"\n{_SCALES} scales, {arguments.device}, {arguments.threads} threads, torch {torch.__version__}")
    print_table(
        ("network", "way", "vectors/s", "ratio", "of matmul", "error mean", "error max"), list(map(_row, results))
    )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


def measure(size: Size, device: str, *, half: bool) -> list[Result]:
    """All ways of scoring with one network, the textbook's first."""
    x = mixture(size.dims, max(4 * size.batch, size.vectors), seed=0).to(device)
    training = Training(units=size.units, batch_size=size.batch, steps=size.steps, learning_rate=1e-3)
    net = train(x, training, seed=0)
    textbook = _textbook.TextbookNet.like(net, size.units)
    x = x[: size.vectors]
    sigmas = sigma_grid(_LOW, _HIGH, _SCALES)
    normal = energies(net, x, sigmas).double().cpu().numpy()
    chebyshev = chebyshev_nodes(_LOW, _HIGH, 6)
    gauss = gauss_nodes(sigmas, list(1 / normal.std(axis=0)), 3)

    ways: dict[str, Callable[[], Tensor]] = {
        "textbook": lambda: _textbook.read(textbook, x, sigmas, _TEXTBOOK_BATCH)[0],
        "exact": lambda: energies(net, x, sigmas),
        "6 nodes": lambda: _interpolated(net, x, chebyshev, sigmas),
        "3 nodes": lambda: _interpolated(net, x, gauss, sigmas),
    }
    evaluations = {"exact": _SCALES, "6 nodes": 6, "3 nodes": 3}
    side = 8192 if device == "cuda" else 1024
    rates = dict.fromkeys(evaluations, matmul_flops_per_s(side, torch.float32, device))
    if half:
        small, narrow = copy.deepcopy(net).half(), x.half()
        ways["half"] = lambda: energies(small, narrow, sigmas)
        evaluations["half"], rates["half"] = _SCALES, matmul_flops_per_s(side, torch.float16, device)
    times_s = best_times_s(ways, size.rounds, device)
    reference = ways["textbook"]().double().cpu().numpy()
    results = []
    for way, score in ways.items():
        seen = score().double().cpu().numpy()
        kinds: tuple[AggregateKind, ...] = ("mean",) if way == "3 nodes" else ("mean", "max")
        share = None
        if way in evaluations:
            flops = operations(size, evaluations[way]) * size.vectors
            share = flops / times_s[way] / rates[way]
        results.append(
            Result(
                dims=size.dims,
                units=size.units,
                way=way,
                vectors_per_s=size.vectors / times_s[way],
                ratio=times_s["textbook"] / times_s[way],
                matmul_share=share,
                errors={kind: error(Aggregate.fit(kind, normal), seen, reference) for kind in kinds},
            )
        )
    return results


def mixture(dims: int, count: int, seed: int) -> Tensor:
    """Vectors of eight Gaussian clusters, standardised, (count, dims) float32."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(8, dims, generator=generator)
    chosen = torch.randint(8, (count,), generator=generator)
    x = centres[chosen] + 0.5 * torch.randn(count, dims, generator=generator)
    return (x - x.mean(dim=0)) / x.std(dim=0)


def operations(size: Size, evaluations: int) -> int:
    """Products and sums in the matrix products of one vector's energies."""
    between = sum(below * above for below, above in zip(size.units, (*size.units[1:], 1), strict=True))
    return 2 * (size.dims * size.units[0] + evaluations * between)


def error(aggregate: Aggregate, seen: npt.NDArray[np.float64], reference: npt.NDArray[np.float64]) -> float:
    """Largest difference of a score from the reference's, in standard deviations of the score."""
    expected = aggregate(reference)
    return float(np.abs(aggregate(seen) - expected).max() / expected.std())


def _interpolated(net: EnergyNet, x: Tensor, nodes: list[float], sigmas: list[float]) -> Tensor:
    matrix = torch.from_numpy(interpolation(nodes, sigmas)).to(x.device, x.dtype)
    return energies(net, x, nodes) @ matrix


def _row(result: Result) -> tuple[str, ...]:
    errors = [f"{result.errors[kind]:.1e}" if kind in result.errors else "" for kind in ("mean", "max")]
    share = "" if result.matmul_share is None else f"{result.matmul_share:.0%}"
    network = f"{result.dims}: {' '.join(map(str, result.units))}"
    return network, result.way, f"{result.vectors_per_s:,.0f}", f"{result.ratio:.1f}", share, *errors


if __name__ == "__main__":
    main()
