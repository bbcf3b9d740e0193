"""Advice from what the pictures show: how large, how many and how distinct the objects are, and where they lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.profile.readings import below, reading
from benchmarks.profile.resolution import Resolution, resolutions, usable
from benchmarks.report.figures import listed, share
from pipelines.base import Pipeline
from pipelines.params import knobs
from pipelines.presets import preset

SMALL_SIDE_PX = 32
"""COCO calls objects of fewer than 32 x 32 pixels small (cocodataset.org); here pixels of a network's input."""

FAINT, CLEAR = 0.1, 0.25
"""Distances of mean colours of object and background, 1 from black to white. A rule of thumb."""

OFTEN = 0.25
MOSTLY = 0.5


def of_scenes(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Advice from the masks; none without masks."""
    if not document["masks"]["with_masks"]:
        return
    pipelines = usable()
    yield from _sizes(document, resolutions(pipelines))
    yield from _number(document, pipelines)
    yield from _contrast(document, pipelines)
    yield from _border(document, pipelines)
    yield from _useless(document)


def thresholds() -> dict[str, list[float]]:
    """Feature → values below which its share of the samples is asked for."""
    sides = {SMALL_SIDE_PX / one.side_px for one in resolutions(usable())}
    return {"object_side_share": sorted(sides), "object_contrast": [FAINT]}


def _sizes(document: Mapping[str, Any], known: list[Resolution]) -> Iterator[dict[str, Any]]:
    """Object size at the input of each pipeline."""
    side = reading(document, "object_side_share")
    if side is None or not known:
        return
    asked = {one: below(document, "object_side_share", SMALL_SIDE_PX / one.side_px) for one in known}
    small = {one: portion for one, portion in asked.items() if portion is not None}
    said = "; ".join(
        f"{one.pipeline} at {one.side_px} px ({one.source}): {side['p50'] * one.side_px:.0f} px" for one in known
    )
    figures = {f"side_px_{one.pipeline}": round(side["p50"] * one.side_px, 1) for one in known}
    weak = [one for one in known if small.get(one, 0.0) >= OFTEN]
    rule = (f"The median object of a picture, as a square at the input of each pipeline: {said}. Below "
            f"{SMALL_SIDE_PX} px COCO calls an object small, and outlines get rough.")  # fmt: skip
    if not weak:
        yield {"title": "Objects are large enough for what every pipeline sees", "reason": rule, "severity": "good",
               "figures": figures}  # fmt: skip
        return
    shares = listed([f"{share(small[one])} of the pictures for {one.pipeline}" for one in weak])
    more = [f"{one.pipeline} ({', '.join(one.fields)})" for one in weak if one.fields]
    cure = f" Larger input may help: {listed(more)}." if more else ""
    yield {"title": f"Objects are small at the input of {listed([one.pipeline for one in weak])}",
           "reason": f"{rule} So it is in {shares}.{cure}", "severity": "care",
           "figures": {**figures, **{f"small_{one.pipeline}": round(small[one], 4) for one in weak}}}  # fmt: skip


def _number(document: Mapping[str, Any], pipelines: Mapping[str, type[Pipeline]]) -> Iterator[dict[str, Any]]:
    """One object a picture, or many."""
    objects = reading(document, "objects")
    if objects is None:
        return
    figures = {"objects_p50": objects["p50"], "objects_p95": objects["p95"]}
    unasked = [name for name, kind in pipelines.items() if not kind.info.prompts]
    asked = [name for name, kind in pipelines.items() if "text" in kind.info.prompts]
    if objects["p50"] < 1:
        reason = (f"The median is {objects['p50']:g}. Where nothing is to be found, an empty mask alone is right; "
                  f"pipelines that are asked nothing ({listed(unasked)}) take what stands out.")  # fmt: skip
        yield {"title": "Half of the pictures or more hold no object", "severity": "note", "figures": figures,
               "reason": reason}  # fmt: skip
        return
    if objects["p50"] == 1:
        yield {"title": "Most pictures hold one object", "severity": "good", "figures": figures,
               "reason": "The median is 1. What stands out is then what is wanted, so that pipelines "
                         f"that are asked nothing ({listed(unasked)}) have a fair chance."}  # fmt: skip
        return
    full = [f"{name} ({field} {value:g})" for name, field, value in _limits(pipelines) if objects["p95"] > value]
    cut = f" More than {listed(full)} can return are in at least one picture in twenty." if full else ""
    yield {"title": f"Pictures hold {objects['p50']:g} objects at the median, and {objects['p95']:.0f} or "
                    "more in one of twenty",
           "severity": "care" if full else "note", "figures": figures,
           "reason": f"Pipelines that are asked nothing ({listed(unasked)}) take what stands out, which may be some or "
                     f"all; {listed(asked)} can be asked for what is wanted. Scores are of the union of all objects: "
                     f"where single objects count, look at the metrics of instances.{cut}"}  # fmt: skip


def _limits(pipelines: Mapping[str, type[Pipeline]]) -> Iterator[tuple[str, str, float]]:
    """Fields that limit how many boxes or candidates a pipeline returns."""
    for name, kind in pipelines.items():
        params, _ = preset(kind)
        for knob in knobs(kind.Params):
            if knob.kind == "int" and knob.name.startswith("max_"):
                yield name, knob.name, float(getattr(params, knob.name))


def _contrast(document: Mapping[str, Any], pipelines: Mapping[str, type[Pipeline]]) -> Iterator[dict[str, Any]]:
    """How far objects differ from their background in colour."""
    contrast, faint = reading(document, "object_contrast"), below(document, "object_contrast", FAINT)
    if contrast is None or faint is None:
        return
    plain = [name for name, kind in pipelines.items() if not kind.info.weights_for(preset(kind)[0])]
    figures = {"object_contrast_p50": contrast["p50"], "faint": round(faint, 4)}
    reason = (f"The distance between the mean colours of objects and background is {contrast['p50']:.2f} at the median "
              f"(1: black on white), and below {FAINT:g} in {share(faint)} of the pictures. ")  # fmt: skip
    if faint >= OFTEN:
        yield {"title": "Objects often have the colours of their background", "severity": "care", "figures": figures,
               "reason": f"{reason}Pipelines without a network ({listed(plain)}) go by colour and edges, and are "
                         "expected to fail there; those that have learned what things look like need not."}  # fmt: skip
    elif contrast["p50"] >= CLEAR:
        yield {"title": "Objects differ clearly from their background", "severity": "good", "figures": figures,
               "reason": f"{reason}Try {listed(plain)} first: without a network, it may be enough."}  # fmt: skip
    else:
        yield {"title": "Objects differ somewhat from their background", "severity": "note", "figures": figures,
               "reason": f"{reason}Whether {listed(plain)}, without a network, is enough, a run tells."}  # fmt: skip


def _border(document: Mapping[str, Any], pipelines: Mapping[str, type[Pipeline]]) -> Iterator[dict[str, Any]]:
    """Objects at the edge, for pipelines that learn the background there."""
    touching = reading(document, "touches_border")
    learned = [name for name, kind in pipelines.items() if "border_width" in kind.relevant(preset(kind)[0])]
    if touching is None or touching["mean"] < MOSTLY or not learned:
        return
    yield {"title": "Objects often reach the edge of the picture", "severity": "note",
           "figures": {"touches_border": round(touching["mean"], 4)},
           "reason": f"They do in {share(touching['mean'])} of the pictures. {listed(learned)} takes the edge for "
                     "background, and may lose what lies there."}  # fmt: skip


def _useless(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The score that needs no pipeline, against which others are to be seen."""
    covered = document["masks"]["covered"]
    if covered is None:
        return
    yield {"title": f"A mask of the whole picture would score a mIoU of {covered:.2f}",
           "severity": "note", "figures": {"miou_of_everything": round(covered, 4)},
           "reason": "That is the mean share of the pictures that the masks cover, and the IoU of marking everything. "
                     "Read scores against it, and not against 0."}  # fmt: skip
