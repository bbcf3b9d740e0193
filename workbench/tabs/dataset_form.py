"""What can be seen and moved in the tab Dataset; nothing happens here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.catalogue import Offer, begins
from workbench.settings import MAX_FILE_SIZE
from workbench.studies import wording
from workbench.studies.intake import COINS, UPLOAD
from workbench.studies.rules import Rules

BUDGETS_S = (1, 60)
EVERY_S = 1.0
USUAL_IMAGES, USUAL_BUDGET_S = 20, 3
SHOWN = [("What the dataset says", ""), ("Boxes of the true masks", "boxes"), ("Points in the true masks", "points")]
FORMS = (
    "<p>A folder with <code>images/</code> and <code>masks/</code> of the same names; or COCO, YOLO-seg, PASCAL VOC, "
    "CVAT masks, labelme, or pictures with <code>metadata.csv</code>. It is found out which. Without masks speed is "
    "measured, and quality is not. At most {packed} MB packed, and {unpacked:,} MB unpacked.</p>"
)


@dataclass(frozen=True)
class Form:
    """All of the tab.

    Attributes:
        source: which dataset.
        file: a ZIP of one.
        profile: begins.
        stop: ends what is under way.
        link: that opens the study again.
        profile_state: how far the profile is.
        found: what is there once it is done.
        summary: the answer of the profile.
        files: to take home.
        show: shows the whole report, or hides it.
        viewer: of it.
        suspects: to leave out.
        propose: ticks those of the profile.
        none: ticks none.
        listed: what is left out.
        pipelines: of the benchmark.
        limit: number of images.
        budget: seconds for the timing of each pipeline.
        prompts: what to look for.
        prompt_from: where points and boxes come from.
        start: begins the benchmark.
        halt: ends it.
        run_state: how far it is.
        rows: what came of it.
        board: leads to the leaderboard.
        timer: that asks how far it is, while anything is under way.
    """

    source: gr.Radio
    file: gr.File
    profile: gr.Button
    stop: gr.Button
    link: gr.Textbox
    profile_state: gr.HTML
    found: gr.Column
    summary: gr.HTML
    files: gr.HTML
    show: gr.Button
    viewer: gr.HTML
    suspects: gr.CheckboxGroup
    propose: gr.Button
    none: gr.Button
    listed: gr.HTML
    pipelines: gr.CheckboxGroup
    limit: gr.Number
    budget: gr.Slider
    prompts: gr.Textbox
    prompt_from: gr.Radio
    start: gr.Button
    halt: gr.Button
    run_state: gr.HTML
    rows: gr.HTML
    board: gr.Button
    timer: gr.Timer

    @property
    def asked(self) -> list[Any]:
        """What says which benchmark is wanted."""
        return [self.suspects, self.pipelines, self.limit, self.budget, self.prompts, self.prompt_from]

    @property
    def shown(self) -> list[Any]:
        """All that a study changes."""
        return [self.source, self.file, self.link, self.profile_state, self.found, self.summary, self.files, self.show,
                self.viewer, self.suspects, self.listed, *self.asked[1:], self.run_state, self.rows,
                self.board, self.timer]  # fmt: skip


def build(offers: Sequence[Offer], offered: Iterable[str], rules: Rules) -> Form:
    """The tab, inside a Gradio context.

    Args:
        offers: pipelines that can be tried.
        offered: names of datasets of this machine.
        rules: of studies, which are told.
    """
    parts = _source(offered, rules)
    with gr.Column(visible=False, elem_id="dataset-found") as found:
        parts |= _found()
    return Form(**parts, found=found, **_benchmark(offers), timer=gr.Timer(EVERY_S, active=False))


def _source(offered: Iterable[str], rules: Rules) -> dict[str, Any]:
    style = wording.STYLE.read_text(encoding="utf-8")
    gr.HTML(f"<style>{style}</style><h2>1 · Your dataset: is it fit to judge pipelines with?</h2>")
    names = [("Coins, which come with the app", COINS), ("My own, as a ZIP", UPLOAD), *((one, one) for one in offered)]
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            source = gr.Radio(names, value=COINS, label="Dataset", elem_id="dataset-source")
            file = gr.File(label="ZIP of your dataset", file_types=[".zip"], visible=False, height=130,
                           elem_id="dataset-file")  # fmt: skip
        with gr.Column(scale=2, min_width=300):
            forms = FORMS.format(packed=MAX_FILE_SIZE.removesuffix("mb"), unpacked=rules.data_mb)
            gr.HTML(f"<details><summary>What may be in the ZIP</summary>{forms}</details>")
            link = gr.Textbox(label="This link opens your study again, for whoever has it", interactive=False,
                              info=f"It is kept for {rules.age_s / 3600:g} hours after it was last opened, unless room "
                              "is needed.", visible=False, buttons=["copy"], max_lines=1,
                              elem_id="dataset-link")  # fmt: skip
    with gr.Row():
        profile = gr.Button("Profile", variant="primary", elem_id="dataset-profile", scale=3)
        stop = gr.Button("Stop the profile", variant="stop", elem_id="dataset-stop", scale=1, min_width=150)
    state = gr.HTML(wording.profile_state(None), elem_id="dataset-state")
    return {"source": source, "file": file, "link": link, "profile": profile, "stop": stop, "profile_state": state}


def _found() -> dict[str, Any]:
    summary = gr.HTML("", elem_id="dataset-summary")
    files = gr.HTML("", elem_id="dataset-files")
    show = gr.Button("Show the whole report here", size="sm", elem_id="dataset-show")
    viewer = gr.HTML("", elem_id="dataset-viewer", visible=False)
    gr.HTML("<h3>Images to leave out of a benchmark</h3>")
    suspects = gr.CheckboxGroup([], label="Ticked images are left out; those that the profile would leave out are "
                                "ticked at first", elem_id="dataset-suspects")  # fmt: skip
    with gr.Row():
        propose = gr.Button("Tick what the profile proposes", size="sm", elem_id="dataset-propose")
        none = gr.Button("Tick none", size="sm", elem_id="dataset-none")
    listed = gr.HTML("", elem_id="dataset-list")
    return {"summary": summary, "files": files, "show": show, "viewer": viewer, "suspects": suspects,
            "propose": propose, "none": none, "listed": listed}  # fmt: skip


def _benchmark(offers: Sequence[Offer]) -> dict[str, Any]:
    gr.HTML("<h2>2 · Try pipelines on it</h2>")
    names = [(title_of(offer, preset), label_of(offer, preset))
             for offer in offers if offer.reason is None for preset in offer.presets]  # fmt: skip
    chosen = [label_of(offer, "default") for offer in begins(offers)]
    pipelines = gr.CheckboxGroup(names, value=chosen, label="Pipelines", elem_id="dataset-pipelines")
    with gr.Row():
        limit = gr.Number(USUAL_IMAGES, label="Images", minimum=1, precision=0, elem_id="dataset-limit",
                          info="Evenly spaced over the dataset; empty = all.", min_width=160)  # fmt: skip
        budget = gr.Slider(*BUDGETS_S, value=USUAL_BUDGET_S, step=1, label="Seconds for the timing of each pipeline",
                           buttons=[], elem_id="dataset-budget", min_width=220)  # fmt: skip
        prompts = gr.Textbox(label="Labels, one a line", lines=2, max_lines=8, elem_id="dataset-prompts",
                             info="For pipelines that take text; empty = as the dataset says.",
                             min_width=220)  # fmt: skip
    prompt_from = gr.Radio(SHOWN, value="", label="Points and boxes for SAM", elem_id="dataset-prompt-from",
                           info="From the true masks: as if clicked by one who knows the answer.")  # fmt: skip
    with gr.Row():
        start = gr.Button("Start the benchmark", variant="primary", elem_id="dataset-start", scale=3)
        halt = gr.Button("Stop the benchmark", variant="stop", elem_id="dataset-halt", scale=1, min_width=180)
    state = gr.HTML(wording.run_state(None), elem_id="dataset-run-state")
    rows = gr.HTML("", elem_id="dataset-rows")
    board = gr.Button("See it on the leaderboard", size="sm", visible=False, elem_id="dataset-board")
    return {"pipelines": pipelines, "limit": limit, "budget": budget, "prompts": prompts, "prompt_from": prompt_from,
            "start": start, "halt": halt, "run_state": state, "rows": rows, "board": board}  # fmt: skip


def label_of(offer: Offer, preset: str) -> str:
    """How a pipeline is asked for on a command line."""
    return offer.name if preset == "default" else f"{offer.name}@{preset}"


def title_of(offer: Offer, preset: str) -> str:
    """How it is called for people."""
    return offer.title if preset == "default" else f"{offer.title}, preset {preset}"
