"""The suspects of a profile's page: chapters by kind with pictures and reasons, and all of them in a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.datasets import Dataset
from benchmarks.profile.page_parts import NO, badge, bar, chapter, class_of, kind_of, kinds_of, shortened, value
from benchmarks.profile.page_pictures import Picture, pictures
from benchmarks.report.figures import count
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.report.page_table import table

MOST_OF_KIND = 8
MOST_MB = 8.0
"""Of all pictures on a page, as they are written into it."""

MOST_ROWS = 1000
KINDS_COLUMNS = ("What", "Severity", "Images", "Of all", "What it means, and what to do")
COLUMNS = ("Image", "Kind", "Severity", "Why", "With", "Left out")


@dataclass(frozen=True)
class Gallery:
    """What can be shown of the suspects.

    Attributes:
        chosen: kind → places of the suspects that get a card.
        shown: id → its picture, or why there is none.
        note: what was left out for room, or None.
    """

    chosen: Mapping[str, list[int]]
    shown: Mapping[str, Picture | str]
    note: str | None = None


def gallery(document: Mapping[str, Any], dataset: Dataset | None) -> Gallery:
    """Choose the first suspects of each kind and draw them, as many as the page has room for."""
    chosen = {kind: places[:MOST_OF_KIND] for kind, places in kinds_of(document).items()}
    wanted = [document["suspects"][place] for places in chosen.values() for place in places]
    names = list(dict.fromkeys(name for one in wanted for name in (one["sample"], *one["related"][:1])))
    shown: dict[str, Picture | str] = {}
    room, left_out = MOST_MB, 0
    for name, picture in pictures(dataset, names):
        mb = picture.mb if isinstance(picture, Picture) else 0.0
        if mb <= room:
            shown[name], room = picture, room - mb
        else:
            left_out += 1
    note = f"{count(left_out, 'picture')} left out to keep the page below {MOST_MB:g} MB." if left_out else None
    return Gallery(chosen, shown, note)


def suspects(document: Mapping[str, Any], found: Gallery) -> Markup:
    """Switches, a chapter for each kind, and the table of all."""
    if not document["suspects"]:
        return NO
    said = ("Inside the yellow line, where the picture is bright, the mask says foreground; what is dark is "
            "background, and grey counts for nothing. Click a picture to enlarge it.")  # fmt: skip
    return fragment(
        element("p", said, class_="quiet"),
        element("p", found.note, class_="care") if found.note else None,
        _wrong(document),
        _switches(document),
        [_chapter(kind, document, found) for kind in kinds_of(document)],
        _all(document),
    )


def _wrong(document: Mapping[str, Any]) -> Markup:
    """The kinds with their number and severity, and what each means."""
    rows: list[list[Child]] = []
    for kind, places in kinds_of(document).items():
        about, images = kind_of(kind, document), len({document["suspects"][place]["sample"] for place in places})
        link = element("a", about.title, href=f"#{chapter(kind, document)}")
        rows.append(
            [
                link,
                badge(about.severity),
                f"{images}",
                bar(images / document["n"]),
                f"{about.meaning} {about.suggestion}",
            ]
        )
    return table("Suspects by kind, the gravest first", KINDS_COLUMNS, rows, frozenset({"Images"}), kind="kinds means")


def _switches(document: Mapping[str, Any]) -> Markup:
    """Radio buttons that a rule of the style sheet reads: no script is needed to filter."""
    kinds = kinds_of(document)
    whole = _radio("kind-all", f"all ({len(document['suspects'])})", checked=True)
    each = [
        _radio(f"kind-{n}", f"{kind_of(kind, document).title} ({len(places)})")
        for n, (kind, places) in enumerate(kinds.items())
    ]
    masks = element("label", element("input", type="checkbox", id="masks-off"), "pictures without their masks")
    return fragment(
        element("fieldset", element("legend", "Show which suspects"), whole, each),
        element("p", masks),
    )


def _radio(name: str, words: str, *, checked: bool = False) -> Markup:
    return element("label", element("input", type="radio", name="kind", id=name, checked=checked), words)


def rules(document: Mapping[str, Any]) -> str:
    """The style of the switches; no name is in it."""
    shown = "".join(
        f"body:has(#kind-{n}:checked) .kind:not(.k{n}) {{ display: none; }}\n" for n in range(len(kinds_of(document)))
    )
    return f"{shown}.kind:target, .kind:has(:target) {{ display: block !important; }}\n"


def _chapter(kind: str, document: Mapping[str, Any], found: Gallery) -> Markup:
    about, places = kind_of(kind, document), kinds_of(document)[kind]
    chosen = found.chosen[kind]
    paired = any(document["suspects"][place]["related"] for place in chosen)
    more = len(places) - len(chosen)
    rest = f"{more} more stand in the table below, in the JSON document and in the list to leave out." if more else None
    title = element(
        "h3",
        about.title,
        " ",
        badge(about.severity),
        element("span", f" {count(len(places), 'suspect')}", class_="why"),
    )
    return element(
        "div", title, element("p", f"{about.meaning} {about.suggestion}"),
        element("div", [_card(place, document, found) for place in chosen], class_=f"cards{' two' * paired}"),
        element("p", rest, class_="quiet") if rest else None,
        class_=f"kind {class_of(kind, document)}", id=chapter(kind, document),
    )  # fmt: skip


def _card(place: int, document: Mapping[str, Any], found: Gallery) -> Markup:
    suspect = document["suspects"][place]
    name, related, anchor = suspect["sample"], suspect["related"], f"suspect-{place + 1}"
    sides = [_side(name, anchor, found, "")]
    sides += [_side(related[0], anchor, found, "with ")] if related else []
    others = (
        f"Also with {', '.join(map(shortened, related[1:4]))}{' and others' * (len(related) > 4)}. "
        if related[1:]
        else ""
    )
    measured = "; ".join(f"{key.replace('_', ' ')} {value(number)}" for key, number in suspect["figure"].items())
    left_out = "It is on the list to leave out." if suspect["exclude"] else "It stays, unless you take it out."
    return element(
        "article", element("h4", shortened(name)),
        element("div", sides, class_="pair" if related else "pair alone"),
        element("p", suspect["reason"]), element("p", others, suspect["suggestion"]),
        element("p", f"{measured}. " if measured else None, left_out, class_="quiet"),
        element("p", element("a", "Make it small again", href=f"#{chapter(suspect['kind'], document)}"), class_="back"),
        id=anchor, class_="suspect",
    )  # fmt: skip


def _side(name: str, anchor: str, found: Gallery, before: str) -> Markup:
    """A picture that a click enlarges, or why there is none."""
    shown = found.shown.get(name)
    if not isinstance(shown, Picture):
        why = shown or "It is not shown: the dataset's reader refuses it, or it is left out for room."
        return element(
            "figure",
            element("div", f"No picture. {why}", class_="none"),
            element("figcaption", f"{before}{shortened(name)}"),
        )
    link = element("a", seen(shown, name), href=f"#{anchor}")
    return element("figure", link, element("figcaption", f"{before}{shortened(name)}: " if before else "", shown.said))


def seen(shown: Picture, name: str) -> Markup:
    """A picture with its mask as a layer."""
    height, width = shown.small
    said = f"{shortened(name)}, {shown.said}"
    below = element("img", src=shown.picture, alt=said, width=width, height=height)
    over = element("img", src=shown.layer, alt="", width=width, height=height, class_="over") if shown.layer else None
    return element("span", below, over, class_="seen")


def _all(document: Mapping[str, Any]) -> Markup:
    listed = document["suspects"]
    rows: list[list[Child]] = [
        [shortened(one["sample"]), kind_of(one["kind"], document).title, one["severity"], one["reason"],
         ", ".join(map(shortened, one["related"][:3])) or "–", "yes" if one["exclude"] else "no"]
        for one in listed[:MOST_ROWS]
    ]  # fmt: skip
    more = len(listed) - MOST_ROWS
    rest = element("p", f"{more} more stand in the JSON document.", class_="quiet") if more > 0 else None
    drawn = table("Every suspect, the gravest kinds first", COLUMNS, rows, frozenset(), kind="text")
    return element("details", element("summary", f"Show all {count(len(listed), 'suspect')} as a table"), drawn, rest)
