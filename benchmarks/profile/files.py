"""What the files of a sample say of themselves: format, mode, size, and what the camera wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.datasets import Sample
from benchmarks.datasets.entries import read_image
from benchmarks.datasets.hub_bytes import Blob
from benchmarks.datasets.hub_rows import MaskBlobs
from benchmarks.datasets.meaning import Meaning
from benchmarks.datasets.targets import MaskFiles
from pipelines.images import OWN_FOLDER
from pipelines.images.container import Container
from pipelines.images.decode import decoded
from pipelines.images.sniff import inspect
from pipelines.images.source import Source, read_source
from pipelines.images.tags import read_directory
from pipelines.types import Image

MAKE, MODEL = 271, 272
LONGEST_CAMERA = 60
_ASCII = 2


@dataclass(frozen=True)
class FileLook:
    """What the file of a picture says.

    Attributes:
        format: such as JPEG.
        mode: of Pillow, such as RGB, as stored.
        kilobytes: thousands of bytes.
        exif: whether there is an EXIF block that can be read.
        turned: whether the picture is stored otherwise than it is shown.
        camera: make and model; empty where the file names none.
    """

    format: str
    mode: str
    kilobytes: float
    exif: bool = False
    turned: bool = False
    camera: str = field(default="")


def look_at_file(source: Source) -> FileLook:
    """What the file of a picture says; nothing is decoded.

    Raises:
        ImageError: it is no picture, or one that is refused.
    """
    name, data = read_source(source, OWN_FOLDER)
    return _said_by(inspect(name, data, OWN_FOLDER), data)


def read_picture(sample: Sample) -> tuple[Image, FileLook | None]:
    """The picture of a sample as its dataset reads it, and what its file says; a plain file is read once for both.

    Raises:
        ImageError: it is refused.
        DatasetError: it cannot be fetched.
    """
    if sample.path is not None and getattr(sample.read_image, "func", None) is read_image:
        name, data = read_source(sample.path, OWN_FOLDER)
        header = inspect(name, data, OWN_FOLDER)
        return decoded(header), _said_by(header, data)
    source = picture_source(sample)
    return sample.read_image(), look_at_file(source) if source is not None else None


def _said_by(header: Container, data: bytes) -> FileLook:
    mode = "RGB" if header.rgb else _mode(header)  # a plain JPEG
    exif, camera = _camera(header.format, data)
    return FileLook(header.format, mode, len(data) / 1000, exif, header.orientation > 1, camera)


def _mode(header: Container) -> str:
    with header.open() as image:
        return str(image.mode)


def _camera(kind: str, data: bytes) -> tuple[bool, str]:
    """Whether there is EXIF, and make and model. A block that cannot be read counts as none, as in every viewer."""
    block = _exif_block(kind, data)
    try:
        entries = read_directory(block).entries
    except ValueError:
        return False, ""
    found = [block[entry.start : entry.stop] for tag in (MAKE, MODEL)
             if (entry := entries.get(tag)) and entry.kind == _ASCII]  # fmt: skip
    words = [text.partition(b"\0")[0].decode("ascii", "replace").strip() for text in found]
    camera = " ".join(word for word in words if word)
    return kind != "TIFF", "".join(c for c in camera if c.isprintable())[:LONGEST_CAMERA]


def _exif_block(kind: str, data: bytes) -> bytes:
    if kind == "TIFF":
        return data
    heads = {"JPEG": b"Exif\0\0", "MPO": b"Exif\0\0", "PNG": b"eXIf", "WEBP": b"EXIF"}
    head = heads.get(kind)
    at = data.find(head) if head else -1
    if head is None or at < 0:
        return b""
    start = at + len(head) + (4 if kind == "WEBP" else 0)  # the length of the chunk stands between
    return data[start : start + 2**16].removeprefix(b"Exif\0\0")


def picture_source(sample: Sample) -> Source | None:
    """The file of a sample's picture, or its bytes; None where it is generated."""
    if sample.path is not None:
        return sample.path
    owner = getattr(sample.read_image, "__self__", None)
    return owner.read() if isinstance(owner, Blob) else None


@dataclass(frozen=True)
class MaskSource:
    """The files that a sample's masks come from, and how they are to be read.

    Attributes:
        files: label → file, or its bytes.
        threshold: as declared.
        meaning: as declared.
    """

    files: Mapping[str, Path | bytes]
    threshold: int | None = None
    meaning: Meaning | None = None


def mask_source(sample: Sample) -> MaskSource | None:
    """The files of a sample's masks; None where they are drawn from outlines or generated."""
    owner = getattr(sample.read_truth, "__self__", None)
    if isinstance(owner, MaskFiles):
        return MaskSource(owner.files, owner.threshold, owner.meaning)
    if isinstance(owner, MaskBlobs):
        return MaskSource({label: blob.read() for label, blob in owner.blobs.items()}, owner.threshold, owner.meaning)
    return None
