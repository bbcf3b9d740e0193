"""YOLO segmentation: an outline a line, as fractions of the picture (docs.ultralytics.com/datasets/segment)."""

from __future__ import annotations

import yaml

from benchmarks import rle
from benchmarks.export.format import Format, Item, Plan
from benchmarks.export.originals import Originals
from benchmarks.export.outlines import outline
from benchmarks.export.staging import Staging
from pipelines.types import Mask

FILE = "data.yaml"


def line(mask: Mask, category: int) -> str:
    """``category x y x y …`` of a mask ``bool (H, W)`` that is not empty.

    Nine digits bring a corner back to within 0.0001 px, so that it is exact after rounding.
    """
    height, width = mask.shape
    fractions = outline(mask) / (width, height)
    return " ".join([str(category), *(f"{value:.9g}" for value in fractions.ravel().tolist())])


def label_file(name: str) -> str:
    """Where readers look for the labels of ``images/<name>``: the last folder of that name is read as ``labels``."""
    folders, last = f"/images/{name}".rsplit("/", 1)
    before, _, after = f"{folders}/".rpartition("/images/")
    return f"{before}/labels/{after}{last}.txt".removeprefix("/")


class YoloWriter:
    """``images/``, ``labels/`` and ``data.yaml``."""

    def __init__(self, staging: Staging, originals: Originals, plan: Plan) -> None:
        self.staging, self.originals, self.plan, self.notes = staging, originals, plan, list[str]()
        self.pictures: dict[str | None, list[str]] = {}

    def add(self, item: Item) -> None:
        """Write the picture and its labels; an image where nothing was found has an empty file."""
        file = self.originals.put(item.sample, item.name, self.staging, "images")
        self.pictures.setdefault(item.sample.split, []).append(f"./images/{file}")
        lines = [line(rle.decode(instance.mask), category) for instance, category in item.found()]
        self.staging.write(label_file(item.name), "".join(f"{text}\n" for text in lines).encode())

    def close(self) -> None:
        """Write the names of the categories, numbered from 0, and where the pictures of each split are."""
        comments = [
            "Outlines run along the edges of pixels. Tolerance: 0 px.",
            "Holes and separate parts are joined by slits of no width: fill by the even-odd rule at pixel centres.",
            "What made them: manifest.json.",
        ]
        body = {**self._splits(), "names": dict(enumerate(self.plan.categories.names))}
        text = yaml.safe_dump(body, allow_unicode=True, sort_keys=False)
        self.staging.write(FILE, "".join([*(f"# {comment}\n" for comment in comments), text]).encode())

    def _splits(self) -> dict[str, str | None]:
        """Lists of the splits that YOLO knows; without them all is train, and what to validate on is left open."""
        if not self.pictures.keys() <= {"train", "val", "test"}:
            self.notes.append(f"{FILE} calls all pictures train; name the folder of your validation pictures there.")
            return {"train": "images", "val": None}
        for split, files in self.pictures.items():
            self.staging.write(f"{split}.txt", "".join(f"{file}\n" for file in files).encode())
        return {"train": None, "val": None, **{str(split): f"{split}.txt" for split in self.pictures}}


YOLO = Format(
    f"images/, labels/ and {FILE}: one line an instance, categories from 0. Outlines run along the edges of pixels; "
    "holes and separate parts are joined by slits of no width. No scores. It opens again as a dataset.",
    YoloWriter,
    categories=True,
)
