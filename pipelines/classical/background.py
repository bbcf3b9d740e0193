"""A model of the background, learned from the border of the picture: colour that varies smoothly, and its spread.

The border is not taken at its word, since objects are cut by it. The densest colour among border pixels starts the
model; a low-order surface in x and y and a covariance are then fitted to what lies near it, in the border and inside,
and what does not fit is left out. The score is the Mahalanobis distance of each pixel from that surface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.classical.scores import Score
from pipelines.types import Image

if TYPE_CHECKING:
    from pipelines.classical.parameters import ClassicalParams

Features = npt.NDArray[np.float32]
"""``float32 (3, n)``, one column a pixel: lightness, then chroma from green to red and from blue to yellow."""

FIT_SAMPLES = 6_000  # pixels; enough for six numbers a channel
FIT_ORDERS = (1, 3, 3, 6, 6, 6)  # terms of the surface in each round
TINY = 1e-6  # keeps a fit to no pixel at all solvable
MODE_SAMPLES = 700
MODE_SIGMA = 3.0  # pixels; grain averages out before the densest colour is looked for
REFERENCE_LIGHTNESS = 60.0  # where features have the scale of Lab
RIDGE = 0.02  # holds the surface flat where the background is seen in one corner alone
SPREAD_INFLATION = 1.3  # a covariance of pixels within a limit is too small


def shrunk(image: npt.NDArray[np.uint8], longer_side: int) -> npt.NDArray[np.uint8]:
    """A picture or mask with its longer side brought down to a length, by area averaging; never made larger."""
    height, width = image.shape[:2]
    scale = longer_side / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def features(_: Image, colour: Image, params: ClassicalParams) -> tuple[Image, npt.NDArray[np.float32]]:
    """Small picture and its features.

    Returns:
        Small picture ``(h, w, 3)`` and features ``float32 (h, w, 3)``.
    """
    small = shrunk(colour, params.work_size)
    found = shade_free(small, params.lightness_offset)
    found = np.asarray(cv2.GaussianBlur(found, (0, 0), params.feature_sigma), np.float32)
    found[..., 0] *= np.float32(params.lightness_weight)
    return small, found


def shade_free(image: Image, offset: float) -> npt.NDArray[np.float32]:
    """Logarithm of lightness, and chroma divided by lightness plus an offset, ``float32 (h, w, 3)`` in units of Lab.

    With Lab's own offset of 16, shade on a surface changes the first and leaves the others alone; a large offset gives
    plain Lab.
    """
    lab = cv2.cvtColor(image.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2LAB)
    lifted = lab[..., 0] + np.float32(offset)
    scale = np.float32(REFERENCE_LIGHTNESS + offset)
    free = np.dstack([np.log(lifted / np.float32(100 + offset)) * scale, lab[..., 1:] * (scale / lifted)[..., None]])
    return np.asarray(free, np.float32)


def border_score(
    _: Image, given: tuple[Image, npt.NDArray[np.float32]], params: ClassicalParams
) -> tuple[Image, Score]:
    """Small picture and the score of each of its pixels: distance d from the background as d / (d + half)."""
    small, found = given
    height, width = found.shape[:2]
    values = planes(found)
    weight = border_weight(height, width, params)
    mode = densest(planes(np.asarray(cv2.GaussianBlur(found, (0, 0), MODE_SIGMA))), weight, params.mode_bandwidth)
    residual, covariance = fitted(values, surface(height, width, params), weight, mode, params)
    lightness = residual[0]
    lightness[lightness < 0] *= params.shadow_weight  # darker than the background: an object, or only its shadow
    distance = np.sqrt(squared_distance(residual, covariance)).reshape(height, width)
    return small, np.asarray(distance / (distance + np.float32(params.half_distance)), np.float32)


def planes(found: npt.NDArray[Any]) -> Features:
    """One row a channel, ``(channels, h * w)``: sums over pixels then run along memory."""
    return np.ascontiguousarray(found.reshape(-1, found.shape[2]).T, np.float32)


def border_weight(height: int, width: int, params: ClassicalParams) -> npt.NDArray[np.float32]:
    """Prior weight of each pixel as background, ``(h * w,)``: the border's share and the interior's."""
    depth = max(2, round(params.border_width * min(height, width)))
    ring = np.ones((height, width), bool)
    ring[depth:-depth, depth:-depth] = False
    share = ring.size / ring.sum() * (1 - params.interior_weight)
    return np.where(ring.ravel(), share, params.interior_weight).astype(np.float32)


def surface(height: int, width: int, params: ClassicalParams) -> npt.NDArray[np.float32]:
    """Monomials of x and y in [-1, 1] up to the order asked for, ``(1, 3 or 6; h * w)``."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in (height, width)), indexing="ij")
    terms = [np.ones_like(x), x, y, x * x, x * y, y * y][: (1, 3, 6)[params.surface_order]]
    return np.stack(terms).reshape(len(terms), -1)


def densest(values: Features, weight: npt.NDArray[np.float32], bandwidth: float) -> npt.NDArray[np.float32]:
    """The feature vector with the most weight around it, ``(3, 1)``: the mode of a kernel density over a sample."""
    step = stride(values.shape[1], MODE_SAMPLES)
    sample = values[:, ::step]
    apart = np.zeros((sample.shape[1], sample.shape[1]), np.float32)
    for plane in sample:
        apart += np.square(plane[:, None] - plane)
    density = np.exp(apart * np.float32(-0.5 / bandwidth**2)) * weight[::step]
    best = int(density.sum(1).argmax())
    return sample[:, best : best + 1]


def stride(number: int, wanted: int) -> int:
    """Step that takes about so many of a number of pixels; odd, so as not to run down the columns of an even width."""
    return -(-number // wanted) | 1


def fitted(
    values: Features, terms: npt.NDArray[np.float32], weight: npt.NDArray[np.float32],
    mode: npt.NDArray[np.float32], params: ClassicalParams,
) -> tuple[Features, npt.NDArray[np.float64]]:  # fmt: skip
    """Fit surface and covariance to the pixels near them, by trimmed least squares, from the mode on.

    The order grows from a constant over a plane to the full surface, so that early rounds cannot bend to an object.

    Returns:
        Residuals of all pixels ``(3, n)`` and the covariance of those of the background ``(3, 3)``.
    """
    step = stride(values.shape[1], FIT_SAMPLES)
    sample, sample_terms, prior = values[:, ::step], terms[:, ::step], weight[::step]
    covariance = np.eye(len(values)) * params.mode_bandwidth**2
    residual, model = sample - mode, mode
    for order in FIT_ORDERS:
        near = prior * (squared_distance(residual, covariance) < params.inlier_distance**2)
        model = least_squares(sample, sample_terms[:order], near)
        residual = sample - product(model, sample_terms[: model.shape[1]])
        covariance = spread((residual * near) @ residual.T / (near.sum() + TINY), params)
    return values - product(model, terms[: model.shape[1]]), covariance


def least_squares(
    sample: Features, terms: npt.NDArray[np.float32], near: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Coefficients ``(3, terms)`` of a weighted fit, all but the constant damped."""
    weighted = terms * near
    damping = np.diag([TINY] + [RIDGE * float(near.sum()) + TINY] * (len(terms) - 1))
    normal = (weighted @ terms.T).astype(np.float64) + damping
    return np.linalg.solve(normal, (weighted @ sample.T).astype(np.float64)).T.astype(np.float32)


def spread(raw: npt.NDArray[Any], params: ClassicalParams) -> npt.NDArray[np.float64]:
    """Covariance with a floor for noise, and a ceiling so that it cannot grow to take in the objects."""
    inflated = raw.astype(np.float64) * SPREAD_INFLATION + np.eye(len(raw)) * params.noise_floor**2
    variances, axes = np.linalg.eigh(inflated)
    return np.asarray((axes * np.minimum(variances, params.spread_limit**2)) @ axes.T, np.float64)


def squared_distance(residual: Features, covariance: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Squared Mahalanobis distance of each column, ``(n,)``."""
    whitened = product(np.linalg.cholesky(np.linalg.inv(covariance)).T, residual)
    return np.asarray((whitened * whitened).sum(0), np.float32)


def product(matrix: npt.NDArray[Any], values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A small matrix times many columns; not by BLAS, whose threads cost more than they bring on shared cores."""
    return np.asarray(cv2.gemm(matrix.astype(np.float32), values, 1, None, 0), np.float32)  # type: ignore[call-overload]
