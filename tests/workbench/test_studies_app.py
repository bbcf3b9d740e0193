"""The tab Dataset as a visitor meets it: from a dataset to a verdict, a list and rows, and again by its number."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterator
from inspect import isgeneratorfunction
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import gradio as gr
import pytest

from pipelines.errors import PromptError, UsageError
from tests.conftest import photographed
from tests.workbench.apps import Running, request, running
from tests.workbench.test_studies_intake import pairs, zipped
from workbench.studies.served import POLICY
from workbench.tabs.dataset import HIDE, SHOW

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("app")
    photographed(folder / "<b>photos")
    with running(folder, kept=str(folder / "kept"), data=(str(folder / "<b>photos"),)) as found:
        yield found


@pytest.fixture(scope="module")
def last(app: Running) -> dict[Any, Any]:
    """All that is shown once a profile is done."""
    app.app.dataset.profile(request("a"), "<b>photos", None)
    return ended(app, "a")[-1]


def ended(app: Running, visitor: str) -> list[dict[Any, Any]]:
    """What the page of a visitor asks for until it asks no more."""
    desk, until, updates = app.app.dataset, time.monotonic() + 120, [dict[Any, Any]()]
    while not updates[-1] or updates[-1][desk.form.timer].active:
        assert time.monotonic() < until
        time.sleep(0.05)
        updates.append(desk.tick(request(visitor)))
    return updates[1:]


def value(update: Any) -> Any:
    return update.get("value") if isinstance(update, dict) else update


def test_the_verdict_is_shown_with_figures_and_suspects_ticked(app: Running, last: dict[Any, Any]) -> None:
    form, found = app.app.dataset.form, app.app.dataset.studies.get("a")
    summary, document = last[form.summary], found.document
    assert summary.count('class="value"') == 5 and "<b>photos" not in "".join(map(str, last.values()))
    assert f'href="study/{found.number}/profile.html#chapter-0"' in summary
    ticked = last[form.suspects]["value"]
    assert set(ticked) == {one["sample"] for one in document["suspects"] if one["exclude"]} and ticked
    assert f"{len(ticked)} of 6 images are left out" in last[form.listed]
    assert "is done" in last[form.profile_state] and last[form.found]["visible"]


def test_another_choice_is_another_list(app: Running, last: dict[Any, Any]) -> None:
    desk = app.app.dataset
    choices = [one for _, one in last[desk.form.suspects]["choices"]]
    said = desk.ticked(request("a"), choices[:1])[desk.form.listed]
    assert "1 of 6 images are left out" in said
    number = desk.studies.get("a").number
    lines = urlopen(f"{app.url}study/{number}/exclude.txt").read().decode().splitlines()
    assert [line.partition(",")[0] for line in lines if not line.startswith("#")] == choices[:1]
    assert set(desk.propose(request("a"))[desk.form.suspects]) <= set(choices)


def test_the_report_is_served_to_whoever_has_the_number_and_runs_nothing(app: Running, last: dict[Any, Any]) -> None:
    desk = app.app.dataset
    found = desk.studies.get("a")
    shown = desk.show(request("a"), SHOW)
    assert '<iframe sandbox="" ' in value(shown[desk.form.viewer]) and shown[desk.form.show] == HIDE
    assert value(desk.show(request("a"), HIDE)[desk.form.viewer]) == ""
    with urlopen(f"{app.url}study/{found.number}/profile.html") as answer:
        assert answer.headers["Content-Security-Policy"] == POLICY and answer.read() == found.page.read_bytes()
        assert answer.headers["Cache-Control"] == "no-store" and "attachment" not in str(answer.headers)
    with urlopen(f"{app.url}study/{found.number}/profile.json?save=1") as answer:
        assert "attachment" in answer.headers["Content-Disposition"] and json.load(answer)["n"] == 6
    for path in (f"{'0' * 32}/profile.html", f"{found.number}/study.json", f"{found.number}/%2e%2e%2fstudy.json"):
        with pytest.raises(HTTPError) as error:
            urlopen(f"{app.url}study/{path}")
        assert error.value.code == 404
        error.value.close()


def test_a_benchmark_of_two_is_shown_in_rows_and_one_that_fails_says_why(app: Running, last: dict[Any, Any]) -> None:
    desk, form = app.app.dataset, app.app.dataset.form
    asked, desk.studies.known = ["acting", "acting:size=none"], (*desk.studies.known, "acting:size=none")
    ticked = last[form.suspects]["value"][:1]
    first = desk.benchmark(request("a"), ticked, asked, 3, 1, "", "")
    assert first[form.rows] == "" and first[form.timer].active
    updates = [first, *ended(app, "a")]
    end = updates[-1]
    assert "The benchmark is done" in end[form.run_state], end[form.run_state]
    assert "<td>acting</td>" in end[form.rows] and end[form.board]["visible"]
    assert "Without a result" in end[form.rows] and "There is no checkpoint of that size" in end[form.rows]
    assert any("images through acting" in str(one.get(form.run_state)) or "begins" in str(one.get(form.run_state))
               for one in updates)  # fmt: skip
    manifest, _ = desk.studies.get("a").ran()
    assert manifest.dataset.exclude == tuple(ticked) and manifest.dataset.n == 3


def test_a_link_opens_the_study_again_with_all_that_was_asked(app: Running, last: dict[Any, Any]) -> None:
    desk, form = app.app.dataset, app.app.dataset.form
    number = desk.studies.get("a").number
    first = desk.opened(request("b", study=number))
    assert "is done" in first[form.profile_state] and not first[form.timer].active
    assert first[form.source] == "<b>photos" and value(first[form.link]) == f"?study={number}"
    assert desk.opened(request("c"))[form.link] == gr.skip()
    with pytest.raises(gr.Error, match="no study of that number"):
        from workbench.plainly import plainly

        plainly(desk.opened)(request("c", study="../../etc"))


def test_a_zip_is_profiled_and_profiled_again_without_a_new_one(app: Running, tmp_path: Path) -> None:
    desk, form = app.app.dataset, app.app.dataset.form
    path = zipped(tmp_path, pairs())
    desk.profile(request("z"), "upload", str(path))
    assert "The profile of “my_photos” is done" in ended(app, "z")[-1][form.profile_state]
    data = desk.studies.get("z").record.data
    again = desk.profile(request("z"), "upload", None)
    assert "begins" in again[form.profile_state] and again[form.timer].active
    assert desk.studies.get("z").record.data == data
    stopped = desk.stop(request("z"))
    assert "called off" in stopped[form.profile_state] and not stopped[form.found]["visible"]
    assert not stopped[form.timer].active


def test_a_page_that_was_lost_for_a_minute_goes_on_where_it_was(app: Running, last: dict[Any, Any]) -> None:
    """The app lets go of pages of which it hears nothing; what is under way there goes on, and the page has its link."""
    desk, form = app.app.dataset, app.app.dataset.form
    found = desk.studies.begin("lost", "coins")
    link, over = f"{app.url}?a=b&study={found.number}", Event()
    found.thread = Thread(target=over.wait)
    found.thread.start()
    desk.studies.leave("lost")
    assert desk.tick(request("lost"), link)[form.timer].active and desk.studies.find("lost") is found
    desk.studies.leave("lost")
    over.set()
    assert "nothing is judged yet" not in desk.stop(request("lost"), link)[form.profile_state] and found.off.is_set()
    desk.studies.leave("lost")
    with pytest.raises(UsageError, match="not profiled yet"):
        desk.benchmark(request("lost"), [], ["acting"], 3, 1, "", "", link)
    desk.studies.leave("lost")
    with pytest.raises(UsageError, match="no file yet"):
        desk.profile(request("lost"), "upload", None, link)
    assert desk.studies.find("lost") is found
    inputs = {fn.name: fn.inputs for fn in app.app.demo.fns.values() if fn.concurrency_id in ("studies", "files")}
    for name in ("tick", "stop", "benchmark", "profile", "ticked", "propose", "show"):
        assert form.link in inputs[name], name


def test_a_page_whose_study_is_no_longer_kept_is_told_once(app: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()
    monkeypatch.setattr(gr, "Warning", lambda text, **_: said.append(text))
    desk = app.app.dataset
    assert not desk.tick(request("late"), f"?study={'0' * 32}")[desk.form.timer].active
    assert len(said) == 1 and "no longer kept. Begin a new one." in said[0]


def test_labels_are_as_many_as_anybody_needs(app: Running, last: dict[Any, Any]) -> None:
    desk = app.app.dataset
    for prompts in ("\n" * 1_000_000, "\n".join(map(str, range(51))), "a" * 1001):
        tracemalloc.start()
        with pytest.raises(PromptError):
            desk.benchmark(request("a"), [], ["acting"], 3, 1, prompts, "")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 1_000_000
    desk.benchmark(request("a"), [], ["acting"], 1, 1, " disc = a grey disc \n\nring=a ring\n", "")
    assert desk.studies.get("a").record.wanted.prompts == ("disc = a grey disc", "ring=a ring")
    desk.stop(request("a"))


def test_no_page_that_watches_holds_a_thread(app: Running) -> None:
    """Gradio has 40 of them: as many pages that are told all the time would be the end for everybody else."""
    desk, form = app.app.dataset, app.app.dataset.form
    found = desk.studies.begin("watches", "coins")
    over = Event()
    found.thread = Thread(target=over.wait)
    found.thread.start()
    start = time.monotonic()
    assert all(desk.tick(request("watches"))[form.timer].active for _ in range(60)) and time.monotonic() - start < 1
    over.set()
    found.thread.join()
    assert not desk.tick(request("watches"))[form.timer].active
    assert not desk.tick(request("nobody"))[form.timer].active
    held = [
        fn.name for fn in app.app.demo.fns.values() if fn.concurrency_id == "studies" and isgeneratorfunction(fn.fn)
    ]
    assert held == []


def test_what_is_told_of_limits_is_what_they_are(app: Running) -> None:
    form, rules = app.app.dataset.form, app.app.dataset.studies.rules
    words = " ".join(str(one.value) for one in app.app.demo.blocks.values() if isinstance(one, gr.HTML))
    assert f"At most 200 MB packed, and {rules.data_mb} MB unpacked" in words
    assert "24 hours" in str(form.link.info) and "unless room is needed" in str(form.link.info)
    assert "whoever has it" in str(form.link.label)


def test_nothing_is_done_without_a_dataset(app: Running) -> None:
    desk, form = app.app.dataset, app.app.dataset.form
    assert desk.chosen("upload")[form.file]["visible"] and not desk.chosen("coins")[form.file]["visible"]
    assert "nothing is judged yet" in desk.stop(request("nobody"))[form.profile_state]
    with pytest.raises(UsageError, match="no dataset yet"):
        desk.benchmark(request("nobody"), [], ["acting"], 3, 1, "", "")
    with pytest.raises(UsageError, match="no file yet"):
        desk.profile(request("nobody"), "upload", None)
