"""Weights that are damaged, forbidden or not there make a row unavailable, with a cure; the other rows are unharmed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import loading
from benchmarks.plan import Request, plan
from pipelines.errors import UnavailableError
from tests.conftest import Run

QUICK = ("--limit", "2", "--budget-s", "0.2", "--batch-sizes", "1", "--json", "--prompt", "coin")


@pytest.fixture
def weights(tiny_weights: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_weights, tmp_path / "weights"))


def cut_short(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def outside(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": {"a": "../../../etc/passwd"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def no_object(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


def other_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "use_timm_backbone": True,
        "backbone": "resnet18",
        "use_pretrained_backbone": True,
        "backbone_config": None,
    }
    (folder / "config.json").write_text(json.dumps(config))


FAULTS = {
    "clipseg": ("CIDAS/clipseg-rd64-refined", cut_short),
    "clipseg:checkpoint=rd64": ("CIDAS/clipseg-rd64", pickled),
    "sam": ("facebook/sam2.1-hiera-tiny", outside),
    "sam3": ("facebook/sam3", no_object),
    "grounded_sam:segmenter=sam-vit-base": ("IDEA-Research/grounding-dino-tiny", other_code),
}


def rows_of(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert done.stdout, done.stderr
    return {row["label"]: row for row in json.loads(done.stdout)["rows"]}


@pytest.fixture
def damaged(weights: Path) -> Path:
    for repository, damage in FAULTS.values():
        damage(weights / repository)
    return weights


def check_reason(reason: str, repository: str) -> None:
    assert repository in reason
    assert reason.count(". ") >= 1, "what to do is missing"
    assert "Traceback" not in reason


def test_every_fault_is_a_row_of_its_own(command: Run, damaged: Path) -> None:
    faults = [label for label in FAULTS if label != "sam3"]  # a process more, which would learn nothing new
    asked = ",".join((*faults, "classical"))
    done = command("benchmarks.run", "--pipelines", asked, "--weights", str(damaged), *QUICK)
    rows = rows_of(done)
    assert done.returncode == 1  # what was asked for by name is not all there
    assert rows.pop("classical")["status"] == "ok"
    assert {label: row["status"] for label, row in rows.items()} == dict.fromkeys(faults, "unavailable")
    for label, row in rows.items():
        check_reason(row["reason"], FAULTS[label][0])


def test_what_is_whole_loads_beside_what_is_damaged(damaged: Path) -> None:
    request = Request(pipelines="clipseg:checkpoint=rd16", weights=str(damaged), limit=2, prompts=("coin",))
    (one,) = plan(request)[0].configurations
    pipeline, loaded = loading.load(one)
    with pipeline:
        assert (one.unavailable, loaded.weights[0].repo) == (None, "CIDAS/clipseg-rd16")


@pytest.mark.parametrize("label", FAULTS)
def test_every_fault_is_found_by_the_plan_or_by_the_worker(damaged: Path, label: str) -> None:
    request = Request(pipelines=label, weights=str(damaged), limit=2, prompts=("coin",))
    (one,) = plan(request)[0].configurations
    if one.unavailable is None:
        with pytest.raises(UnavailableError) as raised:
            loading.load(one)
    check_reason(one.unavailable or str(raised.value), FAULTS[label][0])


def test_a_damaged_default_is_not_silently_replaced(command: Run, weights: Path) -> None:
    path = weights / "briaai/RMBG-2.0/onnx/model.onnx"
    path.write_bytes(path.read_bytes()[:1000])
    row = rows_of(command("benchmarks.run", "--pipelines", "rmbg:size=64", "--weights", str(weights), *QUICK))[
        "rmbg:size=64"
    ]
    assert (row["status"], row["substitute_for"]) == ("unavailable", None)
    assert "briaai/RMBG-2.0" in row["reason"]


def test_a_default_that_is_not_there_is_replaced_and_that_is_said(command: Run, weights: Path) -> None:
    shutil.rmtree(weights / "briaai/RMBG-2.0")
    row = rows_of(command("benchmarks.run", "--pipelines", "rmbg:size=64", "--weights", str(weights), *QUICK))[
        "rmbg:size=64"
    ]
    assert (row["status"], row["substitute_for"]) == ("ok", "briaai/RMBG-2.0")
    assert row["weights"][0]["repo"] in ("ZhengPeng7/BiRefNet", "onnx-community/BiRefNet-ONNX")


def test_a_lock_that_cannot_be_read_is_a_mistake_of_the_command(command: Run, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "models.lock.json").write_text("{")
    done = command("benchmarks.run", "--pipelines", "classical", "--weights", str(weights), *QUICK)
    assert done.returncode == 2
    assert "models.lock.json" in json.loads(done.stdout)["error"]["message"]


def test_what_a_lock_does_not_agree_with_is_unavailable(command: Run, weights: Path, tmp_path: Path) -> None:
    folder = weights / "CIDAS/clipseg-rd64-refined"
    files = {path.name: {"sha256": "0" * 64, "size_bytes": path.stat().st_size} for path in folder.iterdir()}
    locked = {"source": "hub", "commit": "a" * 40, "licence": None, "gated": False, "files": files}
    lock = {"schema_version": 1, "written": "2026-01-01", "repositories": {"CIDAS/clipseg-rd64-refined": locked}}
    (tmp_path / "models.lock.json").write_text(json.dumps(lock))
    done = command("benchmarks.run", "--pipelines", "clipseg,classical", "--weights", str(weights), *QUICK)
    rows = rows_of(done)
    assert (rows["clipseg"]["status"], rows["classical"]["status"]) == ("unavailable", "ok")
    assert "000000000000" in rows["clipseg"]["reason"]
