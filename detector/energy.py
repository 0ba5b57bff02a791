"""The energy network f(x, σ) of MULDE and its gradient in x, written out by the chain rule.

Written out, the gradient is an ordinary forward computation: a training step on it needs one backward pass where
automatic differentiation twice over is usual, and scoring needs none. Source: see `detector.mulde`.
"""

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_LOG_PEAK = -0.5 * math.log(2 * math.pi)  # log φ(0)


class EnergyNet(nn.Module):
    """f(x, σ): an MLP on the feature vector with σ appended as one more component.

    The first layer's column for σ is kept apart from those for x, which then have a width that processors like.
    Dropout happens only where a generator is given to draw it from, so training and evaluation mode are the same.

    Args:
        dims: Length D of a feature vector.
        units: Width of each hidden layer: linear, (layer norm), exact GELU, (dropout).
        dropout: Share of a hidden layer's values that drop out.
        generator: Of the CPU; draws the initial weights, without one always the same.
    """

    def __init__(
        self,
        dims: int,
        units: Sequence[int],
        *,
        layer_norm: bool = False,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        generator = generator or torch.Generator()
        bound = 1 / math.sqrt(dims + 1)
        self.first = _Linear(dims, units[0], bound, generator)
        self.sigma_column = nn.Parameter(torch.empty(units[0]))
        nn.init.uniform_(self.sigma_column, -bound, bound, generator=generator)
        self.activations = nn.ModuleList(_Activation(width, layer_norm, dropout) for width in units)
        self.linears = nn.ModuleList(
            _Linear(below, above, 1 / math.sqrt(below), generator)
            for below, above in zip(units, (*units[1:], 1), strict=True)
        )

    def forward(self, x: Tensor, sigma: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Energies (B,) of standardised vectors x (B, D) at noise scales sigma (B, 1)."""
        return self.above(self.enter(self.first(x), sigma), generator)

    def gradient(self, x: Tensor, sigma: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """∇ₓ f(x, σ), (B, D), which can be differentiated once more."""
        return self.gradient_above(self.enter(self.first(x), sigma), generator)

    def enter(self, of_x: Tensor, sigma: Tensor) -> Tensor:
        """What the first layer makes of [x, σ], (..., H), from what it makes of x and from σ (..., 1)."""
        return torch.addcmul(of_x, sigma, self.sigma_column)

    def above(self, hidden: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Energies (B,) from what the first layer gives, (B, H)."""
        for activation, linear in self._layers():
            hidden = linear(activation(hidden, activation.mask(hidden, generator)))
        return hidden.squeeze(1)

    def gradient_above(self, hidden: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """∇ₓ f, (B, D), from what the first layer gives, (B, H)."""
        layers, seen = self._layers(), []
        for activation, linear in layers:
            mask = activation.mask(hidden, generator)
            seen.append((hidden, mask))
            if len(seen) < len(layers):  # the energy itself is not asked for
                hidden = linear(activation(hidden, mask))
        slope = torch.ones(len(hidden), 1, dtype=hidden.dtype, device=hidden.device)  # ∂f / ∂f
        for (activation, linear), (hidden, mask) in zip(reversed(layers), reversed(seen), strict=True):
            slope = activation.back(slope @ linear.weight, hidden, mask)  # ∂f / ∂hidden, (B, H)
        return slope @ self.first.weight

    def _layers(self) -> list[tuple["_Activation", "_Linear"]]:
        """Each activation with the linear layer that follows it."""
        pairs = zip(self.activations, self.linears, strict=True)
        return cast("list[tuple[_Activation, _Linear]]", list(pairs))


class _Activation(nn.Module):
    """What stands between two linear layers: normalisation if there is one, GELU, dropout where a mask says so."""

    def __init__(self, width: int, layer_norm: bool, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width) if layer_norm else None
        self.kept = 1.0 - dropout

    def forward(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        out = functional.gelu(hidden if self.norm is None else self.norm(hidden))
        return out if mask is None else out * mask

    def back(self, slope: Tensor, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """∂f / ∂hidden from ∂f / ∂(what `forward` makes of it), (B, H)."""
        if mask is not None:
            slope = slope * mask
        if self.norm is None:
            return _through_gelu(slope, hidden)
        centred = hidden - hidden.mean(dim=1, keepdim=True)
        deviation = (centred.square().mean(dim=1, keepdim=True) + self.norm.eps).sqrt()
        normal = centred / deviation
        slope = self.norm.weight * _through_gelu(slope, normal * self.norm.weight + self.norm.bias)
        along = (slope * normal).mean(dim=1, keepdim=True)
        return (slope - slope.mean(dim=1, keepdim=True) - along * normal) / deviation

    def mask(self, hidden: Tensor, generator: torch.Generator | None) -> Tensor | None:
        """What dropout multiplies with, if there is a generator to draw it from and something drops out."""
        if generator is None or self.kept == 1.0:
            return None
        return torch.empty_like(hidden, requires_grad=False).bernoulli_(self.kept, generator=generator) / self.kept


class _ThroughGelu(torch.autograd.Function):
    """slope · GELU'(a), whose derivative is cheaper written out than left to torch.

    GELU'(a) = Φ(a) + a φ(a) and GELU''(a) = φ(a) (2 − a²), with the normal distribution Φ and its density φ.
    """

    @staticmethod
    def forward(ctx: Any, slope: Tensor, a: Tensor) -> Tensor:
        ctx.save_for_backward(slope, a)
        return _times_gelu_slope(slope, a)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor]:
        slope, a = ctx.saved_tensors
        square = a * a
        density = torch.rsub(square, _LOG_PEAK, alpha=0.5).exp_()  # φ(a)
        return _times_gelu_slope(upstream, a), density.mul_(2.0 - square).mul_(upstream).mul_(slope)


def _through_gelu(slope: Tensor, a: Tensor) -> Tensor:
    result: Tensor = _ThroughGelu.apply(slope, a)  # type: ignore[no-untyped-call]
    return result


def _times_gelu_slope(slope: Tensor, a: Tensor) -> Tensor:
    result: Tensor = torch.ops.aten.gelu_backward(slope, a)  # one pass over memory
    return result


class _Linear(nn.Linear):
    """A linear layer whose initial weights lie in ±bound and are drawn from this generator and no other."""

    def __init__(self, fan_in: int, width: int, bound: float, generator: torch.Generator) -> None:
        super().__init__(fan_in, width)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def reset_parameters(self) -> None:
        """Nothing: torch would draw from the random numbers that all share."""
