"""Pipelines with networks in Chromium, tiny ones of random weights: labels, points, boxes, and all at one time."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.screen import QUIET, Screen

pytestmark = QUIET


@pytest.fixture
def coin(screen: Screen) -> Screen:
    """One coin, not looked at yet."""
    screen.example("coin")
    expect(screen.status).to_contain_text("Press Compare.")
    return screen


def test_several_labels_each_with_its_colour(coin: Screen) -> None:
    coin.choose("clipseg", "rmbg")
    coin.page.get_by_label("Labels, one a line").fill("a coin\nthe table\n")
    coin.compare()
    assert coin.fact("clipseg", "Looked for") == "a coin, the table"
    expect(coin.facts("clipseg").locator(".legend li")).to_have_text([re.compile("^a coin"), re.compile("^the table")])
    expect(coin.facts("rmbg")).not_to_contain_text("a coin")
    expect(coin.facts("rmbg")).to_contain_text("no commercial use")


def test_text_to_boxes_to_masks(coin: Screen) -> None:
    coin.choose("grounded_sam")
    coin.compare()
    expect(coin.facts("grounded_sam")).to_contain_text("done")
    assert coin.fact("grounded_sam", "Looked for") == "coin"
    expect(coin.facts("grounded_sam")).to_contain_text("Parts of the look")


def test_a_text_pipeline_without_a_text_says_what_it_needs(coin: Screen) -> None:
    coin.choose("clipseg", "sam")
    coin.page.get_by_label("Labels, one a line").fill("")
    coin.compare()
    expect(coin.facts("clipseg")).to_contain_text("It needs a text to know what to look for. Give one.")
    expect(coin.facts("sam")).to_contain_text("cannot run")


def test_sam_by_clicks_and_by_the_corners_of_a_box(coin: Screen) -> None:
    coin.choose("sam")
    coin.unfold("Point at things (for SAM)")
    lines, place = coin.page.get_by_label("Points and boxes"), coin.page.locator("#pointer img")
    coin.wait_until_still(place)
    place.click(position={"x": 96, "y": 90})
    expect(lines).to_have_value("point 96 90")
    coin.page.get_by_role("radio", name="Point beside it").check()
    place.click(position={"x": 5, "y": 7})
    expect(lines).to_have_value("point 96 90\nnot 5 7")
    coin.compare()
    assert coin.fact("sam", "Found").startswith("1,")
    lines.fill("")
    coin.page.get_by_role("radio", name="Box: two corners").check()
    place.click(position={"x": 150, "y": 140})
    expect(lines).to_have_value("box 150 140")
    place.click(position={"x": 40, "y": 50})
    expect(lines).to_have_value("box 40 50 150 140")
    coin.compare()
    assert coin.fact("sam", "Found").startswith("1,")


def test_sam_by_lines_that_are_written_and_drawn(coin: Screen) -> None:
    coin.choose("sam")
    coin.unfold("Point at things (for SAM)")
    lines, place = coin.page.get_by_label("Points and boxes"), coin.page.locator("#pointer img")
    before = str(place.get_attribute("src"))
    lines.press_sequentially("point 96 90")
    lines.press("Enter")
    lines.press_sequentially("box 40, 50, 150, 140")
    lines.press("Tab")
    expect(place).not_to_have_attribute("src", before)
    coin.compare()
    expect(coin.facts("sam")).to_contain_text("done")
    lines.fill("circle 3 4")
    coin.page.click("#run")
    coin.said("The line 'circle 3 4' is no point and no box.")
