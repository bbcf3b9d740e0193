"""One picture a sample: masks beside their images, soft maps, cut-outs and crops."""

from __future__ import annotations

import csv
from collections.abc import Callable
from io import StringIO

import numpy as np
import numpy.typing as npt

from benchmarks.export.format import Format, Item, Plan, plain
from benchmarks.export.originals import Originals, png
from benchmarks.export.staging import Staging
from pipelines.types import Image, Mask, tight_box

FILE = "metadata.csv"
Pixels = npt.NDArray[np.uint8]


def mask_pixels(mask: Mask) -> Pixels:
    """Mask ``uint8 (H, W)``: 255 is foreground."""
    return mask.astype(np.uint8) * 255


def cut_out(image: Image, mask: Mask) -> Pixels:
    """RGBA ``uint8 (H, W, 4)``: the picture, transparent outside the mask, its hidden colours wiped."""
    return np.dstack((np.where(mask[..., np.newaxis], image, 0), mask_pixels(mask))).astype(np.uint8)


def crop(image: Image, mask: Mask) -> Pixels | None:
    """The picture inside the tightest box around the mask, or None for an empty mask."""
    x0, y0, x1, y1 = tight_box(mask)
    return image[y0:y1, x0:x1] if mask.any() else None


def cell(text: str) -> str:
    """A text for a cell of CSV: what a spreadsheet would run has ``'`` before it, and so has such a sign itself."""
    line = plain(text)
    return f"'{line}" if line.startswith(("=", "+", "-", "@", "'")) else line


class MasksWriter:
    """``images/`` beside ``masks/``, paired by name and by ``metadata.csv``."""

    def __init__(self, staging: Staging, originals: Originals, plan: Plan) -> None:
        self.staging, self.originals, self.notes = staging, originals, list[str]()
        self.rows: list[dict[str, str]] = []

    def add(self, item: Item) -> None:
        """Write the picture and its mask."""
        sample, mask = item.sample, f"masks/{item.name}.png"
        file = self.originals.put(sample, item.name, self.staging, "images")
        self.staging.write(mask, png(mask_pixels(item.union)))
        known = {"group": sample.group if sample.group != sample.id else "", "split": sample.split or ""}
        self.rows.append({"file_name": f"images/{file}", "mask_file_name": mask,
                          **{name: cell(text) for name, text in known.items()}})  # fmt: skip

    def close(self) -> None:
        """Write the table, without the columns that are empty."""
        columns = [name for name in self.rows[0] if any(row[name] for row in self.rows)]
        out = StringIO(newline="")
        table = csv.DictWriter(out, columns, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows)
        self.staging.write(FILE, out.getvalue().encode())


class PixelsWriter:
    """One PNG a sample, made from the picture and the mask."""

    def __init__(self, staging: Staging, make: Callable[[Image, Mask], Pixels | None]) -> None:
        self.staging, self.make, self.notes, self.without = staging, make, list[str](), 0

    def add(self, item: Item) -> None:
        """Write the PNG, if there is anything to show."""
        pixels = self.make(item.image, item.union)
        if pixels is None:
            self.without += 1
        else:
            self.staging.write(f"{item.name}.png", png(pixels))

    def close(self) -> None:
        """Say how many predictions were empty."""
        if self.without:
            what = f"{self.without} empty prediction{'s' * (self.without > 1)}"
            self.notes.append(f"{what} without a file." if self.staging.count else f"no crop: {what}")


class SoftWriter:
    """The soft maps that the run stored, byte for byte."""

    def __init__(self, staging: Staging, originals: Originals, plan: Plan) -> None:
        self.staging, self.folder, self.notes = staging, plan.records_folder, list[str]()
        self.none_given = self.not_kept = 0

    def add(self, item: Item) -> None:
        """Copy the map, if there is one."""
        if item.record.soft_map is None:
            self.none_given += not item.record.soft
            self.not_kept += item.record.soft
            return
        try:
            data = (self.folder / item.record.soft_map).read_bytes()
        except FileNotFoundError:
            self.not_kept += 1
        else:
            self.staging.write(f"{item.name}.png", data)

    def close(self) -> None:
        """Say what is missing, or why all is."""
        if not self.staging.count:
            why = "the run did not keep any" if self.not_kept else "the pipeline gives masks only"
            self.notes.append(f"no soft map: {why}")
            return
        if self.none_given:
            self.notes.append(f"For {self.none_given} images the pipeline gave masks only, no soft map.")
        if self.not_kept:
            self.notes.append(f"Of {self.not_kept} images the run did not keep the soft map.")


PNG = Format(
    f"images/ and masks/ of the same name, listed in {FILE}: 255 is foreground, 0 background, instances and "
    "categories joined. No scores. It opens again as a dataset.",
    MasksWriter,
)
SOFT = Format(
    "Foreground probability p of each pixel as floor(255 p), 8-bit grey: the largest over all texts.", SoftWriter
)
RGBA = Format(
    "Cut-outs with straight alpha, 0 or 255: the mask itself, also where there is a soft map. "
    "Colours outside the mask are wiped.",
    lambda staging, originals, plan: PixelsWriter(staging, cut_out),
)
CROP = Format(
    "The picture inside the tightest box around the mask.",
    lambda staging, originals, plan: PixelsWriter(staging, crop),
)
