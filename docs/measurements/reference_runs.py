"""The runs that come with the package: ``python docs/measurements/reference_runs.py [--trial] [--limit 4]``.

Makes by ``benchmarks.run``, one after another and with nothing else on the machine: every preset of the classical
pipeline on the embedded dataset, with quality; and every network with random weights on a few of its images, one at
a time, for speed and memory alone, which its rows say. Of each run a slim copy goes to ``benchmarks/reference``:
manifest, rows, records and timing, without folders of this machine, soft maps, and the masks of random weights.
Those that were there before go, once the new ones are made; with --only, those of the same settings alone.
With --trial one image, short timing and a temporary folder: it shows that the script works, its times say nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.leaderboard import is_random
from benchmarks.records import Configuration
from benchmarks.run_folder import MANIFEST, SUMMARY
from benchmarks.store import RunStore
from benchmarks.tracking.scrubbed import scrubbed
from pipelines.presets import preset_names
from pipelines.registry import pipeline_class

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "benchmarks" / "reference"
MOST_BYTES = 2_000_000
TEXT, CLICKS = ("clipseg", "grounded_sam:max_candidates=8", "rmbg", "sam3"), ("sam",)
"""A detector with random weights finds as many boxes as it may: eight, as a photograph might have."""


def commands(limit: int, *, trial: bool, only: str | None) -> Iterator[list[str]]:
    """Options of each run."""
    quick = ["--budget-s", "0.5", "--batch-sizes", "1"] if trial else []
    alone = ["--weights", "random", "--limit", str(limit), "--budget-s", "20", "--batch-sizes", "1"]
    presets = ",".join(f"classical@{name}" for name in preset_names(pipeline_class("classical")))
    runs = {
        "classical": ["--pipelines", presets, *(["--limit", "1"] if trial else [])],
        "networks": ["--pipelines", ",".join(TEXT), *alone],
        "clicks": ["--pipelines", ",".join(CLICKS), "--prompt-from", "boxes", *alone],
    }  # fmt: skip
    return ([*options, *quick] for name, options in runs.items() if only in (None, name))


def made(options: list[str], out: Path) -> Path:
    """The folder of a new run."""
    print(" ".join(options), flush=True)
    command = [sys.executable, "-m", "benchmarks.run", "--dataset", "coins", "--device", "cpu", "--soft-maps-mb", "0",
               "--out", str(out), "--json", "--quiet", *options]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    document = json.loads(done.stdout)
    for row in document.get("rows", []):
        print(f"  {row['label']}: {row['status']} {row['reason'] or ''} mIoU {row['miou']}", flush=True)
    return out / document["run_id"]


def slim(source: Path, target: Path) -> None:
    """A copy of what the leaderboard, report, compare and recommend read of a run."""
    store = RunStore(source)
    manifest = store.manifest()
    target.mkdir(parents=True)
    for name in (MANIFEST, SUMMARY):
        write(target / name, json.loads((source / name).read_bytes()))
    for one in manifest.configurations:
        if store.records_path(one.id).is_file():
            (target / one.id).mkdir()
            write(target / one.id / "timing.json", json.loads(store.timing_path(one.id).read_bytes()))
            lines = [record.model_copy(update=dropped(one)) for record in store.records(one.id)]
            text = "".join(f"{json.dumps(scrubbed(line.model_dump(mode='json')))}\n" for line in lines)
            (target / one.id / "samples.jsonl").write_text(text, encoding="utf-8")


def dropped(one: Configuration) -> dict[str, Any]:
    """What a copy does without: files of soft maps, and of random weights masks that mean nothing."""
    return {"soft_map": None, **({"instances": (), "components": None} if is_random(one) else {})}


def write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(scrubbed(document), separators=(",", ":"), ensure_ascii=True) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trial", action="store_true")
    parser.add_argument("--limit", type=int, default=4)
    parser.add_argument("--only", choices=("classical", "networks", "clicks"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / "reference" if asked.trial else REFERENCE
        wanted = commands(1 if asked.trial else asked.limit, trial=asked.trial, only=asked.only)
        runs = [made(options, Path(folder) / "runs") for options in wanted]
        old = [to / run.name for run in runs] if asked.only else [path for path in to.glob("*") if path.is_dir()]
        for path in old:
            shutil.rmtree(path, ignore_errors=True)
        for run in runs:
            slim(run, to / run.name)
        size = sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
        print(f"{size / 1e6:.2f} MB in {to.name}")
        if size > MOST_BYTES:
            sys.exit(f"That is more than {MOST_BYTES / 1e6:.0f} MB: lower --limit.")
        check(to)


def check(folder: Path) -> None:
    """Every run is read by the leaderboard, and names no folder of this machine."""
    from workbench.boards.stored import Run, read

    for run in sorted(path for path in folder.iterdir() if path.is_dir()):
        found = read(run, "reference")
        if not isinstance(found, Run):
            sys.exit(f"{run.name}: {found.reason}")
        for path in run.rglob("*.json*"):
            if any(part in path.read_text(encoding="utf-8") for part in (str(ROOT), str(Path.home()) + "/")):
                sys.exit(f"{path} names a folder of this machine")
        print(f"{run.name}: {len(found.rows)} rows")


if __name__ == "__main__":
    main()
