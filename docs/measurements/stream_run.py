"""Memory of a whole run over a stream: ``python docs/measurements/stream_run.py FOLDER [PICTURES]``.

Makes parquet shards of small pictures with masks in FOLDER, runs ``benchmarks.run`` on them as a stream, and prints
the resident memory of the run and of its worker while the number of records grows.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

SHARDS, SIDE, STEPS = 10, 32, 10
PIPELINE = "classical:method=otsu"
SCHEMA = pa.schema(
    [(name, pa.struct([("bytes", pa.binary()), ("path", pa.string())])) for name in ("image", "mask")],
    metadata={"huggingface": json.dumps({"info": {"features": {n: {"_type": "Image"} for n in ("image", "mask")}}})},
)


def png(pixels: np.ndarray) -> dict[str, bytes | None]:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def row(seed: int) -> dict[str, dict[str, bytes | None]]:
    """A bright square on noise, no two alike."""
    chance = np.random.default_rng(seed)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    x, y, side = chance.integers(2, 18, 3) if seed % 20 else (0, 0, 0)  # one in twenty has none
    mask[y : y + side, x : x + side] = 255
    image = chance.integers(0, 60, (SIDE, SIDE, 3), np.uint8) + (mask > 0)[..., None].astype(np.uint8) * np.uint8(150)
    return {"image": png(image), "mask": png(mask)}


def make(folder: Path, pictures: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(SHARDS):
        seeds = range(shard * pictures // SHARDS, (shard + 1) * pictures // SHARDS)
        path = folder / f"train-{shard:05d}-of-{SHARDS:05d}.parquet"
        if not path.exists():
            pq.write_table(pa.Table.from_pylist([row(s) for s in seeds], SCHEMA), path, row_group_size=500)


def processes(root: int) -> Iterator[tuple[str, float]]:
    """Name and resident megabytes of a process and of its children."""
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            said = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        except OSError:  # it ended while we looked
            continue
        pid, parent = int(said["Pid"]), int(said["PPid"])
        if root in (pid, parent) and "VmRSS" in said:
            yield "run" if pid == root else "worker", int(said["VmRSS"].split()[0]) / 1024


def main(folder: Path, pictures: int) -> None:
    make(folder / "data", pictures)
    out, seen, wanted = Path(tempfile.mkdtemp(dir=folder)), dict[str, float](), 0
    about = ["--dataset", f"hf-stream:{folder / 'data'}", "--pipelines", PIPELINE, "--out", str(out)]
    command = [sys.executable, "-m", "benchmarks.run", *about, "--budget-s", "5", "--json"]
    start = time.monotonic()
    run = subprocess.Popen(command, stdout=subprocess.PIPE)
    while run.poll() is None:
        time.sleep(0.5)
        memory = dict(processes(run.pid))
        seen = {name: max(value, seen.get(name, 0)) for name, value in (seen | memory).items()}
        if (done := records(out)) >= wanted:
            said = ", ".join(f"{name} {value:.0f} MB" for name, value in sorted(memory.items()))
            print(f"{time.monotonic() - start:6.0f} s {done:7d} records: {said}", flush=True)
            wanted += pictures // STEPS
    (result,) = json.loads(run.stdout.read())["rows"]
    largest = ", ".join(f"{name} {value:.0f} MB" for name, value in sorted(seen.items()))
    print(f"{time.monotonic() - start:6.0f} s, rc {run.returncode}, {result['scored']} scored; largest: {largest}")


def records(out: Path) -> int:
    newest = max(out.glob("*/*/samples.jsonl"), key=lambda p: p.stat().st_mtime, default=None)
    return sum(block.count(b"\n") for block in blocks(newest)) if newest else 0


def blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            yield block


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
