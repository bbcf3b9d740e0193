"""Colour profiles to sRGB, through LittleCMS."""

import logging
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image as PILImage

logger = logging.getLogger(__name__)

SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab "}
"""Mode of Pillow → colour space that a profile for it names."""


def to_srgb(image: PILImage.Image, profile: bytes, name: str) -> PILImage.Image:
    """The picture in sRGB.

    With a profile, its perceptual intent is used. Without one, RGB and grey are sRGB already, Lab is CIE L*a*b* under
    D50, and CMYK is the plain product of paper and inks, (1 - C)(1 - K).

    Args:
        image: of mode L, RGB, CMYK, YCbCr or LAB.
        profile: ICC, or nothing. One that is broken or of another colour space is left aside, and logged.
        name: of the file, for the log.

    Returns:
        The picture in mode RGB.
    """
    if image.mode == "YCbCr":
        image = image.convert("RGB")
    if (profile or image.mode == "LAB") and (converted := _converted(image, profile, name)):
        return converted
    return image if image.mode == "RGB" else image.convert("RGB")  # `convert` would copy it


def _converted(image: PILImage.Image, profile: bytes, name: str) -> PILImage.Image | None:
    from PIL import ImageCms  # LittleCMS; most pictures need none

    try:
        if profile and is_srgb(profile, image.mode):
            return None
        source = ImageCms.ImageCmsProfile(BytesIO(profile) if profile else ImageCms.createProfile("LAB"))
        if (space := source.profile.xcolor_space) != SPACES[image.mode]:
            raise ValueError(f"it is for {space.strip()}, the picture is {image.mode}")
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError) as error:
        logger.warning("%s: the colour profile cannot be used, the colours are taken as they are: %s", name, error)
        return _converted(image, b"", name) if image.mode == "LAB" and profile else None


@lru_cache(maxsize=8)
def is_srgb(profile: bytes, mode: str) -> bool:
    """Whether the profile changes nothing: tried on a cube of colours, since names of profiles are free text.

    One that cannot be read is none that is known to change nothing.
    """
    from PIL import ImageCms

    if mode != "RGB":
        return False
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    swatch = PILImage.fromarray(cube)
    target = ImageCms.createProfile("sRGB")
    try:
        out = ImageCms.profileToProfile(swatch, ImageCms.ImageCmsProfile(BytesIO(profile)), target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return False
    return out is not None and int(np.abs(np.asarray(out).astype(int) - cube).max()) <= 1
