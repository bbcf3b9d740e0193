"""Pictures with classes on both sides, and text that names no folder of this machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import rle
from benchmarks.datasets import Sample, Truth
from benchmarks.records import Instance, SampleRecord
from benchmarks.tracking import pictures
from benchmarks.tracking.scrubbed import scrubbed


def two_classes(classes: tuple[str, ...] | None) -> pictures.Picture:
    """A large cat over a small dog, in truth and in the prediction."""
    cat, dog = np.arange(10)[None] < 8, np.arange(10)[None] < 2
    truth = Truth({"cat": cat, "dog": dog})
    sample = Sample(id="a", size=(1, 10), read_image=lambda: np.zeros((1, 10, 3), np.uint8), hash_image=lambda: "a",
                    read_truth=lambda: truth, hash_target=lambda: "a")  # fmt: skip
    found = tuple(Instance(label=i, score=1, mask=rle.encode(mask)) for i, mask in enumerate((dog, cat)))
    told = SampleRecord(key="a", id="a", group="a", size=(1, 10), texts=("a dog", "a cat"), classes=classes,
                        instances=found, ms={})  # fmt: skip
    return pictures._picture(sample, told, ("cat", "dog"))


def test_classes_have_the_same_numbers_on_both_sides_and_small_ones_stay_visible() -> None:
    both = two_classes(("dog", "cat"))
    assert both.names == {0: "background", 1: "cat", 2: "dog"}
    assert both.truth is not None
    assert both.pred is not None
    assert both.truth.tolist() == both.pred.tolist() == [[2] * 2 + [1] * 6 + [0] * 2]
    one = two_classes(None)
    assert one.names == {0: "background", 1: "foreground"}
    assert one.truth is not None
    assert one.pred is not None
    assert one.truth.tolist() == one.pred.tolist() == [[1] * 8 + [0] * 2]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("died (log: /home/me/runs/ab/worker.log).", "died (log: worker.log)."),
        (f"{Path.home()}/weights/x.bin is torn", "x.bin is torn"),
        ("~/weights/x.bin", "x.bin"),
        ("hf:/mnt/sets/coins:train", "hf:coins:train"),
        ("hf:owner/name, https://a.b/c/d and 3/4", "hf:owner/name, https://a.b/c/d and 3/4"),
        ("photos (1)/one", "photos (1)/one"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_leaves_this_machine_names_no_folder_of_it(text: str, left: str) -> None:
    assert scrubbed({"k": [text, 1, None]}) == {"k": [left, 1, None]}
