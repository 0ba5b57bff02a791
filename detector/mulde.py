"""MULDE: an energy network over feature vectors and noise scales, taught by denoising score matching.

Source: Micorek, Possegger, Narnhofer, Bischof, Kozinski: "MULDE: Multiscale Log-Density Estimation via Denoising
Score Matching for Video Anomaly Detection", CVPR 2024, arXiv 2403.14497. Written from the paper's mathematics.

The energy f(x, σ) is the *negative* log-density of the data blurred with σ, up to a constant: higher = less normal.
Departures, which change no result: the gradient is written out (see `detector.energy`), and at test time the first
layer is computed once per vector instead of once per scale.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from detector.energy import EnergyNet as EnergyNet

_ROWS_AT_ONCE = 1024  # vectors × scales: enough for matrix products at full speed, and near a core's cache
_ROWS_AT_ONCE_CUDA = 16384
_STEPS_BETWEEN_CHECKS = 50  # to ask for the loss is to wait for the device


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How an energy network is built and taught. Defaults follow the paper where it names a value."""

    units: tuple[int, ...] = (4096, 4096)
    layer_norm: bool = False
    dropout: float = 0.0
    sigma_low: float = 1e-3
    """Smallest noise scale, in standard deviations of the features."""
    sigma_high: float = 1.0
    beta: float = 0.1
    """Weight of the regulariser ½ f², which puts the energies of all scales on one level."""
    learning_rate: float = 5e-4
    batch_size: int = 2048
    steps: int = 1000
    decay: Literal["constant", "cosine", "step"] = "constant"
    """Of the learning rate: none, along a cosine to zero, or by `decay_factor` every `decay_steps`."""
    decay_factor: float = 0.9
    decay_steps: int = 250
    gradient_clip: float | None = None
    """Bound on each element of the gradient."""


def dsm_loss(
    net: EnergyNet, x: Tensor, sigma: Tensor, noise: Tensor, beta: float, generator: torch.Generator | None = None
) -> Tensor:
    """Denoising score matching with one noise scale per sample, weighted by σ², plus the paper's regulariser.

    Teaches the energy's downhill direction to lead from a noised vector back to the clean one:
    ½ E ‖σ·(−∇f(x + σn, σ)) + n‖² + (β/2) E f(x, σ)².

    Args:
        x: Standardised features, (B, D).
        sigma: Noise scales, (B, 1), in units of x, > 0.
        noise: Standard normal n, (B, D).
        beta: Weight of the regulariser, which is taken at the clean x.
        generator: Draws the dropout, if the network has any; without one nothing drops out.

    Returns:
        Mean over the batch, a scalar with gradient.
    """
    gradient = net.gradient(x + sigma * noise, sigma, generator)  # (B, D)
    matching: Tensor = 0.5 * (noise - sigma * gradient).square().sum(dim=1).mean()
    if beta == 0:
        return matching
    regulariser: Tensor = 0.5 * beta * net(x, sigma, generator).square().mean()
    return matching + regulariser


def adam(net: EnergyNet, training: Training) -> torch.optim.Adam:
    """The optimiser of the paper; fused, it passes over the weights once."""
    return torch.optim.Adam(net.parameters(), lr=training.learning_rate, betas=(0.5, 0.9), fused=True)


def train(
    x: Tensor,
    training: Training,
    *,
    seed: int,
    on_step: Callable[[int, Tensor, EnergyNet], None] | None = None,
) -> EnergyNet:
    """An energy network taught on standardised vectors.

    Args:
        x: (N, D) float32 on the device to train on; zero mean and unit deviation per component.
        training: Network and optimisation.
        seed: Same seed, data and machine give the same weights, whatever else draws random numbers meanwhile.
        on_step: Called after each step with the number of steps done, that step's loss (a detached scalar on x's
            device) and the network, which it may read but not change.

    Returns:
        The network in evaluation mode, on x's device.

    Raises:
        ValueError: There are no vectors, or the loss is not finite, which is noticed within 50 steps.
    """
    if not len(x):
        raise ValueError("no feature vectors to learn from")
    net = EnergyNet(
        x.shape[1],
        training.units,
        layer_norm=training.layer_norm,
        dropout=training.dropout,
        generator=torch.Generator().manual_seed(seed),
    ).to(x.device)
    generator = torch.Generator(device=x.device).manual_seed(seed)
    optimiser = adam(net, training)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda done: rate_factor(training, done))
    low, high = math.log(training.sigma_low), math.log(training.sigma_high)
    batch = min(training.batch_size, len(x))
    order = torch.empty(0)
    for step in range(1, training.steps + 1):
        if len(order) < batch:
            order = torch.randperm(len(x), generator=generator, device=x.device)
        clean, order = x[order[:batch]], order[batch:]  # (B, D)
        uniform = torch.rand(batch, 1, generator=generator, device=x.device)
        sigma = torch.exp(low + (high - low) * uniform)  # log-uniform, (B, 1)
        noise = torch.randn(clean.shape, generator=generator, device=x.device)
        loss = dsm_loss(net, clean, sigma, noise, training.beta, generator)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if training.gradient_clip is not None:
            nn.utils.clip_grad_value_(net.parameters(), training.gradient_clip)
        optimiser.step()
        schedule.step()
        loss = loss.detach()
        to_check = step % _STEPS_BETWEEN_CHECKS == 0 or step == training.steps
        if to_check and not math.isfinite(float(loss)):
            raise ValueError(f"training diverged: the loss is not finite at step {step}; lower the learning rate")
        if on_step is not None:
            on_step(step, loss, net)
    return net.eval()


@torch.inference_mode()
def energies(net: EnergyNet, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Energies of clean vectors at every scale.

    Args:
        x: Standardised, (N, D).
        sigmas: The L scales.

    Returns:
        (N, L), on x's device.
    """
    return _at_every_scale(net, x, sigmas, net.above)


@torch.inference_mode()
def score_norms(net: EnergyNet, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Squared length of the energy's gradient ‖∇ₓ f(x, σ)‖² at every scale; otherwise as `energies`."""
    return _at_every_scale(net, x, sigmas, lambda hidden: net.gradient_above(hidden).square().sum(dim=1))


def _at_every_scale(net: EnergyNet, x: Tensor, sigmas: Sequence[float], read: Callable[[Tensor], Tensor]) -> Tensor:
    """One number per vector and scale, (N, L); `read` makes it of what the first layer gives, (B, H) -> (B,)."""
    scale = torch.tensor(list(sigmas), dtype=x.dtype, device=x.device)[:, None]  # (L, 1)
    out = torch.empty(len(x), len(scale), dtype=x.dtype, device=x.device)
    rows = max(1, (_ROWS_AT_ONCE_CUDA if x.is_cuda else _ROWS_AT_ONCE) // len(scale))
    for start in range(0, len(x), rows):
        of_x = net.first(x[start : start + rows])  # (n, H)
        hidden = net.enter(of_x[:, None], scale)  # (n, L, H)
        out[start : start + rows] = read(hidden.flatten(0, 1)).view(-1, len(scale))
    return out


def rate_factor(training: Training, done: int) -> float:
    """Factor on the learning rate after this many steps."""
    if training.decay == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * done / training.steps))
    if training.decay == "step":
        return float(training.decay_factor ** (done // training.decay_steps))
    return 1.0
