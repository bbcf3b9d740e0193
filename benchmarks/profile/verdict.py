"""Whether a dataset is fit to judge pipelines with, in a sentence, with reasons and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.profile.blocking import blocking
from benchmarks.profile.precision import ASSUMED_SPREAD, ROUGH, reached
from benchmarks.profile.readings import selection
from benchmarks.report.figures import count, share

Level = Literal["fit", "care", "unfit"]
SEVERITIES = ("high", "medium", "low")
SPOILT = 0.25
"""Share of images with grave faults from which a dataset is called unfit as it stands."""

MOSTLY_OUT = 0.5
"""Share of images to leave out from which the rest is another dataset."""

LIST = "exclude.txt"


@dataclass(frozen=True)
class Verdict:
    """What a stakeholder has to know.

    Attributes:
        level: whether the dataset is fit, fit with care, or unfit as it stands.
        headline: in a sentence.
        reasons: in sentences.
        steps: what to do, in order: words, and what to type or None.
    """

    level: Level
    headline: str
    reasons: tuple[str, ...]
    steps: tuple[tuple[str, str | None], ...]


def samples_by_severity(document: Mapping[str, Any]) -> dict[str, int]:
    """Severity → images whose gravest suspicion is of it."""
    gravest: dict[str, int] = {}
    for suspect in document["suspects"]:
        rank = SEVERITIES.index(suspect["severity"])
        gravest[suspect["sample"]] = min(rank, gravest.get(suspect["sample"], rank))
    return {name: list(gravest.values()).count(rank) for rank, name in enumerate(SEVERITIES)}


def interval(document: Mapping[str, Any]) -> float | None:
    """Half of the 95 % interval that the groups at hand give, as the advice says it; None without masks."""
    given = (one["figures"].get("half_width_now") for one in document.get("advice", ()))
    known = next((half for half in given if half is not None), None)
    groups = document["masks"]["n_groups"]
    if known is None and groups:
        return reached(ASSUMED_SPREAD, groups)
    return known


def verdict(document: Mapping[str, Any]) -> Verdict:
    """What is to be said of a dataset first."""
    level, headline = _judged(document)
    return Verdict(level, headline, tuple(_reasons(document)), tuple(_steps(document)))


def _judged(document: Mapping[str, Any]) -> tuple[Level, str]:
    n, excluded, grave = document["n"], document["excluded"], samples_by_severity(document)["high"]
    images, half = count(n, "image"), interval(document)
    if not n or document["images"]["unreadable"] == n:
        return "unfit", "There is no image that can be read."
    if not document["masks"]["with_masks"]:
        return "care", f"No masks: on {images} speed can be measured, and quality cannot."
    if grave > SPOILT * n:
        return "unfit", f"Not yet fit to judge pipelines with: {grave} of {images} have grave faults."
    if excluded >= MOSTLY_OUT * n:
        return "unfit", f"Not fit to judge pipelines with: {excluded} of {images} would have to be left out or mended."
    if document.get("concerns"):
        return "care", f"To be checked before pipelines are judged: {_titles(document)}."
    stops = len(blocking(document))
    if stops:
        return "care", f"Not ready as it is: {count(stops, 'problem')} {_keep(stops)} a run on {images} from starting."
    few = f", but few: they tell mIoU to about ±{half:.2f} only" if half is not None and half > ROUGH else ""
    fit = "Sound" if few else "Fit to judge pipelines with"
    if excluded:
        return "care", f"{fit} once {excluded} of {images} {_be(excluded)} left out or mended{few}."
    if grave:
        return "care", f"{fit} once {grave} of {images} {_be(grave)} looked at{few}."
    return ("care" if few else "fit"), f"{fit}: nothing grave was found in {images}{few}."


def _titles(document: Mapping[str, Any]) -> str:
    titles = [one["title"] for one in document["concerns"]]
    return "; ".join(title[:1].lower() + title[1:] for title in titles)


def _be(n: int) -> str:
    return "is" if n == 1 else "are"


def _keep(n: int) -> str:
    return "keeps" if n == 1 else "keep"


def _reasons(document: Mapping[str, Any]) -> Iterator[str]:
    n, masked, groups = document["dataset"]["n"], document["masks"]["with_masks"], document["masks"]["n_groups"]
    found = samples_by_severity(document)
    told = [f"{found[name]} {name}" for name in SEVERITIES if found[name]]
    total = sum(found.values())
    if total:
        of = document["n"]
        yield f"Suspect: {total} of {count(of, 'image')} ({share(total / of)}): {', '.join(told)}, each by its worst."
    elif n:
        yield "No image is suspect of any of the kinds that are looked for."
    if document["excluded"]:
        left = document["n"] - document["excluded"]
        yield f"Without the {document['excluded']} on the list to leave out, {left} of {document['n']} are left."
    half = interval(document)
    if half is not None:
        counted = count(groups, "independent group") if groups != masked else count(masked, "image")
        rough = "few: " if half > ROUGH else ""
        yield (f"{rough}{counted} give a 95 % interval of about ±{half:.2f} on mIoU; two pipelines on the same images "
               "are told apart by less.").capitalize().replace("miou", "mIoU")  # fmt: skip
    without = document["masks"]["without_masks"]
    if without and document["masks"]["with_masks"]:
        yield f"{count(without, 'image')} {'has' if without == 1 else 'have'} no mask that can be read."


def _steps(document: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    spec = shlex.join([str(document.get("spec") or document["dataset"]["name"]), *selection(document)])
    excluded, masked, stops = document["excluded"], document["masks"]["with_masks"], blocking(document)
    if stops:
        listed = " Or leave it out: it is on the list too." if all(one["exclude"] for one in stops) else ""
        yield f"Mend what keeps a run from starting.{listed}", None
    if document["suspects"]:
        yield "Look at the suspects below: what is wrong can often be mended, and some suspicions are false.", None
    if excluded:
        yield (f"Leave out {'the image' if excluded == 1 else f'the {excluded} images'} that would spoil a comparison.",
               f"python -m benchmarks.profile {spec} --exclude-to {LIST}")  # fmt: skip
    elif any(one["exclude"] for one in stops):
        yield "Leave out what keeps a run from starting.", f"python -m benchmarks.profile {spec} --exclude-to {LIST}"
    if not masked:
        yield "Draw masks for some images of as many scenes as you can, to learn of quality too.", None
    if document["dataset"]["n"]:
        what = "Compare the pipelines" if masked else "Time the pipelines, and look at what they find"
        left_out = f" --exclude {LIST}" if excluded or any(one["exclude"] for one in stops) else ""
        yield (f"{what}{' on what is left' * bool(excluded)}.",
               f"python -m benchmarks.run --dataset {spec}{left_out}")  # fmt: skip
