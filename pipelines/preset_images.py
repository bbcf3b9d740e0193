"""The images that a preset was tuned on: a table beside its file, known by its hash so that nobody alters it unseen."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from pipelines.errors import ParameterError
from pipelines.files import replace_bytes

MOST_BYTES = 256_000_000
"""Of a list; that of a hundred thousand images is smaller."""


@dataclass(frozen=True)
class TunedImage:
    """One image that the values of a preset were chosen on.

    Attributes:
        id: of the sample, for people.
        group: of the sample, for people.
        sha256: of the picture, as the dataset gives it.
        fingerprint: by which copies of it are known, as `benchmarks.leaks` writes it; opaque here.
    """

    id: str
    group: str
    sha256: str
    fingerprint: str


_COLUMNS = tuple(field.name for field in fields(TunedImage))


def write_images(path: Path, name: str, images: Sequence[TunedImage]) -> dict[str, str | None]:
    """Write the list of a preset beside its file, and nothing where there are no images.

    A part of the hash is in its name, so that the list of a preset that is replaced stays until it has been. What is no
    UTF-8 in an id is written with backslashes.

    Args:
        path: of the file of presets.
        name: of the preset.
        images: in any order.

    Returns:
        `images` and `images_sha256` of the provenance.
    """
    if not images:
        return {"images": None, "images_sha256": None}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(astuple(one) for one in sorted(images, key=lambda one: (one.id, one.sha256)))
    data = buffer.getvalue().encode("utf-8", errors="backslashreplace")
    sha256 = hashlib.sha256(data).hexdigest()
    file = f"{path.stem}.{name}.{sha256[:8]}.images.csv"
    replace_bytes(path.with_name(file), data, lasting=True)
    return {"images": file, "images_sha256": sha256}


def read_images(path: Path, file: str, sha256: str | None, whose: str) -> tuple[TunedImage, ...]:
    """The images of a list that is as it was written.

    Args:
        path: of the file of presets.
        file: name of the list beside it.
        sha256: that its bytes must have.
        whose: what messages call its owner.

    Raises:
        ParameterError: it is missing, altered, elsewhere, or of other columns.
    """
    cure = "Put it back as it was, or tune again and replace the preset."
    if Path(file).name != file:
        raise ParameterError(f"The list of images of {whose} cannot be {file!r}.", "Name a file beside the preset's.")
    try:
        with path.with_name(file).open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise ParameterError(
            f"The list of images that {whose} was tuned on is missing: {path.with_name(file)}.", cure
        ) from error
    if len(data) > MOST_BYTES or hashlib.sha256(data).hexdigest() != sha256:
        raise ParameterError(f"The list of images that {whose} was tuned on was altered: {path.with_name(file)}.", cure)
    return _rows(data, whose, cure)


def _rows(data: bytes, whose: str, cure: str) -> tuple[TunedImage, ...]:
    try:
        head, *rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
        if tuple(head) != _COLUMNS:
            raise ValueError(f"its columns are {', '.join(head)}")
        return tuple(TunedImage(*row) for row in rows)
    except (ValueError, TypeError, csv.Error) as error:
        raise ParameterError(f"The list of images that {whose} was tuned on cannot be read: {error}.", cure) from error
