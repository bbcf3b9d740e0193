"""The tab Leaderboard as its callbacks are called: what is filtered, opened, linked to and refused."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from typer.testing import CliRunner

from tests.workbench.apps import request
from tests.workbench.boarding import folder_of_runs, touched
from workbench.boards.stored import Boards
from workbench.plainly import plainly
from workbench.tabs import leaderboard
from workbench.tabs.leaderboard import Desk

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
USUAL = ("miou", "", "any", "any", 0, "rank", ["quality", "p50", "notes"], 25)


def built(runs: Path, own: Path | None = None, reference: Path | None = None) -> Desk:
    """The tab alone, made in an event loop that ends: Gradio leaves those open that it makes."""

    async def make() -> Desk:
        with gr.Blocks(analytics_enabled=False) as demo, gr.Tab("Leaderboard") as tab:
            boards = Boards(runs, own=lambda visitor: own, reference=reference or runs / "none")
            desk = leaderboard.build(demo, tab, boards)
            leaderboard.follow(gr.Button("See it on the leaderboard"), desk)
            return desk

    return asyncio.run(make())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of_runs(tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def desk(runs: Path) -> Desk:
    return built(runs)


def shown(desk: Desk, images: str | None = None, run: str | None = None, **changes: Any) -> list[dict[Any, Any]]:
    """What an opening sends: the rows, and their ties where those have to be worked out."""
    names = ("metric", "search", "device", "use", "size_mb", "sort", "columns", "most")
    filters = {**dict(zip(names, USUAL, strict=True)), **changes}
    asked = (request("me"), images, run, *filters.values())
    first = desk.show(*asked)
    return [first, desk.tie(*asked)] if desk.form.waits in first else [first]


def labels(text: str) -> list[str]:
    return re.findall(r'class="row-name">(?:\d+\. )?([^<]*)<', text)


def choices(update: dict[str, Any]) -> list[str]:
    return [value for _, value in update["choices"]]


def test_the_first_opening_shows_rows_at_once_and_ties_after(desk: Desk) -> None:
    first, second = shown(desk)
    assert "Working out which" in first[desk.form.table] and "Working out which" not in second[desk.form.table]
    assert len(labels(first[desk.form.table])) == 8
    assert set(second) == {desk.form.table, desk.form.chart}, "nothing that may be chosen changes under the hand"
    (again,) = shown(desk)
    assert again[desk.form.table] == second[desk.form.table]
    assert "8 of 8 rows on these images. 2 runs cannot be shown" in again[desk.form.status]
    assert "eee555" in again[desk.form.refused] and "1 of 2 pipelines" in again[desk.form.refused]


def test_what_is_shown_while_ties_are_worked_out_is_drawn_once_more_after_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(desk)
    met, tell = list[dict[Any, Any]](), desk.ties.tell
    monkeypatch.setattr(
        desk.ties, "tell", lambda ranked: met.append(desk.show(request("me"), None, None, *USUAL)) or tell(ranked)
    )
    desk.tie(request("me"), None, None, *USUAL)
    assert desk.form.waits in met[-1] and desk.form.waits not in shown(desk)[0], "else the older ties would stay"


def test_images_are_chosen_and_never_mixed(desk: Desk) -> None:
    first = shown(desk)[0]
    both = choices(first[desk.form.images])
    assert len(both) == 2
    other = next(one for one in both if one != first[desk.form.images]["value"])
    assert labels(shown(desk, other)[0][desk.form.table]) == ["lone"]
    assert shown(desk, "no such hash")[0][desk.form.images]["value"] == first[desk.form.images]["value"]
    assert "1 row on other images would fit" in shown(desk, search="lone")[0][desk.form.status]


@pytest.mark.parametrize(
    ("change", "left"),
    [({"search": "near"}, ["near"]), ({"use": "yes", "search": "aaa111"}, ["good", "half", "near"]), ({"device": "cuda"}, []),
     ({"search": "nothing like it"}, []), ({"size_mb": 1, "search": "aaa111"}, ["good", "half", "away"])],
)  # fmt: skip
def test_filters_leave_the_rest_out(desk: Desk, change: dict[str, Any], left: list[str]) -> None:
    update = shown(desk, **change)[0]
    assert labels(update[desk.form.table]) == left
    if not left:
        assert "No row passes" in update[desk.form.table] and update[desk.form.row]["choices"] == []


def test_a_search_of_any_length_is_cut(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    original = leaderboard.table.fits
    monkeypatch.setattr(leaderboard.table, "fits", lambda e, wanted: seen.append(wanted.search) or original(e, wanted))
    shown(desk, search="near " * 100_000)
    assert set(seen) == {("near " * 40)} and desk.form.search.max_length == 200


def test_shipped_images_come_last_however_new_their_run_is(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "aaa111", tmp_path / "own" / "aaa111")
    shutil.copytree(runs / "ccc333", tmp_path / "shipped" / "ccc333")
    touched(tmp_path / "shipped" / "ccc333", created="2027-01-01T00:00:00+00:00")
    ours = built(tmp_path / "own", reference=tmp_path / "shipped")
    assert ours.boards.look("me").runs[0].folder.name == "ccc333"
    assert labels(shown(ours)[0][ours.form.table])[0] == "good"


def test_more_rows_are_shown_when_asked(desk: Desk) -> None:
    first = shown(desk, most=3)[0]
    assert len(labels(first[desk.form.table])) == 3 and first[desk.form.more]["visible"]
    assert len(choices(first[desk.form.row])) == 3
    more = desk.more(request("me"), None, None, *USUAL[:-1], 3)
    assert (
        more[desk.form.most] == 53 and len(labels(more[desk.form.table])) == 8 and not more[desk.form.more]["visible"]
    )


def test_a_name_that_is_pressed_opens_its_row_and_no_other_can_be_made_up(desk: Desk) -> None:
    id_ = choices(shown(desk)[0][desk.form.row])[0]
    update = desk.press(request("me"), gr.EventData(None, {"row": id_}))
    assert update[desk.form.row]["value"] == id_ and "Worst images of good" in update[desk.form.near]
    for bad in ("../../etc", "", "folder-000000-aaa111/00-x", 5):
        with pytest.raises(gr.Error, match="no such row"):
            plainly(desk.press)(request("me"), gr.EventData(None, {"row": bad}))


def test_a_link_opens_its_run(desk: Desk) -> None:
    run = next(run for run in desk.boards.look("me").runs if run.folder.name == "ccc333")
    update = desk.opened(request("me", tab="leaderboard", run=run.id))
    assert labels(update[desk.form.table]) == ["lone"] and update[desk.form.run]["value"] == run.id
    assert update[desk.form.search] == "ccc333"
    assert update[desk.form.given] == run.id
    kept = shown(desk, run.manifest.dataset.hash, run.id)[0]
    assert "value" not in kept[desk.form.run], "what was chosen stays"
    other = shown(desk, None, run.id)[0]
    assert other[desk.form.run]["value"] == other[desk.form.given] != run.id, "of other images it is no run"
    assert list(desk.opened(request("me"))) == [desk.form.status], "a page that asks for nothing changes nothing"
    with pytest.raises(gr.Error, match="no finished run"):
        plainly(desk.opened)(request("me", tab="leaderboard", run="../../etc"))


def test_a_button_of_another_tab_shows_the_newest_run_of_ones_own(desk: Desk, runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "ccc333", tmp_path / "0c0c0c")
    ours = built(runs, own=tmp_path)
    (run,) = (one for one in ours.boards.look("me").runs if one.origin == "yours")
    first = shown(ours)[0]
    assert run.manifest.dataset.hash != first[ours.form.images]["value"], "other images are shown at first"
    update = plainly(ours.newest)(request("me"))
    assert update[ours.form.images]["value"] == run.manifest.dataset.hash and update[ours.form.run]["value"] == run.id
    assert labels(update[ours.form.table]) == ["lone"] and choices(update[ours.form.row])[0].startswith(run.id)
    cleared = {part: update[part] for part in (ours.form.search, ours.form.device, ours.form.use, ours.form.size_mb)}
    assert list(cleared.values()) == ["0c0c0c", "any", "any", 0], "no filter of before leaves it out"
    assert set(update) <= set(ours.alone)
    with pytest.raises(gr.Error, match="You have no finished run"):
        plainly(desk.newest)(request("me"))


def test_a_link_to_a_run_that_is_not_finished_says_so(desk: Desk) -> None:
    id_ = next(one.id for one in desk.boards.look("me").refused if "eee555" in one.id)
    with pytest.raises(gr.Error, match="1 of 2 pipelines are measured"):
        list(plainly(desk.opened)(request("me", tab="leaderboard", run=id_)))


def test_what_to_ship_follows_the_limits(desk: Desk) -> None:
    run = next(run for run in desk.boards.look("me").runs if run.folder.name == "aaa111")
    assert "Ship good." in desk.advise(request("me"), run.id, 0, 0, 0, False)
    assert "Nothing fits." in desk.advise(request("me"), run.id, 1, 0, 0, False)
    assert "forbids commercial use" in desk.advise(request("me"), run.id, None, None, 0, True)
    assert desk.advise(request("me"), None, 0, 0, 0, False) == ""
    with pytest.raises(gr.Error, match="cannot be -1"):
        plainly(desk.advise)(request("me"), run.id, -1, 0, 0, False)


def test_two_are_compared_and_the_same_one_is_refused(desk: Desk) -> None:
    first, second = (
        update["value"] for update in (shown(desk)[0][part] for part in (desk.form.first, desk.form.second))
    )
    assert "95 % interval" in desk.pair(request("me"), first, second)
    with pytest.raises(gr.Error, match="the same row"):
        plainly(desk.pair)(request("me"), first, first)
    with pytest.raises(gr.Error, match="no such row"):
        plainly(desk.pair)(request("me"), first, None)


def test_without_runs_the_tab_says_what_to_type(tmp_path: Path) -> None:
    desk = built(tmp_path)
    (update,) = shown(desk)
    assert "python -m benchmarks.run" in update[desk.form.status] and update[desk.form.table] == ""
    assert update[desk.form.images]["choices"] == []


def test_the_folder_of_runs_may_be_named_on_the_command_line() -> None:
    from workbench.__main__ import app
    from workbench.settings import Settings

    assert Settings().runs == "runs"
    assert "--runs" in CliRunner().invoke(app, ["--help"], terminal_width=200).stdout


def test_no_event_is_given_a_list_that_it_fills_anew(desk: Desk) -> None:
    """A browser asks twice when a choice is made and the list left; by the second time it is of another list."""
    form = desk.form
    filled = {
        part._id for part in (form.run, form.row, form.first, form.second)
    }  # images are only ever added to theirs
    root: Any = form.table
    while root.parent is not None:
        root = root.parent
    fills = [fn for fn in root.fns.values() if filled <= {part._id for part in fn.outputs}]
    assert len(fills) == 5, "opened, shown, made anew, more, the newest"
    assert not any(filled & {part._id for part in fn.inputs} for fn in fills)
