"""BiRefNet has the weights of the published files, refuses any other, and gives one map an image whatever the batch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pipelines.errors import ContractError, UnavailableError
from pipelines.networks.birefnet import BiRefNet, BiRefNetSize, load_birefnet, shapes, training_only
from pipelines.networks.birefnet_decoder import patches
from pipelines.networks.swin import SIZES, SwinSize, from_windows, shifted_mask, to_windows
from pipelines.types import Weights
from pipelines.weights import Located
from tests.tiny.birefnet import TINY, birefnet, make_birefnet

PUBLISHED = {
    "swin_v1_t": (44_313_720, 586, "21fbcd6899bd52164eb47e7d0af30df38035302a1540caef7ffd6878bb5e8e3c"),
    "swin_v1_l": (220_176_498, 754, "acbf22b9f4441cb7a524cf30344e028d9d3a917f8c45f748304d908f6f3d43de"),
}
"""Number of parameters and of tensors, and the sha256 over names and shapes of the state of the authors' own class."""

WEIGHTS = Weights("hub", "someone/tiny", "MIT", ("config.json", "model.safetensors"))
SETTINGS = {"backbone": "swin_v1_l"}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return birefnet()


@pytest.fixture
def located(tmp_path: Path) -> Located:
    return Located(WEIGHTS, make_birefnet(tmp_path, WEIGHTS.repository))


def load(located: Located, settings: dict[str, Any] = SETTINGS) -> nn.Module:
    return load_birefnet(located, settings, device="cpu", dtype=torch.float32)


def pixels(height: int, width: int, n: int = 1) -> torch.Tensor:
    return torch.randn(n, 3, height, width, generator=torch.Generator().manual_seed(height))


@pytest.mark.parametrize("backbone", PUBLISHED)
def test_names_and_shapes_are_those_of_the_published_weights(backbone: str) -> None:
    count, tensors, digest = PUBLISHED[backbone]
    size = BiRefNetSize(SIZES[backbone])
    with torch.device("meta"):
        network = BiRefNet(size)
    unused = training_only(size)
    state = shapes(network) | unused
    listed = "\n".join(f"{name} {shape}" for name, shape in sorted(state.items()))
    own = sum(parameter.numel() for parameter in network.parameters())
    assert own + sum(torch.Size(shape).numel() for shape in unused.values()) == count
    assert len(state) == tensors
    assert hashlib.sha256(listed.encode()).hexdigest() == digest


@pytest.mark.parametrize(("height", "width"), [(64, 64), (32, 96), (160, 32)])
def test_one_map_of_the_size_of_the_image_the_same_alone_and_in_a_batch(
    network: nn.Module, height: int, width: int
) -> None:
    given = pixels(height, width, n=3)
    with torch.inference_mode():
        together, again = network(given), network(given)
        alone = torch.cat([network(one[None]) for one in given])
    assert together.shape == (3, 1, height, width)
    assert torch.equal(together, again)
    assert together.std() > 1e-2
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)


def test_every_part_of_the_network_is_seen_in_its_output(network: nn.Module) -> None:
    given = pixels(64, 64)
    before = network(given)
    for part in ("bb.layers.3.blocks.0.attn.qkv", "squeeze_module.0.dec_att.aspp_deforms.2.atrous_conv.offset_conv",
                 "decoder.ipt_blk5.conv1", "decoder.gdt_convs_attn_4.0", "decoder.lateral_block2.conv"):  # fmt: skip
        weight = network.get_parameter(f"{part}.weight")
        kept = weight.clone()
        weight.copy_(2 * kept + 0.1)
        assert (network(given) - before).abs().max() > 1e-5, part
        weight.copy_(kept)


@pytest.mark.parametrize(("height", "width"), [(64, 65), (48, 64), (0, 32)])
def test_sides_that_32_does_not_divide_are_refused(network: nn.Module, height: int, width: int) -> None:
    with pytest.raises(ContractError, match="multiple of 32"):
        network(pixels(height, width))


def test_half_precision_stays_near(network: nn.Module) -> None:
    given = pixels(64, 64)
    near = birefnet().to(torch.bfloat16)(given.bfloat16())
    assert near.dtype == torch.bfloat16
    assert (near.float() - network(given)).abs().mean() < 0.1 * network(given).std()


def test_weights_load_and_give_the_same_map(network: nn.Module, located: Located) -> None:
    given = pixels(64, 64)
    assert torch.equal(load(located)(given), network(given))
    assert not any(parameter.requires_grad for parameter in load(located).parameters())


def test_weights_of_training_alone_may_be_lacking(network: nn.Module, located: Located) -> None:
    path = located.file("model.safetensors")
    state = load_file(path)
    assert training_only(TINY).keys() <= state.keys()
    save_file({name: value for name, value in state.items() if name not in training_only(TINY)}, path)
    assert load(located).state_dict().keys() == network.state_dict().keys()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("bb.norm0.weight"), "1 missing weights, such as bb.norm0.weight"),
        (lambda state: state.update(refiner=torch.zeros(1)), "1 unexpected weights, such as refiner"),
        (lambda state: state.update({"bb.norm0.bias": torch.zeros(5)}), "1 mismatched weights, such as bb.norm0.bias"),
        (lambda state: state.update({"decoder.conv_ms_spvn_4.bias": torch.zeros(5)}), "1 mismatched weights"),
    ],
)
def test_any_other_weights_are_refused(located: Located, change: Any, said: str) -> None:
    path = located.file("model.safetensors")
    state = load_file(path)
    change(state)
    save_file(state, path)
    with pytest.raises(UnavailableError, match=said):
        load(located)


def test_damaged_files_are_refused(located: Located) -> None:
    path = located.file("model.safetensors")
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(UnavailableError, match="cannot be loaded"):
        load(located)
    path.write_bytes(whole)
    located.file("config.json").write_text("{", encoding="utf-8")
    with pytest.raises(UnavailableError, match=r"config\.json is not JSON"):
        load(located)


def test_a_published_config_names_code_that_is_neither_needed_nor_run(located: Located) -> None:
    code = {"AutoModelForImageSegmentation": "birefnet.BiRefNet"}
    config = {"architectures": ["BiRefNet"], "auto_map": code, "bb_pretrained": False}
    located.file("config.json").write_text(json.dumps(config), encoding="utf-8")
    located.file("birefnet.py").write_text("raise AssertionError", encoding="utf-8")
    with pytest.raises(UnavailableError, match="missing weights"):  # the size is then that of the settings
        load(located)


def test_random_weights_are_the_same_each_time_and_leave_the_generator_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "tiny", TINY.backbone)
    state = torch.get_rng_state()
    first, second = (load(Located(WEIGHTS, None), {"backbone": "tiny"}) for _ in range(2))
    assert torch.equal(first(pixels(32, 32)), second(pixels(32, 32)))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_order_of_the_patches_is_a_setting(located: Located, network: nn.Module) -> None:
    given = pixels(64, 64)
    assert not torch.equal(load(located, {**SETTINGS, "patch_order": "column"})(given), network(given))


def test_patches_hold_every_pixel_in_the_order_that_is_asked_for() -> None:
    given = torch.arange(3 * 4 * 6).view(1, 3, 4, 6)
    by_colour, by_column = (patches(given, 2, 2, order)[0] for order in ("colour", "column"))
    cut = given[0].unfold(1, 2, 2).unfold(2, 2, 2)  # colour, row, column, height, width
    for colour, row, column in ((0, 0, 1), (1, 1, 0), (2, 1, 2), (1, 0, 2)):
        assert torch.equal(by_colour[colour * 6 + row * 3 + column], cut[colour, row, column])
        assert torch.equal(by_column[column * 6 + row * 3 + colour], cut[colour, row, column])


def test_windows_come_back_as_they_were() -> None:
    tokens = torch.randn(2, 8, 12, 3)
    windows = to_windows(tokens, 4)
    assert windows.shape == (2, 6, 16, 3)
    assert torch.equal(windows[1, 1].view(4, 4, 3), tokens[1, :4, 4:8])
    assert torch.equal(from_windows(windows, 4, 8, 12), tokens)


def test_a_shift_joins_no_opposite_edges() -> None:
    mask = shifted_mask(8, 8, 4, 2, torch.device("cpu"), torch.float32)
    joined = mask[:, 0] == 0
    assert joined[0].all()
    assert joined.sum((1, 2)).tolist() == [256, 128, 128, 64]
    assert joined.diagonal(dim1=1, dim2=2).all()


def test_sizes_of_the_backbones() -> None:
    assert SIZES["swin_v1_l"] == SwinSize(192, (2, 2, 18, 2), (6, 12, 24, 48), 12)
    assert BiRefNetSize(SIZES["swin_v1_t"]).channels == (1536, 768, 384, 192)
