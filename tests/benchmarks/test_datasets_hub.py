"""Hugging Face datasets: saved folders, parquet and streams say the same as the folder they were made from."""

from __future__ import annotations

import gc
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from benchmarks.datasets import Dataset, open_dataset
from benchmarks.datasets.hub_bytes import Blob, Homes
from pipelines.errors import DatasetError

HERE = Path(__file__).parents[2]
datasets = importlib.import_module("datasets")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def folder(root: Path, n: int = 4) -> Path:
    rows = ["file_name,mask_file_name,group,prompt,absent,points,light"]
    for i in range(n):
        picture, mask = np.full((20, 30, 3), 40 + i, np.uint8), np.zeros((20, 30), np.uint8)
        mask[2 : 5 + i, 3:9], mask[0] = 1, 255
        for name, pixels in (("images", picture), ("masks", mask)):
            (root / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / name / f"p{i}.png")
        rows.append(f'images/p{i}.png,masks/p{i}.png,g{i // 2},coin; cent,dog,"[[{i}, 1]]",dim')
    (root / "metadata.csv").write_text("\n".join(rows))
    return root


def row(root: Path, i: int) -> dict[str, Any]:
    cell = {kind: {"bytes": (root / kind / f"p{i}.png").read_bytes(), "path": None} for kind in ("images", "masks")}
    return {"image": cell["images"], "mask": cell["masks"], "file_name": f"images/p{i}.png", "group": f"g{i // 2}",
            "prompt": "coin; cent", "absent": ["dog"], "points": [[float(i), 1.0]], "light": "dim"}  # fmt: skip


def table(rows: list[dict[str, Any]], **changes: Any) -> datasets.Dataset:
    text = datasets.Value("string")
    features = {"image": datasets.Image(), "mask": datasets.Image(), "file_name": text, "group": text, "prompt": text,
                "absent": datasets.List(text), "points": datasets.List(datasets.List(datasets.Value("float64"))),
                "light": text}  # fmt: skip
    features = {k: v for k, v in {**features, **changes}.items() if k in rows[0]}
    return datasets.Dataset.from_list(rows, features=datasets.Features(features))


def check_same(first: Dataset, second: Dataset) -> None:
    n = 0
    for a, b in zip(first, second, strict=True):
        assert (a.id, a.size, a.group, a.prompt, a.absent, dict(a.tags)) == (b.id, b.size, b.group, b.prompt, b.absent, dict(b.tags))  # fmt: skip
        assert (a.image_hash, a.target_hash) == (b.image_hash, b.target_hash)
        np.testing.assert_array_equal(a.image, b.image)
        one, two = a.truth(), b.truth()
        assert one is not None
        assert two is not None
        assert list(one.masks) == list(two.masks)
        np.testing.assert_array_equal(one.union(), two.union())
        np.testing.assert_array_equal(one.ignore, two.ignore)  # type: ignore[arg-type]
        n += 1
    assert n == 4


@pytest.mark.parametrize("kind", ["saved", "hf", "hf-stream", "hf saved", "hf-stream saved"])
def test_the_same_as_the_folder(tmp_path: Path, kind: str) -> None:
    root, home = folder(tmp_path / "folder"), tmp_path / "home"
    data = table([row(root, i) for i in range(4)])
    home.mkdir()
    if "saved" in kind:
        data.save_to_disk(str(home))
    else:
        data.to_parquet(str(home / "a.parquet"))
    dataset = open_dataset({"saved": str(home)}.get(kind, f"{kind.split()[0]}:{home}"))
    assert dataset.format == ("Hugging Face stream" if "stream" in kind else "Hugging Face dataset")
    plain = open_dataset(root)
    check_same(plain, dataset)
    assert dataset.hash == plain.hash
    assert [s.id for s in dataset] == [s.id for s in dataset], "each pass begins anew"
    assert len(dataset) == 4
    (home / "dataset.yaml").write_text("classes: [coin]\nignore: 255")
    (root / "dataset.yaml").write_text("classes: [coin]\nignore: 255")
    declared = open_dataset(f"hf:{home}")
    assert declared.class_names == ("coin",)
    check_same(open_dataset(root), declared)


def test_a_dict_has_splits(tmp_path: Path) -> None:
    root = folder(tmp_path / "folder")
    parts = {"train": table([row(root, 0), row(root, 1)]), "test": table([row(root, 2), row(root, 3)])}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
    dataset = open_dataset(tmp_path / "saved")
    assert [(s.id, s.split) for s in dataset] == [("p0", "train"), ("p1", "train"), ("p2", "test"), ("p3", "test")]
    assert len(open_dataset(tmp_path / "saved", split="test")) == 2
    assert [s.id for s in open_dataset(f"hf-stream:{tmp_path / 'saved'}:test")] == ["p2", "p3"]
    with pytest.raises(DatasetError, match="has the splits train, test") as caught:
        open_dataset(f"hf-stream:{tmp_path / 'saved'}")
    assert f"hf-stream:{tmp_path / 'saved'}:train" in caught.value.cure
    with pytest.raises(DatasetError, match=r"no split 'tset'\. Did you mean 'test'"):
        open_dataset(f"hf:{tmp_path / 'saved'}:tset")


def test_columns_of_labels_and_rows_without_names(tmp_path: Path) -> None:
    root = folder(tmp_path / "folder")
    rows = [{"photo": row(root, i)["image"], "cat_mask": row(root, i)["mask"],
             "dog": row(root, i)["mask"] if i else None, "n": i} for i in range(2)]  # fmt: skip
    image = datasets.Image()
    table(rows, photo=image, cat_mask=image, dog=image, n=datasets.Value("int64")).save_to_disk(str(tmp_path / "d"))
    dataset = open_dataset(tmp_path / "d")
    assert dataset.class_names == ("cat", "dog")
    assert [(s.id, dict(s.tags), sorted(s.targets or {})) for s in dataset] == [
        ("000000", {"n": "0"}, ["cat"]),
        ("000001", {"n": "1"}, ["cat", "dog"]),
    ]


def change(**values: Any) -> Callable[[list[dict[str, Any]]], None]:
    def apply(rows: list[dict[str, Any]]) -> None:
        rows[1].update(values)

    return apply


def cell(path: str | None = None, data: bytes | None = None) -> dict[str, Any]:
    return {"bytes": data, "path": path}


BROKEN: dict[str, tuple[Callable[[list[dict[str, Any]]], None], str]] = {
    "no picture": (change(image=None), "row 1: it has no picture"),
    "no mask": (change(mask=None), "row 1: it has no mask"),
    "nothing in the cell": (change(image=cell(data=b"")), "row 1: its picture is refused"),
    "text": (change(image=cell(data=b"hello, world")), "row 1: its picture is refused"),
    "text as mask": (change(mask=cell(data=b"hello, world")), "row 1: 'mask' is refused"),
    "address": (change(image=cell("https://example.org/a.png")), "row 1: .* is an address"),
    "outside": (change(image=cell("/etc/passwd")), "row 1: '/etc/passwd' lies outside of"),
    "up": (change(mask=cell("../../etc/passwd")), "row 1: .*lies outside of"),
    "id twice": (change(file_name="images/p0.png"), "row 1: it has the id 'p0' of row 0"),
    "point outside": (change(points=[[90.0, 1.0]]), "row 1: the point .* outside the picture"),
    "asked and absent": (change(absent=["Cent"]), "row 1: 'cent' is both asked"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_rows(tmp_path: Path, case: str) -> None:
    apply, message = BROKEN[case]
    root = folder(tmp_path / "folder")
    rows = [row(root, i) for i in range(3)]
    apply(rows)
    (tmp_path / "home").mkdir()
    parquet.write_table(table(rows).with_format("arrow")[:], tmp_path / "home/a.parquet")  # embeds no files
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DatasetError, match=message) as caught:
        open_dataset(f"hf:{tmp_path / 'home'}")
    assert "\n" not in str(caught.value)
    listed = open_dataset(f"hf:{tmp_path / 'home'}", strict=False)
    assert [p.row for p in listed.problems] == ["row 1"]
    assert len(listed) == 2
    if case != "id twice":  # a stream holds no ids
        with pytest.raises(DatasetError, match=message):
            list(open_dataset(f"hf-stream:{tmp_path / 'home'}"))
    assert sorted(tmp_path.rglob("*")) == before


def test_what_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/code.py").write_text("raise SystemExit")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/a.parquet").write_bytes(b"PAR1 not parquet PAR1")
    table([{"light": "dim"}]).save_to_disk(str(tmp_path / "words"))
    monkeypatch.setattr("benchmarks.datasets.hub_load._is_reachable", lambda: False)
    messages = {
        f"hf:{tmp_path}/code": "code of datasets is never run",
        f"hf:{tmp_path}/empty": "holds no files",
        f"hf:{tmp_path}/bad": "cannot be read|damaged",
        f"{tmp_path}/words": "no column of pictures; its columns are 'light'",
        "hf:owner/name": "the hub could not be reached",
        "hf-stream:owner/name:train": "the hub could not be reached",
    }
    for spec, message in messages.items():
        with pytest.raises(DatasetError, match=message) as caught:
            open_dataset(spec)
        assert "\n" not in str(caught.value)
        assert open_dataset(spec, strict=False).problems
    with pytest.raises(DatasetError, match="save_to_disk"):
        open_dataset("hf:owner/name")


PASS = """
import sys
sys.path.insert(0, "docs/measurements")
from pathlib import Path
import stream_memory
stream_memory.write_shards(Path(sys.argv[1]), 5000, 500)
found = stream_memory.curve(Path(sys.argv[1]), 5000)
assert "torch" not in sys.modules
print("growth", found[-1][1] - found[1][1])
from benchmarks.datasets import open_dataset
rows = iter(open_dataset("hf-stream:" + sys.argv[1]))
next(rows)  # and the interpreter ends in the middle of a pass
"""


def test_a_stream_holds_no_rows(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", PASS, str(tmp_path)], cwd=HERE, capture_output=True, text=True,
                         timeout=100, env={**os.environ, "PYTHONPATH": str(HERE)})  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert float(run.stdout.split("growth")[1]) < 15


OWN = "hf://datasets/owner/name@0123abc/train/images/p0.png"


@pytest.mark.parametrize(
    ("address", "own", "below"),
    [
        (OWN, True, "train/images/p0.png"),
        (f"zip://images/p0.png::{OWN}", True, "images/p0.png"),
        ("hf://datasets/owner/name/p0.png", True, "p0.png"),
        ("hf://datasets/owner/names@1/p0.png", False, "p0.png"),
        ("hf://datasets/owner/name@1/../../other/set/p0.png", False, "../../other/set/p0.png"),
        ("hf://owner/name/p0.png", False, "hf://owner/name/p0.png"),
        ("https://example.org/p0.png", False, "https://example.org/p0.png"),
        ("file:///etc/passwd", False, "file:///etc/passwd"),
        (f"simplecache::{OWN}", False, "simplecache"),
        (f"zip://a::zip://b::{OWN}", False, "a"),
    ],
)
def test_addresses_lead_into_the_own_repository_alone(address: str, own: bool, below: str) -> None:
    homes = Homes((), "owner/name")
    assert homes.own(address) == own
    assert homes.below(address) == below
    assert not Homes(()).own(address)


def test_a_picture_at_an_address_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path, 1)
    wanted: list[str] = []

    def fetch(address: str, mode: str) -> Any:
        wanted.append(address)
        if "p0" not in address:
            raise OSError("no such file")
        return (tmp_path / "images" / "p0.png").open(mode)

    monkeypatch.setattr("fsspec.open", fetch)
    homes = Homes((), "owner/name")
    blob = Blob(lambda: {"bytes": None, "path": OWN}, homes, "row 0")
    np.testing.assert_array_equal(blob.image(), np.full((20, 30, 3), 40, np.uint8))
    with pytest.raises(DatasetError, match=r"row 0: .* cannot be fetched \(no such file\)"):
        Blob(lambda: {"bytes": None, "path": OWN.replace("p0", "p1")}, homes, "row 0").image()
    with pytest.raises(DatasetError, match="outside of the dataset's repository"):
        Blob(lambda: {"bytes": None, "path": "https://example.org/p0.png"}, homes, "row 0").image()
    assert len(wanted) == 2  # nobody else was asked


# `datasets` leaves the manifest open until it is collected, which is to happen here and not in another test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("scheme", ["hf", "hf-stream"])
def test_a_folder_of_pictures_that_datasets_reads(tmp_path: Path, scheme: str) -> None:
    root = folder(tmp_path / "set")
    check_same_pictures(open_dataset(f"{scheme}:{root}"), open_dataset(root))
    gc.collect()


def check_same_pictures(found: Dataset, expected: Dataset) -> None:
    assert len(found) == len(expected) == 4
    for theirs, ours in zip(found, expected, strict=True):
        assert (theirs.id, theirs.group, theirs.prompt, theirs.absent) == (
            ours.id,
            ours.group,
            ours.prompt,
            ours.absent,
        )
        assert (theirs.image_hash, theirs.target_hash) == (ours.image_hash, ours.target_hash)
        np.testing.assert_array_equal(theirs.target(), ours.target())  # type: ignore[arg-type]
