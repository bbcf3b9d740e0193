"""The leaderboard in Chromium: opened, filtered, looked into, compared, asked what to ship, linked to, by anybody."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from benchmarks.metrics import METRICS
from tests.benchmarks.reporting import made_dataset, of
from tests.browser.conftest import leave, looks, opened
from tests.browser.screen import QUIET, Screen
from tests.workbench.apps import Running, running
from tests.workbench.boarding import N, finished, folder_of_runs, touched
from workbench.boards.table import SHOWN

pytestmark = QUIET
AGAINST = "mIoU against the best"


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The app with six stored runs."""
    folder = tmp_path_factory.mktemp("leaderboard")
    with running(folder, runs=str(folder_of_runs(folder))) as found:
        yield found


@pytest.fixture(scope="module")
def board(boards: Running, context: BrowserContext) -> Iterator[Screen]:
    """The leaderboard, open, for all tests that leave its filters alone."""
    yield from on_top(context, boards)


@pytest.fixture
def fresh(boards: Running, context: BrowserContext) -> Iterator[Screen]:
    """The leaderboard, open in a page of its own."""
    yield from on_top(context, boards)


@pytest.fixture
def unopened(boards: Running, context: BrowserContext) -> Iterator[Screen]:
    """A page of the app, in which nobody has opened the leaderboard yet."""
    yield from opened(context, boards)


def on_top(context: BrowserContext, boards: Running) -> Iterator[Screen]:
    for found in opened(context, boards):
        found.tab("Leaderboard")
        expect(found.page.locator("#board-table")).to_contain_text("tie")
        expect(found.page.locator("#board-answer")).to_contain_text("Ship")
        yield found


def names(screen: Screen) -> list[str]:
    return [re.sub(r"^\d+\. ", "", text) for text in screen.page.locator("#board-table .row-name").all_inner_texts()]


def status(screen: Screen, words: str) -> None:
    expect(screen.page.locator("#board-status")).to_contain_text(words)


def until(page: Page, there: Callable[[], bool]) -> None:
    """Wait, for half a minute at most, while the page goes on."""
    for _ in range(300):
        if there():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it never came")


def test_it_opens_with_ranks_intervals_ties_and_a_picture(board: Screen) -> None:
    table = board.page.locator("#board-table")
    status(board, "8 of 8 rows on these images. 2 runs cannot be shown")
    expect(table.get_by_role("row").nth(1)).to_contain_text("best")
    expect(table).to_contain_text("not measured: random weights")
    expect(board.page.locator("#board-chart svg")).to_have_attribute("role", "img")
    refused = board.page.locator("#board-refused details")
    refused.locator("summary").click()
    expect(refused).to_contain_text("1 of 2 pipelines are measured")


def test_a_row_opens_its_worst_images_and_every_figure(board: Screen) -> None:
    board.page.locator("#board-table .row-name", has_text="half").click()
    near = board.page.locator("#board-near")
    expect(near).to_contain_text("Worst images of half")
    expect(near).to_be_focused()
    expect(near.locator("article img").first).to_be_visible()
    expect(near).to_contain_text("RuntimeError: dark")
    near.get_by_text("as report --json has them").click()
    expect(near.get_by_role("row").filter(has_text="metrics.miou.value")).to_be_visible()


def test_two_rows_are_compared_image_by_image(board: Screen) -> None:
    board.page.get_by_label("B", exact=True).click()
    board.page.get_by_role("option").filter(has_text="far").click()
    board.button("Compare the two").click()
    pair = board.page.locator("#board-pair")
    expect(pair.get_by_role("row").filter(has_text="latency, A / B")).to_be_visible()
    expect(pair).to_contain_text("Where A is better by most")
    expect(pair.locator("article")).to_have_count(3)


def test_what_to_ship_changes_with_the_limits(board: Screen) -> None:
    answer, page = board.page.locator("#board-answer"), board.page
    page.get_by_label("Run", exact=True).click()
    page.get_by_role("option").filter(has_text="aaa111").click()
    expect(answer).to_contain_text("Ship good.")
    expect(answer).to_contain_text("away: unavailable")
    page.get_by_label("Commercial use allowed").check()
    expect(answer).to_contain_text("far: its licence forbids commercial use")
    page.get_by_label("number input for Memory, at most MB (0 = any)").fill("5")
    expect(answer).to_contain_text("Nothing fits.")
    expect(answer).to_contain_text("peak memory of the process 100 MB is over the limit of 5 MB")


def images(screen: Screen, words: str) -> None:
    screen.page.get_by_label("Images", exact=True).click()
    screen.page.get_by_role("option").filter(has_text=words).click()


def test_images_are_chosen_and_rows_searched_filtered_and_sorted(fresh: Screen) -> None:
    images(fresh, ": 6 images")
    status(fresh, "1 of 1 row")
    assert names(fresh) == ["lone"]
    expect(fresh.page.locator("#board-answer")).to_contain_text("Ship lone.")
    images(fresh, ": 12 images")
    status(fresh, "8 of 8 rows")
    expect(fresh.page.locator("#board-answer")).not_to_contain_text("Ship lone.")
    run = fresh.page.get_by_label("Run", exact=True)
    run.click()
    fresh.page.get_by_role("option").filter(has_text="bbb222").click()
    expect(fresh.page.locator("#board-answer")).to_contain_text("Ship good.")
    fresh.page.get_by_label("Search").fill("aaa111")
    status(fresh, "5 of 8 rows")
    expect(run).to_have_value(re.compile("bbb222"))  # a filter is of the rows, not of what is to be shipped
    expect(fresh.page.get_by_test_id("toast-text")).to_have_count(0)  # of a run that was in the list before
    fresh.pick("Commercial use", "allowed, or no weights")
    status(fresh, "3 of 8 rows")
    assert names(fresh) == ["good", "half", "near"]
    fresh.pick("Sort by", "name")
    expect(fresh.page.locator("#board-table caption")).to_contain_text("by name")
    fresh.unfold("Columns")
    fresh.page.get_by_label("Licence of the weights").check()
    expect(fresh.page.locator("#board-table")).to_contain_text("maker/free")
    fresh.page.get_by_label(AGAINST).uncheck()
    expect(fresh.page.locator("#board-table thead")).not_to_contain_text(AGAINST)
    fresh.pick("Quality by", f"miss_rate: {METRICS['miss_rate'].title}")
    expect(fresh.page.locator("#board-table thead")).to_contain_text("miss_rate, lower is better")


def test_a_link_opens_the_run_and_a_wrong_one_says_so(boards: Running, context: BrowserContext, board: Screen) -> None:
    board.page.locator("#board-table .row-name", has_text="half").click()
    link = board.page.locator("#board-near").get_by_role("link", name="Link to this run").get_attribute("href")
    fresh, wrong = Screen.of(context, boards.url), Screen.of(context, boards.url)
    fresh.open(str(link))
    status(fresh, "5 of 8 rows")
    expect(fresh.page.get_by_role("tab", name="Leaderboard", exact=True)).to_have_attribute("aria-selected", "true")
    expect(fresh.page.locator("#board-answer")).to_contain_text("Ship good.")
    leave(fresh)
    wrong.open("?tab=leaderboard&run=../../etc/passwd")
    wrong.said("There is no finished run of that name.")
    leave(wrong)


def test_by_keyboard_alone_from_the_table_to_the_worst_image(fresh: Screen) -> None:
    keyboard = fresh.page.keyboard
    fresh.page.get_by_label("Search").focus()
    keyboard.type("aaa111")
    status(fresh, "5 of 8 rows")
    fresh.reach(fresh.page.locator("#board-table .row-name").first)
    keyboard.press("Enter")
    expect(fresh.page.locator("#board-near")).to_contain_text("Worst images of good")
    fresh.reach(fresh.button("Compare the two"))
    keyboard.press("Enter")
    expect(fresh.page.locator("#board-pair")).to_contain_text("latency, A / B")


def test_axe_finds_no_barrier_by_day_and_night_on_a_desk_and_a_telephone(fresh: Screen) -> None:
    fresh.unfold("Columns")
    fresh.page.locator("#board-table .row-name", has_text="half").click()
    expect(fresh.page.locator("#board-near")).to_contain_text("Worst images of half")
    fresh.button("Compare the two").click()
    expect(fresh.page.locator("#board-pair table").first).to_be_visible()
    for part in fresh.page.locator(".board details").all():
        part.evaluate("part => part.open = true")
    found = {look: (fresh.barriers(), fresh.overflow()) for look in looks(fresh.page)}
    assert len(found) == 4 and {look: said for look, said in found.items() if said[0] or said[1] > 0} == {}


def test_the_newest_question_is_what_is_shown_and_a_failure_says_so(fresh: Screen) -> None:
    page, held, asked = fresh.page, list[Route](), list[str]()
    page.on("request", lambda request: asked.append(request.url) if "board/rows" in request.url else None)
    page.route(re.compile(r"board/rows\?.*search=far"), lambda route: held.append(route))
    page.get_by_label("Search").fill("far")
    until(page, lambda: len(held) == 1)
    page.get_by_label("Search").fill("fa")
    page.get_by_label("Search").fill("near")
    page.wait_for_timeout(200)
    assert len(asked) == 1 and len(names(fresh)) == 8, "one question at a time"
    held[0].continue_()
    status(fresh, "1 of 8 rows")
    assert names(fresh) == ["near"] and len(asked) == 2, "nothing of the older one is shown, and none between is asked"
    page.route(re.compile(r"board/rows\?.*search=half"), lambda route: route.abort())
    page.get_by_label("Search").fill("half")
    status(fresh, "The app did not give these rows: It does not answer. Press Refresh to ask again.")
    assert names(fresh) == ["near"], "what was there stays"
    assert len(fresh.troubles) == 1 and "ERR_FAILED" in fresh.troubles.pop(), "the browser's own, in its console"
    page.unroute_all()
    fresh.button("Refresh").click()
    status(fresh, "1 of 8 rows")
    assert names(fresh) == ["half"]


def test_more_rows_are_shown_and_what_changed_is_seen(context: BrowserContext, tmp_path: Path) -> None:
    data = made_dataset(tmp_path / "data", N)
    run = finished(tmp_path / "runs" / "aaa111", data, {f"row{n:02d}": of(N, n % 6) for n in range(18)})
    with running(tmp_path, runs=str(tmp_path / "runs")) as app:
        for found in on_top(context, app):
            assert len(names(found)) == SHOWN
            found.button("Show more rows").click()
            expect(found.page.locator("#board-table .row-name")).to_have_count(18)
            expect(found.button("Show more rows")).to_be_hidden()
            touched(run, created="2027-01-02T03:04:05+00:00")
            found.button("Refresh").click()
            expect(found.page.locator("#board-table")).to_contain_text("2027-01-02")
            expect(found.page.locator("#board-answer")).to_contain_text("Ship row")


def test_a_page_asks_once_as_itself_and_older_ties_hide_no_failure(unopened: Screen) -> None:
    screen = unopened
    page, asked, ties = screen.page, list[str](), list[Route]()

    def answered(route: Route) -> None:
        asked.append(route.request.url)
        if "ties=1" in asked[-1]:
            ties.append(route)
        elif "search=good" in asked[-1]:
            route.abort()
        else:
            route.fulfill(json={**route.fetch().json(), "waits": "<p>It waits for them.</p>"})

    page.route(re.compile(r"board/rows\?"), answered)
    screen.tab("Leaderboard")
    until(page, lambda: bool(ties))
    expect(page.locator("#board-table")).to_contain_text("It waits for them.")
    expect(page.get_by_label("Images", exact=True)).to_have_value(re.compile("data: 12 images"))
    page.wait_for_timeout(500)
    assert sum("ties=1" not in url for url in asked) == 1, "images that are chosen for the visitor ask nothing anew"
    assert page.evaluate("window.__gradio_session_hash__") in asked[0], "else nobody would see runs of their own"
    page.get_by_label("Search").fill("good")
    status(screen, "The app did not give these rows")
    ties[0].continue_()
    page.wait_for_timeout(1000)
    status(screen, "The app did not give these rows")
    screen.troubles.clear()
