"""The tab About: how it works, what it cannot do, licences, versions, and how to run it at home."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from benchmarks.environment import environment
from benchmarks.records import WeightsRecord
from pipelines.images import UPLOAD
from pipelines.registry import pipeline_class
from workbench.catalogue import Offer
from workbench.settings import Settings

METHOD = """
## How it works

A pipeline looks at your picture once and keeps what it saw: scores for each pixel or for each candidate, before any
threshold. A quick decision turns that into masks. Knobs that *act at once* change the decision alone; the others need a
new run, and say so. The masks that you see, that are scored and that you download are one and the same, at the size of
your picture, and equal to those that `python -m benchmarks.run` makes of the same picture and parameters.

Times are those of this machine: *load* is the loading of a network, *look* the pass over your picture, *decision* what
comes after. Pipelines run one after another, {apart}.

With a true mask you get IoU, Dice, boundary IoU and boundary F of your one picture. One picture says little: what a
pipeline is worth on many is measured with `python -m benchmarks.run`, with intervals.
"""

LIMITS = """
## Limits

Pictures of at most {pixels:.0f} megapixels, {side} pixels a side and {mebibytes:.0f} MiB; PNG, JPEG, WebP, BMP or TIFF.
{ends} Your picture and what was seen in it are kept in memory while your page is open and
there is room, and for nobody but you; uploads and downloads lie in a folder of temporary files for an hour at most.
Batches, studies of datasets and votes are kept longer, as their tabs say.
No text, no picture and no figure is sent anywhere else. An address is fetched by this server: https alone, public hosts
alone, 10 MB, 10 s.
"""

OWN = {"apart": "each in a process of its own; one that fails takes no other along",
       "ends": "A look ends after {look_s:.0f} s."}  # fmt: skip
LENT = {"apart": "those that need a GPU each time in a process that one is lent to",
        "ends": "A look with the GPU ends when that is taken back; one without it is not ended."}  # fmt: skip
"""What is so where pipelines have processes of their own, and what where a GPU is lent to single looks."""

HOME = """
## At home

```bash
pip install uv && uv run python -m workbench
```

starts this app on your own machine, and `uv run python -m benchmarks.run --dataset FOLDER` measures every pipeline on
your own pictures. With `--weights FOLDER` weights are taken from `FOLDER/owner/name/`, and nothing is fetched.

## By program

```python
from gradio_client import Client, handle_file

client = Client("{address}")
found = client.predict(image=handle_file("coins.png"), pipeline="classical", api_name="/segment")
other = client.predict(id=found["id"], fields={{"threshold": 0.7}}, api_name="/decide")
```

`image` may also be an https address or base64; `/segment_many` takes several pictures, and `/pipelines` lists what
there is. The link *Use via API* below describes every endpoint; `docs/api.md` of the project has more, for curl
too. A link such as
`{address}?example=coins&pipelines=classical` opens this page with an example.
"""


def build(offers: Sequence[Offer], settings: Settings, address: str, lent: bool) -> None:
    """The tab, inside a Gradio context.

    Args:
        offers: pipelines whose licences are listed.
        settings: limits that hold here.
        address: of the app, for the examples of calls.
        lent: a GPU is lent to single looks, as on ZeroGPU.
    """
    words = LENT if lent else OWN
    method, ends = METHOD.format(apart=words["apart"]), words["ends"].format(look_s=settings.look_s)
    limits = LIMITS.format(pixels=UPLOAD.max_pixels / 1e6, side=UPLOAD.max_side, mebibytes=UPLOAD.max_bytes / 2**20,
                           ends=ends)  # fmt: skip
    with gr.Column(elem_classes="about"):
        gr.Markdown("\n".join([method, limits, licences(offers), HOME.format(address=address), versions()]))


def licences(offers: Sequence[Offer]) -> str:
    """Every pipeline with the licence of its code and of its default weights, as a list in Markdown."""
    return "\n".join(["## Licences", "", *map(_line, offers), ""])


def _line(offer: Offer) -> str:
    if offer.info is None:
        return f"- **{_plain(offer.title)}** cannot run here: {_plain(offer.reason or '')}"
    weights = tuple(map(WeightsRecord.of, offer.info.weights_for(pipeline_class(offer.name).Params())))
    words = {True: "allowed", False: "**not allowed**", None: "unclear"}
    repos = "; ".join(f"{_plain(one.repo)} ({_plain(one.licence)}), commercial use {words[one.commercial]}"
                      for one in weights)  # fmt: skip
    here = "cannot run here" if offer.reason else "runs here"
    return f"- **{_plain(offer.title)}** ({here}): code {_plain(offer.info.licence)}; weights {repos or 'none'}"


def _plain(text: str) -> str:
    """A text that Markdown takes as text."""
    return text.replace("|", "/").replace("<", "‹").replace("\n", " ").replace("`", "'")


def versions() -> str:
    """Machine and packages, as Markdown."""
    here = environment("cpu")
    packages = ", ".join(f"{name} {version}" for name, version in here["packages"].items())
    return (f"## Versions\n\nPython {here['python']} on {here['system']}, {here['usable_cores']} cores; Gradio "
            f"{gr.__version__}; {packages}.")  # fmt: skip
