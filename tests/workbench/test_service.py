"""The service: cards that come whatever happens, decisions at no look, and nobody sees another's picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any, ClassVar

import numpy as np
import pytest

from benchmarks.datasets import open_dataset
from pipelines import create
from pipelines.errors import ParameterError, UsageError
from pipelines.params import knob
from pipelines.presets import Provenance, save_preset
from pipelines.types import Evidence, Image, Prompt
from tests.workbench import acting
from workbench.catalogue import Order, Place
from workbench.looks.inside import Inside
from workbench.looks.pool import Limits
from workbench.service import SCORES, Card, Service, scores


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    acting.installed(monkeypatch, tmp_path)


@pytest.fixture
def service() -> Iterator[Service]:
    with Service(Place(device="cpu"), Limits(look_s=5)) as made:
        yield made


def picture(level: int = 102) -> Image:
    image = np.full((8, 12, 3), 51, np.uint8)
    image[:, :6] = level
    return image


def acts(service: Service, visitor: str = "v", image: Image | None = None, **fields: Any) -> Card:
    return service.look(visitor, picture() if image is None else image, Prompt(), Order("acting", fields=fields))


def test_every_pipeline_is_offered_and_one_that_cannot_run_says_why(service: Service) -> None:
    offers = {one.name: one for one in service.offers()}
    assert {"classical", "clipseg", "grounded_sam", "rmbg", "sam", "acting"} <= set(offers)
    assert offers["acting"].reason is None and [knob.name for knob in offers["acting"].knobs][-1] == "threshold"
    assert offers["classical"].reason is None and "coin-seed" in offers["classical"].presets
    assert offers["clipseg"].reason and "clipseg" in offers["clipseg"].reason.lower()
    names = [one.name for one in service.offers()]
    assert names.index("classical") < names.index("clipseg")


def test_a_plugin_that_cannot_be_imported_is_offered_with_its_reason(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "other" / "broken-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[segmentation_workbench.pipelines]\nbroken = nowhere.at_all:Broken\n")
    monkeypatch.syspath_prepend(str(about.parent))
    (found,) = [one for one in service.offers() if one.name == "broken"]
    assert found.reason and "cannot be imported" in found.reason


def test_a_card_tells_masks_times_and_what_they_were_made_with(service: Service) -> None:
    card = acts(service, threshold=0.3)
    assert card.status == "ok" and card.foreground is not None
    assert card.foreground[:, :6].all() and not card.foreground[:, 6:].any()
    assert card.load_ms is not None and card.infer_ms and card.decide_ms and card.stages_ms
    assert card.configuration.params["threshold"] == 0.3
    again = acts(service, threshold=0.1)
    assert again.load_ms is None and again.infer_ms is None, "what is kept is not looked at again"
    assert again.foreground is not None and again.foreground.all()


def test_a_moved_threshold_is_decided_from_what_is_kept(service: Service) -> None:
    card = acts(service)
    assert card.foreground is not None and not card.foreground.any()
    moved = service.decide(card, {"threshold": 0.3})
    assert moved.foreground is not None and moved.foreground.sum() == 48
    assert moved.configuration.params["threshold"] == 0.3 and moved.infer_ms == card.infer_ms
    with pytest.raises(UsageError, match="A change of gain needs another look"):
        service.decide(moved, {"gain": 2.0})
    with pytest.raises(ParameterError, match="threshold"):
        service.decide(moved, {"threshold": 2.0})


def test_one_that_fails_takes_no_other_along(service: Service) -> None:
    bad = ("raise", "exit", "memory")
    orders = [*(Order("acting", fields={"act": act}) for act in bad), Order("acting", fields={"size": "none"}),
              Order("nobody"), Order("acting", "none"), Order("acting", fields={"gain": 9}), Order("sam"),
              Order("classical", "coin-seed"), Order("acting")]  # fmt: skip
    cards = list(service.compare("v", picture(), Prompt(), orders))
    assert [card.status for card in cards] == ["failed"] * 3 + ["unavailable"] + ["failed"] * 3 + ["unavailable"] + [
        "ok"
    ] * 2
    for card in cards[:8]:
        assert card.reason and card.reason.endswith(".") and "Traceback" not in card.reason
        assert card.prediction is None


def test_what_is_called_off_comes_as_cancelled_with_all_that_follow(service: Service) -> None:
    off = Event()
    orders = [Order("acting"), Order("acting", fields={"act": "hang"}), Order("acting", fields={"gain": 2.0})]
    cards = []
    for card in service.compare("v", picture(), Prompt(), orders, off):
        cards.append(card.status)
        off.set()
    assert cards == ["ok", "cancelled", "cancelled"]


def test_the_mask_is_that_of_a_plain_call_byte_for_byte(service: Service) -> None:
    for sample in list(open_dataset("coins"))[:2]:
        card = service.look("v", sample.image, Prompt(), Order("classical"))
        with create("classical") as plain:
            (expected,) = plain.predict([sample.image], [Prompt()])
        assert card.foreground is not None and np.array_equal(card.foreground, expected.foreground())


def test_nobody_is_shown_what_was_made_for_another(service: Service) -> None:
    """Same pixels, other visitor: looked at anew, so that not even time tells what others asked."""
    assert acts(service, "one").infer_ms is not None
    assert acts(service, "two").infer_ms is not None
    other = acts(service, "two", picture(204), threshold=0.3)
    assert other.key is not None and other.key.visitor == "two"
    service.forget("one")
    assert {key.visitor for key in service.kept.held} == {"two"}


def test_evidence_that_was_dropped_is_asked_for_again_in_words() -> None:
    with Service(Place(device="cpu"), room_mb=0) as service:
        card = acts(service)
        assert card.status == "ok"
        with pytest.raises(UsageError, match="no longer kept"):
            service.decide(card, {"threshold": 0.3})


def test_what_is_kept_stays_within_its_room() -> None:
    one = 8 * 12 * 4
    with Service(Place(device="cpu"), room_mb=(2 * one + 1) / 1e6) as service:
        for gain in (0.5, 1.0, 1.5):
            acts(service, gain=gain)
        assert len(service.kept.held) == 2 and service.kept.used == 2 * one
        assert acts(service, gain=1.5).infer_ms is None
        assert acts(service, gain=0.5).infer_ms is not None


def test_a_preset_that_names_texts_is_asked_for_them_where_nobody_gives_any(service: Service) -> None:
    save_preset(acting.Acting, "mine", {"threshold": 0.3}, Provenance(source="a test"), prompt=["red"])
    card = service.look("v", picture(), Prompt(), Order("acting", "mine"))
    assert card.prompt.texts == ("red",) and card.configuration.params["threshold"] == 0.3
    assert service.look("v", picture(), Prompt(("blue",)), Order("acting", "mine")).prompt.texts == ("blue",)


class Floored(acting.ActingParams):
    floor: ClassVar[tuple[str, str] | None] = ("weakest", "threshold")
    weakest: float = knob(0.35, help="Candidates below it get no mask.", reads="infer", ge=0, le=1)


def test_what_was_served_from_what_is_kept_is_decided_again_at_its_own_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acting.Acting, "Params", Floored)
    with Service(Place(device="cpu"), pool=Inside(lambda look: look)) as service:
        assert acts(service, weakest=0.35).infer_ms is not None
        kept = acts(service, weakest=0.3)
        assert kept.infer_ms is None and kept.configuration.params["weakest"] == 0.3
        moved = service.decide(kept, {"threshold": 0.4})
        assert moved.status == "ok" and moved.configuration.params["weakest"] == 0.3
        with pytest.raises(UsageError, match="A change of weakest needs another look"):
            service.decide(moved, {"weakest": 0.2})
        low = service.decide(moved, {"threshold": 0.1})
        assert low.configuration.params["weakest"] == 0.1, "a run with these fields finds the same"
        assert acts(service, threshold=0.1).configuration.params["weakest"] == 0.1
        with pytest.raises(UsageError, match=r"What scores below 0\.05 was not looked at"):
            service.decide(low, {"threshold": 0.01})
        assert acts(service, threshold=0.01).infer_ms is not None


class StandingIn(Inside):
    """Loads another checkpoint than the one that was asked for."""

    def look(self, *given: Any) -> Any:
        ready, seen, fresh = super().look(*given)
        loaded = ready.loaded.model_copy(update={"substitute_for": "big/one", "substitute_why": "It is gated."})
        return replace(ready, loaded=loaded), seen, fresh


def test_what_a_checkpoint_stands_in_for_is_said_however_often_it_is_decided() -> None:
    with Service(Place(device="cpu"), pool=StandingIn(lambda look: look)) as service:
        card = acts(service)
        moved = service.decide(card, {"threshold": 0.3})
        for one in (card, moved, service.decide(moved, {"threshold": 0.2}), acts(service, threshold=0.1)):
            ran = one.configuration
            assert (ran.substitute_for, ran.substitute_why) == ("big/one", "It is gated."), one


def test_what_nobody_foresaw_takes_no_other_along(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that ends while an answer comes, and a map that cannot be made."""
    real = service.pool.look
    errors: list[Exception] = [MemoryError(), RuntimeError("the pipe is blocked")]
    monkeypatch.setattr(service.pool, "look", lambda *given: raising(errors) or real(*given))
    cards = list(service.compare("v", picture(), Prompt(), [Order("acting")] * 3))
    assert [card.status for card in cards] == ["failed", "failed", "ok"]
    assert "not enough memory" in str(cards[0].reason) and "the pipe is blocked" in str(cards[1].reason)

    def no_map(evidence: Evidence) -> None:
        raise MemoryError

    monkeypatch.setattr("workbench.service.soft_map", no_map)
    card = acts(service, gain=2.0)
    assert card.status == "failed" and card.prediction is None and "not enough memory" in str(card.reason)


def raising(errors: list[Exception]) -> None:
    if errors:
        raise errors.pop(0)


def test_a_plugin_whose_declaration_raises_is_offered_with_its_reason(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weights_for(*given: Any) -> Any:
        raise KeyError("no such checkpoint")

    monkeypatch.setattr(acting.Acting, "info", replace(acting.Acting.info, weights_for=weights_for))
    (found,) = [one for one in service.offers() if one.name == "acting"]
    assert found.reason and "no such checkpoint" in found.reason and found.reason.endswith("made this pipeline.")
    assert acts(service).status == "failed", "and whoever asks for it all the same is told so"


def test_many_visitors_at_one_time_get_their_own(service: Service) -> None:
    found: dict[int, Card] = {}

    def visit(level: int) -> None:
        found[level] = acts(service, f"v{level}", picture(level), threshold=level / 255 - 0.01)

    threads = [Thread(target=visit, args=(level,)) for level in range(60, 240, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for level, card in found.items():
        assert card.soft is not None and card.soft[0, 0] == pytest.approx(level / 255)
        assert card.foreground is not None and card.foreground.sum() == 48


def test_the_figures_of_one_picture(service: Service) -> None:
    card = acts(service, threshold=0.3)
    target = np.zeros((8, 12), np.bool_)
    target[:, :8] = True
    found = scores(card, target)
    assert set(found) == set(SCORES)
    assert (
        found["miou"] == pytest.approx(48 / 64) and found["precision"] == 1.0 and found["recall"] == pytest.approx(0.75)
    )
    assert scores(card, target, ignore=np.arange(12)[None].repeat(8, 0) >= 6)["miou"] == 1.0
