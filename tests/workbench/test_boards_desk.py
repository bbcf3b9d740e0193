"""The tab Leaderboard as its callbacks are called: what is opened, linked to, compared, advised and refused."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from typer.testing import CliRunner

from tests.workbench.apps import request
from tests.workbench.boarding import folder_of_runs
from workbench.boards.query import NAMES
from workbench.boards.stored import Boards, Run
from workbench.boards.table import ANY, SHOWN
from workbench.plainly import plainly
from workbench.tabs import leaderboard
from workbench.tabs.leaderboard import Desk

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


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


def named(desk: Desk, folder: str) -> Run:
    return next(run for run in desk.boards.look("me").runs if run.folder.name == folder)


def test_a_name_that_is_pressed_opens_its_row_and_no_other_can_be_made_up(desk: Desk) -> None:
    id_ = named(desk, "aaa111").entries[0].id
    update = desk.press(request("me"), gr.EventData(None, {"row": id_}))
    assert update[desk.form.row] == id_ and "Worst images of good" in update[desk.form.near]
    assert desk.near(request("me"), None) == ""
    for bad in ("../../etc", "", "folder-000000-aaa111/00-x", 5):
        with pytest.raises(gr.Error, match="no such row"):
            plainly(desk.press)(request("me"), gr.EventData(None, {"row": bad}))


def test_a_link_opens_its_run(desk: Desk) -> None:
    run, form = named(desk, "ccc333"), desk.form
    update = desk.opened(request("me", tab="leaderboard", run=run.id))
    assert (update[form.images], update[form.run]) == (run.manifest.dataset.hash, run.id)
    assert (update[form.search], update[form.device], update[form.use], update[form.size_mb]) == ("ccc333", ANY, ANY, 0)
    assert desk.opened(request("me")) == {form.images: gr.skip()}, "a page that asks for nothing changes nothing"
    assert set(update) == set(desk.alone)
    with pytest.raises(gr.Error, match="no finished run"):
        plainly(desk.opened)(request("me", tab="leaderboard", run="../../etc"))


def test_a_button_of_another_tab_shows_the_newest_run_of_ones_own(desk: Desk, runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "ccc333", tmp_path / "0c0c0c")
    ours = built(runs, own=tmp_path)
    (run,) = (one for one in ours.boards.look("me").runs if one.origin == "yours")
    update, form = plainly(ours.newest)(request("me")), ours.form
    assert (update[form.images], update[form.run]) == (run.manifest.dataset.hash, run.id)
    cleared = [update[part] for part in (form.search, form.device, form.use, form.size_mb, form.metric, form.most)]
    assert cleared == ["0c0c0c", ANY, ANY, 0, "miou", SHOWN], "no filter of before leaves it out"
    assert set(update) == set(ours.alone)
    with pytest.raises(gr.Error, match="You have no finished run"):
        plainly(desk.newest)(request("me"))


def test_a_link_to_a_run_that_is_not_finished_says_so(desk: Desk) -> None:
    id_ = next(one.id for one in desk.boards.look("me").refused if "eee555" in one.id)
    with pytest.raises(gr.Error, match="1 of 2 pipelines are measured"):
        list(plainly(desk.opened)(request("me", tab="leaderboard", run=id_)))


def test_what_to_ship_follows_the_limits(desk: Desk) -> None:
    run = named(desk, "aaa111")
    assert "Ship good." in desk.advise(request("me"), run.id, 0, 0, 0, False)
    assert "Nothing fits." in desk.advise(request("me"), run.id, 1, 0, 0, False)
    assert "forbids commercial use" in desk.advise(request("me"), run.id, None, None, 0, True)
    assert desk.advise(request("me"), None, 0, 0, 0, False) == ""
    with pytest.raises(gr.Error, match="cannot be -1"):
        plainly(desk.advise)(request("me"), run.id, -1, 0, 0, False)


def test_a_run_that_has_gone_is_not_advised_on_when_the_page_is_refreshed(desk: Desk) -> None:
    run = named(desk, "aaa111")
    assert desk.advise_anew(request("me"), run.id, 0, 0, 0, False) == desk.advise(request("me"), run.id, 0, 0, 0, False)
    assert desk.advise_anew(request("me"), "folder-000000-gone", 0, 0, 0, False) == gr.skip(), "another is chosen then"
    assert desk.advise_anew(request("me"), None, 0, 0, 0, False) == gr.skip()


@pytest.mark.parametrize("bad", [[], {}, 5, True, "x" * 10_000, ["folder"], {"value": "x"}])
def test_what_no_list_holds_is_refused_in_words(desk: Desk, bad: Any) -> None:
    """Gradio does not check what is chosen from a list that the browser fills."""
    asked, run = request("me"), named(desk, "aaa111").id
    for call in (lambda: plainly(desk.near)(asked, bad), lambda: plainly(desk.pair)(asked, bad, run),
                 lambda: plainly(desk.advise)(asked, bad, 0, 0, 0, False)):  # fmt: skip
        with pytest.raises(gr.Error, match="no such row|no finished run"):
            call()
    if not isinstance(bad, int):
        for limits in ((bad, 0, 0, False), (0, bad, 0, False), (0, 0, bad, False)):
            with pytest.raises(gr.Error, match="The limit on the .{3,7} cannot be") as refused:
                plainly(desk.advise)(asked, run, *limits)
            assert len(str(refused.value)) < 200


def test_two_are_compared_and_the_same_one_is_refused(desk: Desk) -> None:
    first, second = (entry.id for entry in named(desk, "aaa111").entries[:2])
    assert "95 % interval" in desk.pair(request("me"), first, second)
    with pytest.raises(gr.Error, match="the same row"):
        plainly(desk.pair)(request("me"), first, first)
    with pytest.raises(gr.Error, match="no such row"):
        plainly(desk.pair)(request("me"), first, None)


def test_the_folder_of_runs_may_be_named_on_the_command_line() -> None:
    from workbench.__main__ import app
    from workbench.settings import Settings

    assert Settings().runs == "runs"
    assert "--runs" in CliRunner().invoke(app, ["--help"], terminal_width=200).stdout


def test_lists_that_the_browser_fills_are_checked_by_us_alone(desk: Desk) -> None:
    """Gradio knows nothing of what is in them: it would refuse all that is chosen there."""
    form = desk.form
    filled = {part._id for part in (form.images, form.run, form.row, form.first, form.second)}
    root: Any = form.table
    while root.parent is not None:
        root = root.parent
    asked = [fn for fn in root.fns.values() if fn.fn is not None]
    given = [fn for fn in asked if filled & {part._id for part in fn.inputs}]
    chosen = [fn for fn in asked if filled & {part._id for part in fn.outputs}]
    assert len(given) >= 3 and all(fn.preprocess is False for fn in given)
    assert len(chosen) == 3 and all(fn.postprocess is False for fn in chosen), "opened, pressed, the newest"
    browser = [fn for fn in root.fns.values() if fn.fn is None and fn.js and "board." in fn.js]
    (asks,) = (fn for fn in browser if "board.rows" in fn.js)
    assert len(browser) == 4 and asks.inputs == [getattr(form, name) for name in NAMES]
