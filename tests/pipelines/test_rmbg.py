"""Background removal: probabilities pass through untouched, engines agree, and what cannot run says why."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pipelines import create
from pipelines.base import Pipeline
from pipelines.checkpoints.rmbg import CHECKPOINTS
from pipelines.errors import ParameterError, UnavailableError
from pipelines.maps import full_size
from pipelines.rmbg import Rmbg, RmbgParams
from pipelines.types import Evidence, Image, Prompt
from tests.tiny.rmbg import SIZE, graph

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (*SIZE, 3), np.uint8)


def made(folder: Path | str, **params: Any) -> Pipeline:
    return create("rmbg", weights=folder, params=params)


def seen(pipeline: Pipeline, *images: Image, **params: Any) -> list[Evidence]:
    chosen = pipeline.params.model_copy(update=params)
    return pipeline.infer(images, [Prompt()] * len(images), chosen)


class Channel(nn.Module):
    """Gives one channel of the picture back as it was before normalisation, or what else is asked of it."""

    def __init__(self, name: str, channel: int = 0) -> None:
        super().__init__()
        about, self.channel = CHECKPOINTS[name].settings["pixels"], channel
        self.mean, self.std = about["mean"][channel], about["std"][channel]

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values[:, self.channel : self.channel + 1] * self.std + self.mean


class Logits(nn.Module):
    """The same logit everywhere."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = logit

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values[:, :1] * 0 + self.logit


def with_graph(name: str, network: nn.Module, folder: Path, probability: bool = False) -> Pipeline:
    """A checkpoint whose ONNX file is this network."""
    weights = CHECKPOINTS[name].settings["forms"]["onnx"]
    graph(network, folder / weights.repository / weights.files[0], probability=probability)
    return made(folder, checkpoint=name, engine="onnx")


@pytest.mark.parametrize("name", [n for n, c in CHECKPOINTS.items() if c.settings["onnx_output"] == "probability"])
def test_each_checkpoint_normalises_as_it_says_and_nothing_is_stretched(name: str, tmp_path: Path) -> None:
    soft = seen(with_graph(name, Channel(name), tmp_path), PICTURE // 4)[0].soft
    assert soft.dtype == np.float32
    assert np.allclose(soft[0], PICTURE[..., 0] // 4 / 255, atol=1e-6)  # a dark picture stays dark


def test_colours_keep_their_places(tmp_path: Path) -> None:
    for channel in range(3):
        pipeline = with_graph("u2net", Channel("u2net", channel), tmp_path / str(channel))
        assert np.allclose(seen(pipeline, PICTURE)[0].soft[0], PICTURE[..., channel] / 255, atol=1e-6)


def test_flat_picture_gives_a_flat_map(tmp_path: Path) -> None:
    soft = seen(with_graph("u2net", Channel("u2net"), tmp_path), np.full((50, 70, 3), 90, np.uint8))[0].soft
    assert np.allclose(soft, 90 / 255, atol=1e-6)


def test_the_stretch_is_undone_to_the_corner(tmp_path: Path) -> None:
    image = np.zeros((128, 192, 3), np.uint8)
    image[-6:, -9:] = 255
    pipeline = with_graph("u2net", Channel("u2net"), tmp_path)
    evidence = seen(pipeline, image)[0]
    mask = pipeline.decide(evidence).foreground()
    assert evidence.soft.shape == (1, *SIZE)
    assert mask[-1, -1] and mask[-5:, -8:].sum() >= 39
    assert abs(int(mask.sum()) - 6 * 9) <= 4


@pytest.mark.parametrize("name", ["birefnet", "u2net"])
def test_an_empty_map_stays_empty_and_the_kind_of_output_is_honoured(name: str, tmp_path: Path) -> None:
    for logit in (-20.0, -2.0, 2.0):
        # the U²-Net family's files end in a sigmoid, BiRefNet's do not
        pipeline = with_graph(name, Logits(logit), tmp_path / str(logit), probability=name == "u2net")
        evidence = seen(pipeline, PICTURE)[0]
        assert np.allclose(evidence.soft, 1 / (1 + np.exp(-logit)), atol=1e-6)
        assert len(pipeline.decide(evidence).masks) == (logit > 0)


@pytest.mark.parametrize("name", ["rmbg-1.4", "u2net"])
def test_engines_agree(name: str, tiny_weights: Path) -> None:
    by_torch, by_onnx = (made(tiny_weights, checkpoint=name, engine=engine) for engine in ("torch", "onnx"))
    one, other = seen(by_torch, PICTURE, PICTURE[:40], size=64), seen(by_onnx, PICTURE, PICTURE[:40])
    for a, b in zip(one, other, strict=True):
        assert a.soft.std() > 1e-3
        assert np.allclose(a.soft, b.soft, rtol=0, atol=1e-4)
    assert {"engine:torch"} <= by_torch.flags and {"engine:onnx"} <= by_onnx.flags


@pytest.mark.parametrize("name", ["birefnet", "rmbg-1.4", "u2net"])
def test_torch_batch_equals_single_calls_and_repeats_itself(name: str, tiny_weights: Path) -> None:
    pipeline = made(tiny_weights, checkpoint=name, engine="torch")
    images = [PICTURE, RNG.integers(0, 256, (20, 300, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)]
    together = seen(pipeline, *images, size=96)
    for image, evidence in zip(images, together, strict=True):
        alone = seen(pipeline, image, size=96)[0]
        assert alone.soft.shape == (1, 96, 96)
        assert np.allclose(alone.soft, evidence.soft, rtol=0, atol=1e-4)
        assert np.array_equal(alone.soft, seen(pipeline, image, size=96)[0].soft)


def test_file_for_one_picture_is_flagged(tmp_path: Path) -> None:
    weights = CHECKPOINTS["silueta"].weights
    graph(Channel("silueta"), tmp_path / weights.repository / weights.files[0], 1, probability=False)
    pipeline = made(tmp_path, checkpoint="silueta")
    maps = seen(pipeline, PICTURE, PICTURE[::-1])
    assert np.array_equal(maps[0].soft[:, ::-1], maps[1].soft)
    assert "batch_fixed:1" in pipeline.flags


def test_memory_that_ends_halves_the_batch(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = made(tiny_weights, checkpoint="u2net")
    expected = seen(pipeline, *[PICTURE] * 3)
    assert isinstance(pipeline, Rmbg) and pipeline.network is not None
    whole = pipeline.network.probabilities

    def short(pixels: torch.Tensor) -> torch.Tensor:
        if len(pixels) > 1:
            raise torch.OutOfMemoryError("no more")
        return whole(pixels)

    monkeypatch.setattr(pipeline.network, "probabilities", short)
    found = seen(pipeline, *[PICTURE] * 3)
    assert all(np.allclose(a.soft, b.soft, atol=1e-4) for a, b in zip(expected, found, strict=True))
    assert "oom_backoff:1 images" in pipeline.flags


def test_size_must_suit_the_network(tiny_weights: Path) -> None:
    with pytest.raises(ParameterError, match="takes pictures of 64x64, not 96x96"):
        seen(made(tiny_weights, checkpoint="u2net", engine="onnx"), PICTURE, size=96)
    with pytest.raises(ParameterError, match="multiple of 32"):
        seen(made(tiny_weights, checkpoint="u2net", engine="torch"), PICTURE, size=100)


def test_own_size_is_used_where_none_is_asked_for(tiny_weights: Path) -> None:
    evidence = seen(made(tiny_weights, checkpoint="u2net", engine="torch"), PICTURE)[0]
    assert evidence.soft.shape == (1, 320, 320)


def test_the_engine_is_the_first_whose_files_are_there(tiny_weights: Path, tmp_path: Path) -> None:
    def engine(name: str, device: str = "cpu", folder: Path | str = tiny_weights) -> str:
        pipeline = Rmbg(RmbgParams(checkpoint=name), device=device, weights=folder)
        return pipeline._engine(CHECKPOINTS[name])

    assert [engine("rmbg-1.4"), engine("u2net"), engine("birefnet")] == ["onnx", "onnx", "torch"]
    assert [engine("rmbg-1.4", "cuda"), engine("rmbg-2.0", "cuda")] == ["torch", "onnx"]
    shutil.copytree(tiny_weights / "briaai/RMBG-1.4", tmp_path / "briaai/RMBG-1.4")
    shutil.rmtree(tmp_path / "briaai/RMBG-1.4/onnx")
    assert engine("rmbg-1.4", folder=tmp_path) == "torch"
    assert engine("isnet-anime", folder="random") == "torch"


def test_cuda_is_never_replaced_by_the_cpu(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.device.synchroniser", lambda device: None)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    pipeline = Rmbg(RmbgParams(checkpoint="u2net", engine="onnx"), device="cuda", weights=tiny_weights)
    with pytest.raises(UnavailableError, match="no CUDAExecutionProvider here"):
        pipeline.load()


@pytest.mark.parametrize(("name", "folder"), [("silueta", "folder"), ("isnet-anime", "folder"), ("silueta", "random")])
def test_torch_without_an_architecture_of_ours_is_unavailable(name: str, folder: str, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=f"{name} has no.*engine=onnx"):
        made("random" if folder == "random" else tmp_path, checkpoint=name, engine="torch").load()


def test_weights_that_nobody_publishes_as_safetensors_are_unavailable() -> None:
    with pytest.raises(
        UnavailableError, match="no safetensors file of u2net.*FOLDER/xuebinqin/U-2-Net/u2net.safetensors"
    ):
        create("rmbg", params={"checkpoint": "u2net", "engine": "torch"}).load()


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="briaai/RMBG-2.0"):
        made(tmp_path).load()


def damage(folder: Path, how: str) -> None:
    path = folder / "xuebinqin/U-2-Net/u2net.safetensors"
    state = load_file(path)
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif how == "pickle":
        path.write_bytes(pickle.dumps(state["outconv.bias"].tolist()))
    else:
        key = "stage3d.rebnconv2.bn_s1.running_var"
        changed = {
            "missing": {},
            "unexpected": {**state, "extra": torch.zeros(1)},
            "mismatched": {**state, key: torch.ones(9)},
        }
        save_file(changed[how] or {k: v for k, v in state.items() if k != key}, path)


@pytest.mark.parametrize("how", ["missing", "unexpected", "mismatched", "truncated", "pickle"])
def test_damaged_weights_are_refused(how: str, tiny_weights: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_weights / "xuebinqin", tmp_path / "xuebinqin")
    damage(tmp_path, how)
    told = {"truncated": "damaged", "pickle": "pickle"}.get(how, f"1 {how} weights")
    with pytest.raises(UnavailableError, match=f"xuebinqin/U-2-Net.*{told}"):
        made(tmp_path, checkpoint="u2net", engine="torch").load()


def test_random_weights_are_the_real_architecture_and_repeat_themselves() -> None:
    one, other = (made("random", checkpoint="u2netp") for _ in range(2))
    evidence = seen(one, PICTURE, size=64)[0]
    assert np.array_equal(evidence.soft, seen(other, PICTURE, size=64)[0].soft)
    assert {"random:u2netp", "engine:torch"} <= one.flags
    assert one.loaded[0].random
    assert one.dtype == "float32"


def test_random_weights_go_through_onnx_too() -> None:
    pipeline = made("random", checkpoint="u2netp", engine="onnx")
    evidence = seen(pipeline, PICTURE)[0]
    assert np.allclose(evidence.soft, seen(made("random", checkpoint="u2netp"), PICTURE)[0].soft, atol=1e-4)


def test_half_the_precision_is_close(tiny_weights: Path) -> None:
    whole = seen(made(tiny_weights, checkpoint="u2net", engine="torch"), PICTURE, size=64)[0].soft
    half = made(tiny_weights, checkpoint="u2net", engine="torch", dtype="bfloat16")
    found = seen(half, PICTURE, size=64)[0].soft
    assert half.dtype == "bfloat16"
    assert found.dtype == np.float32
    assert np.abs(found - whole).mean() < 0.02


def drawn() -> Evidence:
    """A large square with a hole, and a small one beside it."""
    soft = np.zeros((1, 100, 100), np.float32)
    soft[0, 10:60, 10:60], soft[0, 30:35, 30:35], soft[0, 80:84, 80:84] = 0.75, 0.25, 1
    return Evidence((100, 100), soft=soft)


def test_decision_fills_and_drops_by_area() -> None:
    def area(**params: Any) -> int:
        return int(Rmbg().decide(drawn(), RmbgParams(**params)).foreground().sum())

    assert area() == 2500 - 25 + 16
    assert area(max_hole=0.0024) == area()
    assert area(max_hole=0.0025) == 2500 + 16
    assert area(min_area=0.0017) == 2500 - 25
    assert area(min_area=0.2, threshold=0.8) == 0
    assert area(threshold=0) == 10_000


def test_the_score_is_the_mean_probability_and_a_tensor_gives_the_same_as_an_array() -> None:
    evidence = drawn()
    found = Rmbg().decide(evidence)
    assert np.allclose(found.scores, full_size(evidence)[full_size(evidence) >= 0.5].mean())
    for params in (
        RmbgParams(),
        RmbgParams(max_hole=0.1, min_area=0.01),
        RmbgParams(threshold=1.0),
        RmbgParams(threshold=0.9),
    ):
        host, device = (
            Rmbg().decide(e, params) for e in (evidence, replace(evidence, soft=torch.from_numpy(evidence.soft)))
        )
        assert np.array_equal(host.masks, device.masks)
        assert np.allclose(host.scores, device.scores, atol=1e-6)
