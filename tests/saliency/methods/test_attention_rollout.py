"""Abnar and Zuidema's rollout, written slowly, against three ways in which networks attend."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import camlucida
from camlucida.errors import UnsupportedNetwork
from camlucida.models.target_layer import find_cut
from camlucida.saliency.methods import METHODS
from camlucida.saliency.recording import Recording
from example_networks import Dense, images, make

WIDTH, HEADS = 8, 2


class Block(nn.Module):
    """Attention in one of three ways, with the same weights: torch's products, torch's module, by hand."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.norm = nn.LayerNorm(WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        nn.init.normal_(self.attention.in_proj_weight, std=1.0)

    def forward(self, tokens: Tensor) -> Tensor:
        given = self.norm(tokens)
        if self.way == "module":
            return tokens + self.attention(given, given, given, need_weights=False)[0]
        packed = functional.linear(given, self.attention.in_proj_weight, self.attention.in_proj_bias)
        query, key, value = packed.unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        if self.way == "products":
            mixed = functional.scaled_dot_product_attention(query, key, value)
        else:
            mixed = (query @ key.transpose(2, 3) / math.sqrt(WIDTH // HEADS)).softmax(dim=-1) @ value
        return tokens + self.attention.out_proj(mixed.transpose(1, 2).flatten(2))


class Small(nn.Module):
    """Two blocks; the head reads the class token, or the mean of the patches' tokens."""

    def __init__(self, way: str = "products", *, token: bool = True) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, WIDTH, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH)) if token else None
        self.blocks = nn.Sequential(Block(way), Block(way))
        self.norm, self.fc = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        if self.token is not None:
            tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], dim=1)
        tokens = self.norm(self.blocks(tokens))
        return self.fc(tokens.mean(1) if self.token is None else tokens[:, 0])


X = torch.randn(2, 1, 8, 12, generator=torch.Generator().manual_seed(1))
WAYS = ["products", "module", "by hand"]


def weights_of(block, tokens):
    """softmax(q k / sqrt(d)) of each head for one image, number by number; the mean over the heads."""
    given = block.norm(tokens)
    query, key, _ = (given @ block.attention.in_proj_weight.T + block.attention.in_proj_bias).chunk(3, dim=1)
    count, width = len(tokens), WIDTH // HEADS
    mean = [[0.0] * count for _ in range(count)]
    for head in range(HEADS):
        part = slice(head * width, (head + 1) * width)
        for i in range(count):
            scores = [float(query[i, part] @ key[j, part]) / math.sqrt(width) for j in range(count)]
            total = sum(math.exp(score) for score in scores)
            for j in range(count):
                mean[i][j] += math.exp(scores[j]) / total / HEADS
    return mean


def rollout(network, image):
    """Equation 1: A = 0.5 W + 0.5 I, and rollout(l) = A(l) rollout(l - 1)."""
    tokens = network.patches(image[None])[0].flatten(1).T
    if network.token is not None:
        tokens = torch.cat([network.token[0], tokens])
    count = len(tokens)
    flow = [[float(i == j) for j in range(count)] for i in range(count)]
    for block in network.blocks:
        weights = weights_of(block, tokens)
        layer = [[0.5 * weights[i][j] + 0.5 * (i == j) for j in range(count)] for i in range(count)]
        flow = [
            [sum(layer[i][k] * flow[k][j] for k in range(count)) for j in range(count)] for i in range(count)
        ]
        tokens = block(tokens[None])[0]
    return torch.tensor(flow)


@torch.no_grad()
@pytest.mark.parametrize("token", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_rollout_is_the_papers_whichever_way_the_network_attends(way, token):
    network = make(lambda: Small(way, token=token))
    maps = maps_of(network, X)
    for image, found in zip(X, maps, strict=True):
        flow = rollout(network, image)
        expected = flow[0, 1:] if token else flow.mean(dim=0)
        torch.testing.assert_close(found[0].flatten(), expected, rtol=1e-4, atol=1e-6)
        assert torch.equal(found[0], found[2])


@torch.no_grad()
def test_a_row_that_pools_is_the_last_step():
    """Attention pooling has a query of its own, which attends to all tokens."""
    network = make(lambda: Small(token=False))
    query = torch.randn(1, 1, 1, WIDTH, generator=torch.Generator().manual_seed(2))

    def pooled(_module, _inputs, tokens):
        return functional.scaled_dot_product_attention(query, tokens[:, None], tokens[:, None])[:, 0]

    network.norm.register_forward_hook(pooled)
    (found,) = maps_of(network, X[:1])
    tokens = nn.functional.layer_norm(
        network.blocks(network.patches(X[:1]).flatten(2).transpose(1, 2)), (WIDTH,)
    )
    row = (tokens[0] @ query.flatten() / math.sqrt(WIDTH)).softmax(0)
    torch.testing.assert_close(found[0].flatten(), row @ rollout(network, X[0]), rtol=1e-4, atol=1e-6)


class Windows(Small):
    """Tokens attend in windows of six, as many as the grid will have: the shapes of the weights are alike."""

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2).reshape(-1, 6, WIDTH)
        tokens = self.blocks(tokens).reshape(len(x), 2, 2, 2, 3, WIDTH).mean(dim=(1, 3)).flatten(1, 2)
        return self.fc(self.norm(tokens).mean(1))


def test_windows_and_networks_without_attention_are_refused():
    with pytest.raises(UnsupportedNetwork, match="has no attention"):
        camlucida.explain(make(Dense), images(Dense), method="attention rollout")
    with pytest.raises(UnsupportedNetwork, match=r"attends 4 times among 6, as in the windows of Swin"):
        camlucida.explain(
            make(lambda: Windows(token=False)), torch.randn(1, 1, 16, 24), method="attention rollout",
            target_layer="patches",
        )  # fmt: skip


def maps_of(network, inputs):
    recording = Recording(network, inputs, find_cut(network, inputs))
    return METHODS["attention rollout"].compute(recording, variant="", progress=None)
