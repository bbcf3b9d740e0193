"""Votes on disk: what was acknowledged is there after any kill, and what cannot be written is not acknowledged."""

from __future__ import annotations

import csv
import errno
import io
import multiprocessing
import os
import resource
import secrets
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks.preferences.ballots import Ballot
from benchmarks.records import Configuration, WeightsRecord
from pipelines.errors import ResourceError, RunLockedError
from pipelines.files import acquired
from workbench.votes import wording
from workbench.votes.book import FILE, Book, Contestant, Reading, Vote, as_csv, as_lines, ballots, names

KILLS = 20
CONTEXT = multiprocessing.get_context("forkserver")


def contestant(label: str = "classical", **changed: Any) -> Contestant:
    said = {"pipeline": "classical", "preset": "default", "params": {"cut": 0.5}, "device": "cpu"} | changed
    return Contestant.of(Configuration(id="0", label=label, **said), said.get("weights", ()))


def vote(**changed: Any) -> Vote:
    said = {"id": secrets.token_hex(16), "time": datetime.now(UTC), "visitor": "a" * 32, "picture": "b" * 64,
            "name": "own picture", "left": contestant(), "right": contestant("clipseg", pipeline="clipseg"),
            "choice": "left"}  # fmt: skip
    return Vote(**(said | changed))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    book, given = (
        Book(tmp_path / "new" / "folder"),
        [vote(), vote(choice=None, void="same mask"), vote(iou=(0.5, None))],
    )
    assert book.read() == Reading() and not (tmp_path / "new").exists(), "a book that is read makes nothing"
    assert all(book.add(one) for one in given)
    assert book.read().votes == tuple(given) == Book(tmp_path / "new" / "folder").read().votes
    assert [one.counts for one in book.read().votes] == [True, False, True]
    assert (tmp_path / "new" / "folder" / FILE).stat().st_mode & 0o077 == 0


def test_a_vote_is_counted_once(tmp_path: Path) -> None:
    book, one = Book(tmp_path), vote()
    assert book.add(one) and not book.add(one) and not Book(tmp_path).add(one)
    with book.path.open("ab") as file:
        file.write(as_lines([one]))
    again = Book(tmp_path).read()
    assert again.votes == (one,) and again.again == 1 and "there twice" in again.remarks[0]


def test_that_two_are_the_same_is_written_once_for_a_visitor_a_picture_and_a_pair(tmp_path: Path) -> None:
    book, void = Book(tmp_path), {"choice": None, "void": "same mask"}
    turned = {"left": contestant("clipseg", pipeline="clipseg"), "right": contestant()}
    assert book.add(vote(**void)) and not book.add(vote(**void)) and not Book(tmp_path).add(vote(**void, **turned))
    for other in ({"visitor": "c" * 32}, {"picture": "d" * 64}, {"left": contestant("third")}):
        assert book.add(vote(**void, **other)) and not book.add(vote(**void, **other))
    assert book.add(vote()) and book.add(vote()), "votes that count are not the same"
    assert len(Book(tmp_path).read().votes) == 6


def test_votes_beyond_what_the_file_may_have_are_refused_in_words(tmp_path: Path, monkeypatch: Any) -> None:
    book, one = Book(tmp_path), vote()
    monkeypatch.setattr("workbench.votes.book.MOST_BYTES", 2 * len(as_lines([one])) + 20)
    assert book.add(one) and book.add(vote())
    before = book.path.read_bytes()
    with pytest.raises(ResourceError, match=r"50 MB that it may have\. This vote does not count\. .*votes\.jsonl away"):
        book.add(vote())
    assert book.path.read_bytes() == before and len(book.read().votes) == 2
    book.path.rename(tmp_path / "away")
    assert book.add(vote()) and len(book.read().votes) == 1


def test_what_was_read_is_the_same_object_until_a_line_comes(tmp_path: Path) -> None:
    book = Book(tmp_path)
    book.add(vote())
    first = book.read()
    assert book.read() is first
    book.add(vote())
    assert book.read() is not first


def test_a_torn_last_line_is_said_and_heals(tmp_path: Path) -> None:
    book, first, second = Book(tmp_path), vote(), vote()
    book.add(first)
    with book.path.open("ab") as file:
        file.write(as_lines([vote()])[:-40])
    torn = book.read()
    assert torn.votes == (first,) and torn.torn and "never acknowledged" in torn.remarks[0]
    assert book.add(second)
    healed = Book(tmp_path).read()
    assert healed.votes == (first, second) and not healed.torn and healed.refused == 1
    assert "1 lines are no votes" in healed.remarks[0]


@pytest.mark.parametrize(
    "broken",
    [b"{}", b"[1]", b"nonsense", b"\xff\xfe", b'{"schema_version": 2}'],
)
def test_what_is_no_vote_is_left_out(tmp_path: Path, broken: bytes) -> None:
    one, other = vote(), vote()
    changed = as_lines([other]).replace(b'"choice":"left"', b'"choice":"upper"')
    (tmp_path / FILE).write_bytes(broken + b"\n" + as_lines([one]) + changed)
    assert Book(tmp_path).read() == Reading((one,), refused=2)


@pytest.mark.parametrize(
    "changed",
    [{"id": "../../x"}, {"visitor": "127.0.0.1"}, {"picture": "x.png"}, {"choice": "upper"}, {"void": "tired"},
     {"time": datetime(2026, 1, 1)}, {"ip": "10.0.0.1"}, {"iou": (float("nan"), 0.5)}],
)  # fmt: skip
def test_a_record_holds_nothing_else(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        vote(**changed)


def _writes(folder: str, told: Any) -> None:
    book = Book(Path(folder))
    while True:
        one = vote()
        book.add(one)
        told.send_bytes(one.id.encode())


def test_twenty_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    CONTEXT.set_forkserver_preload(["tests.workbench.test_votes"])
    acknowledged: list[str] = []
    for kill in range(KILLS):
        ours, theirs = CONTEXT.Pipe(duplex=False)
        writer = CONTEXT.Process(target=_writes, args=(str(tmp_path), theirs), daemon=True)
        writer.start()
        theirs.close()
        acknowledged.append(ours.recv_bytes(32).decode())
        time.sleep(0.003 * (kill % 7))
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        acknowledged += _rest(ours)
        assert writer.exitcode == -signal.SIGKILL
        writer.close()
    found = Book(tmp_path).read()
    assert {one.id for one in found.votes} >= set(acknowledged) and len(acknowledged) >= KILLS
    assert len(found.votes) - len(acknowledged) <= KILLS, "of each writer one at most was on the way"
    assert found.refused <= KILLS and found.again == 0
    last = vote()
    assert Book(tmp_path).add(last) and Book(tmp_path).read().votes[-1] == last


def _rest(told: Any) -> list[str]:
    found = []
    try:
        while told.poll():
            found.append(told.recv_bytes(32).decode())
    except (EOFError, OSError):  # the writer is dead, and perhaps in the middle of a word
        told.close()
    return found


def _adds(folder: str, n: int) -> None:
    book = Book(Path(folder))
    for _ in range(n):
        book.add(vote())


def test_two_processes_write_one_after_another(tmp_path: Path) -> None:
    writers = [CONTEXT.Process(target=_adds, args=(str(tmp_path), 40)) for _ in range(2)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
        assert one.exitcode == 0
        one.close()
    found = Book(tmp_path).read()
    assert len(found.votes) == 80 and not found.remarks


def test_who_waits_too_long_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book(tmp_path)
    book.add(vote())
    monkeypatch.setattr("workbench.votes.book.WAIT_S", 0.05)
    with book.path.open("rb") as held:
        assert acquired(held.fileno(), 0)
        with pytest.raises(RunLockedError, match="Another process is writing votes"):
            book.add(vote())
    assert book.add(vote()) and len(book.read().votes) == 2


def _adds_until_full(folder: str, told: Any) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    book, kept = Book(Path(folder)), 0
    try:
        while True:
            book.add(vote())
            kept += 1
    except ResourceError as error:
        told.send((kept, str(error), error.exit_code))


def test_a_disk_that_ends_in_the_middle_of_a_line_leaves_the_file_whole(tmp_path: Path) -> None:
    ours, theirs = CONTEXT.Pipe(duplex=False)
    writer = CONTEXT.Process(target=_adds_until_full, args=(str(tmp_path), theirs))
    writer.start()
    kept, words, code = ours.recv()
    writer.join()
    writer.close()
    found = Book(tmp_path).read()
    assert kept == len(found.votes) > 0 and not found.torn and not found.refused
    assert "File too large" in words and "does not count" in words and code == 4
    assert str(tmp_path) not in words


def test_a_disk_that_refuses_to_keep_it_is_no_acknowledgement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book, first = Book(tmp_path), vote()
    book.add(first)

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ResourceError, match=r"No space left on device\. This vote does not count\. .*make room"):
            book.add(vote())
    assert book.path.read_bytes() == as_lines([first])


def test_it_is_on_the_disk_before_add_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book, order, real = Book(tmp_path), [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (order.append(os.fstat(file).st_size), real(file)))
    one = vote()
    book.add(one)
    assert order[-1] == len(as_lines([one])), "the whole line was there when it was put on the disk"


def test_a_folder_that_is_none_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot be written") as told:
        Book(tmp_path / "file").add(vote())
    assert str(tmp_path) not in str(told.value)


def test_what_changes_a_result_is_another_contestant() -> None:
    weights = WeightsRecord(repo="o/n", revision="a" * 40, licence="MIT", commercial=True)
    kinds = [contestant(), contestant(params={"cut": 0.6}), contestant(weights=(weights,)), contestant(pipeline="sam")]
    assert len({one.key for one in kinds}) == 4
    assert contestant().key == contestant(device="cuda").key, "the same masks on every device"
    other = vote(left=kinds[1])
    called = names([vote(), other])
    assert sorted(called.values()) == sorted(
        [f"classical ({kinds[0].key[:6]})", f"classical ({kinds[1].key[:6]})", "clipseg"]
    )
    assert ballots([vote(), vote(void="names were shown"), vote(choice=None)]) == [
        Ballot("classical", "clipseg", "left", "a" * 32)
    ]


def test_a_spreadsheet_runs_nothing() -> None:
    hostile = vote(name='=HYPERLINK("http://x")', left=contestant("+cmd|x"), iou=(0.25, None))
    head, line = csv.reader(io.StringIO(as_csv([hostile]).decode()))
    said = dict(zip(head, line, strict=True))
    assert said["name"].startswith("'=") and said["left"].startswith("'+")
    assert said["left_iou"] == "0.25" and said["right_iou"] == ""


def test_the_board_escapes_and_keeps_iou_apart() -> None:
    left, right = contestant("<script>x</script>"), contestant("b", pipeline="clipseg")
    given = [vote(left=left, right=right, iou=(0.9, 0.4), visitor=f"{n:032x}", choice="left" if n % 3 else "right",
                  picture=f"{n % 2:064x}", name="coin") for n in range(12)]  # fmt: skip
    given += [vote(left=right, right=left, visitor=f"{n:032x}", choice="right" if n % 3 else "left")
              for n in range(12, 24)]  # fmt: skip
    shown = wording.board(Reading((*given, vote(void="same mask", choice=None)), torn=True))
    assert "<script>" not in shown and "24 votes of 24 visitors" in shown
    assert "0.900 (2 pictures)" in shown and "0.400 (2 pictures)" in shown
    assert "1 more do not count" in shown and "never acknowledged" in shown
    without = wording.board(Reading(tuple(one.model_copy(update={"iou": (None, None)}) for one in given)))
    cells = [[part.split("</td>")[0] for part in line.split("<td>")[1:]] for line in shown.split("<tr>")[2:]]
    other = [[part.split("</td>")[0] for part in line.split("<td>")[1:]] for line in without.split("<tr>")[2:]]
    assert [row[:-1] for row in cells] == [row[:-1] for row in other], "no other column knows of IoU"
    assert wording.board(Reading()) == wording.NO_VOTES


def test_the_true_mask_of_an_own_picture_is_a_visitors_word_and_enters_no_figure() -> None:
    examples = [vote(iou=(0.5, 0.25), name="coin", picture="1" * 64), vote(iou=(0.5, 0.25), name="coins")]
    forged = [vote(iou=(1.0, 0.0), picture=f"{n:064x}") for n in range(9)]
    assert wording.ious([*forged, *examples]) == {"classical": [0.5, 0.5], "clipseg": [0.25, 0.25]}
    assert "over the examples" in wording.board(Reading(tuple(forged))) and "1.000" not in wording.board(
        Reading((*forged,))
    )


def test_a_table_of_very_many_votes_is_made_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    made, now = [], [100.0]
    monkeypatch.setattr(wording, "MANY", 3)
    monkeypatch.setattr(wording, "monotonic", lambda: now[0])
    monkeypatch.setattr(wording, "board", lambda reading: made.append(len(reading.votes)) or str(made[-1]))
    table, given = wording.Board(), [vote() for _ in range(6)]
    assert [table.of(Reading(tuple(given[:n]))) for n in (2, 3, 4, 5)] == ["2", "3", "3", "3"]
    now[0] += wording.EVERY_S
    assert table.of(Reading(tuple(given[:5]))) == "5" == table.of(Reading(tuple(given)))
    monkeypatch.undo()
    monkeypatch.setattr(wording, "MANY", 3)
    assert wording.LATE in wording.board(Reading(tuple(given))) and "6 votes" in wording.board(Reading(tuple(given)))
    assert wording.LATE not in wording.board(Reading(tuple(given[:3])))
