"""The head of the page: what the run was, the answer in words, and the figures of the leader."""

from __future__ import annotations

from benchmarks.report import distributions, figures
from benchmarks.report.contents import Report
from benchmarks.report.markup import Markup, element, fragment
from benchmarks.report.page_gallery import picture, told_of
from benchmarks.rows import Row


def header(report: Report) -> Markup:
    """Title, and what was compared on what."""
    manifest, facts = report.facts.manifest, report.facts
    dataset = manifest.dataset
    about = [
        figures.count(dataset.n, "image"),
        f"in {figures.count(dataset.n_groups, 'group')}",
        f"· {figures.count(len(facts.series), 'pipeline')}",
        f"· {manifest.environment.get('gpu') or manifest.environment.get('cpu')}",
        f"· {manifest.created[:10]} · run {manifest.run_id}",
    ]
    return element("header", element("h1", report.title), element("p", " ".join(about), class_="about"))


def answer(report: Report) -> Markup:
    """Headline, figures, reasons and what limits them."""
    said = report.answer
    words = element(
        "div",
        _listed("Why", said.reasons),
        _listed("What it costs" if said.leader else "What to do", said.cost),
        _listed("Read with care", said.cautions, "care"),
    )
    return fragment(
        element("p", said.headline, class_="headline"),
        _tiles(report),
        element("div", words, _worst(report), class_="sides"),
    )


def _tiles(report: Report) -> Markup | None:
    if report.answer.leader is None:
        return None
    row = report.facts.rivals[0].row
    ends = f"95 %: {figures.interval(row.miou_ci)}" if row.miou_ci else "no interval"
    tiles = (
        ("mIoU", figures.score(row.miou), ends),
        ("median latency", figures.latency(row), _throughput(row)),
        ("peak memory", figures.memory(row), row.device),
        ("commercial use", figures.commercial(row), ", ".join(w.licence for w in row.weights) or "code only"),
    )
    drawn = [element("div", element("dt", name), element("dd", value, class_="value"), element("dd", more))
             for name, value, more in tiles]  # fmt: skip
    who = element("p", distributions.key(0), f"Figures of {row.label}", class_="who")
    return fragment(who, element("dl", drawn, class_="tiles"))


def _listed(title: str, sentences: tuple[str, ...], kind: str | None = None) -> Markup | None:
    if not sentences:
        return None
    items = element("ul", [element("li", sentence) for sentence in sentences])
    return element("div", element("h3", title), items, class_=kind)


def _throughput(row: Row) -> str:
    rate = row.throughput_ips
    return f"{figures.digits(rate.value)} images/s in batches of {rate.batch_size}" if rate else "one at a time"


def _worst(report: Report) -> Markup | None:
    """The worst image at once: what a reader asks for next."""
    gallery = report.gallery
    chapter = next((one for one in gallery.chapters if one.name == "worst"), None)
    card = (gallery.cards or {}).get(chapter.choices[0].id) if chapter else None
    if chapter is None or card is None or not card.shown:
        return None
    one = card.shown[0]
    pictures = [picture(card.picture, f"Input image {card.id}", card)]
    pictures += [picture(one.overlay, told_of(one, card), card)] if one.overlay else []
    said = (f"{card.id}, IoU {figures.score(one.iou)}. Blue is right, striped orange found but not there, striped "
            "purple missed. ")  # fmt: skip
    link = element(
        "a",
        "See it with truth and mask" if len(card.shown) == 1 else "See what the others made of it",
        href=f"#{chapter.name}",
    )
    title = element("h3", f"Worst image of {one.label}")
    return element("figure", title, element("div", pictures, class_="pair"), element("figcaption", said, link))
