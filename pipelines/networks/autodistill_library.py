"""The packages of the extra `autodistill`, imported so that they change nothing but themselves."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType

import torch

from pipelines.errors import UnavailableError

NOISE = (
    "Importing from timm.models.layers is deprecated",
    "torch.meshgrid: in an upcoming release",
    r"`torch.cuda.amp.autocast\(args...\)` is deprecated",
    "User provided device_type of 'cuda', but CUDA is not available",
    "invalid escape sequence",
)
"""How the warnings begin that the library earns, and that nobody here can cure."""

ENVIRONMENT = ("CUBLAS_WORKSPACE_CONFIG", "TOKENIZERS_PARALLELISM")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the known warnings of the library, and no others."""
    with warnings.catch_warnings():
        for message in NOISE:
            warnings.filterwarnings("ignore", message=message)
        yield


def module(name: str) -> ModuleType:
    """A module of GroundingDINO or segment-anything, as Roboflow packages them.

    Raises:
        UnavailableError: the extra is not installed.
    """
    try:
        with quiet():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"The engine autodistill needs the package {error.name}, which is not installed.",
            'Install it with pip install "segmentation-workbench[autodistill]", or choose the engine transformers.',
        ) from error


def seed_library() -> ModuleType:
    """The library of the seed itself, ``autodistill_grounded_sam``, for comparisons; the engine does not need it.

    Its import asks for `roboflow`, which it uses for uploads alone and which would bring a second OpenCV: an empty
    module stands in while it is imported. It also prints to stdout, sets environment variables and switches
    deterministic algorithms off: all of it is undone.

    Raises:
        UnavailableError: the extra is not installed.
    """
    strict, warn = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    try:
        with _stand_in("roboflow"), contextlib.redirect_stdout(sys.stderr):
            return module("autodistill_grounded_sam")
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warn)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def _stand_in(name: str) -> Iterator[None]:
    """An empty module where there is none, for as long as the block runs."""
    if name in sys.modules or importlib.util.find_spec(name) is not None:
        yield
        return
    sys.modules[name] = ModuleType(name)
    try:
        yield
    finally:
        del sys.modules[name]
