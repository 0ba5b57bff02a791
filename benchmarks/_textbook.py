"""MULDE as it is usually written, to measure against: scale by scale, every gradient by automatic differentiation.

One function gives energy and gradient, in training and in evaluation, as in the authors' code.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from detector.mulde import EnergyNet, Training


class TextbookNet(nn.Module):
    """An MLP on [x, σ], without layer norm and dropout."""

    def __init__(self, dims: int, units: Sequence[int]) -> None:
        super().__init__()
        widths = (dims + 1, *units)
        layers: list[nn.Module] = []
        for below, above in pairwise(widths):
            layers += [nn.Linear(below, above), nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    @classmethod
    def like(cls, net: EnergyNet, units: Sequence[int]) -> "TextbookNet":
        """One with a copy of the weights of `net`, which has these hidden units, on its device."""
        first = torch.cat([net.first.weight, net.sigma_column[:, None]], dim=1)
        textbook = cls(net.first.in_features, units).to(first.device)
        with torch.no_grad():
            weights = [first, net.first.bias, *net.linears.parameters()]
            for mine, its in zip(textbook.parameters(), weights, strict=True):
                mine.copy_(its)
        return textbook

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Energies (B,)."""
        energy: Tensor = self.layers(torch.cat([x, sigma], dim=1))
        return energy.squeeze(1)


def read(net: TextbookNet, x: Tensor, sigmas: Sequence[float], batch: int) -> tuple[Tensor, Tensor]:
    """Energies and score norms of vectors (N, D) at every scale, both (N, L)."""
    parts = [torch.stack([_read_one(net, part, sigma) for sigma in sigmas], dim=2) for part in torch.split(x, batch)]
    energies, norms = torch.cat(parts, dim=1)
    return energies, norms


def _read_one(net: TextbookNet, x: Tensor, sigma: float) -> Tensor:
    """Energies and score norms at one scale, (2, N); with the graph of the gradient, as training needs it."""
    x = x.detach().clone().requires_grad_()
    energy = net(x, torch.full_like(x[:, :1], sigma))
    (gradient,) = torch.autograd.grad(energy.sum(), x, create_graph=True)
    gradient = gradient.detach()
    return torch.stack([energy.detach(), gradient.square().sum(dim=1)])


def loss(net: TextbookNet, x: Tensor, sigma: Tensor, noise: Tensor, beta: float) -> Tensor:
    """Denoising score matching by differentiating twice, plus the regulariser, a scalar."""
    noised = (x + sigma * noise).requires_grad_()
    (gradient,) = torch.autograd.grad(net(noised, sigma).sum(), noised, create_graph=True)
    matching: Tensor = 0.5 * (noise - sigma * gradient).square().sum(dim=1).mean()
    regulariser: Tensor = 0.5 * beta * net(x, sigma).square().mean()
    return matching + regulariser


def adam(net: nn.Module, training: Training) -> torch.optim.Optimizer:
    """The optimiser as torch gives it."""
    return torch.optim.Adam(net.parameters(), lr=training.learning_rate, betas=(0.5, 0.9))
