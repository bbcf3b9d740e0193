"""What the leaderboard answers when its page asks for rows: what is shown, filtered, held, and refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from pipelines.errors import UsageError
from tests.workbench.apps import Running, running
from tests.workbench.boarding import folder_of_runs, touched
from workbench.boards import chart, served, table
from workbench.boards.query import NAMES, understood
from workbench.boards.served import Rows
from workbench.boards.shown import LISTS, ROWS
from workbench.boards.stored import Boards
from workbench.boards.table import COLUMNS, LONGEST, MOST, Wanted

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
Json = dict[str, Any]


def rows_of(runs: Path, own: Path | None = None, reference: Path | None = None) -> Rows:
    return Rows(Boards(runs, own=lambda visitor: own, reference=reference or runs / "none"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_runs(tmp_path_factory.mktemp("shown"))


@pytest.fixture
def rows(runs: Path) -> Rows:
    return rows_of(runs)


@pytest.fixture(scope="module")
def app(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("app"), runs=str(runs)) as found:
        yield found


def parts(rows: Rows, **said: str) -> Json:
    """All parts of an answer by name."""
    answer = rows.answer(said)
    assert tuple(answer["rows"]) == ROWS and set(LISTS) - {"near", "pair"} <= set(answer["lists"]) <= set(LISTS)
    return {**answer["rows"], **answer["lists"], "waits": answer["waits"]}


def labels(text: str) -> list[str]:
    return re.findall(r'class="row-name">(?:\d+\. )?([^<]*)<', text)


def choices(part: Json) -> list[str]:
    return [id_ for _, id_ in part["choices"]]


def get(app: Running, **said: str) -> Json:
    with urlopen(f"{app.url}{served.PATH}?{urlencode(said)}") as answer:
        return dict(json.load(answer))


def test_rows_are_shown_at_once_and_ties_when_they_are_asked_for(rows: Rows) -> None:
    first = parts(rows)
    assert "Working out which" in first["waits"] and len(labels(first["table"])) == 8 and ", tie" not in first["table"]
    told = parts(rows, ties="1")
    assert not told["waits"] and ", tie" in told["table"]
    again = parts(rows)
    assert again == told, "what was worked out is held"
    assert "8 of 8 rows on these images. 2 runs cannot be shown" in again["status"]
    assert "eee555" in again["refused"] and "1 of 2 pipelines" in again["refused"]


def test_ties_that_two_ask_for_are_worked_out_once(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    worked, begun, go_on, pairs = list[int](), Event(), Event(), chart.pairs

    def slow(read: Any, seed: int) -> Any:
        worked.append(seed)
        begun.set()
        assert go_on.wait(60)
        return pairs(read, seed)

    monkeypatch.setattr(chart, "pairs", slow)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(parts, rows, ties="1")
        assert begun.wait(60)
        other = pool.submit(parts, rows, ties="1")
        assert parts(rows)["waits"], "who asks for none is not held up"
        go_on.set()
        assert one.result(60)["table"] == other.result(60)["table"]
    assert len(worked) == 1


def test_images_are_chosen_and_never_mixed(rows: Rows) -> None:
    first = parts(rows)
    both, usual = choices(first["images"]), first["images"]["value"]
    (other,) = set(both) - {usual}
    assert labels(parts(rows, images=other)["table"]) == ["lone"]
    assert "value" not in parts(rows, images=other)["images"], "what is chosen stays"
    assert parts(rows, images="no such hash")["images"]["value"] == usual
    assert "1 row on other images would fit" in parts(rows, search="lone")["status"]


def test_a_run_to_ship_of_stays_while_it_is_among_those_on_the_images(rows: Rows) -> None:
    first = parts(rows)
    newest, *others = choices(first["run"])
    assert first["run"]["value"] == next(id_ for id_ in (newest, *others) if id_.endswith("aaa111")), "dice has no mIoU"
    (kept,) = (id_ for id_ in others if id_.endswith("bbb222"))
    assert "value" not in parts(rows, run=kept, search="nothing like it")["run"]
    (elsewhere,) = set(choices(first["images"])) - {first["images"]["value"]}
    assert parts(rows, run=kept, images=elsewhere)["run"]["value"].endswith("ccc333")


@pytest.mark.parametrize(
    ("said", "left"),
    [({"search": "near"}, ["near"]), ({"use": "yes", "search": "aaa111"}, ["good", "half", "near"]), ({"device": "cuda"}, []),
     ({"search": "nothing like it"}, []), ({"size_mb": "1", "search": "aaa111"}, ["good", "half", "away"])],
)  # fmt: skip
def test_filters_leave_the_rest_out(rows: Rows, said: dict[str, str], left: list[str]) -> None:
    found = parts(rows, **said)
    assert labels(found["table"]) == left and [words.split(" · ")[0] for words, _ in found["row"]["choices"]] == left
    assert f"{len(left)} of 8 rows" in found["status"]
    if not left:
        assert "No row passes" in found["table"] and "No row passes" in found["chart"]
        assert found["first"] == found["second"] == {"choices": [], "value": None}


def test_two_to_compare_are_the_first_two_that_ran(rows: Rows) -> None:
    found = parts(rows, search="aaa111")
    assert len(choices(found["row"])) == 5 and len(choices(found["first"])) == 4, "what did not run has no records"
    assert [found["first"]["value"], found["second"]["value"]] == choices(found["first"])[:2]


def test_shipped_images_come_last_however_new_their_run_is(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "aaa111", tmp_path / "own" / "aaa111")
    shutil.copytree(runs / "ccc333", tmp_path / "shipped" / "ccc333")
    touched(tmp_path / "shipped" / "ccc333", created="2027-01-01T00:00:00+00:00")
    ours = rows_of(tmp_path / "own", reference=tmp_path / "shipped")
    assert ours.boards.look("me").runs[0].folder.name == "ccc333"
    assert labels(parts(ours)["table"])[0] == "good"


def test_more_rows_are_shown_when_asked(rows: Rows) -> None:
    few, all_ = parts(rows, most="3"), parts(rows, most="53")
    assert len(labels(few["table"])) == len(choices(few["row"])) == 3 and few["more"] is True
    assert len(labels(all_["table"])) == 8 and all_["more"] is False


def test_there_is_an_end_of_rows_and_it_is_told(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST", 4)
    last = parts(rows, most="1000")
    assert len(labels(last["table"])) == 4 and last["more"] is False
    assert "8 of 8 rows on these images. No more than 4 are shown: filter the others." in last["status"]
    assert "No more than" not in parts(rows, most="3")["status"]


def test_without_runs_it_says_what_to_type(tmp_path: Path) -> None:
    found = parts(rows_of(tmp_path))
    assert "python -m benchmarks.run" in found["status"] and found["table"] == found["chart"] == ""
    assert found["images"] == found["run"] == {"choices": [], "value": None} and not found["waits"]
    assert found["near"] == found["pair"] == "", "nothing is left of what went"


def test_a_question_is_as_its_address_says_and_otherwise_usual() -> None:
    assert understood({}).wanted == Wanted() and understood(dict.fromkeys(NAMES, "")).wanted == Wanted(columns=())
    assert understood({"columns": "nonsense"}).wanted.columns == ()
    said = {"page": "me", "images": "a", "run": "b", "metric": "dice", "search": "near " * 100_000, "device": "cpu",
            "use": "yes", "size_mb": "12.5", "sort": "p50", "columns": "run,quality,nonsense", "most": "1e9"}  # fmt: skip
    asked = understood(said)
    assert (asked.page, asked.images, asked.run, asked.ties, asked.anew) == ("me", "a", "b", False, False)
    assert asked.wanted == Wanted(
        "dice", ("near " * 100)[:LONGEST], "cpu", "yes", 12.5, "p50", ("quality", "run"), MOST
    )
    assert set(asked.wanted.columns) < set(COLUMNS)
    both = understood({"ties": "1", "anew": "1"})
    assert both.ties and both.anew


@pytest.mark.parametrize(
    "said",
    [{"metric": "iou'; drop"}, {"device": "tpu"}, {"use": "never"}, {"sort": "__class__"}, {"size_mb": "-1"},
     {"size_mb": "nan"}, {"size_mb": "inf"}, {"most": "many"}, {"most": "-inf"}],
)  # fmt: skip
def test_what_nobody_can_ask_is_refused_in_words(rows: Rows, said: dict[str, str]) -> None:
    with pytest.raises(
        UsageError, match="is nothing that rows can be asked for|The (weights in MB|number of rows) cannot be"
    ):
        rows.answer(said)


def test_the_app_gives_the_same_rows_and_has_nobody_keep_them(app: Running) -> None:
    rows = Rows(app.app.boards)
    rows.warm()
    assert get(app, ties="1", search="aaa111") == json.loads(json.dumps(rows.answer({"search": "aaa111"})))
    with urlopen(f"{app.url}{served.PATH}") as answer:
        assert answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_what_goes_wrong_is_answered_in_words(app: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HTTPError) as refused:
        get(app, metric="<script>alert(1)</script>")
    assert (
        refused.value.code == 400
        and "nothing that rows can be asked for by metric" in json.load(refused.value)["detail"]
    )
    monkeypatch.setattr(served, "shown", lambda *given: 1 / 0)
    with pytest.raises(HTTPError) as broken:
        get(app)
    assert broken.value.code == 500 and "number" in json.load(broken.value)["detail"]
    gone = UsageError("The records of /home/ada/runs/aaa111 are gone.", "Run its command again.")
    monkeypatch.setattr(Rows, "answer", lambda self, said: (_ for _ in ()).throw(gone))
    with pytest.raises(HTTPError) as refused:
        get(app)
    said = json.load(refused.value)["detail"]
    assert "are gone. Run its command again." in said and "ada" not in said


def test_who_finds_too_many_waiting_is_told_so_and_the_others_are_answered(
    app: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, known = Event(), served.shown
    monkeypatch.setattr(served, "WAITING", 3)
    monkeypatch.setattr(served, "shown", lambda *given: (go_on.wait(60), known(*given))[1])

    def asked(number: int) -> int:
        try:
            get(app, search=str(number))
        except HTTPError as error:
            return error.code
        finally:
            go_on.set()
        return 200

    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(asked, range(20)))
    assert codes.count(429) >= 1 and codes.count(200) >= served.AT_ONCE + 3 and set(codes) == {200, 429}
    assert get(app)["rows"]["table"], "and afterwards there is room again"


def test_a_visitors_own_runs_are_shown_to_their_page_alone(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "ccc333", tmp_path / "ada" / "0c0c0c")
    ours = Rows(Boards(runs, own=lambda visitor: tmp_path / visitor if visitor else None, reference=runs / "none"))
    assert parts(ours, page="ada", search="0c0c0c")["status"].count("would fit") == 1
    assert "would fit" not in parts(ours, page="bob", search="0c0c0c")["status"]
    assert "would fit" not in parts(ours, search="0c0c0c")["status"]


def test_what_is_read_ahead_is_known_when_it_is_asked_for(rows: Rows, caplog: pytest.LogCaptureFixture) -> None:
    rows.warm()
    assert not parts(rows)["waits"] and not caplog.records


def test_records_that_are_gone_keep_nobody_from_starting(
    runs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = shutil.copytree(runs / "aaa111", tmp_path / "runs" / "aaa111")
    for records in copy.glob("*/samples.jsonl"):
        records.unlink()
    broken = rows_of(tmp_path / "runs")
    broken.warm()
    assert "not read ahead: The records of" in caplog.text
    assert labels(parts(broken)["table"])[0] == "good", "what is known of them is shown"
