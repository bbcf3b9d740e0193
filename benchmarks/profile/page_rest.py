"""Advice, sizes, files, splits and the method, on a profile's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.profile.page_parts import NO
from benchmarks.report.figures import NOTHING, chance, count, share
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.report.page_table import table

MOST_SIZES, MOST_SPLITS = 30, 60
WORDS = {"care": "take care", "note": "good to know", "good": "in your favour"}
METHOD = (
    "Every picture and mask is decoded once, upright, as the benchmark decodes them. What cannot be read is a finding.",
    "Features of pictures are measured on luma (Rec. 601); objects are connected areas of one label.",
    "A suspicion is a reason to look, not a verdict. Images of one group are not called copies of each other.",
    "Splits are compared by the distance of Kolmogorov and Smirnov over groups; p is corrected for number (Holm).",
    "Percentiles are linear between values. Shares are of the samples that have the figure.",
)


def advice(document: Mapping[str, Any]) -> Markup:
    """What the figures mean for the choice of a pipeline."""
    items = [
        element(
            "li",
            element("h3", element("small", WORDS.get(one["severity"], "note")), one["title"]),
            element("p", one["reason"]),
            class_=f"is-{one['severity'] if one['severity'] in WORDS else 'note'}",
        )
        for one in document.get("advice", ())
    ]
    return element("ul", items, class_="advice") if items else NO


def files(document: Mapping[str, Any]) -> Markup:
    """Sizes, formats, colour modes and EXIF."""
    images = document["images"]
    total = sum(images["formats"].values()) or 1
    kinds: list[list[Child]] = [
        [f"{what}: {name}", f"{n}", share(n / total)]
        for what, found in (("format", images["formats"]), ("mode", images["modes"]))
        for name, n in found.items()
    ]
    exif = images["exif"]
    kinds += [
        ["with EXIF", f"{exif['with']}", share(exif["with"] / total)],
        ["turned by EXIF", f"{exif['turned']}", share(exif["turned"] / total)],
    ]
    kinds += [[f"camera: {name}", f"{n}", share(n / total)] for name, n in list(exif["cameras"].items())[:MOST_SIZES]]
    kinds += (
        [["cannot be read", f"{images['unreadable']}", share(images["unreadable"] / max(document["n"], 1))]]
        if images["unreadable"]
        else []
    )
    found = [
        [f"{one['width']} × {one['height']}", f"{one['n']}", share(one["n"] / max(document["n"], 1))]
        for one in images["sizes"][:MOST_SIZES]
    ]
    more = images["n_sizes"] - len(found)
    rest = element("p", f"{count(more, 'other size')} not shown.", class_="quiet") if more > 0 else None
    sizes = (
        table(
            "Sizes in pixels, the most frequent first",
            ("Size", "Pictures", "Of all"),
            found,
            frozenset({"Pictures", "Of all"}),
        )
        if found
        else None
    )
    drawn = (
        table("Files", ("What", "Pictures", "Of all"), kinds, frozenset({"Pictures", "Of all"}))
        if images["formats"]
        else None
    )
    return (
        element("div", element("div", sizes, rest) if sizes else None, drawn, class_="both") if sizes or drawn else NO
    )


def splits(document: Mapping[str, Any]) -> Markup:
    """Which features differ between splits."""
    rows = document["splits"]
    if not rows:
        return NO
    titles = {one["name"]: one["title"] for part in ("images", "masks") for one in document[part]["features"]}
    cells: list[list[Child]] = [
        [titles.get(row["feature"], row["feature"]), f"{row['a']} and {row['b']}", f"{row['distance']:.3f}",
         chance(row["p"]), "differ" if row["p"] is not None and row["p"] < 0.05 else "alike, as far as can be told"]
        for row in rows[:MOST_SPLITS]
    ]  # fmt: skip
    apart = sum(row["p"] is not None and row["p"] < 0.05 for row in rows)
    said = (f"{apart} of {count(len(rows), 'comparison')} show a difference that chance does not explain." if apart
            else "No feature differs between splits by more than chance explains.")  # fmt: skip
    columns = ("Feature", "Splits", "Distance", "p, corrected", "They")
    drawn = table("Splits compared, the most unlike first", columns, cells, frozenset(columns[2:4]))
    more = len(rows) - MOST_SPLITS
    rest = element("p", f"{more} more stand in the JSON document.", class_="quiet") if more > 0 else None
    return fragment(
        element("p", said),
        element("details", element("summary", f"Show {count(min(len(rows), MOST_SPLITS), 'comparison')}"), drawn, rest),
    )


def method(document: Mapping[str, Any]) -> Markup:
    """How the figures came about, what the reader of the dataset said, and with what."""
    data = document["dataset"]
    notes: Sequence[str] = [*METHOD, *data["notes"]]
    known = {"dataset": data["name"], "format": data["format"], "dataset hash": data["hash"] or NOTHING,
             "made": document["created"], **document["versions"]}  # fmt: skip
    facts: list[list[Child]] = [[name, str(said)] for name, said in known.items()]
    return fragment(
        element("ul", [element("li", line) for line in notes]),
        element(
            "details",
            element("summary", "Show dataset and versions"),
            table("Made of", ("What", "Value"), facts, kind="text"),
        ),
    )


def footer(document: Mapping[str, Any]) -> Markup:
    """What the page is made of."""
    said = (f"Made from the profile of {document['dataset']['name']} (schema {document['schema_version']}). The page "
            "holds all that it shows: nothing is fetched, and no script runs.")  # fmt: skip
    return element("footer", element("p", said))
