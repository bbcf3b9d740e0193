"""What is saved from Chromium: every kind of file, and all in a ZIP."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import cv2
import pytest

from benchmarks.datasets import open_dataset
from benchmarks.export.originals import png
from benchmarks.export.pictures import mask_pixels
from pipelines import create
from pipelines.types import Prompt
from tests.browser.screen import QUIET, Screen
from workbench.examples import NAMES
from workbench.files.downloads import FILES

pytestmark = QUIET


@pytest.fixture
def coin(screen: Screen) -> Screen:
    """One coin, and what two pipelines found."""
    screen.choose("classical", "acting")
    screen.example("coin")
    screen.compare()
    return screen


def test_every_kind_of_file_is_saved_and_the_mask_is_what_a_plain_call_finds(coin: Screen) -> None:
    sample = {one.id: one for one in open_dataset("coins")}[NAMES["coin"][0]]
    with create("classical") as plain:
        (expected,) = plain.predict([sample.image], [Prompt()])
    card = coin.card("classical")
    saved = {}
    for kind, file in FILES.items():
        coin.pick("Download", file.title, card)
        download = coin.saved(card.get_by_role("button", name=f"Save {file.name}", exact=True))
        assert download.suggested_filename == f"coin_classical_{file.name}"
        saved[kind] = Path(download.path()).read_bytes()
    assert saved["mask"] == png(mask_pixels(expected.foreground()))
    assert saved["picture"] == png(sample.image)
    assert all(saved[kind].startswith(b"\x89PNG") for kind in ("cut_out", "soft_cut_out", "crop", "soft"))
    assert saved["psd"].startswith(b"8BPS") and json.loads(saved["coco"])["annotations"]
    assert saved["yolo"].startswith(b"0 ") and b"names" in saved["yolo_names"]


def test_a_zip_holds_all_of_every_pipeline(coin: Screen) -> None:
    coin.button("Make a ZIP of all results").click()
    archive = zipfile.ZipFile(coin.saved(coin.page.locator("#bundle")).path())
    folders = {name.split("/")[0] for name in archive.namelist()}
    assert folders == {"classical-default", "acting-default"} and archive.testzip() is None
    about = json.loads(archive.read("classical-default/about.json"))
    assert about["produced"]["pipeline"] == "classical"
    mask = coin.saved(coin.card("acting").get_by_role("button", name="Save mask.png")).path().read_bytes()
    assert archive.read("acting-default/mask.png") == mask


def test_a_knob_keeps_the_kind_of_file_that_was_chosen(coin: Screen) -> None:
    card = coin.card("classical")
    coin.unfold("Knobs that act at once", card)
    coin.pick("Download", FILES["cut_out"].title, card)
    found = coin.fact("classical", "Found")
    save = card.get_by_role("button", name="Save cut_out.png")
    before = coin.saved(save).path().read_bytes()
    coin.changed("classical", lambda: card.get_by_label("range slider for threshold").press("End"))
    assert coin.fact("classical", "Found") != found and coin.saved(save).path().read_bytes() != before


def test_a_file_of_nothing_is_refused_in_words(coin: Screen) -> None:
    card = coin.card("acting")
    coin.unfold("Knobs that act at once", card)
    coin.changed("acting", lambda: card.get_by_label("range slider for threshold").press("End"))
    coin.pick("Download", FILES["crop"].title, card)
    coin.said("Nothing was found in the picture.")
    download = coin.saved(card.get_by_role("button", name="Save mask.png"))
    assert not cv2.imread(str(download.path()), cv2.IMREAD_UNCHANGED).any(), "the button says what it still saves"
