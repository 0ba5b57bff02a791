"""Times of things that do the same, taken in turn so that a busy machine is busy for all of them."""

import time
from collections.abc import Callable, Mapping

import torch


def best_times_s(work: Mapping[str, Callable[[], object]], rounds: int, device: str) -> dict[str, float]:
    """The shortest time of each over some rounds, after one that does not count, s.

    With one thread on the processor it is the thread's own time, which other programs disturb less; otherwise the
    clock on the wall.
    """
    clock_s = time.thread_time if device == "cpu" and torch.get_num_threads() == 1 else time.perf_counter
    best = dict.fromkeys(work, float("inf"))
    for number in range(rounds + 1):
        for name, do in work.items():
            start_s = clock_s()
            do()
            if device != "cpu":
                torch.cuda.synchronize(device)
            if number:
                best[name] = min(best[name], clock_s() - start_s)
    return best


def matmul_flops_per_s(side: int, dtype: torch.dtype, device: str) -> float:
    """Rate at which the device multiplies square matrices, operations (a product or a sum) a second."""
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / best_times_s({"product": lambda: a @ b}, 5, device)["product"]
