"""What can be seen and moved in the tab Leaderboard; nothing happens here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from benchmarks.metrics import METRICS
from workbench.boards.table import ANY, COLUMNS, DEVICES, LONGEST, MIOU, SHOWN, SORTS, USES, USUAL

HEAD = (
    "<h2>Leaderboard</h2><p>Stored runs: what every pipeline reached, at what cost, and how sure that is. "
    "Rows are ranked on the same images alone, so choose the images first. Press a name to look closer.</p>"
)
ROWS = (
    "element.addEventListener('click', e => { const b = e.target.closest('button[data-row]'); "
    "if (b) trigger('click', {row: b.dataset.row}); });"
)
SHIP = (
    "<h2>What should I ship?</h2><p>Say what it may cost and how good it must be. "
    "The answer is that of <code>python -m benchmarks.recommend</code> for one run.</p>"
)
MOST_MS, MOST_MB = 2000, 16_000
"""Ends of the sliders for latency and memory; who may take more has no limit there."""


@dataclass(frozen=True)
class Form:
    """All of the tab.

    Attributes:
        images: which dataset.
        again: looks at the folders again.
        table: the rows.
        status: how many rows there are, for those who do not see them.
        chart: quality against speed.
        refused: runs that are not shown.
        more: shows more rows.
        most: how many are shown.
        row: that is looked at closer.
        near: what is seen then.
        first: A of two that are compared.
        second: B.
        compare: compares them.
        pair: what comes of it.
        run: of which something is to be shipped.
        answer: what.
    """

    images: gr.Dropdown
    metric: gr.Dropdown
    search: gr.Textbox
    device: gr.Dropdown
    use: gr.Dropdown
    size_mb: gr.Number
    sort: gr.Dropdown
    columns: gr.CheckboxGroup
    again: gr.Button
    status: gr.HTML
    table: gr.HTML
    more: gr.Button
    most: gr.Number
    run: gr.Dropdown
    latency_ms: gr.Slider
    memory_mb: gr.Slider
    miou: gr.Slider
    commercial: gr.Checkbox
    answer: gr.HTML
    chart: gr.HTML
    row: gr.Dropdown
    near: gr.HTML
    first: gr.Dropdown
    second: gr.Dropdown
    compare: gr.Button
    pair: gr.HTML
    refused: gr.HTML

    @property
    def limits(self) -> list[Any]:
        """What says what may be shipped."""
        return [self.latency_ms, self.memory_mb, self.miou, self.commercial]


def build() -> Form:
    """The tab, inside a Gradio context."""
    gr.HTML(HEAD)
    made = _filters()
    made |= _table() | _ship() | _chart() | _closer() | _pair()
    refused = gr.HTML("", elem_id="board-refused", elem_classes="board")
    return Form(**made, refused=refused)


def _filters() -> dict[str, Any]:
    metrics = [(f"{name}: {metric.title}", name) for name, metric in METRICS.items()]
    with gr.Row(elem_classes="level"):
        images = gr.Dropdown([], label="Images", elem_id="board-images", scale=3, min_width=260)
        metric = gr.Dropdown(metrics, value=MIOU, label="Quality by", elem_id="board-metric", scale=2, min_width=200)
        search = gr.Textbox(label="Search", placeholder="name, licence, flag …", elem_id="board-search", max_lines=1,
                            max_length=LONGEST, scale=2, min_width=180)  # fmt: skip
        again = gr.Button("Refresh", size="sm", elem_id="board-again", scale=1, min_width=90)
    with gr.Row():
        devices = [(words, device) for device, words in DEVICES.items()]
        device = gr.Dropdown(devices, value=ANY, label="Ran on", elem_id="board-device", min_width=140)
        uses = [(words, use) for use, words in USES.items()]
        use = gr.Dropdown(uses, value=ANY, label="Commercial use", elem_id="board-use", min_width=170)
        size_mb = gr.Number(0, label="Weights, at most MB (0 = any)", minimum=0, elem_id="board-size", min_width=170)
        sort = gr.Dropdown([(words, name) for name, words in SORTS.items()], value="rank", label="Sort by",
                           elem_id="board-sort", min_width=150)  # fmt: skip
    with gr.Accordion("Columns", open=False):
        columns = gr.CheckboxGroup([(title, name) for name, title in COLUMNS.items()], value=list(USUAL),
                                   label="Columns", show_label=False, elem_id="board-columns")  # fmt: skip
    return {"images": images, "metric": metric, "search": search, "device": device, "use": use,
            "size_mb": size_mb, "sort": sort, "columns": columns, "again": again}  # fmt: skip


def _table() -> dict[str, Any]:
    status = gr.HTML('<p role="status">Looking for runs …</p>', elem_id="board-status")
    table = gr.HTML("", elem_id="board-table", elem_classes="board", js_on_load=ROWS)
    more = gr.Button("Show more rows", size="sm", visible=False, elem_id="board-more")
    return {"status": status, "table": table, "more": more, "most": gr.Number(SHOWN, visible=False)}


def _ship() -> dict[str, Any]:
    with gr.Column(elem_id="board-ship"):
        gr.HTML(SHIP)
        run = gr.Dropdown([], label="Run", elem_id="board-run")
        with gr.Row():
            latency = gr.Slider(0, MOST_MS, value=0, step=1, label="Latency, at most ms (0 = any)", buttons=[],
                                elem_id="board-latency", min_width=260)  # fmt: skip
            memory = gr.Slider(0, MOST_MB, value=0, step=1, label="Memory, at most MB (0 = any)", buttons=[],
                               elem_id="board-memory", min_width=260)  # fmt: skip
            miou = gr.Slider(0, 1, value=0, step=0.01, label="mIoU, at least (0 = any)", buttons=[],
                             elem_id="board-miou", min_width=260)  # fmt: skip
            commercial = gr.Checkbox(label="Commercial use allowed", elem_id="board-commercial", min_width=260)
        answer = gr.HTML("", elem_id="board-answer", elem_classes="board")
    return {"run": run, "latency_ms": latency, "memory_mb": memory, "miou": miou,
            "commercial": commercial, "answer": answer}  # fmt: skip


def _chart() -> dict[str, Any]:
    gr.HTML("<h2>Quality against speed</h2>")
    return {"chart": gr.HTML("", elem_id="board-chart", elem_classes="board")}


def _closer() -> dict[str, Any]:
    gr.HTML("<h2>Look closer</h2>")
    row = gr.Dropdown([], label="Row", elem_id="board-row", info="Its worst and best images, what failed, every figure")
    return {"row": row, "near": gr.HTML("", elem_id="board-near", elem_classes="board")}


def _pair() -> dict[str, Any]:
    gr.HTML("<h2>Two rows, image by image</h2>")
    with gr.Row(elem_classes="level"):
        first = gr.Dropdown([], label="A", elem_id="board-first", scale=2, min_width=200)
        second = gr.Dropdown([], label="B", elem_id="board-second", scale=2, min_width=200)
        compare = gr.Button("Compare the two", elem_id="board-compare", scale=1, min_width=120)
    return {"first": first, "second": second, "compare": compare,
            "pair": gr.HTML("", elem_id="board-pair", elem_classes="board")}  # fmt: skip
