"""Exports as files: what they hold, what names they get, and what happens to those that are there already."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import file_names, specs
from benchmarks.datasets import Sample
from benchmarks.export import FORMATS, export, originals, yolo
from benchmarks.export.staging import LISTING
from pipelines.errors import DatasetError, RunLockedError, UsageError
from pipelines.images import OWN_FOLDER, load_image
from tests.benchmarks.exporting import (
    CLASSES,
    CONFIGURATION,
    Run,
    disc,
    generated,
    make_run,
    manifest,
    record,
    write_records,
)
from tests.conftest import ROOT

DATASETS = ("png", "coco", "yolo", "voc")
IMAGES = {"png": "images", "coco": "images", "yolo": "images", "voc": "JPEGImages"}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path)


def one_picture(folder: Path, name: str = "a", found: list[tuple[int, float, np.ndarray]] | None = None,
                size: tuple[int, int] = (20, 30), **changes: object) -> Run:  # fmt: skip
    """A run on one generated picture."""
    from benchmarks.datasets import Dataset

    ours = record(name, size, [(0, 0.5, disc(size, 10, 10, 5))] if found is None else found, **changes)  # type: ignore[arg-type]
    return Run(Dataset("one", "made", (generated(name, size),)), write_records(folder / "run", [ours]), {name: ours})


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def contents(home: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != ".lock"}


def test_the_command_line_knows_every_format() -> None:
    assert tuple(FORMATS) == specs.EXPORT_FORMATS


def test_one_file_a_picture(run: Run, tmp_path: Path) -> None:
    done = run.export(tmp_path / "out", *FORMATS)
    home = tmp_path / "out" / CONFIGURATION.id
    good = set(run.truth)
    assert good == {"plain", "upright", "turned", "empty", "sub/deep", "scan", "deep16", "made"}
    assert files(home / "rgba") == {f"{name}.png" for name in good} | {LISTING}
    assert files(home / "crop") == {f"{name}.png" for name in good - {"empty"}} | {LISTING}
    for name in DATASETS:
        pictures = {Path(file).with_suffix("").as_posix() for file in files(home / name / IMAGES[name])}
        assert pictures == good
    for name in FORMATS:
        assert done.files[name] == len(files(home / name) - {LISTING})
    assert done.files["png"] == 16
    assert done.failed == 1


def test_the_manifest_says_what_produced_the_files(run: Run, tmp_path: Path) -> None:
    done = run.export(tmp_path / "out", "png", "yolo", "soft")
    assert done.manifest is not None
    about = json.loads(done.manifest.read_text())
    assert about["run_id"] == "r"
    assert about["params"] == {"threshold": 0.5}
    assert about["weights"] == [{"repo": "o/n", "revision": "a" * 40, "licence": "Apache-2.0", "commercial": True}]
    assert about["dataset"]["hash"] == "h"
    assert about["failed"] == {"failed": "RuntimeError: it is dark"}
    assert about["missing"] == 0
    assert about["formats"]["yolo"]["tolerance_px"] == 0
    assert about["formats"]["yolo"]["categories"] == list(CLASSES)
    assert (about["formats"]["png"]["files"], about["formats"]["png"]["images"]) == (16, 8)
    assert about["formats"]["soft"]["files"] == 0
    assert about["formats"]["soft"]["notes"] == ["For 8 images the pipeline gave masks only, no soft map."]
    assert "1 image failed, not exported." in str(done)
    assert "masks only" in str(done)
    assert not (tmp_path / "out" / CONFIGURATION.id / "soft").exists()


def test_masks_cut_outs_and_crops_are_the_prediction(run: Run, tmp_path: Path) -> None:
    run.export(tmp_path / "out", "png", "rgba", "crop")
    home = tmp_path / "out" / CONFIGURATION.id
    for sample in run.dataset:
        if sample.id in run.truth:
            mask = cv2.imread(str(home / "png" / "masks" / f"{sample.id}.png"), cv2.IMREAD_UNCHANGED)
            union = np.zeros(sample.size, bool)
            for one in run.truth[sample.id].values():
                union |= one
            assert np.array_equal(mask, union * np.uint8(255))
            cut_out = cv2.imread(str(home / "rgba" / f"{sample.id}.png"), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(cut_out[..., 3], mask)
            assert np.array_equal(cut_out[..., 2::-1], np.where(union[..., None], sample.image, 0))
            if union.any():
                ys, xs = np.nonzero(union)
                crop = load_image(home / "crop" / f"{sample.id}.png")
                assert np.array_equal(crop, sample.image[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1])


def test_pictures_are_the_original_bytes_or_an_upright_png(run: Run, tmp_path: Path) -> None:
    run.export(tmp_path / "out", *DATASETS)
    home, data = tmp_path / "out" / CONFIGURATION.id, tmp_path / "data" / "images"
    for name in ("plain.png", "upright.jpg", "sub/deep.png"):
        assert (home / "coco" / "images" / name).read_bytes() == (data / name).read_bytes()
    for sample in run.dataset:
        if sample.id in ("turned", "scan", "deep16", "made"):
            picture = cv2.imread(str(home / "png" / "images" / f"{sample.id}.png"), cv2.IMREAD_UNCHANGED)
            assert picture.dtype == np.uint8
            assert np.array_equal(picture[..., ::-1], sample.image)
    for name in ("plain.png", "turned.png"):
        places = {(home / one / IMAGES[one] / name).stat().st_ino for one in DATASETS}
        assert len(places) == 1  # once on the disk for all four
        assert not (data / name).exists() or (data / name).stat().st_ino not in places  # and never the user's own file


def test_where_there_are_no_links_files_are_copied(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    run.export(tmp_path / "out", "png", "coco")
    home = tmp_path / "out" / CONFIGURATION.id
    assert (home / "png/images/plain.png").read_bytes() == (home / "coco/images/plain.png").read_bytes()


def test_a_cmyk_jpeg_and_a_file_that_is_no_picture_become_png(tmp_path: Path) -> None:
    from dataclasses import replace

    from PIL import Image

    Image.new("CMYK", (30, 20), (10, 20, 30, 40)).save(tmp_path / "c.jpg")
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    for name in ("c.jpg", "rows.parquet"):
        sample = replace(generated("a", (20, 30)), path=tmp_path / name)
        data, suffix = originals.picture(sample)
        assert suffix == ".png"
        assert np.array_equal(load_image(data, OWN_FOLDER), sample.image)


def test_soft_maps_are_copied_byte_for_byte(tmp_path: Path) -> None:
    run = one_picture(tmp_path, soft_map="soft/0.png")
    path = run.store.folder / CONFIGURATION.id / "soft" / "0.png"
    path.parent.mkdir()
    cv2.imwrite(str(path), np.arange(600, dtype=np.uint8).reshape(20, 30))
    done = run.export(tmp_path / "out", "soft", "rgba")
    home = tmp_path / "out" / CONFIGURATION.id
    assert (home / "soft" / "a.png").read_bytes() == path.read_bytes()
    assert set(np.unique(cv2.imread(str(home / "rgba" / "a.png"), cv2.IMREAD_UNCHANGED)[..., 3])) == {0, 255}
    assert not done.notes["soft"]
    path.unlink()
    assert "did not keep" in str(run.export(tmp_path / "out", "soft"))
    assert not (home / "soft").exists()  # the map of before is not left behind


def test_a_stream_is_exported_too(run: Run, tmp_path: Path) -> None:
    assert run.export(tmp_path / "out", *FORMATS, streamed=True).files == run.export(tmp_path / "held", *FORMATS).files


def test_records_are_read_one_at_a_time(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = [0]

    class Counted(Sample):
        @property
        def image(self) -> np.ndarray:
            held[0] += 1
            return super().image

    samples = tuple(Counted(**{name: getattr(s, name) for name in s.__dataclass_fields__}) for s in run.dataset)
    run.dataset = run.dataset.select(samples)
    run.export(tmp_path / "out", *FORMATS)
    assert held[0] == 8 + 1 + 3  # once for cut-out and crop, and again where a file cannot be copied


def test_without_records_nothing_is_written(tmp_path: Path) -> None:
    run = one_picture(tmp_path)
    run.store.records_path(CONFIGURATION.id).unlink()
    done = run.export(tmp_path / "out", "png")
    assert (done.files, done.manifest) == ({"png": 0}, None)
    assert "nothing to export" in str(done)
    assert not (tmp_path / "out").exists()


def test_images_without_a_record_are_counted(tmp_path: Path) -> None:
    run = one_picture(tmp_path)
    run.dataset = run.dataset.select([*run.dataset, generated("b", (20, 30))])
    done = run.export(tmp_path / "out", "png")
    assert (done.files["png"], done.missing, done.failed) == (2, 1, 0)
    assert "1 without a record" in str(done)


def test_a_label_that_was_not_asked_for_has_a_number(tmp_path: Path) -> None:
    run = one_picture(tmp_path, found=[(2, 0.5, disc((20, 30), 9, 9, 4))], texts=(), classes=None)
    run.export(tmp_path / "out", "coco", class_names=())
    document = json.loads((tmp_path / "out" / CONFIGURATION.id / "coco" / "annotations.json").read_text())
    assert [one["name"] for one in document["categories"]] == ["foreground", "label 2"]
    assert document["annotations"][0]["category_id"] == 2


def test_a_tolerance_is_stated(tmp_path: Path) -> None:
    run = one_picture(tmp_path, size=(200, 300), found=[(0, 0.5, disc((200, 300), 100, 100, 90))])
    run.export(tmp_path / "exact", "yolo")
    export(tmp_path / "rough", ["yolo"], CONFIGURATION, manifest(run.dataset), run.store, run.dataset, tolerance_px=1.5)
    exact, rough = (tmp_path / name / CONFIGURATION.id for name in ("exact", "rough"))
    assert json.loads((rough / "manifest.json").read_text())["formats"]["yolo"]["tolerance_px"] == 1.5
    assert "Tolerance: 1.5 px" in (rough / "yolo" / "data.yaml").read_text()
    assert "Tolerance: 0 px" in (exact / "yolo" / "data.yaml").read_text()
    sizes = [(folder / "yolo" / "labels" / "a.txt").stat().st_size for folder in (exact, rough)]
    assert sizes[1] < sizes[0] / 4


def test_where_every_image_failed_the_manifest_says_so(tmp_path: Path) -> None:
    run = one_picture(tmp_path)
    run.export(tmp_path / "out", *FORMATS)
    run = one_picture(tmp_path / "again", error="no")
    done = run.export(tmp_path / "out", *FORMATS)
    assert set(done.files.values()) == {0}
    assert files(tmp_path / "out" / CONFIGURATION.id) == {"manifest.json", ".lock"}


def test_pictures_that_the_run_did_not_see_are_refused(tmp_path: Path) -> None:
    run = one_picture(tmp_path)
    run.dataset = run.dataset.select([generated("a", (30, 20))])
    with pytest.raises(DatasetError, match="not the picture"):
        run.export(tmp_path / "out", "png")


# --- names -----------------------------------------------------------------------------------------------------------

HOSTILE = ["../../up", "/etc/passwd", "..", ".", "", "a//b", "a/../../b", "nul\0byte", "new\nline", "back\\slash", "C:x",
           "~root", ".hidden", " blank ", "%2E", "x" * 300, "é" * 200, "/".join(["deep"] * 400), "\udcff", "a\u2028b",
           "a.png/b", "x" * 299 + "y", "-rf", "a b", "ünï", "100%", "aux?*|"]  # fmt: skip


def test_no_two_ids_share_a_name_and_none_leaves_the_folder() -> None:
    found = [file_names.file_name(name) for name in HOSTILE]
    assert len(set(found)) == len(HOSTILE)
    for name in found:
        parts = name.split("/")
        assert not {"", ".", ".."} & set(parts)
        assert not any(part.startswith((".", "~", " ")) or part.endswith(" ") for part in parts)
        assert max(len(part.encode()) for part in parts) <= file_names.LONGEST_PART
        assert name.isprintable()


@pytest.mark.parametrize("name", ["a", "sub/b.v2", "crop/01", "a b", "ünï", "IMG_0001 (1)", "x.png", "#1"])
def test_an_id_that_came_from_a_file_is_its_name(name: str) -> None:
    assert file_names.file_name(name) == name


def test_hostile_ids_stay_below_the_folder(tmp_path: Path) -> None:
    from benchmarks.datasets import Dataset

    # Records are UTF-8, so that the half of a pair cannot come this far.
    wild = [name for name in HOSTILE if "\udcff" not in name]
    records = [record(name, (20, 30), [(0, 0.5, disc((20, 30), 9, 9, 5))]) for name in wild]
    run = Run(Dataset("wild", "made", tuple(generated(name, (20, 30)) for name in wild)),
              write_records(tmp_path / "run", records), {one.id: one for one in records})  # fmt: skip
    done = run.export(tmp_path / "box" / "out", *FORMATS)
    assert {path.name for path in tmp_path.iterdir()} == {"run", "box"}
    assert [path.name for path in (tmp_path / "box").iterdir()] == ["out"]
    home = tmp_path / "box" / "out" / CONFIGURATION.id
    assert done.files["rgba"] == len(wild) == len(list((home / "rgba").rglob("*.png")))
    assert json.loads((home / "manifest.json").read_text())["renamed"]["../../up"] == "%2E./%2E./up"
    listed = json.loads((home / "coco" / "annotations.json").read_text())["images"]
    assert len({image["file_name"] for image in listed}) == len(wild)
    assert "../../up" in {image.get("sample_id") for image in listed}
    assert all((home / "coco" / "images" / image["file_name"]).is_file() for image in listed)
    rows = (home / "voc" / "ImageSets" / "Segmentation" / "default.txt").read_text().splitlines()
    assert all((home / "voc" / "SegmentationClass" / f"{row}.png").is_file() for row in rows)
    assert len(rows) == len(wild)


def test_texts_with_signs_of_their_own_are_quoted(tmp_path: Path) -> None:
    import yaml

    texts = ("=1+1", "a: b # c\nd", "a_ b _ c d", "background", '"', "{x}", " null")
    run = one_picture(
        tmp_path, found=[(i, 0.5, np.indices((20, 30))[0] == i) for i in range(7)], texts=texts, classes=None
    )
    run.export(tmp_path / "out", "coco", "yolo", "voc", class_names=())
    home = tmp_path / "out" / CONFIGURATION.id
    categories = json.loads((home / "coco" / "annotations.json").read_text())["categories"]
    one_line = [text.replace("\n", " ").strip() for text in texts]
    assert [(one["id"], one["name"]) for one in categories] == list(enumerate(one_line, 1))
    assert yaml.safe_load((home / "yolo" / "data.yaml").read_text())["names"] == dict(enumerate(one_line))
    rows = (home / "voc" / "labelmap.txt").read_text().splitlines()
    assert [row.partition(":")[0] for row in rows[1:]] == [
        "background", "=1+1", "a_ b _ c d", "a_ b _ c d (2)", "background (2)", '"', "{x}", "null",
    ]  # fmt: skip
    about = json.loads((home / "manifest.json").read_text())
    assert "'background' is 'background (2)'" in about["formats"]["voc"]["notes"][0]
    assert about["renamed_categories"] == {"a: b # c\nd": "a: b # c d", " null": "null"}


# --- VOC -------------------------------------------------------------------------------------------------------------


def test_more_categories_than_voc_can_hold(tmp_path: Path) -> None:
    many = tuple(f"c{i}" for i in range(255))
    run = one_picture(tmp_path, texts=many, classes=None)
    with pytest.raises(UsageError, match="254 categories.*coco or yolo"):
        run.export(tmp_path / "out", "voc", class_names=())
    assert not list((tmp_path / "out").rglob("*.png"))
    run = one_picture(tmp_path / "fewer", texts=many[1:], classes=None)
    run.export(tmp_path / "out", "voc", class_names=())


def test_more_instances_than_a_palette_can_hold(tmp_path: Path) -> None:
    found = [(0, 0.5, np.arange(600).reshape(20, 30) == i) for i in range(300)]
    done = one_picture(tmp_path, found=found).export(tmp_path / "out", "voc")
    home = tmp_path / "out" / CONFIGURATION.id / "voc"
    objects = cv2.imread(str(home / "SegmentationObject" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert objects.dtype == np.uint16
    assert len(np.unique(objects)) == 301
    assert 255 not in objects
    assert "16-bit" in done.notes["voc"][0]


# --- what is there already -------------------------------------------------------------------------------------------


def test_files_of_an_earlier_export_do_not_stay(run: Run, tmp_path: Path) -> None:
    run.export(tmp_path / "out", *FORMATS)
    home = tmp_path / "out" / CONFIGURATION.id
    fewer = run.dataset.select([sample for sample in run.dataset if sample.id == "plain"])
    Run(fewer, run.store, run.records).export(tmp_path / "out", "png", "voc", run_id="second")
    assert files(home / "png") == {"images/plain.png", "masks/plain.png", LISTING}
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
    home = tmp_path / "out" / CONFIGURATION.id
    what(home)
    before = contents(home)
    with pytest.raises(UsageError, match="Move it away, or name another folder"):
        run.export(tmp_path / "out", "coco", "png", run_id="other")
    assert contents(home) == before


def test_a_foreign_folder_is_not_taken_over(run: Run, tmp_path: Path) -> None:
    mine = tmp_path / "out" / CONFIGURATION.id / "yolo" / "labels" / "work.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of it")
    with pytest.raises(UsageError, match=r"labels/work\.txt"):
        run.export(tmp_path / "out", "yolo")
    assert mine.read_text() == "years of it"
    mine.unlink()
    run.export(tmp_path / "out", "yolo")  # empty folders are nobody's


def test_an_end_in_the_middle_leaves_what_was_there(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run.export(tmp_path / "out", *FORMATS)
    home = tmp_path / "out" / CONFIGURATION.id
    before = contents(home)
    calls = []

    def fail(*arguments: object) -> str:
        calls.append(arguments)
        if len(calls) == 4:
            raise OSError(28, "No space left on device")
        return "0 0 0 1 0 1 1"

    monkeypatch.setattr(yolo, "line", fail)
    with pytest.raises(OSError, match="No space"):
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
    monkeypatch.setattr(sys, "argv", ["run", "--dataset", str(photographs), "--pipelines", "bright", "--budget-s", "1",
                                      "--batch-sizes", "1", "--json", "--export", "png,coco:out"])  # fmt: skip
    monkeypatch.setenv("PYTHONPATH", str(plugin_site))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert run_command(app) == 4
    said = capfd.readouterr().out
    error = json.loads(said[said.index("{") :])["error"]  # a plugin may print when it is imported
    assert error["code"] == "resource"
    assert not list(Path("out").rglob("*.png"))
    assert not list(Path("out").rglob("*.partial"))
    assert run_command(app) == 0  # the records are there: nothing is predicted again
    assert len(list(Path("out").rglob("*.png"))) == 18


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
    home = tmp_path / "out" / CONFIGURATION.id
    before = contents(home)
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(after), *FORMATS], cwd=ROOT)
    assert done.returncode == 9
    assert before.items() <= contents(home).items()
    assert any(path.name.endswith(".partial") for path in home.iterdir())
    run.export(tmp_path / "out", *FORMATS)
    assert contents(home).keys() == before.keys()


def test_a_kill_between_away_and_in_is_mended(run: Run, tmp_path: Path) -> None:
    run.export(tmp_path / "out", "png", "coco")
    home = tmp_path / "out" / CONFIGURATION.id
    (home / "png").rename(home / ".png.old")
    (home / ".png.old" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"mine\.txt"):  # it is back, and looked at as ever
        run.export(tmp_path / "out", "png")
    assert (home / "png" / "mine.txt").read_text() == "mine"


def test_two_exports_do_not_write_one_folder(run: Run, tmp_path: Path) -> None:
    from benchmarks.store import Lock

    with Lock(tmp_path / "out" / CONFIGURATION.id / ".lock"), pytest.raises(RunLockedError):
        run.export(tmp_path / "out", "png")
