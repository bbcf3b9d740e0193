"""What a card shows: one picture of several kinds, and facts as HTML in which nothing of a visitor is markup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from benchmarks.records import WeightsRecord
from pipelines.errors import UsageError
from pipelines.types import Image, PipelineInfo
from workbench.service import Card
from workbench.views import comparisons, render
from workbench.views.comparisons import Swatch
from workbench.views.render import colour_of
from workbench.visitors import Visit

VIEWS = ("Overlay", "Mask", "Cut-out", "Soft map", "Error map")
GROUNDS = {"Checkerboard": "checker", "White": "white", "Black": "black", "Blue": "#0072b2", "Orange": "#e69f00",
           "Green": "#009e73", "Pink": "#cc79a7"}  # fmt: skip
METRICS_SHOWN = {"miou": "IoU", "dice": "Dice", "boundary_iou": "Boundary IoU", "boundary_f": "Boundary F",
                 "precision": "Precision", "recall": "Recall"}  # fmt: skip
STATUS = {"ok": "done", "failed": "failed", "unavailable": "cannot run", "cancelled": "called off"}


@dataclass(frozen=True)
class Look:
    """How results are shown.

    Attributes:
        view: of `VIEWS`.
        ground: behind a cut-out: of `GROUNDS`, or ``#rrggbb``.
        opacity: of the colour of an overlay, from 0 to 1.
        wipe: share of the width, from the left, in which the picture itself is shown.
    """

    view: str = "Overlay"
    ground: str = "Checkerboard"
    opacity: float = 0.5
    wipe: float = 0.0


def look_of(values: Sequence[Any]) -> Look:
    """As the form gives it: view, ground, opacity and wipe."""
    view, ground, opacity, wipe = values
    return Look(str(view), str(ground), float(opacity), float(wipe))


@dataclass(frozen=True)
class Shown:
    """A result to look at.

    Attributes:
        picture: ``uint8 (H, W, 3)``.
        alt: in words.
        legend: what its colours mean.
    """

    picture: Image
    alt: str
    legend: tuple[Swatch, ...] = ()


def shown(visit: Visit, card: Card, look: Look, number: int) -> Shown:
    """The picture of a card.

    Args:
        visit: that it belongs to.
        card: with a prediction.
        look: how it is wanted.
        number: of the pipeline, by which it has its colour where there is one label alone.
    """
    found = _shown(visit, card, look, number)
    if not look.wipe:
        return found
    wiped = render.wipe(visit.image, found.picture, look.wipe)
    return Shown(wiped, f"{found.alt}; left {look.wipe:.0%} the picture itself", found.legend)


def _shown(visit: Visit, card: Card, look: Look, number: int) -> Shown:
    """Where a view cannot be had, for want of a soft map or of the truth, the overlay, which says so."""
    mask, prediction = card.foreground, card.prediction
    if mask is None or prediction is None:
        raise UsageError("This pipeline has no result yet.", "Run it first.")
    alt = f"{look.view} by {card.configuration.label}: {len(prediction.masks)} found, {mask.mean():.1%} of the picture"
    if look.view == "Mask":
        return Shown(render.mask_picture(mask), alt)
    if look.view == "Cut-out":
        return Shown(render.cut_out(visit.image, mask, GROUNDS.get(look.ground, look.ground)), alt)
    if look.view == "Soft map" and card.soft is not None:
        return Shown(render.soft_picture(card.soft), alt, _soft_legend())
    if look.view == "Error map" and visit.truth is not None:
        found = comparisons.error_map(mask, visit.truth.union(), visit.truth.ignore, visit.image)
        return Shown(found.picture, alt, found.legend)
    labels = prediction.labels if len(texts_of(card)) > 1 else [number] * len(prediction.masks)
    lacks = {"Soft map": " (it gives no soft map)", "Error map": " (give a true mask for an error map)"}
    picture = render.overlay(visit.image, prediction.masks, labels, look.opacity)
    return Shown(picture, alt.replace(look.view, f"Overlay{lacks.get(look.view, '')}", 1), _labels(card, number))


def _labels(card: Card, number: int) -> tuple[Swatch, ...]:
    texts = texts_of(card)
    assert card.prediction is not None  # asked for of cards with a result alone
    if len(texts) < 2:
        return (Swatch(texts[0] if texts else "found", colour_of(number), "plain", 0, 0.0),)
    size = card.prediction.masks[0].size if len(card.prediction.masks) else 1
    pixels = [int(card.prediction.foreground(label).sum()) for label in range(len(texts))]
    return tuple(Swatch(text, colour_of(label), "plain", pixels[label], pixels[label] / size)
                 for label, text in enumerate(texts))  # fmt: skip


def _soft_legend() -> tuple[Swatch, ...]:
    import numpy as np

    colours = render.cividis(np.array([[0, 128, 255]], np.uint8))[0]
    return tuple(Swatch(text, f"#{bytes(colour).hex()}", "plain", 0, 0.0)
                 for text, colour in zip(("probability 0", "0.5", "1"), colours, strict=True))  # fmt: skip


def facts(card: Card, scores: Mapping[str, float | None] | None = None, legend: Iterable[Swatch] = ()) -> str:
    """All that is to be said of a card, as HTML.

    Args:
        card: of any status.
        scores: by metric, where the truth is known.
        legend: of its picture.
    """
    state = f'<p class="state {card.status}">{STATUS[card.status]}</p>'
    if card.status != "ok":
        return state + f"<p>{escape(card.reason or '')}</p>" + badges(card.weights or card.configuration.weights)
    return (state + legend_html(legend) + table(_rows(card, scores or {})) + _stages(card) + badges(card.weights)
            + _remarks(card))  # fmt: skip


def _rows(card: Card, scores: Mapping[str, float | None]) -> Iterable[tuple[str, str]]:
    mask, prediction = card.foreground, card.prediction
    assert mask is not None and prediction is not None  # its status is "ok"
    yield "Found", f"{len(prediction.masks)}, {mask.mean():.1%} of the picture"
    if texts_of(card):
        yield "Looked for", ", ".join(texts_of(card))
    for name, title in METRICS_SHOWN.items():
        if name in scores:
            value = scores[name]
            yield title, "not defined" if value is None else f"{value:.3f}"
    yield "Load", _ms(card.load_ms, "was loaded")
    yield "Look", _ms(card.infer_ms, "kept from before")
    yield "Decision", _ms(card.decide_ms, "")
    yield "Device", card.configuration.device


def _stages(card: Card) -> str:
    if card.infer_ms is None or not card.stages_ms:
        return ""
    rows = table((name, _ms(took, "")) for name, took in card.stages_ms.items())
    return f"<details><summary>Parts of the look</summary>{rows}</details>"


def texts_of(card: Card) -> tuple[str, ...]:
    """What it was asked to look for, where it can be asked at all."""
    from pipelines.registry import pipeline_class

    return card.prompt.texts if "text" in pipeline_class(card.configuration.pipeline).info.prompts else ()


def _ms(took: float | None, otherwise: str) -> str:
    if took is None:
        return otherwise
    return f"{took / 1e3:.2f} s" if took >= 1e3 else f"{took:.1f} ms"


def _remarks(card: Card) -> str:
    said = [f"{flag}" for flag in card.flags]
    ran = card.configuration
    if ran.substitute_for:
        said.insert(0, f"Stands in for {ran.substitute_for}. {ran.substitute_why or ''}")
    if ran.weights_from == "random" and ran.weights:
        said.insert(0, "Random weights: its times are real, and what it finds means nothing.")
    return "".join(f'<p class="remark">{escape(one)}</p>' for one in said)


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values, as HTML."""
    lines = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    return f'<dl class="facts">{lines}</dl>'


def badges(weights: Sequence[WeightsRecord]) -> str:
    """Licences of weights, as HTML; what they forbid is said in words and not by colour alone."""
    words = {True: "commercial use allowed", False: "no commercial use", None: "commercial use unclear"}
    kind = {True: "free", False: "barred", None: "unclear"}
    lines = [f'<li class="{kind[one.commercial]}">{escape(one.licence)} · {words[one.commercial]}'
             f"<span>{escape(one.repo)}</span></li>" for one in weights]  # fmt: skip
    return f'<ul class="badges">{"".join(lines) or "<li class=free>no weights, no licence of weights</li>"}</ul>'


def offered(info: PipelineInfo | None) -> str:
    """What a pipeline is and needs, before it ran, as HTML."""
    if info is None:
        return ""
    weights = tuple(map(WeightsRecord.of, info.weights_for(_defaults(info.name))))
    needs = f"Needs a {' or a '.join(sorted(info.prompts))}." if info.prompts else "Needs no prompt."
    return f'<p class="state waiting">not run yet</p><p>{needs}</p>' + badges(weights)


def _defaults(name: str) -> Any:
    from pipelines.registry import pipeline_class

    return pipeline_class(name).Params()


def legend_html(legend: Iterable[Swatch]) -> str:
    """What colours mean, as HTML."""
    lines = []
    for one in legend:
        share = f" {one.share:.1%}" if one.pixels else ""
        kind = one.sign.replace(" ", "-")
        lines.append(f'<li><i class="{kind}" style="background-color:{one.colour}"></i>{escape(one.text)}{share}</li>')
    return f'<ul class="legend">{"".join(lines)}</ul>' if lines else ""


def reason(words: str) -> str:
    """Why a pipeline cannot run here, folded up, as HTML."""
    return f"<details><summary>Cannot run here</summary><p>{escape(words)}</p></details>"


def waiting(words: str = "waiting") -> str:
    """Facts of a card that is not there yet, as HTML."""
    return f'<p class="state waiting">{escape(words)}</p>'


def status(words: str) -> str:
    """What goes on, as HTML that a screen reader tells when it changes.

    Args:
        words: HTML.
    """
    return f'<p role="status">{words}</p>'


def progress(done: int, of: int, made: Mapping[str, Card] | None = None) -> str:
    """How far a comparison is, as HTML.

    Args:
        done: cards that are there.
        of: cards that were asked for.
        made: cards by pipeline.
    """
    if done < of:
        return status(f"{done} of {of} done …")
    failed = [name for name, card in (made or {}).items() if card.status != "ok"]
    return status(f"All {of} done." + (f" Without a result: {escape(', '.join(failed))}." if failed else ""))
