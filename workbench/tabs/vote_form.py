"""What can be seen and pressed in the tab Blind vote; nothing happens here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from benchmarks.preferences.ballots import Choice
from workbench.catalogue import Order
from workbench.examples import Example
from workbench.tabs.controls import Picture
from workbench.votes.contest import begins
from workbench.votes.duels import VIEWS

BUTTONS: dict[str, tuple[Choice, str]] = {
    "vote-left": ("left", "A is better"),
    "vote-tie": ("tie", "As good as each other"),
    "vote-bad": ("both_bad", "Both bad"),
    "vote-right": ("right", "B is better"),
}
BEGIN = "Choose an example or give a picture, then press “Show me two”."
HOW = (
    "<p>Two pipelines look at the same picture, and you say which result you would rather use. Their names come after "
    "your vote. Who stands left is drawn; the pair is one of those that were compared least.</p>"
)


@dataclass(frozen=True)
class Form:
    """All of the tab.

    Attributes:
        voter: random name that the browser keeps.
        told: who was who, after the vote.
        board: the table of all votes.
        files: makes files of all votes, with the buttons that save them; None where they are not given out.
    """

    voter: gr.BrowserState
    picture: Picture
    examples: dict[str, gr.Button]
    take: gr.Button
    prompt: gr.Textbox
    who: gr.CheckboxGroup
    show: gr.Button
    stop: gr.Button
    status: gr.HTML
    two: gr.Column
    view: gr.Radio
    left: gr.Image
    right: gr.Image
    votes: dict[Choice, gr.Button]
    names: gr.Button
    told: gr.HTML
    board: gr.HTML
    files: tuple[gr.Button, gr.DownloadButton, gr.DownloadButton] | None

    @property
    def buttons(self) -> list[gr.Button]:
        """All that decides the two results."""
        return [*self.votes.values(), self.names]

    @property
    def shown(self) -> list[Any]:
        """All that a new picture or two new results change."""
        return [self.status, self.two, self.left, self.right, self.told, *self.buttons]


def build(orders: Sequence[Order], examples: Sequence[Example], give_votes: bool) -> Form:
    """The tab, inside a Gradio context.

    Args:
        orders: who can take part.
        examples: to begin with.
        give_votes: whether there are buttons that save all votes.
    """
    gr.HTML(HOW)
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            given = _picture(examples)
        with gr.Column(scale=3, min_width=300):
            given |= _asked(orders)
    given |= _two()
    gr.HTML("<h2>4 · Who is preferred</h2>")
    board = gr.HTML("", elem_id="vote-board", elem_classes="about")
    files = _files() if give_votes else None
    return Form(voter=gr.BrowserState("", storage_key="workbench-voter", secret="workbench"), **given, board=board,
                files=files)  # fmt: skip


def _picture(examples: Sequence[Example]) -> dict[str, Any]:
    gr.HTML("<h2>1 · A picture</h2>")
    picture = Picture(type="filepath", image_mode=None, format="png", sources=["upload", "webcam", "clipboard"],
                      label="Picture", alt_text="The picture that both look at", buttons=["fullscreen"], height=220,
                      elem_id="vote-picture")  # fmt: skip
    with gr.Row(elem_classes="examples"):
        buttons = {one.name: gr.Button(one.title, size="sm", elem_id=f"vote-example-{one.name}", min_width=120)
                   for one in examples}  # fmt: skip
    take = gr.Button("Take the picture of the tab Compare", size="sm", elem_id="vote-take")
    return {"picture": picture, "examples": buttons, "take": take}


def _asked(orders: Sequence[Order]) -> dict[str, Any]:
    gr.HTML("<h2>2 · What to look for</h2>")
    prompt = gr.Textbox(label="Labels to look for, one a line", lines=2, max_lines=8, placeholder="coin",
                        info="For pipelines that take text.", elem_id="vote-prompt")  # fmt: skip
    with gr.Accordion("Who takes part", open=False):
        who = gr.CheckboxGroup([order.label for order in orders], value=[order.label for order in begins(orders)],
                               label="Two of these are shown", elem_id="vote-who")  # fmt: skip
    with gr.Row():
        show = gr.Button("Show me two", variant="primary", elem_id="vote-show", scale=3)
        stop = gr.Button("Stop", variant="stop", elem_id="vote-stop", scale=1, min_width=90)
    status = gr.HTML(f'<p role="status">{BEGIN}</p>', elem_id="vote-status")
    return {"prompt": prompt, "who": who, "show": show, "stop": stop, "status": status}


def _two() -> dict[str, Any]:
    with gr.Column(visible=False, elem_id="vote-two") as two:
        gr.HTML("<h2>3 · Which would you rather use?</h2>")
        view = gr.Radio(list(VIEWS), value=VIEWS[0], label="Show", elem_id="vote-view")
        with gr.Row():
            left, right = (_result(letter) for letter in "AB")
        with gr.Row():
            votes = {choice: gr.Button(title, elem_id=name, variant="primary" if choice in ("left", "right")
                                       else "secondary", min_width=130)
                     for name, (choice, title) in BUTTONS.items()}  # fmt: skip
        names = gr.Button("Show the names without a vote", size="sm", elem_id="vote-names")
        told = gr.HTML("", elem_id="vote-told", elem_classes="about")
    return {"two": two, "view": view, "left": left, "right": right, "votes": votes, "names": names, "told": told}


def _result(letter: str) -> gr.Image:
    with gr.Column(min_width=280, elem_classes="card"):
        gr.HTML(f"<h3>Result {letter}</h3>")
        return gr.Image(interactive=False, format="png", show_label=False, label=f"Result {letter}",
                        buttons=["fullscreen"], alt_text=f"Result {letter}",
                        elem_id=f"vote-{letter.lower()}")  # fmt: skip


def _files() -> tuple[gr.Button, gr.DownloadButton, gr.DownloadButton]:
    with gr.Row():
        return (gr.Button("Make files of all votes", size="sm", elem_id="vote-files"),
                gr.DownloadButton("Save as CSV", visible=False, size="sm", elem_id="vote-csv"),
                gr.DownloadButton("Save as JSON lines", visible=False, size="sm", elem_id="vote-jsonl"))  # fmt: skip
