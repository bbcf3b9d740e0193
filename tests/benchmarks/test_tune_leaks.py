"""What `python -m benchmarks.tune` refuses to tune on: copies across splits, all named, and each with a way out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.command import run_command
from benchmarks.datasets import open_dataset
from benchmarks.datasets.splits import choose_split
from benchmarks.tune.__main__ import app
from tests.benchmarks import tuning
from tests.benchmarks.copies import COPIES, made_folder, picture

SPLITS = {f"p{n}": "tune" if n < 4 else "test" for n in range(8)}


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tuning.installed(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def tune(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    def run(dataset: Path, *options: str) -> tuple[int, dict[str, Any]]:
        given = ["smooth", "--dataset", str(dataset), "--trials", "4", "--folds", "2", "--jobs", "1", "--json"]
        monkeypatch.setattr(sys, "argv", ["tune", *given, *options])
        code = run_command(app)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, json.loads(out)

    return run


def refusal(found: tuple[int, dict[str, Any]]) -> str:
    code, said = found
    assert code == 2 and set(said) == {"error"} and said["error"]["code"] == "leak", found
    return f"{said['error']['message']} {said['error']['cure']}"


def pictures(**more: np.ndarray) -> dict[str, np.ndarray]:
    return {name: picture(n) for n, name in enumerate(SPLITS)} | more


def test_exact_copies_across_declared_splits_are_named_and_exclude_is_a_way_out(tune: Any, tmp_path: Path) -> None:
    made = pictures(q0=picture(0), q1=picture(1))
    folder = made_folder(tmp_path / "d", made, {**SPLITS, "q0": "test", "q1": "test"})
    said = refusal(tune(folder))
    for name in ("p0", "q0", "p1", "q1", "--exclude"):
        assert name in said
    (tmp_path / "out.txt").write_text("q0\nq1\n")
    code, found = tune(folder, "--exclude", "out.txt")
    assert code == 0 and found["dataset"]["n"] == 4


@pytest.mark.parametrize("kind", ["half the size", "JPEG of quality 50"])
def test_near_copies_across_declared_splits_are_named_and_exclude_is_a_way_out(
    tune: Any, tmp_path: Path, kind: str
) -> None:
    folder = made_folder(tmp_path / "d", pictures(near=COPIES[kind](picture(2))), {**SPLITS, "near": "test"})
    said = refusal(tune(folder))
    assert "p2 and near (same picture" in said
    (tmp_path / "out.txt").write_text("near, a copy of p2\n")
    assert tune(folder, "--exclude", "out.txt")[0] == 0


def across(root: Path) -> tuple[Path, str, str]:
    """Nine pictures without declared splits, and a near copy of one in the other derived split; names of the two."""
    for number in range(1, 9):
        made = {f"p{n}": picture(n) for n in range(9)} | {f"p{number}": COPIES["half the size"](picture(0))}
        folder = made_folder(root / str(number), made)
        inside = {sample.id for sample in choose_split(tuple(open_dataset(folder).samples), "tune")}
        if ("p0" in inside) != (f"p{number}" in inside):
            first, second = sorted(("p0", f"p{number}"), key=lambda name: name not in inside)
            return folder, first, second
    raise AssertionError("no copy was dealt to the other side")


def test_a_derived_split_stays_as_it_is_when_images_are_excluded(tune: Any, tmp_path: Path) -> None:
    folder, tuned, judged = across(tmp_path)
    split = {sample.id for sample in choose_split(tuple(open_dataset(folder).samples), "tune")}
    assert f"{tuned} and {judged}" in refusal(tune(folder, "--split", "tune"))
    (tmp_path / "out.txt").write_text(judged)  # of the other side
    code, found = tune(folder, "--split", "tune", "--exclude", "out.txt")
    assert code == 0 and found["dataset"]["n"] == len(split)
    (tmp_path / "out.txt").write_text(tuned)
    code, found = tune(folder, "--split", "tune", "--exclude", "out.txt")
    assert code == 0 and found["dataset"]["n"] == len(split) - 1


def test_pictures_of_a_fixed_camera_can_be_tuned_on(tune: Any, tmp_path: Path) -> None:
    """One ground, a small object in another place each time: no copies, though hardly to be told from such."""
    ground = picture(0, (192, 256))
    for n in range(8):
        image, mask = ground.copy(), np.zeros(ground.shape[:2], np.uint8)
        cv2.circle(image, (20 + 28 * n, 40), 5, (255, 255, 255), -1)
        cv2.circle(mask, (20 + 28 * n, 40), 5, 255, -1)
        tuning.write(tmp_path / "d", f"f{n}", image, mask)
    code, said = tune(tmp_path / "d")
    assert code == 2 and "--copies exact" in said["error"]["cure"]
    code, said = tune(tmp_path / "d", "--copies", "exact", "--save", "fixed")
    assert code == 0 and said["copies"] == "exact"
    assert "copies: exact" in (tmp_path / "presets" / "smooth.yaml").read_text()


def test_exact_copies_stay_in_one_fold_whatever_counts_as_a_copy(tmp_path: Path) -> None:
    folder = made_folder(tmp_path / "d", {f"p{n}": picture(n % 4) for n in range(8)})
    task = tuning.task_of(folder, "smooth", folds=2, near=False)
    assert len(set(task.group.values())) == 4
    assert all(task.fold[f"p{n}"] == task.fold[f"p{n + 4}"] for n in range(4))
