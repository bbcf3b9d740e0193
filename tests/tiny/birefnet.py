"""A tiny random BiRefNet, saved as its publishers' repositories hold it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from pipelines.networks.birefnet import BiRefNet, BiRefNetSize, training_only
from pipelines.networks.swin import SwinSize

TINY = BiRefNetSize(SwinSize(8, (2, 1, 1, 1), (1, 2, 2, 2), 4), width=8, branch=4)


def birefnet(size: BiRefNetSize = TINY) -> nn.Module:
    """Weights, offsets and statistics under which every part of the network is seen in its output."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        network = BiRefNet(size)
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0, layer.in_features**-0.5)
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.1)
                layer.running_var.uniform_(0.5, 1.5)
    return network.eval().requires_grad_(False)


def make_birefnet(folder: Path, repository: str) -> Path:
    """The published files, with the weights that serve training alone; returns the folder of the repository."""
    place = folder / repository
    place.mkdir(parents=True, exist_ok=True)
    unused = {name: torch.zeros(shape) for name, shape in training_only(TINY).items()}
    save_file({**birefnet().state_dict(), **unused}, place / "model.safetensors")
    sizes: dict[str, Any] = {**asdict(TINY.backbone), "width": TINY.width, "branch": TINY.branch}
    config = {"architectures": ["BiRefNet"], "bb_pretrained": False, "sizes": sizes}
    (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return place
