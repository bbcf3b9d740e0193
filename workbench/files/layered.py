"""A result as a Photoshop file: the picture, and above it one named layer with a mask for each instance."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.export.format import plain
from benchmarks.export.pictures import mask_pixels
from pipelines.types import Mask, tight_box
from workbench.files.result import Result

if TYPE_CHECKING:
    from psd_tools import PSDImage

MOST_LAYERS = 200
MOST_AREA = 8
"""Of all layers together, in pictures: a layer is as large as the box around its mask, and boxes may overlap. Outside
of its mask it is empty, and takes next to nothing."""

LONGEST_NAME = 100
_LANDSCAPE = "Picture"


def psd(result: Result) -> bytes:
    """Layers from the lowest: the picture, then each instance in its box, behind a mask that is exactly its own.

    The flat picture that viewers show is the picture itself, with run lengths, which all of them read; layers are
    deflated with prediction, which takes a third less of a photograph. Instances beyond 200 layers, or beyond eight
    times the area of the picture, are joined in one last layer.
    """
    from PIL import Image as Pillow
    from psd_tools import PSDImage
    from psd_tools.psd import PSD

    flat, out = BytesIO(), BytesIO()
    PSDImage.frompil(Pillow.fromarray(result.image)).save(flat)
    flat.seek(0)
    document = PSD.read(flat)
    canvas = PSDImage(document)
    canvas.create_pixel_layer(Pillow.fromarray(result.image), name=_LANDSCAPE, compression=_deflated())
    for name, mask in _layers(result):
        _add(canvas, result, name, mask)
    # `canvas.save` would first draw all layers once more to get the flat picture that is there already.
    document.write(out)
    return out.getvalue()


def _layers(result: Result) -> Iterator[tuple[str, Mask]]:
    rest, joined, area = np.zeros(result.prediction.size, np.bool_), 0, 0
    for number, (instance, mask, _) in enumerate(result.found, 1):
        area += _box_area(mask)
        if number <= MOST_LAYERS and area <= MOST_AREA * rest.size:
            yield f"{number} {plain(result.category_of(instance))[:LONGEST_NAME]} {instance.score:.2f}", mask
        else:
            rest, joined = rest | mask, joined + 1
    if joined:
        yield f"{joined} more", rest


def _box_area(mask: Mask) -> int:
    x0, y0, x1, y1 = tight_box(mask)
    return (x1 - x0) * (y1 - y0)


def _add(canvas: PSDImage, result: Result, name: str, mask: Mask) -> None:
    from PIL import Image as Pillow

    x0, y0, x1, y1 = tight_box(mask)
    inside = mask[y0:y1, x0:x1]
    pixels = Pillow.fromarray(np.where(inside[..., np.newaxis], result.image[y0:y1, x0:x1], 0).astype(np.uint8))
    layer = canvas.create_pixel_layer(pixels, top=y0, left=x0, compression=_deflated())
    layer.name = name  # as Unicode too, which the name that a layer is made with is not
    layer.create_mask(Pillow.fromarray(mask_pixels(inside)))


def _deflated() -> Any:
    from psd_tools.constants import Compression

    return Compression.ZIP_WITH_PREDICTION
