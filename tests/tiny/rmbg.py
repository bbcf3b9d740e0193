"""Tiny random networks for background removal, laid out as their publishers lay them out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from pipelines.networks.isnet import ISNet
from pipelines.networks.onnx_engine import export_onnx
from pipelines.networks.u2net import U2Net, Widths
from tests.tiny.birefnet import make_birefnet

NARROW = Widths(((2, 4), (2, 4), (2, 4), (2, 4), (2, 4), (3, 5)), ((2, 4), (2, 4), (2, 4), (2, 4), (2, 3)))
SIZE = (64, 64)
"""What the ONNX files take; the network in torch takes any size."""


def lively(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """Random weights and statistics under which a network's output differs from pixel to pixel."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = make()
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.1)
                layer.running_var.uniform_(0.5, 1.5)
    return network.eval().requires_grad_(False)


def u2net() -> nn.Module:
    return lively(lambda: U2Net(NARROW))


def isnet() -> nn.Module:
    return lively(lambda: ISNet(NARROW, stem=6))


def save(folder: Path) -> None:
    """RMBG-2.0 as its ONNX file alone, U²-Net as rembg's file and as converted safetensors, RMBG-1.4 in both forms,
    BiRefNet as its author's repository and as the ONNX file of another."""
    make_birefnet(folder, "ZhengPeng7/BiRefNet")
    graph(u2net(), folder / "onnx-community/BiRefNet-ONNX/onnx/model.onnx", probability=False)
    graph(u2net(), folder / "briaai/RMBG-2.0/onnx/model.onnx")
    graph(isnet(), folder / "briaai/RMBG-1.4/onnx/model.onnx")
    (folder / "danielgatis/rembg").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / "briaai/RMBG-2.0/onnx/model.onnx", folder / "danielgatis/rembg/u2net.onnx")
    tensors(u2net(), folder / "xuebinqin/U-2-Net/u2net.safetensors")
    tensors(isnet(), folder / "briaai/RMBG-1.4/model.safetensors")
    (folder / "briaai/RMBG-1.4/config.json").write_text('{"in_ch": 3, "out_ch": 1}', encoding="utf-8")


def graph(network: nn.Module, path: Path, batch: int | None = None, *, probability: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    export_onnx(network, path, SIZE, batch=batch, probability=probability)


def tensors(network: nn.Module, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(dict(network.state_dict()), path)
