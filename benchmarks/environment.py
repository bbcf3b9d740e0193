"""What machine, which versions and which sources made a result."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "scipy", "opencv-python", "opencv-python-headless", "pillow", "pillow-heif", "scikit-image")
NETWORK_PACKAGES = ("torch", "torchvision", "transformers", "onnxruntime")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SOURCE_KINDS = (".py", ".yaml", ".yml", ".png")


def environment(device: str) -> dict[str, Any]:
    """The stamp that stands beside every result; the network packages are named where a device runs them."""
    import cv2

    stamp: dict[str, Any] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "opencv_threads": cv2.getNumThreads(),
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
        "packages": versions((*PACKAGES, *NETWORK_PACKAGES)),
        "device": device,
    }
    if device == "cuda":
        import torch

        stamp |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
    return stamp


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those packages that are installed."""
    there = (package for package in packages if importlib.util.find_spec(_module(package)))
    return {package: found for package in there if (found := _version(package))}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _module(package: str) -> str:
    modules = {"opencv-python": "cv2", "opencv-python-headless": "cv2", "pillow": "PIL", "scikit-image": "skimage",
               "rf-groundingdino": "groundingdino", "rf-segment-anything": "segment_anything"}  # fmt: skip
    return modules.get(package, package.replace("-", "_"))


@cache
def cpu_name() -> str:
    """The processor as the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def source_hashes(modules: Iterable[str]) -> dict[str, str]:
    """Hash of all source files of each top-level package, from the files themselves: git may not be there, or be dirty.

    Args:
        modules: names of modules, such as those of the pipelines in a run.
    """
    packages = sorted({"pipelines", "benchmarks", *(name.partition(".")[0] for name in modules)})
    return {package: _package_hash(package) for package in packages}


@cache
def _package_hash(package: str) -> str:
    spec = importlib.util.find_spec(package)
    roots = (list(spec.submodule_search_locations or ()) or [str(spec.origin)]) if spec else []
    digest = hashlib.sha256()
    for name, path in sorted(_sources(Path(str(root)) for root in roots)):
        digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _sources(roots: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    for root in roots:
        for path in root.rglob("*") if root.is_dir() else [root]:
            if path.suffix in SOURCE_KINDS and path.is_file():
                yield path.relative_to(root.parent).as_posix(), path
