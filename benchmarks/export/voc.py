"""PASCAL VOC: PNGs of ids, and the labelmap that CVAT adds (host.robots.ox.ac.uk/pascal/VOC/voc2012)."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage

from benchmarks import rle
from benchmarks.export.format import Format, Item, Plan
from benchmarks.export.originals import Originals, png
from benchmarks.export.staging import Staging
from benchmarks.file_names import folder_name
from pipelines.errors import UsageError
from pipelines.images.colour_table import voc_colours

VOID = 255
"""The number that VOC keeps for pixels which count for nothing."""

NO_SPLIT = "default"
"""The list of pictures without a split, as CVAT calls it."""

LONGEST_LABEL = 100
_UNFIT = re.compile(r"[:#,\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def palette_png(ids: npt.NDArray[np.uint8]) -> bytes:
    """Ids ``uint8 (H, W)`` as a PNG with VOC's palette."""
    image, out = PILImage.fromarray(ids), BytesIO()
    image.putpalette([value for colour in voc_colours() for value in colour])
    image.save(out, "PNG")
    return out.getvalue()


class VocWriter:
    """``JPEGImages/``, ``SegmentationClass/``, ``SegmentationObject/``, ``ImageSets/`` and ``labelmap.txt``."""

    def __init__(self, staging: Staging, originals: Originals, plan: Plan) -> None:
        self.staging, self.originals, self.plan, self.notes = staging, originals, plan, list[str]()
        self.sets: dict[str, list[str]] = {}
        self.many = 0

    def add(self, item: Item) -> None:
        """Write the picture and its ids.

        Raises:
            UsageError: there are more categories than 8 bits hold.
        """
        if len(self.plan.categories.names) >= VOID:
            raise UsageError(
                f"VOC holds {VOID - 1} categories in 8 bits, and here are {len(self.plan.categories.names)} or more.",
                "Export coco or yolo, or ask for fewer texts.",
            )
        self.originals.put(item.sample, item.name, self.staging, "JPEGImages")
        classes, objects = ids_of(item)
        self.staging.write(f"SegmentationClass/{item.name}.png", palette_png(classes))
        few = objects.max(initial=0) < VOID
        self.many += not few
        data = palette_png(objects.astype(np.uint8)) if few else png(objects)
        self.staging.write(f"SegmentationObject/{item.name}.png", data)
        split = item.sample.split or self.plan.manifest.dataset.split or NO_SPLIT
        self.sets.setdefault(folder_name(split), []).append(item.name)

    def close(self) -> None:
        """Write lists and labels."""
        for name, items in self.sets.items():
            self.staging.write(f"ImageSets/Segmentation/{name}.txt", "".join(f"{i}\n" for i in items).encode())
        names, colours = labels(self.plan.categories.names), voc_colours()
        rows = [f"{name}:{r},{g},{b}::" for name, (r, g, b) in zip(["background", *names], colours, strict=False)]
        self.staging.write(
            "labelmap.txt", "".join(f"{row}\n" for row in ["# label:color_rgb:parts:actions", *rows]).encode()
        )
        changed = [
            f"{old!r} is {new!r}" for old, new in zip(self.plan.categories.names, names, strict=True) if old != new
        ]
        if changed:
            self.notes.append(f"In labelmap.txt {'; '.join(changed)}.")
        if self.many:
            self.notes.append(
                f"{self.many} images of more than {VOID - 1} instances have SegmentationObject as 16-bit grey."
            )


def ids_of(item: Item) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    """Ids of categories and of instances ``(H, W)``, 0 = background; the highest score lies on top."""
    classes, objects = np.zeros(item.record.size, np.uint8), np.zeros(item.record.size, np.uint16)
    found = list(enumerate(item.found(), 1))
    for number, (instance, category) in sorted(found, key=lambda one: (one[1][0].score, -one[0])):
        mask = rle.decode(instance.mask)
        classes[mask] = category + 1
        objects[mask] = number + (number >= VOID)  # 255 means void to every reader
    return classes, objects


def labels(names: list[str]) -> list[str]:
    """Names as a line of ``labelmap.txt`` can hold them, each still another."""
    fit: list[str] = []
    for name in names:
        base = label = _UNFIT.sub("_", name)[:LONGEST_LABEL].strip() or "_"
        number = 2
        while label == "background" or label in fit:
            label, number = f"{base} ({number})", number + 1
        fit.append(label)
    return fit


VOC = Format(
    "JPEGImages/ (JPEG or PNG), SegmentationClass/ and SegmentationObject/ (PNG with a palette), ImageSets/ and "
    "labelmap.txt. Where instances overlap, the highest score is on top; no scores. It opens again as a dataset.",
    VocWriter,
    categories=True,
)
