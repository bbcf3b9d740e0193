"""What happens to what lies in the folder of an export: replaced whole, or refused, whenever it ends."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.export import FORMATS, check, staging, yolo
from benchmarks.export.staging import LISTING
from pipelines.errors import ResourceError, RunLockedError, UsageError
from tests.benchmarks.exporting import (
    CONFIGURATION,
    HOME,
    Run,
    contents,
    files,
    make_run,
)
from tests.conftest import ROOT

OURS = {LISTING, "manifest.json"}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path)


def test_files_of_an_earlier_export_do_not_stay(run: Run, tmp_path: Path) -> None:
    run.export(tmp_path / "out", *FORMATS)
    home = tmp_path / "out" / HOME
    fewer = run.dataset.select([sample for sample in run.dataset if sample.id == "plain"])
    Run(fewer, run.store, run.records).export(tmp_path / "out", "png", "voc", run_id="second")
    assert files(home / "png") == {"images/plain.png", "masks/plain.png", "metadata.csv"} | OURS
    assert (home / "voc/ImageSets/Segmentation/default.txt").read_text() == "plain\n"
    assert not (home / "voc/ImageSets/Segmentation/test.txt").exists()
    about = json.loads((home / "manifest.json").read_text())
    assert about["formats"]["png"]["run_id"] == "second"
    assert about["formats"]["coco"]["run_id"] == "r"  # not written this time, and still there
    assert (home / "coco" / "images" / "turned.png").is_file()


def add(home: Path) -> None:
    (home / "png" / "masks" / "mine.png").write_bytes(b"mine")


def change(home: Path) -> None:
    cv2.imwrite(str(home / "png" / "masks" / "plain.png"), np.zeros((60, 80), np.uint8))


def take_over(home: Path) -> None:
    (home / "png" / LISTING).unlink()


def link(home: Path) -> None:
    (home / "png").rename(home / "elsewhere")
    (home / "png").symlink_to("elsewhere")


def other_manifest(home: Path) -> None:
    (home / "manifest.json").write_text('{"version": 3}')


@pytest.mark.parametrize("what", [add, change, take_over, link, other_manifest])
def test_what_others_wrote_is_never_touched(run: Run, tmp_path: Path, what: Callable[[Path], None]) -> None:
    run.export(tmp_path / "out", "png", "coco")
    home = tmp_path / "out" / HOME
    what(home)
    before = contents(home)
    with pytest.raises(UsageError, match="Move it away, or name another folder"):
        run.export(tmp_path / "out", "coco", "png", run_id="other")
    assert contents(home) == before


def test_a_foreign_folder_is_not_taken_over(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "out" / HOME / "yolo" / "labels" / "work.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of it")
    with pytest.raises(UsageError, match=r"labels/work\.txt"):
        run.export(tmp_path / "out", "yolo")
    assert mine.read_text() == "years of it"
    mine.unlink()
    run.export(tmp_path / "out", "yolo")  # empty folders are nobody's


def test_an_end_in_the_middle_leaves_what_was_there(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run.export(tmp_path / "out", *FORMATS)
    home = tmp_path / "out" / HOME
    before = contents(home)
    calls = []

    def fail(*arguments: object) -> str:
        calls.append(arguments)
        if len(calls) == 4:
            raise OSError(28, "No space left on device")
        return "0 0 0 1 0 1 1"

    monkeypatch.setattr(yolo, "line", fail)
    with pytest.raises(ResourceError, match=f"The disk of {tmp_path}/out/.* is full"):
        run.export(tmp_path / "out", *FORMATS, run_id="other")
    assert contents(home) == before


def test_a_full_disk_ends_with_its_own_exit_code(photographs: Path, plugin_site: Path, monkeypatch: pytest.MonkeyPatch,
                                                 capfd: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    from benchmarks.command import run_command
    from benchmarks.run import app

    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.chdir(photographs.parent)
    monkeypatch.syspath_prepend(str(plugin_site))
    monkeypatch.setattr(sys, "argv", ["run", "--dataset", str(photographs), "--pipelines", "bright", "--budget-s", "0.2",
                                      "--batch-sizes", "1", "--json", "--export", "png,coco:out"])  # fmt: skip
    monkeypatch.setenv("PYTHONPATH", str(plugin_site), prepend=":")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert run_command(app) == 4
    said = capfd.readouterr()
    document = json.loads(said.out[said.out.index("{") :])  # a plugin may print when it is imported
    assert document["error"]["code"] == "resource"
    assert "The disk of out/bright is full" in document["error"]["message"]
    assert document["rows"][0]["miou"] == 1  # what was measured is not lost
    assert said.err.index("mIoU") < said.err.index("exporting png, coco to out")
    assert not list(Path("out").rglob("*.png"))
    assert not list(Path("out").rglob("*.partial"))
    sys.argv.remove("--json")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert run_command(app) == 4
    said = capfd.readouterr()
    assert "mIoU" in said.out
    assert said.err.splitlines()[-1].startswith("The disk of out/bright is full")
    assert run_command(app) == 0  # the records are there: nothing is predicted again
    assert len(list(Path("out").rglob("*.png"))) == 18
    assert "bright: png 13 files, coco 7 files.\n" in capfd.readouterr().err
    assert run_command(app) == 0
    assert (
        ", 6 images.\n"
        in capfd.readouterr().err.partition("bright: png 13 files, coco 7 files. Replaces that of run ")[2]
    )


KILLED = """
import os, sys
from pathlib import Path
from benchmarks.export.staging import Staging
from tests.benchmarks.exporting import make_run

folder, after, *formats = sys.argv[1:]
left, note = [int(after)], Staging.note

def counted(self, name):  # dies at the n-th file with nothing unwound, as by SIGKILL
    left[0] -= 1
    return note(self, name) if left[0] else os._exit(9)

Staging.note = counted
make_run(Path(folder, "child")).export(Path(folder, "out"), *formats, run_id="other")
"""


@pytest.mark.parametrize("after", [3, 60])
def test_a_kill_leaves_the_earlier_export_and_the_next_one_cleans_up(run: Run, tmp_path: Path, after: int) -> None:
    run.export(tmp_path / "out", *FORMATS)
    home = tmp_path / "out" / HOME
    before = contents(home)
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(after), *FORMATS], cwd=ROOT)
    assert done.returncode == 9
    assert before.items() <= contents(home).items()
    assert any(path.name.endswith(".partial") for path in home.iterdir())
    run.export(tmp_path / "out", *FORMATS)
    assert contents(home).keys() == before.keys()


COMMITTED = """
import os, sys
from pathlib import Path
from benchmarks import export
from benchmarks.export import staging
from tests.benchmarks.exporting import make_run

folder, where, *formats = sys.argv[1:]
end, rename = lambda *_: os._exit(9), Path.rename

def once_away(self, target):
    rename(self, target)
    if Path(target).name.endswith(".old"):
        end()

if where == "between the moves":
    staging._exchanged, Path.rename = lambda a, b: False, once_away
elif where == "before the index":
    export.write_index = end
elif where == "after the first format":
    commit = staging.Staging.commit
    staging.Staging.commit = lambda self: (commit(self), end())
make_run(Path(folder, "child")).export(Path(folder, "out"), *formats, run_id="other")
"""


@pytest.mark.parametrize("where", ["between the moves", "after the first format", "before the index"])
def test_a_kill_around_the_commit_leaves_every_format_whole(run: Run, tmp_path: Path, where: str) -> None:
    """The next export, of another format, mends what was left."""
    formats = ("png", "coco", "soft")
    run.export(tmp_path / "out", *formats)
    home = tmp_path / "out" / HOME
    before = contents(home)
    done = subprocess.run([sys.executable, "-c", COMMITTED, str(tmp_path), where, *formats], cwd=ROOT)
    assert done.returncode == 9
    assert (home / "png").is_dir() == (where != "between the moves")
    run.export(tmp_path / "out", "crop")
    assert {path for path in contents(home) if "crop" not in path.parts} == before.keys()
    index = json.loads((home / "manifest.json").read_text())["formats"]
    owners = {
        name: json.loads((home / name / "manifest.json").read_text())["run_id"] for name in ("png", "coco", "crop")
    }
    assert {name: one["run_id"] for name, one in index.items()} == owners
    written = {"between the moves": [], "after the first format": ["png"], "before the index": ["png", "coco"]}[where]
    assert [name for name, owner in owners.items() if owner == "other"] == written


@pytest.mark.parametrize("exchanges", [True, False])
def test_an_error_in_the_second_commit_leaves_an_index_of_what_is_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    run.export(tmp_path / "out", "png", "coco")
    commit, calls = staging.Staging.commit, []

    def fail(self: staging.Staging) -> None:
        calls.append(self)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        commit(self)

    monkeypatch.setattr(staging.Staging, "commit", fail)
    if not exchanges:
        monkeypatch.setattr(staging, "_exchanged", lambda a, b: False)
    with pytest.raises(UsageError, match="Input/output error.*--export"):
        run.export(tmp_path / "out", "png", "coco", run_id="other")
    home = tmp_path / "out" / HOME
    index = json.loads((home / "manifest.json").read_text())["formats"]
    assert {name: one["run_id"] for name, one in index.items()} == {"png": "other", "coco": "r"}
    assert {path.name for path in home.iterdir()} == {"png", "coco", "manifest.json", ".lock"}


def test_before_a_run_it_is_seen_whether_an_export_will_find_its_folders_free(run: Run, tmp_path: Path) -> None:
    from benchmarks.store import Lock

    out, home = tmp_path / "out", tmp_path / "out" / HOME
    check(out, ["png"], [CONFIGURATION], None)
    assert not out.exists()
    run.export(out, "png", "coco")
    check(out, ["png"], [CONFIGURATION], tmp_path / "data")
    with pytest.raises(UsageError, match="which the export would replace"):
        check(out, ["png", "coco"], [CONFIGURATION], home / "coco")
    check(out, ["png"], [CONFIGURATION], home / "coco")
    with Lock(home / ".lock"), pytest.raises(RunLockedError, match="name another folder behind --export"):
        check(out, ["png"], [CONFIGURATION], None)
    add(home)
    check(out, ["coco"], [CONFIGURATION], None)
    with pytest.raises(UsageError, match=r"mine\.png"):
        check(out, ["png"], [CONFIGURATION], None)
    other_manifest(home)
    with pytest.raises(UsageError, match="no manifest of an export"):
        check(out, ["coco"], [CONFIGURATION], None)


def test_a_kill_between_away_and_in_is_mended(run: Run, tmp_path: Path) -> None:
    run.export(tmp_path / "out", "png", "coco")
    home = tmp_path / "out" / HOME
    (home / "png").rename(home / ".png.old")
    (home / ".png.old" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"mine\.txt"):  # it is back, and looked at as ever
        run.export(tmp_path / "out", "png")
    assert (home / "png" / "mine.txt").read_text() == "mine"


def test_two_exports_do_not_write_one_folder(run: Run, tmp_path: Path) -> None:
    from benchmarks.store import Lock

    with Lock(tmp_path / "out" / HOME / ".lock"), pytest.raises(RunLockedError, match="behind --export"):
        run.export(tmp_path / "out", "png")
