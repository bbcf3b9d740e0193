"""The list of images to leave out: any id survives it, and `run --exclude` drops exactly these images and says so."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.datasets import open_dataset
from benchmarks.profile.exclusions import excluded, line, write_exclusions
from benchmarks.report.contents import report
from benchmarks.report.page import page
from benchmarks.selection import read_exclusions, read_reasons, select
from benchmarks.tune.planning import Request, plan_task
from pipelines.errors import DatasetError, UnknownNameError
from tests.benchmarks.copies import made_folder, picture
from tests.benchmarks.reporting import Seen
from tests.benchmarks.test_report_injection import HOSTILE

Run = Callable[..., "subprocess.CompletedProcess[str]"]
NAMES = ("a", "a b", "sub/dir/a", "a, b", "a#1", "# a", '"a"', '"a', 'a"b, c', " a ", "a\nb", "a\r\nb, c", "a\u2028b", "a\x85b", "\ufeffa", "1.5", "a\\n", '"a", b', "ä,ö", "=1+1", *HOSTILE)  # fmt: skip
REASONS = ("", "it is dark", "dark, and small", "see #3", "two\nlines", '"quoted", twice')


def suspect(sample: str, reason: str = "why", *, exclude: bool = True, kind: str = "image_dark") -> dict[str, Any]:
    return {"kind": kind, "sample": sample, "related": [], "severity": "high", "reason": reason, "suggestion": "Look.",
            "exclude": exclude, "figure": {}}  # fmt: skip


def document(*suspects: dict[str, Any]) -> dict[str, Any]:
    return {"n": 9, "dataset": {"name": "made", "n": 9, "hash": "h"}, "suspects": list(suspects)}


@pytest.mark.parametrize(
    ("name", "reason"), [*((name, REASONS[2]) for name in NAMES), *((NAMES[3], r) for r in REASONS), ("a", "see #3")]
)
def test_any_id_and_reason_survive(tmp_path: Path, name: str, reason: str) -> None:
    path = tmp_path / "list.txt"
    write_exclusions(document(suspect("before"), suspect(name, reason), suspect("zuletzt")), path)
    assert set(read_exclusions(path)) == {"before", name, "zuletzt"}
    said = " ".join(reason.encode("utf-8", "backslashreplace").decode().split())
    assert read_reasons(path)[name] == f"image_dark: {said}".strip()


def test_a_plain_id_stays_plain_and_old_files_read_as_before(tmp_path: Path) -> None:
    assert line("sub/p0", "blurred") == "sub/p0, blurred"
    path = tmp_path / "old.txt"
    path.write_text('p0, blurred\n# nothing, at all\np5 # dark, too\n\n  p6  \n"odd" name, x\np7#y\n"half, z\n')
    assert read_reasons(path) == {"p0": "blurred", "p5": "dark, too", "p6": "", '"odd" name': "x", "p7": "y", '"half': "z"}  # fmt: skip
    path.write_bytes("\ufeffp0, from a spreadsheet\r\np1\r\n".encode())
    assert read_exclusions(path) == ("p0", "p1")


def test_only_what_is_marked_is_listed_and_once_with_all_its_reasons(tmp_path: Path) -> None:
    found = document(suspect("a", "x"), suspect("b", exclude=False), suspect("a", "y", kind="mask_empty"), suspect("c"))
    assert excluded(found) == {"a": "image_dark: x; mask_empty: y", "c": "image_dark: why"}
    path = tmp_path / "deep" / "list.txt"
    assert write_exclusions(found, path) == 2
    assert path.read_text().splitlines()[1] == "# 2 of 9 images of made, dataset hash h"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Eight pictures in two splits; the header of one is none, the mask of another is of another size."""
    names = [f"p{n}" for n in range(8)]
    splits = {name: "train" if n < 4 else "test" for n, name in enumerate(names)}
    folder = made_folder(tmp_path / "broken", {n: picture(i) for i, n in enumerate(names)}, splits)
    (folder / "images" / "p1.png").write_bytes(b"no picture")
    cv2.imwrite(str(folder / "masks" / "p6.png"), np.zeros((10, 12), np.uint8))
    return folder


def test_what_cannot_be_read_can_be_left_out(broken: Path) -> None:
    rows = [problem.row for problem in open_dataset(str(broken), strict=False).problems]
    with pytest.raises(DatasetError, match="1 more problem"):
        select(str(broken), None, None, ())
    with pytest.raises(DatasetError, match=re.escape(rows[1])):
        select(str(broken), None, None, ["p0", rows[0]])
    left = select(str(broken), None, None, ["p0", *rows])
    assert [sample.id for sample in left] == [f"{sample.id}" for sample in open_dataset(str(broken), strict=False) if sample.id not in ("p0", "images/p0")]  # fmt: skip


def test_the_id_of_a_file_that_is_no_picture_is_its_name(tmp_path: Path) -> None:
    folder = made_folder(tmp_path / "pairs", {f"p{n}": picture(n) for n in range(4)})
    (folder / "images" / "p1.png").write_bytes(b"no picture")
    for name in ("p1", "images/p1.png", "images/p1"):
        assert [sample.id for sample in select(str(folder), None, None, [name])] == ["p0", "p2", "p3"]
    with pytest.raises(UnknownNameError, match="p9"):
        select(str(folder), None, None, ["p1", "p9"])


def test_a_list_of_the_whole_dataset_serves_each_split(tmp_path: Path) -> None:
    names = [f"p{n}" for n in range(6)]
    splits = {name: "train" if n < 3 else "test" for n, name in enumerate(names)}
    folder = made_folder(tmp_path / "parts", {n: picture(i) for i, n in enumerate(names)}, splits)
    ids = {sample.split: [] for sample in open_dataset(str(folder))}
    for sample in open_dataset(str(folder)):
        ids[sample.split].append(sample.id)
    first = [ids["train"][0], ids["test"][0]]
    for split, wanted in ids.items():
        assert [sample.id for sample in select(str(folder), split, None, first)] == wanted[1:]
    with pytest.raises(DatasetError, match="No image of parts is left"):
        select(str(folder), "train", None, ids["train"])


def test_copies_in_two_splits_are_no_leak_once_one_is_left_out(tmp_path: Path) -> None:
    same = picture(1)
    folder = made_folder(tmp_path / "leak", {"a": same, "b": same, "c": picture(2), "d": picture(3)}, {"a": "train", "b": "test", "c": "train", "d": "test"})  # fmt: skip
    with pytest.raises(DatasetError, match="byte for byte"):
        select(str(folder), None, None, ())
    with pytest.raises(DatasetError, match="byte for byte"):
        select(str(folder), None, None, ["c"] if "c" in _ids(folder) else ["images/c"])
    last = next(name for name in _ids(folder) if name.endswith("b"))
    assert len(select(str(folder), None, None, [last])) == 3


def test_tune_reads_the_list_before_it_looks_for_splits(tmp_path: Path) -> None:
    names = [f"p{n}" for n in range(6)]
    folder = made_folder(
        tmp_path / "parts",
        {n: picture(i) for i, n in enumerate(names)},
        {n: "tune" if n < "p3" else "test" for n in names},
    )
    (folder / "images" / "p1.png").write_bytes(b"no picture")
    (tmp_path / "list.txt").write_text("p1, damaged\n")
    request = Request("classical", str(folder), exclude=tmp_path / "list.txt", folds=0)
    planned = plan_task(request)
    planned.ready.close()
    assert [sample.id for sample in planned.dataset] == ["p0", "p2"]
    assert "The split tune is tuned on" in planned.notes[0]


def _ids(folder: Path) -> list[str]:
    return [sample.id for sample in open_dataset(str(folder), strict=False)]


def test_run_drops_exactly_these_and_says_so(command: Run, photographs: Path, tmp_path: Path) -> None:
    odd = "p5, #1"
    for name in ("images", "masks"):
        (photographs / name / "p5.png").rename(photographs / name / f"{odd}.png")
    write_exclusions(document(suspect("p0", "dark"), suspect(odd, "blurred")), tmp_path / "list.txt")
    arguments = ("benchmarks.run", "--dataset", str(photographs), "--pipelines", "classical", "--budget-s", "1",
                 "--batch-sizes", "1", "--json")  # fmt: skip
    whole = open_dataset(str(photographs)).hash
    (photographs / "images" / "p0.png").write_bytes(b"no picture any more")
    refused = command(*arguments)
    assert refused.returncode == 2 and "p0.png" in json.loads(refused.stdout)["error"]["message"]
    done = command(*arguments, "--exclude", "list.txt")
    assert done.returncode == 0, done.stderr
    part = json.loads(done.stdout)
    assert (part["dataset"]["n"], part["dataset"]["exclude"]) == (4, sorted(["p0", odd]))
    assert part["dataset"]["hash"] not in (whole, None)
    assert part["dataset"]["hash"] == select(str(photographs), None, None, ["p0", odd]).hash
    assert "2 images left out on the list of --exclude" in " ".join(done.stderr.split())
    run = tmp_path / "runs" / part["run_id"]
    found = report(run)
    assert [sorted(one.ids) for one in found.facts.series] == [["p1", "p2", "p3", "p4"]]
    said = Seen(page(found)).said
    assert "2 images excluded." in said and f"FILE names these images, one a line: p0, {odd}." in said
    assert "2 images left out on the list of --exclude" in said.split("Leaderboard")[1]
