"""Where studies are kept: torn lines, locks of killed processes, and who is known to have ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from benchmarks.tune import storage
from pipelines.errors import UsageError
from tests.conftest import ROOT

HOLD = """
import sys, time
from pathlib import Path
from benchmarks.tune.storage import KernelLock
KernelLock(Path(sys.argv[1])).acquire()
with Path(sys.argv[1]).open("ab") as file:
    file.write(b'{"op_code":4,"half a li')
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def study(tmp_path: Path) -> optuna.study.Study:
    kept = storage.open_storage(None, tmp_path)
    return optuna.create_study(storage=kept, study_name="s")


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def values(folder: Path) -> list[Any]:
    kept = storage.open_storage(None, folder)
    return [one.value for one in optuna.load_study(study_name="s", storage=kept).trials]


def running(**attributes: Any) -> FrozenTrial:
    return optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs=attributes)


def signed(process: int, host: str | None = None) -> dict[str, str]:
    own = storage.runner().split(":")[0]
    return {"runner": f"{host or own}:{process}:{storage._began(process)}"}


@pytest.mark.parametrize("torn", [b'{"op_code":4,"wor', b"{", b'{"op_code":4}', b"x" * 9000])
def test_a_torn_line_is_dropped_and_nothing_else(tmp_path: Path, study: optuna.study.Study, torn: bytes) -> None:
    study.tell(study.ask(), 1.0)
    path = tmp_path / storage.JOURNAL
    whole = path.read_bytes()
    with path.open("ab") as file:
        file.write(torn)
    assert values(tmp_path) == [1.0]
    study.tell(study.ask(), 2.0)
    assert values(tmp_path) == [1.0, 2.0]
    assert path.read_bytes().startswith(whole)
    assert not path.read_bytes().removeprefix(whole).startswith(torn + b"{")


def test_a_journal_of_nothing_but_a_torn_line_begins_anew(tmp_path: Path) -> None:
    (tmp_path / storage.JOURNAL).write_bytes(b'{"op_')
    kept = storage.open_storage(None, tmp_path)
    optuna.create_study(storage=kept, study_name="s")
    assert values(tmp_path) == []


def test_a_process_that_is_killed_with_the_lock_holds_nobody_up(tmp_path: Path, study: optuna.study.Study) -> None:
    path = tmp_path / storage.JOURNAL
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == b"held\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    study.tell(study.ask(), 1.0)
    assert values(tmp_path) == [1.0]


def test_the_dead_are_known_from_the_living(other: subprocess.Popen[bytes]) -> None:
    alive = running(**signed(other.pid))
    assert not storage.is_dead(alive) and storage.is_here(alive)
    assert not storage.is_dead(running(**signed(os.getpid())))
    assert storage.is_dead(
        running(runner=f"{storage.runner().split(':')[0]}:{other.pid}:1")
    )  # its number was given anew
    elsewhere = running(**signed(other.pid, "another-machine"))
    assert not storage.is_dead(elsewhere) and not storage.is_here(elsewhere)
    os.kill(other.pid, signal.SIGKILL)
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its parent has not asked for it
    assert storage.is_dead(alive) and not storage.is_here(alive)


def test_a_trial_with_no_name_to_it_is_waited_for_a_while() -> None:
    new, old = running(), running()
    new.datetime_start, old.datetime_start = datetime.now(), datetime.now() - storage.UNSIGNED - timedelta(seconds=1)
    assert storage.is_unsigned(new) and not storage.is_dead(new)
    assert storage.is_dead(old) and not storage.is_unsigned(old)
    assert not storage.is_unsigned(optuna.trial.create_trial(state=TrialState.COMPLETE, value=1.0))


def test_work_that_ends_early_is_told(study: optuna.study.Study) -> None:
    trial = study.ask()
    with pytest.raises(KeyboardInterrupt), storage.told(study, trial.number):
        raise KeyboardInterrupt
    assert study.trials[0].state == TrialState.FAIL


def test_a_storage_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--storage postgresql"):
        storage.open_storage("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    with pytest.raises(UsageError, match="--storage x cannot be used: it is gone") as caught, storage.reached("x"):
        raise optuna.exceptions.StorageInternalError("it is gone.\nlong story")
    assert "story" not in str(caught.value)
    with pytest.raises(ZeroDivisionError), storage.reached("x"):
        raise ZeroDivisionError
