"""The faults that can be planted: kind → ways to make one, of several strengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from PIL import Image as Pillow

from tests.benchmarks.planting import (
    Change,
    Item,
    MaskArray,
    Picture,
    Rng,
    encode,
    moved,
    resized,
    with_mask,
    with_picture,
)


def empty(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    return with_mask(item, item.mask_array() * 0), "all black"


def full(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    return with_mask(item, np.full_like(item.mask_array(), 255)), "all white"


def inverted(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    return with_mask(item, 255 - item.mask_array()), "inverted"


def shifted(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    far = (0.05, 0.08, 0.1, 0.15)[turn % 4]
    angle = float(rng.uniform(0, 2 * np.pi))
    dx, dy = far * np.cos(angle), far * np.sin(angle)
    return with_mask(item, moved(item.mask_array(), dx, dy, bool(turn % 2))), f"{far:.0%} of the side"


def swapped(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    height, width = item.mask_array().shape
    return with_mask(item, resized(other.mask_array(), (width, height))), "the mask of another picture"


def soft(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    sigma = (1.5, 3, 6, 10)[turn % 4]
    return with_mask(item, cv2.GaussianBlur(item.mask_array(), (0, 0), sigma)), f"edges blurred by {sigma} px"


def scaled_soft(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    height, width = item.mask_array().shape
    small = cv2.resize(item.mask_array(), (max(2, width // 4), max(2, height // 4)), interpolation=cv2.INTER_AREA)
    return with_mask(item, cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)), "resized with blending"


def many_greys(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    mask = item.mask_array()
    mask[: mask.shape[0] // 2] //= 2
    return with_mask(item, mask), "half of it at 127"


def noisy_png(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    quality = (30, 60, 80, 90)[turn % 4]
    lossy = cv2.imdecode(cv2.imencode(".jpg", item.mask_array(), [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)
    return with_mask(item, np.asarray(lossy, np.uint8)), f"PNG of a JPEG of quality {quality}"


def as_jpeg(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    quality = (50, 75, 90, 95)[turn % 4]
    return with_mask(item, item.mask_array(), ".jpg", quality=quality), f"JPEG of quality {quality}"


def jpeg_named_png(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    return replace(item, mask=encode(item.mask_array(), ".jpg", quality=75)), "JPEG under the name of a PNG"


def palette(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    image = Pillow.fromarray(item.mask_array() // 255).convert("P")
    image.putpalette([0, 0, 0, 128, 0, 0])
    return replace(item, mask=_bytes(image)), "palette of black and red"


def coloured(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    colour = ((255, 0, 0), (0, 128, 255), (255, 255, 255), (200, 40, 90))[turn % 4]
    mask = item.mask_array()[..., None] // 255 * np.array(colour, np.uint8)
    return with_mask(item, mask), f"RGB, foreground {colour}"


def _bytes(image: Pillow.Image) -> bytes:
    import io

    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def salt(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    share = (0.0005, 0.002, 0.01, 0.03)[turn % 4]
    mask = item.mask_array()
    mask[rng.random(mask.shape) < share] = 255
    return with_mask(item, mask), f"{share:.2%} of the pixels set"


def salt_and_pepper(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    share = (0.001, 0.005, 0.02, 0.05)[turn % 4]
    mask = item.mask_array()
    hit = rng.random(mask.shape) < share
    mask[hit] = np.where(rng.random(int(hit.sum())) < 0.5, 0, 255)
    return with_mask(item, mask), f"{share:.1%} of the pixels random"


def blobs(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    mask = item.mask_array()
    for _ in range(30):
        centre = int(rng.integers(mask.shape[1])), int(rng.integers(mask.shape[0]))
        cv2.circle(mask, centre, 1 + turn % 3, 255 if rng.random() < 0.7 else 0, -1)
    return with_mask(item, mask), f"30 dots of {1 + turn % 3} px"


def too_small(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    share = (0.003, 0.006, 0.01, 0.015)[turn % 4]
    mask = item.mask_array()
    near = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    found = np.zeros_like(mask)
    y, x = np.unravel_index(int(near.argmax()), near.shape)
    cv2.circle(found, (int(x), int(y)), max(2, round(np.sqrt(share * mask.size / np.pi))), 255, -1)
    return with_mask(item, found), f"{share:.1%} of the picture"


def too_large(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    mask = item.mask_array()
    high, wide = mask.shape
    found = np.full_like(mask, 255)
    cut = max(1, round(0.01 * (1 + turn % 2) * min(high, wide)))
    found[:cut], found[-cut:] = 0, 0
    return with_mask(item, found), "nearly all of the picture"


def tiny(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    side = (16, 24, 32, 48)[turn % 4]
    small = np.asarray(cv2.resize(item.picture(), (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    return with_picture(item, small, resized(item.mask_array(), (side, side))), f"{side} x {side}"


def strip(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    picture, mask = item.picture(), item.mask_array()
    share = (0.12, 0.16, 0.2, 0.25)[turn % 4]
    rows = slice(round((0.5 - share / 2) * len(mask)), round((0.5 + share / 2) * len(mask)))
    return with_picture(item, picture[rows].copy(), mask[rows].copy()), f"a strip of {share:.0%} of the height"


def huge(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    picture, mask = item.picture(), item.mask_array()
    factor = 4 * 800 / max(picture.shape)
    size = round(picture.shape[1] * factor), round(picture.shape[0] * factor)
    return with_picture(item, cv2.resize(picture, size), resized(mask, size)), "four times as large as others"


def dark(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    gain = (0.05, 0.1, 0.15, 0.2)[turn % 4]
    return with_picture(item, (item.picture() * gain).astype(np.uint8)), f"times {gain}"


def light(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    gain = (0.05, 0.1, 0.15, 0.2)[turn % 4]
    return with_picture(item, (255 - (255 - item.picture()) * gain).astype(np.uint8)), f"distance to white times {gain}"


def overexposed(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    raised = item.picture().astype(np.float32) * (1.5 + 0.5 * (turn % 2)) + 110
    return with_picture(item, raised.clip(0, 255).astype(np.uint8)), "raised and clipped"


def blurry(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    share = (0.01, 0.015, 0.02, 0.03)[turn % 4]
    sigma = share * max(item.picture().shape)
    return with_picture(item, cv2.GaussianBlur(item.picture(), (0, 0), sigma)), f"sigma {sigma:.1f} px"


def plain(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    picture = item.picture()
    noise = rng.normal(0, (0, 1, 2, 4)[turn % 4], picture.shape)
    level = (128, 60, 200, 100)[turn % 4]
    return with_picture(item, (level + noise).clip(0, 255).astype(np.uint8)), f"one grey of {level}"


def truncated(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    return replace(item, image=item.image[: len(item.image) * (1 + turn % 3) // 4]), "cut off"


def no_picture(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    return replace(item, image=(b"", b"not a picture", bytes(2000))[turn % 3]), "no picture at all"


def missing(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    return (replace(item, drop_mask=True), "no file") if turn % 2 else (replace(item, mask=None), "no name")


def other_size(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    mask = item.mask_array()
    factor = (0.5, 0.9, 1.25, 2.0)[turn % 4]
    return with_mask(
        item, resized(mask, (round(mask.shape[1] * factor), round(mask.shape[0] * factor)))
    ), f"times {factor}"


def same(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    return item, "the same bytes"


def scaled(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    factor = (0.5, 0.75, 1.5, 0.35)[turn % 4]
    picture = item.picture()
    size = round(picture.shape[1] * factor), round(picture.shape[0] * factor)
    return with_picture(item, cv2.resize(picture, size, interpolation=cv2.INTER_AREA),
                        resized(item.mask_array(), size)), f"times {factor}"  # fmt: skip


def _cut(array: Picture | MaskArray, sides: Sequence[float]) -> Picture | MaskArray:
    high, wide = array.shape[:2]
    left, top, right, low = sides
    return array[round(top * high) : high - round(low * high), round(left * wide) : wide - round(right * wide)].copy()


def cropped(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    share = (0.03, 0.05, 0.08, 0.1)[turn % 4]
    sides = (share,) * 4 if turn % 2 else tuple(float(side) for side in rng.uniform(0, 2 * share, 4))
    return with_picture(item, _cut(item.picture(), sides), _cut(item.mask_array(), sides)), f"cut by {share:.0%} a side"


def recoded(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    quality = (20, 40, 60, 80)[turn % 4]
    return replace(
        item, image=encode(item.picture(), ".jpg", quality=quality), suffix=".jpg"
    ), f"JPEG of quality {quality}"


def brighter(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    gain = (1.2, 0.8, 1.35, 0.65)[turn % 4]
    return with_picture(item, (item.picture() * gain).clip(0, 255).astype(np.uint8)), f"brightness times {gain}"


def conflict(item: Item, other: Item, rng: Rng, turn: int) -> tuple[Item, str]:
    made, how = (shifted, too_small, inverted, swapped, empty)[turn % 5](item, other, rng, 3)
    return made, f"same picture, mask {how}"


CHANGES: dict[str, Sequence[Change]] = {
    "mask_shifted": (shifted, shifted, shifted, swapped), "mask_inverted": (inverted,), "mask_empty": (empty,),
    "mask_full": (full,), "mask_not_binary": (soft, scaled_soft, many_greys), "mask_palette": (palette, coloured),
    "mask_jpeg_noise": (as_jpeg, noisy_png, jpeg_named_png), "mask_specks": (salt, blobs, salt_and_pepper),
    "area_outlier": (too_small, too_large), "mask_missing": (missing,), "mask_size_mismatch": (other_size,),
    "image_tiny": (tiny,), "image_odd_size": (strip, strip, huge), "image_dark": (dark,),
    "image_light": (light, overexposed), "image_blurry": (blurry,), "image_low_information": (plain,),
    "image_unreadable": (truncated, no_picture),
}  # fmt: skip
ADDS: dict[str, Sequence[Change]] = {
    "exact_duplicate": (same,), "near_duplicate": (scaled, cropped, recoded, brighter, cropped),
    "conflicting_masks": (conflict,),
}  # fmt: skip
LEAKS: dict[str, Sequence[Change]] = {"split_leak": (same, scaled, recoded)}
