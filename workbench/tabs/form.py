"""What can be seen and moved in the tab Compare; nothing happens here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import gradio as gr

from pipelines.params import Knob
from workbench.catalogue import Offer, Order, begins
from workbench.examples import Example
from workbench.files.downloads import FILES, MASK
from workbench.given.pointing import MODES
from workbench.tabs.controls import Picture, by_group, control, fields, values_of
from workbench.views import cards
from workbench.views.render import colour_of

DOWNLOADS = [(file.title, kind) for kind, file in FILES.items()]
PASTED = """document.addEventListener('paste', event => {
  const picture = [...event.clipboardData.files].find(file => file.type.startsWith('image/'));
  const taker = document.querySelector('#picture input[type=file]');
  if (!picture || !taker || !document.getElementById('picture').offsetParent) return;
  const given = new DataTransfer();
  given.items.add(picture);
  taker.files = given.files;
  taker.dispatchEvent(new Event('change', { bubbles: true }));
});"""
"""Gradio takes a picture of the clipboard by its button alone, and not where somebody presses Ctrl+V."""

RUN_AGAIN = '<p class="remark">Changed: press “Run this one again” to see what it does.</p>'


@dataclass(frozen=True)
class Slot:
    """Where a pipeline is chosen and its card is shown.

    Attributes:
        offer: the pipeline.
        number: of its colour.
        chosen: whether it is to run.
        preset: name of its parameter set.
        column: all of its card.
        picture: its result.
        facts: what is to be said of it.
        knobs: by field.
        note: whether it has to run again.
        again: runs it again.
        kind: of download.
        file: to download.
    """

    offer: Offer
    number: int
    chosen: gr.Checkbox
    preset: gr.Dropdown
    column: gr.Column
    picture: gr.Image
    facts: gr.HTML
    knobs: dict[str, Any]
    note: gr.HTML
    again: gr.Button
    kind: gr.Dropdown
    file: gr.DownloadButton

    @property
    def order(self) -> list[Any]:
        """What says how it is to run: kind of file that is wanted of it, preset, and a value for each knob."""
        return [self.kind, self.preset, *self.knobs.values()]

    @property
    def decided(self) -> dict[str, Any]:
        """Those knobs that a decision alone reads."""
        return {knob.name: self.knobs[knob.name] for knob in self.offer.knobs if knob.reads == "decide"}

    def ordered(self, values: Sequence[Any]) -> Order | None:
        """What `order` holds as an order, or None where the pipeline cannot run."""
        if self.offer.reason is not None:
            return None
        _, preset, *knobs = values
        name = str(preset or "default")
        return Order(self.offer.name, name, fields(self.offer, name, knobs))


@dataclass(frozen=True)
class Form:
    """All of the tab."""

    picture: Picture
    examples: dict[str, gr.Button]
    url: gr.Textbox
    fetch: gr.Button
    prompt: gr.Textbox
    pointer: gr.Image
    mode: gr.Radio
    points: gr.Textbox
    truth: Picture
    cut: gr.Slider
    run: gr.Button
    stop: gr.Button
    status: gr.HTML
    view: gr.Radio
    ground: gr.Dropdown
    opacity: gr.Slider
    wipe: gr.Slider
    agreement: gr.Image
    agreed: gr.HTML
    prepare: gr.Button
    bundle: gr.DownloadButton
    slots: list[Slot] = field(default_factory=list)

    @property
    def look(self) -> list[Any]:
        """How results are shown."""
        return [self.view, self.ground, self.opacity, self.wipe]

    @property
    def asked(self) -> list[Any]:
        """What is looked for, and in what."""
        return [self.picture, self.prompt, self.points, self.truth, self.cut]


def build(offers: Sequence[Offer], examples: Sequence[Example]) -> Form:
    """The tab, inside a Gradio context.

    Args:
        offers: pipelines, each with its card.
        examples: to begin with.
    """
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            given = _inputs(examples)
        with gr.Column(scale=3, min_width=300):
            given |= _asked()
            choices = _choices(offers)
            given |= _actions()
    given |= _looks()
    with gr.Row(elem_classes="cards"):
        slots = [_card(offer, number, *choices[number]) for number, offer in enumerate(offers)]
    return Form(**given, **_rest(), slots=slots)


def _inputs(examples: Sequence[Example]) -> dict[str, Any]:
    gr.HTML("<h2>1 · Your picture</h2>", js_on_load=PASTED)
    picture = Picture(type="filepath", image_mode=None, format="png", sources=["upload", "webcam", "clipboard"],
                      label="Picture", alt_text="The picture that is looked at", buttons=["fullscreen"], height=260,
                      elem_id="picture")  # fmt: skip
    with gr.Row(elem_classes="examples"):
        buttons = {one.name: gr.Button(one.title, size="sm", elem_id=f"example-{one.name}", min_width=120)
                   for one in examples}  # fmt: skip
    with gr.Row(elem_classes="level"):
        url = gr.Textbox(label="Address of a picture", placeholder="https://…", max_lines=1, scale=3)
        fetch = gr.Button("Fetch", size="sm", scale=1, min_width=80)
    return {"picture": picture, "examples": buttons, "url": url, "fetch": fetch}


def _asked() -> dict[str, Any]:
    gr.HTML("<h2>2 · What to look for</h2>")
    prompt = gr.Textbox(label="Labels, one a line", lines=2, max_lines=8, placeholder="coin", elem_id="prompt",
                        info="For pipelines that take text.")  # fmt: skip
    return {"prompt": prompt, **_pointing(), **_truth()}


def _pointing() -> dict[str, Any]:
    with gr.Accordion("Point at things (for SAM)", open=False):
        mode = gr.Radio(list(MODES), value=MODES[0], label="A click on the picture below means")
        pointer = gr.Image(interactive=False, format="png", label="Click here", buttons=[], elem_id="pointer",
                           alt_text="Your picture, to click on; the lines below do the same by keyboard")  # fmt: skip
        points = gr.Textbox(label="Points and boxes", lines=3, max_lines=12, placeholder="point 120 80",
                            info="In pixels from the top left: point X Y · not X Y · box X0 Y0 X1 Y1")  # fmt: skip
    return {"mode": mode, "pointer": pointer, "points": points}


def _truth() -> dict[str, Any]:
    with gr.Accordion("I know the true mask", open=False):
        truth = Picture(type="filepath", image_mode=None, format="png", sources=["upload", "clipboard"], height=180,
                        label="True mask, in the size of the picture", alt_text="The true mask",
                        buttons=["fullscreen"], elem_id="truth")  # fmt: skip
        cut = gr.Slider(0, 255, value=0, step=1, label="Cut at grey", buttons=[],
                        info="0 reads the values as ids; another value cuts a soft or lossy mask there.")  # fmt: skip
    return {"truth": truth, "cut": cut}


def _choices(offers: Sequence[Offer]) -> list[tuple[gr.Checkbox, gr.Dropdown]]:
    gr.HTML("<h2>3 · Pipelines</h2>")
    with gr.Row(elem_classes="choices"):
        return [_choice(offer, offer in begins(offers)) for offer in offers]


def save(kind: str) -> str:
    """What stands on the button that saves a file: its name, because the list may be a step ahead of the file.

    Args:
        kind: of `FILES`.
    """
    return f"Save {FILES[kind].name}"


def _choice(offer: Offer, chosen: bool) -> tuple[gr.Checkbox, gr.Dropdown]:
    with gr.Column(min_width=240, elem_classes="choice"):
        box = gr.Checkbox(chosen, label=offer.title, interactive=offer.reason is None, container=False,
                          elem_id=f"choose-{offer.name}")  # fmt: skip
        if offer.reason is not None:
            gr.HTML(cards.reason(offer.reason), elem_classes="reason")
        preset = gr.Dropdown([(f"preset: {name}", name) for name in offer.presets], value=offer.presets[0],
                             label=f"Preset of {offer.title}", show_label=False,
                             visible=offer.reason is None and len(offer.presets) > 1)  # fmt: skip
    return box, preset


def _actions() -> dict[str, Any]:
    with gr.Row():
        run = gr.Button("Compare", variant="primary", elem_id="run", scale=3)
        stop = gr.Button("Stop", variant="stop", elem_id="stop", scale=1, min_width=90)
    status = gr.HTML('<p role="status">Choose an example or give a picture, then press Compare.</p>', elem_id="status")
    return {"run": run, "stop": stop, "status": status}


def _looks() -> dict[str, Any]:
    with gr.Group():
        view = gr.Radio(list(cards.VIEWS), value=cards.VIEWS[0], label="Show", elem_id="view")
        with gr.Row():
            opacity = gr.Slider(
                0, 1, value=0.5, step=0.05, label="Opacity of the colour", buttons=[], elem_id="opacity"
            )
            wipe = gr.Slider(0, 1, value=0, step=0.05, label="Wipe to the picture, from the left", buttons=[])
            ground = gr.Dropdown(list(cards.GROUNDS), value="Checkerboard", label="Behind a cut-out",
                                 allow_custom_value=True, info="or #rrggbb")  # fmt: skip
    return {"view": view, "opacity": opacity, "wipe": wipe, "ground": ground}


def _card(offer: Offer, number: int, chosen: gr.Checkbox, preset: gr.Dropdown) -> Slot:
    with gr.Column(
        visible=bool(chosen.value), min_width=280, elem_classes="card", elem_id=f"card-{offer.name}"
    ) as all_:
        gr.HTML(f'<h3><i class="plain" style="background-color:{colour_of(number)}"></i>{escape(offer.title)}</h3>')
        picture = gr.Image(interactive=False, format="png", show_label=False, label=offer.title,
                           buttons=["fullscreen"], alt_text=f"Result of {offer.title}",
                           elem_id=f"result-{offer.name}")  # fmt: skip
        facts = gr.HTML(cards.offered(offer.info), elem_id=f"facts-{offer.name}")
        knobs, note, again = _knobs(offer)
        with gr.Row(elem_classes="level"):
            kind = gr.Dropdown(DOWNLOADS, value=MASK, label="Download", min_width=180, scale=2)
            file = gr.DownloadButton(save(MASK), interactive=False, size="sm", min_width=70, scale=1,
                                     elem_id=f"file-{offer.name}")  # fmt: skip
    return Slot(offer, number, chosen, preset, all_, picture, facts, knobs, note, again, kind, file)


def _knobs(offer: Offer) -> tuple[dict[str, Any], gr.HTML, gr.Button]:
    at_once = [knob for knob in offer.knobs if knob.reads == "decide"]
    slow = [knob for knob in offer.knobs if knob.reads != "decide"]
    presets = [values_of(offer, name) for name in offer.presets] if offer.knobs else []
    made: dict[str, Any] = {}
    with gr.Accordion(f"Knobs that act at once ({len(at_once)})", open=False, visible=bool(at_once)):
        made |= _grouped(at_once, presets)
    with gr.Accordion(f"Knobs that need a new run ({len(slow)})", open=False, visible=bool(slow)):
        made |= _grouped(slow, presets)
    note = gr.HTML("")
    again = gr.Button("Run this one again", size="sm")
    return {knob.name: made[knob.name] for knob in offer.knobs}, note, again


def _grouped(knobs: Sequence[Knob], presets: Sequence[dict[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    groups = by_group(knobs)
    for group, members in groups.items():
        gr.HTML(f"<h4>{escape(group)}</h4>", visible=len(groups) > 1)
        made |= {knob.name: control(knob, [values[knob.name] for values in presets]) for knob in members}
    return made


def _rest() -> dict[str, Any]:
    with gr.Accordion("Where they agree", open=False):
        agreement = gr.Image(interactive=False, format="png", label="Agreement", show_label=False, visible=False,
                             buttons=["fullscreen"], alt_text="How many pipelines found each pixel")  # fmt: skip
        agreed = gr.HTML("<p>Run two pipelines or more to see on which pixels they agree.</p>")
    with gr.Row():
        prepare = gr.Button("Make a ZIP of all results", size="sm")
        bundle = gr.DownloadButton("Save the ZIP", visible=False, size="sm", elem_id="bundle")
    return {"agreement": agreement, "agreed": agreed, "prepare": prepare, "bundle": bundle}
