"""Which copies of pictures are found, and which others are mistaken: ``python docs/measurements/leaks.py FOLDER ...``.

Each FOLDER, or ``coins`` for the embedded dataset, is one that `open_dataset` reads. Every picture is copied in each
way of `COPIES`, and the copy is looked for among all originals; it is found where it leads to the original, or to
another picture of its group. Then all pictures of different groups are held against each other. Last, random
fingerprints are looked for in as many others.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.datasets import open_dataset
from benchmarks.leaks import fingerprints
from benchmarks.leaks.fingerprints import SIDE, Fingerprint, fingerprint
from benchmarks.leaks.pairs import _Stack, near_duplicates, within

Picture = npt.NDArray[np.uint8]
SIZES = (5_000, 10_000, 20_000)


def scaled(image: Picture, factor: float, kind: int) -> Picture:
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=kind), np.uint8)


def cut(image: Picture, left: float, top: float, right: float, bottom: float) -> Picture:
    high, wide = image.shape[:2]
    return image[round(high * top) : high - round(high * bottom), round(wide * left) : wide - round(wide * right)]


def encoded(image: Picture, quality: int) -> Picture:
    written = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)


def brighter(image: Picture, factor: float) -> Picture:
    return (image * factor).clip(0, 255).astype(np.uint8)


COPIES: dict[str, Callable[[Picture], Picture]] = {
    "half the size, means": lambda image: scaled(image, 0.5, cv2.INTER_AREA),
    "half the size, every other pixel": lambda image: scaled(image, 0.5, cv2.INTER_NEAREST),
    "twice the size": lambda image: scaled(image, 2, cv2.INTER_CUBIC),
    "a quarter of the size": lambda image: scaled(image, 0.25, cv2.INTER_AREA),
    "JPEG of quality 50": lambda image: encoded(image, 50),
    "JPEG of quality 10": lambda image: encoded(image, 10),
    "10 % brighter": lambda image: brighter(image, 1.1),
    "10 % darker": lambda image: brighter(image, 0.9),
    "30 % brighter": lambda image: brighter(image, 1.3),
    "3 % cut from the left": lambda image: cut(image, 0.03, 0, 0, 0),
    "3 % cut from left and top": lambda image: cut(image, 0.03, 0.03, 0, 0),
    "1.5 % cut from each side": lambda image: cut(image, 0.015, 0.015, 0.015, 0.015),
    "3 % cut from each side": lambda image: cut(image, 0.03, 0.03, 0.03, 0.03),
    "5 % cut from each side": lambda image: cut(image, 0.05, 0.05, 0.05, 0.05),
    "1.5 % cut, half the size, 10 % brighter, JPEG 50": lambda image: encoded(
        brighter(scaled(cut(image, 0.015, 0.015, 0.015, 0.015), 0.5, cv2.INTER_AREA), 1.1), 50
    ),
    "mirrored": lambda image: image[:, ::-1].copy(),
}


def of_dataset(spec: str) -> None:
    """Print what is found of one dataset."""
    samples = list(open_dataset(spec))
    own = list(fingerprints(samples))
    stack = _Stack(own)
    print(f"\n{spec}: {len(samples)} pictures in {len({s.group for s in samples})} groups\n")
    groups = [sample.group for sample in samples]
    print("| copy | found | most bits of 128 that differ | least likeness |\n|---|---|---|---|")
    for name, copy in COPIES.items():
        print(f"| {name} | {' | '.join(_of_copies(stack, own, groups, [copy(sample.image) for sample in samples]))} |")
    pairs = list(_apart(stack, groups))
    flagged = [(samples[p.first], samples[p.second]) for p in within(own)]
    false = [(a.id, b.id) for a, b in flagged if a.group != b.group]
    print(f"\npairs of different groups: {len(pairs)}; linked {len(false)} {false}; fewest bits that differ "
          f"{min(bits for bits, _ in pairs)}, most likeness {max(likeness for _, likeness in pairs):.3f}; "
          f"links within groups: {len(flagged) - len(false)}")  # fmt: skip


def _of_copies(stack: _Stack, own: list[Fingerprint], groups: list[str],
               pictures: list[Picture]) -> tuple[str, str, str]:  # fmt: skip
    copies = [fingerprint(picture, f"copy {n}") for n, picture in enumerate(pictures)]
    found = {pair.second for pair in near_duplicates(own, copies) if groups[pair.first] == groups[pair.second]}
    there = _Stack(copies)
    bits = [int(stack.differ(there, n)[n]) for n in range(len(own))]
    likeness = [max(float(a.likeness(b, n, np.array([n]))[0]) for a, b in ((stack, there), (there, stack)))
                for n in range(len(own))]  # fmt: skip
    return f"{len(found)} of {len(own)}", str(max(bits)), f"{min(likeness):.3f}"


def _apart(stack: _Stack, groups: list[str]) -> Iterator[tuple[int, float]]:
    """Bits that differ and likeness of all pairs of different groups, whatever the hashes say."""
    names = np.array(groups)
    for place in range(len(groups)):
        others = np.flatnonzero((names != names[place]) & (np.arange(len(groups)) > place))
        if len(others):
            yield from zip(
                map(int, stack.differ(stack, place)[others]),
                map(float, stack.likeness(stack, place, others)),
                strict=True,
            )


def _random(n: int, seed: int) -> list[Fingerprint]:
    rng = np.random.default_rng(seed)
    bits, greys = rng.integers(0, 2**63, (n, 2), dtype=np.uint64), rng.integers(0, 256, (n, SIDE, SIDE), dtype=np.uint8)
    return [Fingerprint(f"{seed}-{i}", (60, 80), bits[i], greys[i]) for i in range(n)]


def speed() -> None:
    """Print how long a search takes, and how long a fingerprint."""
    print("\n| pictures | against as many | within |\n|---|---|---|")
    for n in SIZES:
        a, b = _random(n, 1), _random(n, 2)
        times = [time.perf_counter()]
        for search in (lambda a=a, b=b: near_duplicates(a, b), lambda a=a: within(a)):
            search()
            times.append(time.perf_counter())
        print(f"| {n} | {' | '.join(f'{after - before:.1f} s' for before, after in pairwise(times))} |")
    tracemalloc.start()
    near_duplicates(a, b[:10])
    print(f"\nmost memory of the last beside the fingerprints: {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB")
    tracemalloc.stop()
    image = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    began = time.perf_counter()
    for _ in range(50):
        fingerprint(image)
    print(f"fingerprint of 800 x 600, decoded: {(time.perf_counter() - began) / 50 * 1e3:.1f} ms")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    for folder in sys.argv[1:]:
        of_dataset(folder)
    speed()
