"""Datasets in ZIPs that strangers send: unpacked whole or not at all, and what is wrong in them is told in words."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from random import Random
from threading import Event

import cv2
import pytest

from benchmarks.datasets import open_dataset
from pipelines.errors import ImageFormatError, ImageLimitError, UsageError, WorkbenchError
from tests.conftest import disc
from tests.workbench.hostile_archives import HOSTILE as ARCHIVES
from workbench.archives.members import ArchiveRefusedError
from workbench.studies import commands
from workbench.studies.commands import Allowed
from workbench.studies.intake import named, prune, taken_in

FINE = Allowed(60, 4000)


def png(pixels: object) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def zipped(folder: Path, members: Mapping[str, bytes | str], name: str = "my photos.zip") -> Path:
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return folder / name


def pairs(within: str = "") -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    for number in range(4):
        image, mask = disc(60 + number, 80, 12 + number)
        made |= {f"{within}images/p{number}.png": png(image), f"{within}masks/p{number}.png": png(mask)}
    return made


def taken(folder: Path, members: Mapping[str, bytes | str], name: str = "my photos.zip") -> Path:
    study = folder / "study"
    study.mkdir(exist_ok=True)
    return study / taken_in(zipped(folder, members, name), study, 10)[1]


def profiled(root: Path) -> list[str]:
    """What the profile says is wrong, problem by problem and suspect by suspect."""
    study = root.parents[2]
    document = commands.run("benchmarks.profile", [f"./{root.relative_to(study)}", "--out", "p", "--no-html"], study,
                            FINE, Event())  # fmt: skip
    problems = [f"{one['row']}: {one['reason']}" for one in document["dataset"]["problems"]]
    return problems + [f"{one['kind']} {one['sample']}: {one['reason']}" for one in document["suspects"]]


@pytest.mark.parametrize("within", ["", "photos/", "a/b/photos/"])
def test_images_and_masks_are_found_however_they_were_packed(tmp_path: Path, within: str) -> None:
    root = taken(tmp_path, pairs(within) | {"__MACOSX/._p0.png": b"x", f"{within}.DS_Store": b"x", "run.sh": "rm"})
    dataset = open_dataset(root)
    assert dataset.format == "images + masks" and len(dataset) == 4
    assert root.name == ("photos" if within else "my_photos")
    assert not list(root.parent.rglob("*.sh")) and not list(root.rglob(".*"))


def test_coco_yolo_and_metadata_are_found(tmp_path: Path) -> None:
    image, _ = disc(60, 80, 12)
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[10, 10, 40, 10, 40, 40]], "iscrowd": 0,
                  "bbox": [10, 10, 30, 30], "area": 450}  # fmt: skip
    coco = {"images": [{"id": 1, "file_name": "a.png", "width": 80, "height": 60}], "annotations": [annotation],
            "categories": [{"id": 1, "name": "disc"}]}  # fmt: skip
    forms = {
        "COCO": {"annotations.json": json.dumps(coco), "images/a.png": png(image)},
        "YOLO-seg": {"data.yaml": "names: [disc]\nval: images\n", "images/a.png": png(image),
                     "labels/a.txt": "0 0.1 0.1 0.5 0.1 0.5 0.5\n"},
        "imagefolder": {"metadata.csv": "file_name\na.png\n", "a.png": png(image)},
    }  # fmt: skip
    for form, members in forms.items():
        root = taken(tmp_path, members, f"{form}.zip")
        assert open_dataset(root).format == form


HOSTILE = {
    "..": ({"../../out.png": b"x"}, r"out\.png.*folder"),
    "absolute": ({"/etc/out.png": b"x"}, "absolute name"),
    "drive": ({"C:/out.png": b"x"}, "names a drive"),
    "nested": ({"images/a.png": b"x", "more.zip": b"PK\x03\x04"}, "an archive in an archive"),
    "disguised": ({"images/a.png": b"PK\x03\x04" + bytes(100)}, "an archive in an archive"),
    "case": ({"images/a.png": b"x", "images/A.png": b"y"}, "has the name of"),
    "bomb": ({"images/a.png": bytes(9_000_000)}, "times as large unpacked"),
    "large": ({f"images/{n}.png": bytes([n]) * 100 + Random(n).randbytes(4_000_000)
               for n in range(3)}, "more than 10 MB"),
    "no picture": ({"readme.txt": "hello"}, "no picture in the ZIP"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_leaves_nothing(tmp_path: Path, kind: str) -> None:
    members, words = HOSTILE[kind]
    with pytest.raises(ArchiveRefusedError, match=words):
        taken(tmp_path, members)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".zip"]


@pytest.mark.parametrize("kind", sorted(set(ARCHIVES) - {"too many members", "too many pictures"}))
def test_what_no_batch_takes_no_study_takes(tmp_path: Path, kind: str) -> None:
    """But for limits of its own on numbers."""
    (tmp_path / "x.zip").write_bytes(ARCHIVES[kind][0]())
    with pytest.raises(ArchiveRefusedError):
        taken_in(tmp_path / "x.zip", tmp_path, 10)
    assert {path.name for path in tmp_path.rglob("*")} <= {"x.zip", "data"}


def test_what_is_no_zip_and_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"not a zip")
    with pytest.raises(UsageError, match="refused"):
        taken_in(tmp_path / "x.zip", tmp_path, 10)
    with pytest.raises(UsageError, match="no file yet"):
        taken_in(None, tmp_path, 10)


def test_lists_that_take_long_to_read_are_refused(tmp_path: Path) -> None:
    """The app reads them in its own process, where every other visitor waits."""
    noise = [Random(n).randbytes(4_600_000).hex() for n in range(2)]
    lists = {"annotations.json": noise[0], "labels/a.txt": noise[1], "b.xml": noise[0], "c.csv": noise[1]}
    pictures = {"images/a.png": png(disc(20, 20, 5)[0])}
    study = tmp_path / "study"
    study.mkdir()
    with pytest.raises(ArchiveRefusedError, match="the lists in it .* have more than 20 MB together"):
        taken_in(zipped(tmp_path, pictures | lists), study, 500)
    with pytest.raises(ArchiveRefusedError, match=r"data\.yaml.* has more than 100 kB"):
        taken_in(zipped(tmp_path, pictures | {"data.yaml": noise[0][:100_001]}), study, 500)
    assert not list((study / "data").iterdir())
    del lists["c.csv"], lists["b.xml"]
    assert taken_in(zipped(tmp_path, pictures | lists | {"data.yml": noise[0][:99_000]}), study, 500)[0] == "my_photos"


def _bomb() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 13_370, 13_370, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def test_pictures_that_nobody_opens_for_strangers_are_refused_by_name(tmp_path: Path) -> None:
    from PIL import Image

    with pytest.raises(ImageLimitError, match=r"images/huge\.png"):
        taken(tmp_path, pairs() | {"images/huge.png": _bomb()})
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "GIF")
    with pytest.raises(ImageFormatError, match=r"images/moves\.png"):
        taken(tmp_path, pairs() | {"images/moves.png": out.getvalue()})
    assert not list((tmp_path / "study" / "data").iterdir())
    assert taken(tmp_path, pairs() | {"images/cut.png": pairs()["images/p0.png"][:80]}).is_dir()


def test_what_is_wrong_inside_is_told_by_the_profile(tmp_path: Path) -> None:
    image, mask = disc(60, 80, 12)
    root = taken(tmp_path, pairs() | {
        "images/cut.png": png(image)[:200], "masks/cut.png": png(mask),
        "images/small.png": png(image), "masks/small.png": png(mask[:30]),
        "images/bare.png": png(image),
    })  # fmt: skip
    said = "\n".join(profiled(root))
    assert "image_unreadable cut" in said and "mask_size_mismatch small" in said and "mask_missing bare" in said
    assert str(tmp_path) not in said


@pytest.mark.parametrize("path", ["../../../etc/passwd", "/etc/passwd", "..\\\\x.png", "file:///etc/passwd"])
def test_a_manifest_that_points_outside_is_told_and_opens_nothing(tmp_path: Path, path: str) -> None:
    image, _ = disc(60, 80, 12)
    lines = json.dumps({"file_name": "a.png"}) + "\n" + json.dumps({"file_name": path}) + "\n"
    root = taken(tmp_path, {"a.png": png(image), "metadata.jsonl": lines})
    problems = open_dataset(root, strict=False).problems
    assert len(problems) == 1 and "line 2" in problems[0].row
    assert "root:" not in str(problems)


def test_a_dataset_of_another_library_is_not_read_from_a_zip(tmp_path: Path) -> None:
    """Its tables may name any file of this machine."""
    with pytest.raises(WorkbenchError):
        taken(tmp_path, {"state.json": "{}", "dataset_info.json": "{}", "data-00000.arrow": b"ARROW1"})


def test_old_datasets_of_a_study_give_way(tmp_path: Path) -> None:
    roots = [taken(tmp_path, {"a.png": png(disc(20, 20, 5)[0])}) for _ in range(7)]
    assert all(root.is_dir() for root in roots) and len(set(roots)) == 7
    study = tmp_path / "study"
    prune(study, str(roots[1].relative_to(study)))
    kept = [False, True, False, False, False, True, True]
    assert [root.is_dir() for root in roots] == kept, "the one that the record names stays"
    prune(study, "")
    assert [root.is_dir() for root in roots] == [False] * 5 + [True] * 2


def test_folders_of_this_machine_go_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "a" / "photos").mkdir(parents=True)
    (tmp_path / "b" / "photos").mkdir(parents=True)
    (tmp_path / "coins").mkdir()
    assert named([str(tmp_path / "a" / "photos")]) == {"photos": tmp_path / "a" / "photos"}
    for folders in (["a/photos", "b/photos"], ["coins"], ["nothing"]):
        with pytest.raises(UsageError):
            named([str(tmp_path / folder) for folder in folders])
