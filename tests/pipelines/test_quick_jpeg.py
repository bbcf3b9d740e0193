"""The quick way to decode JPEG gives what the slow one gives: the same pixels, the same refusals."""

from __future__ import annotations

import random
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as PILImage
from skimage import data

from pipelines.errors import ImageError
from pipelines.images import decode, load_image

PHOTO = PILImage.fromarray(data.chelsea()[:150, :203])


def encoded(**options: object) -> bytes:
    file = BytesIO()
    PHOTO.save(file, "JPEG", **options)
    return file.getvalue()


def oriented(orientation: int) -> bytes:
    exif = PILImage.Exif()
    exif[0x112] = orientation
    return encoded(exif=exif.tobytes())


def outcome(file: bytes) -> object:
    try:
        return load_image(file).tolist()
    except ImageError as error:
        return str(error)


def slowly(file: bytes, monkeypatch: pytest.MonkeyPatch) -> object:
    inspect = decode.inspect
    with monkeypatch.context() as patch:
        patch.setattr(decode, "inspect", lambda *arguments: replace(inspect(*arguments), rgb=None))
        return outcome(file)


FILES = [encoded(quality=q, subsampling=s, progressive=p) for q in (40, 95) for s in (0, 1, 2) for p in (False, True)]
FILES += [oriented(orientation) for orientation in range(1, 9)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(len(file)))
def test_pixels_are_equal(file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(file) == slowly(file, monkeypatch)


def test_it_is_used_for_an_ordinary_photograph_and_not_for_a_cut_one() -> None:
    ordinary = encoded()
    for file, used in (
        (ordinary, True),
        (ordinary[:-1], False),
        (ordinary + b"more", False),
        (ordinary[:3000] + b"\xff\xd9", True),
    ):
        header = decode.inspect("x", file, decode.UPLOAD)
        assert (header.rgb is not None) is used
    quick = decode.inspect("x", ordinary, decode.UPLOAD).rgb
    assert quick is not None
    assert np.array_equal(quick(), np.asarray(PILImage.open(BytesIO(ordinary))))


@pytest.mark.parametrize("seed", range(60))
def test_damaged_files_end_alike(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    damage = random.Random(seed)
    file = bytearray(damage.choice(FILES))
    for _ in range(damage.choice([1, 2, 5, 20])):
        file[damage.randrange(20, len(file))] = damage.randrange(256)
    if seed % 5 == 0:
        del file[damage.randrange(len(file)) :]
    assert outcome(bytes(file)) == slowly(bytes(file), monkeypatch)
