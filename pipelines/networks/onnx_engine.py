"""ONNX Runtime without copies: what it reads and writes is bound to tensors, on the device that was asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as errors
from torch import nn

from pipelines.errors import UnavailableError
from pipelines.networks.pretrained import damaged
from pipelines.weights import Located

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
TYPES = {"tensor(float)": (torch.float32, np.float32), "tensor(float16)": (torch.float16, np.float16)}
OPSET = 17
UNREADABLE = (errors.InvalidProtobuf, errors.InvalidGraph, errors.Fail, errors.NoSuchFile, errors.NotImplemented,
              errors.InvalidArgument, errors.RuntimeException)  # fmt: skip
"""What ONNX Runtime raises for a file that is no model, or none that this version can run."""


class OnnxNetwork:
    """A graph with one picture in and one map out.

    Args:
        located: names the file in errors.
        path: the ONNX file.
        device: "cpu" or "cuda".

    Attributes:
        dtype: of its input.
        batch: number of pictures that its file fixes, or None where any will do.
        size: ``(h, w)`` that its file fixes, or None.

    Raises:
        UnavailableError: the file is damaged or is no such graph, or CUDA was asked for and is not there.
    """

    def __init__(self, located: Located, path: Path, device: str) -> None:
        self.session = _session(located, path, device)
        self.device = device
        given, found = self.session.get_inputs()[0], self.session.get_outputs()[0]
        self._input, self._output = given.name, found.name
        if len(self.session.get_inputs()) != 1 or {given.type, found.type} - set(TYPES) or len(given.shape) != 4:
            raise damaged(located, f"it takes {given.type} {given.shape}, where one batch of pictures was expected")
        if len(found.shape) != 4 or _fixed(found.shape[1]) not in (None, 1):
            raise damaged(located, f"it gives {found.shape}, where one map a picture was expected")
        self.dtype, self._type = TYPES[given.type]
        self._found_dtype, self._found_type = TYPES[found.type]
        self.batch, (height, width) = _fixed(given.shape[0]), map(_fixed, given.shape[2:])
        self.size = (height, width) if height and width else None

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """``(N, 3, h, w)`` → ``(N, 1, h, w)`` on the same device, in batches of the size that the file fixes.

        Raises:
            torch.OutOfMemoryError: memory ended, whatever ONNX Runtime calls that.
        """
        pixels = pixels.to(self.dtype).contiguous()
        found = torch.empty((len(pixels), 1, *pixels.shape[2:]), dtype=self._found_dtype, device=pixels.device)
        step = self.batch or len(pixels)
        whole = len(pixels) - len(pixels) % step
        for start in range(0, whole, step):
            self._run(pixels[start : start + step], found[start : start + step])
        if whole < len(pixels):  # a file that fixes its batch takes no less: zeros fill the last one up
            rest = len(pixels) - whole
            filled, of_filled = pixels.new_zeros(step, *pixels.shape[1:]), found.new_empty(step, *found.shape[1:])
            filled[:rest] = pixels[whole:]
            self._run(filled, of_filled)
            found[whole:] = of_filled[:rest]
        return found

    def _run(self, pixels: torch.Tensor, found: torch.Tensor) -> None:
        """Fill `found`; both are views of contiguous tensors, so that ONNX Runtime reads and writes their memory."""
        binding = self.session.io_binding()
        binding.bind_input(self._input, self.device, 0, self._type, tuple(pixels.shape), pixels.data_ptr())
        binding.bind_output(self._output, self.device, 0, self._found_type, tuple(found.shape), found.data_ptr())
        options = onnxruntime.RunOptions()
        options.only_execute_path_to_fetches = True  # not what only the other outputs need
        if self.device == "cuda":
            torch.cuda.current_stream().synchronize()  # ONNX Runtime has a stream of its own
        try:
            self.session.run_with_iobinding(binding, options)
        except (errors.Fail, errors.RuntimeException) as error:
            if "llocate memory" in str(error) or "bad_alloc" in str(error):
                raise torch.OutOfMemoryError(str(error)) from error
            raise


def _fixed(dimension: Any) -> int | None:
    return dimension if isinstance(dimension, int) and dimension > 0 else None


def _session(located: Located, path: Path, device: str) -> Any:
    wanted = PROVIDERS[device]
    _check_provider(wanted, onnxruntime.get_available_providers())
    try:
        session = onnxruntime.InferenceSession(path, _options(), providers=[wanted])
    except UNREADABLE as error:
        raise damaged(located, f"ONNX Runtime cannot read {path.name} ({error})") from error
    _check_provider(wanted, session.get_providers())
    return session


def _check_provider(wanted: str, there: Sequence[str]) -> None:
    """ONNX Runtime goes on with the CPU where CUDA fails, and says so in a warning; a row would then tell a lie."""
    if wanted not in there:
        raise UnavailableError(
            f"ONNX Runtime has no {wanted} here, only {', '.join(there)}.",
            "Install onnxruntime-gpu in place of onnxruntime, or use engine=torch or --device cpu.",
        )


def _options() -> Any:
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()  # as OMP_NUM_THREADS or the caller set it
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    return options


class _Probability(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.network(pixels).sigmoid()  # type: ignore[no-any-return]


def export_onnx(network: nn.Module, path: Path, size: tuple[int, int], *, batch: int | None = None,
                probability: bool = True) -> None:  # fmt: skip
    """Write a network as an ONNX file with the input ``pixels`` and the output ``map``.

    Args:
        network: float32 on a CPU, ``(N, 3, h, w)`` → logits ``(N, 1, h, w)``.
        path: of the file.
        size: ``(h, w)`` of the input, which the file fixes.
        batch: number of pictures that the file fixes; None for any.
        probability: whether the graph ends in a sigmoid, as the published files of the U²-Net family do.

    Raises:
        UnavailableError: the package ``onnx`` is missing, or a layer has no ONNX form.
    """
    whole = _Probability(network) if probability else network
    pixels = torch.zeros(batch or 2, 3, *size)
    axes = {} if batch else {"pixels": {0: "batch"}, "map": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter; the newer one needs one package more
        _exported(lambda: torch.onnx.export(whole.eval(), (pixels,), path, input_names=["pixels"],
                                            output_names=["map"], opset_version=OPSET, dynamic_axes=axes,
                                            dynamo=False))  # fmt: skip


def _exported(export: Callable[[], Any]) -> None:
    try:
        export()
    except torch.onnx.errors.OnnxExporterError as error:
        first = str(error).strip().splitlines()[0].rstrip(".")
        raise UnavailableError(
            f"This network cannot be written as ONNX: {first}.",
            "Install the package onnx (pip install onnx), or use engine=torch.",
        ) from error
