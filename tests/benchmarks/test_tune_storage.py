"""Where studies are kept: torn lines, locks of killed processes, and storages that cannot be used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

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


def values(folder: Path) -> list[Any]:
    kept = storage.open_storage(None, folder)
    return [one.value for one in optuna.load_study(study_name="s", storage=kept).trials]


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


def test_a_storage_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--storage postgresql"):
        storage.open_storage("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    with pytest.raises(UsageError, match="--storage x cannot be used: it is gone") as caught, storage.reached("x"):
        raise optuna.exceptions.StorageInternalError("it is gone.\nlong story")
    assert "story" not in str(caught.value)
    with pytest.raises(ZeroDivisionError), storage.reached("x"):
        raise ZeroDivisionError
