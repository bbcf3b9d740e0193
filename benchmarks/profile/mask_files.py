"""What the values of a mask file are, before anything is read into them: two, many, coloured, blended or noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.errors import ImageError
from pipelines.images import OWN_FOLDER
from pipelines.images.container import Container
from pipelines.images.samples import load_samples, pixels, upright
from pipelines.images.sniff import inspect
from pipelines.images.source import Source, read_source

Form = Literal["grey", "palette", "colour", "alpha", "other"]
NEAR = 32
"""Values so close to black or white are what lossy coding leaves of them; blended edges have few such."""

FAR_PX = 2
"""Blended edges are as wide as that; the noise of JPEG reaches over its blocks of 8 x 8."""

MOSTLY_NEAR, OFTEN_FAR, EVERYWHERE = 0.7, 0.2, 0.4
MANY = 256
PNG_HEAD = 26
PNG_FORMS: dict[int, Form] = {0: "grey", 2: "colour", 3: "palette", 4: "alpha", 6: "alpha"}
"""By the byte of the colour type, the last of these 26."""

FORMS: dict[str, Form] = {"1": "grey", "L": "grey", "I": "grey", "P": "palette", "PA": "palette", "RGB": "colour",
                          "RGBX": "colour", "RGBA": "alpha", "LA": "alpha"}  # fmt: skip
Values = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class MaskFileLook:
    """What a mask file holds.

    Attributes:
        form: of its samples.
        format: such as PNG.
        lossy: whether its coding changes values.
        values: number of values, or of colours; 256 stands for that many and more.
        black: whether 0, or black, is one of them.
        between: share of pixels that are neither the lowest nor the highest value.
        near: share of those that are close to black or white.
        far: share of those that lie away from the edges.
    """

    form: Form
    format: str
    lossy: bool
    values: int = 0
    black: bool = True
    between: float = 0.0
    near: float = 0.0
    far: float = 0.0

    @property
    def two_valued(self) -> bool:
        """Whether it says yes or no and nothing else."""
        return self.values <= 2

    @property
    def noisy(self) -> bool:
        """Whether values lie about black and white as lossy coding leaves them."""
        scattered = self.between > EVERYWHERE  # lossy coding rings about edges and leaves flat ground alone
        return self.values > 2 and self.near >= MOSTLY_NEAR and self.far >= OFTEN_FAR and not scattered


def header_of(source: Source) -> Container:
    """The header of a mask file; raises ImageError."""
    return inspect(*read_source(source, OWN_FOLDER), OWN_FOLDER)


def form_of(header: Container) -> MaskFileLook:
    """What the header says alone; raises ImageError."""
    with header.open() as image:
        mode = image.mode
    form = FORMS.get(mode, "grey" if mode.startswith("I;16") else "other")
    return MaskFileLook(form, header.format, header.lossy)


def form_of_file(source: Path | bytes) -> MaskFileLook:
    """What the header of a file says; that of a PNG is read alone. Raises ImageError."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            head = file.read(PNG_HEAD)
    else:
        head = source[:PNG_HEAD]
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) == PNG_HEAD:
        return MaskFileLook(PNG_FORMS.get(head[-1], "other"), "PNG", lossy=False)
    return form_of(header_of(source))


def with_ids(found: MaskFileLook, ids: npt.NDArray[np.integer[Any]]) -> MaskFileLook:
    """What the header says, and the ids that were read from the file, which are its values or number its colours."""
    if found.form == "grey":
        return of_grey(_as_bytes(ids), found)
    return replace(found, values=min(MANY, int(np.count_nonzero(np.bincount(ids.ravel())))))


def look_at_mask_file(source: Source) -> MaskFileLook:
    """What a mask file holds, also where its values cannot be taken for ids.

    Raises:
        ImageError: it cannot be decoded.
    """
    header = header_of(source)
    found = form_of(header)
    image = upright(load_samples(header), header)
    if found.form == "palette":
        return with_ids(found, pixels(image.getchannel("P") if image.mode == "PA" else image))
    if found.form in ("colour", "alpha"):
        return _of_colours(pixels(image.convert("RGB")), found)
    if found.form == "other":
        return replace(found, values=MANY)
    return of_grey(_as_bytes(pixels(image)), found)


def look_at_mask_files(sources: Mapping[str, Source]) -> MaskFileLook | None:
    """The most unusual of a sample's mask files; None where none can be decoded."""
    found = []
    for source in sources.values():
        try:
            found.append(look_at_mask_file(source))
        except (ImageError, OSError):  # told of by whoever reads the masks
            continue
    return most_unusual(found)


def most_unusual(found: list[MaskFileLook]) -> MaskFileLook | None:
    """Of several mask files of one sample the one that says most of what is wrong."""
    return max(found, key=lambda one: (one.lossy, one.form != "grey", one.values), default=None)


def _as_bytes(values: npt.NDArray[Any]) -> Values:
    if values.dtype in (np.bool_, np.uint8):
        return np.asarray(values, np.uint8)
    top = float(values.max())
    scaled = values.astype(np.float64)
    return (scaled * 255 / top if top > 255 else scaled).clip(0, 255).astype(np.uint8)


def _of_colours(colours: npt.NDArray[np.uint8], look: MaskFileLook) -> MaskFileLook:
    spread = int((colours.max(axis=2) - colours.min(axis=2)).max())
    if spread <= (8 if look.lossy else 0):
        return of_grey(np.ascontiguousarray(colours[..., 1]), look)
    codes = colours.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    found = np.unique(codes)
    return replace(look, values=min(len(found), MANY), black=bool(found[0] == 0))


def of_grey(values: Values, look: MaskFileLook) -> MaskFileLook:
    """The look with what the grey values ``uint8 (H, W)`` of the file are."""
    low, high = (int(value) for value in cv2.minMaxLoc(values)[:2])
    inner = np.asarray(cv2.inRange(values, low + 1, high - 1), np.uint8)
    between = int(cv2.countNonZero(inner)) if high - low > 1 else 0
    if not between:
        return replace(look, values=1 + (high > low), black=low == 0)
    counts = np.bincount(values.ravel(), minlength=256)
    near = int(counts[low + 1 : NEAR].sum() + counts[256 - NEAR : high].sum())
    block = np.ones((3, 3), np.uint8)
    cut = (values >= 128).astype(np.uint8)
    edge = cv2.dilate(cut, block, iterations=FAR_PX) != cv2.erode(cut, block, iterations=FAR_PX)
    far = int(np.count_nonzero((inner > 0) & ~edge))
    return replace(look, values=int(np.count_nonzero(counts)), black=low == 0, between=between / values.size,
                   near=near / between, far=far / between)  # fmt: skip
