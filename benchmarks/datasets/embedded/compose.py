"""Composed scenes: coins cut out of one photograph, laid on real textures with light, shadow, blur and noise.

A scene is planned from its number alone (PCG64 with a fixed seed), so that it is the same each time; a mask is where a
coin covers at least half of a pixel before blur and noise, and so is exact by construction.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.types import Image

SEED = 20240607
SCENES = 24
HEIGHT, WIDTH = 384, 512
GROUNDS: dict[str, tuple[float, float, float]] = {
    "grass": (0.86, 1.06, 0.76), "gravel": (1.03, 1.0, 0.95), "brick": (1.12, 0.95, 0.87)}  # fmt: skip
"""Texture → the tint of its red, green and blue."""

METALS = ((1.0, 0.995, 0.97), (1.1, 0.94, 0.8), (1.06, 1.0, 0.82), (0.97, 1.02, 0.96))  # silver, copper, brass, patina
EMPTY = (7, 17)
"""Scenes without any coin: one on gravel, one on brick."""

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Placed:
    """One coin of a scene.

    Attributes:
        coin: 1 to 24, the id in the photograph.
        x, y: centre in pixels; may lie beyond the border.
        radius: pixels, of the circle of the coin's area.
        angle: degrees.
        metal: factors of red, green and blue.
        gain: factor of the coin's grey.
    """

    coin: int
    x: float
    y: float
    radius: float
    angle: float
    metal: tuple[float, float, float]
    gain: float


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a scene looks like."""

    index: int
    ground: str
    tint: tuple[float, float, float]
    zoom: float
    contrast: float
    brightness: float
    light: tuple[float, float]
    shadow: tuple[float, float, float, float]
    blur: float
    noise: float
    coins: tuple[Placed, ...]


def plan_scene(index: int) -> Plan:
    """Draw the plan of one scene, 0 to 23."""
    rng = _rng(index, 0)
    ground = list(GROUNDS)[index % len(GROUNDS)]
    grey = index % 4 == 3  # in every fourth scene colour says nothing
    angle = rng.uniform(0, 2 * math.pi)
    slope, throw = rng.uniform(0.05, 0.3), rng.uniform(2, 7)
    count = 0 if index in EMPTY else int(rng.integers(1, 10))
    return Plan(
        index=index, ground=ground, tint=(1.0, 1.0, 1.0) if grey else GROUNDS[ground],
        zoom=rng.uniform(1.0, 1.6), contrast=rng.uniform(0.45, 0.95), brightness=rng.uniform(70, 135),
        light=(slope * math.cos(angle), slope * math.sin(angle)),
        shadow=(-throw * math.cos(angle), -throw * math.sin(angle), rng.uniform(2, 5), rng.uniform(0.25, 0.55)),
        blur=rng.uniform(0.4, 1.1), noise=rng.uniform(1.5, 5),
        coins=tuple(_place(rng, count, grey)),
    )  # fmt: skip


def _rng(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([SEED, *key]))


def _place(rng: np.random.Generator, count: int, grey: bool) -> Iterator[Placed]:
    """Coins that lie apart, or touch; a few reach over the border. Gives up on one for which there is no room."""
    chosen = rng.permutation(24)[:count] + 1
    metal = METALS[int(rng.integers(len(METALS)))]
    placed: list[tuple[float, float, float]] = []
    for coin in chosen:
        radius = rng.uniform(24, 58)
        spot = _spot(rng, radius, placed)
        angle, gain = rng.uniform(0, 360), rng.uniform(0.8, 1.15)
        if rng.random() < 0.3:
            metal = METALS[int(rng.integers(len(METALS)))]
        if spot is not None:
            placed.append((*spot, radius))
            yield Placed(int(coin), *spot, radius, angle, (1.0, 1.0, 1.0) if grey else metal, gain)


def _spot(
    rng: np.random.Generator, radius: float, placed: list[tuple[float, float, float]]
) -> tuple[float, float] | None:
    touching = bool(placed) and rng.random() < 0.35
    border = radius * (0.4 if rng.random() < 0.15 else 1.15)
    for _ in range(60):
        x, y = rng.uniform(border, WIDTH - border), rng.uniform(border, HEIGHT - border)
        if touching:
            nx, ny, other = placed[int(rng.integers(len(placed)))]
            turn, reach = rng.uniform(0, 2 * math.pi), (radius + other) * 0.98
            x, y = nx + reach * math.cos(turn), ny + reach * math.sin(turn)
        gap = 0.97 if touching else 1.12
        inside = border <= x <= WIDTH - border and border <= y <= HEIGHT - border
        if inside and all(math.hypot(x - a, y - b) > gap * (radius + r) for a, b, r in placed):
            return float(x), float(y)
    return None


def render(plan: Plan) -> tuple[Image, Ids]:
    """Paint a plan.

    Returns:
        Picture ``uint8 (384, 512, 3)`` and instance ids ``uint8 (384, 512)``, 0 = ground, 1 = the plan's first coin.
    """
    canvas = _ground(plan)
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number, placed in enumerate(plan.coins, 1):
        reach = 1.3 * placed.radius + 30  # as far as its shadow goes
        left, top = max(0, int(placed.x - reach)), max(0, int(placed.y - reach))
        area = (slice(top, int(placed.y + reach)), slice(left, int(placed.x + reach)))
        moved = replace(placed, x=placed.x - left, y=placed.y - top)
        ids[area][_lay(moved, plan.shadow, canvas[area])] = number
    return _photographed(plan, canvas), ids


def _lay(placed: Placed, thrown: tuple[float, float, float, float], canvas: Floats) -> npt.NDArray[np.bool_]:
    """Paint one coin and its shadow into a part of the canvas, in place; gives where it covers half a pixel or more."""
    import cv2

    height, width = canvas.shape[:2]
    grey, alpha = _warped(placed, (width, height))
    dx, dy, softness, strength = thrown
    shifted = cv2.warpAffine(alpha, np.array([[1, 0, dx], [0, 1, dy]], np.float32), (width, height))
    canvas *= 1 - strength * cv2.GaussianBlur(shifted, (0, 0), softness)[..., None]
    colour = grey[..., None] * np.array(placed.metal, np.float32) * placed.gain
    canvas += (colour - canvas) * alpha[..., None]
    return np.asarray(alpha >= 0.5)


def _photographed(plan: Plan, canvas: Floats) -> Image:
    """Light from one side, blur of the lens, noise of the sensor."""
    import cv2

    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j].astype(np.float32)
    lit = canvas * (1 + plan.light[0] * x + plan.light[1] * y)[..., None]
    lit = cv2.GaussianBlur(lit, (0, 0), plan.blur)
    sigma = plan.noise * np.sqrt(0.4 + np.clip(lit, 0, 255) / 170)
    noise = _rng(plan.index, 1).standard_normal(lit.shape, np.float32)
    return np.asarray(np.clip(np.rint(lit + sigma * noise), 0, 255), np.uint8)


def _ground(plan: Plan) -> Floats:
    """A window of the texture, turned and enlarged, tinted ``float32 (H, W, 3)``."""
    import cv2

    rng = _rng(plan.index, 2)
    texture = np.rot90(_texture(plan.ground), int(rng.integers(4)))
    if rng.random() < 0.5:
        texture = texture[:, ::-1]
    h, w = math.ceil(HEIGHT / plan.zoom), math.ceil(WIDTH / plan.zoom)
    top, left = (int(rng.integers(512 - size + 1)) for size in (h, w))
    window = cv2.resize(np.ascontiguousarray(texture[top : top + h, left : left + w]), (WIDTH, HEIGHT),
                        interpolation=cv2.INTER_CUBIC)  # fmt: skip
    grey = plan.brightness + plan.contrast * (window - window.mean())
    return np.asarray(np.clip(grey, 0, 255)[..., None] * np.array(plan.tint, np.float32), np.float32)


@lru_cache
def _texture(name: str) -> Floats:
    import skimage.data

    return np.asarray(getattr(skimage.data, name)(), np.float32)


def _warped(placed: Placed, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Grey and coverage of one coin at its place, ``float32`` each, of a size ``(width, height)``."""
    import cv2

    grey, outline, radius = _sprite(placed.coin)
    scale = placed.radius / radius
    centre = ((grey.shape[1] - 1) / 2, (grey.shape[0] - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, placed.angle, scale)
    matrix[:, 2] += (placed.x - centre[0], placed.y - centre[1])
    moved = cv2.warpAffine(grey, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    edge = cv2.warpAffine(outline, matrix, size, flags=cv2.INTER_LINEAR)
    # the smoothed outline falls over some 2.5 source pixels; steepen it to an edge of about one pixel of the scene
    return np.asarray(moved, np.float32), np.clip((edge - 0.5) * 2.5 * scale + 0.5, 0, 1)


@lru_cache
def _sprite(coin: int) -> tuple[Floats, Floats, float]:
    """Grey patch, smoothed outline and radius of one coin of the photograph.

    The grey is carried on beyond the rim, so that the photograph's dark ground does not come along as a seam.
    """
    import cv2

    from benchmarks.datasets.embedded.photograph import instances, photograph

    mask = instances() == coin
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    pad = 8
    padded = [np.pad(a, pad, mode="edge")[rows[0] : rows[-1] + 2 * pad + 1, columns[0] : columns[-1] + 2 * pad + 1]
              for a in (photograph(), mask.astype(np.uint8))]  # fmt: skip
    grey, inside = (a.astype(np.float32) for a in padded)
    core: Any = cv2.erode(inside, np.ones((3, 3), np.uint8))
    spread = cv2.GaussianBlur(grey * core, (0, 0), 1.5) / np.maximum(cv2.GaussianBlur(core, (0, 0), 1.5), 1e-3)
    outline = cv2.GaussianBlur(inside, (0, 0), 1.0)
    whole, soft = (np.asarray(a, np.float32) for a in (np.where(core > 0, grey, spread), outline))
    return whole, soft, math.sqrt(float(inside.sum()) / math.pi)
