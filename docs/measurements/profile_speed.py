"""How fast a profile is, and what it holds: ``python docs/measurements/profile_speed.py FOLDER [--pictures 300]``.

FOLDER is a dataset that `open_dataset` reads, with masks; its pictures are copied at 800 x 600, rolled so that none is
another's copy, as JPEG with masks in PNG. Printed are images a second without the search for near-duplicates, beside
those of decoding alone; the time of that search over 20,000 drawn fingerprints; and the resident memory while a stream
of small pictures is looked at. Run it with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cv2
import numpy as np

from benchmarks.datasets import Dataset, Sample, Stream, Truth, open_dataset
from benchmarks.leaks.fingerprints import SIDE, Fingerprint
from benchmarks.leaks.pairs import within
from benchmarks.profile.copies import cut_copies
from benchmarks.profile.cores import cores
from benchmarks.profile.looks import look

SIZE, SEARCHED, STREAMED = (800, 600), 20_000, 10_000


def written(source: str, folder: Path, n: int) -> Dataset:
    """Pictures of one size, no two alike."""
    samples, rng = list(open_dataset(source)), np.random.default_rng(0)
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for index in range(n):
        sample = samples[index % len(samples)]
        by = int(rng.integers(SIZE[1])), int(rng.integers(SIZE[0]))
        image = np.roll(cv2.resize(sample.image, SIZE), by, (0, 1))
        mask = cv2.resize(sample.target().astype(np.uint8) * 255, SIZE, interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(folder / f"images/{index:05}.jpg"), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
        cv2.imwrite(str(folder / f"masks/{index:05}.png"), np.roll(mask, by, (0, 1)))
    return open_dataset(folder)


def decoded(sample: Sample) -> None:
    """What any look must do."""
    sample.read_image()
    sample.truth()


def rate(samples: list[Sample], work: Callable[[Sample], object]) -> tuple[float, float]:
    """Images a second on all cores, and milliseconds of computing for one."""
    began, busy = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(cores()) as threads:
        for _ in threads.map(work, samples):
            pass
    return len(samples) / (time.perf_counter() - began), (time.process_time() - busy) / len(samples) * 1e3


def searched(n: int) -> tuple[float, float]:
    """Seconds of both searches over drawn pictures."""
    rng = np.random.default_rng(0)
    grey = [cv2.resize(rng.integers(0, 256, (8, 8), dtype=np.uint8), (SIDE, SIDE)) for _ in range(n)]
    bits = rng.integers(0, 2**63, (n, 2), dtype=np.uint64)
    prints = [Fingerprint(str(i), (60, 80), bits[i], grey[i]) for i in range(n)]
    times = [time.perf_counter()]
    for search in (within, cut_copies):
        search(prints)
        times.append(time.perf_counter())
    return times[1] - times[0], times[2] - times[1]


def small(index: int) -> Sample:
    rng = np.random.default_rng(index)
    image = cv2.resize(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), (64, 64))
    mask = np.zeros((64, 64), bool)
    mask[10 + index % 20 : 40, 10 : 40 + index % 9] = True
    return Sample(f"{index:06}", (64, 64), lambda: image, partial(str, index), lambda: Truth({"a": mask}), lambda: "m")


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def held(n: int) -> Iterator[tuple[int, float]]:
    """Samples looked at, and megabytes held by then."""
    from benchmarks.profile.profiling import profile

    marks: dict[int, float] = {}

    def mark(done: int, _: int | None) -> None:
        if done % (n // 4) == 0:
            marks[done] = resident_mb()

    profile(Dataset("d", "stream", Stream(lambda: map(small, range(n)))), progress=mark)
    yield from marks.items()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--pictures", type=int, default=300)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        samples = list(written(asked.folder, Path(folder), asked.pictures))
        look(samples[0])
        for name, work in (("decoding alone", decoded), ("profile", look)):
            found = rate(samples, work)
            print(f"{name}: {found[0]:.0f} images a second on {cores()} cores, {found[1]:.1f} ms of computing for one")
    first, second = searched(SEARCHED)
    print(f"search over {SEARCHED}: {first:.1f} s for copies, {second:.1f} s for cut ones")
    print("resident memory:", ", ".join(f"{mb:.0f} MB after {done}" for done, mb in held(STREAMED)))


if __name__ == "__main__":
    main()
