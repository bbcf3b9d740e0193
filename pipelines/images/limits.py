"""What a picture may be before it is decoded: formats, pixels, sides, bytes."""

from dataclasses import dataclass

from pipelines.errors import ImageFormatError, ImageLimitError

MIB = 2**20
MAX_PROFILE_BYTES = 4 * MIB
"""Colour profiles beyond this are left aside; press profiles have some 2 MiB."""


@dataclass(frozen=True)
class Limits:
    """What is accepted.

    Attributes:
        formats: names out of PNG, JPEG, MPO, WEBP, BMP, TIFF, GIF, AVIF, HEIF.
        max_pixels: width times height.
        max_side: the longer side, in pixels.
        max_bytes: of the file.
    """

    formats: frozenset[str]
    max_pixels: int
    max_side: int
    max_bytes: int

    def check_format(self, name: str, found: str) -> None:
        """Refuse a format that is not on the list.

        Raises:
            ImageFormatError: it is not on the list.
        """
        if found not in self.formats:
            raise ImageFormatError(f"{name} is {found}, a format that is not read here.", self.cure_format)

    def check_bytes(self, name: str, size: int) -> None:
        """Refuse a file that is too large.

        Raises:
            ImageLimitError: it has more than ``max_bytes``.
        """
        if size > self.max_bytes:
            raise ImageLimitError(
                f"{name} has {size / MIB:.1f} MiB; at most {self.max_bytes / MIB:.0f} MiB are read here.",
                "Save it smaller, for example as JPEG.",
            )

    def check_size(self, name: str, width: int, height: int) -> None:
        """Refuse a picture that has too many pixels, or none.

        Raises:
            ImageLimitError: a side is 0 or too long, or there are too many pixels.
        """
        if min(width, height) < 1:
            raise ImageLimitError(f"{name} is {width} x {height} pixels: it is empty.", "Export it again.")
        if max(width, height) > self.max_side:
            raise ImageLimitError(
                f"{name} is {width} x {height} pixels; a side may have at most {self.max_side} here.",
                "Scale it down or cut it into tiles.",
            )
        if width * height > self.max_pixels:
            raise ImageLimitError(
                f"{name} is {width} x {height} pixels, {width * height / 1e6:.1f} megapixels; "
                f"at most {self.max_pixels / 1e6:.0f} are read here.",
                "Scale it down or cut it into tiles.",
            )

    @property
    def cure_format(self) -> str:
        """What to say about a format that is not read."""
        return f"Save it as PNG or JPEG; read here are {', '.join(sorted(self.formats))}."


# MPO is what phones and stereo cameras write as .jpg: an ordinary JPEG with further ones behind it. It is as safe as
# JPEG, because the index of the further pictures is left out and only the first is decoded.
UPLOAD = Limits(frozenset({"PNG", "JPEG", "MPO", "WEBP", "BMP", "TIFF"}), 25_000_000, 8192, 20 * MIB)
"""For files of strangers: at most 25 megapixels, 8192 pixels a side, 20 MiB."""

OWN_FOLDER = Limits(UPLOAD.formats | {"GIF", "AVIF", "HEIF"}, 200_000_000, 30_000, 2048 * MIB)
"""For a person's own folder: at most 200 megapixels, 30,000 pixels a side, 2 GiB."""
