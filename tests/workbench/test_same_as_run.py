"""What leaves the app is what a run of the benchmark made: masks and every file, byte for byte, in every way out."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from gradio_client import Client, handle_file

from benchmarks import rle
from benchmarks.datasets import open_dataset
from benchmarks.datasets.sample import FOREGROUND
from benchmarks.export import foreground
from benchmarks.export.coco import compressed
from benchmarks.export.originals import png
from benchmarks.export.pictures import mask_pixels
from benchmarks.oracle import with_boxes
from benchmarks.records import SampleRecord
from benchmarks.store import RunStore
from pipelines.types import Image, Mask, Prompt
from tests.conftest import commanding
from tests.workbench.apps import Running, request, running
from workbench.catalogue import Place
from workbench.looks.inside import Inside
from workbench.service import Service
from workbench.tabs.controls import values_of

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
TEXTS = ("coin", "dark spot")
RUNS = (("classical", "default"), ("classical", "coin-seed"), ("clipseg", "default"), ("rmbg", "default"),
        ("grounded_sam", "default"), ("sam", "default"))  # fmt: skip
LOOK = ("Overlay", "Checkerboard", 0.5, 0.0)
EXPORTS = "png,rgba,coco,yolo,crop,soft"


@dataclass(frozen=True)
class Expected:
    """What a run found in one picture, and the folder of its export."""

    pipeline: str
    preset: str
    record: SampleRecord
    home: Path
    soft: Path

    @property
    def mask(self) -> Mask:
        return foreground(self.record)

    def file(self, kind: str, name: str) -> bytes | None:
        path = self.home / kind / name
        return path.read_bytes() if path.is_file() else None

    def files(self) -> dict[str, bytes | None]:
        """By the name of the download."""
        name = self.record.id
        soft = self.file("soft", f"{name}.png")
        if self.record.soft_map is not None:
            assert soft == (self.soft / self.record.soft_map).read_bytes()
        return {"mask": self.file("png", f"masks/{name}.png"), "cut_out": self.file("rgba", f"{name}.png"),
                "crop": self.file("crop", f"{name}.png"), "yolo": self.file("yolo", f"labels/{name}.txt"), "soft": soft}  # fmt: skip

    def annotations(self) -> list[dict[str, Any]]:
        return annotations(json.loads((self.home / "coco" / "annotations.json").read_bytes()), f"{self.record.id}.png")

    def names(self) -> dict[int, str]:
        return dict(yaml.safe_load((self.home / "yolo" / "data.yaml").read_bytes())["names"])


def annotations(document: dict[str, Any], file: str) -> list[dict[str, Any]]:
    """Of one picture, with the name of each category; without the numbers that go by how many pictures there are."""
    (image,) = [one["id"] for one in document["images"] if one["file_name"] == file]
    names = {one["id"]: one["name"] for one in document["categories"]}
    return [{key: value for key, value in one.items() if key not in ("id", "image_id")} | {"name": names[one["category_id"]]}
            for one in document["annotations"] if one["image_id"] == image]  # fmt: skip


def pictures() -> Mapping[str, tuple[Image, Mask]]:
    """A crop of the embedded dataset, and part of a composed picture with its edges cut."""
    samples = {sample.id: sample for sample in open_dataset("coins")}
    whole, part = samples["crop/01"], samples["composed/01"]
    found = {"one coin": (whole.image, whole.target()), "part": (part.image, part.target())}
    return {name: (image[:150, :190], mask[:150, :190]) for name, (image, mask) in found.items() if mask is not None}


def ran(folder: Path, weights: Path) -> dict[tuple[str, str, str], Expected]:
    """`benchmarks.run` as somebody types it, on a folder of pictures."""
    for name, (image, mask) in pictures().items():
        for kind, pixels in (("images", image), ("masks", mask_pixels(mask))):
            (folder / "data" / kind).mkdir(parents=True, exist_ok=True)
            (folder / "data" / kind / f"{name}.png").write_bytes(png(pixels))
    asked = ",".join(pipeline if preset == "default" else f"{pipeline}@{preset}" for pipeline, preset in RUNS)
    done = commanding(folder)("benchmarks.run", "--dataset", "data", "--pipelines", asked, "--prompt", TEXTS[0],
                              "--prompt", TEXTS[1], "--prompt-from", "boxes", "--weights", str(weights), "--budget-s", "0.1",
                              "--batch-sizes", "1", "--device", "cpu", "--out", "runs", "--export", f"{EXPORTS}:out", "--quiet")  # fmt: skip
    assert done.returncode == 0, done.stderr
    (home,) = [path for path in (folder / "runs").iterdir() if path.is_dir()]
    store, found = RunStore(home), {}
    for configuration in store.manifest().configurations:
        for name in pictures():
            record = store.index(configuration.id).get(name)
            assert record is not None and record.error is None, record
            key = configuration.pipeline, configuration.preset, name
            found[key] = Expected(*key[:2], record, folder / "out" / configuration.label, home / configuration.id)
    return found


def prompt(mask: Mask) -> Prompt:
    """What the run asked, by the rule of ``--prompt-from boxes``."""
    from benchmarks.datasets import Truth

    return with_boxes(Prompt(TEXTS), Truth({FOREGROUND: mask}))


def by_api(client: Client, path: Path, mask: Mask, expected: Expected) -> None:
    found = client.predict(image=handle_file(path), pipeline=expected.pipeline, preset=expected.preset, prompt=list(TEXTS),
                           boxes=[list(box) for box in prompt(mask).boxes], api_name="/segment")  # fmt: skip
    assert found["status"] == "ok", found["reason"]
    assert base64.b64decode(found["mask_png"]) == expected.files()["mask"]
    assert found["rle"] == compressed(rle.encode(expected.mask))
    told = [{key: one[key] for key in ("label", "score", "mask")} for one in found["instances"]]
    assert told == [{**one.model_dump(), "mask": compressed(one.mask)} for one in expected.record.instances]
    texts = expected.record.texts
    assert [one["text"] for one in found["instances"]] == [texts[one["label"]] if texts else None for one in told]


def by_desk(app: Running, visitor: str, path: Path, mask: Mask, preset: str) -> None:
    """All pipelines of a preset at once, as the browser asks for it."""
    rest: list[Any] = []
    for slot in app.desk.form.slots:
        chosen = (slot.offer.name, preset) in RUNS
        values = values_of(slot.offer, preset if chosen else "default")
        rest += [chosen, "mask", preset if chosen else "default", *(values[knob.name] for knob in slot.offer.knobs)]
    lines = "\n".join("box {} {} {} {}".format(*box) for box in prompt(mask).boxes)
    upload = app.upload(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), path.name)
    list(app.desk.compare(request(visitor), upload, "\n".join(TEXTS), lines, None, 0, *LOOK, *rest))


def downloads(app: Running, visitor: str, expected: Expected) -> dict[str, bytes]:
    slot = app.slot(expected.pipeline)
    kinds = [kind for kind, data in expected.files().items() if data is not None]
    made = {
        kind: app.desk.file(slot)(request(visitor), kind)[slot.file]["value"] for kind in [*kinds, "coco", "yolo_names"]
    }
    return {kind: Path(path).read_bytes() for kind, path in made.items()}


def hold(found: Mapping[str, bytes], expected: Expected, picture: str) -> None:
    """Every file against that of the run."""
    for kind, data in expected.files().items():
        assert found.get(kind) == data, f"{kind} of {expected.pipeline}@{expected.preset}"
    assert annotations(json.loads(found["coco"]), picture) == expected.annotations()
    assert yaml.safe_load(found["yolo_names"])["names"] == expected.names()


def zipped(app: Running, visitor: str, folder: str) -> dict[str, bytes]:
    path = app.desk.all_files(request(visitor))[app.desk.form.bundle]["value"]
    names = {"mask.png": "mask", "cut_out.png": "cut_out", "crop.png": "crop", "picture.txt": "yolo", "soft.png": "soft",
             "coco.json": "coco", "data.yaml": "yolo_names"}  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(Path(path).read_bytes())) as archive:
        folder = "" if "mask.png" in archive.namelist() else folder
        assert json.loads(archive.read(f"{folder}about.json"))["produced"]["environment"]["device"] == "cpu"
        return {
            kind: archive.read(folder + name) for name, kind in names.items() if folder + name in archive.namelist()
        }


def test_masks_and_files_are_those_of_a_run_byte_for_byte(tmp_path: Path, tiny_weights: Path) -> None:
    expected = ran(tmp_path, tiny_weights)
    assert len(expected) == len(RUNS) * 2 and any(one.mask.any() for one in expected.values())
    here = Service(Place(str(tiny_weights), "cpu"), pool=Inside(lambda look: look))  # a process each costs 5 s each
    with running(tmp_path / "app", here, weights=str(tiny_weights)) as app:
        client = Client(app.url, verbose=False)
        for name, (_, mask) in pictures().items():
            path = tmp_path / "data" / "images" / f"{name}.png"
            for preset in ("default", "coin-seed"):
                visitor = f"{name} {preset}"
                by_desk(app, visitor, path, mask, preset)
                for (pipeline, other, picture), one in expected.items():
                    if (other, picture) == (preset, name):
                        by_api(client, path, mask, one)
                        hold(downloads(app, visitor, one), one, "picture.png")
                        hold(zipped(app, visitor, f"{pipeline}-default/"), one, "picture.png")
    floors = [one.record.instances for key, one in expected.items() if key[0] == "grounded_sam"]
    assert any(floors), "there was something that a lower floor could have changed"
    soft = {key[0] for key, one in expected.items() if one.record.soft_map is not None}
    assert soft == {"classical", "clipseg", "rmbg"} and np.any([one.record.texts == TEXTS for one in expected.values()])
