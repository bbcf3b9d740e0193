"""Compact evidence: what comes back is what was put in, within a bound that holds at every pixel."""

from __future__ import annotations

import dataclasses
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from benchmarks.evidence import compact, expand
from benchmarks.evidence.coding import Packed, pack, pack_maps
from benchmarks.evidence.compact import FIELDS
from pipelines.classical import Classical
from pipelines.errors import ContractError
from pipelines.maps import full_size
from pipelines.types import Evidence, Prompt

SEEDS = range(12)
DYADIC = np.arange(2**15 + 1, dtype=np.float32) / 2**15


def smooth(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Maps with hills and valleys, of mean 0 and deviation about 1."""
    maps = np.stack([cv2.GaussianBlur(one, (0, 0), 3) for one in rng.normal(size=shape).astype(np.float32)])
    return maps / max(float(maps.std()), 1e-2)


def probabilities(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Maps of every width, from all of [0, 1] to a ten thousandth of it, at any place; ends and middles among them."""
    wide = 1 / (1 + np.exp((-smooth(rng, *shape) * rng.uniform(0.01, 20)).clip(-80, 80)))
    width = 10 ** rng.uniform(-4, 0)
    maps = (rng.uniform(0, 1 - width) + width * wide).astype(np.float32)
    maps[rng.random(shape) < 0.05] = rng.choice(DYADIC[:: 2**13])
    return maps


def test_probabilities_are_within_the_bound_at_every_pixel() -> None:
    for seed in SEEDS:
        maps = probabilities(np.random.default_rng(seed), 3, 40, 50)
        packed = pack_maps(maps, "probability")
        assert packed.coding == "fixed" and packed.codes.itemsize == 2
        for one, back, (_, bits) in zip(maps, packed.unpacked(), packed.table, strict=True):
            off = np.abs(back.astype(np.float64) - one)
            beside = np.abs(one * 256 - np.rint(one * 256)) * 2.0 ** (int(bits) - 8) < 1
            assert bits >= 15
            assert off[~beside].max() <= 2.0 ** -(int(bits) + 1) <= 1 / 65536
            assert off.max() < 2.0 ** -int(bits) <= packed.bound() <= 1 / 32768


def test_the_bound_holds_at_the_size_of_the_picture_too() -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        size, canvas = (int(rng.integers(20, 300)), int(rng.integers(20, 300))), (64, 64)
        framed = {"canvas": canvas, "window": (0, 0, 64, 40)} if seed % 2 else {}
        evidence = Evidence(size, soft=probabilities(rng, 2, 32, 32), **framed)
        held = compact(evidence)
        off = np.abs(full_size(expand(held)).astype(np.float64) - full_size(evidence))
        assert off.max() < held.bound() + 2.0**-21


def test_every_threshold_of_a_sweep_cuts_a_map_exactly() -> None:
    thresholds = np.arange(257, dtype=np.float32) / 256
    for seed in SEEDS:
        maps = probabilities(np.random.default_rng(seed), 1, 30, 30)
        maps.flat[:771] = np.concatenate([thresholds, *(np.nextafter(thresholds, np.float32(x)) for x in (0, 1))])
        back = pack_maps(maps, "probability").unpacked()
        for threshold in thresholds:
            assert np.array_equal(back >= threshold, maps >= threshold)
            assert np.array_equal(back > threshold, maps > threshold)


def test_multiples_of_a_power_of_two_come_back_exactly() -> None:
    maps = np.concatenate([DYADIC, DYADIC[1:1]]).reshape(1, 1, -1)
    assert np.array_equal(pack_maps(maps, "probability").unpacked(), maps)
    half_precision = torch.rand(1, 90, 90).bfloat16().float().numpy().clip(2.0**-8)
    assert np.array_equal(pack_maps(half_precision, "probability").unpacked(), half_precision)


def test_scores_come_back_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    few = rng.choice(rng.random(254, np.float32), (1, 200, 300))
    many = rng.random((1, 200, 300), np.float32)
    few[0, 0, 0], few[0, -1, -1] = -0.0, 0.5
    for maps, coding, room in ((few, "palette", 1), (many, "exact", 4)):
        packed = pack_maps(maps, "score")
        assert packed.coding == coding and packed.codes.itemsize == room
        assert np.array_equal(packed.unpacked().view(np.uint32), maps.view(np.uint32))


def test_a_palette_is_found_where_a_sample_shows_few_of_its_values() -> None:
    maps = np.zeros((1, 500, 500), np.float32)
    maps[0, 3, 7:260] = np.random.default_rng(0).random(253, np.float32)
    assert pack_maps(maps, "score").coding == "palette"
    maps[0, 4, 7:260] = np.random.default_rng(1).random(253, np.float32)
    assert pack_maps(maps, "score").coding == "exact"
    for packed in (pack_maps(maps, "score"), pack_maps(maps[:, :4], "probability")):
        assert np.array_equal(packed.unpacked(), maps[:, : packed.codes.shape[1]])


def logits(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (smooth(rng, *shape) * 10 ** rng.uniform(-3, 1) + rng.uniform(-8, 8)).astype(np.float32)


def test_logits_are_fine_wherever_a_threshold_lies() -> None:
    sixteenths = (np.arange(-160, 161) / 16).astype(np.float32)
    for seed in SEEDS:
        maps = logits(np.random.default_rng(seed), 4, 30, 40)
        packed = pack_maps(maps, "logit")
        back = packed.unpacked()
        assert packed.coding == "fixed"
        assert np.abs(back.astype(np.float64) - maps).max() < packed.bound() <= 2**-9
        assert np.array_equal(np.sign(back), np.sign(maps))
        for threshold in sixteenths:
            assert np.array_equal(back > threshold, maps > threshold)
    exact = np.tile(np.arange(-1000, 1000, dtype=np.float32) / 16, (1, 1, 1))
    assert np.array_equal(pack_maps(exact, "logit").unpacked(), exact)


def test_logits_that_span_much_are_held_in_half_precision() -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        maps = (smooth(rng, 2, 40, 40) * 10 ** rng.uniform(2, 4.5)).astype(np.float32)
        maps[:, 0, :6] = 1e-30, -1e-30, 0, 1e6, -1e6, 3 / 16
        packed = pack_maps(maps, "logit")
        back = packed.unpacked()
        assert packed.coding == "half"
        assert np.array_equal(back[:, 0, 2:6], np.tile(np.float32([0, 65504, -65504, 3 / 16]), (2, 1)))
        assert np.array_equal(np.sign(back), np.sign(maps))
        off, inside = np.abs(back.astype(np.float64) - maps), np.abs(maps) <= 65504
        assert (off <= np.maximum(np.abs(maps) * 2.0**-11, 2.0**-24))[inside].all()
        assert off[inside].max() <= packed.bound()


def random_evidence(rng: np.random.Generator) -> Evidence:
    """Every form: any field may be missing, there may be no candidate, and arrays may be tensors."""
    kind: Any = rng.choice(["probability", "logit", "score"])
    k, labels, side = int(rng.choice([0, 0, 1, 5])), int(rng.integers(1, 4)), int(rng.integers(1, 40))
    make = logits if kind == "logit" else probabilities
    fields: dict[str, Any] = {
        "soft": make(rng, labels, side, side + 3),
        "mask_maps": make(rng, k, side, side) if k else np.zeros((0, side, side), np.float32),
        "boxes": rng.random((k, 4), np.float32) * 500, "scores": rng.random((k, labels), np.float32),
        "box_scores": rng.random(k), "prompt_index": rng.integers(0, labels, k), "presence": rng.random(labels, np.float32),
    }  # fmt: skip
    given = {name: value for name, value in fields.items() if rng.random() < 0.6}
    type_ = [None, torch.float32, torch.bfloat16][rng.integers(3)]
    if type_:
        given = {n: torch.tensor(v) if n == "prompt_index" else torch.tensor(v).to(type_) for n, v in given.items()}
    framed = {"canvas": (64, 64), "window": (0, 0, 64, 48)} if rng.random() < 0.5 else {}
    return Evidence((int(rng.integers(1, 99)), 70), kind, **given, **framed)


def test_every_form_of_evidence_comes_back() -> None:
    for seed in range(150):
        evidence = random_evidence(np.random.default_rng(seed))
        held = compact(evidence)
        back, host = expand(held), evidence.to_host()
        for name in ("size", "kind", "canvas", "window"):
            assert getattr(back, name) == getattr(evidence, name)
        for name in FIELDS:
            got, wanted = getattr(back, name), getattr(host, name)
            if wanted is None:
                assert got is None
            elif name in ("soft", "mask_maps"):
                assert got.dtype == np.float32 and got.shape == wanted.shape
                assert np.abs(got.astype(np.float64) - wanted).max(initial=0) <= held.arrays[name].bound()
            else:
                assert got.dtype == (np.int64 if name == "prompt_index" else wanted.dtype)
                assert np.array_equal(got, wanted)


def test_a_second_time_changes_nothing() -> None:
    for seed in range(60):
        once = expand(compact(random_evidence(np.random.default_rng(seed))))
        twice = expand(compact(once))
        for name in FIELDS:
            assert (getattr(once, name) is None) == (getattr(twice, name) is None)
            assert getattr(once, name) is None or np.array_equal(getattr(once, name), getattr(twice, name))


def test_no_field_of_evidence_is_forgotten() -> None:
    assert {field.name for field in dataclasses.fields(Evidence)} == {*FIELDS, "size", "kind", "canvas", "window"}


def test_a_map_that_leaves_its_range_is_held_exactly_and_one_that_is_no_number_refused() -> None:
    maps = smooth(np.random.default_rng(0), 1, 30, 30)
    assert np.array_equal(expand(compact(Evidence((30, 30), soft=maps))).soft, maps)
    with pytest.raises(ContractError, match="soft of the evidence must have 3 dimensions"):
        compact(Evidence((30, 30), soft=maps[0]))
    maps[0, 3, 4] = np.nan
    with pytest.raises(ContractError, match="not finite"):
        compact(Evidence((30, 30), soft=maps))


@pytest.mark.parametrize("type_", ["float16", "float64", "int32", "uint8", "bool", "int16", ">f4", "longdouble"])
def test_small_arrays_keep_their_numbers(type_: str) -> None:
    values = (np.random.default_rng(0).random((5, 3)) * 100).astype(type_)
    back = pack(values).unpacked()
    assert np.array_equal(back.astype(np.float64), values.astype(np.float64))
    assert back.dtype.isnative and back.dtype.name in (
        "float16",
        "float32",
        "float64",
        "int32",
        "int64",
        "uint8",
        "bool",
    )


def test_a_decision_on_compact_evidence_is_that_on_full_evidence() -> None:
    picture = np.full((120, 160, 3), 40, np.uint8)
    cv2.circle(picture, (80, 60), 30, (220, 200, 60), -1)
    pipeline = Classical()
    for method in ("border", "otsu", "adaptive", "canny"):
        params = pipeline.Params(method=method)
        evidence = pipeline.infer([picture], [Prompt()], params)[0]
        ours, theirs = (pipeline.decide(one, params).foreground() for one in (expand(compact(evidence)), evidence))
        assert theirs.any()
        assert np.count_nonzero(ours != theirs) <= (theirs.size // 1000 if method == "border" else 0)


def test_codes_take_half_the_room_and_a_palette_a_quarter() -> None:
    maps = probabilities(np.random.default_rng(0), 1, 352, 352)
    assert compact(Evidence((352, 352), soft=maps)).nbytes == maps.nbytes // 2 + 8
    assert compact(Evidence((352, 352), soft=np.round(maps * 99))).nbytes <= maps.nbytes // 4 + 4 * 256
    assert Packed("exact", maps).nbytes == maps.nbytes
