"""Processes that share a storage at the same time: as many trials as were asked for, none twice, and one answer."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from benchmarks.tune.runners import Watch, machine
from benchmarks.tune.storage import open_storage
from tests.benchmarks import tuning, tuning_more
from tests.conftest import ROOT

TRIALS, FOLDS = 20, 2
DONE = (TrialState.COMPLETE, TrialState.PRUNED)
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Start]:
    """Start a search in a process of its own; as many as `meet` begin with the storage at the same moment."""
    site, data = tuning_more.installed(monkeypatch, tmp_path), tuning.discs(tmp_path / "d")
    meeting, started = tmp_path / "meeting", list[subprocess.Popen[str]]()
    meeting.mkdir()
    path = os.pathsep.join([str(tmp_path / "site"), str(site), str(ROOT)])

    def begin(storage: str, out: str, meet: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-W", "error", "-m", "benchmarks.tune", "twin", "--dataset", str(data), "--trials", str(TRIALS),
                   "--folds", str(FOLDS), "--jobs", "1", "--storage", storage, "--out", out, "--json"]  # fmt: skip
        started.append(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, "PYTHONPATH": path, tuning_more.MEETING: f"{meeting}:{meet}"}))  # fmt: skip
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(params=["journal", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "journal":
        return str(tmp_path / "kept.journal")
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    open_storage(url, tmp_path)  # who makes the tables is the matter of a test of its own
    return url


def stored(storage: str) -> list[list[FrozenTrial]]:
    """The trials of each study."""
    kept = open_storage(storage, Path())
    names = sorted(one.study_name for one in optuna.get_all_study_summaries(kept))
    return [optuna.load_study(study_name=name, storage=kept).trials for name in names]


def judged(err: str) -> Counter[tuple[str, int]]:
    """The trials that a process says it has done, by study and number."""
    return Counter(
        (study[-3:], int(number)) for study, number in re.findall(r"^(\S+) trial (\d+): ", err, re.MULTILINE)
    )


def ended(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert "Traceback" not in err and "Warning" not in err
    return tuning.told(out), err


def deciding(folder: Path, process: int) -> None:
    """Wait until a process is in the middle of a trial: what has not signed its trial yet is waited for much longer."""
    said, until = f"deciding {process}\n", time.monotonic() + 20
    before = (folder / "notes").read_text().count(said)
    while (folder / "notes").read_text().count(said) == before:
        assert time.monotonic() < until
        time.sleep(0.001)


def checked(storage: str, *told: str) -> list[Counter[tuple[str, int]]]:
    """What each process did, once it is sure that together they did as many as were asked for, and none twice."""
    studies = stored(storage)
    assert [[trial.state in DONE for trial in trials].count(True) for trials in studies] == [TRIALS // FOLDS] * FOLDS
    assert {trial.state for trials in studies for trial in trials} <= {*DONE, TrialState.FAIL}, "none is waited for"
    parts = [judged(text) for text in told]
    both = sum(parts, Counter[tuple[str, int]]())
    assert set(both.values()) == {1}, "none is done twice"
    done = {
        (f"0-{fold}", trial.number) for fold, trials in enumerate(studies) for trial in trials if trial.state in DONE
    }
    assert set(both) <= done and len(done - set(both)) <= 1, "all that was done was told, but for what one died over"
    assert all(parts), "each had a part in it"
    return parts


def test_two_at_once_do_each_trial_once_and_say_the_same(start: Start, storage: str) -> None:
    (said, err), (also, more) = (ended(process) for process in [start(storage, out, 2) for out in ("one", "other")])
    assert said == also
    assert said["trials"] == TRIALS == sum(part.total() for part in checked(storage, err, more))


def test_one_that_is_killed_in_the_middle_is_made_up_for(start: Start, tmp_path: Path) -> None:
    storage = str(tmp_path / "kept.journal")
    other, killed = (start(storage, out, 2) for out in ("other", "killed"))
    assert killed.stderr is not None
    lines = [line for line, _ in zip(killed.stderr, range(3), strict=False)]
    deciding(tmp_path, killed.pid)
    killed.send_signal(signal.SIGKILL)
    lines.append(killed.communicate()[1])
    assert killed.returncode == -signal.SIGKILL
    said, err = ended(other)
    assert said["trials"] == TRIALS
    assert 3 <= checked(storage, "".join(lines), err)[0].total() < TRIALS


def test_two_may_bury_the_same_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both saw that it is dead before either said so."""
    study = optuna.create_study(storage=open_storage(None, tmp_path), study_name="s")
    dead = study.ask()
    dead.set_user_attr("runner", f"{machine()}:{os.getpid()}:1")
    before = study.get_trials()
    assert Watch().at_work(study) == []
    assert [one.state for one in study.get_trials()] == [TrialState.FAIL]
    monkeypatch.setattr(study, "get_trials", lambda **_: before)
    assert Watch().at_work(study) == []


def test_a_database_that_several_begin_at_once_is_opened_by_all(tmp_path: Path) -> None:
    url, count = f"sqlite:///{tmp_path / 'new.db'}", 4
    gate = Barrier(count)

    def opened(_: int) -> bool:
        gate.wait()
        open_storage(url, tmp_path)
        return True

    with ThreadPoolExecutor(count) as pool:
        assert all(pool.map(opened, range(count)))
