import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from detector.mulde import EnergyNet, Training, dsm_loss, energies, score_norms, train
from detector.scales import Aggregate, sigma_grid

TINY = Training(units=(16, 16), batch_size=64, steps=5)


class Bowl(nn.Module):
    """f(x, σ) = a/2 ‖x‖², whose gradient is a·x."""

    def __init__(self, a):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))

    def forward(self, x, sigma):
        return 0.5 * self.a * x.square().sum(dim=1)


@pytest.fixture(scope="module")
def of_a_gaussian():
    """A network taught on a standard Gaussian in the plane, without the regulariser, which flattens."""
    x = torch.randn(6000, 2, generator=torch.Generator().manual_seed(1))
    training = Training(
        units=(64, 64), sigma_low=0.3, beta=0.0, learning_rate=3e-3, batch_size=1024, steps=600, decay=True
    )
    return train(x, training, seed=0)


def weights(net):
    return torch.cat([value.flatten() for value in net.state_dict().values()])


def normal_points(count=200, dims=3):
    return torch.randn(count, dims, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("sigma", [0.4, 0.7, 1.0])
def test_the_gradient_for_a_gaussian_is_that_of_the_blurred_gaussian(of_a_gaussian, sigma):
    angles = torch.linspace(0, 2 * math.pi, 13)[:-1]
    circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    for radius in (0.5, 1.0, 1.5):
        x = (radius * circle).requires_grad_()
        (gradient,) = torch.autograd.grad(of_a_gaussian(x, torch.full((len(x), 1), sigma)).sum(), x)
        expected = x.detach() / (1 + sigma**2)
        assert (gradient - expected).norm(dim=1).max() < 0.2 * expected.norm(dim=1).max() + 0.05


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
    assert energies(EnergyNet(3, TINY).eval(), torch.empty(0, 3), [0.1, 1.0]).shape == (0, 2)


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


@pytest.mark.parametrize("option", [{"gradient_clip": 1e-4}, {"decay": True}, {"beta": 0.0}, {"layer_norm": True}])
def test_every_option_changes_what_is_learned(option):
    plain, changed = train(normal_points(), TINY, seed=0), train(normal_points(), replace(TINY, **option), seed=0)

    assert weights(changed).isfinite().all()
    assert weights(plain).shape != weights(changed).shape or not torch.allclose(weights(plain), weights(changed))


def test_dropout_is_over_when_training_is():
    net = train(normal_points(), replace(TINY, dropout=0.5), seed=0)

    assert any(isinstance(module, nn.Dropout) for module in net.modules())
    assert torch.equal(energies(net, normal_points(), [0.5]), energies(net, normal_points(), [0.5]))


def test_every_step_is_reported():
    steps = []

    train(normal_points(), TINY, seed=0, on_step=lambda step, loss: steps.append((step, math.isfinite(loss))))

    assert steps == [(number, True) for number in range(1, 6)]


def test_fewer_vectors_than_a_batch_are_enough():
    assert weights(train(normal_points(10), TINY, seed=0)).isfinite().all()


def test_a_training_that_diverges_is_an_error():
    with pytest.raises(ValueError, match="not finite; lower the learning rate"):
        train(normal_points(), replace(TINY, learning_rate=1e30), seed=0)


def test_nothing_to_learn_from_is_an_error():
    with pytest.raises(ValueError, match="no feature vectors"):
        train(torch.empty(0, 3), TINY, seed=0)
