"""Last-layer retraining: the fit against scikit-learn's, and a shortcut that it takes out of a network."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from camlucida.errors import InputError, UnsupportedNetwork
from camlucida.training import group_numbers, group_sampler, group_weights, retrain_last_layer
from camlucida.training.retraining import _fit, _Table, last_linear
from example_networks import Deep, Dense, Residual

sklearn = pytest.importorskip("sklearn.linear_model")


class TwoBrightnesses(nn.Module):
    """Its features are the mean brightness of the left and of the right half."""

    def __init__(self, findings=1, weight=(1.0, 5.0)):
        super().__init__()
        self.fc = nn.Linear(2, findings)
        with torch.no_grad():
            self.fc.weight.copy_(torch.tensor(weight).expand(findings, -1))
            self.fc.bias.fill_(-1.5)

    def forward(self, x):
        return self.fc(functional.adaptive_avg_pool2d(x, (1, 2)).flatten(1))


def confounded(count=400, rho=0.95, seed=0, noise=0.15):
    """The disease is on the left; the artefact, on the right, goes with it in a share rho of the images."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    artefact = np.where(random.random(count) < rho, labels, 1 - labels)
    images = torch.zeros(count, 1, 4, 4)
    images[..., :2] = torch.tensor(labels + noise * random.normal(size=count)).float()[:, None, None, None]
    images[..., 2:] = torch.tensor(artefact).float()[:, None, None, None]
    return images, torch.tensor(labels), torch.tensor(artefact)


def batches(images, labels, groups, size=64):
    return [
        tuple(part[n : n + size] for part in (images, labels, groups)) for n in range(0, len(images), size)
    ]


@pytest.mark.parametrize("strength", [1.0, 0.03])
def test_the_fit_is_that_of_scikit_learn(strength):
    random = np.random.default_rng(0)
    features = random.normal(size=(80, 6))
    labels = (features[:, 0] + 0.5 * features[:, 1] + random.normal(size=80) > 0).astype(float)
    table = _Table(torch.tensor(features), torch.tensor(labels)[:, None], torch.zeros(80))
    weight, bias = _fit(table, strength)
    oracle = sklearn.LogisticRegression(
        C=strength, l1_ratio=1, solver="saga", tol=1e-10, max_iter=100_000, random_state=0
    ).fit(features, labels)
    assert np.allclose(weight[0], oracle.coef_[0], atol=1e-5)
    # The bias is free, so at the least loss the residuals add up to nothing; saga comes less near to that.
    residuals = torch.sigmoid(table.features @ weight[0] + bias[0]) - table.labels[:, 0]
    assert float(residuals.sum()) == pytest.approx(0, abs=1e-5)
    if strength < 0.1:
        assert (weight == 0).any()


def test_the_fit_of_several_classes_is_that_of_scikit_learn():
    random = np.random.default_rng(1)
    features = random.normal(size=(90, 3))
    labels = features.argmax(axis=1)
    table = _Table(torch.tensor(features), functional.one_hot(torch.tensor(labels)).double(), torch.zeros(90))
    weight, _ = _fit(table, 0.3)
    oracle = sklearn.LogisticRegression(
        C=0.3, l1_ratio=1, solver="saga", tol=1e-10, max_iter=100_000, random_state=0
    ).fit(features, labels)
    assert np.allclose(weight, oracle.coef_, atol=1e-4)


def test_a_shortcut_is_taken_out_and_the_given_network_stays():
    network = TwoBrightnesses()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images, labels, artefact = confounded()
    groups, names = group_numbers(labels, artefact)
    assert names == ((0, 0), (0, 1), (1, 0), (1, 1))
    retrained = retrain_last_layer(network, batches(images, labels, groups))
    disease, shortcut = retrained.network.fc.weight[0].tolist()
    assert disease > 2
    assert abs(shortcut) < 0.1 * disease
    assert retrained.worst > 0.95
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    # The network as it was reads the artefact: its worst group is as bad as a group can be.
    wrong = (network(images)[:, 0] > 0).long() != labels
    assert wrong[groups == 1].double().mean() > 0.9
    right = (retrained.network(images)[:, 0] > 0).long() == labels
    assert min(right[groups == number].double().mean() for number in range(4)) > 0.95


def test_only_the_finding_that_is_meant_is_changed_and_unknown_labels_are_left_out():
    network = TwoBrightnesses(findings=3)
    images, labels, artefact = confounded()
    groups, _ = group_numbers(labels, artefact)
    table = torch.full((400, 3), float("nan"))
    table[:, 1] = labels
    table[:20, 1] = -1
    retrained = retrain_last_layer(network, batches(images, table, groups), finding=1)
    assert torch.equal(retrained.network.fc.weight[[0, 2]], network.fc.weight[[0, 2]])
    assert retrained.network.fc.weight[1, 0] > 10 * retrained.network.fc.weight[1, 1].abs()


def test_classes_that_exclude_each_other_are_learnt_together():
    network = TwoBrightnesses(findings=2)
    images, labels, artefact = confounded()
    groups, _ = group_numbers(labels, artefact)
    retrained = retrain_last_layer(network, iter(batches(images, labels, groups)), softmax=True)
    assert (retrained.network(images).argmax(dim=1) == labels).double().mean() > 0.98


def test_the_last_layer_is_found_in_any_network_whose_logits_it_makes():
    assert last_linear(Residual(), torch.rand(1, 3, 32, 32)) == "fc"
    assert last_linear(Dense(), torch.rand(1, 1, 32, 32)) == "classifier"
    assert last_linear(Deep(), torch.rand(1, 1, 16, 16)) == "head.3"
    with pytest.raises(UnsupportedNetwork, match="do not come straight from a linear layer"):
        last_linear(
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), torch.rand(1, 1, 8, 8)
        )
    with pytest.raises(UnsupportedNetwork, match="“1”, has no bias"):
        last_linear(nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False)), torch.rand(1, 1, 2, 2))


def test_what_cannot_be_learnt_from_is_refused_with_its_number():
    images, labels, artefact = confounded(40)
    groups, _ = group_numbers(labels, artefact)
    few = groups.clone()
    few[few == 1], few[0] = 0, 1
    with pytest.raises(InputError, match="group 1 has 1"):
        retrain_last_layer(TwoBrightnesses(), batches(images, labels, few))
    with pytest.raises(InputError, match="the same label"):
        retrain_last_layer(TwoBrightnesses(), batches(images, labels * 0, groups * 0))
    with pytest.raises(InputError, match="no images"):
        retrain_last_layer(TwoBrightnesses(), [])


def test_weights_make_all_groups_count_the_same():
    groups = torch.tensor([3, 3, 3, 3, 3, 3, 7, 7, 9])
    weights = group_weights(groups)
    assert [float(weights[groups == group].sum()) for group in (3, 7, 9)] == pytest.approx([3.0] * 3)
    assert float(weights.mean()) == pytest.approx(1)


def test_the_sampler_draws_every_group_equally_often_and_the_same_again():
    groups = torch.tensor([0] * 90 + [1] * 9 + [2])
    drawn = list(group_sampler(groups, seed=1, count=3000))
    counts = groups[drawn].bincount()
    assert abs(counts - 1000).max() < 4 * (3000 * 2 / 9) ** 0.5  # four standard deviations
    assert drawn == list(group_sampler(groups, seed=1, count=3000))
    assert len(group_sampler(groups)) == 100


def test_columns_of_different_lengths_are_no_groups():
    with pytest.raises(InputError, match=r"\[1, 2\] rows"):
        group_numbers([1, 2], [1])
