"""From bytes to a checked header: which format it is, by its content and never by its name."""

import struct
from collections.abc import Callable
from io import BytesIO

from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile

import pipelines.images.jpeg as jpeg  # not through the package, which imports this module
import pipelines.images.png as png
import pipelines.images.tiff as tiff
import pipelines.images.webp as webp
from pipelines.errors import ImageFormatError, ImageLimitError
from pipelines.images.container import Container, plugin
from pipelines.images.limits import MAX_PROFILE_BYTES, MIB, Limits
from pipelines.images.tags import orientation

# Formats that people send and that are not read, so that the message can name them.
UNREAD = (
    (b"%PDF", "PDF"), (b"%!PS", "PostScript"), (b"\xc5\xd0\xd3\xc6", "EPS"), (b"8BPS", "Photoshop"), (b"<svg", "SVG"),
    (b"<?xml", "XML or SVG"), (b"<!DOCTYPE", "HTML"), (b"<html", "HTML"), (b"\0\0\1\0", "ICO"), (b"\0\0\2\0", "CUR"),
    (b"SIMPLE  =", "FITS"), (b"\0\0\0\x0cjP  ", "JPEG 2000"), (b"\xff\x4f\xff\x51", "JPEG 2000"), (b"icns", "ICNS"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"), (b"\xff\x0a", "JPEG XL"), (b"v/1\x01", "OpenEXR"), (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"), (b"DDS ", "DDS"), (b"qoif", "QOI"), (b"gimp xcf", "GIMP"), (b"PK\3\4", "ZIP"),
    (b"\x1f\x8b", "gzip"), (b"\xd7\xcd\xc6\x9a", "WMF"), (b"\x93NUMPY", "NumPy"), (b"\x89HDF", "HDF5"),
    *((b"P%d" % n, "PNM") for n in range(1, 8)), (b"PF", "PFM"),
)  # fmt: skip
SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"BM", "BMP"), (b"GIF87a", "GIF"), (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"II+\0", "TIFF"), (b"MM\0+", "TIFF"),
)  # fmt: skip
MAX_RUN_LENGTH = 4_000_000
HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
INSPECT: dict[str, Callable[[str, bytes, Limits], Container]] = {
    "PNG": png.inspect, "JPEG": jpeg.inspect, "WEBP": webp.inspect, "TIFF": tiff.inspect,
}  # fmt: skip


def inspect(name: str, data: bytes, limits: Limits) -> Container:
    """Read and check the header.

    Args:
        name: for messages, quoted.
        data: the whole file.
        limits: what is accepted.

    Raises:
        ImageFormatError: not a picture, or of a format that is not accepted.
        ImageLimitError: a limit is passed.
        ImageDamagedError: the header is cut off or contradicts itself.
    """
    found = sniff(data)
    if found is None:
        heads = data[:256], data[:256].lstrip()
        other = next((label for start, label in UNREAD if any(head.startswith(start) for head in heads)), None)
        what = f"is {other}, a format that is not read" if other else "is not a picture of a known format"
        raise ImageFormatError(f"{name} {what}.", limits.cure_format)
    if found != "JPEG" or "MPO" not in limits.formats:  # whether a JPEG is an MPO is seen by its own inspector
        limits.check_format(name, found)
    if found in INSPECT:
        return INSPECT[found](name, data, limits)
    return _by_pillow(name, data, limits, found)


def sniff(data: bytes) -> str | None:
    """The name of the format, or None."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        box = data[8 : min(max(int.from_bytes(data[:4], "big"), 16), 256)]
        brands = {box[at : at + 4] for at in (0, *range(8, len(box), 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "HEIF" if brands & HEIF_BRANDS else None
    return next((label for head, label in SIGNATURES if data.startswith(head)), None)


def _by_pillow(name: str, data: bytes, limits: Limits, found: str) -> Container:
    """BMP, and what only a person's own folder may hold: opening one of these reads the header alone."""
    if found == "GIF" and len(data) >= 10:  # Pillow refuses an empty one with no reason given
        limits.check_size(name, *struct.unpack_from("<HH", data, 6))
    kinds: dict[str, Callable[..., ImageFile]] = {"BMP": BmpImageFile, "GIF": GifImageFile, "AVIF": AvifImageFile}
    opener = plugin(kinds.get(found) or _heif(), name, lambda: BytesIO(data))
    if found == "BMP":
        _check_bmp(name, data)
    with opener() as image:
        size = image.size
        exif, xmp, profile = (image.info.get(key) or b"" for key in ("exif", "xmp", "icc_profile"))
    limits.check_size(name, *size)
    profile = profile if len(profile) <= MAX_PROFILE_BYTES else b""
    return Container(name, found, size, opener, orientation(exif, xmp), profile, lossy=found in ("AVIF", "HEIF"))


def _check_bmp(name: str, data: bytes) -> None:
    """Refuse a large run-length coded BMP: Pillow decodes it in Python, pixel by pixel."""
    if len(data) < 34 or int.from_bytes(data[30:34], "little") not in (1, 2):
        return
    width, height = struct.unpack_from("<ii", data, 18)
    if abs(width * height) > MAX_RUN_LENGTH or len(data) > MAX_RUN_LENGTH:
        raise ImageLimitError(
            f"{name} is a run-length coded BMP of {width} x {abs(height)} pixels and {len(data) / MIB:.1f} MiB; "
            f"at most {MAX_RUN_LENGTH / 1e6:.0f} megapixels and as many bytes are read.",
            "Save it as PNG.",
        )


def _heif() -> Callable[..., ImageFile]:
    from pillow_heif import HeifImageFile  # loads libheif, which few runs need

    kind: Callable[..., ImageFile] = HeifImageFile
    return kind
