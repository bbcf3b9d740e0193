"""What the answer of a report says where something is tied, missing, rough, failed, or known beforehand."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.leaderboard import document
from benchmarks.records import WeightsRecord
from benchmarks.report import figures
from benchmarks.report.answer import answer
from benchmarks.report.command_line import command_line
from benchmarks.report.contents import Report, report
from benchmarks.report.facts import Facts, place
from benchmarks.report.markdown import markdown
from benchmarks.report.page import page
from benchmarks.report.ties import Pair, of_leader, pairs
from benchmarks.report.written import rows_json
from benchmarks.rows import commercial
from benchmarks.statistics.slices import Slice, Slices
from benchmarks.store import RunStore, write_whole
from pipelines.errors import UsageError
from tests.benchmarks.reporting import Seen, made_dataset, made_run, square

MASKS = {"good": [square(i % 8) for i in range(12)], "fair": [square(i % 8 + 2 + i % 3) for i in range(12)],
         "poor": [square(i % 8 + 5 + i % 3) for i in range(12)]}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    made_run(folder / "run", made_dataset(folder / "data"), MASKS)
    return folder


@pytest.fixture
def facts(base: Path) -> Facts:
    return report(base / "run", pictures=False).facts


def changed(facts: Facts, **rows: dict[str, object]) -> Facts:
    """The same run with other figures in some rows."""
    for one in facts.series:
        one.row = one.row.model_copy(update=rows.get(one.label, {}))
    return facts


def pair(label: str, verdict: str = "better", **about: object) -> Pair:
    found = Pair("good", label, 0.1, (0.05, 0.2), 0.01, 12, verdict, "bca")  # type: ignore[arg-type]
    return replace(found, **about)  # type: ignore[arg-type]


def test_the_leader_is_compared_with_all_and_the_others_beyond_the_tenth_with_none(
    facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.report.ties.MOST", 2)
    found = pairs(facts.judged, 0)
    assert [(one.first, one.label) for one in found] == [("good", "fair"), ("good", "poor")]
    assert of_leader(found, "fair") == () == of_leader((), None)


def test_a_lead_whose_interval_holds_0_is_not_called_real(facts: Facts) -> None:
    said = answer(facts, [pair("fair", "tie", ci=(-0.01, 0.2), method="exact"), pair("poor")])
    assert "fair cannot be told apart from it" in said.headline
    assert not any("is real" in line or "further behind" in line for line in said.reasons)
    assert any("\N{MINUS SIGN}0.010 to +0.200 by the exact bound" in line for line in said.reasons)
    sure = answer(facts, [pair("fair"), pair("poor")])
    assert any("fair is real: +0.100 on the same images (+0.050 to +0.200, p 0.010)." in line for line in sure.reasons)
    assert "poor is further behind." in sure.reasons


def test_what_cannot_be_compared_is_not_taken_for_what_could_not_be_judged(facts: Facts) -> None:
    said = answer(facts, [])
    assert said.headline.endswith("but cannot be compared with fair and poor.")
    assert any("the difference is not defined on them" in line for line in said.reasons)
    for one in facts.series[1:]:
        one.ids = [f"other {name}" for name in one.ids]
        vars(one).pop("by_id")
    assert any("no image was judged for both" in line for line in answer(facts, pairs(facts.judged, 0)).reasons)


def test_who_knew_the_answer_does_not_lead_where_another_can(base: Path, tmp_path: Path) -> None:
    knowing = {"oracle": True}
    found = report(made_run(tmp_path / "r", base / "data", MASKS, settings={"good": knowing}))
    assert found.answer.leader == "fair" and "is the best of 2 pipelines" in found.answer.headline
    assert any("good took points or boxes from the true masks" in line for line in found.answer.cautions)
    said = Seen(page(found)).said
    assert "Worst images of fair" in said and "Best mean IoU first, after them those that knew" in said
    assert "Nothing here is both faster and better than fair" in said, "it is not on the front either"
    timed = found.facts.series[2].row.model_copy(update={"miou": None, "latency_ms": {"p50": 1.0}})
    found.facts.series[2].row = timed
    assert sorted(found.facts.series, key=place)[2].row is timed, "without a quality it stands by its speed"
    alone = report(made_run(tmp_path / "s", base / "data", MASKS, settings=dict.fromkeys(MASKS, knowing)))
    assert alone.answer.leader == "good"
    assert any("taken from the target masks" in line for line in alone.answer.cautions)


def test_failed_images_of_the_leader_are_told_in_every_file(base: Path, tmp_path: Path) -> None:
    masks = {**MASKS, "good": [*MASKS["good"][:11], None]}
    found = report(made_run(tmp_path / "r", base / "data", masks))
    assert found.answer.leader == "good"
    assert "good: 1 of 12 images failed and count as 0." in found.answer.cautions
    assert "1 of 12 images failed and count as 0. (good)" in Seen(page(found)).said
    assert "1 of 12 images failed and count as 0. (good)" in markdown(found)


def test_times_are_as_exact_as_they_are(facts: Facts) -> None:
    def timed(ms: float, *flags: str) -> dict[str, object]:
        return {"latency_ms": {"p50": ms}, "flags": flags}

    tied = [pair("fair", "tie"), pair("poor")]
    close = changed(facts, good=timed(10.3), fair=timed(10), poor=timed(10.2))
    assert not any("instead of" in line for line in answer(close, tied).reasons)
    assert [row.label for row in figures.fastest(close.rows)] == ["fair", "poor", "good"]
    rough = answer(changed(facts, good=timed(123.4, "unstable"), fair=timed(98.76), poor=timed(1, "disturbed")), tied)
    assert any("takes 98.8 ms instead of about 120 ms an image" in line for line in rough.reasons)
    assert any(line.startswith("Times of good: ") for line in rough.cautions)
    assert any(line.startswith("Times of poor: others used the machine") for line in rough.cautions)


def test_the_front_claims_no_gain_that_the_images_do_not_show(base: Path) -> None:
    found = report(base / "run", pictures=False)
    times = {"good": 30.0, "fair": 20.0, "poor": 10.0}
    changed(found.facts, **{label: {"latency_ms": {"p50": ms}} for label, ms in times.items()})
    assert "No gain is shown" not in Seen(page(found)).said
    tied = replace(found, pairs=(pair("fair", "tie"), pair("poor")))
    said = "No gain is shown by these images where good is not told apart from fair, which is faster."
    assert said in Seen(page(tied)).said


def test_memory_on_a_device_is_the_figure_that_limits_are_held_to(facts: Facts) -> None:
    peak = {"host": 900.0, "device": 500.0, "reserved": 600.0, "driver": 1400.0}
    row = changed(facts, good={"device": "cuda", "peak_memory_mb": peak}).rows[0]
    assert figures.memory(row) == "900 MB + 1.4 GB on the device"
    assert figures.device_mb(row.model_copy(update={"device": "cpu"})) is None


def test_commercial_use_is_not_known_of_what_did_not_run(facts: Facts) -> None:
    row, weights = facts.rows[0], WeightsRecord(repo="a/b", revision=None, licence="MIT", commercial=True)
    assert commercial(row) == "yes" and figures.commercial(row) == "no weights"
    unclear = weights.model_copy(update={"commercial": None})
    assert commercial(row.model_copy(update={"weights": (weights, unclear)})) == "unclear"
    gone = row.model_copy(update={"status": "unavailable"})
    assert commercial(gone) is None and figures.commercial(gone) == figures.NOTHING


def test_a_part_of_lower_value_than_the_surely_weak_one_is_named_too(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = Slice("tag:place", "stone", 0.4, (0.3, 0.5), 9, 9, True)
    low = Slice("tag:place", "cloth", 0.2, None, 1, 1, True)
    monkeypatch.setattr("benchmarks.report.parts.slices", lambda *_, **__: Slices("miou", (weak, low), weak, low))
    found = report(base / "run", pictures=False)
    told = ("is surely weak where place is stone: mIoU 0.400 (0.300 to 0.500) on 9 images",
            "has its lowest value, which may be chance, where place is cloth: mIoU 0.200 (no interval) on 1 image")  # fmt: skip
    assert [f"It {one}." for one in told] == [line for line in found.answer.reasons if "place" in line]
    said = Seen(page(found)).said
    assert f"good {told[0]} and {told[1]}." in said
    assert "0.400 surely weak" in said and "0.200 lowest no interval" in said


def test_an_unfinished_run_says_so_first(base: Path, tmp_path: Path) -> None:
    folder = made_run(tmp_path / "r", base / "data", MASKS)
    store = RunStore(folder)
    assert not report(folder, pictures=False).facts.unfinished
    store.timing_path(store.manifest().configurations[1].id).unlink()
    found = report(folder, pictures=False)
    assert found.answer.headline.startswith("Unfinished run: good is the best of 2 pipelines")
    assert any("The run did not finish: fair still has to be measured" in line for line in found.answer.cautions)


def test_a_summary_whose_records_are_gone_is_refused(base: Path, tmp_path: Path) -> None:
    folder = made_run(tmp_path / "r", base / "data", MASKS)
    store, rows = RunStore(folder), report(folder, pictures=False).facts.rows
    write_whole(folder / "summary.json", json.dumps(document(store.manifest(), rows)))
    store.records_path(store.manifest().configurations[0].id).unlink()
    with pytest.raises(UsageError, match="records of .* are gone"):
        report(folder, pictures=False)


def test_what_is_shared_tells_no_folders_of_this_machine(base: Path, tmp_path: Path) -> None:
    weights = {"weights_from": str(tmp_path / "my weights")}
    gone = {"gone": f"{tmp_path / 'my weights' / 'a' / 'b.safetensors'} is missing. Fetch it."}
    folder = made_run(tmp_path / "r", base / "data", MASKS, settings=dict.fromkeys(MASKS, weights), gone=gone)
    found: Report = report(folder)
    for shared in (page(found), markdown(found)):
        assert str(tmp_path) not in shared and str(base) not in shared
        assert "--dataset data" in shared
    assert json.loads(rows_json(found))["command"] == command_line(found.facts.manifest)
    assert str(base / "data") in command_line(found.facts.manifest)


def test_runs_are_all_read_before_any_is_written_and_of_a_folder_the_newest_is_taken(
    base: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "benchmarks.report", str(base), "--format", "md", "--out", str(tmp_path / "o")]
    done = subprocess.run([*command, str(tmp_path / "nope")], capture_output=True, text=True)
    assert done.returncode == 2 and not (tmp_path / "o").exists()
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "the newest, run, is taken" in made.stdout and (tmp_path / "o" / "report.md").is_file()
