"""Points and boxes from masks, and which prompts a pipeline is shown."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from benchmarks.datasets import Dataset, Sample, Truth, open_dataset
from benchmarks.evaluate import predict
from benchmarks.oracle import MOST_OBJECTS, boxes_of, points_of
from benchmarks.records import DatasetRecord
from benchmarks.selection import is_oracle, prompt_of
from pipelines.types import PipelineInfo, Prompt, PromptKind
from tests.benchmarks.pieces import Slow

RECORD = DatasetRecord(spec="d", name="d", format="f", n=1, n_groups=1, hash="h")
PLACES: frozenset[PromptKind] = frozenset({"box", "point"})


def discs(*places: tuple[int, int, int], size: tuple[int, int] = (80, 120)) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    for x, y, radius in places:
        cv2.circle(mask, (x, y), radius, 1, -1)
    return mask > 0


def sample(mask: np.ndarray, prompt: Prompt = Prompt(("coin",))) -> Sample:
    truth = Truth({"coin": mask})
    picture = np.zeros((*mask.shape, 3), np.uint8)
    return Sample("s", mask.shape, picture.copy, lambda: "h", lambda: truth, lambda: "t", prompt=prompt)


def ask(one: Sample, kinds: frozenset[PromptKind] = PLACES, **said: object) -> Prompt:
    made = Dataset("d", "f", (one,), prompt_from=said.pop("dataset", None))  # type: ignore[arg-type]
    return prompt_of(RECORD.model_copy(update=said), made, kinds)(one)


def test_a_point_lies_at_the_middle_of_its_object_and_the_largest_comes_first() -> None:
    assert points_of(Truth({"a": discs((20, 20, 8), (80, 40, 15))})) == ((80.5, 40.5, 1), (20.5, 20.5, 1))


def test_a_point_lies_inside_whatever_the_form() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        mask = cv2.GaussianBlur(random.random((40, 60)), (9, 9), 0) > 0.52
        for x, y, label in points_of(Truth({"a": mask})):
            assert mask[int(y), int(x)] and label == 1
    ring = discs((60, 40, 30)) & ~discs((60, 40, 24))
    ((x, y, _),) = points_of(Truth({"a": ring}))
    assert ring[int(y), int(x)]


def test_the_border_of_the_picture_is_outside() -> None:
    full = np.ones((20, 30), np.bool_)
    ((x, y, _),) = points_of(Truth({"a": full}))
    assert 9 <= x < 21 and 9 <= y <= 11


def test_boxes_are_tight_and_one_an_object() -> None:
    assert set(boxes_of(Truth({"a": discs((20, 20, 8)), "b": discs((80, 40, 15))}))) == {
        (65, 25, 96, 56),
        (12, 12, 29, 29),
    }


def test_touching_objects_of_two_labels_are_two_and_of_one_label_one() -> None:
    left, right = discs((30, 40, 12)), discs((55, 40, 12))
    assert len(boxes_of(Truth({"a": left, "b": right}))) == 2
    assert len(boxes_of(Truth({"a": left | right | discs((42, 40, 4))}))) == 1


def test_an_empty_mask_gives_nothing_and_a_speckled_one_the_largest() -> None:
    assert points_of(Truth({"a": np.zeros((5, 5), np.bool_)})) == ()
    speckles = np.zeros((60, 60), np.bool_)
    speckles[::2, ::2] = True
    assert len(points_of(Truth({"a": speckles}))) == MOST_OBJECTS


def test_own_places_win_and_masks_stand_in_only_where_asked_for() -> None:
    mask = discs((60, 40, 10))
    bare, own = sample(mask), sample(mask, Prompt(("coin",), points=((3, 4, 1),)))
    assert ask(bare).kinds == {"text"}
    assert ask(bare, prompt_from="points").points == ((60.5, 40.5, 1),)
    assert ask(bare, dataset="points").points == ((60.5, 40.5, 1),)
    assert ask(own, prompt_from="points") == own.prompt
    assert ask(own, prompt_from="boxes") == Prompt(("coin",), boxes=((50, 30, 71, 51),))
    assert ask(own, prompt_from="text") == Prompt(("coin",))
    assert ask(own) == own.prompt


def test_no_mask_is_decoded_for_a_pipeline_that_reads_no_places() -> None:
    def fail() -> Truth:
        raise AssertionError("the mask was read")

    one = replace(sample(discs((60, 40, 10))), read_truth=fail)
    assert ask(one, frozenset({"text"}), prompt_from="points") == Prompt(("coin",))


@pytest.mark.parametrize("source", ["points", "boxes"])
def test_a_prompt_of_the_masks_is_called_an_oracle(source: str) -> None:
    one = sample(discs((60, 40, 10)))
    assert is_oracle(ask(one, prompt_from=source), one)
    assert not is_oracle(ask(one), one)
    own = sample(discs((60, 40, 10)), Prompt(points=((3, 4, 1),)))
    assert not is_oracle(ask(own, prompt_from="points"), own)


def test_a_sample_without_masks_has_no_places() -> None:
    one = replace(sample(discs((60, 40, 10))), read_truth=None)
    assert ask(one, prompt_from="points") == Prompt(("coin",))


def test_the_embedded_dataset_gives_points() -> None:
    coins = open_dataset("coins")
    one = coins["scene/00"]
    prompt = prompt_of(RECORD, coins, PLACES)(one)
    assert len(prompt.points) >= 20
    target = one.target()
    assert target is not None
    assert all(target[int(y), int(x)] for x, y, _ in prompt.points)


class _Clicked(Slow):
    info = PipelineInfo(name="clicked", title="Clicked", prompts=frozenset({"point"}))


def test_a_picture_without_an_object_is_not_clicked_and_is_no_failure() -> None:
    full = replace(sample(discs((60, 40, 10))), id="full", read_image=lambda: np.full((80, 120, 3), 9, np.uint8))
    bare = replace(sample(np.zeros((80, 120), np.bool_)), id="bare")
    unknown = replace(bare, id="unknown", read_truth=None)
    shown = prompt_of(RECORD, Dataset("d", "f", (full,), prompt_from="points"), PLACES)
    found, nothing, failed = predict(_Clicked(), [full, bare, unknown], shown)
    assert "latency" in found.ms and found.error is None
    assert nothing.error is None and "latency" not in nothing.ms
    assert nothing.foreground is not None and not nothing.foreground.any()
    assert failed.error is not None and "needs a point prompt" in failed.error
