"""Studies and the room they take: which ones go, which ones stay, and that nobody meets one half removed."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from pipelines.errors import UsageError
from tests.workbench.test_studies_intake import pairs, zipped
from workbench.catalogue import Place
from workbench.studies.rules import Rules
from workbench.studies.store import Studies
from workbench.studies.study import Study


def test_studies_that_nobody_uses_go_and_those_at_work_stay(tmp_path: Path) -> None:
    clock = [time.time()]
    made = Studies(tmp_path / "all", Place(), rules=Rules(age_s=9000, room_mb=1), now=lambda: clock[0])
    old, busy, young = (made.begin(name, "coins") for name in ("a", "b", "c"))
    over = Event()
    busy.thread = Thread(target=over.wait)
    busy.thread.start()
    used(old, clock[0] - 9100)
    used(busy, clock[0] - 9100)
    assert made.sweep() == [old.number] and not old.folder.exists()
    assert made.find("a") is None and made.find("b") is busy
    (young.folder / "large").write_bytes(bytes(1_100_000))
    used(young, clock[0] - 3700)
    assert made.sweep() == [young.number], "there is no room for it"
    assert {path.name for path in made.folder.iterdir()} == {busy.number}
    over.set()
    busy.thread.join()


def used(found: Study, when_s: float) -> None:
    os.utime(found.folder / "study.json", (when_s, when_s))


def test_nobody_makes_room_by_what_others_have_just_used(tmp_path: Path) -> None:
    clock = [time.time()]
    made = Studies(tmp_path / "all", Place(), rules=Rules(room_mb=1), now=lambda: clock[0])
    first = made.begin("a", "upload", zipped(tmp_path, pairs()))
    (first.folder / "large").write_bytes(bytes(1_100_000))
    for visitor in ("b", "a"):
        with pytest.raises(UsageError, match=r"no room for another dataset now\. Try again in an hour"):
            made.begin(visitor, "upload", zipped(tmp_path, pairs()))
    assert made.find("b") is None and made.begin("b", "coins").number != first.number
    assert made.begin("a", "upload") is first, "the one before takes no more room"
    clock[0] += 3700
    second = made.begin("b", "upload", zipped(tmp_path, pairs()))
    assert second.record.data and not first.folder.exists()


def test_a_study_that_goes_is_found_by_nobody_from_the_first_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it is opened while its files go, and written to."""
    made = Studies(tmp_path / "all", Place(), now=lambda: time.time() + 90_000)
    found, seen = made.begin("a", "coins"), list[str]()
    rmtree = shutil.rmtree

    def removed(path: Path, **said: Any) -> None:
        with pytest.raises(UsageError, match="no study of that number"):
            made.enter("late", found.number)
        seen.append(path.name)
        rmtree(path, **said)

    (made.folder / ".gone-of-a-kill").mkdir()
    monkeypatch.setattr(shutil, "rmtree", removed)
    assert made.sweep() == [found.number] and len(seen) == 2
    assert not list(made.folder.iterdir()) and made.find("late") is None


def test_a_study_that_was_opened_since_it_was_looked_at_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Studies(tmp_path / "all", Place())
    found = made.begin("a", "coins")
    monkeypatch.setattr("workbench.studies.store.too_much", lambda *_: [found.folder])
    assert made.sweep() == [] and made.enter("b", found.number) is found
