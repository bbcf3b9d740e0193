"""Folders and manifests: what is read, how pictures and masks are paired, and that both say the same."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.datasets import DATASETS, open_dataset
from benchmarks.datasets.paths import sample_ids
from benchmarks.datasets.sample import FOREGROUND, truth_of_ids
from pipelines.errors import DatasetError, ImageError, UnknownNameError, UsageError

SIZE = (20, 30)


def write(path: Path, *, size: tuple[int, int] = SIZE, value: int | None = None, seed: int = 0) -> Path:
    """A mask with a square of one value, or a noisy picture; lossless."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if value is None:
        pixels = np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)
    else:
        pixels = np.zeros(size, np.uint8)
        pixels[3:9, 4 : 10 + seed] = value
    Image.fromarray(pixels).save(path)
    return path


def pairs(root: Path, names: tuple[str, ...] = ("a", "b", "deep/c")) -> Path:
    for i, name in enumerate(names):
        write(root / f"images/{name}.png", seed=i)
        write(root / f"masks/{name}.png", value=255, seed=i)
    return root


def manifest(root: Path, text: str, name: str = "metadata.csv") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8", newline="")
    return root


def test_pairs_by_path(tmp_path: Path) -> None:
    dataset = open_dataset(pairs(tmp_path / "set"))
    assert (dataset.name, dataset.format, len(dataset), dataset.n_groups) == ("set", "images + masks", 3, 3)
    assert [s.id for s in dataset] == ["a", "b", "deep/c"]
    assert [s.group for s in dataset] == ["a", "b", "deep/c"]
    sample = dataset["b"]
    target = sample.target()
    assert target is not None
    assert sample.size == SIZE == sample.image.shape[:2] == target.shape
    assert target.dtype == np.bool_
    assert target.sum() == 6 * 7
    assert sample.ignore() is None
    assert list(sample.targets or {}) == [FOREGROUND]
    assert dataset.class_names == ()


def test_manifest_and_folder_say_the_same(tmp_path: Path) -> None:
    plain = pairs(tmp_path / "plain")
    listed = shutil.copytree(plain, tmp_path / "listed")
    rows = "".join(f"images/{n}.png,masks/{n}.png\n" for n in ("deep/c", "b", "a"))
    manifest(listed, f"file_name,mask_file_name\n{rows}")
    first, second = open_dataset(plain), open_dataset(listed)
    assert second.format == "imagefolder"
    assert first.hash == second.hash
    for a, b in zip(first, second, strict=True):
        assert (a.id, a.size, a.group, a.image_hash, a.target_hash) == (
            b.id,
            b.size,
            b.group,
            b.image_hash,
            b.target_hash,
        )
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.target(), b.target())  # type: ignore[arg-type]


def test_jsonl_equals_csv(tmp_path: Path) -> None:
    root = pairs(tmp_path / "set", ("a", "b"))
    rows = "images/a.png,masks/a.png,cat; dog,dim\r\nimages/b.png,masks/b.png,,\r\n"
    manifest(root, f"file_name,mask_file_name,prompt,light\r\n{rows}")
    csv = open_dataset(root)
    (root / "metadata.csv").unlink()
    records = [{"file_name": "images/a.png", "mask_file_name": "masks/a.png", "prompt": ["cat", "dog"], "light": "dim"},
               {"file_name": "images/b.png", "mask_file_name": "masks/b.png", "prompt": None, "light": None}]  # fmt: skip
    manifest(root, "\n".join(map(json.dumps, records)), "metadata.jsonl")
    jsonl = open_dataset(root)
    assert csv.hash == jsonl.hash
    assert [s.prompt.texts for s in jsonl] == [("cat", "dog"), ()]
    assert [dict(s.tags) for s in csv] == [dict(s.tags) for s in jsonl] == [{"light": "dim"}, {"light": ""}]


def test_manifest_columns(tmp_path: Path) -> None:
    root = pairs(tmp_path / "set", ("a", "b"))
    for name in ("a", "b"):
        write(root / f"cats/{name}.png", value=1)
    text = (
        "\ufefffile_name,cat_file_name,dog_file_name,group,split,prompt,note\n"
        'images/a.png,cats/a.png,masks/a.png,g,tune,a; b ;,"said ""x, y"""\n\n'
        "images/b.png,cats/b.png,,h,test,,\n"
    )
    dataset = open_dataset(manifest(root, text))
    a, b = dataset
    assert dataset.class_names == ("cat", "dog")
    assert dataset.splits == ("test", "tune")
    assert (a.group, a.split, a.prompt.texts, dict(a.tags)) == ("g", "tune", ("a", "b"), {"note": 'said "x, y"'})
    assert set(a.targets or {}) == {"cat", "dog"}
    assert set(b.targets or {}) == {"cat"}, "an empty cell among several masks: the label is not in the picture"
    assert len(open_dataset(root, split="tune")) == 1


def test_subfolders_are_splits(tmp_path: Path) -> None:
    for i, split in enumerate(("train", "test")):
        write(tmp_path / split / "images" / "a.png", seed=i)
        write(tmp_path / split / "masks" / "a.png", value=255)
    dataset = open_dataset(tmp_path)
    assert [(s.id, s.split) for s in dataset] == [("test/images/a", "test"), ("train/images/a", "train")]
    for split in ("train", "test"):
        manifest(tmp_path / split, "file_name,mask_file_name\nimages/a.png,masks/a.png\n")
    listed = open_dataset(tmp_path)
    assert listed.format == "imagefolder"
    assert listed.hash == dataset.hash


@pytest.mark.parametrize("layout", ["images", "", "2023/summer"])
def test_no_masks(tmp_path: Path, layout: str) -> None:
    for i, name in enumerate("ab"):
        write(tmp_path / layout / f"{name}.png", seed=i)
    (tmp_path / layout / "notes.txt").write_text("x")
    (tmp_path / layout / ".hidden.png").write_text("x")
    dataset = open_dataset(tmp_path)
    assert dataset.format == "pictures"
    assert [s.id for s in dataset] == ["a", "b"]
    assert not dataset.has_truth
    for sample in dataset:
        assert (sample.target(), sample.targets, sample.ignore(), sample.target_hash) == (None, None, None, None)
    assert dataset.notes == ("1 files that are not pictures are not read (.txt 1).",)


def test_names_match_however_accents_are_written(tmp_path: Path) -> None:
    write(tmp_path / "images/caf\u00e9.png")
    write(tmp_path / "masks/cafe\u0301.png", value=255)
    assert open_dataset(tmp_path).has_truth


def test_masks_beside_the_folder_are_pointed_out(tmp_path: Path) -> None:
    dataset = open_dataset(pairs(tmp_path / "set") / "images")
    assert not dataset.has_truth
    assert dataset.notes == (f"There are masks/ beside this folder; to use them, open {str(tmp_path / 'set')!r}.",)


def test_class_folders_are_tags(tmp_path: Path) -> None:
    write(tmp_path / "cat/1.png", seed=1)
    write(tmp_path / "dog/1.png", seed=2)
    assert [(s.id, s.tags["folder"]) for s in open_dataset(tmp_path)] == [("cat/1", "cat"), ("dog/1", "dog")]


def test_settings_file(tmp_path: Path) -> None:
    root = pairs(tmp_path / "set", ("a", "b"))
    write(root / "masks/b.png", value=200)
    (root / "dataset.yaml").write_text("name: mine\nprompt: a; b\nmask_threshold: 128\n")
    dataset = open_dataset(root)
    assert dataset.name == "mine"
    assert dataset["a"].prompt.texts == ("a", "b")
    manifest(root, "file_name,mask_file_name,prompt\nimages/a.png,masks/a.png,cat\nimages/b.png,masks/b.png,\n")
    assert [s.prompt.texts for s in open_dataset(root)] == [("cat",), ("a", "b")]


def test_soft_mask_needs_a_threshold(tmp_path: Path) -> None:
    root = pairs(tmp_path / "set", ("a",))
    ramp = np.tile(np.linspace(0, 255, SIZE[1]).astype(np.uint8), (SIZE[0], 1))
    Image.fromarray(ramp).save(root / "masks/a.png")
    with pytest.raises(DatasetError, match="mask_threshold: 128"):
        open_dataset(root)
    write(root / "images/0.png")
    write(root / "masks/0.png", value=255)
    with pytest.raises(ImageError, match="mask_threshold: 128"):
        open_dataset(root)["a"].target()
    manifest(root, "file_name,mask_file_name,mask_threshold\nimages/a.png,masks/a.png,128\n")
    sample = open_dataset(root)["a"]
    np.testing.assert_array_equal(sample.target(), ramp >= 128)  # type: ignore[arg-type]


def test_ids() -> None:
    def truth(*values: int) -> tuple[list[int], list[int] | None]:
        found = truth_of_ids({FOREGROUND: np.array([values], np.uint16)})
        ignored = None if found.ignore is None else found.ignore[0].astype(int).tolist()
        return found.union()[0].astype(int).tolist(), ignored

    assert truth(0, 255, 255) == ([0, 1, 1], None), "a plain mask of 0 and 255"
    assert truth(0, 0, 1) == ([0, 0, 1], None)
    assert truth(0, 2, 7) == ([0, 1, 1], None), "instances are joined"
    assert truth(0, 1, 255) == ([0, 1, 0], [0, 0, 1]), "255 beside other ids is ignore, as in VOC"
    assert truth(255, 300, 0) == ([1, 1, 0], None), "a 16-bit instance map has an instance 255"
    assert truth(0, 0, 0) == ([0, 0, 0], None)
    two = truth_of_ids({"a": np.array([[1, 255, 255]]), "b": np.array([[0, 1, 0]])})
    assert two.ignore is not None
    assert two.ignore.tolist() == [[False, False, True]], "what one label is sure of is not ignored"


def test_sample_ids() -> None:
    assert sample_ids(["images/b.png", "images/a.jpg"]) == ["b", "a"]
    assert sample_ids(["images/x/b.png"]) == ["b"]
    assert sample_ids(["a.png", "x/a.png"]) == ["a", "x/a"]
    assert sample_ids(["i/a.png", "i/a.jpg", "i/c.v2.png"]) == ["a.png", "a.jpg", "c.v2"]
    assert sample_ids(["img1/a.png", "img2/a.png"]) == ["img1/a", "img2/a"], "folders are shared whole, not by letters"
    assert sample_ids([]) == []


def test_pictures_are_decoded_at_each_access(tmp_path: Path) -> None:
    sample = open_dataset(pairs(tmp_path / "set"))["a"]
    first = sample.image
    first[:] = 0
    assert sample.image.any()


def test_hash_follows_every_byte(tmp_path: Path) -> None:
    root = pairs(tmp_path / "set")
    hashes = {open_dataset(root).hash, open_dataset(root).hash}
    assert len(hashes) == 1
    write(root / "images/a.png", seed=9)
    hashes.add(open_dataset(root).hash)
    write(root / "masks/a.png", value=255, seed=9)
    hashes.add(open_dataset(root).hash)
    for settings in ("prompt: coin", "prompt: cat", "mask_threshold: 128"):
        (root / "dataset.yaml").write_text(settings)
        hashes.add(open_dataset(root).hash)
    assert len(hashes) == 6


def test_limit(tmp_path: Path) -> None:
    root = pairs(tmp_path / "set")
    assert [s.id for s in open_dataset(root, limit=2)] == ["a", "b"]
    assert len(open_dataset(root, limit=99)) == 3
    with pytest.raises(UsageError, match="limit is 0"):
        open_dataset(root, limit=0)


def test_unknown_split_lists_what_there_is(tmp_path: Path) -> None:
    root = pairs(tmp_path / "set")
    with pytest.raises(UnknownNameError, match=r"Known: test, tune"):
        open_dataset(root, split="train")
    shutil.rmtree(root / "masks")
    manifest(root, "file_name,split\nimages/a.png,train\nimages/b.png,val\n")
    with pytest.raises(UnknownNameError, match=r"Did you mean 'train'\? Known: train, val"):
        open_dataset(root, split="trian")


def test_the_embedded_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "coins/a.png")
    monkeypatch.chdir(tmp_path)
    assert open_dataset("coins").format == "embedded"
    assert open_dataset("./coins").format == "pictures"
    assert open_dataset(Path("coins")).format == "pictures"


def test_links_inside_the_root_are_followed(tmp_path: Path) -> None:
    root = pairs(tmp_path / "set", ("a",))
    (root / "images/b.png").symlink_to(root / "images/a.png")
    (root / "masks/b.png").symlink_to(root / "masks/a.png")
    assert len(open_dataset(root)) == 2


def test_formats_are_imported_on_use() -> None:
    code = (
        "import sys; import benchmarks.datasets as d; "
        "print([m for m in ('cv2', 'skimage', 'pandas', 'datasets', 'PIL', 'yaml') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
    assert all(":" in target for target in DATASETS.values())


def test_two_thousand_pictures_open_fast(tmp_path: Path) -> None:
    image, mask = write(tmp_path / "i.png", size=(64, 64)), write(tmp_path / "m.png", size=(64, 64), value=255)
    root = tmp_path / "set"
    for folder, source in (("images", image), ("masks", mask)):
        (root / folder).mkdir(parents=True)
        for i in range(2000):
            os.link(source, root / folder / f"{i}.png")
    start = time.perf_counter()
    assert len(open_dataset(root)) == 2000
    assert time.perf_counter() - start < 10, "headers only; 1 to 2 s on a free core"
