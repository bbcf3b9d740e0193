"""Fixtures that several folders of tests share."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # no test goes to the network; read by the hub's library when it is imported
os.environ["SEGMENTATION_WORKBENCH_PRESETS"] = os.devnull  # whoever runs the tests may have presets of their own
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of hundreds of processes compiles everything again
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny networks gain nothing from threads; read when torch is imported
ROOT = Path(__file__).parent.parent
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Small pictures gain nothing from threads, and two cores are soon full."""
    cv2.setNumThreads(1)
    yield


@pytest.fixture(scope="session")
def plugin_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin of tests/plugin, built as a wheel and unpacked where Python finds it, as an installer does."""
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    subprocess.run(build, cwd=ROOT / "tests" / "plugin", check=True, capture_output=True)
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        wheel.extractall(site)
    return site


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights as ``--weights FOLDER`` takes it: tiny random networks of every family."""
    folder = tmp_path_factory.mktemp("weights")
    for module in sorted(path.stem for path in (ROOT / "tests" / "tiny").glob("*.py")):
        made = importlib.import_module(f"tests.tiny.{module}")
        if hasattr(made, "save"):
            made.save(folder)
    return folder


@pytest.fixture
def command(tmp_path: Path) -> Run:
    """Run a command as a user does, in an empty folder; keyword arguments are environment variables."""
    return commanding(tmp_path)


def commanding(folder: Path) -> Run:
    """The same in a folder."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", *arguments],
            cwd=folder,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **variables, "PYTHONPATH": python_path(variables)},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def python_path(variables: Mapping[str, str] = os.environ) -> str:
    """What is asked for, then this tree, wherever the package that is installed lies."""
    return os.pathsep.join([*filter(None, [variables.get("PYTHONPATH")]), str(ROOT)])


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder of six small pictures of a bright disc with their masks."""
    return photographed(tmp_path / "photographs")


def photographed(folder: Path) -> Path:
    """The same in a folder that is not there yet."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for index in range(6):
        image, mask = disc(height=60 + index, width=80, radius=12 + index)
        image[0, 0] = index  # the plugin's fault "every_other" goes by it
        cv2.imwrite(str(folder / "images" / f"p{index}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"p{index}.png"), mask)
    return folder


def disc(height: int, width: int, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright disc on a dark ground with a little noise, and its mask 0 or 255."""
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, (width // 2, height // 2), radius, 255, -1)
    noise = np.random.default_rng(radius).integers(0, 12, (height, width, 3))
    return np.where(mask[..., None] > 0, 210, 30).astype(np.uint8) + noise.astype(np.uint8), mask
