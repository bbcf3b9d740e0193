"""What can be seen and moved in the tab Batch; nothing happens here."""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from workbench.batches import wording
from workbench.batches.intake import BatchLimits
from workbench.catalogue import Offer, begins
from workbench.files.downloads import FILES
from workbench.settings import MAX_FILE_SIZE

ENDINGS = [".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".zip", ".tar", ".tgz", ".gz"]
BEGIN = '<p role="status">Drop pictures or an archive of them, choose pipelines, then press Start.</p>'
EVERY_S = 1.0


def _unopened(component: gr.File, payload: Any) -> list[str]:
    """Paths of the uploads; Gradio would make an empty file for each, which nobody closes."""
    return [] if payload is None else [str(one.path) for one in payload]


# Made without Gradio's metaclass, which would write a file of types beside this one.
Uploads: Any = ABCMeta.__new__(
    type(gr.File), "Uploads", (gr.File,), {"__module__": __name__, "is_template": True, "preprocess": _unopened}
)
"""Several uploads that stay closed; shown as its parent, `gradio.File`."""


@dataclass(frozen=True)
class Choice:
    """Where a pipeline is chosen."""

    offer: Offer
    box: gr.Checkbox
    preset: gr.Dropdown


@dataclass(frozen=True)
class BatchForm:
    """All of the tab.

    Attributes:
        number: a field to write into; what is written there opens a batch, and nothing else.
        current: number of the batch that is open.
    """

    files: Uploads
    prompt: gr.Textbox
    choices: list[Choice]
    keeps: gr.CheckboxGroup
    start: gr.Button
    stop: gr.Button
    go_on: gr.Button
    refusal: gr.HTML
    status: gr.HTML
    kept: gr.HTML
    number: gr.Textbox
    open: gr.Button
    shown: gr.Radio
    back: gr.Button
    place: gr.HTML
    forward: gr.Button
    table: gr.HTML
    sheet: gr.Image
    prepare: gr.Button
    bundle: gr.HTML
    current: gr.State
    page: gr.State
    seen: gr.State
    timer: gr.Timer

    @property
    def asked(self) -> list[Any]:
        """What a batch is made of."""
        chosen = [part for one in self.choices for part in (one.box, one.preset)]
        return [self.files, self.prompt, self.keeps, *chosen]

    @property
    def looked_at(self) -> list[Any]:
        """Which part of which batch is shown."""
        return [self.current, self.page, self.shown, self.seen]


def build(offers: Sequence[Offer], limits: BatchLimits) -> BatchForm:
    """The tab, inside a Gradio context.

    Args:
        offers: pipelines to choose from.
        limits: of a batch, which are told.
    """
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            given = _given(limits)
        with gr.Column(scale=3, min_width=300):
            given["choices"] = _choices(offers)
            given |= _actions()
    return BatchForm(**given, **_results(), current=gr.State(""), page=gr.State(0), seen=gr.State(""),
                     timer=gr.Timer(EVERY_S, active=False))  # fmt: skip


def _given(limits: BatchLimits) -> dict[str, Any]:
    gr.HTML("<h2>1 · Your pictures</h2>")
    files = Uploads(file_count="multiple", file_types=ENDINGS, label="Pictures, or one ZIP, TAR or TAR.GZ of them",
                    height=220, elem_id="batch-files")  # fmt: skip
    gr.HTML(wording.limited(limits, int(MAX_FILE_SIZE.removesuffix("mb"))))
    gr.HTML("<h2>2 · What to look for</h2>")
    prompt = gr.Textbox(label="Look for, one text a line", lines=2, max_lines=8, placeholder="coin",
                        info="In all pictures, by pipelines that take text.", elem_id="batch-prompt")  # fmt: skip
    return {"files": files, "prompt": prompt}


def _choices(offers: Sequence[Offer]) -> list[Choice]:
    gr.HTML("<h2>3 · Pipelines</h2>")
    first = begins(offers)
    with gr.Row(elem_classes="choices"):
        return [_choice(offer, offer in first) for offer in offers]


def _choice(offer: Offer, chosen: bool) -> Choice:
    with gr.Column(min_width=240, elem_classes="choice"):
        box = gr.Checkbox(chosen, label=offer.title, interactive=offer.reason is None, container=False,
                          elem_id=f"batch-choose-{offer.name}")  # fmt: skip
        if offer.reason is not None:
            gr.HTML(wording.cannot(offer.reason), elem_classes="reason")
        preset = gr.Dropdown(list(offer.presets), value=offer.presets[0], label=f"Preset of {offer.title} for all",
                             visible=offer.reason is None and len(offer.presets) > 1,
                             elem_id=f"batch-preset-{offer.name}")  # fmt: skip
    return Choice(offer, box, preset)


def _actions() -> dict[str, Any]:
    keeps = gr.CheckboxGroup([(FILES[kind].title, kind) for kind in ("cut_out", "soft")], elem_id="batch-keeps",
                             label="Files for each picture, beside its mask and COCO outlines")  # fmt: skip
    with gr.Row():
        start = gr.Button("Start", variant="primary", elem_id="batch-start", scale=3)
        stop = gr.Button("Stop", variant="stop", elem_id="batch-stop", scale=1, min_width=90, interactive=False)
        go_on = gr.Button("Go on", elem_id="batch-go-on", scale=1, min_width=90, visible=False)
    refusal = gr.HTML("", elem_id="batch-refusal")
    status = gr.HTML(BEGIN, elem_id="batch-status")
    kept = gr.HTML("", elem_id="batch-kept")
    with gr.Accordion("Open a batch by its number", open=False), gr.Row(elem_classes="level"):
        number = gr.Textbox(label="Number", max_lines=1, max_length=64, scale=3, elem_id="batch-number")
        opens = gr.Button("Open", size="sm", scale=1, min_width=80, elem_id="batch-open")
    return {"keeps": keeps, "start": start, "stop": stop, "go_on": go_on, "refusal": refusal, "status": status,
            "kept": kept, "number": number, "open": opens}  # fmt: skip


def _results() -> dict[str, Any]:
    gr.HTML("<h2>4 · What came</h2>")
    with gr.Row(elem_classes="level"):
        prepare = gr.Button("Make a ZIP of all results", size="sm", interactive=False, elem_id="batch-prepare")
        bundle = gr.HTML("", elem_id="batch-bundle")
    shown = gr.Radio(list(wording.SHOWN), value="All", label="Show pictures", elem_id="batch-shown")
    table = gr.HTML(wording.NOTHING, elem_id="batch-table")
    with gr.Row(elem_classes="level"):
        back = gr.Button("Page before", size="sm", interactive=False, min_width=100, elem_id="batch-back")
        place = gr.HTML("", elem_id="batch-page")
        forward = gr.Button("Next page", size="sm", interactive=False, min_width=100, elem_id="batch-forward")
    sheet = gr.Image(interactive=False, label="Contact sheet of this page", show_label=False, visible=False,
                     buttons=["fullscreen"], alt_text="Contact sheet", format="png", elem_id="batch-sheet")  # fmt: skip
    return {"prepare": prepare, "bundle": bundle, "shown": shown, "table": table, "back": back, "place": place,
            "forward": forward, "sheet": sheet}  # fmt: skip
