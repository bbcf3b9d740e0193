"""U²-Net and IS-Net have the parameters of the published weights, and losing batch normalisation changes nothing."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import torch
from torch import nn

from pipelines.networks.isnet import ISNet
from pipelines.networks.saliency import lean
from pipelines.networks.u2net import FULL, SMALL, U2Net, widths_of
from tests.tiny.rmbg import NARROW, isnet, u2net

PUBLISHED = {
    "u2net": (U2Net, FULL, 44_009_869, "bc4da5825d16dca6d2f5e1918decccd1dd746582b1610ef654da4b4638a5cff7"),
    "u2netp": (U2Net, SMALL, 1_131_181, "33d6979d83673620ff7cb5f16d08e5fe10ab798590ede27dab64640c830325b3"),
    "isnet": (ISNet, FULL, 44_046_790, "892760dd3cb368a358b7115f35c1e80f52873f97a9068c00b39a98396792a0fd"),
}
"""Class, widths, number of parameters, and the sha256 over names and shapes of the state of the authors' own classes."""


def pixels(side: int, n: int = 2) -> torch.Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(side))


@pytest.mark.parametrize("name", PUBLISHED)
def test_names_and_shapes_are_those_of_the_published_weights(name: str) -> None:
    kind, widths, count, digest = PUBLISHED[name]
    with torch.device("meta"):
        network = kind(widths)
    state = network.state_dict()
    listed = "\n".join(f"{key} {tuple(value.shape)}" for key, value in sorted(state.items()))
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    assert hashlib.sha256(listed.encode()).hexdigest() == digest
    assert widths_of(state) == widths


@pytest.mark.parametrize("side", [32, 50, 97, 128])
@pytest.mark.parametrize("make", [u2net, isnet])
def test_any_size_gives_a_map_of_that_size_and_the_fused_one_comes_first(make: Any, side: int) -> None:
    network, given = make(), pixels(side)
    with torch.inference_mode():
        found, maps = network(given), network.maps(given)
    assert [tuple(one.shape) for one in maps] == [(2, 1, side, side)] * (7 if make is u2net else 6)
    assert torch.equal(found, maps[0])
    assert found.std() > 1e-3


def test_the_fused_map_is_the_convolution_of_the_side_outputs() -> None:
    network = u2net()
    fused, *sides = network.maps(pixels(64))
    assert torch.equal(network.outconv(torch.cat(sides, 1)), fused)


@pytest.mark.parametrize("make", [u2net, isnet])
def test_lean_network_gives_the_same_logits(make: Any) -> None:
    given = pixels(64)
    with torch.inference_mode():
        before = make()(given)
        quick = lean(make())
        after = quick(given)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in quick.modules())
    assert torch.allclose(before, after, rtol=1e-4, atol=1e-4 * before.abs().max())


def test_it_learns() -> None:
    network = U2Net(NARROW).train()
    logits = network.maps(pixels(64))
    sum(one.sigmoid().mean() for one in logits).backward()  # type: ignore[union-attr]
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_weights_of_something_else_tell_no_widths() -> None:
    assert widths_of({"stage1.rebnconvin.conv_s1.weight": torch.zeros(1)}) is None
