"""``python -m benchmarks.run`` as a user meets it: documents, exit codes, resuming, and everything that can go wrong."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks import plan
from benchmarks.command import run_command
from benchmarks.rows import TIMES
from benchmarks.run import app
from tests.conftest import Run, commanding, photographed, python_path

QUICK = ("--budget-s", "0.2", "--batch-sizes", "1", "--json")
PRINTED = "a plugin may print when it is imported\n"


@pytest.fixture
def bench(command: Run, plugin_site: Path) -> Run:
    return benching(command, plugin_site)


def benching(command: Run, site: Path) -> Run:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return command("benchmarks.run", *arguments, PYTHONPATH=str(site))

    return run


@dataclass(frozen=True)
class Finished:
    """A run that several tests begin with, each on a copy of its own: to make it once saves them a process each."""

    folder: Path
    document: dict[str, Any]
    command: tuple[str, ...]

    def copied(self, folder: Path) -> tuple[str, ...]:
        """Bring it into a folder; the command that asks for it again."""
        shutil.copytree(self.folder / "runs", folder / "runs")
        return self.command


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, plugin_site: Path) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    command = ("--dataset", str(photographed(folder / "photographs")), "--pipelines", "bright", *QUICK)
    done = benching(commanding(folder), plugin_site)(*command)
    assert done.returncode == 0, done.stderr
    return Finished(folder, json.loads(done.stdout), command)


def quality(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in TIMES}


def only_row(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    (row,) = json.loads(done.stdout)["rows"]
    return dict(row)


def test_one_document_with_a_row_for_each_pipeline(bench: Run, photographs: Path) -> None:
    done = bench("--dataset", str(photographs), "--pipelines", "bright,bright@dim,bright", *QUICK)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema_version"] == 1
    assert document["dataset"]["n"] == document["dataset"]["n_groups"] == 6
    assert [row["label"] for row in document["rows"]] == ["bright", "bright@dim", "bright#2"]
    row = document["rows"][0]
    assert row["status"] == "ok"
    assert row["miou"] == row["metrics"]["miou"]["value"] == 1.0
    assert row["miou_ci"] == [pytest.approx(0.025 ** (1 / 6)), 1.0]  # six that agree are no certainty
    assert row["params"] == {"threshold": 0.5, "delay_ms": 0.0, "fault": "none"}
    assert row["latency_ms"]["n"] == 6
    assert row["latency_ms"]["p50"] > 0
    assert row["latency_ms"]["p95"] is None  # six calls support no 95th percentile
    assert row["throughput_ips"]["value"] > 0
    assert row["peak_memory_mb"]["host"] > 10
    assert set(row["stages_ms"]) == {"wait", "decide"}
    assert "few_groups" in row["flags"]
    assert "mIoU" in done.stderr


def test_latency_is_that_of_the_pipeline_without_decode_and_metrics(bench: Run, photographs: Path) -> None:
    row = only_row(bench("--dataset", str(photographs), "--pipelines", "bright:delay_ms=20", *QUICK))
    assert 20 <= row["stages_ms"]["wait"] <= row["latency_ms"]["mean"]
    assert 0 < row["throughput_ips"]["value"] <= 1000 / 20
    assert row["first_ms"] >= 20


def test_a_finished_run_prints_its_stored_rows_and_a_change_makes_a_new_one(
    bench: Run,
    photographs: Path,
    finished: Finished,
    tmp_path: Path,
    plugin_site: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, (_, _, *others) = finished.document, finished.copied(tmp_path)
    arguments = ("--dataset", str(photographs), *others)  # the same pictures at another place
    assert json.loads(bench(*arguments).stdout) == first
    assert json.loads(bench(*arguments, "--fresh").stdout)["run_id"] == f"{first['run_id']}-2"
    assert json.loads(bench(*finished.command).stdout)["run_id"] == f"{first['run_id']}-2"
    monkeypatch.syspath_prepend(str(plugin_site))
    assert planned(photographs) == planned(finished.folder / "photographs") != planned(photographs, prompts=("disc",))
    mask = photographs / "masks" / "p0.png"
    changed = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
    changed[0, 0] = 255
    cv2.imwrite(str(mask), changed)
    other = json.loads(bench(*arguments).stdout)
    assert other["run_id"] not in (first["run_id"], f"{first['run_id']}-2")
    assert other["rows"][0]["miou"] < 1


def planned(photographs: Path, **request: Any) -> str:
    """The id of a run."""
    return plan.plan(plan.Request(str(photographs), "bright", **request))[0].run_id


def test_without_masks_quality_is_null_and_the_rest_is_there(bench: Run, photographs: Path, tmp_path: Path) -> None:
    shutil.rmtree(photographs / "masks")
    done = bench("--dataset", str(photographs), "--pipelines", "bright", *QUICK, "--export", "png,rgba,crop:out")
    row = only_row(done)
    assert done.returncode == 0, done.stderr
    assert (row["miou"], row["miou_ci"], row["scored"], row["n"]) == (None, None, 0, 6)
    assert all(metric["value"] is None for metric in row["metrics"].values())
    assert row["latency_ms"]["n"] == 6
    assert len(list((tmp_path / "out").rglob("*.png"))) == 24


def test_exports_are_the_prediction(bench: Run, photographs: Path, finished: Finished, tmp_path: Path) -> None:
    done = bench(*finished.copied(tmp_path), "--export", "png,soft,rgba,crop,coco,yolo,voc:out")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    (line,) = (line for line in lines if line.startswith("bright: png 13 files, soft "))
    assert line.endswith("coco 7 files, yolo 13 files, voc 20 files.")
    assert lines.index(line) > next(i for i, other in enumerate(lines) if "mIoU" in other)
    assert sum("data.yaml calls all pictures train" in line for line in lines) == 1
    (folder,) = (tmp_path / "out").iterdir()
    assert folder.name == "bright"
    mask = cv2.imread(str(folder / "png" / "masks" / "p3.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(mask, cv2.imread(str(photographs / "masks" / "p3.png"), cv2.IMREAD_UNCHANGED))
    picture = cv2.imread(str(photographs / "images" / "p3.png"))
    cut_out = cv2.imread(str(folder / "rgba" / "p3.png"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(cut_out[..., 3], mask)
    assert np.array_equal(cut_out[mask > 0, :3], picture[mask > 0])
    assert not cut_out[mask == 0].any()
    rows, columns = np.nonzero(mask)
    crop = cv2.imread(str(folder / "crop" / "p3.png"))
    assert np.array_equal(crop, picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])


FAULTS = {  # those of memory first: with others alive, they are tried again alone, as in test_ring
    "memory": "Its memory ended",
    "killed": "The system does so where memory ends",
    "exception": "RuntimeError: the bulb is broken",
    "wrong_shape": "bright must return evidence of size",
    "nan": "holds values from nan to nan",
    "exit": "ended with exit code 7",
    "segfault": "ended by signal 11 (SIGSEGV)",
}


@pytest.fixture(scope="module")
def faulty(
    finished: Finished, plugin_site: Path, tmp_path_factory: pytest.TempPathFactory
) -> subprocess.CompletedProcess[str]:
    """One run in which each pipeline fails in its own way, but for the last."""
    pipelines = ",".join([*(f"bright:fault={fault}" for fault in FAULTS), "bright"])
    arguments = [pipelines if one == "bright" else one for one in finished.command]
    return benching(commanding(tmp_path_factory.mktemp("faulty")), plugin_site)(*arguments)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_pipeline_that_fails_is_a_row_and_the_others_go_on(
    faulty: subprocess.CompletedProcess[str], fault: str
) -> None:
    *failed, fine = json.loads(faulty.stdout)["rows"]
    row = dict(zip(FAULTS, failed, strict=True))[fault]
    assert faulty.returncode == 1
    assert row["status"] == "failed"
    assert FAULTS[fault] in row["reason"]
    assert (fine["status"], fine["miou"]) == ("ok", 1.0)
    assert "Traceback" not in faulty.stderr


def test_a_pipeline_that_cannot_be_loaded_is_unavailable(bench: Run, photographs: Path) -> None:
    done = bench("--dataset", str(photographs), "--pipelines", "bright:fault=unloadable", *QUICK)
    row = only_row(done)
    assert done.returncode == 1
    assert row["status"] == "unavailable"
    assert "No module named 'unheard_of'" in row["reason"]


def test_images_that_fail_count_as_zero_and_are_counted(bench: Run, photographs: Path) -> None:
    done = bench("--dataset", str(photographs), "--pipelines", "bright:fault=every_other", *QUICK)
    row = only_row(done)
    assert done.returncode == 0
    assert 0 < row["errors"] < 6
    assert row["scored"] == 6
    assert row["miou"] == pytest.approx(1 - row["errors"] / 6)


def test_copies_of_a_picture_are_samples_of_their_own(bench: Run, photographs: Path) -> None:
    for name in ("images", "masks"):
        shutil.copy(photographs / name / "p0.png", photographs / name / "twin.png")
    row = only_row(bench("--dataset", str(photographs), "--pipelines", "bright", *QUICK))
    assert (row["n"], row["scored"], row["latency_ms"]["n"]) == (7, 7, 7)


def test_excluded_images_and_limits(
    bench: Run, photographs: Path, tmp_path: Path, plugin_site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_text("p0, blurred\n# nothing\np5 # dark\n")
    arguments = ("--dataset", str(photographs), "--pipelines", "bright", *QUICK)
    limited = json.loads(bench(*arguments, "--exclude", "bad.txt", "--limit", "2").stdout)
    assert (limited["dataset"]["n"], "limited" in limited["rows"][0]["flags"]) == (2, True)
    monkeypatch.syspath_prepend(str(plugin_site))
    manifest, kept = plan.plan(plan.Request(str(photographs), "bright", exclude=bad))
    assert [sample.id for sample in kept] == ["p1", "p2", "p3", "p4"]
    assert (manifest.dataset.n, manifest.dataset.limit) == (4, None)
    assert manifest.dataset.hash != limited["dataset"]["hash"]


MISTAKES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "unknown option": (("--datset", "x"), "usage", "--dataset"),
    "no such dataset": (("--dataset", "nowhere"), "dataset", "There is no dataset 'nowhere'"),
    "hub": (("--dataset", "hf:a/b"), "dataset", "save_to_disk"),
    "empty name": (("--dataset", ""), "dataset", "not a name or a path"),
    "unknown pipeline": (("--pipelines", "clasical"), "unknown_name", "Did you mean 'classical'"),
    "unknown preset": (("--pipelines", "bright@dimm"), "unknown_name", "Did you mean 'dim'"),
    "unknown field": (("--pipelines", "bright:treshold=1"), "unknown_name", "Did you mean 'threshold'"),
    "out of bounds": (("--pipelines", "bright:threshold=2"), "parameter", "Give 0 to 1"),
    "not a number": (("--pipelines", "bright:threshold=much"), "parameter", "Give 0 to 1"),
    "no pipeline": (("--pipelines", ""), "usage", "Write NAME"),
    "empty prompt": (("--prompt", " "), "prompt", "Give 1 to 1000"),
    "unknown class": (("--prompt", "tomato=red"), "unknown_name", "no class of the dataset"),
    "unknown split": (("--split", "validation"), "unknown_name", "split"),
    "limit": (("--limit", "0"), "usage", "from 1 up"),
    "batch sizes": (("--batch-sizes", "many"), "usage", "whole numbers"),
    "endless budget": (("--budget-s", "inf"), "usage", "less than or equal to 86400"),
    "field twice": (("--pipelines", "bright:threshold=0.1;threshold=0.2"), "usage", "sets threshold twice"),
    "unknown user": (("--dataset", "~nobody-of-that-name/x"), "dataset", "names a user that is not known"),
    "bytes that are no text": (("--prompt", "coin\udcff"), "usage", "is not UTF-8"),
    "no folder": (("--out", ""), "usage", "names no folder"),
    "export nowhere": (("--export", "png:/proc/nowhere"), "usage", "--export /proc/nowhere cannot be used"),
    "budget": (("--budget-s", "0"), "usage", "greater than or equal to 0.1"),
    "seed": (("--seed", "-1"), "usage", "greater than or equal to 0"),
    "device": (("--device", "tpu"), "usage", "Choose auto, cpu or cuda"),
    "weights": (("--weights", "nowhere"), "usage", "not a folder"),
    "export": (("--export", "png"), "usage", "names no folder"),
    "export of nothing": (("--export", "png,:x"), "usage", "a format is missing before the comma or colon"),
    "export into the dataset": (("--export", "png:photographs/out"), "usage", "Name a folder outside of it"),
    "export format": (("--export", "jpeg:x"), "unknown_name", "There is no export format"),
    "exclude": (("--exclude", "nowhere.txt"), "usage", "cannot be read"),
    "out is a file": (("--out", "file.txt"), "usage", "cannot be used"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_in_one_sentence_with_a_cure(
    photographs: Path,
    plugin_site: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    mistake: str,
) -> None:
    monkeypatch.chdir(photographs.parent)
    monkeypatch.syspath_prepend(str(plugin_site))
    Path("file.txt").write_text("")
    arguments, code, words = MISTAKES[mistake]
    monkeypatch.setattr(sys, "argv", ["run", "--dataset", str(photographs), "--pipelines", "bright", *arguments])
    assert run_command(app) == 2
    plain = capfd.readouterr()
    assert plain.out.replace(PRINTED, "") == ""
    assert len(plain.err.strip().splitlines()) == 1
    sys.argv.append("--json")
    assert run_command(app) == 2
    said = capfd.readouterr()
    error = json.loads(said.out)["error"]
    assert (error["code"], said.err.replace(PRINTED, "")) == (code, "")
    assert words in f"{error['message']} {error['cure']}" == plain.err.strip()
    assert error["cure"]


def test_a_damaged_picture_is_named_and_ends_the_run(bench: Run, photographs: Path) -> None:
    for name in ("p2", "p4"):  # their headers are whole
        picture = cv2.imread(str(photographs / "images" / f"{name}.png"))
        data = cv2.imencode(".jpg", picture)[1].tobytes()
        (photographs / "images" / f"{name}.png").unlink()
        (photographs / "images" / f"{name}.jpg").write_bytes(data[: len(data) // 2])
    arguments = ("--dataset", str(photographs), "--pipelines", "bright", *QUICK)
    done = bench(*arguments)
    assert done.returncode == 2
    assert "p2: 'p2.jpg' is damaged" in (message := json.loads(done.stdout)["error"]["message"])
    assert "1 more: p4" in message
    (photographs / "bad.txt").write_text("p2\np4\n")
    assert only_row(bench(*arguments, "--exclude", str(photographs / "bad.txt")))["n"] == 4


def test_list_names_pipelines_and_presets(bench: Run) -> None:
    done = bench("--list")
    assert "Bright pixels; presets: default, dim" in done.stdout
    listed = {p["name"]: p["presets"] for p in json.loads(bench("--list", "--json").stdout)["pipelines"]}
    assert listed["bright"] == ["default", "dim"]
    assert "coin-seed" in listed["classical"]


def test_two_runners_of_one_run_one_works_and_one_says_who(
    bench: Run, photographs: Path, tmp_path: Path, plugin_site: Path
) -> None:
    arguments = ["--dataset", str(photographs), "--pipelines", "bright:delay_ms=300", *QUICK]
    first = start(arguments, tmp_path, plugin_site)
    wait_for(tmp_path, "samples.jsonl")
    second = bench(*arguments)
    assert second.returncode == 3
    assert f"Process {first.pid} " in json.loads(second.stdout)["error"]["message"]
    assert first.wait(60) == 0


def start(arguments: list[str], cwd: Path, site: Path) -> subprocess.Popen[bytes]:
    variables = {**os.environ, "PYTHONPATH": python_path({"PYTHONPATH": str(site)})}
    command = [sys.executable, "-m", "benchmarks.run", *arguments]
    return subprocess.Popen(command, cwd=cwd, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(folder: Path, name: str) -> None:
    deadline = time.monotonic() + 30
    while not any(folder.rglob(name)):
        assert time.monotonic() < deadline, f"no {name} in 30 s"
        time.sleep(0.02)


def lines(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.rglob("samples.jsonl"))


def test_killed_at_any_moment_the_same_command_resumes(
    bench: Run, photographs: Path, tmp_path: Path, plugin_site: Path
) -> None:
    arguments = ["--dataset", str(photographs), "--pipelines", "bright:delay_ms=100", *QUICK]
    whole = json.loads(bench(*arguments, "--out", "whole").stdout)
    arguments += ["--out", "killed"]
    moments, seen = random.Random(0), [0]
    while seen[-1] < 5:
        assert len(seen) < 20, seen
        process = start(arguments, tmp_path, plugin_site)
        while lines(tmp_path / "killed") <= seen[-1] and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen.append(lines(tmp_path / "killed"))
    assert any(0 < count < 6 for count in seen)  # at least one kill fell between two records
    resumed = json.loads(bench(*arguments).stdout)
    assert [quality(row) for row in resumed["rows"]] == [quality(row) for row in whole["rows"]]
    written = next((tmp_path / "killed").rglob("samples.jsonl")).read_text().splitlines()
    assert len(written) == len({json.loads(line)["id"] for line in written}) == 6


def test_records_that_cannot_be_read_are_done_again(bench: Run, finished: Finished, tmp_path: Path) -> None:
    arguments, (before,) = finished.copied(tmp_path), finished.document["rows"]
    _spoil(next((tmp_path / "runs").rglob("samples.jsonl")))
    next((tmp_path / "runs").rglob("timing.json")).write_text("{")
    assert quality(only_row(bench(*arguments))) == quality(before)


def _spoil(samples: Path) -> None:
    kept = samples.read_text().splitlines(keepends=True)
    samples.write_text("".join(["garbage\n", *kept[1:]]))


def test_a_finished_run_with_a_record_that_cannot_be_read_heals(bench: Run, finished: Finished, tmp_path: Path) -> None:
    arguments, (before,) = finished.copied(tmp_path), finished.document["rows"]
    _spoil(next((tmp_path / "runs").rglob("samples.jsonl")))
    healed = only_row(bench(*arguments))
    assert (healed["status"], quality(healed)) == ("ok", quality(before))
    assert "resumed" in healed["flags"]  # its times are of the last process alone
    assert only_row(bench(*arguments)) == healed


def test_what_a_library_prints_before_stdout_is_ours_is_in_the_log(
    bench: Run, command: Run, photographs: Path, plugin_site: Path, tmp_path: Path
) -> None:
    says = """print('{"no": "event"}\\nhello\\n[1]\\n5\\nno end', end="", flush=True)"""
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nif 'benchmarks.worker' in sys.orig_argv:\n    {says}\n")
    arguments = ("--dataset", str(photographs), "--pipelines", "bright", *QUICK)
    done = command("benchmarks.run", *arguments, PYTHONPATH=f"{tmp_path}:{plugin_site}")
    assert done.returncode == 0, done.stderr
    assert only_row(done)["status"] == "ok"
    log = next((tmp_path / "runs").rglob("worker.log")).read_text()
    assert all(line in log.splitlines() for line in ('{"no": "event"}', "hello", "[1]", "5", "no end"))


def test_a_full_stdout_is_said_by_the_exit_code(photographs: Path, plugin_site: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.run", "--list"]
    for extra in ([], ["--json"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([*command, *extra], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
        assert (done.returncode, done.stderr.count("Traceback")) == (4, 0)
    reader = subprocess.run(f"{' '.join(command)} | true; exit ${{PIPESTATUS[0]}}", shell=True, executable="/bin/bash",
                            cwd=tmp_path, capture_output=True, text=True)  # fmt: skip
    assert (reader.returncode, reader.stderr) == (0, "")


def test_interrupted_it_says_how_to_go_on(tmp_path: Path, photographs: Path, plugin_site: Path) -> None:
    arguments = ["--dataset", str(photographs), "--pipelines", "bright:delay_ms=300", *QUICK]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.run", *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": python_path({"PYTHONPATH": str(plugin_site)})}, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for(tmp_path, "samples.jsonl")
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(stdout)["error"]["code"] == "interrupted"
    assert "Traceback" not in stderr
