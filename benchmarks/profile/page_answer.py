"""The head of a profile's page: what the data are, whether they are fit, what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.profile.blocking import blocking, told
from benchmarks.profile.page_parts import badge, chapter, kind_of, kinds_of, shortened
from benchmarks.profile.page_pictures import Picture
from benchmarks.profile.page_suspects import Gallery, seen
from benchmarks.profile.precision import WANTED
from benchmarks.profile.readings import selection
from benchmarks.profile.verdict import interval, samples_by_severity, verdict
from benchmarks.report.figures import count, share
from benchmarks.report.markup import Markup, element, fragment

FIRST, MOST_KINDS, MOST_PROBLEMS = 6, 7, 20


def title(document: Mapping[str, Any]) -> str:
    """What the page is called."""
    return f"Dataset profile: {document['dataset']['name']}"


def header(document: Mapping[str, Any]) -> Markup:
    """Title, and what was looked at."""
    data = document["dataset"]
    parts = [count(document["n"], "image"), f"in {count(data['n_groups'], 'group')}", f"· {data['format']}"]
    parts += [f"· splits {', '.join(f'{name} ({n})' for name, n in data['splits'].items())}"] if data["splits"] else []
    parts += [f"· {' '.join(selection(document))}"] if selection(document) else []
    parts += [f"· {document['created'][:10]}"]
    parts += [f"· dataset hash {data['hash'][:12]}"] if data["hash"] else []
    return element("header", element("h1", title(document)), element("p", " ".join(parts), class_="about"))


def answer(document: Mapping[str, Any], found: Gallery) -> Markup:
    """Verdict, figures, what is wrong by kind, what to do, and the first suspects."""
    said = verdict(document)
    steps = [element("li", words, element("code", line) if line else None) for words, line in said.steps]
    to_do = element("div", element("h3", "What to do"), element("ol", steps, class_="steps")) if steps else None
    return fragment(
        element("p", said.headline, class_="headline"), _tiles(document),
        element("ul", [element("li", reason) for reason in said.reasons], class_="reasons"),
        _concerns(document), _blocking(document),
        element("div", _wrong(document), to_do, class_="both"), _first(document, found),
    )  # fmt: skip


def _concerns(document: Mapping[str, Any]) -> Markup | None:
    """What is odd of the dataset as a whole, and where a search ended early."""
    items = [
        element("li", element("strong", one["title"]), ": ", one["reason"]) for one in document.get("concerns", ())
    ]
    items += [element("li", note) for note in document.get("notes", ())]
    return element("div", element("h3", "Of the whole dataset"), element("ul", items)) if items else None


def _blocking(document: Mapping[str, Any]) -> Markup | None:
    """Problems that are no suspect, and that no run starts with."""
    found = blocking(document)
    if not found:
        return None
    items = [element("li", told(one)) for one in found[:MOST_PROBLEMS]]
    more = len(found) - MOST_PROBLEMS
    rest = element("p", f"{more} more stand in the JSON document.", class_="quiet") if more > 0 else None
    return element("div", element("h3", "What keeps a run from starting"), element("ul", items), rest)


def _tiles(document: Mapping[str, Any]) -> Markup:
    data, masks, by = document["dataset"], document["masks"], samples_by_severity(document)
    suspect, n, half = sum(by.values()), document["n"], interval(document)
    classes = len(masks["classes"])
    known = f"{classes} class{'es' * (classes != 1)}" if classes else "no classes"
    tiles = [
        ("images", f"{n}", f"{count(data['n_groups'], 'group')}, {count(document['images']['n_sizes'], 'size')}"),
        ("with masks", f"{masks['with_masks']}", known),
        ("suspect", f"{suspect}", f"{by['high']} high, {by['medium']} medium, {by['low']} low"),
        ("to leave out", f"{document['excluded']}", f"{share(document['excluded'] / n)} of all" if n else "–"),
    ]  # fmt: skip
    tiles += [("expected precision", f"±{half:.3f}", f"95 % on mIoU; ±{WANTED:g} is fine")] if half is not None else []
    drawn = [
        element("div", element("dt", name), element("dd", said, class_="value"), element("dd", more))
        for name, said, more in tiles
    ]
    return element("dl", drawn, class_="tiles")


def _first(document: Mapping[str, Any], found: Gallery) -> Markup | None:
    """One picture of each of the gravest kinds, which leads to its card."""
    drawn: list[Markup] = []
    for kind, places in found.chosen.items():
        place = next(
            (p for p in places if isinstance(found.shown.get(document["suspects"][p]["sample"]), Picture)), None
        )
        if place is not None and len(drawn) < FIRST:
            name = document["suspects"][place]["sample"]
            shown = found.shown[name]
            if isinstance(shown, Picture):
                words = element("strong", kind_of(kind, document).title)
                drawn.append(element("a", seen(shown, name), words, href=f"#suspect-{place + 1}"))
    return (
        element("figure", element("h3", "The first to look at"), element("div", drawn, class_="first"))
        if drawn
        else None
    )


def _wrong(document: Mapping[str, Any]) -> Markup:
    """The gravest kinds with their number, each leading to its chapter."""
    kinds = kinds_of(document)
    items = []
    for kind, places in list(kinds.items())[:MOST_KINDS]:
        about, images = kind_of(kind, document), len({document["suspects"][place]["sample"] for place in places})
        link = element("a", about.title, href=f"#{chapter(kind, document)}")
        items.append(element("li", badge(about.severity), " ", link, f": {count(images, 'image')}"))
    more = len(kinds) - MOST_KINDS
    rest = element("li", element("a", f"{count(more, 'more kind')}", href="#suspects")) if more > 0 else None
    found = (
        element("ul", items, rest, class_="faults") if kinds else element("p", "None of the kinds that are looked for.")
    )
    return element("div", element("h3", "What is wrong"), found)


def first_named(document: Mapping[str, Any], most: int = 3) -> list[str]:
    """The first suspects in words, for a terminal."""
    return [f"{shortened(one['sample'])}: {one['reason']}" for one in document["suspects"][:most]]
