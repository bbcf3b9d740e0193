"""The leaderboard without a browser: which runs are found, which rows are ranked, and that every figure is the report's."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.compare.__main__ import app as compare_command
from benchmarks.metrics import METRICS
from benchmarks.recommend import advice as advice_in_words
from benchmarks.recommend import choice, grounds
from benchmarks.recommend.__main__ import app as recommend_command
from benchmarks.report import cautions, figures
from benchmarks.report.__main__ import app as report_command
from benchmarks.report.facts import read as report_facts
from benchmarks.rows import Row
from pipelines.errors import UsageError
from tests.benchmarks.reporting import Seen
from tests.workbench.boarding import NASTY, folder_of_runs, touched
from workbench.boards import advice, chart, closer, pair, stored, table
from workbench.boards.chart import records
from workbench.boards.stored import Boards, Entry, Found, Run
from workbench.boards.table import ANY, COLUMNS, Wanted

ALL = tuple(COLUMNS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_runs(tmp_path_factory.mktemp("boards"))


@pytest.fixture
def found(runs: Path, tmp_path: Path) -> Found:
    return Boards(runs, reference=tmp_path).look("me")


def run_of(found: Found, name: str) -> Run:
    return next(run for run in found.runs if run.folder.name == name)


def entries(found: Found, *names: str) -> list[Entry]:
    return table.ranked([entry for name in names for entry in run_of(found, name).entries])


def labelled(found: Found, name: str, label: str) -> Entry:
    return next(entry for entry in run_of(found, name).entries if entry.row.label == label)


def cells(markup: str) -> list[list[str]]:
    """Texts of a table, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", markup, re.DOTALL)
    return [[Seen(cell).said for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]


def test_finished_runs_are_found_and_others_say_why_they_are_not_shown(found: Found) -> None:
    assert {run.folder.name for run in found.runs} == {"aaa111", "bbb222", "ccc333", "ddd444"}
    why = {one.id.rsplit("-", 1)[-1]: one.reason for one in found.refused}
    assert "1 of 2 pipelines are measured" in why["eee555"] and "not finished" in why["eee555"]
    assert "not a manifest" in why["fff666"]


def test_a_run_that_is_gone_on_with_is_not_final(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "ccc333", tmp_path / "ccc333")
    summary, records = tmp_path / "ccc333" / "summary.json", tmp_path / "ccc333" / "00-x" / "samples.jsonl"
    board = Boards(tmp_path, reference=tmp_path / "none", trust_s=0)
    os.utime(summary, ns=(10**18, 10**18))
    os.utime(records, ns=(10**18 - 1, 10**18 - 1))
    assert len(board.look("me").runs) == 1
    os.utime(records, ns=(10**18 + 1, 10**18 + 1))
    (late,) = board.look("me").refused
    assert "older than its records" in late.reason and not board.look("me").runs
    (shipped,) = Boards(tmp_path / "none", reference=tmp_path).look("me").runs
    assert "Ship lone." in advice.advised(shipped, advice.limits(0, 0, 0, False)), "a package has no true times"
    assert "Worst images of lone" in closer.closer(shipped.entries[0])


def test_nothing_is_read_twice_and_what_changed_is(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copytree(runs, tmp_path / "runs")
    board, read = Boards(copy, reference=tmp_path / "none", trust_s=0), []
    original = stored.read
    monkeypatch.setattr(stored, "read", lambda folder, origin: read.append(folder.name) or original(folder, origin))
    board.look("me")
    assert len(read) == 6
    board.look("you")
    assert len(read) == 6, "held by the identity of the files"
    touched(copy / "ccc333", created="2026-12-01T00:00:00+00:00")
    assert board.look("me").runs[0].folder.name == "ccc333" and read[6:] == ["ccc333"]
    shutil.rmtree(copy / "ccc333")
    assert len(board.look("me").runs) == 3


def test_a_run_is_trusted_for_a_moment_but_what_is_new_and_a_visitors_own_is_seen_at_once(
    runs: Path, tmp_path: Path
) -> None:
    shared, own = shutil.copytree(runs, tmp_path / "runs"), shutil.copytree(runs, tmp_path / "own")
    board = Boards(shared, own=lambda visitor: own, reference=tmp_path / "none", trust_s=60)
    board.look("me")
    for folder in (shared, own):
        touched(folder / "ccc333", created="2026-12-01T00:00:00+00:00")
    shutil.copytree(shared / "aaa111", shared / "new")
    found = board.look("me").runs
    newest = {run.origin: run.manifest.created for run in found if run.folder.name == "ccc333"}
    assert newest["yours"].startswith("2026-12") and not newest["folder"].startswith("2026-12")
    assert "new" in {run.folder.name for run in found}
    anew = {run.origin: run.manifest.created for run in board.look("me", anew=True).runs if run.folder.name == "ccc333"}
    assert anew["folder"].startswith("2026-12")


def test_a_run_that_is_finished_meanwhile_is_seen_at_once(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "ccc333", tmp_path / "ccc333")
    summary = (tmp_path / "ccc333" / "summary.json").rename(tmp_path / "kept")
    board = Boards(tmp_path, reference=tmp_path / "none", trust_s=60)
    assert [one.id[-6:] for one in board.look("me").refused] == ["ccc333"]
    summary.rename(tmp_path / "ccc333" / "summary.json")
    assert [run.folder.name for run in board.look("me").runs] == ["ccc333"]


@pytest.mark.parametrize("name", ["../data", "/etc/passwd", "folder-000000-aaa111", "", None, "folder-%2e%2e"])
def test_only_what_is_listed_can_be_named(found: Found, name: str | None) -> None:
    with pytest.raises(UsageError, match="no finished run"):
        found.run(name)
    with pytest.raises(UsageError, match="no such row"):
        found.entry(name)


def test_no_way_leads_out_of_the_folder(runs: Path, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(runs / "aaa111")
    shutil.copytree(runs / "ccc333", inside / "records")
    shutil.move(inside / "records" / "00-x", tmp_path / "elsewhere")
    (inside / "records" / "00-x").symlink_to(tmp_path / "elsewhere")
    shutil.copytree(runs / "ccc333", inside / "named")
    text = (inside / "named" / "manifest.json").read_text().replace('"id":"00-x"', '"id":"../records/00-x"')
    (inside / "named" / "manifest.json").write_text(text)
    found = Boards(inside, reference=tmp_path / "none").look("me")
    why = {one.id.rsplit("-", 1)[-1]: one.reason for one in found.refused}
    assert not found.runs and set(why) == {"link", "records", "named"}
    assert "link to another place" in why["link"] and all("outside the run" in why[n] for n in ("records", "named"))


def test_a_visitor_sees_their_own_runs_and_nobody_elses(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "ccc333", tmp_path / "ada" / "ccc333")
    board = Boards(tmp_path / "none", own=lambda visitor: tmp_path / visitor, reference=tmp_path / "none")
    (run,) = board.look("ada").runs
    assert run.origin == "yours" and not board.look("bob").runs
    with pytest.raises(UsageError):
        board.look("bob").run(run.id)
    near = closer.closer(run.entries[0])
    assert "?tab=" not in near and "It has no link" in near, "a new page is another visitor, and may not open it"


def test_what_is_too_much_is_counted_and_not_read(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "MOST_RUNS", 2)
    board = Boards(runs, reference=tmp_path)
    found = board.look("me")
    assert found.left_out == 4 and len(found.runs) + len(found.refused) == 2
    monkeypatch.setattr(stored, "MOST_BYTES", 100)
    reasons = [one.reason for one in Boards(runs, reference=tmp_path).look("me").refused]
    assert any("more than 0 MB" in reason for reason in reasons)


def test_rows_are_ranked_on_the_same_images_alone_and_as_the_report_ranks_them(found: Found, runs: Path) -> None:
    assert sorted(len(some) for some in stored.datasets(found.runs).values()) == [1, 3]
    ours = [entry.row.label for entry in entries(found, "aaa111")]
    assert ours == [one.label for one in report_facts(runs / "aaa111").series]
    assert ours[-1] == "away" and ours[0] == "good"
    worst_first = table.ranked(run_of(found, "aaa111").entries, "miss_rate")
    values = [table.value_of(entry, "miss_rate") for entry in worst_first]
    assert values[:4] == sorted(value for value in values if value is not None), "lower is better"


def test_filters(found: Found) -> None:
    rows = entries(found, "aaa111", "bbb222", "ddd444")

    def left(**said: object) -> set[str]:
        return {entry.row.label for entry in rows if table.fits(entry, replace(Wanted(), **said))}  # type: ignore[arg-type]

    assert left() == {"good", "near", "far", "half", "away", "dice", NASTY}
    assert left(search="GOOD AAA111") == {"good"} and left(search="nc-4.0") == {"far"}
    assert left(device="cuda") == set() and "far" not in left(use="yes") and "near" in left(use="yes")
    assert left(use="not no") == left(use="yes"), "nothing unclear here, and what did not run says nothing"
    assert left(size_mb=5) == left() - {"near", "far", "dice"}, "weights of unknown size pass no limit"


def test_a_row_is_put_into_words_once_for_all_searches(found: Found) -> None:
    row = labelled(found, "aaa111", "good")
    assert table.fits(row, Wanted(search="good " * 50)) and not table.fits(row, Wanted(search="good bad"))
    assert row.text is row.text and "aaa111" in row.text


@pytest.mark.parametrize("sort", list(table.SORTS))
def test_sorting_keeps_every_row_and_puts_what_was_not_measured_last(found: Found, sort: str) -> None:
    rows = entries(found, "aaa111", "ddd444")
    done = table.order(rows, sort)
    assert {entry.id for entry in done} == {entry.id for entry in rows}
    if sort in ("p50", "memory"):
        assert done[-1].row.label == "away"
    if sort == "label":
        assert [entry.row.label for entry in done] == ["away", "dice", "far", "good", "half", "near"]


def test_what_was_not_measured_says_so_and_is_never_nought(found: Found) -> None:
    rows = entries(found, "aaa111", "ddd444")
    drawn = table.drawn(rows, rows, Wanted(columns=ALL, most=50), {})
    by_label = {line[0].split(". ")[-1]: dict(zip(ALL, line[1:], strict=True)) for line in cells(drawn)[1:]}
    assert by_label["dice"]["quality"] == "not measured: random weights"
    assert by_label["dice"]["how"].startswith("Random weights: quality is not measured.")
    assert by_label["dice"]["p50"] == figures.latency(labelled(found, "ddd444", "dice").row)
    assert by_label["away"]["quality"] == "unavailable: not measured" and by_label["away"]["memory"] == "not measured"
    assert by_label["away"]["how"] == "no weights here" and by_label["away"]["commercial"] == "did not run"
    assert by_label["near"]["size"] == "not known" and by_label["good"]["size"] == "no weights"
    assert by_label["good"]["p95"] == "too few calls" and "10 ms" not in by_label["good"]["p95"]
    assert by_label["half"]["errors"] == "1 of 12" and by_label["near"]["commercial"] == "yes"


def test_quality_by_every_metric_and_differences_are_those_of_the_report(
    found: Found, runs: Path, tmp_path: Path
) -> None:
    CliRunner().invoke(report_command, [str(runs / "aaa111"), "--format", "json", "--out", str(tmp_path), "--quiet"])
    told = json.loads((tmp_path / "report.json").read_text())
    rows = {row["label"]: row for row in told["rows"]}
    mine = entries(found, "aaa111")
    against = {pair["label"]: pair for pair in told["pairs"] if pair["first"] == told["answer"]["leader"]}
    pairs = chart.against_best(mine, chart.Ties().tell(mine))
    for metric in METRICS:
        lines = cells(table.drawn(mine, mine, Wanted(metric=metric, columns=ALL, most=50), pairs))[1:]
        for line in lines:
            label = line[0].split(". ")[-1].split(" knew")[0]
            shown, row = dict(zip(ALL, line[1:], strict=True)), rows[label]
            value = (row["metrics"].get(metric) or {"value": None})["value"]
            if value is None:
                assert shown["quality"].startswith(("not ", "unavailable")), (label, metric, shown["quality"])
            else:
                ends = row["metrics"][metric]["ci"]
                said = figures.interval(ends) if ends else "no interval: too few groups"
                assert shown["quality"] == f"{value:.3f} {said}"
            if label in against:
                pair = against[label]
                assert shown["against"].startswith(figures.signed(0.0 - pair["difference"]))
                assert (", tie" in shown["against"]) is (pair["verdict"] == "tie")


UNITS = {"ms": 1.0, "s": 1000.0, "MB": 1.0, "GB": 1000.0}


def quantities(text: str) -> list[Any]:
    """What a cell says, in ms or MB; three of its digits count."""
    said = re.findall(r"([\d.]+) (ms|s|MB|GB)\b", text)
    return [pytest.approx(float(number) * UNITS[unit], rel=0.006) for number, unit in said]


def measured(runs: Path, to: Path) -> tuple[list[Entry], dict[str, dict[str, Any]]]:
    """A run of which no two figures are alike, and what its report says of each row."""
    shutil.copytree(runs / "aaa111", to / "runs" / "aaa111")
    summary = to / "runs" / "aaa111" / "summary.json"
    told = json.loads(summary.read_text())
    for place, row in enumerate(row for row in told["rows"] if row["status"] == "ok"):
        of = 1 + place / 7
        row["latency_ms"] |= {"p50": 11.0 * of, "p95": 17.0 * of}
        row["latency_ci"]["p50"] = [10.5 * of, 12.5 * of]
        row["throughput_ips"] |= {"value": 23.0 * of, "batch_size": 2 + place}
        row["peak_memory_mb"] = {"host": 731.0 * of, "device": 531.0 * of, "reserved": 631.0 * of}
        row |= {"size_mb": 347.0 * of, "load_s": 1.9 * of, "first_ms": 29.0 * of, "latency_calls": 31 + place,
                "dtype": ("float32", "bfloat16", None)[place % 3], "device": ("cpu", "cuda")[place % 2]}  # fmt: skip
    summary.write_text(json.dumps(told))
    at = str(summary.parent)
    CliRunner().invoke(report_command, [at, "--format", "json", "--out", str(to), "--quiet"])
    said = json.loads((to / "report.json").read_text())["rows"]
    return entries(Boards(to / "runs", reference=to / "none").look("me"), "aaa111"), {one["label"]: one for one in said}


def test_every_column_says_what_the_report_says(runs: Path, tmp_path: Path) -> None:
    mine, told = measured(runs, tmp_path)
    lines = cells(table.drawn(mine, mine, Wanted(columns=ALL, most=50), {}))[1:]
    by_label = {line[0].split(". ")[-1]: dict(zip(ALL, line[1:], strict=True)) for line in lines}
    ran = {label: row for label, row in told.items() if row["status"] == "ok"}
    assert set(by_label) == set(told) and len(ran) == 4
    for label, row in ran.items():
        shown, memory = by_label[label], row["peak_memory_mb"]
        assert quantities(shown["p50"]) == [row["latency_ms"]["p50"]]
        assert quantities(shown["p95"]) == [row["latency_ms"]["p95"]]
        rate, batch = re.fullmatch(r"([\d.]+) \(batch (\d+)\)", shown["throughput"]).groups()  # type: ignore[union-attr]
        assert float(rate) == pytest.approx(row["throughput_ips"]["value"], rel=0.006)
        assert int(batch) == row["throughput_ips"]["batch_size"]
        peaks = (
            [memory["host"], max(memory["device"], memory["reserved"])] if row["device"] == "cuda" else [memory["host"]]
        )
        assert quantities(shown["memory"]) == peaks, "on a GPU that of the device as well"
        assert quantities(shown["size"]) == ([row["size_mb"]])
        assert quantities(shown["load"]) == [row["load_s"] * 1000] and quantities(shown["first"]) == [row["first_ms"]]
        assert shown["errors"] == f"{row['errors']} of {row['n']}" and shown["dtype"] == (row["dtype"] or "no network")
        assert shown["device"].split()[0] == row["device"] and f"{row['latency_calls']} timed calls" in shown["how"]
        weights = row["weights"]
        assert shown["licence"] == (" ".join(f"{one['licence']} {one['repo']}" for one in weights) or "no weights")
        allowed = {True: "yes", False: "no"}[all(one["commercial"] for one in weights)] if weights else "no weights"
        assert shown["commercial"] == allowed and shown["run"] == "2026-11-21 aaa111, of this machine"
        flags = cautions.flags(Row.model_validate(row))
        assert len(shown["notes"].split(", ")) == len(flags) > 0
    assert set(ALL) == {"quality", "against", "p50", "p95", "throughput", "memory", "size", "licence", "commercial",
                        "device", "notes", "run", "how", "dtype", "load", "first", "errors"}  # fmt: skip


def test_points_of_the_picture_lie_where_the_report_says(runs: Path, tmp_path: Path) -> None:
    mine, told = measured(runs, tmp_path)
    drawn = chart.trade_off(mine, mine, ())
    marks = re.findall(r"<g><title>(([^<]*): mIoU [^<]*)</title>.*?M([\d.]+) ([\d.]+)H([\d.]+)M", drawn, re.DOTALL)
    seen = []
    for said, label, low, y, high in marks:
        row = told[label]
        ends = " to ".join(f"{end:.3f}" for end in row["miou_ci"]) if row["miou_ci"] else figures.NOTHING
        assert said.startswith(f"{label}: mIoU {row['miou']:.3f} ({ends}), ")
        assert quantities(said) == [row["latency_ms"]["p50"]]
        seen.append((float(low), float(high), float(y), *row["latency_ci"]["p50"], row["miou"]))
    assert len(seen) == 4
    about = np.corrcoef(np.array(seen).T)
    assert (about[0, 3], about[1, 4], about[2, 5]) == pytest.approx((1, 1, -1), abs=1e-4), "level scales, better is up"


def test_every_field_of_a_row_is_that_of_the_report(found: Found, runs: Path, tmp_path: Path) -> None:
    for name in ("aaa111", "bbb222", "ddd444"):
        CliRunner().invoke(report_command, [str(runs / name), "--format", "json", "--out", str(tmp_path), "--quiet"])
        for row in json.loads((tmp_path / "report.json").read_text())["rows"]:
            shown = dict(closer.fields(labelled(found, name, row["label"])))
            expected = dict(closer.flat(row))
            assert list(shown) == list(expected)
            for field, value in expected.items():
                if value is None:
                    assert shown[field] == "not measured or not defined"
                else:
                    assert json.loads(shown[field]) == value, field


def test_names_are_text_wherever_they_stand(found: Found) -> None:
    entry = labelled(found, "bbb222", NASTY)
    rows = entries(found, "aaa111", "bbb222")
    shown = [table.drawn(rows, rows, Wanted(columns=ALL), {}), closer.closer(entry),
             chart.trade_off(rows, rows, ()), advice.advised(entry.run, advice.limits(0, 0, 0, False)),
             pair.compared(entry, rows[0])]  # fmt: skip
    for text in shown:
        seen = Seen(text)
        assert "img" not in seen.tags or not seen.values("img", "onerror")
        assert all(value.startswith("data:image/") for value in seen.values("img", "src"))
        assert not [name for _, name, _ in seen.attributes if name.startswith("on")]


def test_ties_are_those_of_the_report_and_are_worked_out_once(
    found: Found, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.report.contents import report

    mine, ties = entries(found, "aaa111"), chart.Ties()
    assert ties.known(mine) is None
    pairs = ties.tell(mine)
    assert pairs == report(runs / "aaa111", pictures=False).pairs and len(pairs) == 6
    monkeypatch.setattr(chart, "records", lambda entry: pytest.fail("read again"))
    assert ties.tell(mine) is pairs is ties.known(mine)
    best = chart.against_best(mine, pairs)
    assert best[mine[0].id] is None and len(best) == 4


def test_rows_of_several_runs_are_compared_with_each_other(found: Found) -> None:
    mine = entries(found, "aaa111", "bbb222")
    names = list(chart.labels(mine).values())
    assert len(set(names)) == len(names) and {"good (aaa111)", "good (bbb222)"} <= set(names)
    best = chart.against_best(mine, chart.Ties().tell(mine))
    same = {entry.id: best[entry.id] for entry in mine if entry.row.label in ("near", "good")}
    near, other = (labelled(found, run, label).id for run, label in (("aaa111", "near"), ("bbb222", "good")))
    assert same[near] and same[other] and same[near].difference == same[other].difference, "they have the same masks"


def test_too_many_records_are_not_read_unasked(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = entries(found, "aaa111", "bbb222")
    monkeypatch.setattr(chart, "MOST_TOLD", 3)
    monkeypatch.setattr(chart, "MOST", 2)
    assert chart.contenders(mine) == mine[:2]
    monkeypatch.setattr(chart, "MOST_RECORDS", 23)
    assert chart.contenders(mine) == [] and chart.Ties().tell(mine) == ()
    assert "not compared" in table.drawn(mine, mine, Wanted(), {})


def test_the_picture_has_a_mark_for_each_and_says_who_is_not_in_it(found: Found) -> None:
    mine = entries(found, "aaa111", "ddd444")
    drawn = chart.trade_off(mine, mine, ())
    seen = Seen(drawn)
    assert seen.values("svg", "role") == ["img"] and seen.tags.count("title") == 5, "one of the picture, four of marks"
    assert "not measured: random weights: dice" in seen.said and "unavailable: not measured: away" in seen.said
    few = chart.trade_off(mine, [entry for entry in mine if entry.row.label in ("good", "dice")], ())
    assert "a picture needs two" in few and "<svg" not in few
    assert "No row passes" in chart.trade_off(mine, [], ())


def test_times_of_several_machines_are_not_taken_for_those_of_pipelines(
    found: Found, runs: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(runs, tmp_path / "runs")
    touched(copy / "bbb222", environment={"cpu": "another", "cores": 2})
    mine = entries(Boards(copy, reference=tmp_path / "none").look("me"), "aaa111", "bbb222")
    assert "several machines" in chart.trade_off(mine, mine, ())
    assert "several machines" not in chart.trade_off(mine, mine[:1], ())


def test_a_row_from_near_shows_its_worst_images_and_what_failed(found: Found) -> None:
    shown = Seen(closer.closer(labelled(found, "aaa111", "half")))
    assert "Worst images of half" in shown.said and "Best images of half" in shown.said
    assert "RuntimeError: dark" in shown.said and "1 of 12 images" in shown.said
    assert len(shown.values("img", "src")) >= 12 and all(shown.values("img", "alt"))
    (link,) = (href for href in shown.values("a", "href") if href.startswith("?tab"))
    assert link == f"?tab=leaderboard&run={labelled(found, 'aaa111', 'half').run.id}"
    assert "python -m benchmarks.run" in shown.said
    gone = Seen(closer.closer(labelled(found, "aaa111", "away")))
    assert "no weights here" in gone.said and "img" not in gone.tags
    random = Seen(closer.closer(labelled(found, "ddd444", "dice")))
    assert "masks that mean anything" in random.said


def test_pictures_of_the_hub_and_of_huge_datasets_are_left_alone(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = labelled(found, "aaa111", "good")
    manifest = entry.run.manifest
    hub = manifest.model_copy(update={"dataset": manifest.dataset.model_copy(update={"spec": "hf:owner/name"})})
    monkeypatch.setattr(closer, "open_again", lambda facts: pytest.fail("opened"))
    said = closer.closer(replace(entry, run=replace(entry.run, manifest=hub)))
    assert "this page fetches nothing" in said
    monkeypatch.setattr(closer, "MOST_IMAGES", 5)
    assert "more than 5 images" in closer.closer(entry)


def test_every_image_stands_in_the_table_and_in_the_file(found: Found) -> None:
    a, b = (records(labelled(found, "aaa111", name)) for name in ("near", "far"))
    shown = pair.every(a, b)
    gaps = {name: iou - b.by_id[name] for name, iou in a.by_id.items()}
    lines = cells(shown)[1:]
    assert [line[0] for line in lines] == sorted(gaps, key=lambda name: (gaps[name], name)) and len(lines) == 12
    assert lines[0][3] == figures.signed(gaps[lines[0][0]])
    (data,) = re.findall(r'href="data:text/csv;charset=utf-8,([^"]+)"', shown)
    kept = list(csv.DictReader(StringIO(unquote(data))))
    assert {one["image"]: float(one["a_minus_b"]) for one in kept} == {n: round(gap, 6) for n, gap in gaps.items()}


def test_no_folder_of_this_machine_is_told(found: Found, runs: Path) -> None:
    entry = labelled(found, "aaa111", "half")
    for text in (closer.closer(entry), pair.compared(entry, labelled(found, "bbb222", "good"))):
        assert str(runs.parent) not in text
    away = labelled(found, "aaa111", "away")
    with pytest.raises(UsageError) as refused:
        pair.compared(away, entry)
    assert str(runs.parent) not in str(refused.value) and "no weights here" in str(refused.value)


def test_two_rows_say_what_the_command_says(found: Found, runs: Path) -> None:
    a, b = labelled(found, "aaa111", "near"), labelled(found, "aaa111", "far")
    told = json.loads(
        CliRunner().invoke(compare_command, ["near", "far", "--run", str(runs / "aaa111"), "--json"]).stdout
    )
    shown = pair.compared(a, b)
    lines = {line[0]: line for line in cells(shown)[1:]}
    for name, one in told["differences"].items():
        if one["value"] is not None:
            ends = f"{figures.signed(one['ci'][0])} to {figures.signed(one['ci'][1])}"
            assert lines[name][1:4] == [figures.score(one["a"]), figures.score(one["b"]), figures.signed(one["value"])]
            assert lines[name][4].startswith(ends) and lines[name][5] == figures.chance(one["p"])
            assert lines[name][6] == {"tie": "a tie"}.get(one["verdict"], one["verdict"])
    assert lines["latency, A / B"][3] == f"× {told['latency_ratio']['value']:.3g}"
    assert "Where A is better by most" in shown and "Where B is better by most" not in shown


def test_rows_that_cannot_be_compared_say_why(found: Found) -> None:
    good = labelled(found, "aaa111", "good")
    for other, why in ((good, "the same row"), (labelled(found, "ccc333", "lone"), "different images")):
        with pytest.raises(UsageError, match=why):
            pair.compared(good, other)
    random = pair.compared(good, labelled(found, "ddd444", "dice"))
    assert "weights are random" in random and "No image tells the two apart" in random


@pytest.mark.parametrize("asked", [{}, {"latency_ms": 12.0}, {"miou": 0.99}, {"memory_mb": 1.0}, {"commercial": True}])
def test_what_to_ship_is_what_the_command_says(found: Found, runs: Path, asked: dict[str, float | bool]) -> None:
    options = {"latency_ms": "--max-latency-ms", "miou": "--min-miou", "memory_mb": "--max-memory-mb"}
    line = [
        part
        for name, value in asked.items()
        for part in ((options[name], str(value)) if name in options else ("--commercial",))
    ]
    told = json.loads(CliRunner().invoke(recommend_command, [str(runs / "aaa111"), *line, "--json"]).stdout)
    run = run_of(found, "aaa111")
    limits = advice.limits(
        *(asked.get(name, 0) for name in ("latency_ms", "memory_mb", "miou")), bool(asked.get("commercial"))
    )
    assert advice.recommended(run, limits).model_dump(mode="json") == {
        key: told[key] for key in told if key not in ("schema_version", "run_id", "limits")
    }
    shown = Seen(advice.advised(run, limits)).said
    assert (f"Ship {told['choice']}." if told["choice"] else "Nothing fits.") in shown and told["why"] in shown
    assert all(f"{one['label']}: {one['reason']}" in shown for one in told["excluded"])


def test_no_option_of_a_command_is_told_to_who_has_a_form(found: Found) -> None:
    shown = Seen(advice.advised(run_of(found, "ddd444"), advice.limits(0, 0, 0, False))).said
    assert "with a limit on the latency the choice can be made by speed alone" in shown and "--" not in shown
    said = "".join(Path(module.__file__).read_text() for module in (advice_in_words, grounds, choice))
    options = set(re.findall(r"--[a-z-]+", said))
    assert options and not [one for one in options if "--" in advice.plain(f"With {one} it is so.")]


@pytest.mark.parametrize("said", [(-1.0, 0, 0), (0, float("inf"), 0), (0, 0, 1.5), (float("nan"), 0, 0)])
def test_limits_out_of_bounds_are_refused_in_words(said: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        advice.limits(*said, False)


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    advice._images.cache_clear()
    yield


def test_any_is_a_choice_of_every_filter() -> None:
    assert Wanted().device == Wanted().use == ANY
