"""Studies of datasets: what a visitor profiles and measures is what the commands give, and survives stops and kills."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from benchmarks.datasets import open_dataset
from benchmarks.profile.profiling import profile
from benchmarks.run_folder import MANIFEST
from benchmarks.selection import excluded_by
from pipelines.errors import ResourceError, UnknownNameError, UsageError, WorkbenchError
from tests.conftest import ROOT, photographed
from tests.workbench import acting
from tests.workbench.test_studies_intake import pairs, zipped
from workbench.catalogue import Place
from workbench.looks.process import CancelledError
from workbench.studies import commands, wording, work
from workbench.studies.commands import Allowed, plain
from workbench.studies.rules import Rules
from workbench.studies.served import path_of
from workbench.studies.store import Studies
from workbench.studies.study import LIST, Study, Wanted, proposed, suspected, write_list
from workbench.studies.turns import Line

SLOW = "acting:act=slow"
SHORT = Wanted(pipelines=("acting",), budget_s=0.2)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studies]:
    folder = tmp_path_factory.mktemp("studies")
    with pytest.MonkeyPatch.context() as patch:
        acting.installed(patch, folder)
        photographed(folder / "photos")
        made = Studies(folder / "all", Place(device="cpu"), {"photos": folder / "photos"}, ("acting", SLOW))
        yield made
        made.close()


@pytest.fixture(scope="module")
def profiled(studies: Studies) -> Study:
    found = studies.begin("first", "photos")
    studies.profile(found)
    done(found)
    return found


def done(found: Study, within_s: float = 60) -> Study:
    assert found.thread is not None
    found.thread.join(within_s)
    assert not found.is_busy
    return found


def until(true: Any, within_s: float = 30) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def records(found: Study) -> list[bytes]:
    return [line for path in sorted(found.runs.glob("*/*/samples.jsonl")) for line in path.read_bytes().splitlines()]


def test_the_profile_is_that_of_the_command(profiled: Study, studies: Studies) -> None:
    expected = profile(open_dataset(studies.offered["photos"], strict=False), jobs=1).document
    document = profiled.document
    assert document is not None and profiled.record.failed is None
    for key in ("n", "images", "masks", "suspects", "excluded"):
        assert document[key] == json.loads(json.dumps(expected[key])), key
    assert document["spec"] == "photos", "no path of this machine"
    assert profiled.page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_benchmark_leaves_out_what_is_ticked_and_its_rows_are_stored(profiled: Study, studies: Studies) -> None:
    document = profiled.document
    assert document is not None
    (first, *_) = suspected(document)
    studies.benchmark(profiled, SHORT.model_copy(update={"left_out": (first, "no such image")}))
    done(profiled)
    ran = profiled.ran()
    assert ran is not None, profiled.record.failed
    manifest, rows = ran
    assert manifest.dataset.exclude == (first,) and manifest.dataset.n == 5
    assert [(row.label, row.status, row.n) for row in rows] == [("acting", "ok", 5)]
    assert studies.runs_of("first") == profiled.runs and studies.runs_of("nobody") is None
    table = wording.rows_table(manifest, rows, profiled.folder)
    assert f"<td>{rows[0].miou:.3f}</td>" in table and "1 image left out" in table
    before = records(profiled)
    studies.benchmark(profiled, SHORT.model_copy(update={"left_out": (first,)}))
    again = done(profiled).ran()
    assert again is not None and again[1] == rows and records(profiled) == before, "a finished run is not done again"


def test_a_stopped_benchmark_ends_within_two_seconds_and_goes_on(studies: Studies, profiled: Study) -> None:
    found = studies.begin("stops", "photos")
    shutil.copytree(profiled.profile_folder, found.profile_folder)
    wanted = Wanted(pipelines=(SLOW,), limit=4, budget_s=0.2)
    studies.benchmark(found, wanted)
    until(lambda: len(records(found)) >= 1)
    assert "of 4 images through acting:act=slow" in wording.run_state(found)
    start = time.monotonic()
    studies.stop(found)
    assert time.monotonic() - start < 2 and not found.is_busy
    kept, said = records(found), wording.run_state(found)
    assert 1 <= len(kept) < 4 and "What was measured is kept" in said
    (run,) = found.runs.iterdir()
    studies.benchmark(found, wanted)
    assert done(found).record.run == run.name and records(found)[: len(kept)] == kept
    assert len(records(found)) == 4


KILLED = """
import shutil, sys, time
from pathlib import Path
from workbench.catalogue import Place
from workbench.studies.store import Studies
from workbench.studies.study import Wanted
studies = Studies(Path(sys.argv[1]), Place(device="cpu"), {"photos": Path(sys.argv[2])}, (sys.argv[3],))
found = studies.begin("visitor", "photos")
shutil.copytree(sys.argv[4], found.profile_folder)
studies.benchmark(found, Wanted(pipelines=(sys.argv[3],), limit=4, budget_s=0.2))
print(found.number, flush=True)
time.sleep(600)
"""


def test_a_kill_of_the_app_loses_no_record_and_the_study_goes_on(studies: Studies, profiled: Study) -> None:
    arguments = [str(studies.folder), str(studies.offered["photos"]), SLOW, str(profiled.profile_folder)]
    app = subprocess.Popen([sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert app.stdout is not None
    number = app.stdout.readline().strip()
    folder = studies.folder / number
    found = Study(folder, studies.named(number).record)
    until(lambda: len(records(found)) >= 2)
    app.send_signal(signal.SIGKILL)
    app.wait()
    app.stdout.close()
    until(lambda: not children_of(folder), 5)
    kept = [line for line in records(found) if line.endswith(b"}")]
    (run,) = found.runs.iterdir()
    studies.open.pop(number)
    again = studies.enter("later", number)
    assert again.is_busy, "what the end of the app cut off goes on by itself"
    done(again)
    assert again.record.failed is None and again.record.run == run.name
    ids = [json.loads(line)["id"] for line in records(again)]
    assert len(ids) == len(set(ids)) == 4 and records(again)[: len(kept)] == kept


def children_of(folder: Path) -> list[int]:
    """Processes that run in a folder."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                here = (place / "cwd").readlink() == folder.resolve()
            except OSError:
                continue
            found += [int(place.name)] if here else []
    return found


def test_nobody_opens_what_he_has_no_number_of(studies: Studies, profiled: Study) -> None:
    assert studies.enter("other", profiled.number) is profiled
    for number in ("", "0" * 32, "../" + profiled.number, profiled.number.upper() + "x", "..", "a/b", "%2e%2e"):
        with pytest.raises(UsageError, match="no study of that number"):
            studies.enter("other", number)
    for name in ("study.json", "../exclude.txt", "runs", "log.txt", "answer.json"):
        with pytest.raises(UsageError, match="no study of that number"):
            path_of(profiled, name)
    assert path_of(profiled, "profile.json").is_file()
    studies.leave("other")
    with pytest.raises(UsageError, match="no dataset yet"):
        studies.get("other")


def test_a_visitor_names_datasets_and_pipelines_that_are_offered_and_nothing_else(studies: Studies) -> None:
    for source in ("/etc", "photos/../..", "hf:owner/name", str(studies.offered["photos"])):
        with pytest.raises(UnknownNameError, match="no dataset"):
            studies.begin("x", source)
    found = studies.begin("x", "coins")
    for label in ("acting:size=large", "sam3", "acting,acting:act=kill"):
        with pytest.raises(UnknownNameError, match="no pipeline"):
            studies.benchmark(found, Wanted(pipelines=(label,)))
    with pytest.raises(UsageError, match="No pipeline is chosen"):
        studies.benchmark(found, Wanted(pipelines=()))
    with pytest.raises(UsageError, match="Profile it first"):
        studies.benchmark(found, SHORT)
    assert found.thread is None and found.record.work is None


def test_what_a_benchmark_leaves_out_is_what_was_asked_for_however_ticks_change(
    profiled: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Study(
        tmp_path, profiled.record.model_copy(update={"wanted": SHORT.model_copy(update={"left_out": ("p, 1",)})})
    )
    (tmp_path / LIST).write_text("p2, ticked while the benchmark waits\n")
    read: list[frozenset[str]] = []

    def ran(module: str, arguments: Sequence[str], folder: Path, *_: object) -> dict[str, str]:
        lines = (folder / arguments[arguments.index("--exclude") + 1]).read_text(encoding="utf-8").splitlines()
        read.append(frozenset(named for one in lines for named, _ in [excluded_by(one) or ("", "")]))
        (folder / "runs" / "r").mkdir(parents=True)
        (folder / "runs" / "r" / MANIFEST).touch()
        return {"run_id": "r"}

    monkeypatch.setattr(commands, "run", ran)
    assert work.benchmark(found, "photos", Place(), Allowed(1), Event()) == "r"
    assert read == [{"p, 1"}]


def test_of_two_that_begin_at_one_time_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, over = Studies(tmp_path / "all", Place()), Event()
    found, refusals = made.begin("a", "coins"), list[str]()
    note = Study.note
    monkeypatch.setattr(Study, "note", lambda self, **said: (time.sleep(0.1), note(self, **said)))
    monkeypatch.setattr(Studies, "_work", lambda *_: over.wait())

    def begin() -> None:
        try:
            made.profile(found)
        except UsageError as error:
            refusals.append(str(error))

    both = [Thread(target=begin) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(refusals) == 1 and "under way already" in refusals[0]
    over.set()


def test_a_refused_upload_ends_nothing_and_removes_nothing(tmp_path: Path) -> None:
    made = Studies(tmp_path / "all", Place())
    good = zipped(tmp_path, pairs())
    found = made.begin("a", "upload", good)
    found.profile_folder.mkdir()
    found.off = Event()
    found.thread = Thread(target=found.off.wait)
    found.thread.start()
    (tmp_path / "bad.zip").write_bytes(b"no ZIP")
    for _ in range(6):
        with pytest.raises(UsageError, match="refused"):
            made.begin("a", "upload", tmp_path / "bad.zip")
    assert found.is_busy and not found.off.is_set() and found.profile_folder.is_dir()
    assert (found.folder / found.record.data).is_dir()
    first = found.record.data
    assert made.begin("a", "upload", good).record.data != first and (found.folder / first).is_dir()


def test_a_round_that_fails_is_not_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, rounds = Studies(tmp_path / "all", Place(), rules=Rules(every_s=0.01)), list[int]()

    def broken(self: Studies) -> list[str]:
        rounds.append(1)
        raise FileNotFoundError(2, "replaced meanwhile")

    monkeypatch.setattr(Studies, "sweep", broken)
    made.start()
    until(lambda: len(rounds) > 2, 5)
    assert made.sweeper is not None and made.sweeper.is_alive()
    made.close()


def test_the_list_is_written_as_the_profile_would(profiled: Study, tmp_path: Path) -> None:
    document = profiled.document
    assert document is not None
    everything = tuple(suspected(document))
    assert write_list(document, everything, tmp_path / LIST) == tuple(sorted(everything))
    assert write_list(document, (), tmp_path / LIST) == ()
    assert set(proposed(document)) == {one["sample"] for one in document["suspects"] if one["exclude"]}


def test_one_after_another_and_those_who_wait_are_told(tmp_path: Path) -> None:
    line, told, off = Line(2), list[int](), Event()

    def wait() -> None:
        with pytest.raises(CancelledError), line.turn(off, told.append):
            raise AssertionError("it was not its turn")

    with line.turn(Event(), told.append):
        waiting = Thread(target=wait)
        waiting.start()
        until(lambda: told == [0, 1])
        with pytest.raises(ResourceError, match="2 others are before you"), line.turn(Event(), told.append):
            pass
        off.set()
        waiting.join(2)
    assert not line.waiting and not waiting.is_alive()
    with line.turn(Event(), told.append):
        assert told == [0, 1, 0]


def test_what_waits_says_so(profiled: Study) -> None:
    other = Study(profiled.folder, profiled.record.model_copy(update={"last": "benchmark", "work": "benchmark"}))
    over = Event()
    other.thread = Thread(target=over.wait)
    other.thread.start()
    other.before = 2
    assert "Your benchmark waits: 2 others are before you" in wording.run_state(other)
    over.set()
    other.thread.join()


def test_a_command_is_ended_by_its_limits_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(ResourceError, match=r"still at work after 0\.1 s"):
        commands.run("benchmarks.profile", ["coins"], tmp_path, Allowed(0.1), Event())
    with pytest.raises(WorkbenchError) as error:
        commands.run("benchmarks.profile", ["./images"], tmp_path, Allowed(60), Event())
    assert str(tmp_path) not in str(error.value) and "images" in str(error.value)


def test_words_of_a_command_hold_no_path_and_no_option(tmp_path: Path) -> None:
    said = f"{tmp_path}/data/001/a.png is damaged. Or leave out with --exclude. Give --limit."
    assert plain(said, tmp_path) == (
        "data/001/a.png is damaged. Or leave out with the list of images to leave out. Give the number of images."
    )
