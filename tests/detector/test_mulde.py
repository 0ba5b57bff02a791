import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from detector.energy import EnergyNet
from detector.mulde import Training, dsm_loss, energies, rate_factor, score_norms, train
from detector.scales import Aggregate, sigma_grid

TINY = Training(units=(16, 16), batch_size=64, steps=5)


class Bowl(nn.Module):
    """f(x, σ) = a/2 ‖x‖²."""

    def __init__(self, a):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))

    def forward(self, x, sigma, generator=None):
        return 0.5 * self.a * x.square().sum(dim=1)

    def gradient(self, x, sigma, generator=None):
        return self.a * x


@pytest.fixture(scope="module")
def of_a_gaussian():
    """A network taught on a standard Gaussian in the plane, without the regulariser, which flattens."""
    x = torch.randn(6000, 2, generator=torch.Generator().manual_seed(1))
    training = Training(
        units=(64, 64), sigma_low=0.3, beta=0.0, learning_rate=3e-3, batch_size=1024, steps=600, decay="cosine"
    )
    return train(x, training, seed=0)


def weights(net):
    return torch.cat([value.flatten() for value in net.state_dict().values()])


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def normal_points(count=200, dims=3):
    return torch.randn(count, dims, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("sigma", [0.3, 0.4, 0.55, 0.7, 0.85, 1.0])
def test_the_gradient_for_a_gaussian_is_that_of_the_blurred_gaussian(of_a_gaussian, sigma):
    """Within 0.15, over the whole range of noise scales; the gradient itself is up to 1.4 long."""
    angles = torch.linspace(0, 2 * math.pi, 13)[:-1]
    circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    for radius in (0.5, 1.0, 1.5):
        x = radius * circle
        with torch.no_grad():
            gradient = of_a_gaussian.gradient(x, torch.full((len(x), 1), sigma))
        assert (gradient - x / (1 + sigma**2)).norm(dim=1).max() < 0.15


def test_energies_of_a_gaussian_rank_by_the_distance_from_its_mean(of_a_gaussian):
    radii = torch.linspace(0.0, 4.0, 21)
    for angle in (0.0, 1.0, 2.5, 4.0):
        line = radii[:, None] * torch.tensor([[math.cos(angle), math.sin(angle)]])
        along = energies(of_a_gaussian, line, [0.3, 0.6, 1.0])
        assert (along.argsort(dim=0).argsort(dim=0).T - torch.arange(21)).abs().max() <= 1  # near the mean it is flat
        assert (along[4:].diff(dim=0) > 0).all()


def test_toy_data_are_told_apart():
    generator = np.random.default_rng(0)

    def points(centres, count):
        chosen = np.array(centres, float)[generator.integers(len(centres), size=count)]
        return (chosen + 0.3 * generator.standard_normal((count, 2))) / math.sqrt(2)

    usual = [(4, 0), (-4, 0), (0, 4), (0, -4)]
    strange = [(2, 2), (2, -2), (-2, 2), (-2, -2), (0, 0), (6.8, 0), (-6.8, 0), (0, 6.8), (0, -6.8)]
    taught, good, bad = points(usual, 10_000), points(usual, 2000), points(strange, 2000)
    mean, std = taught.mean(axis=0), taught.std(axis=0, ddof=1)
    taught, good, bad = (torch.from_numpy((x - mean) / std).float() for x in (taught, good, bad))

    net = train(taught, Training(units=(256, 256), batch_size=512, learning_rate=1e-3, steps=200), seed=0)

    sigmas = sigma_grid(1e-3, 1.0, 16)
    normal = energies(net, taught, sigmas).numpy()
    seen = energies(net, torch.cat([good, bad]), sigmas).numpy()
    labels = np.r_[np.zeros(2000), np.ones(2000)]
    for kind in ("max", "mean", "median"):
        assert roc_auc_score(labels, Aggregate.fit(kind, normal)(seen)) > 0.99, kind


@pytest.mark.parametrize("options", [{}, {"layer_norm": True}, {"units": (32,)}, {"dropout": 0.3}])
def test_energies_are_those_of_the_network_at_each_scale(options):
    net = train(normal_points(), replace(TINY, **options), seed=0)
    x = 3.0 * normal_points(1500)  # more than are evaluated at once
    sigmas = sigma_grid(1e-3, 1.0, 16)

    read = energies(net, x, sigmas)

    with torch.no_grad():
        plain = torch.stack([net(x, torch.full((len(x), 1), sigma)) for sigma in sigmas], dim=1)
    assert read.shape == (1500, 16)
    torch.testing.assert_close(read, plain, atol=1e-5, rtol=1e-5)


def test_no_vectors_have_no_energies():
    assert energies(EnergyNet(3, TINY.units), torch.empty(0, 3), [0.1, 1.0]).shape == (0, 2)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = (weights(train(normal_points(), TINY, seed=seed)) for seed in (7, 7, 8))

    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_training_leaves_the_random_numbers_of_its_caller_alone():
    torch.manual_seed(5)
    undisturbed = torch.rand(3)
    torch.manual_seed(5)
    train(normal_points(), TINY, seed=7)

    assert torch.equal(torch.rand(3), undisturbed)


def test_the_loss_of_a_bowl_is_what_the_formula_says():
    x, sigma, noise = torch.tensor([[1.0, -2.0]]), torch.tensor([[2.0]]), torch.tensor([[0.5, 1.5]])
    net = Bowl(0.5)

    # Noised (2, 1), so -∇f = (-1, -½) and σ·(-∇f) + n = (-1.5, 0.5); f(x) = 1.25.
    assert float(dsm_loss(net, x, sigma, noise, beta=0.0).detach()) == pytest.approx(0.5 * (2.25 + 0.25))
    assert float(dsm_loss(net, x, sigma, noise, beta=0.1).detach()) == pytest.approx(1.25 + 0.05 * 1.25**2)


def test_the_loss_is_a_mean_over_the_batch():
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 3, generator=generator), torch.randn(2, 3, generator=generator)
    sigma = torch.tensor([[0.2], [0.9]])
    net = Bowl(1.5)

    each = [float(dsm_loss(net, x[i : i + 1], sigma[i : i + 1], noise[i : i + 1], 0.1).detach()) for i in (0, 1)]

    assert float(dsm_loss(net, x, sigma, noise, 0.1).detach()) == pytest.approx(np.mean(each))


def test_the_loss_vanishes_for_the_true_energy_of_a_single_point():
    sigma, noise = torch.tensor([[0.5], [0.5]]), torch.tensor([[1.0, -0.3], [0.2, 2.0]])

    assert float(dsm_loss(Bowl(4.0), torch.zeros(2, 2), sigma, noise, 0.0).detach()) == pytest.approx(0.0, abs=1e-10)


def test_the_gradient_of_the_loss_reaches_the_weights_through_the_score():
    x, sigma, noise = torch.tensor([[1.0, -2.0]]), torch.tensor([[2.0]]), torch.tensor([[0.5, 1.5]])
    net = Bowl(0.5)

    dsm_loss(net, x, sigma, noise, beta=0.0).backward()

    # d/da ½‖n − σ·a·x̃‖² = (n − σ·a·x̃)·(−σ·x̃) with x̃ = (2, 1)
    assert float(net.a.grad) == pytest.approx(-1.5 * -4.0 + 0.5 * -2.0)


OPTIONS = [
    {"units": (16,)},
    {"units": (16, 8)},
    {"units": (8, 16, 12)},
    {"units": (16, 8), "layer_norm": True},
    {"units": (16,), "layer_norm": True},
    {"units": (16, 8), "dropout": 0.4},
    {"units": (8, 16, 12), "layer_norm": True, "dropout": 0.4},
]


def precise_net(options):
    """A network in double precision whose normalisations, where it has any, do something of their own."""
    net = EnergyNet(3, **options, generator=seeded(2)).double()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if ".norm." in name:
                parameter.add_(torch.randn(parameter.shape, generator=seeded(3)).double())
    return net


def batch(count=20):
    x, noise = normal_points(2 * count).double().split(count)
    return x, torch.rand(count, 1, generator=seeded(6)).double() + 0.01, noise


def by_autograd(net, x, sigma, generator=None):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(net(x, sigma, generator).sum(), x, create_graph=True)[0]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("dropping", [False, True])
def test_the_gradient_written_out_is_that_of_automatic_differentiation(options, dropping):
    net, (x, sigma, _) = precise_net(options), batch()
    first, again = (seeded(4) if dropping else None for _ in range(2))

    torch.testing.assert_close(
        net.gradient(x, sigma, first), by_autograd(net, x, sigma, again), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_the_loss_and_its_gradients_are_those_of_differentiating_twice(options, beta):
    net, (x, sigma, noise) = precise_net(options), batch()
    generator = seeded(4)
    gradient = by_autograd(net, x + sigma * noise, sigma, generator)
    expected = 0.5 * (sigma * gradient - noise).square().sum(dim=1).mean()
    expected = expected + 0.5 * beta * net(x, sigma, generator).square().mean()

    loss = dsm_loss(net, x, sigma, noise, beta, seeded(4))

    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=0.0)
    for mine, theirs in zip(all_gradients(loss, net), all_gradients(expected, net), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-7, atol=1e-10)


def all_gradients(loss, net):
    """Of all weights; the last bias has none where only the energy's slope counts."""
    return torch.autograd.grad(loss, list(net.parameters()), allow_unused=True, materialize_grads=True)


def test_score_norms_are_the_squared_slopes_of_the_energy():
    net = train(normal_points(), TINY, seed=0).double()
    x = normal_points(4).double()
    step = 1e-5

    norms = score_norms(net, x, [0.1, 0.8])

    for column, sigma in enumerate((0.1, 0.8)):
        slopes = []
        for axis in range(3):
            shift = torch.zeros(3, dtype=torch.float64)
            shift[axis] = step
            up, down = (energies(net, x + sign * shift, [sigma])[:, 0] for sign in (1, -1))
            slopes.append((up - down) / (2 * step))
        torch.testing.assert_close(norms[:, column], torch.stack(slopes).square().sum(dim=0), rtol=1e-5, atol=1e-9)


def test_score_norms_are_read_in_the_middle_of_inference():
    net = train(normal_points(), TINY, seed=0)

    assert score_norms(net, normal_points(7), sigma_grid(0.01, 1.0, 4)).shape == (7, 4)


@pytest.mark.parametrize(
    "option",
    [
        {"gradient_clip": 1e-4},
        {"decay": "cosine"},
        {"decay": "step", "decay_steps": 2},
        {"beta": 0.0},
        {"layer_norm": True},
        {"dropout": 0.5},
    ],
)
def test_every_option_changes_what_is_learned(option):
    plain, changed = train(normal_points(), TINY, seed=0), train(normal_points(), replace(TINY, **option), seed=0)

    assert weights(changed).isfinite().all()
    assert weights(plain).shape != weights(changed).shape or not torch.allclose(weights(plain), weights(changed))


def test_the_rate_falls_by_its_factor_after_so_many_steps():
    """With a factor of zero nothing is learned afterwards."""
    falling = replace(TINY, decay="step", decay_steps=3, decay_factor=0.0)

    stopped = weights(train(normal_points(), replace(falling, steps=5), seed=0))

    assert torch.equal(stopped, weights(train(normal_points(), replace(TINY, steps=3), seed=0)))
    assert not torch.equal(stopped, weights(train(normal_points(), replace(TINY, steps=2), seed=0)))


def test_the_cosine_is_at_half_of_the_rate_in_the_middle_and_at_nothing_in_the_end():
    training = replace(TINY, decay="cosine", steps=100)

    assert [rate_factor(training, done) for done in (0, 50, 100)] == pytest.approx([1.0, 0.5, 0.0])


def test_nothing_drops_out_of_a_network_that_is_read():
    net = train(normal_points(), replace(TINY, dropout=0.5), seed=0)

    assert torch.equal(energies(net, normal_points(), [0.5]), energies(net, normal_points(), [0.5]))


def test_every_step_is_reported_with_its_loss():
    steps = []

    train(normal_points(), TINY, seed=0, on_step=lambda step, loss, net: steps.append((step, loss)))

    assert [step for step, _ in steps] == [1, 2, 3, 4, 5]
    assert all(loss.isfinite() and loss.shape == () and not loss.requires_grad for _, loss in steps)


def test_reading_the_network_between_steps_does_not_change_what_is_learned():
    training = replace(TINY, dropout=0.5)
    seen = []

    watched = train(
        normal_points(),
        training,
        seed=0,
        on_step=lambda step, loss, net: seen.append(energies(net, normal_points(), [0.5])),
    )

    assert torch.equal(weights(watched), weights(train(normal_points(), training, seed=0)))
    assert torch.equal(seen[-1], energies(watched, normal_points(), [0.5]))
    assert not torch.equal(seen[0], seen[-1])


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_trainings_at_the_same_time_learn_what_each_learns_alone(dropout):
    training = replace(TINY, dropout=dropout, steps=20)
    meeting = threading.Barrier(2, timeout=60)

    def together(seed):
        return train(normal_points(), training, seed=seed, on_step=lambda *_: meeting.wait())  # step by step in turn

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(together, (1, 2)))

    for seed, net in zip((1, 2), both, strict=True):
        assert torch.equal(weights(net), weights(train(normal_points(), training, seed=seed)))


def test_fewer_vectors_than_a_batch_are_enough():
    assert weights(train(normal_points(10), TINY, seed=0)).isfinite().all()


@pytest.mark.parametrize(("steps", "noticed"), [(5, 5), (100_000, 50)])
def test_a_training_that_diverges_is_an_error_soon(steps, noticed):
    with pytest.raises(ValueError, match=f"not finite at step {noticed}; lower the learning rate"):
        train(normal_points(), replace(TINY, learning_rate=1e30, steps=steps), seed=0)


def test_nothing_to_learn_from_is_an_error():
    with pytest.raises(ValueError, match="no feature vectors"):
        train(torch.empty(0, 3), TINY, seed=0)
