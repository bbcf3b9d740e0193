"""Which pictures are copies of each other: hashes propose near-duplicates, and a small grey copy proves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.leaks.fingerprints import SIDE, Fingerprint, Grey

MOST_BITS = 30
"""Of 128 bits of both hashes; copies of photographs differ in 24 at most, different ones in 36 at least."""

ALIKE = 0.82
"""Least likeness; that of copies of photographs is 0.88 at least, that of different ones 0.73 at most."""

HOPELESS = 0.6
"""With less likeness than that the other way round is not tried; it is costly, and adds little."""

FLAT = 1.0
"""Grey values: with less detail than that a picture has nothing by which to know it."""

ASPECT = 0.12
"""Largest difference of the logarithms of width to height: a copy may have been cut at two sides."""

MANY = 20_000
"""From so many pictures on, details are not kept: they would take 4 kB each."""

_FINE, _COARSE = 0.7, 4.0
_TERMS = 6
_FIRST, _AT_ONCE = 4, 256

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Pair:
    """Two pictures of which one is a copy of the other.

    Attributes:
        first: place in the first list.
        second: place in the second list, or in the same.
        reason: "same bytes", or "same picture" and how many bits of the hashes differ.
        likeness: from 0 to 1; 1 for the same bytes.
    """

    first: int
    second: int
    reason: str
    likeness: float = 1.0


class _Details:
    """Details of pictures by their places, kept where there are few and worked out anew where there are many.

    Args:
        greys: small grey copies, ``uint8 (32, 32)`` each.
    """

    def __init__(self, greys: Sequence[Grey]) -> None:
        self.greys = greys
        self.kept = self._of(range(len(greys))) if len(greys) <= MANY else None
        blocks = (self[np.arange(start, min(start + _AT_ONCE, len(greys)))] for start in range(0, len(greys), _AT_ONCE))
        self.energy = np.concatenate([np.zeros(0), *((block**2).sum(axis=1, dtype=np.float64) for block in blocks)])

    def __getitem__(self, places: Places) -> Floats:
        return self._of(places.tolist()) if self.kept is None else self.kept[places]

    def _of(self, places: Iterable[int]) -> Floats:
        return np.array([_detail(self.greys[place]) for place in places], np.float32).reshape(-1, SIDE * SIDE)


class _Stack:
    """Fingerprints as arrays: two hashes and the logarithm of the aspect ``(N,)``, details ``(N, 1024)``."""

    def __init__(self, prints: Sequence[Fingerprint]) -> None:
        self.phash, self.dhash = np.array([one.bits for one in prints], np.uint64).reshape(-1, 2).T.copy()
        self.aspect = np.array([np.log(one.size[1] / one.size[0]) for one in prints])
        self.details = _Details([one.grey for one in prints])
        self.energy = self.details.energy
        self.flat = self.energy < FLAT**2 * SIDE * SIDE

    def differ(self, other: _Stack, place: int, begin: int = 0) -> npt.NDArray[np.uint8]:
        """How many of 128 bits differ from those of a picture of another stack, from a place on."""
        phash, dhash = self.phash[begin:] ^ other.phash[place], self.dhash[begin:] ^ other.dhash[place]
        return np.asarray(np.bitwise_count(phash) + np.bitwise_count(dhash), np.uint8)

    def candidates(self, other: _Stack, place: int, begin: int = 0) -> tuple[Places, npt.NDArray[np.uint8]]:
        """Places of possible copies of a picture of another stack, the likeliest first, and how many bits differ."""
        differ = self.differ(other, place, begin)
        near = np.flatnonzero(differ <= MOST_BITS)
        found = near + begin
        fits = (np.abs(self.aspect[found] - other.aspect[place]) <= ASPECT) & ~self.flat[found] & ~other.flat[place]
        order = np.argsort(differ[near[fits]], kind="stable")
        return found[fits][order], differ[near[fits]][order]

    def likeness(self, other: _Stack, place: int, places: Places) -> Floats:
        """How much of each picture another explains, or where that is little the other way round.

        Explained is what a change of gain and brightness, a shift and a stretch along both axes give, to first order:
        the optical flow of Lucas and Kanade (1981), with four parameters of motion.
        """
        one = other.details[np.array([place])]
        own = _basis(one)[0]
        shares = np.square(self.details[places] @ own).sum(axis=1) / self.energy[places]
        unsure = np.flatnonzero((shares < ALIKE**2) & (shares >= HOPELESS**2))
        turned = np.square(one[0] @ _basis(self.details[places[unsure]])).sum(axis=1)
        shares[unsure] = np.maximum(shares[unsure], turned / other.energy[place])
        return np.asarray(np.sqrt(np.minimum(shares, 1)), np.float32)


def _detail(grey: npt.NDArray[np.uint8]) -> Floats:
    """What is neither noise nor a slow change of the light, with mean 0, as ``float32 (1024,)``."""
    fine = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _FINE)
    detail = fine - cv2.GaussianBlur(fine, (0, 0), _COARSE)
    return np.asarray(detail - detail.mean(), np.float32).ravel()


def _basis(details: Floats) -> Floats:
    """Orthonormal vectors ``(N, 1024, 6)`` that span what each picture may be turned into by little."""
    pictures = details.reshape(-1, SIDE, SIDE)
    down, right = np.gradient(pictures, axis=1), np.gradient(pictures, axis=2)
    y, x = (np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2) / (SIDE / 2)
    terms = (np.ones_like(pictures), pictures, right, down, x * right, y * down)
    stacked = np.stack(terms, axis=-1).reshape(len(pictures), SIDE * SIDE, _TERMS)
    return np.asarray(np.linalg.qr(stacked)[0], np.float32)


def near_duplicates(a: Sequence[Fingerprint], b: Sequence[Fingerprint]) -> list[Pair]:
    """For each picture of a second list that is in the first one too, the one there that is most like it.

    Time grows with the product of the lengths, some 3 s for 10,000 x 10,000; memory with their sum.

    Args:
        a: fingerprints.
        b: fingerprints.

    Returns:
        One pair at most for each of `b`, in its order; `Pair.first` is a place in `a`.
    """
    known: dict[str, int] = {}
    for place, one in enumerate(a):
        known.setdefault(one.sha256, place)
    first, second = _Stack(a), _Stack(b)
    found = (_same(known[one.sha256], place) if one.sha256 in known else next(_copies(first, second, place), None)
             for place, one in enumerate(b))  # fmt: skip
    return [pair for pair in found if pair is not None]


def _same(first: int, second: int) -> Pair:
    return Pair(first, second, "same bytes")


def _copies(a: _Stack, b: _Stack, place: int) -> Iterator[Pair]:
    """Pictures of `a` that one of `b` is a copy of, the likeliest first."""
    places, bits = a.candidates(b, place)
    start, n = 0, _FIRST  # the first are the likeliest: few are looked at before one is found
    while start < len(places):
        likeness = a.likeness(b, place, places[start : start + n])
        for found in np.flatnonzero(likeness >= ALIKE):
            yield _pair(int(places[start + found]), place, int(bits[start + found]), float(likeness[found]))
        start, n = start + n, min(2 * n, _AT_ONCE)


def _pair(first: int, second: int, bits: int, likeness: float) -> Pair:
    return Pair(first, second, f"same picture: {bits} of 128 bits differ, likeness {likeness:.2f}", round(likeness, 4))


def within(prints: Sequence[Fingerprint]) -> list[Pair]:
    """Enough pairs to link all pictures of one list that are copies of each other: one less than there are copies.

    Args:
        prints: fingerprints.

    Returns:
        Pairs with `first` before `second`; who follows them from picture to picture comes to every copy.
    """
    stack, label = _Stack(prints), np.arange(len(prints))
    known: dict[str, int] = {}
    found: list[Pair] = []
    for place, one in enumerate(prints):
        before = known.setdefault(one.sha256, place)
        if before != place:
            found.append(_same(before, place))
            label[place] = label[before]
    for place in known.values():
        for pair in _links(stack, place, label):
            found.append(pair)
            label[label == label[pair.second]] = label[pair.first]
    return sorted(found, key=lambda pair: (pair.first, pair.second))


def _links(stack: _Stack, place: int, label: npt.NDArray[np.intp]) -> Iterator[Pair]:
    """Copies of a picture behind it that are not linked to it yet."""
    places, bits = stack.candidates(stack, place, place + 1)
    for start in range(0, len(places), _AT_ONCE):
        open_ = np.flatnonzero(label[places[start : start + _AT_ONCE]] != label[place]) + start
        if not len(open_):
            continue
        likeness = stack.likeness(stack, place, places[open_])
        for n in np.flatnonzero(likeness >= ALIKE):
            if label[places[open_[n]]] != label[place]:  # not linked by the one before
                yield _pair(place, int(places[open_[n]]), int(bits[open_[n]]), float(likeness[n]))
