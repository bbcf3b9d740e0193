"""The tab Blind vote as a visitor meets it: two results, no names, one vote, then the names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np
import pytest

from benchmarks.preferences.standings import standings
from pipelines.errors import ResourceError, UnavailableError, UsageError, WorkbenchError
from tests.workbench.apps import Running, request, running
from tests.workbench.test_app import picture
from tests.workbench.test_votes import contestant, vote
from workbench.examples import example
from workbench.tabs.vote import VoteDesk
from workbench.votes.book import Vote
from workbench.votes.contest import MOST_NAMES, MOST_PAGES, Named
from workbench.votes.duels import Duel

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
TWO = ["classical", "acting"]
VOTER = "ab" * 16


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("votes")
    with running(folder, kept=str(folder / "kept"), give_votes=True) as found:
        yield found


@pytest.fixture
def desk(app: Running) -> VoteDesk:
    return desk_of(app)


def desk_of(app: Running) -> VoteDesk:
    """Bound to a callback of the tab, from where it is taken."""
    found = [fn.fn for fn in app.app.demo.fns.values() if fn.fn is not None]
    return next(one.__wrapped__.__self__ for one in found if getattr(one, "__name__", "") == "take_over")


def lines(desk: VoteDesk) -> list[Any]:
    path = desk.duels.book.path
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def shown(desk: VoteDesk, page: str, path: str | None, who: list[str] | None = None, voter: str = VOTER) -> Any:
    *_, last = desk.show(request(page), path, "", who or TWO, "Overlay", voter)
    return last


def test_two_results_and_nothing_that_names_them(app: Running, desk: VoteDesk) -> None:
    updates = shown(desk, "a", app.upload(picture()))
    left, right = updates[desk.form.left], updates[desk.form.right]
    said = json.dumps([left, right, updates[desk.form.status]], default=str).lower()
    assert not re.search("classical|acting|fine|preset| ms| s ", said)
    assert re.fullmatch(r"Result A, overlay: \d+\.\d% of the picture found", left["alt_text"])
    names = [Path(one["value"]).name for one in (left, right)]
    assert all(re.fullmatch(r"[0-9a-f]{8}\.png", name) for name in names) and len(set(names)) == 2
    assert updates[desk.form.two]["visible"] and all(updates[button]["interactive"] for button in desk.form.buttons)
    assert not lines(desk), "nothing is written before the vote"


def test_a_vote_is_on_the_disk_before_the_names_are_shown(app: Running, desk: VoteDesk) -> None:
    shown(desk, "b", app.upload(picture(110)))
    duel, before = desk.duels.booth("b").duel, len(lines(desk))
    updates = desk.vote("left")(request("b"))
    written = Vote.model_validate(lines(desk)[-1])
    assert len(lines(desk)) == before + 1 and written.id == duel.id and written.choice == "left" and written.counts
    assert written.visitor == VOTER and written.name == "own picture"
    assert {written.left.label, written.right.label} == set(TWO) and written.left.label == duel.left.contestant.label
    told = updates[desk.form.told]
    assert "Acting · acting" in told and "It is written down and counts." in told and "IoU" not in told
    assert f"<td>A</td><td>{duel.left.title}" in told
    assert all(updates[button]["interactive"] is False for button in desk.form.buttons)
    assert "1 vote" in updates[desk.form.board]


def test_there_is_one_vote_and_none_once_names_are_shown(app: Running, desk: VoteDesk) -> None:
    with pytest.raises(UsageError, match="nothing to vote on"):
        desk.vote("left")(request("nobody"))
    shown(desk, "c", app.upload(picture(120)))
    desk.vote("tie")(request("c"))
    for again in (desk.vote("right"), desk.names):
        with pytest.raises(UsageError, match="names of these two are shown"):
            again(request("c"))
    shown(desk, "d", app.upload(picture(121)))
    updates = desk.names(request("d"))
    assert "There is no vote on these two" in updates[desk.form.told]
    last = Vote.model_validate(lines(desk)[-1])
    assert last.choice is None and last.void == "names were shown"
    with pytest.raises(UsageError, match="names of these two are shown"):
        desk.vote("left")(request("d"))


def test_who_knows_the_names_of_a_picture_is_not_asked_about_it(app: Running, desk: VoteDesk) -> None:
    shown(desk, "e", app.upload(picture(130)))
    desk.vote("both_bad")(request("e"))
    for page, voter in (("e", ""), ("another page of the same browser", VOTER)):
        with pytest.raises(UsageError, match="with their names"):
            shown(desk, page, app.upload(picture(130)), voter=voter)
    assert shown(desk, "another visitor", app.upload(picture(130)), voter="cd" * 16)[desk.form.left]


def test_names_in_compare_make_it_void(app: Running, desk: VoteDesk) -> None:
    path = app.upload(picture(140))
    shown(desk, "f", path)
    app.compare("f", path, {"acting": {}})
    updates = desk.vote("right")(request("f"))
    assert "does not count: the tab Compare" in updates[desk.form.told]
    assert Vote.model_validate(lines(desk)[-1]).void == "names were shown"
    app.compare("g", path, {"acting": {}})
    with pytest.raises(UsageError, match=r"with their names: acting\."):
        shown(desk, "g", path, voter="ef" * 16)


def test_names_seen_in_compare_are_known_when_another_picture_is_open_there(app: Running, desk: VoteDesk) -> None:
    path = app.upload(picture(141))
    shown(desk, "r", path, voter="41" * 16)
    app.compare("r", path, {"acting": {}})
    app.compare("r", app.upload(picture(142)), {"acting": {}})
    assert "does not count: the tab Compare" in desk.vote("right")(request("r"))[desk.form.told]
    assert Vote.model_validate(lines(desk)[-1]).void == "names were shown"
    desk.received(request("r"), None)
    with pytest.raises(UsageError, match="with their names: acting, classical"):
        shown(desk, "r", path, voter="42" * 16)
    desk.duels.leave("r")
    assert "r" not in desk.duels.named.held, "of a page that left nothing is kept"


def test_what_is_known_by_name_has_a_bound() -> None:
    named = Named()
    named.add("a", "p", ["first"])
    for n in range(MOST_NAMES):
        named.add("a", "q", [str(n)])
    assert named.of("a", "p") == set() and len(named.of("a", "q")) == MOST_NAMES
    for n in range(MOST_PAGES):
        named.add(f"page {n}", "p", ["x"])
    assert len(named.held) == MOST_PAGES and named.of("a", "q") == set()


def test_same_results_are_no_question(app: Running, desk: VoteDesk) -> None:
    same, before = np.zeros((40, 60, 3), np.uint8), len(lines(desk))
    updates = list(_quietly(desk, "h", app.upload(same)))
    assert "found exactly the same" in updates[-1][desk.form.status]
    void = [Vote.model_validate(line) for line in lines(desk)[before:]]
    assert [(one.choice, one.void) for one in void] == [(None, "same mask")]
    list(_quietly(desk, "h", app.upload(same)))
    assert len(lines(desk)) == before + 1, "that they are the same is written once"


def _quietly(desk: VoteDesk, page: str, path: str, who: list[str] | None = None) -> Iterator[Any]:
    with pytest.raises(WorkbenchError):
        yield from desk.show(request(page), path, "", who or TWO, "Overlay", "12" * 16)


def test_who_cannot_run_is_left_out_and_said(app: Running, desk: VoteDesk) -> None:
    from workbench.catalogue import Order

    broken = {**desk.orders, "acting": Order("acting", "default", {"act": "raise"})}
    bad = VoteDesk(desk.duels, desk.form, broken)
    with pytest.raises(UnavailableError, match="acting took no part: .*the bulb is broken"):
        shown(bad, "i", app.upload(picture(150)))
    classical = [label for label in desk.orders if label.startswith("classical")]
    for seed in range(6):  # until the broken one was drawn
        shown(bad, f"i{seed}", app.upload(picture(151 + seed)), [*classical[:2], "acting"], voter="")
        told = bad.vote("tie")(request(f"i{seed}"))[bad.form.told]
        assert "Made by" in told and "Acting · acting" not in told
        if "took no part" in told:
            break
    else:
        pytest.fail("the broken one was never drawn")
    with pytest.raises(UsageError, match="fewer than two"):
        shown(desk, "j", app.upload(picture(160)), ["acting"])


def test_the_true_mask_gives_iou_beside_the_vote_and_after_it(desk: VoteDesk) -> None:
    taken = desk.take("coin")(request("k"))
    updates = shown(desk, "k", taken[desk.form.picture], voter="34" * 16)
    assert "IoU" not in json.dumps(updates[desk.form.left], default=str)
    duel = desk.duels.booth("k").duel
    told = desk.vote("left")(request("k"))[desk.form.told]
    assert f"{duel.left.iou:.3f}" in told and "Your vote does not enter it" in told
    written = Vote.model_validate(lines(desk)[-1])
    assert written.name == "coin" and written.iou == (duel.left.iou, duel.right.iou)
    assert "(1 picture)" in desk.board()


def test_views_change_without_a_further_look_and_alike(app: Running, desk: VoteDesk) -> None:
    shown(desk, "l", app.upload(picture(170)))
    for view in ("Mask", "Cut-out", "Overlay"):
        updates = desk.view(request("l"), view)
        for side, of in ((desk.form.left, "A"), (desk.form.right, "B")):
            assert updates[side]["alt_text"].startswith(f"Result {of}, {view.lower()}:")
            assert cv2.imread(updates[side]["value"]).shape == (40, 60, 3)
    assert list(desk.view(request("nobody"), "Mask")) == [desk.form.left]
    for side in (desk.duels.booth("l").duel.left, desk.duels.booth("l").duel.right):
        Path(side.pictures["Mask"]).unlink()
    with pytest.raises(UsageError, match="no longer kept"):
        desk.view(request("l"), "Mask")


def test_another_picture_takes_the_two_away(app: Running, desk: VoteDesk) -> None:
    shown(desk, "m", app.upload(picture(180)))
    updates = desk.received(request("m"), app.upload(picture(181)))
    assert updates[desk.form.two]["visible"] is False and desk.duels.booth("m").duel is None
    with pytest.raises(UsageError, match="nothing to vote on"):
        desk.vote("left")(request("m"))
    desk.received(request("m"), None)
    assert desk.duels.visits.find("vote m") is None
    with pytest.raises(UsageError, match="no picture"):
        shown(desk, "m", None)


def test_the_picture_of_compare_comes_with_its_mask(app: Running, desk: VoteDesk) -> None:
    with pytest.raises(UsageError, match="No picture is open in the tab Compare"):
        desk.take_over(request("n"), "")
    truth = np.zeros((40, 60), np.uint8)
    truth[:, :30] = 255
    path = app.upload(picture(190))
    app.compare("n", path, {"sam3": {}, "rmbg": {}, "acting": {"act": "raise"}}, truth=app.upload(truth))
    updates = desk.take_over(request("n"), "leaf")
    assert updates[desk.form.picture] == path and updates[desk.form.prompt] == "leaf"
    shown(desk, "n", path)
    assert desk.duels.booth("n").duel.left.iou is not None


def test_an_example_taken_over_has_its_own_true_mask_whatever_compare_was_given(app: Running, desk: VoteDesk) -> None:
    taken = desk.take("gravel")(request("r"))
    shown(desk, "r", taken[desk.form.picture], voter="56" * 16)
    own = desk.duels.booth("r").duel
    path, _ = example("gravel").put(app.app.shelf)
    forged = app.upload(np.full(example("gravel").sample.image.shape[:2], 255, np.uint8))
    app.compare("s", path, {"acting": {"act": "raise"}}, truth=forged)
    desk.take_over(request("s"), "")
    shown(desk, "s", path, voter="78" * 16)
    other = desk.duels.booth("s").duel
    assert other.name == "gravel"
    assert _ious(other) == _ious(own), "of the embedded mask, not of the one that was given"


def _ious(duel: Duel) -> dict[str, float | None]:
    return {side.contestant.label: side.iou for side in (duel.left, duel.right)}


def test_a_full_disk_counts_no_vote_and_shows_no_name(app: Running, desk: VoteDesk, monkeypatch: Any) -> None:
    import errno

    shown(desk, "o", app.upload(picture(200)))
    before = desk.duels.book.path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(ResourceError, match=r"No space left.*does not count"):
        patch.setattr("workbench.votes.book.os.fsync", full)
        desk.vote("left")(request("o"))
    assert desk.duels.book.path.read_bytes() == before and desk.duels.booth("o").duel.state == "open"
    desk.vote("left")(request("o"))
    assert len(desk.duels.book.path.read_bytes()) > len(before)


def test_the_table_is_worked_out_once_for_the_same_votes(desk: VoteDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr("workbench.votes.wording.standings", lambda given: made.append(given) or standings(given))
    desk.duels.book.add(vote())
    assert desk.board() == desk.board() and len(made) == 1
    desk.duels.book.add(vote(left=contestant("third")))
    assert "third" in desk.board() and len(made) == 2


def test_files_of_all_votes_hold_no_picture_and_no_address(desk: VoteDesk) -> None:
    table, kept = (Path(one["value"]) for one in desk.files())
    assert table.name == "votes.csv" and kept.read_bytes() == desk.duels.book.path.read_bytes()
    first = json.loads(kept.read_text().splitlines()[0])
    assert set(first) == {"schema_version", "id", "time", "visitor", "picture", "name", "left", "right", "choice",
                          "void", "iou"}  # fmt: skip
    assert "127.0.0.1" not in kept.read_text()


def test_a_page_that_leaves_is_forgotten(app: Running, desk: VoteDesk) -> None:
    shown(desk, "p", app.upload(picture(210)))
    desk.duels.leave("p")
    assert "p" not in desk.duels.booths and desk.duels.visits.find("vote p") is None


def test_all_events_are_private_and_looks_share_their_queue(app: Running, desk: VoteDesk) -> None:
    named = [(getattr(fn.fn, "__name__", ""), fn) for fn in app.app.demo.fns.values()]
    ours = {name: fn for name, fn in reversed(named) if name in ("show", "count_vote", "names", "take_over", "board")}
    assert len(ours) == 5 and all(fn.api_visibility == "private" for fn in ours.values())
    assert (ours["show"].concurrency_id, ours["show"].concurrency_limit) == ("looks", 1)
    assert ours["take_over"].concurrency_id == "quick"
    assert {ours[name].concurrency_id for name in ("board", "count_vote", "names")} == {"votes"}, "nothing waits for it"


def test_a_name_of_a_visitor_is_a_random_one_or_a_new_one(desk: VoteDesk) -> None:
    assert desk.duels.know("q", VOTER) == VOTER
    for made_up in ("", "<b>", "z" * 32, VOTER + "0"):
        found = desk.duels.know(f"q {made_up}", made_up)
        assert re.fullmatch("[0-9a-f]{32}", found) and found != made_up
    assert isinstance(desk.form.voter, gr.BrowserState)
