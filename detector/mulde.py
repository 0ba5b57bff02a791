"""MULDE: an energy network over feature vectors and noise scales, taught by denoising score matching.

Source: Micorek, Possegger, Narnhofer, Bischof, Kozinski: "MULDE: Multiscale Log-Density Estimation via Denoising
Score Matching for Video Anomaly Detection", CVPR 2024, arXiv 2403.14497. Written from the paper's mathematics.

The energy f(x, σ) is the *negative* log-density of the data blurred with σ, up to a constant: higher = less normal.
Departure: at test time the first layer is computed once per vector instead of once per scale; the result is the same.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_CHUNK_ROWS = 16384  # rows (vectors × scales) evaluated at once; bounds memory at units × 64 KiB


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
    decay: bool = False
    """Cosine decay of the learning rate to zero."""
    gradient_clip: float | None = None
    """Bound on each element of the gradient."""


class EnergyNet(nn.Module):
    """f(x, σ): an MLP on the feature vector with σ appended as one more component.

    Args:
        dims: Length D of a feature vector.
        training: Its `units`, `layer_norm` and `dropout` shape the network.
    """

    def __init__(self, dims: int, training: Training) -> None:
        super().__init__()
        self.first = nn.Linear(dims + 1, training.units[0])
        rest: list[nn.Module] = []
        for index, width in enumerate(training.units):
            if index:
                rest.append(nn.Linear(training.units[index - 1], width))
            if training.layer_norm:
                rest.append(nn.LayerNorm(width))
            rest.append(nn.GELU())
            if training.dropout:
                rest.append(nn.Dropout(training.dropout))
        rest.append(nn.Linear(training.units[-1], 1))
        self.rest = nn.Sequential(*rest)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Energies (B,) of standardised vectors x (B, D) at noise scales sigma (B, 1)."""
        energy: Tensor = self.rest(self.first(torch.cat([x, sigma], dim=1)))  # (B, 1)
        return energy.squeeze(1)


def dsm_loss(net: EnergyNet, x: Tensor, sigma: Tensor, noise: Tensor, beta: float) -> Tensor:
    """Denoising score matching with one noise scale per sample, weighted by σ², plus the paper's regulariser.

    Teaches the energy's downhill direction to lead from a noised vector back to the clean one:
    ½ E ‖σ·(−∇f(x + σn, σ)) + n‖² + (β/2) E f(x, σ)².

    Args:
        x: Standardised features, (B, D).
        sigma: Noise scales, (B, 1), in units of x, > 0.
        noise: Standard normal n, (B, D).
        beta: Weight of the regulariser, which is taken at the clean x.

    Returns:
        Mean over the batch, a scalar with gradient.
    """
    noised = (x + sigma * noise).requires_grad_()
    (gradient,) = torch.autograd.grad(net(noised, sigma).sum(), noised, create_graph=True)  # (B, D)
    matching: Tensor = 0.5 * (sigma * -gradient + noise).square().sum(dim=1).mean()
    if beta == 0:
        return matching
    regulariser: Tensor = 0.5 * beta * net(x, sigma).square().mean()
    return matching + regulariser


def train(
    x: Tensor, training: Training, *, seed: int, on_step: Callable[[int, float], None] | None = None
) -> EnergyNet:
    """An energy network taught on standardised vectors.

    Args:
        x: (N, D) float32 on the device to train on; zero mean and unit deviation per component.
        training: Network and optimisation.
        seed: Same seed, data and machine give the same weights.
        on_step: Called with the number of steps done and the latest loss.

    Returns:
        The network in evaluation mode, on x's device.

    Raises:
        ValueError: There are no vectors, or the loss is not finite.
    """
    if not len(x):
        raise ValueError("no feature vectors to learn from")
    generator = torch.Generator(device=x.device).manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = EnergyNet(x.shape[1], training).to(x.device)
        optimiser = torch.optim.Adam(net.parameters(), lr=training.learning_rate, betas=(0.5, 0.9))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, training.steps) if training.decay else None
        low, high = math.log(training.sigma_low), math.log(training.sigma_high)
        batch = min(training.batch_size, len(x))
        order = torch.randperm(len(x), generator=generator, device=x.device)
        at = 0
        for step in range(training.steps):
            if at + batch > len(x):
                order = torch.randperm(len(x), generator=generator, device=x.device)
                at = 0
            clean = x[order[at : at + batch]]  # (B, D)
            at += batch
            uniform = torch.rand(len(clean), 1, generator=generator, device=x.device)
            sigma = torch.exp(low + (high - low) * uniform)  # log-uniform, (B, 1)
            noise = torch.randn(clean.shape, generator=generator, device=x.device)
            loss = dsm_loss(net, clean, sigma, noise, training.beta)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            if training.gradient_clip is not None:
                nn.utils.clip_grad_value_(net.parameters(), training.gradient_clip)
            optimiser.step()
            if schedule is not None:
                schedule.step()
            if on_step is not None:
                on_step(step + 1, float(loss.detach()))
    if not math.isfinite(float(loss.detach())):
        raise ValueError("training diverged: the loss is not finite; lower the learning rate")
    return net.eval()


@torch.inference_mode()
def energies(net: EnergyNet, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Energies of clean vectors at every scale.

    The first layer is linear in [x, σ], so its part in x is computed once per vector and σ's column added per scale.

    Args:
        net: In evaluation mode.
        x: Standardised, (N, D).
        sigmas: The L scales.

    Returns:
        (N, L), on x's device.
    """
    scale = torch.tensor(list(sigmas), dtype=x.dtype, device=x.device)
    weight, bias = net.first.weight, net.first.bias
    per_scale = scale[:, None] * weight[:, -1]  # (L, H)
    out = torch.empty(len(x), len(scale), dtype=x.dtype, device=x.device)
    rows = max(1, _CHUNK_ROWS // len(scale))
    for start in range(0, len(x), rows):
        hidden = nn.functional.linear(x[start : start + rows], weight[:, :-1], bias)  # (n, H)
        both = hidden[:, None, :] + per_scale[None]  # (n, L, H)
        out[start : start + rows] = net.rest(both.flatten(0, 1)).view(-1, len(scale))
    return out


def score_norms(net: EnergyNet, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Squared length of the energy's gradient ‖∇ₓ f(x, σ)‖² at every scale, (N, L)."""
    columns = []
    for sigma in sigmas:
        point = x.detach().clone().requires_grad_()
        at = torch.full((len(x), 1), sigma, dtype=x.dtype, device=x.device)
        (gradient,) = torch.autograd.grad(net(point, at).sum(), point)
        columns.append(gradient.square().sum(dim=1))
    return torch.stack(columns, dim=1)
