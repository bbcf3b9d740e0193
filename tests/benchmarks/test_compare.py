"""The command compares two rows on the same images, judges gates, and refuses what cannot be compared."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import leaderboard
from benchmarks.command import run_command
from benchmarks.compare import __main__ as command
from benchmarks.compare.gates import judge, parse_gates
from benchmarks.compare.side import find_side
from benchmarks.metrics import METRICS
from benchmarks.records import Configuration, RunManifest, SampleRecord
from benchmarks.statistics.paired import Difference
from benchmarks.statistics.pairs import quality_pairs, verdict
from benchmarks.store import RecordWriter, RunStore, write_whole
from benchmarks.timing.record import Timing
from pipelines.errors import UnknownNameError, UsageError
from tests.benchmarks.pieces import manifest, record, timing

N = 60


def records(loss: int = 0, ms: float = 10, n: int = N, seed: int = 0, order: int = 1) -> list[SampleRecord]:
    chance = np.random.default_rng(seed)
    found = [max(0, int(chance.integers(5, 9)) - loss) for _ in range(n)]
    rows = [record(f"i{k}", found[k], 8).model_copy(update={"ms": {"latency": ms * chance.uniform(0.99, 1.01)}})
            for k in range(n)]  # fmt: skip
    return rows[::order]


def configuration(label: str, number: int) -> Configuration:
    return Configuration(id=f"{number:02d}", label=label, pipeline="x", preset="default", params={}, device="cpu")


def write_run(folder: Path, rows: dict[str, list[SampleRecord]], *, timings: dict[str, Timing | None] | None = None,
              **dataset: Any) -> Path:  # fmt: skip
    """A run of these rows, as the runner leaves it; what is to be unfinished has None for a timing."""
    made = manifest(*(configuration(label, n) for n, label in enumerate(rows)), n=N, n_groups=N)
    made = made.model_copy(update={"dataset": made.dataset.model_copy(update=dataset)})
    write_whole(folder / "manifest.json", made.model_dump_json())
    for number, (label, written) in enumerate(rows.items()):
        with RecordWriter(folder / f"{number:02d}" / "samples.jsonl") as writer:
            for one in written:
                writer.append(one)
        if measured := (timings or {}).get(label, timing()):
            write_whole(folder / f"{number:02d}" / "timing.json", measured.model_dump_json())
    return folder


def in_turns(ms: float, session: str = "s", windows: int = 12) -> Timing:
    chance, calls = np.random.default_rng(int(ms * 10)), 3 * N
    return timing().model_copy(update={
        "latency_ms": tuple((ms * np.exp(chance.normal(0, 0.02, calls))).tolist()),
        "latency_of": tuple(k % N for k in range(calls)),
        "latency_round": tuple(k * windows // calls + 1 for k in range(calls)),
        "samples": tuple(f"i{k}" for k in range(N)), "interleaved": True, "session": session,
    })  # fmt: skip


def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, Any, str]:
    """Exit code, JSON document and stderr."""
    monkeypatch.setattr(sys, "argv", ["compare", *map(str, arguments), "--json"])
    code = run_command(command.app)
    said = capfd.readouterr()
    return code, json.loads(said.out), said.err


def test_a_row_that_lost_quality_violates_the_gate(tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    run = write_run(tmp_path / "r", {"new": records(loss=1), "old": records(order=-1)})
    code, found, screen = call(monkeypatch, capfd, f"{run}:new", f"{run}:old", "--fail-if", "miou<-0.01")
    assert code == 1
    assert (found["a"], found["b"], found["n"]) == ("new", "old", N)
    miou = found["differences"]["miou"]
    assert miou["value"] == pytest.approx(miou["a"] - miou["b"]) and miou["value"] < -0.1
    assert miou["ci"][0] < miou["value"] < miou["ci"][1] < 0 and miou["p"] < 0.01 and miou["verdict"] == "worse"
    assert found["gates"][0] == {
        "gate": "miou<-0.01", "value": miou["value"], "ci": miou["ci"], "method": "exact", "limit": -0.01,
        "violated": True, "why": "beyond the limit, and the difference counts",
    }  # fmt: skip
    assert "VIOLATED" in screen
    code, found, _ = call(monkeypatch, capfd, "old", "new", "--run", run, "--fail-if", "miou<-0.01")
    assert code == 0 and found["differences"]["miou"]["verdict"] == "better"


def test_a_loss_that_may_be_chance_violates_nothing(tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    noisy = records(seed=5)
    run = write_run(tmp_path / "r", {"new": noisy, "old": records(seed=6)})
    code, found, _ = call(monkeypatch, capfd, "new", "old", "--run", run)
    gap = found["differences"]["miou"]
    assert gap["verdict"] == "tie" and gap["value"] != 0
    worse = ("new", "old") if gap["value"] < 0 else ("old", "new")
    code, found, _ = call(monkeypatch, capfd, *worse, "--run", run, "--fail-if", "miou<-0.000001")
    assert code == 0 and found["gates"][0]["why"] == "beyond the limit, but 60 groups cannot show it"


def test_times_are_compared_window_by_window(tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    rows = {"slow": records(), "fast": records()}
    run = write_run(tmp_path / "r", rows, timings={"slow": in_turns(12), "fast": in_turns(10)})
    code, found, _ = call(monkeypatch, capfd, "slow", "fast", "--run", run, "--fail-if", "latency_ratio>1.1")
    assert code == 1 and found["notes"] == []
    assert found["latency_ratio"]["value"] == pytest.approx(1.2, abs=0.02)
    assert found["latency_ratio"]["method"] == "two-way" and found["latency_ratio"]["verdict"] == "worse"
    assert found["differences"]["miou"]["value"] == 0 and found["differences"]["miou"]["verdict"] == "tie"


def test_two_runs_that_took_no_turns_allow_for_drift(tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    new = write_run(tmp_path / "new", {"x": records()}, timings={"x": in_turns(10.7, "one")})
    old = write_run(tmp_path / "old", {"x": records()}, timings={"x": in_turns(10, "two")})
    code, found, _ = call(monkeypatch, capfd, new, old, "--fail-if", "latency_ratio>1.05")
    assert code == 0 and found["latency_ratio"]["verdict"] == "tie"
    assert any("turns" in note for note in found["notes"])
    write_run(tmp_path / "new", {"x": records()}, timings={"x": in_turns(15, "one")})
    assert call(monkeypatch, capfd, new, old, "--fail-if", "latency_ratio>1.05")[0] == 1


def test_only_images_of_both_are_compared_and_it_is_said(tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    sides = {"a": records()[:50], "b": records()[10:]}
    runs = [write_run(tmp_path / name, {"x": rows}, n=len(rows)) for name, rows in sides.items()]
    _, found, _ = call(monkeypatch, capfd, *runs)
    assert found["n"] == 40 == found["differences"]["miou"]["n"]
    assert "40 images are in both; the first has 50, the second 50" in found["notes"]


def failing(row: SampleRecord) -> SampleRecord:
    return record(row.id, 0, 8, error="RuntimeError: it is dark")


@pytest.mark.parametrize(
    ("rows", "timed", "status", "said"),
    [
        (records()[:20], timing(), None, "new of r cannot be compared: it has records of 20 of 60 images"),
        (records(), None, None, "it did not finish"),
        (records(), timing(), "failed", "it is failed: It ran out of memory"),
        ([failing(one) for one in records()], timing(), None, "it failed on every image"),
    ],
    ids=["part", "unfinished", "crashed", "nothing but errors"],
)
def test_a_row_that_is_not_whole_passes_no_gate(
    rows: list[SampleRecord], timed: Timing | None, status: str | None, said: str, tmp_path: Path, monkeypatch: Any,
    capfd: Any,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    run = write_run(Path("r"), {"new": rows, "old": records()}, timings={"new": timed})
    if status:
        line = leaderboard.row(RunStore(run).manifest(), configuration("new", 0), rows, timed, "It ran out of memory.")
        write_whole(run / "summary.json", json.dumps({"rows": [line.model_dump(mode="json")]}))
    for sides in (("new", "old"), ("old", "new")):
        code, found, _ = call(monkeypatch, capfd, *sides, "--run", run, "--fail-if", "miou<-0.01")
        assert code == 2 and said in found["error"]["message"]


def test_of_a_folder_of_runs_the_newest_is_taken_and_it_is_said(tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    for name, created in (("first", "2026-01-01"), ("second", "2026-02-02")):
        run = write_run(tmp_path / "runs" / name, {"a": records(), "b": records()})
        about = RunStore(run).manifest().model_copy(update={"run_id": name, "created": created})
        write_whole(run / "manifest.json", about.model_dump_json())
    runs = tmp_path / "runs"
    for arguments in ((f"{runs}:a", f"{runs}:b"), ("a", "b", "--run", runs)):
        code, found, _ = call(monkeypatch, capfd, *arguments)
        assert code == 0 and found["runs"] == {"a": "second", "b": "second"}
        assert found["notes"][0] == f"{runs} holds runs: the newest, second, is taken"


def test_an_exact_bound_is_not_shown_as_an_interval(tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    rows = {name: [record(f"i{k}", found, 8) for k in range(N)] for name, found in (("a", 6), ("b", 4))}
    run = write_run(tmp_path / "r", rows)
    _, found, screen = call(monkeypatch, capfd, "a", "b", "--run", run, "--fail-if", "miou<0")
    miou = found["differences"]["miou"]
    assert (miou["method"], miou["verdict"], found["gates"][0]["method"]) == ("exact", "better", "exact")
    assert "* exact bound, no interval: no group differs otherwise" in screen
    assert next(line for line in screen.splitlines() if line.strip().startswith("miou")).split()[6] == "*"
    assert "…" not in screen


def test_other_images_are_refused(tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    ours = write_run(tmp_path / "a", {"x": records()})
    for number, dataset in enumerate(({"hash": "other"}, {"spec": "elsewhere", "hash": "other"})):
        theirs = write_run(tmp_path / f"b{number}", {"x": records()}, **dataset)
        code, found, _ = call(monkeypatch, capfd, ours, theirs)
        assert code == 2 and "different images" in found["error"]["message"]


def test_two_selections_of_a_dataset_are_compared_on_what_they_share(
    tmp_path: Path, monkeypatch: Any, capfd: Any
) -> None:
    from benchmarks.selection import select

    whole, part = (select("coins", None, limit, ()) for limit in (6, 3))
    runs = []
    for name, opened, limit in (("whole", whole, 6), ("part", part, 3)):
        rows = [record(sample.id, 5, 8) for sample in opened]
        runs.append(write_run(tmp_path / name, {"x": rows}, spec="coins", hash=opened.hash, n=limit, limit=limit))
    code, found, _ = call(monkeypatch, capfd, *runs)
    assert code == 0 and found["n"] == len({s.id for s in whole} & {s.id for s in part}) > 0


def test_what_names_no_row_is_refused(tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    run = write_run(tmp_path / "r:1", {"a:b=1": records(), "b": records(), "empty": []})
    assert find_side(f"{run}:a:b=1").configuration.label == "a:b=1"
    for words, message in ((f"{run}:c", "no row"), (str(run), "3 rows"), (f"{run}:empty", "0 of 60 images"),
                           (str(tmp_path / "nothing"), "names no row")):  # fmt: skip
        code, found, _ = call(monkeypatch, capfd, words, f"{run}:b")
        assert code == 2 and message in found["error"]["message"] and found["error"]["cure"]


def test_what_cannot_be_judged_does_not_pass(tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    bare = [one.model_copy(update={"components": None}) for one in records()]
    run = write_run(tmp_path / "r", {"a": bare, "b": bare})
    code, found, _ = call(monkeypatch, capfd, "a", "b", "--run", run)
    assert code == 0 and found["differences"]["miou"]["value"] is None and found["differences"]["miou"]["reason"]
    assert call(monkeypatch, capfd, "a", "b", "--run", run, "--fail-if", "miou<0")[0] == 2


def test_gates_are_read_as_they_are_written() -> None:
    first, second = parse_gates(["miou < -0.01, latency_ratio>1.1"], METRICS)
    assert (first.name, first.side, first.limit) == ("miou", "<", -0.01)
    assert (second.name, second.side, second.limit, second.even) == ("latency_ratio", ">", 1.1, 1.0)
    assert parse_gates(["success@0.5<-1e-2"], METRICS)[0].limit == -0.01
    for wrong in ("miou", "miou=1", "miou<", "", "miou<0.01", "latency_ratio>0.9", "miou<-0.01 and"):
        with pytest.raises(UsageError):
            parse_gates([wrong], METRICS)
    with pytest.raises(UnknownNameError, match="miou"):
        parse_gates(["mio<-0.01"], METRICS)


def test_a_gate_needs_an_interval_to_be_violated() -> None:
    gate = parse_gates(["miou<-0.01"], METRICS)[0]
    bare = Difference(-0.5, None, 1.0, 4, 1, True, "none", reason="one group")
    assert judge(gate, bare)["violated"] is False and "one group" in judge(gate, bare)["why"]
    for value, ci, violated in ((-0.02, (-0.03, -0.005), True), (-0.02, (-0.05, 0.01), False),
                                (-0.009, (-0.01, -0.001), False), (0.5, (0.4, 0.6), False)):  # fmt: skip
        assert judge(gate, Difference(value, ci, 0.01, 99, 99, False, "percentile"))["violated"] is violated
    by_interval_alone = Difference(-0.02, (-0.03, -0.005), 0.08, 9, 9, True, "bca")
    assert verdict(by_interval_alone) == "tie" and judge(gate, by_interval_alone)["violated"] is False
    assert judge(gate, by_interval_alone)["why"] == "beyond the limit, but 9 groups cannot show it"


def test_every_pair_of_a_run_is_told_apart_or_a_tie(tmp_path: Path) -> None:
    run = write_run(tmp_path / "r", {"a": records(), "b": records(), "c": records(loss=2)})
    store, made = RunStore(run), RunManifest.model_validate_json((run / "manifest.json").read_bytes())
    pairs = quality_pairs({one.label: (store, one.id) for one in made.configurations}, METRICS["miou"])
    assert {(one.first, one.second): one.verdict for one in pairs} == {
        ("a", "b"): "tie", ("a", "c"): "better", ("b", "c"): "better",
    }  # fmt: skip
    assert all(one.difference.p_holm is not None for one in pairs)
