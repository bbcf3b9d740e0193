"""Memory of a streamed dataset over its length: python docs/measurements/stream_memory.py [ROWS] [FOLDER]

Writes parquet shards of ROWS (100,000) small pictures with masks to FOLDER (a temporary one), then goes once through
open_dataset("hf-stream:FOLDER"), decodes picture and truth of each sample, and prints the resident memory after every
tenth. The last line is the growth from the first tenth to the end; level is below 15 MB.
"""

from __future__ import annotations

import argparse
import gc
import io
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

SHARD, GROUP, SIDE = 10_000, 100, 32


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def write_shards(folder: Path, rows: int, group: int = GROUP) -> None:
    """Shards of pictures that all differ, in row groups as the hub has them."""
    import pyarrow as pa
    from pyarrow import parquet

    rng, mask = np.random.default_rng(0), np.zeros((SIDE, SIDE), np.uint8)
    file = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", file), ("mask", file), ("id", pa.string()), ("prompt", pa.string())])
    for shard, start in enumerate(range(0, rows, SHARD)):
        numbers = range(start, min(rows, start + SHARD))
        pictures, masks = [], []
        for i in numbers:
            mask[:] = 0
            mask[: 1 + i % SIDE] = 255
            pictures.append({"bytes": png(rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)), "path": None})
            masks.append({"bytes": png(mask), "path": None})
        table = pa.table([pictures, masks, [f"{i:06}" for i in numbers], ["square"] * len(numbers)], schema=schema)
        parquet.write_table(table, folder / f"train-{shard:05}.parquet", row_group_size=group)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def curve(folder: Path, rows: int) -> list[tuple[int, float]]:
    """Samples read and resident memory in MB, after every tenth of the rows."""
    from benchmarks.datasets import open_dataset

    found = []
    for n, sample in enumerate(open_dataset(f"hf-stream:{folder}"), 1):
        truth = sample.truth()
        assert sample.image.shape == (SIDE, SIDE, 3) and truth is not None and truth.union().any()
        if n % (rows // 10) == 0:
            gc.collect()
            found.append((n, resident_mb()))
            print(f"{n:9,} samples {found[-1][1]:8.1f} MB", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="?", type=int, default=100_000)
    parser.add_argument("folder", nargs="?", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if not any(folder.glob("*.parquet")):
            write_shards(folder, given.rows)
        start = time.perf_counter()
        found = curve(folder, given.rows)
        print(f"growth {found[-1][1] - found[0][1]:.1f} MB, {given.rows / (time.perf_counter() - start):.0f} samples/s")


if __name__ == "__main__":
    main()
