"""The images of the page: input, truth, and for each pipeline its mask and what it has right, wrong and missed."""

from __future__ import annotations

from benchmarks.report import figures
from benchmarks.report.chosen import Chapter, Choice
from benchmarks.report.contents import Report
from benchmarks.report.gallery import Card, Gallery, Shown
from benchmarks.report.markup import Markup, element, fragment
from benchmarks.tracking.scrubbed import scrubbed

LONGEST_TAG, LONGEST_ERROR = 60, 200


def images(report: Report) -> Markup:
    """A legend and the chapters; an image that is shown twice is drawn once."""
    gallery = report.gallery
    note = element("p", scrubbed(gallery.note), class_="care") if gallery.note else None
    if not gallery.cards:
        return fragment(note, _names(gallery))
    drawn: set[str] = set()
    parts = [_chapter(chapter, gallery, drawn) for chapter in gallery.chapters]
    judged = any(card.truth for card in gallery.cards.values())
    return fragment(_legend() if judged else None, _told(report), note, parts)


def _told(report: Report) -> Markup:
    n, cards = report.facts.manifest.dataset.n, report.gallery.cards or {}
    verb = "is" if len(cards) == 1 else "are"
    said = f"{figures.count(len(cards), 'image')} of {figures.digits(n)} {verb} shown, picked by rule. "
    right = "the mask against the truth" if any(card.truth for card in cards.values()) else "what it found in blue"
    more = f"For each pipeline: left its mask, right {right}, on a grey copy of the image."
    return element("p", said, more, class_="quiet")


def _legend() -> Markup:
    items = [
        element("li", element("span", class_=f"swatch {kind}"), said)
        for kind, said in (
            ("right", "blue: right"),
            ("wrong", "orange with stripes: found, but not there"),
            ("missed", "purple with stripes: there, but missed"),
        )
    ]
    return element("ul", items, class_="keys")


def _names(gallery: Gallery) -> Markup:
    """Which images would be shown, where they cannot be."""
    parts = []
    for chapter in gallery.chapters:
        named = [element("li", f"{choice.id}: {choice.why}") for choice in chapter.choices]
        parts += [element("h3", chapter.title, id=chapter.name), element("ul", named)]
    return fragment(parts)


def _chapter(chapter: Chapter, gallery: Gallery, drawn: set[str]) -> Markup:
    cards = gallery.cards or {}
    parts = []
    for place, choice in enumerate(chapter.choices, 1):
        if choice.id in drawn:
            parts.append(
                element(
                    "p",
                    element("a", choice.id, href=f"#{_anchor(gallery, choice.id)}"),
                    f" (shown above): {choice.why}",
                )
            )
        elif choice.id in cards:
            drawn.add(choice.id)
            parts.append(_card(cards[choice.id], choice, place, _anchor(gallery, choice.id)))
    return fragment(element("h3", chapter.title, id=chapter.name), parts) if parts else Markup("")


def _anchor(gallery: Gallery, name: str) -> str:
    return f"image-{list(gallery.cards or {}).index(name) + 1}"


def _card(card: Card, choice: Choice, place: int, anchor: str) -> Markup:
    tags = "; ".join(f"{key}: {value}"[:LONGEST_TAG] for key, value in card.tags)
    about = [f"{card.size[1]} × {card.size[0]} pixels"]
    about += [f"objects cover {figures.share(card.share)}"] if card.share is not None else []
    about += [f"asked for: {', '.join(card.prompt)}"] if card.prompt else []
    about += [tags] if tags else []
    return element(
        "article",
        element("h4", f"{place}. {card.id}", element("span", f" {choice.why}", class_="why")),
        element("p", "; ".join(about), class_="quiet"),
        element("div", _sides(card), [_shown(one, card) for one in card.shown], class_="pairs"),
        id=anchor,
        class_="card",
    )


def _sides(card: Card) -> Markup:
    pictures = [picture(card.picture, f"Input image {card.id}", card)]
    if card.truth:
        pictures.append(picture(card.truth, f"True mask of {card.id}, white on black", card))
    said = "input and truth" if card.truth else "input"
    return element("figure", element("div", pictures, class_="pair"), element("figcaption", element("strong", said)))


def _shown(one: Shown, card: Card) -> Markup:
    if one.error is not None:
        failed = element("p", f"failed: {scrubbed(one.error[:LONGEST_ERROR])}", class_="failed")
        return element("figure", failed, element("figcaption", element("strong", one.label), " counts as 0"))
    pictures = [picture(one.mask or "", f"Mask of {one.label} on {card.id}, white on black", card),
                picture(one.overlay or "", told_of(one, card), card)]  # fmt: skip
    iou = f"IoU {figures.score(one.iou)}" if one.iou is not None else ""
    amounts = "" if one.wrong is None or one.missed is None else (
        f" · wrong {figures.share(one.wrong)}, missed {figures.share(one.missed)} of the image")  # fmt: skip
    caption = element("figcaption", element("strong", one.label), f" {iou}{amounts}")
    return element("figure", element("div", pictures, class_="pair"), caption)


def told_of(one: Shown, card: Card) -> str:
    """What a picture of errors shows, in words."""
    if one.wrong is None or one.missed is None:
        return f"What {one.label} found on {card.id}, in blue"
    return (f"Errors of {one.label} on {card.id}: {figures.share(one.wrong)} of the image found and not there, "
            f"{figures.share(one.missed)} missed")  # fmt: skip


def picture(address: str, described: str, card: Card) -> Markup:
    """A small picture with what it shows in words."""
    height, width = card.small
    return element("img", src=address, alt=described, width=width, height=height, decoding="async")
