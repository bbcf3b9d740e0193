"""COCO instances: one JSON file with run-length masks, beside its pictures (cocodataset.org/#format-data)."""

from __future__ import annotations

import json
import shutil
from typing import IO, Any

from benchmarks.export.format import Format, Item, Plan
from benchmarks.export.manifest import provenance
from benchmarks.export.originals import Originals
from benchmarks.export.staging import Staging
from benchmarks.records import RLE, Instance

FILE = "annotations.json"


def compressed(rle: RLE) -> dict[str, Any]:
    """The RLE with its counts as COCO's short text; no mask is decoded for it."""
    from pycocotools import mask

    found = mask.frPyObjects({"size": list(rle.size), "counts": list(rle.counts)}, *rle.size)
    return {"size": list(rle.size), "counts": found["counts"].decode("ascii")}


def annotation(instance: Instance, category: int) -> dict[str, Any]:
    """An instance as COCO has it, but for the number of itself and of its image.

    Args:
        instance: with its mask.
        category: its number, from 0; COCO counts from 1.
    """
    from pycocotools import mask

    rle = compressed(instance.mask)
    return {"category_id": category + 1, "bbox": mask.toBbox(rle).tolist(), "area": int(mask.area(rle)), "iscrowd": 0,
            "score": instance.score, "segmentation": rle}  # fmt: skip


class CocoWriter:
    """Annotations go to the disk as they come, so that a large dataset needs no more memory than a small one."""

    def __init__(self, staging: Staging, originals: Originals, plan: Plan) -> None:
        self.staging, self.originals, self.plan, self.notes = staging, originals, plan, list[str]()
        self.images, self.annotations = _Lines(staging), _Lines(staging)

    def add(self, item: Item) -> None:
        """Write the picture, and note its instances."""
        file = self.originals.put(item.sample, item.name, self.staging, "images")
        height, width = item.record.size
        number = self.images.next_id
        self.images.add({"file_name": file, "height": height, "width": width, **_known(item)})
        for instance, category in item.found():
            self.annotations.add({"image_id": number, **annotation(instance, category)})

    def close(self) -> None:
        """Put the parts together; categories are known only now."""
        about = provenance(self.plan.configuration, self.plan.manifest)
        info = {"description": f"Predictions of {about['label']} on {about['dataset']['name']}", **about}
        names = enumerate(self.plan.categories.names, 1)
        categories = [{"id": number, "name": name, "supercategory": "object"} for number, name in names]
        with (self.staging.folder / FILE).open("w", encoding="utf-8") as file:
            file.write(f'{{\n"info": {json.dumps(info, allow_nan=False)},\n"licenses": [],\n')
            self.images.copy(file, "images")
            self.annotations.copy(file, "annotations")
            file.write(f'"categories": {json.dumps(categories)}\n}}\n')
        self.staging.note(FILE)


def _known(item: Item) -> dict[str, str]:
    """What is not said by the file's name: split, group, and an id that could not be a name."""
    sample = item.sample
    others = {"split": sample.split or "", "group": sample.group, "sample_id": sample.id}
    return {key: value for key, value in others.items() if value.isprintable() and value not in ("", item.name)}


class _Lines:
    """A JSON array on the disk, one object a line, numbered from 1."""

    def __init__(self, staging: Staging) -> None:
        self.file, self.next_id = staging.scratch(), 1

    def add(self, value: dict[str, Any]) -> None:
        """Append an object, with its number."""
        separator = ",\n" if self.next_id > 1 else ""
        self.file.write(separator + json.dumps({"id": self.next_id, **value}, allow_nan=False))
        self.next_id += 1

    def copy(self, to: IO[str], key: str) -> None:
        """Write the array under a key of an object that goes on."""
        to.write(f'"{key}": [\n')
        self.file.seek(0)
        shutil.copyfileobj(self.file, to)
        to.write("\n],\n")


COCO = Format(
    f"images/ and {FILE}: COCO instances with compressed run lengths, exact; category ids from 1; "
    "images where nothing was found are listed without annotations. It opens again as a dataset.",
    CocoWriter,
    categories=True,
)
