"""The page of a profile says first whether the data are fit, shows what is wrong, needs nothing and runs nothing."""

from __future__ import annotations

import base64
import copy
import hashlib
import re
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.segmentation import find_boundaries

from benchmarks.datasets import Dataset, Truth
from benchmarks.profile.comparison import compare
from benchmarks.profile.page import page, write_page
from benchmarks.profile.page_parts import tick, value
from benchmarks.profile.page_pictures import IGNORED, INSIDE, LINE, OUTSIDE, RIM, levels, picture_of
from benchmarks.profile.page_suspects import MOST_OF_KIND, gallery
from benchmarks.profile.summaries import bins, summary
from benchmarks.profile.verdict import samples_by_severity, verdict
from tests.benchmarks.copies import mask
from tests.benchmarks.profiled import finished_document, made_photographs, named_by, suspect, with_suspects
from tests.benchmarks.reporting import Seen
from tests.benchmarks.test_report_injection import HOSTILE, SAFE

PARTS = ["answer", "advice", "suspects", "features", "scatter", "position", "splits", "files", "method"]


def hostile_profile(folder: Path) -> tuple[dict[str, Any], Dataset]:
    """Everything that has a name is called by 24 hostile strings; a browser is shown it too."""
    document, dataset = named_by(SAFE, folder)
    return {**document, "comparison": compare(document, document)}, dataset


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Dataset]:
    return finished_document(made_photographs(tmp_path_factory.mktemp("page") / "photographs"))


@pytest.fixture(scope="module")
def html(made: tuple[dict[str, Any], Dataset]) -> str:
    return page(*made)


def test_every_part_is_there_and_the_list_leads_to_each(html: str) -> None:
    seen = Seen(html)
    assert seen.values("section", "id") == [part for part in PARTS if part in seen.values("section", "id")]
    assert {"answer", "advice", "suspects", "features", "scatter", "position", "files", "method"} <= set(
        seen.values("section", "id")
    )
    assert {f"#{part}" for part in seen.values("section", "id")} <= set(seen.values("a", "href"))
    assert seen.tags.count("h1") == 1


def test_the_first_screen_says_what_a_stakeholder_asks(made: tuple[dict[str, Any], Dataset], html: str) -> None:
    document, said = made[0], Seen(html).said.split("What it means for the choice")[0]
    by = samples_by_severity(document)
    for words in (verdict(document).headline, f"images {document['n']}", f"to leave out {document['excluded']}", f"suspect {sum(by.values())}",
                  f"{by['high']} high, {by['medium']} medium, {by['low']} low", "What is wrong", "What to do",
                  "python -m benchmarks.run --dataset photographs --exclude exclude.txt"):  # fmt: skip
        assert words in said, words


def test_the_page_needs_nothing_from_outside_and_runs_nothing(html: str) -> None:
    seen = Seen(html)
    style = html.partition("<style>")[2].partition("</style>")[0]
    policy = seen.values("meta", "content")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy, "the style that is there is the one that is allowed"
    assert "default-src 'none'" in policy and "script" not in policy and "unsafe" not in policy
    assert not {"script", "iframe", "object", "embed", "form", "base"} & set(seen.tags)
    assert not [name for _, name, _ in seen.attributes if name.startswith("on") or name == "style"]
    assert all((v or "").startswith("data:image/") for _, name, v in seen.attributes if name in ("src", "srcset"))
    assert all((v or "").startswith(("#", "data:,")) for _, name, v in seen.attributes if name == "href")
    assert not re.search(r"url\(|@import|https?://", style)


def test_the_page_can_be_read_by_all(html: str) -> None:
    seen = Seen(html)
    images = [dict(pairs) for pairs in _attributes(html, "img")]
    assert images and all("alt" in one and "width" in one for one in images)
    assert all(one["alt"] for one in images if one.get("class") != "over")
    levels = [int(tag[1]) for tag in seen.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [v for _, name, v in seen.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in seen.values("a", "href")} <= set(ids)
    assert len(seen.values("svg", "role") + seen.values("svg", "aria-hidden")) == seen.tags.count("svg")
    assert seen.tags.count("input") == seen.tags.count("label")


def _attributes(html: str, tag: str) -> list[list[tuple[str, str | None]]]:
    seen, found = Seen(""), []
    seen.handle_starttag = lambda name, attrs: found.append(attrs) if name == tag else None  # type: ignore[method-assign]
    seen.feed(html)
    return found


def test_each_suspect_has_a_card_with_reason_picture_and_relative(made: tuple[dict[str, Any], Dataset]) -> None:
    document, dataset = made
    ids = [sample.id for sample in dataset]
    document = with_suspects(
        document,
        suspect("near_duplicate", ids[0], (ids[1],), reason="As like as two peas."),
        suspect("image_dark", ids[2]),
    )
    html = page(document, dataset)
    seen = Seen(html)
    assert "As like as two peas." in seen.said and f"with {ids[1]}: mask covers" in seen.said
    alts = [alt for alt in seen.values("img", "alt") if alt]
    assert sum(alt.startswith(f"{ids[1]}, mask covers") for alt in alts) == 1
    assert sum(alt.startswith(f"{ids[0]}, ") for alt in alts) == 2, "once at the head, once on its card"
    assert "share 0.5" in seen.said and "It is on the list to leave out." in seen.said and "It stays" in seen.said


def test_what_is_left_out_of_a_gallery_is_said(made: tuple[dict[str, Any], Dataset]) -> None:
    document, dataset = made
    ids = [sample.id for sample in dataset]
    many = with_suspects(
        document, *(suspect("image_dark", ids[n % len(ids)], reason=f"Dark {n}.") for n in range(MOST_OF_KIND + 5))
    )
    seen = Seen(page(many, dataset))
    assert "5 more stand in the table below" in seen.said
    assert seen.values("article", "class") == ["suspect"] * MOST_OF_KIND
    assert f"Show all {MOST_OF_KIND + 5} suspects as a table" in seen.said and f"Dark {MOST_OF_KIND + 4}." in seen.said
    assert "No picture." in Seen(page(many, None)).said, "without the dataset words stay"


def test_files_that_cannot_be_read_are_cards_too(made: tuple[dict[str, Any], Dataset]) -> None:
    document, dataset = made
    names = {one["sample"] for one in document["suspects"] if one["kind"] in ("image_unreadable", "mask_size_mismatch")}
    assert len(names) == 2
    found = gallery(document, dataset).shown
    assert sorted(type(found[name]).__name__ for name in names) == ["Picture", "str"]
    assert "its mask cannot be laid over it" in Seen(page(document, dataset)).said


def test_parts_without_data_are_left_out(made: tuple[dict[str, Any], Dataset]) -> None:
    document = copy.deepcopy(made[0])
    bare = with_suspects(document)
    bare["masks"] |= {"with_masks": 0, "without_masks": bare["n"], "position": None, "classes": [], "co_occurrence": []}
    for one in bare["masks"]["features"]:
        one["all"], one["splits"] = None, dict.fromkeys(one["splits"])
    del bare["points"]
    bare |= {"splits": [], "advice": []}
    html = page(bare, None)
    assert Seen(html).values("section", "id") == ["answer", "features", "files", "method"]
    assert "speed can be measured, and quality cannot" in Seen(html).said


def test_bars_of_a_plot_are_the_histogram(made: tuple[dict[str, Any], Dataset], html: str) -> None:
    feature = next(one for one in made[0]["images"]["features"] if one["name"] == "brightness")
    drawn = html.split(">Brightness</h4>")[1].split("</figure>")[0]
    tips = [int(n) for n in re.findall(r'class="tip">[^<]*: (\d+)</text>', drawn)]
    assert tips == feature["all"]["histogram"]["counts"] and sum(tips) == feature["all"]["n"]
    heights = [float(h) for h in re.findall(r'height="([\d.]+)" class="s0"', drawn)]
    tallest = max(tips)
    assert heights == pytest.approx([94 * n / tallest for n in tips if n], abs=0.06)


def test_one_far_value_hides_none_of_the_others(made: tuple[dict[str, Any], Dataset]) -> None:
    values = np.r_[np.linspace(0.2, 0.8, 99), 4000.0]
    document = copy.deepcopy(made[0])
    feature = next(one for one in document["images"]["features"] if one["name"] == "sharpness")
    feature["all"] = summary(values, bins(values, False))
    drawn = page(document, None).split(">Sharpness</h4>")[1].split("</figure>")[0]
    assert len(re.findall(r'class="s0"', drawn)) > 10, "they are in bars of their own"
    assert "to 4\N{NO-BREAK SPACE}000: 1</text>" in drawn, "the last bar says how far it goes"
    edges = [float(x) for x in re.findall(r'<rect x="([\d.]+)" y="18" width', drawn)]
    assert edges == sorted(edges) and edges[0] >= 4 and edges[-1] < 266, "and stays in the picture"


def test_figures_of_the_table_are_those_of_the_document(made: tuple[dict[str, Any], Dataset], html: str) -> None:
    said = Seen(html).said
    for part in ("images", "masks"):
        for one in made[0][part]["features"]:
            if one["all"]:
                row = " ".join(
                    value(one["all"][key], one["unit"])
                    for key in ("mean", "std", "min", "p5", "p25", "p50", "p75", "p95", "max")
                )
                assert f"{one['title']} {one['all']['n']} {' '.join(row.split())}" in said, one["name"]


def test_the_points_are_the_samples_and_suspects_lead_to_their_cards(
    made: tuple[dict[str, Any], Dataset], html: str
) -> None:
    given = made[0]["points"]
    assert given["of"] == made[0]["n"] == len(given["ids"])
    drawn = html.split('id="scatter"')[1].split("</figure>")[0]
    both = sum(
        x is not None and y is not None
        for x, y in zip(given["columns"]["area_share"], given["columns"]["objects"], strict=True)
    )
    assert drawn.count('class="dot') == both
    listed = {one["sample"] for one in made[0]["suspects"]}
    shown = [name for name, x in zip(given["ids"], given["columns"]["area_share"], strict=True) if x is not None]
    assert drawn.count('class="dot s5"') == sum(name in listed for name in shown) == drawn.count("<a ")


def test_the_layer_shows_what_the_mask_says() -> None:
    picture = np.full((96, 128, 3), 90, np.uint8)
    disc = mask((96, 128))
    ignore = np.zeros_like(disc)
    ignore[:10] = True
    found = levels(Truth({"a": disc}, ignore), picture)
    edge = find_boundaries(disc, connectivity=1, mode="inner")
    assert (found[edge] == LINE).all()
    deep = ~np.isin(found, (LINE, RIM))
    assert (found[deep & disc] == INSIDE).all() and (found[deep & ignore] == IGNORED).all()
    assert (found[deep & ~disc & ~ignore] == OUTSIDE).all()
    full = levels(Truth({"a": np.ones_like(disc)}), picture)
    assert (full[[0, -1]] == LINE).all() and full[48, 64] == INSIDE, (
        "a full mask has its line at the edge of the picture"
    )
    assert (levels(Truth({"a": np.zeros_like(disc)}), picture) == OUTSIDE).all()


def test_the_layer_is_a_picture_with_transparency(made: tuple[dict[str, Any], Dataset]) -> None:
    shown = picture_of(next(iter(made[1])))
    assert shown.layer is not None
    layer = np.asarray(Image.open(BytesIO(base64.b64decode(shown.layer.partition(",")[2]))).convert("RGBA"))
    assert layer.shape[:2] == shown.small
    assert {tuple(pixel) for pixel in layer.reshape(-1, 4)[layer.reshape(-1, 4)[:, 3] == 255]} == {(255, 214, 0, 255)}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Dataset]:
    return hostile_profile(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Dataset]:
    document, dataset = named_by("words", tmp_path_factory.mktemp("harmless"))
    return {**document, "comparison": compare(document, document)}, dataset


def test_hostile_names_make_no_element_and_no_attribute(
    hostile: tuple[dict[str, Any], Dataset], harmless: tuple[dict[str, Any], Dataset]
) -> None:
    bad, good = Seen(page(*hostile)), Seen(page(*harmless))
    assert bad.tags == good.tags
    assert [(tag, name) for tag, name, _ in bad.attributes] == [(tag, name) for tag, name, _ in good.attributes]
    for string in HOSTILE[:18]:
        assert string in "".join(bad.words), "it is shown as it is"
    assert all(one.startswith("#") or one == "data:," for tag in ("a", "link") for one in bad.values(tag, "href"))
    assert not set("".join(bad.words)) & set("\x00\x1b\u202e\u202c")


def test_no_name_gets_into_the_style(
    hostile: tuple[dict[str, Any], Dataset], harmless: tuple[dict[str, Any], Dataset]
) -> None:
    styles = [page(*one).partition("<style>")[2].partition("</style>")[0] for one in (hostile, harmless)]
    assert styles[0] == styles[1]


def test_the_file_is_written_and_the_same_each_time(
    made: tuple[dict[str, Any], Dataset], html: str, tmp_path: Path
) -> None:
    path = write_page(*made, tmp_path / "deep" / "folder")
    assert path.name == "profile.html" and path.read_text(encoding="utf-8") == html


@pytest.mark.parametrize(
    ("number", "unit", "said"),
    [(0.385, "share", "38.5 %"), (0.00012, "share", "0.012 %"), (0.0, "share", "0.0 %"), (1934.0, "px", "1\N{NO-BREAK SPACE}934 px"),
     (0.48, "MP", "0.48 MP"), (-0.5, "", "\N{MINUS SIGN}0.5"), (None, "", "–"), (7.0, "", "7")],
)  # fmt: skip
def test_figures_are_written_for_people(number: float | None, unit: str, said: str) -> None:
    assert value(number, unit) == said
    if number == 0.385:
        assert tick(0.2, unit) == "20 %" and tick(0.0005, unit) == "0.05 %"


VERDICTS = {
    "fit": (500, [], "Fit to judge pipelines with: nothing grave"),
    "few": (12, [], "Sound: nothing grave was found in 14 images, but few: they tell mIoU to about ±0.11 only."),
    "leave out": (500, ["mask_full"], "Fit to judge pipelines with once 1 of 14 images is left out or mended."),
    "few and leave out": (12, ["mask_full"], "Sound once 1 of 14 images is left out or mended, but few"),
    "look": (500, ["image_dark"], "nothing grave was found"),
    "unfit": (12, ["mask_full"] * 5, "Not yet fit to judge pipelines with: 5 of 14 images"),
    "half": (500, ["near_duplicate"] * 7, "Not fit to judge pipelines with: 7 of 14 images would have to be left out"),
    "less than half": (500, ["near_duplicate"] * 6, "Fit to judge pipelines with once 6 of 14 images are left out"),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_the_verdict_follows_the_figures(made: tuple[dict[str, Any], Dataset], case: str) -> None:
    n_groups, kinds, words = VERDICTS[case]
    document = with_suspects(made[0], *(suspect(kind, f"p{n:02d}") for n, kind in enumerate(kinds)))
    document = {**document, "advice": [], "masks": {**document["masks"], "n_groups": n_groups}}
    assert words in verdict(document).headline
