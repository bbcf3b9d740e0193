"""How a picture and its true mask get in, in Chromium: file, clipboard, camera and address; and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect

from benchmarks.export.originals import png
from pipelines.types import Image
from tests.browser.screen import QUIET, Screen
from tests.workbench.web_server import HOST, PUBLIC, Network, said, serving
from workbench.given import addresses

pytestmark = QUIET
CLIPBOARD = """async () => {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [60, 40];
  canvas.getContext('2d').fillRect(5, 5, 20, 20);
  const picture = await new Promise(made => canvas.toBlob(made, 'image/png'));
  await navigator.clipboard.write([new ClipboardItem({ 'image/png': picture })]);
}"""
HOSTILE = {
    "words.png": (b"no picture at all", "not a picture of a known format"),
    "script.svg": (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "SVG, a format that is not read"),
    "cut.png": (png(np.full((90, 90, 3), 7, np.uint8))[:90], "it is cut off before its end"),
    "<img src=x onerror=alert(1)>.png": (b"GIF89a\1\0\1\0\0\0\0", "GIF, a format that is not read here"),
}


def half(level: int = 200) -> Image:
    """Bright left of the middle."""
    image = np.full((40, 60, 3), 51, np.uint8)
    image[:, :30] = level
    return image


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """The same as a file."""
    path = tmp_path / "my photo.png"
    path.write_bytes(png(half()))
    return path


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """Public addresses that lead to a server here, which has one picture."""
    with serving(tmp_path) as server:
        made = Network(server, {HOST: [(PUBLIC,)]})
        server.answers["/a.png"] = said(body=png(half()), content_type="image/png")
        plain = addresses.fetch
        monkeypatch.setattr(addresses, "fetch", lambda url: plain(url, made.web))
        yield made


def found(screen: Screen) -> str:
    """What `acting` found in the picture that is open: all that is bright."""
    expect(screen.status).to_contain_text("Picture of 60 × 40 pixels. Press Compare.")
    screen.choose("acting")
    screen.compare()
    return screen.fact("acting", "Found")


def test_a_file_is_uploaded_and_its_name_is_that_of_the_download(screen: Screen, photo: Path) -> None:
    screen.upload("picture", photo)
    assert found(screen) == "1, 50.0% of the picture"
    download = screen.saved(screen.card("acting").get_by_role("button", name="Save mask.png"))
    assert download.suggested_filename == "my_photo_acting_mask.png"


def test_ctrl_v_pastes_a_picture(screen: Screen) -> None:
    screen.page.evaluate(CLIPBOARD)
    screen.page.keyboard.press("Control+V")
    expect(screen.status).to_contain_text("Picture of 60 × 40 pixels")


def test_the_button_pastes_a_picture_too(screen: Screen) -> None:
    screen.page.evaluate(CLIPBOARD)
    screen.button("Paste from clipboard").click()
    expect(screen.status).to_contain_text("Picture of 60 × 40 pixels")


def test_a_camera_takes_a_picture(screen: Screen) -> None:
    screen.button("Capture from camera").click()
    screen.button("Click to Access Webcam").click()
    screen.page.wait_for_function("document.querySelector('#picture video').videoWidth > 0")
    screen.button("capture photo").click()
    expect(screen.status).to_contain_text("pixels. Press Compare.")


def test_an_address_is_fetched_and_another_refused_in_words(screen: Screen, network: Network) -> None:
    address = screen.page.get_by_label("Address of a picture")
    address.fill(f"https://{HOST}/a.png")
    screen.button("Fetch").click()
    assert found(screen) == "1, 50.0% of the picture" and network.looked_up == [HOST]
    address.fill("https://127.0.0.1/a.png")
    address.press("Enter")
    screen.said("names no public host")
    assert network.looked_up == [HOST]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_picture_is_refused_in_words_and_gone(screen: Screen, tmp_path: Path, name: str) -> None:
    data, words = HOSTILE[name]
    (tmp_path / name).write_bytes(data)
    screen.upload("picture", tmp_path / name)
    screen.said(words)
    expect(screen.status).to_contain_text(words)
    expect(screen.page.get_by_alt_text("The picture that is looked at")).to_have_count(0)
    screen.page.click("#run")
    expect(screen.page.get_by_test_id("toast-text").last).to_contain_text("There is no picture yet.")


def test_what_is_too_large_is_refused_in_words(screen: Screen, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(bytes(21_000_000))
    screen.upload("picture", tmp_path / "large.png")
    screen.said("at most 20 MiB")
    expect(screen.page.locator("#picture img")).to_have_count(0)


def test_a_true_mask_gives_figures_and_one_of_another_size_is_refused(screen: Screen, photo: Path) -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[:, :20] = 255
    for name, pixels in (("mask.png", mask), ("small.png", mask[:9, :9])):
        cv2.imwrite(str(photo.with_name(name)), pixels)
    screen.upload("picture", photo)
    assert found(screen).startswith("1,")
    expect(screen.facts("acting")).not_to_contain_text("IoU")
    screen.unfold("I know the true mask")
    screen.upload("truth", photo.with_name("mask.png"))
    expect(screen.facts("acting")).to_contain_text("IoU")
    assert screen.fact("acting", "IoU") == "0.667" and screen.fact("acting", "Recall") == "1.000"
    screen.changed("acting", lambda: screen.page.get_by_role("radio", name="Error map").check())
    expect(screen.facts("acting")).to_contain_text("wrong: found, but not there 16.7%")
    screen.page.locator("#truth").get_by_role("button", name="Remove Image").click()
    expect(screen.facts("acting")).not_to_contain_text("IoU")
    screen.upload("truth", photo.with_name("small.png"))
    screen.said("The mask is 9 x 9 pixels, and the picture 60 x 40.")


def test_a_grey_mask_is_cut_where_the_slider_says(screen: Screen, photo: Path) -> None:
    mask = np.repeat(np.linspace(0, 250, 60).astype(np.uint8)[np.newaxis], 40, axis=0)
    cv2.imwrite(str(photo.with_name("grey.png")), mask)
    screen.upload("picture", photo)
    assert found(screen).startswith("1,")
    screen.unfold("I know the true mask")
    cut = screen.page.get_by_label("number input for Cut at grey")
    cut.fill("125")
    cut.press("Enter")
    screen.upload("truth", photo.with_name("grey.png"))
    expect(screen.facts("acting")).to_contain_text("IoU")
    assert screen.fact("acting", "IoU") == "0.000", "what is bright in the picture is dark in the mask"
