"""The tab Dataset: what happens in it, and which event calls what."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from pipelines.errors import UsageError
from workbench.given.pointing import prompt_of
from workbench.plainly import tell
from workbench.service import Service
from workbench.studies import study, wording
from workbench.studies.intake import UPLOAD
from workbench.studies.store import Studies
from workbench.studies.study import LIST, Study, Wanted
from workbench.tabs import dataset_form
from workbench.tabs.dataset_form import Form
from workbench.tabs.events import SLOW, on

SHOW, HIDE = "Show the whole report here", "Hide the report"
KEEP_LINK = """(said) => {
  const number = /study=([0-9a-f]{32})/.exec(said || '');
  if (!number) return said;
  const here = new URL(window.location.href);
  here.searchParams.set('study', number[1]);
  window.history.replaceState(null, '', here);
  return here.origin + here.pathname + '?study=' + number[1];
}"""
"""Puts the number of the study into the address, so that a reload opens it again; the link to hand on says no more."""

TO_OWN = """() => {
  if (!window.location.search.includes('study=')) return;
  [...document.querySelectorAll('[role=tab]')].find(tab => tab.textContent.trim() === 'Dataset')?.click();
}"""
NUMBER = re.compile(r"study=([0-9a-f]{32})(?![0-9a-f])")
Updates = dict[Any, Any]
Listen = Callable[..., Any]


@dataclass(frozen=True)
class DatasetDesk:
    """Everything that callbacks need, and the callbacks.

    Attributes:
        studies: of all visitors.
        form: that shows them.
    """

    studies: Studies
    form: Form

    def chosen(self, source: str) -> Updates:
        """Another kind of dataset: a ZIP needs a place to be put."""
        return {self.form.file: gr.update(visible=source == UPLOAD)}

    def found(self, request: gr.Request, link: str) -> Study | None:
        """The study that the page shows, or None; one that the app let go, for it heard nothing, is opened again.

        Args:
            request: of the page.
            link: that stands on it, and has the number.

        Raises:
            UsageError: it is no longer kept.
        """
        number, visitor = NUMBER.search(link or ""), str(request.session_hash)
        return self.studies.find(visitor) or (self.studies.enter(visitor, number[1]) if number else None)

    def shown(self, request: gr.Request, link: str) -> Study:
        """The same, where there has to be one.

        Raises:
            UsageError: there is none.
        """
        return self.found(request, link) or self.studies.get(str(request.session_hash))

    def profile(self, request: gr.Request, source: str, upload: str | None, link: str = "") -> Updates:
        """Take the dataset and begin to profile it; where the study of the page is no longer kept, in a new one."""
        with suppress(UsageError):
            self.found(request, link)
        found = self.studies.begin(str(request.session_hash), source, Path(upload) if upload else None)
        self.studies.profile(found)
        return self.whole(found)

    def benchmark(self, request: gr.Request, ticked: list[str], pipelines: list[str], limit: float | None,
                  budget_s: float, prompts: str, prompt_from: str, link: str = "") -> Updates:  # fmt: skip
        """Begin the benchmark that is wanted."""
        found = self.shown(request, link)
        texts = prompt_of(prompts or "", "").texts
        left_out = self._with_unseen(found, ticked)
        wanted = Wanted(pipelines=tuple(pipelines), limit=int(limit) if limit else None, budget_s=budget_s,
                        prompts=texts, prompt_from=prompt_from or None, left_out=left_out)  # fmt: skip
        self.studies.benchmark(found, wanted)
        return {self.form.rows: "", self.form.board: gr.update(visible=False)} | self.far(found)

    def _with_unseen(self, found: Study, ticked: list[str]) -> tuple[str, ...]:
        """What is ticked, and what the profile would leave out of those that the page has no room for."""
        document = found.document
        if document is None:
            return ()
        seen = {value for _, value in wording.choices(document)}
        return (*ticked, *(one for one in study.proposed(document) if one not in seen))

    def tick(self, request: gr.Request, link: str = "") -> Updates:
        """How far it is now, or all that came of it; it waits for nothing, for all pages share few threads."""
        try:
            found = self.found(request, link)
        except UsageError as error:  # swept away; told once, for the page then asks no more
            tell(error)
            found = None
        if found is None:
            return {self.form.timer: gr.Timer(active=False)}
        return self.far(found) if found.is_busy else self.whole(found)

    def far(self, found: Study) -> Updates:
        """How far what is under way is; the page asks again, also where it ended since and all of it is to be shown."""
        return {self.form.profile_state: wording.profile_state(found),
                self.form.run_state: wording.run_state(found), self.form.timer: gr.Timer(active=True)}  # fmt: skip

    def stop(self, request: gr.Request, link: str = "") -> Updates:
        """Call off what is under way."""
        found = self.found(request, link)
        if found is None:
            return {self.form.profile_state: wording.profile_state(None)}
        self.studies.stop(found)
        return self.whole(found)

    def opened(self, request: gr.Request) -> Updates:
        """A study by the number in the address; what the end of the app cut off goes on."""
        number = dict(request.query_params).get("study")
        if number is None:
            return {self.form.link: gr.skip()}
        return self.whole(self.studies.enter(str(request.session_hash), number), again=True)

    def whole(self, found: Study, *, again: bool = False) -> Updates:
        """All that there is to see of a study.

        Args:
            found: the study.
            again: whether it was opened again, so that what was asked for is shown too.
        """
        form, busy, document = self.form, found.is_busy, found.document  # what ends meanwhile is shown by the next tick
        shown: Updates = {
            form.timer: gr.Timer(active=busy),
            form.link: gr.update(value=f"?study={found.number}", visible=True),
            form.profile_state: wording.profile_state(found),
            form.run_state: wording.run_state(found),
            form.found: gr.update(visible=document is not None),
            form.viewer: gr.update(value="", visible=False), form.show: SHOW,
        }  # fmt: skip
        if document is not None and (again or found.record.last != "benchmark"):
            shown |= self._profiled(found, document)
        if again:
            shown |= {form.source: found.record.source, form.file: gr.update(visible=found.record.source == UPLOAD)}
        return shown | self._ran(found) | (self._asked(found) if again else {})

    def _profiled(self, found: Study, document: study.Document) -> Updates:
        form, choices = self.form, wording.choices(document)
        wanted = found.record.wanted
        left_out = set(wanted.left_out if wanted else study.proposed(document))
        ticked = [value for _, value in choices if value in left_out]
        return {form.summary: wording.summary(found, document), form.files: wording.files(found),
                form.suspects: gr.update(choices=choices, value=ticked, visible=bool(choices)),
                form.listed: self._listed(found, document, ticked)}  # fmt: skip

    def _listed(self, found: Study, document: study.Document, ticked: list[str]) -> str:
        names = study.write_list(document, self._with_unseen(found, ticked), found.folder / LIST)
        return wording.listed(found, document, len(names))

    def _ran(self, found: Study) -> Updates:
        ran = found.ran()
        rows = wording.rows_table(*ran, found.folder) if ran else ""
        return {self.form.rows: rows, self.form.board: gr.update(visible=bool(ran))}

    def _asked(self, found: Study) -> Updates:
        wanted, form = found.record.wanted, self.form
        if wanted is None:
            return {}
        return {form.pipelines: list(wanted.pipelines), form.limit: wanted.limit, form.budget: wanted.budget_s,
                form.prompts: "\n".join(wanted.prompts), form.prompt_from: wanted.prompt_from or ""}  # fmt: skip

    def ticked(self, request: gr.Request, ticked: list[str], link: str = "") -> Updates:
        """Another choice of what is left out."""
        found = self.shown(request, link)
        document = found.document
        return {self.form.listed: self._listed(found, document, ticked) if document else ""}

    def propose(self, request: gr.Request, link: str = "") -> Updates:
        """Tick what the profile would leave out."""
        document = self.shown(request, link).document
        return {self.form.suspects: study.proposed(document) if document else []}

    def show(self, request: gr.Request, label: str, link: str = "") -> Updates:
        """Show the whole report, or hide it."""
        found = self.shown(request, link)
        if label == HIDE:
            return {self.form.viewer: gr.update(value="", visible=False), self.form.show: SHOW}
        return {self.form.viewer: gr.update(value=wording.viewer(found), visible=True), self.form.show: HIDE}


def build(demo: gr.Blocks, service: Service, studies: Studies) -> DatasetDesk:
    """The tab with all that happens in it, inside a Gradio context.

    Args:
        demo: the app, of which the first load may open a study.
        service: that knows which pipelines there are.
        studies: of all visitors.
    """
    form = dataset_form.build(service.offers(), studies.offered, studies.rules)
    desk = DatasetDesk(studies, form)
    _on(form.source.change, desk.chosen, form.source, form.file)
    _on(form.profile.click, desk.profile, [form.source, form.file, form.link], form.shown, **SLOW)
    _on(form.start.click, desk.benchmark, [*form.asked, form.link], form.shown)
    _on(form.timer.tick, desk.tick, form.link, form.shown)
    for button in (form.stop, form.halt):
        _on(button.click, desk.stop, form.link, form.shown)
    _on(form.suspects.change, desk.ticked, [form.suspects, form.link], form.listed, trigger_mode="always_last")
    _on(form.propose.click, desk.propose, form.link, form.suspects)
    _on(form.none.click, list, None, form.suspects)
    _on(form.show.click, desk.show, [form.show, form.link], [form.viewer, form.show])
    _on(form.link.change, None, form.link, form.link, js=KEEP_LINK)
    _on(demo.load, desk.opened, None, form.shown)
    _on(demo.load, None, js=TO_OWN)
    return desk


_on = partial(on, concurrency_id="studies")
