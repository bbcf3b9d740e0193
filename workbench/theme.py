"""How the app looks: system fonts, so that nothing is fetched, and colours that can be read in light and dark."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workbench.examples import Example

FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Consolas", "monospace")


def theme() -> Any:
    """Gradio's plain theme with darker greys and blues, where its own cannot be told from the ground."""
    import gradio as gr

    plain = gr.themes.Default(primary_hue="blue", secondary_hue="blue", neutral_hue="slate",
                              font=list(FONT), font_mono=list(MONO))  # fmt: skip
    return plain.set(
        body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_700", block_label_text_color_dark="*neutral_200",
        checkbox_border_color="*neutral_500", checkbox_border_color_dark="*neutral_400",
        input_placeholder_color="*neutral_600", input_placeholder_color_dark="*neutral_300",
        button_primary_background_fill="#0063a0", button_primary_background_fill_dark="#0063a0",
        button_primary_background_fill_hover="#004f80", button_primary_background_fill_hover_dark="#004f80",
        button_primary_text_color="#ffffff", button_primary_text_color_dark="#ffffff",
        button_cancel_background_fill="#ffffff", button_cancel_background_fill_dark="*neutral_800",
        button_cancel_text_color="#a32020", button_cancel_text_color_dark="#ffb4b4",
    )  # fmt: skip


def scripts() -> str:
    """What the tabs have the browser do by itself."""
    files = sorted(Path(__file__).with_name("tabs").glob("*.js"))
    return "".join(f"<script>{file.read_text(encoding='utf-8')}</script>" for file in files)


def css(examples: Iterable[Example]) -> str:
    """The style sheets of the app and its tabs, with a picture on the button of each example."""
    rules = [f"#example-{one.name}, #vote-example-{one.name} {{ background-image: url({one.thumbnail()}); }}"
             for one in examples]  # fmt: skip
    sheets = [Path(__file__).with_name("app.css"), *sorted(Path(__file__).with_name("tabs").glob("*.css"))]
    return "\n".join([*(sheet.read_text(encoding="utf-8") for sheet in sheets), *rules])
