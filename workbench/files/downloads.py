"""Files of one result, byte for byte as `benchmarks` writes what it writes too: masks, cut-outs, outlines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import yaml

from benchmarks.export import coco, pictures, yolo
from benchmarks.export.originals import png
from benchmarks.soft_maps import QUICK, levels
from pipelines.errors import UnknownNameError, UsageError
from workbench.files.layered import psd
from workbench.files.result import Result
from workbench.views import render

LONGEST_STEM, MASK = 60, "mask"
NOTHING_FOUND = "Nothing was found in the picture."
NO_SOFT_MAP = "The pipeline gives masks only, no soft map."
_UNFIT = re.compile(r"[^\w-]+")


@dataclass(frozen=True)
class File:
    """One kind of download.

    Attributes:
        title: what a visitor reads.
        name: in the ZIP.
        holds: in one sentence, for whoever opens it.
        make: its bytes, or None where there is nothing to write.
        without: why there is none, where there is none.
    """

    title: str
    name: str
    holds: str
    make: Callable[[Result], bytes | None]
    without: str = ""


def picture_png(result: Result) -> bytes:
    """The picture as it was looked at: upright, RGB, 8 bits."""
    return png(result.image)


def mask_png(result: Result) -> bytes:
    """The union of the masks, 255 on 0: the bytes of ``masks/`` in an export of a run."""
    return png(pictures.mask_pixels(result.foreground))


def cut_out_png(result: Result) -> bytes:
    """RGBA, straight alpha 0 or 255, hidden colours wiped: the bytes of ``rgba/`` in an export."""
    return png(pictures.cut_out(result.image, result.foreground))


def soft_cut_out_png(result: Result) -> bytes | None:
    """RGBA whose straight alpha is the soft map, whatever the threshold; None where there is none."""
    return None if result.soft is None else png(render.cut_out(result.image, result.soft))


def crop_png(result: Result) -> bytes | None:
    """The picture inside the tightest box around the mask, the bytes of ``crop/``; None where nothing was found."""
    found = pictures.crop(result.image, result.foreground)
    return None if found is None else png(found)


def soft_png(result: Result) -> bytes | None:
    """Foreground probability p as floor(255 p), 8-bit grey, the bytes that a run keeps; None where there is none."""
    return None if result.soft is None else cv2.imencode(".png", levels(result.soft), QUICK)[1].tobytes()


def coco_json(result: Result) -> bytes:
    """COCO instances with compressed run lengths, exact; the picture goes by the name of `FILES`."""
    height, width = result.prediction.size
    annotations = [
        {"id": number, "image_id": 1, **coco.annotation(instance, category)}
        for number, (instance, _, category) in enumerate(result.found, 1)
    ]
    names = enumerate(result.categories, 1)
    return as_json({
        "info": {"description": f"Predictions of {result.produced.pipeline}", **result.produced.to_json()},
        "licenses": [],
        "images": [{"id": 1, "file_name": FILES["picture"].name, "height": height, "width": width}],
        "annotations": annotations,
        "categories": [{"id": number, "name": name, "supercategory": "object"} for number, name in names],
    })  # fmt: skip


def yolo_text(result: Result) -> bytes:
    """One outline a line, as fractions of the picture, exact; empty where nothing was found."""
    return "".join(f"{yolo.line(mask, category)}\n" for _, mask, category in result.found).encode()


def yolo_names(result: Result) -> bytes:
    """The names behind the numbers of `yolo_text`, as ``data.yaml`` has them."""
    return yaml.safe_dump({"names": dict(enumerate(result.categories))}, allow_unicode=True, sort_keys=False).encode()


FILES = {
    "picture": File("Picture", "picture.png", "The picture as it was looked at: upright, 8-bit RGB.", picture_png),
    "mask": File("Mask (PNG)", "mask.png", "All masks as one: 255 is foreground, 0 background. It is what is scored.",
                 mask_png),
    "cut_out": File("Cut-out (PNG, transparent)", "cut_out.png",
                    "The picture inside the mask, with straight alpha, 0 or 255; colours outside are wiped.",
                    cut_out_png),
    "soft_cut_out": File("Cut-out with soft edges (PNG, transparent)", "cut_out_soft.png",
                         "The picture with the soft map as straight alpha, whatever the threshold.", soft_cut_out_png,
                         NO_SOFT_MAP),
    "crop": File("Crop (PNG)", "crop.png", "The picture inside the tightest box around the mask.", crop_png,
                 NOTHING_FOUND),
    "soft": File("Soft alpha (PNG)", "soft.png", "Foreground probability p of each pixel as floor(255 p), 8-bit grey.",
                 soft_png, NO_SOFT_MAP),
    "coco": File("COCO (JSON, RLE)", "coco.json", "COCO instances with compressed run lengths, exact, with scores; "
                 "category ids from 1.", coco_json),
    "yolo": File("YOLO outlines (TXT)", "picture.txt", "One line an instance: category from 0, then x y x y … as "
                 "fractions. Outlines run along the edges of pixels; holes and parts are joined by slits of no width.",
                 yolo_text),
    "yolo_names": File("YOLO names (YAML)", "data.yaml", "The names of the categories of picture.txt.", yolo_names),
    "psd": File("Layers (PSD)", "layers.psd", "The picture, and above it a layer with a mask for each instance.", psd),
}  # fmt: skip
"""Every download of one file, by name, in the order in which they are offered."""

DEAR = frozenset(["psd"])
"""Made where it is asked for, and not at each step of a slider: seconds, and tens of megabytes."""


def download(result: Result, kind: str) -> bytes:
    """The bytes of one file.

    Args:
        result: what was found.
        kind: of `FILES`.

    Raises:
        UnknownNameError: no such file.
        UsageError: there is nothing to write, and why.
    """
    if kind not in FILES:
        raise UnknownNameError("download", kind, FILES)
    data = FILES[kind].make(result)
    if data is None:
        raise UsageError(f"There is no {FILES[kind].title}. {FILES[kind].without}", "Take another file.")
    return data


def or_mask(result: Result, kind: str) -> tuple[str, bytes]:
    """A kind of file and its bytes: those that are wanted or, where there are none or they take long, the mask's.

    Args:
        result: what was found.
        kind: of `FILES`.
    """
    data = None if kind in DEAR else FILES[kind].make(result)
    return (MASK, download(result, MASK)) if data is None else (kind, data)


def file_name(result: Result, kind: str) -> str:
    """What a browser saves a file as: picture, pipeline and kind; letters, digits, ``_``, ``-`` and one point alone."""
    return f"{stem(result.name)}_{stem(result.produced.pipeline)}_{FILES[kind].name}"


def stem(text: str) -> str:
    """A text as part of a file's name, not longer than 60 letters."""
    without = text.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
    before, point, after = without.rpartition(".")
    return _UNFIT.sub("_", before if point and len(after) <= 4 else without).strip("_")[:LONGEST_STEM] or "picture"


def as_json(document: dict[str, Any]) -> bytes:
    """A JSON document, for people too."""
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()
