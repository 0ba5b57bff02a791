"""Time of a training step (loss, its gradient, Adam) against the textbook's, which differentiates twice.

    python -m benchmarks.training [--threads 1] [--device cpu|cuda] [--json FILE]

Both start from the same weights; the largest difference between their gradients is shown relative to the largest
gradient. Times are the best of several rounds in which both take turns.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks import _textbook
from benchmarks._table import print_table
from benchmarks._timing import best_times_s
from detector.mulde import EnergyNet, Training, adam, dsm_loss

_BETA = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A network and the vectors of a step."""

    dims: int
    units: tuple[int, ...]
    batch: int
    rounds: int


SIZES = (
    Size(dims=1152, units=(4096, 4096), batch=256, rounds=6),
    Size(dims=256, units=(512, 512), batch=2048, rounds=30),
    Size(dims=64, units=(128, 128), batch=512, rounds=300),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One network's steps."""

    dims: int
    units: tuple[int, ...]
    batch: int
    textbook_ms: float
    ours_ms: float
    difference: float
    """Of the gradients, relative."""


def main() -> None:
    """Measure all sizes and print a table."""
    parser = argparse.ArgumentParser(description="Time of a training step.")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, help="write the results there as well")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    results = [measure(size, arguments.device) for size in SIZES]
    print(f"\n{arguments.device}, {arguments.threads} threads, torch {torch.__version__}")
    print_table(("network", "batch", "textbook", "ours", "ratio", "difference"), list(map(_row, results)))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")


def measure(size: Size, device: str) -> Result:
    """Both ways of making a step."""
    generator = torch.Generator().manual_seed(0)
    x, noise = (torch.randn(size.batch, size.dims, generator=generator).to(device) for _ in range(2))
    sigma = torch.exp(-6.9 * torch.rand(size.batch, 1, generator=generator)).to(device)
    training = Training(units=size.units, learning_rate=1e-5)
    net = EnergyNet(size.dims, size.units).to(device)
    textbook = _textbook.TextbookNet.like(net, size.units)

    def ours() -> Tensor:
        return dsm_loss(net, x, sigma, noise, _BETA)

    def theirs() -> Tensor:
        return _textbook.loss(textbook, x, sigma, noise, _BETA)

    difference = _difference(net, ours(), textbook, theirs())
    work = {
        "ours": _step(ours, adam(net, training)),
        "textbook": _step(theirs, _textbook.adam(textbook, training)),
    }
    times_s = best_times_s(work, size.rounds, device)
    return Result(
        dims=size.dims,
        units=size.units,
        batch=size.batch,
        textbook_ms=1e3 * times_s["textbook"],
        ours_ms=1e3 * times_s["ours"],
        difference=difference,
    )


def _step(loss: Callable[[], Tensor], optimiser: torch.optim.Optimizer) -> Callable[[], object]:
    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss().backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def _difference(net: EnergyNet, ours: Tensor, textbook: nn.Module, theirs: Tensor) -> float:
    """Largest difference between the gradients of the two losses, relative to the largest gradient."""
    first, column, *mine = torch.autograd.grad(
        ours, [net.first.weight, net.sigma_column, net.first.bias, *net.linears.parameters()]
    )
    pairs = zip(
        [torch.cat([first, column[:, None]], dim=1), *mine],
        torch.autograd.grad(theirs, list(textbook.parameters())),
        strict=True,
    )
    differences = [((one - other).abs().max(), other.abs().max()) for one, other in pairs]
    return max(float(difference) for difference, _ in differences) / max(float(size) for _, size in differences)


def _row(result: Result) -> tuple[str, ...]:
    return (
        f"{result.dims}: {' '.join(map(str, result.units))}",
        str(result.batch),
        f"{result.textbook_ms:.1f} ms",
        f"{result.ours_ms:.1f} ms",
        f"{result.textbook_ms / result.ours_ms:.2f}",
        f"{result.difference:.0e}",
    )


if __name__ == "__main__":
    main()
