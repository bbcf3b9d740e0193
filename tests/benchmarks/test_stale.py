"""Whatever decides a result decides the name of its run, so that nothing stored stands for something else.

Weights are not known before they are loaded: see `test_stored_rows_are_of_the_weights_that_are_there`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from benchmarks import environment
from benchmarks.plan import Request, plan


def run_id(folder: Path, pipelines: str = "classical", prompts: tuple[str, ...] = ()) -> str:
    return plan(Request(str(folder), pipelines=pipelines, prompts=prompts))[0].run_id


def one_pixel(path: Path) -> None:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    pixels[-1, -1] = 255 - pixels[-1, -1]
    cv2.imwrite(str(path), pixels)


CHANGES: dict[str, Callable[[Path], None]] = {
    "a picture": lambda folder: one_pixel(folder / "images" / "p3.png"),
    "a mask": lambda folder: one_pixel(folder / "masks" / "p3.png"),
    "one picture less": lambda folder: [(folder / name / "p5.png").unlink() for name in ("images", "masks")] and None,
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_dataset_is_another_run(photographs: Path, change: str) -> None:
    before = run_id(photographs)
    assert run_id(photographs) == before
    CHANGES[change](photographs)
    assert run_id(photographs) != before


def test_another_tag_is_another_run(photographs: Path) -> None:
    lines = ["file_name,mask_file_name,ground", *(f"images/p{i}.png,masks/p{i}.png,wood" for i in range(6))]
    (photographs / "metadata.csv").write_text("\n".join(lines))
    before = run_id(photographs)
    (photographs / "metadata.csv").write_text("\n".join(lines).replace("wood", "steel", 1))
    assert run_id(photographs) != before


def test_another_parameter_or_prompt_is_another_run(photographs: Path) -> None:
    keys = {run_id(photographs), run_id(photographs, "classical:min_area=0.01"),
            run_id(photographs, prompts=("coin",)), run_id(photographs, prompts=("token",))}  # fmt: skip
    assert len(keys) == 4


@pytest.mark.parametrize("name", ["inside.py", "preset.yaml"])
def test_another_source_file_is_another_hash(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "somebodys_pipelines"
    package.mkdir()
    (package / "__init__.py").write_text('"""A plugin."""\n')
    (package / name).write_text("a: 1\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    environment._package_hash.cache_clear()
    before = environment.source_hashes(["somebodys_pipelines.inside"])
    (package / name).write_text("a: 2\n")
    environment._package_hash.cache_clear()
    after = environment.source_hashes(["somebodys_pipelines.inside"])
    assert {package for package in after if after[package] != before[package]} == {"somebodys_pipelines"}
    environment._package_hash.cache_clear()
