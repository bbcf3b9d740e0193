"""Pictures that differ, and copies of them as people make them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

Picture = np.ndarray
SIZE = (96, 128)


def picture(seed: int, size: tuple[int, int] = SIZE) -> Picture:
    """A disc on a ground with a texture of its own, ``uint8 (H, W, 3)``."""
    rng, (height, width) = np.random.default_rng(seed), size
    ground = cv2.resize(
        rng.normal(120, 30, (height // 8, width // 8, 3)), (width, height), interpolation=cv2.INTER_CUBIC
    )
    return np.where(mask(size)[..., None], ground * 0.5 + 110, ground).clip(0, 255).astype(np.uint8)


def mask(size: tuple[int, int] = SIZE) -> Picture:
    """Of the disc, ``bool (H, W)``; it lies in the same place in every picture."""
    y, x = np.ogrid[: size[0], : size[1]]
    return (y - size[0] / 2) ** 2 + (x - size[1] / 2) ** 2 < (size[0] / 4) ** 2


def scaled(image: Picture, factor: float) -> Picture:
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=kind))


def cut(image: Picture, left: float, top: float, right: float, bottom: float) -> Picture:
    height, width = image.shape[:2]
    return image[
        round(height * top) : height - round(height * bottom), round(width * left) : width - round(width * right)
    ]


def encoded(image: Picture, quality: int) -> Picture:
    return np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    )


def brighter(image: Picture, factor: float) -> Picture:
    return (image * factor).clip(0, 255).astype(np.uint8)


def all_at_once(image: Picture) -> Picture:
    return encoded(brighter(scaled(cut(image, 0.015, 0.015, 0.015, 0.015), 0.5), 1.1), 50)


COPIES: dict[str, Callable[[Picture], Picture]] = {
    "half the size": lambda image: scaled(image, 0.5),
    "twice the size": lambda image: scaled(image, 2),
    "JPEG of quality 50": lambda image: encoded(image, 50),
    "10 % brighter": lambda image: brighter(image, 1.1),
    "10 % darker": lambda image: brighter(image, 0.9),
    "3 % cut from the left": lambda image: cut(image, 0.03, 0, 0, 0),
    "3 % cut from left and top": lambda image: cut(image, 0.03, 0.03, 0, 0),
    "3 % cut from each side": lambda image: cut(image, 0.03, 0.03, 0.03, 0.03),
    "all, with 1.5 % cut": all_at_once,
}
"""What is done to a picture → the copy."""


def made_folder(folder: Path, pictures: dict[str, Picture], splits: dict[str, str] | None = None,
                groups: dict[str, str] | None = None) -> Path:  # fmt: skip
    """A dataset of pictures by name with their discs as masks, and where splits are given a metadata.csv."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for name, image in pictures.items():
        cv2.imwrite(str(folder / "images" / f"{name}.png"), image)
        cv2.imwrite(str(folder / "masks" / f"{name}.png"), mask(image.shape[:2]).astype(np.uint8) * 255)
    if splits or groups:
        rows = (
            f"images/{n}.png,masks/{n}.png,{(splits or {}).get(n, '')},{(groups or {}).get(n, n)}" for n in pictures
        )
        (folder / "metadata.csv").write_text("\n".join(["file_name,mask_file_name,split,group", *rows]) + "\n")
    return folder
