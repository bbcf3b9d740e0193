"""Kills searches at random moments, and has several share one storage: ``python docs/measurements/tune_kill.py KILLS``.

First a search in one process on the embedded coins is killed with SIGKILL again and again, started each time until it
is let through, and held against one that nothing disturbed: the same trials with the same values, the same choice.
Then two processes share a storage, a journal and a file of SQLite, and one of them is killed now and then and started
again: as many trials are finished as were asked for, each number once. Prints one JSON document.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import optuna
from optuna.trial import TrialState

from benchmarks.tune.storage import open_storage

TRIALS, FOLDS = 30, 3
FIELDS = "method,canny_low,canny_high,adaptive_block,adaptive_offset,closing,min_area,max_hole"
TIMES = ("pass_s", "decision_s", "study", "preset", "report")
KILLS_A_SEARCH = 6
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


def command(out: Path, storage: str | None) -> list[str]:
    """The search that is killed."""
    options = ["--trials", str(TRIALS), "--folds", str(FOLDS), "--limit", "8", "--jobs", "1", "--fields", FIELDS]
    options += ["--storage", storage] if storage else []
    return [sys.executable, "-m", "benchmarks.tune", "classical:work_size=96", "--dataset", "coins", *options,
            "--out", str(out), "--json", "--quiet"]  # fmt: skip


def start(out: Path, storage: str | None) -> subprocess.Popen[str]:
    """A process that searches."""
    return subprocess.Popen(command(out, storage), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def finish(out: Path, storage: str | None) -> dict[str, Any]:
    """What a search that is let through says, without its times and places."""
    said, _ = start(out, storage).communicate()
    found: dict[str, Any] = json.loads(said)
    return {name: value for name, value in found.items() if name not in TIMES}


def trials(out: Path, storage: str | None) -> dict[str, list[Any]]:
    """Finished trials by study, in their order: parameters and values."""
    folder = next(out.glob("tune-*"))
    kept = open_storage(storage, folder)
    return {study.study_name: [[one.params, one.values] for one in optuna.load_study(
        study_name=study.study_name, storage=kept).trials if one.state in DONE]
        for study in optuna.get_all_study_summaries(kept)}  # fmt: skip


def numbers(out: Path, storage: str | None) -> Counter[tuple[str, int]]:
    """How often each number of a trial, finished or not, is met in each study."""
    kept = open_storage(storage, next(out.glob("tune-*")))
    return Counter((study.study_name, one.number) for study in optuna.get_all_study_summaries(kept)
                   for one in optuna.load_study(study_name=study.study_name, storage=kept).trials)  # fmt: skip


def without_numbers(said: dict[str, Any]) -> dict[str, Any]:
    """A trial that was killed leaves its number empty."""
    folds = [{k: v for k, v in fold.items() if k != "trial"} for fold in said["best"]["folds"]]
    return {**said, "best": {**said["best"], "folds": folds}}


def alone(kills: int, root: Path) -> dict[str, Any]:
    """One process, killed; how many searches end otherwise than one that was not."""
    begun = time.perf_counter()
    whole = finish(root / "whole", None)
    length_s = time.perf_counter() - begun
    expected, moments = trials(root / "whole", None), random.Random(0)
    found = {"kills": 0, "in_time": 0, "searches": 0, "other_answers": 0, "other_trials": 0}
    while found["kills"] < kills:
        out = root / f"killed{found['searches']}"
        for _ in range(KILLS_A_SEARCH):
            process = start(out, None)
            time.sleep(moments.uniform(0.2, 1.0) * length_s)
            found["in_time"] += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.communicate()
            found["kills"] += 1
        found["other_answers"] += without_numbers(finish(out, None)) != without_numbers(whole)
        found["other_trials"] += trials(out, None) != expected
        found["searches"] += 1
    return {"length_s": round(length_s, 2), **found}


def shared(kind: str, kills: int, root: Path) -> dict[str, Any]:
    """Two processes on one storage, one of which is killed some times."""
    out, moments = root / kind, random.Random(1)
    out.mkdir()
    storage = f"sqlite:///{out / 'studies.db'}" if kind == "sqlite" else str(out / "studies.journal")
    steady, killed = start(out, storage), start(out, storage)
    done = 0
    for _ in range(kills):
        time.sleep(moments.uniform(1.5, 4))
        done += killed.poll() is None
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        killed = start(out, storage)
    answers = [json.loads(process.communicate()[0]) for process in (steady, killed)]
    codes, found = [steady.returncode, killed.returncode], trials(out, storage)
    unlike = {name: {json.dumps(one) for one in its} for name, its in found.items()}
    return {
        "kills_in_time": done,
        "exit_codes": codes,
        "finished": {name[-3:]: len(its) for name, its in found.items()},
        "asked_for": TRIALS // FOLDS,
        "repeated_numbers": sum(n > 1 for n in numbers(out, storage).values()),
        "repeated_trials": sum(len(its) - len(unlike[name]) for name, its in found.items()),
        "one_answer": answers[0]["best"] == answers[1]["best"],
    }


def main(kills: int) -> None:
    """Kill, go on, compare, and print what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        found = {"alone": alone(kills, root), **{kind: shared(kind, 4, root) for kind in ("journal", "sqlite")}}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
