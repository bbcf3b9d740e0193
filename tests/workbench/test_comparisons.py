"""Masks against each other: counts, colours, signs and legends."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.errors import ContractError, UsageError
from tests.benchmarks.exporting import disc
from workbench.views.comparisons import agreement, error_map
from workbench.views.render import rgb

SIZE = (60, 80)
TARGET, FOUND = disc(SIZE, 35, 30, 15), disc(SIZE, 45, 30, 15)
IGNORE = np.zeros(SIZE, np.bool_)
IGNORE[:30] = True


def test_an_error_map_is_blue_orange_and_purple_with_stripes() -> None:
    shown = error_map(FOUND, TARGET)
    places = [FOUND & TARGET, FOUND & ~TARGET, ~FOUND & TARGET]
    assert [one.pixels for one in shown.legend] == [int(place.sum()) for place in places]
    assert [one.share for one in shown.legend] == [place.mean() for place in places]
    assert [one.sign for one in shown.legend] == ["plain", "stripes falling", "stripes rising"]
    assert [one.text.split(":")[0] for one in shown.legend] == ["right", "wrong", "missed"]
    for place, swatch in zip(places, shown.legend, strict=True):
        own = (shown.picture[place] == rgb(swatch.colour)).all(axis=1)
        white = (shown.picture[place] == 255).all(axis=1)
        assert (own | white).all()
        assert white.mean() == 0 if swatch.sign == "plain" else 0.2 < white.mean() < 0.45
    assert (shown.picture[~FOUND & ~TARGET] == 255).all()
    red, green, blue = rgb(shown.legend[0].colour)
    assert blue > max(red, green)


def test_stripes_run_in_two_ways() -> None:
    whole, none = np.ones(SIZE, np.bool_), np.zeros(SIZE, np.bool_)
    wrong = (error_map(whole, none).picture == 255).all(axis=2)
    missed = (error_map(none, whole).picture == 255).all(axis=2)
    assert np.array_equal(wrong[:-1, :-1], wrong[1:, 1:])
    assert np.array_equal(missed[:-1, 1:], missed[1:, :-1])
    assert not np.array_equal(wrong, missed)


def test_what_is_ignored_is_grey_and_counts_for_nothing() -> None:
    shown = error_map(FOUND, TARGET, IGNORE)
    counted = ~IGNORE
    places = [FOUND & TARGET & counted, FOUND & ~TARGET & counted, ~FOUND & TARGET & counted]
    assert [one.pixels for one in shown.legend] == [*(int(place.sum()) for place in places), int(IGNORE.sum())]
    assert shown.legend[0].share == places[0].sum() / counted.sum()
    assert shown.legend[3].share == 0.5
    assert (shown.picture[IGNORE] == rgb(shown.legend[3].colour)).all()
    nothing = error_map(FOUND, TARGET, np.ones(SIZE, np.bool_))
    assert [one.share for one in nothing.legend] == [0, 0, 0, 1]


def test_the_picture_shows_in_grey_where_there_is_nothing_to_say() -> None:
    image = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
    shown, plain = error_map(FOUND, TARGET, None, image), error_map(FOUND, TARGET)
    marked = FOUND | TARGET
    assert np.array_equal(shown.picture[marked], plain.picture[marked])
    ground = shown.picture[~marked]
    assert (np.ptp(ground, axis=1) == 0).all()
    assert ground.min() >= 110
    assert np.corrcoef(ground[:, 0], image[~marked].mean(axis=1))[0, 1] > 0.8


def test_pipelines_agree_where_all_or_none_found_something() -> None:
    third = np.zeros(SIZE, np.bool_)
    found = agreement({"a": TARGET, "b": FOUND, "c": third})
    counts = TARGET.astype(int) + FOUND + third
    assert np.array_equal(found.counts, counts)
    assert found.counts.dtype == np.uint8
    assert found.share == ((counts == 0) | (counts == 3)).mean()
    assert found.share_of_found == 0
    assert [one.text for one in found.legend] == ["found by all", "found by 2 of 3", "found by 1 of 3", "found by none"]
    assert [one.pixels for one in found.legend] == [int((counts == n).sum()) for n in (3, 2, 1, 0)]
    assert sum(one.share for one in found.legend) == pytest.approx(1)
    for n, swatch in zip((3, 2, 1, 0), found.legend, strict=True):
        assert (found.picture[counts == n] == rgb(swatch.colour)).all()
    assert len({one.colour for one in found.legend}) == 4


def test_agreement_of_equal_masks_is_whole_and_of_empty_ones_is_not_defined() -> None:
    same = agreement({"a": TARGET, "b": TARGET.copy()})
    assert (same.share, same.share_of_found) == (1, 1)
    none = np.zeros(SIZE, np.bool_)
    empty = agreement({"a": none, "b": none})
    assert (empty.share, empty.share_of_found) == (1, None)
    assert [one.text for one in agreement({"a": TARGET}).legend] == ["found", "found by none"]
    two = agreement({"a": TARGET, "b": FOUND})
    assert two.share_of_found == (TARGET & FOUND).sum() / (TARGET | FOUND).sum()


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ContractError):
        error_map(FOUND, TARGET[1:])
    with pytest.raises(ContractError):
        error_map(FOUND, TARGET, IGNORE[:, 1:])
    with pytest.raises(ContractError):
        agreement({"a": FOUND, "b": TARGET[1:]})
    for n in (0, 255):
        with pytest.raises(UsageError):
            agreement({str(number): TARGET for number in range(n)})
    assert agreement({str(number): TARGET for number in range(254)}).counts.max() == 254
