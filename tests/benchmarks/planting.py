"""Plants faults into a copy of a dataset, in several ways and strengths a kind, and says what was planted where."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

Picture = npt.NDArray[np.uint8]
MaskArray = npt.NDArray[np.uint8]
Rng = np.random.Generator


@dataclass(frozen=True)
class Item:
    """One sample as it will be written.

    Attributes:
        image: file of the picture.
        mask: file of the mask; None = the cell of the manifest is empty.
    """

    id: str
    group: str
    split: str
    image: bytes = field(repr=False)
    suffix: str = ".png"
    mask: bytes | None = field(default=None, repr=False)
    mask_suffix: str = ".png"
    drop_mask: bool = False

    def picture(self) -> Picture:
        return np.asarray(Pillow.open(io.BytesIO(self.image)).convert("RGB"))

    def mask_array(self) -> MaskArray:
        assert self.mask is not None
        return (np.asarray(Pillow.open(io.BytesIO(self.mask))) > 0).astype(np.uint8) * 255


@dataclass(frozen=True)
class Planted:
    """A fault: its kind, the samples of which any may be named, and how it was made."""

    kind: str
    samples: tuple[str, ...]
    how: str


def encode(array: npt.NDArray[np.generic], suffix: str = ".png", **options: object) -> bytes:
    buffer = io.BytesIO()
    kind = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}[suffix]
    Pillow.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def items_of(dataset: Iterable) -> list[Item]:
    """Samples of an opened dataset; files of pictures are copied as they are."""
    found = []
    for sample in dataset:
        data = sample.path.read_bytes() if sample.path else encode(sample.image)
        suffix = sample.path.suffix if sample.path else ".png"
        mask = encode(sample.target().astype(np.uint8) * 255)
        found.append(Item(sample.id.replace("/", "_"), sample.group, sample.split or "", data, suffix, mask))
    return found


def write(items: Sequence[Item], root: Path) -> Path:
    """A folder with images/, masks/ and a metadata.csv."""
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True, exist_ok=True)
    with (root / "metadata.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file_name", "mask_file_name", "group", "split"])
        for item in items:
            (root / "images" / f"{item.id}{item.suffix}").write_bytes(item.image)
            name = f"masks/{item.id}{item.mask_suffix}" if item.mask is not None else ""
            if item.mask is not None and not item.drop_mask:
                (root / name).write_bytes(item.mask)
            rows.writerow([f"images/{item.id}{item.suffix}", name, item.group, item.split])
    return root


# What a fault makes of an item, and of another one where it needs one: the new item and how it was done.
Change = Callable[[Item, Item, Rng, int], tuple[Item, str]]


def with_mask(item: Item, mask: npt.NDArray[np.generic], suffix: str = ".png", **options: object) -> Item:
    return replace(item, mask=encode(mask, suffix, **options), mask_suffix=suffix)


def with_picture(
    item: Item, picture: npt.NDArray[np.generic], mask: MaskArray | None = None, **options: object
) -> Item:
    suffix = ".jpg" if item.suffix in (".jpg", ".jpeg") else ".png"
    options = {"quality": 92} | options if suffix == ".jpg" else {}
    item = replace(item, image=encode(picture, suffix, **options), suffix=suffix)
    return item if mask is None else with_mask(item, mask)


def resized(array: MaskArray, size: tuple[int, int]) -> MaskArray:
    return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def moved(mask: MaskArray, across: float, down: float, roll: bool) -> MaskArray:
    dx, dy = round(across * mask.shape[1]), round(down * mask.shape[0])
    if roll:
        return np.roll(mask, (dy, dx), (0, 1))
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return np.asarray(cv2.warpAffine(mask, matrix, mask.shape[1::-1], flags=cv2.INTER_NEAREST), np.uint8)


def _other(split: str) -> str:
    return "train" if split == "test" else "test"


def plant(items: Sequence[Item], changes: dict[str, Sequence[Change]], adds: dict[str, Sequence[Change]], seed: int,
          times: int) -> tuple[list[Item], list[Planted]]:  # fmt: skip
    """Faults of each kind, each at a sample of its own as far as they go.

    Args:
        items: of a clean dataset.
        changes: kind → ways to change a sample.
        adds: kind → ways to make a further sample out of one.
        seed: decides which samples.
        times: faults a kind; the ways take turns.
    """
    rng = np.random.default_rng(seed)
    order = [int(place) for place in rng.permutation(len(items))]
    result, planted, used = list(items), list[Planted](), 0
    for turn in range(times):
        for number, (kind, ways) in enumerate(changes.items()):
            place, other = order[used % len(items)], order[(used + len(items) // 2) % len(items)]
            if used >= len(items):
                break
            used += 1
            way = ways[(turn + seed + number) % len(ways)]
            result[place], how = way(items[place], items[other], rng, turn + seed)
            planted.append(Planted(kind, (items[place].id,), how))
    whole = order[used:]
    for turn in range(times + 1):
        for kind, ways in adds.items():
            if not whole:
                break
            place, other = whole.pop(), order[int(rng.integers(used))]
            made, how = ways[(turn + seed) % len(ways)](items[place], items[other], rng, turn + seed)
            name = f"{items[place].id}_{kind}_{turn}"
            result.append(
                replace(made, id=name, group=name, split=_other(made.split) if kind == "split_leak" else made.split)
            )
            planted.append(Planted(kind, (name, items[place].id), how))
    return result, planted
