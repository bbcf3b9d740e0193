"""Decoding in processes of their own: the same pixels, the same refusals, and limits that hold."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipelines.errors import ImageDamagedError, ImageFormatError, ParameterError, ResourceError
from pipelines.images import load_image, load_mask
from tests.workbench.hostile import served
from tests.workbench.hostile.pictures import PHOTO, saved
from workbench.given.decoding import Bounds, Decoders


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    made = Decoders()
    yield made
    made.close()


def test_pixels_and_ids_are_those_of_the_loader(decoders: Decoders) -> None:
    for form in ("PNG", "JPEG", "WEBP", "BMP", "TIFF"):
        found = decoders.image(saved(form))
        assert np.array_equal(found, load_image(saved(form))) and found.flags.writeable
    for ids in (PHOTO[..., 0] // 90, PHOTO[..., 0].astype(np.uint16) * 200, PHOTO[..., 0].astype(np.int32) * 99_999):
        data = saved("TIFF" if ids.dtype == np.int32 else "PNG", ids)
        found, here = decoders.mask(data), load_mask(data)
        assert np.array_equal(found, here) and found.dtype == here.dtype


def test_refusals_are_those_of_the_loader(decoders: Decoders) -> None:
    with pytest.raises(ImageFormatError, match="GIF"):
        decoders.image(saved("GIF"))
    with pytest.raises(ImageDamagedError, match="damaged"):
        decoders.image(saved("PNG")[:-40])
    with pytest.raises(ParameterError):
        decoders.mask(saved("PNG", PHOTO[..., 0]), 0)
    assert decoders.image(saved("PNG")).shape == PHOTO.shape


def test_an_answer_that_was_not_read_is_not_taken_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory ends where the pixels should go: they are still in the pipe."""
    made = Decoders(Bounds(most=1))
    made.warm()

    def full(*given: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr("workbench.given.decoding.np.empty", full)
        made.image(saved("PNG"))
    assert np.array_equal(made.image(saved("PNG")), PHOTO)
    made.close()


def test_where_no_process_can_be_started_its_place_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Decoders(Bounds(most=1))

    def none(*given: object) -> None:
        raise OSError("no more processes")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no more processes"):
        patch.setattr("workbench.given.decoding._Decoder", none)
        made.warm()
    assert made.idle.qsize() == 1


def test_many_threads_at_once(decoders: Decoders) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(decoders.image, [saved("PNG", np.full((9, 9, 3), n, np.uint8)) for n in range(40)]))
    assert [int(one[0, 0, 0]) for one in found] == list(range(40))


@pytest.mark.parametrize(("how", "bounds"), [
    (served.crash, Bounds()), (served.hang, Bounds(wall_s=3.0)), (served.eat, Bounds()), (served.lie, Bounds()),
])  # fmt: skip
def test_one_that_goes_wrong_is_an_error_and_another_takes_its_place(how: object, bounds: Bounds) -> None:
    made = Decoders(bounds, how)  # type: ignore[arg-type]
    with pytest.raises(ResourceError, match=r"could not be opened|memory"):
        made.image(saved("PNG"))
    made.close()
    made.how, made.bounds = Decoders().how, Bounds()
    assert np.array_equal(made.image(saved("PNG")), PHOTO)
    made.close()
