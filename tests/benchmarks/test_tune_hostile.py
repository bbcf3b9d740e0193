"""A storage that others may write into: what no search can have written is one sentence with a cure, and never run."""

from __future__ import annotations

import base64
import copy
import json
import sqlite3
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from benchmarks.command import run_command
from benchmarks.tune.__main__ import app
from benchmarks.tune.candidates import RESULT, Candidate, packed, read, unpacked
from benchmarks.tune.crew import Crew
from benchmarks.tune.runners import UNSIGNED_S, Watch, machine
from benchmarks.tune.storage import open_storage, reached
from benchmarks.tune.task import Task
from pipelines.errors import UsageError
from tests.benchmarks import tuning

Change = Callable[[dict[str, Any]], Any]
MARKUP = "[red]\x1b[31m[/] </td><script>alert(1)</script> \u202eabc"
FIELDS = ("threshold", "gain", "erode")


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Task, dict[int, list[FrozenTrial]]]]:
    """A real search, and the trials that it left in its storage, by fold."""
    folder = tmp_path_factory.mktemp("searched")
    with pytest.MonkeyPatch.context() as patch:
        tuning.installed(patch, folder)
        task = tuning.task_of(tuning.discs(folder / "d"), "smooth", trials=8, folds=2, fields=FIELDS)
        with Crew(task, 1) as crew:
            finder = tuning.finder(task, crew, folder / "out")
            finder.run()
            yield task, {fold: finder.study(0, fold).trials for fold in range(2)}


def changed(trial: FrozenTrial, change: Change) -> FrozenTrial:
    """The same trial, but for what was done to its result; what the change returns is stored, as JSON if no text."""
    found, said = copy.deepcopy(trial), json.loads(trial.user_attrs[RESULT])
    other = change(said)
    found.user_attrs = {
        **found.user_attrs,
        RESULT: other if isinstance(other, str) else json.dumps(said if other is None else other),
    }
    return found


def test_what_a_search_wrote_is_read_as_it_was(searched: tuple[Task, dict[int, list[FrozenTrial]]]) -> None:
    task, trials = searched
    for fold, its in trials.items():
        found = list(read(its, 0, fold, task))
        assert [one.number for one in found] == [one.number for one in its]
        assert [one.to_json() for one in found] == [one.user_attrs[RESULT] for one in its]
        assert all(one.sums(0).shape == (6, 2) for one in found)


def put(name: str, value: Any) -> Change:
    return lambda said: said.__setitem__(name, value)


def param(name: str, value: Any, of: str = "params_whole") -> Change:
    return lambda said: said[of].__setitem__(name, value)


def terms(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    return lambda said: said.__setitem__("terms", packed(change(unpacked(said["terms"]).copy())))


def with_value(value: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda held: np.where(np.arange(held.size).reshape(held.shape) == 0, value, held)


def bomb(size: int) -> str:
    return f"2 {base64.b64encode(zlib.compress(bytes(size), 9)).decode()}"


HOSTILE: dict[str, tuple[Change, str]] = {
    "no JSON": (lambda said: "{", "JSON"),
    "a list": (lambda said: [1, 2], "'it'"),
    "a number": (lambda said: 7, "'it'"),
    "nothing": (lambda said: "null", "'it'"),
    "nested without end": (lambda said: "[" * 100_000, "JSON"),
    "a huge number": (put("errors", 10**400), "failed on 1000"),
    "no params": (lambda said: said.pop("params_whole") and None, "params_whole"),
    "params that are a list": (put("params_train", [1]), "params_train"),
    "an unknown field": (param("treshold", 0.5), "There is no parameter 'treshold'"),
    "a field of markup": (param(MARKUP, 0.5), "There is no parameter"),
    "a field too low": (param("threshold", -0.1), "threshold cannot be -0.1"),
    "a field too high": (param("erode", 9, "params_train"), "erode cannot be 9"),
    "a field of no number": (param("gain", "__import__('os').abort()"), "gain cannot be"),
    "a field of markup for a value": (param("gain", MARKUP), "gain cannot be"),
    "a field that is long": (param("gain", "x" * 100_000), "gain cannot be 'xxx"),
    "a field that is NaN": (param("gain", float("nan")), "gain cannot be nan"),
    "a field left out": (lambda said: said["params_whole"].pop("gain") and None, "leaves parameters out"),
    "another checkpoint": (param("size", "large"), "moves size"),
    "a path": (param("path", "/etc/passwd"), "moves path"),
    "a field that is not searched": (param("free", 3.0, "params_train"), "moves free"),
    "other words": (put("words", [MARKUP]), "asked for something else"),
    "words that are none": (put("words", 3), "words"),
    "a figure of its own": (put("train", 0.99), "figures are not those"),
    "a figure over all": (put("whole", 1.5), "figures are not those"),
    "a figure that is NaN": (put("whole", float("nan")), "figures are not those"),
    "no figure": (put("whole", None), "figures are not those"),
    "a figure of markup": (put("train", "[red]"), "train"),
    "terms of no base64": (put("terms", "2 [red]!"), ""),
    "terms that are no text": (put("terms", 5), "terms"),
    "terms that do not unpack": (put("terms", f"2 {base64.b64encode(b'abc').decode()}"), ""),
    "terms cut off": (lambda said: said.__setitem__("terms", said["terms"][: len(said["terms"]) // 8 * 4 + 2]), ""),
    "terms of fewer groups": (terms(lambda held: held[:, :-1]), "as many groups"),
    "terms of more groups": (terms(lambda held: np.concatenate([held, held], axis=1)), "as many groups"),
    "terms of one place": (terms(lambda held: held.reshape(1, -1, 2)), "as many groups"),
    "terms of places that are none": (lambda said: said.__setitem__("terms", "-1" + said["terms"][1:]), ""),
    "terms of places of markup": (lambda said: said.__setitem__("terms", "[/]" + said["terms"][1:]), ""),
    "terms that are huge": (put("terms", bomb(50_000_000)), "as many groups"),
    "terms that are NaN": (terms(with_value(float("nan"))), "no shares"),
    "terms without end": (terms(with_value(float("inf"))), "no shares"),
    "terms below 0": (terms(with_value(-1.0)), "no shares"),
    "terms so large": (terms(with_value(1e300)), "figures are not those"),
    "terms of others": (terms(lambda held: held[:, :, ::-1] * 0.5), "figures are not those"),
    "errors below 0": (put("errors", -1), "failed on -1"),
    "more errors than images": (put("errors", 7), "failed on 7"),
    "seconds that are NaN": (put("infer_s", float("nan")), "seconds"),
    "seconds without end": (put("decide_s", float("inf")), "seconds"),
    "seconds below 0": (put("decide_s", -1.0), "seconds"),
    "a time that nobody took": (put("latency_ms", 1.0), "time"),
}


@pytest.mark.parametrize(("change", "words"), HOSTILE.values(), ids=list(HOSTILE))
def test_what_no_search_can_have_written_is_one_sentence(
    searched: tuple[Task, dict[int, list[FrozenTrial]]], change: Change, words: str
) -> None:
    task, trials = searched
    with pytest.raises(UsageError) as caught:
        list(read([changed(trials[1][2], change)], 0, 1, task))
    message = caught.value.message
    assert message.startswith("Trial 2 of fold 1 in the storage is none of this search: ")
    assert words in message
    assert len(message) < 300 and message.isprintable()
    assert "--storage" in caught.value.cure
    assert caught.value.exit_code == 2


def test_a_trial_told_with_other_values_is_not_believed(searched: tuple[Task, dict[int, list[FrozenTrial]]]) -> None:
    task, trials = searched
    for value in (0.123, float("inf"), 1e308):
        other = copy.deepcopy(trials[0][1])
        other.values = [value]
        with pytest.raises(UsageError, match="other values"):
            list(read([other], 0, 0, task))


def test_terms_of_another_fold_or_wording_are_not_believed(
    searched: tuple[Task, dict[int, list[FrozenTrial]]],
) -> None:
    task, trials = searched
    with pytest.raises(UsageError, match="figures are not those"):
        list(read([trials[0][1]], 0, 1, task))


def test_a_result_that_is_no_text_or_not_there_is_told_or_passed_over(
    searched: tuple[Task, dict[int, list[FrozenTrial]]],
) -> None:
    task, trials = searched
    for stored in (7, ["a"], {"words": []}, None, True):
        other = copy.deepcopy(trials[0][1])
        other.user_attrs = {RESULT: stored}
        with pytest.raises(UsageError, match="none of this search"):
            list(read([other], 0, 0, task))
    other.user_attrs = {}
    assert not list(read([other], 0, 0, task))


def test_no_more_is_unpacked_than_there_can_be() -> None:
    whole = np.arange(24, dtype=float).reshape(2, 6, 2)
    np.testing.assert_array_equal(unpacked(packed(whole), 6), whole)
    np.testing.assert_array_equal(unpacked(packed(whole)), whole)
    for groups in (5, 7, 0, 10**9):
        with pytest.raises(ValueError, match="groups"):
            unpacked(packed(whole), groups)


def storing(path: Path, url: bool, change: Change | None) -> int:
    """Change every result in a storage by hand; how many there were."""
    return _in_database(path, change) if url else _in_journal(path, change)


def _in_journal(path: Path, change: Change | None) -> int:
    lines, count = [json.loads(line) for line in path.read_text().splitlines()], 0
    for line in lines:
        if RESULT in line.get("user_attr", {}):
            count += 1
            line["user_attr"][RESULT] = _stored(line["user_attr"][RESULT], change)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return count


def _in_database(path: Path, change: Change | None) -> int:
    with sqlite3.connect(path) as base:
        rows = base.execute(
            "select trial_user_attribute_id, value_json from trial_user_attributes where key = ?", (RESULT,)
        ).fetchall()
        for row, text in rows:
            other = json.dumps(_stored(json.loads(text), change))
            base.execute(
                "update trial_user_attributes set value_json = ? where trial_user_attribute_id = ?", (other, row)
            )
    base.close()
    return len(rows)


def _stored(text: str, change: Change | None) -> str:
    said = json.loads(text)
    other = change(said) if change else None
    return other if isinstance(other, str) else json.dumps(said if other is None else other)


@pytest.fixture
def tune(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Any]:
    tuning.installed(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    data = tuning.discs(tmp_path / "d")

    def run(storage: str, *options: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tune", "smooth", "--dataset", str(data), "--trials", "6", "--folds", "2",
                                          "--jobs", "1", "--storage", storage, *options])  # fmt: skip
        return run_command(app), *capfd.readouterr()

    return run


@pytest.fixture(params=[False, True], ids=["journal", "sqlite"])
def edited(request: pytest.FixtureRequest, tune: Callable[..., Any], tmp_path: Path) -> Callable[[Change | None], int]:
    """Edits the storage of a finished search by hand, and searches again: the exit code. Never a traceback."""
    path, url = tmp_path / "kept", bool(request.param)
    storage = f"sqlite:///{path}" if url else str(path)
    assert tune(storage, "--json")[0] == 0
    before = path.read_bytes()

    def again(change: Change | None) -> int:
        path.write_bytes(before)
        assert storing(path, url, change) == 6
        code, out, err = tune(storage, "--save", "mine", "--replace")
        assert "Traceback" not in err and not {"\x1b", "\u202e"} & set(out + err)
        assert ("in the storage" in err and len(err.splitlines()) == 1 and not out) or code == 0
        assert bool(list(tmp_path.glob("presets/*.yaml"))) == (code == 0)
        return int(code)

    return again


def test_a_storage_edited_by_hand_is_refused(edited: Callable[[Change | None], int]) -> None:
    assert edited(HOSTILE["terms of no base64"][0]) == 2
    assert edited(HOSTILE["a field of markup"][0]) == 2
    assert edited(HOSTILE["other words"][0]) == 2
    assert edited(None) == 0, "written anew as it was"


@pytest.mark.parametrize("name", ["abc", "²", "", "-", "[red]"])
def test_a_trial_signed_by_no_process_is_soon_taken_for_dead(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs={"runner": f"{machine()}:{name}:1"})
    clock, watch = [0.0], Watch()
    monkeypatch.setattr("benchmarks.tune.runners.monotonic", lambda: clock[0])
    assert not watch.is_dead("s", signed)
    clock[0] += UNSIGNED_S + 1
    assert watch.is_dead("s", signed)


@pytest.mark.parametrize("line", ["null", "[]", '{"op_code": 99}', '{"op_code": "[red]", "worker_id": ""}', "{}"])
def test_a_journal_of_other_entries_is_one_sentence(tmp_path: Path, line: str) -> None:
    path = tmp_path / "other.journal"
    path.write_text(f"{line}\n")
    with pytest.raises(UsageError, match="--storage"), reached(str(path)):
        optuna.create_study(storage=open_storage(str(path), tmp_path), study_name="s")


def test_a_candidate_says_of_itself_what_it_was_given() -> None:
    one = Candidate((), {}, {}, 0.5, 0.5, packed(np.ones((2, 3, 2))), 0, 0.0, 0.0, variant=1, fold=2, number=3)
    assert not {"variant", "fold", "number"} & set(json.loads(one.to_json()))
