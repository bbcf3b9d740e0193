"""ONNX files: the same numbers as torch, any number of pictures, and no silent way from CUDA to the CPU."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from pipelines.errors import UnavailableError
from pipelines.networks import onnx_engine
from pipelines.networks.onnx_engine import OnnxNetwork, export_onnx
from pipelines.types import Weights
from pipelines.weights import Located
from tests.tiny.rmbg import SIZE, graph, isnet, u2net


def opened(path: Path, device: str = "cpu") -> OnnxNetwork:
    return OnnxNetwork(Located(Weights("hub", "owner/name", "MIT", (path.name,)), path.parent), path, device)


def pixels(n: int) -> torch.Tensor:
    return torch.randn(n, 3, *SIZE, generator=torch.Generator().manual_seed(n))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The file of a tiny U²-Net for a number of pictures; None = any. To write one takes seconds."""

    @cache
    def written(batch: int | None = None) -> Path:
        path = tmp_path_factory.mktemp("onnx") / "model.onnx"
        graph(u2net(), path, batch=batch)
        return path

    return written


@pytest.mark.parametrize("make", [u2net, isnet])
def test_the_file_gives_what_torch_gives_for_any_number_of_pictures(make: Any, tmp_path: Path) -> None:
    network = make()
    graph(network, tmp_path / "model.onnx")
    found = opened(tmp_path / "model.onnx")
    assert (found.batch, found.size, found.dtype) == (None, SIZE, torch.float32)
    for n in (1, 3):
        with torch.inference_mode():
            assert torch.allclose(found(pixels(n)), network(pixels(n)).sigmoid(), rtol=0, atol=1e-4)


def test_a_file_for_one_picture_is_run_once_for_each(drawn: Callable[..., Path]) -> None:
    one, many = opened(drawn(1)), opened(drawn())
    assert one.batch == 1
    assert torch.allclose(one(pixels(3)), many(pixels(3)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("n", [1, 3, 4])
def test_a_file_for_two_pictures_takes_any_number(drawn: Callable[..., Path], n: int) -> None:
    found = opened(drawn(2))(pixels(n))
    assert torch.allclose(found, opened(drawn())(pixels(n)), rtol=0, atol=1e-5)


def test_results_are_not_overwritten_by_the_next_call(drawn: Callable[..., Path]) -> None:
    network = opened(drawn())
    first = network(pixels(1))
    kept = first.clone()
    network(pixels(1) + 1)
    assert torch.equal(first, kept)
    assert torch.equal(network(pixels(1)), kept)


def test_cuda_that_is_not_there_is_an_error(drawn: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(UnavailableError, match="no CUDAExecutionProvider here.*onnxruntime-gpu"):
        opened(drawn(), "cuda")


def test_cuda_that_fails_while_the_session_starts_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_cpu = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: on_cpu)
    with pytest.raises(UnavailableError, match="no CUDAExecutionProvider here"):
        opened(tmp_path / "model.onnx", "cuda")


@pytest.mark.parametrize(
    "content", [b"", b"not a model", pickle.dumps({"weights": [1, 2]})], ids=["empty", "text", "pickle"]
)
def test_a_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(UnavailableError, match="owner/name cannot be loaded"):
        opened(tmp_path / "model.onnx")


def test_a_truncated_file_is_refused(drawn: Callable[..., Path], tmp_path: Path) -> None:
    whole = drawn().read_bytes()
    (tmp_path / "model.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnavailableError, match="owner/name cannot be loaded"):
        opened(tmp_path / "model.onnx")


class TwoMaps(nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values[:, :2]


def test_a_graph_that_gives_something_else_is_refused(tmp_path: Path) -> None:
    export_onnx(TwoMaps(), tmp_path / "model.onnx", SIZE)
    with pytest.raises(UnavailableError, match="where one map a picture was expected"):
        opened(tmp_path / "model.onnx")


class Order(nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.ops.aten.frexp(values[:, :1])[0]


def test_a_layer_without_an_onnx_form_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be written as ONNX.*engine=torch"):
        export_onnx(Order(), tmp_path / "model.onnx", SIZE)


def test_memory_that_ends_is_told_apart_from_other_failures(
    drawn: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = opened(drawn())
    failure = onnx_engine.errors.RuntimeException
    for text, kind in (("Failed to allocate memory for requested buffer", torch.OutOfMemoryError), ("odd", failure)):

        def fails(*_: Any, text: str = text) -> None:
            raise failure(text)

        stand_in = SimpleNamespace(io_binding=network.session.io_binding, run_with_iobinding=fails)
        with monkeypatch.context() as patched, pytest.raises(kind, match=text):
            patched.setattr(network, "session", stand_in)
            network(pixels(1))


def test_half_precision_files_are_given_and_give_half_precision(tmp_path: Path) -> None:
    class Halved(nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return values[:, :1] * 0.5

    export_onnx(Halved(), tmp_path / "model.onnx", SIZE, probability=False)
    model = onnx.load(tmp_path / "model.onnx")
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    for node in model.graph.node:
        for attribute in (a for a in node.attribute if a.t.data_type == onnx.TensorProto.FLOAT):
            attribute.t.CopyFrom(onnx.numpy_helper.from_array(np.float16(0.5)))
    onnx.save(model, tmp_path / "half.onnx")
    found = opened(tmp_path / "half.onnx")
    assert found.dtype == torch.float16
    assert torch.allclose(found(pixels(2)).float(), 0.5 * pixels(2)[:, :1], atol=1e-3)
