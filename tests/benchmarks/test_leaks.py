"""Fingerprints and pairs: copies are found, different pictures are not, and time and memory stay small."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest

from benchmarks.datasets import open_dataset
from benchmarks.leaks import fingerprints
from benchmarks.leaks.fingerprints import SIDE, Fingerprint, fingerprint, from_text
from benchmarks.leaks.pairs import Pair, near_duplicates, within
from pipelines.errors import ParameterError
from tests.benchmarks.copies import COPIES, picture, scaled


def prints(*pictures: np.ndarray, name: str = "p") -> list[Fingerprint]:
    return [fingerprint(image, f"{name}{index}") for index, image in enumerate(pictures)]


def photographs() -> list[np.ndarray]:
    return [sample.image for sample in open_dataset("coins") if sample.id.startswith("crop/")]


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found_among_the_pictures_of_the_embedded_dataset(kind: str) -> None:
    originals = photographs()
    a, b = prints(*originals), prints(*map(COPIES[kind], originals), name="copy")
    found = near_duplicates(a, b)
    assert [(pair.first, pair.second) for pair in found] == [(n, n) for n in range(len(a))]
    assert all(pair.reason.startswith("same picture: ") and pair.likeness < 1.0001 for pair in found)
    turned = near_duplicates(b, a)  # either may be the copy
    assert [(pair.first, pair.second) for pair in turned] == [(n, n) for n in range(len(a))]


def test_different_pictures_of_the_embedded_dataset_are_no_copies() -> None:
    samples = list(open_dataset("coins"))
    linked = [(samples[p.first], samples[p.second]) for p in within(list(fingerprints(samples)))]
    assert [(a.id, b.id) for a, b in linked if a.group != b.group] == []


def test_drawn_pictures_with_the_disc_in_one_place_are_no_copies() -> None:
    different = prints(*map(picture, range(60)))
    assert within(different) == []
    assert near_duplicates(different[:30], different[30:]) == []


def test_the_same_bytes_are_said_to_be_that() -> None:
    a, b = prints(picture(1), picture(2)), prints(picture(2), picture(1))
    same = [Fingerprint("p1", one.size, one.bits, one.grey) for one in b[:1]]
    assert near_duplicates(a, same) == [Pair(1, 0, "same bytes")]
    assert within([*a, *same]) == [Pair(1, 2, "same bytes")]


def test_a_picture_without_detail_is_known_by_its_bytes_alone() -> None:
    blank = [np.full((40, 60, 3), value, np.uint8) for value in (0, 0, 200, 255)]
    assert within(prints(*blank)) == []
    assert within([*prints(blank[0]), *prints(blank[1])]) == [Pair(0, 1, "same bytes")]


def test_a_turned_or_stretched_picture_is_another_one() -> None:
    image = picture(3)
    assert near_duplicates(prints(image), prints(np.rot90(image).copy(), image[:, :80].copy(), name="q")) == []


def test_the_most_alike_is_named() -> None:
    near, image = [COPIES["3 % cut from each side"](picture(1)), picture(1)], COPIES["JPEG of quality 50"](picture(1))
    assert [pair.first for pair in near_duplicates(prints(picture(7), *near), prints(image, name="q"))] == [2]


def test_links_lead_to_every_copy_and_there_are_no_more_than_that_takes() -> None:
    images = [kind(picture(seed)) for seed in range(4) for kind in (*COPIES.values(), np.copy)]
    found = within(prints(*images))
    assert len(found) == len(images) - 4
    reached = {pair.second for pair in found} | {pair.first for pair in found}
    assert reached == set(range(len(images)))
    assert all(pair.first // 10 == pair.second // 10 and pair.first < pair.second for pair in found)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (7, 5), (33, 31), (2000, 40)])
def test_pictures_of_any_size_have_a_fingerprint_that_survives_as_text(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    one = fingerprint(image, "hash")
    again = from_text(one.to_text(), "hash")
    assert (again.size, again.sha256, again.bits.tolist()) == (one.size, one.sha256, one.bits.tolist())
    assert np.array_equal(again.grey, one.grey) and one.grey.shape == (SIDE, SIDE)
    assert len(one.to_text()) < 1500


@pytest.mark.parametrize(
    "text", ["", "2:3x4:0:0:AAAA", "1:3x4:0:0:AAAA", "1:3x4:0:0:!", "1:3:0:0:", "1:0x0:x:0:" + "A" * 1366 + "=="]
)
def test_a_text_that_is_no_fingerprint_of_this_version_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="not a fingerprint that this version reads"):
        from_text(text, "hash")


def random_prints(n: int, seed: int, grey: np.ndarray | None = None) -> list[Fingerprint]:
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2**63, (n, 2), dtype=np.uint64) if grey is None else np.zeros((n, 2), np.uint64)
    greys = rng.integers(0, 256, (n, SIDE, SIDE), dtype=np.uint8) if grey is None else np.repeat(grey[None], n, axis=0)
    return [Fingerprint(f"{seed}-{i}", (60, 80), bits[i], greys[i]) for i in range(n)]


def test_thousands_against_thousands_take_seconds_and_little_memory() -> None:
    a, b = random_prints(5_000, 1), random_prints(5_000, 2)
    a[4321] = Fingerprint("other", (60, 80), b[1234].bits ^ np.uint64(5), b[1234].grey)
    began = time.process_time()
    found = near_duplicates(a, b)
    assert [(pair.first, pair.second) for pair in found] == [(4321, 1234)]
    assert time.process_time() - began < 10
    tracemalloc.start()
    near_duplicates(a, b[:20])
    assert tracemalloc.get_traced_memory()[1] < 150e6
    tracemalloc.stop()


def test_thousands_of_copies_of_one_picture_are_linked_once_each() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    many = random_prints(1_500, 3, grey)
    began = time.process_time()
    assert len(within(many)) == 1_499
    assert len(near_duplicates(many[:750], many[750:])) == 750
    assert time.process_time() - began < 20


def test_nothing_against_nothing_is_nothing() -> None:
    assert within([]) == near_duplicates([], []) == near_duplicates(prints(picture(1)), []) == []
    assert near_duplicates([], prints(picture(1))) == []


def test_the_guard_imports_no_network_package() -> None:
    code = "import sys, benchmarks.leaks; print([m for m in ('torch', 'pandas', 'imagehash', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_where_there_are_many_pictures_the_same_pairs_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [picture(seed) for seed in range(6)]
    prints = [fingerprint(one, f"{n}") for n, one in enumerate([*made, *(scaled(one, 0.5) for one in made[:4])])]
    few, own = within(prints), near_duplicates(prints[:6], prints[6:])
    monkeypatch.setattr("benchmarks.leaks.pairs.MANY", 3)
    assert within(prints) == few and len(few) == 4
    assert near_duplicates(prints[:6], prints[6:]) == own and len(own) == 4
