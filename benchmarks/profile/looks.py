"""One look at one sample: picture and masks are decoded once, measured, and let go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.datasets import Sample, Truth
from benchmarks.datasets.meaning import truth_of
from benchmarks.datasets.sample import FOREGROUND
from benchmarks.leaks.fingerprints import Fingerprint, fingerprint
from benchmarks.profile.alignment import fit_of
from benchmarks.profile.files import FileLook, mask_source, read_picture
from benchmarks.profile.mask_files import (
    MaskFileLook,
    form_of_file,
    look_at_mask_files,
    most_unusual,
    with_ids,
)
from benchmarks.profile.masks import MaskLook, measure_masks, object_contrast
from benchmarks.profile.pictures import measure_picture, reduced
from benchmarks.profile.polarity import HALF, sides_of
from pipelines.errors import DatasetError, ImageError
from pipelines.images import OWN_FOLDER, load_mask
from pipelines.images.masks import Ids
from pipelines.types import Image


@dataclass(frozen=True)
class Fault:
    """Something that one sample shows by itself.

    Attributes:
        kind: of the suspect.
        reason: what is wrong, in one sentence.
        cure: what to do about it, in one sentence.
    """

    kind: str
    reason: str
    cure: str


@dataclass(frozen=True, eq=False)
class Look:
    """What is kept of one sample.

    Attributes:
        id: of the sample; of what the reader refuses, what it would be called.
        group: unit that is resampled.
        split: declared one, or None.
        read: whether the dataset's reader takes it.
        numbers: by name of the feature, and what the detectors use beside.
        file: what the picture's file says; None where it is generated or refused.
        print: what the picture is known by; None where it cannot be decoded.
        mask: what its masks are like; None where there are none, or none that can be read.
        mask_file: what the values of the mask file are; None where there is no file.
        has_truth: whether there should be masks.
        faults: what it shows by itself.
    """

    id: str
    group: str
    split: str | None = None
    read: bool = True
    numbers: Mapping[str, float] = field(default_factory=dict, repr=False)
    file: FileLook | None = None
    print: Fingerprint | None = field(default=None, repr=False)
    mask: MaskLook | None = field(default=None, repr=False)
    mask_file: MaskFileLook | None = None
    has_truth: bool = False
    faults: tuple[Fault, ...] = ()


def look(sample: Sample) -> Look:
    """Look at one sample. What cannot be read is a fault of the look, and never raises.

    Args:
        sample: of any dataset.
    """
    found = Look(sample.id, sample.group, sample.split, has_truth=sample.has_truth)
    image: Image | None = None
    try:
        image, said = read_picture(sample)
        small = reduced(image)
        found = _with_picture(found, sample, image, small, said)
    except (ImageError, DatasetError, OSError) as error:
        found = _with_fault(found, "image_unreadable", error)
    if not sample.has_truth:
        return found
    try:
        truth, file = read_masks(sample)
    except (ImageError, DatasetError, OSError) as error:
        source = mask_source(sample)
        file = look_at_mask_files(source.files) if source else None
        return replace(_with_fault(found, "mask_unreadable", error), mask_file=file)
    found = replace(found, mask_file=file)
    return _with_masks(found, truth, image, None if image is None else small)


def _with_fault(found: Look, kind: str, error: Exception) -> Look:
    reason = error.message if isinstance(error, (ImageError, DatasetError)) else f"{error}."
    cure = error.cure if isinstance(error, (ImageError, DatasetError)) else "Correct the file, or leave it out."
    return replace(found, faults=(*found.faults, Fault(kind, reason, cure)))


def _with_picture(found: Look, sample: Sample, image: Image, small: Image, file: FileLook | None) -> Look:
    numbers = measure_picture(image, small) | ({"file_kb": file.kilobytes} if file else {})
    known = replace(fingerprint(small, sample.image_hash), size=(image.shape[0], image.shape[1]))
    return replace(found, numbers=numbers, file=file, print=known)


def read_masks(sample: Sample) -> tuple[Truth, MaskFileLook | None]:
    """The masks of a sample as its dataset reads them, and what their files hold; each file is decoded once.

    Raises:
        ImageError: a file is refused.
        DatasetError: it cannot be fetched.
    """
    source = mask_source(sample)
    if source is None:
        truth = sample.truth()
        return (Truth({FOREGROUND: np.zeros(sample.size, np.bool_)}) if truth is None else truth), None
    if source.threshold is not None or (source.meaning and source.meaning.colours):
        return sample.read_truth(), look_at_mask_files(source.files)  # type: ignore[misc]
    ids, files = dict[str, Ids](), []
    for label, file in source.files.items():
        keep = source.meaning is not None and source.meaning.keep_indices
        ids[label] = load_mask(file, OWN_FOLDER, keep_indices=keep)
        files.append(with_ids(form_of_file(file), ids[label]))
    return truth_of(ids, source.meaning), most_unusual(files)


def _with_masks(found: Look, truth: Truth, image: Image | None, small: Image | None) -> Look:
    union = np.ascontiguousarray(truth.union()).view(np.uint8)
    shares = reduced(union * np.uint8(255))
    mask = measure_masks(truth, shares)
    numbers = {**found.numbers, **mask.numbers}
    if image is not None and small is not None and union.shape == image.shape[:2]:
        inside = (shares >= HALF).astype(np.uint8)
        numbers |= object_contrast(inside, small) or object_contrast(union, image)
        numbers |= _against_picture(shares, small)
    return replace(found, numbers=numbers, mask=mask)


def _against_picture(shares: npt.NDArray[np.uint8], small: Image) -> dict[str, float]:
    """How the mask fits the picture, and what tells foreground from background, both on small copies."""
    numbers = sides_of(shares, small)
    fit = fit_of(shares, np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8))
    if fit is None:
        return numbers
    return numbers | {"fit": fit.here, "fit_best": fit.best, "fit_dx": fit.dx, "fit_dy": fit.dy, "fit_usual": fit.usual}
