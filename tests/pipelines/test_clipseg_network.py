"""CLIPSeg's network against transformers' own, on the same tiny random weights."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPSegForImageSegmentation, CLIPSegProcessor

from pipelines import create
from pipelines.checkpoints.clipseg import CHECKPOINTS
from pipelines.clipseg import ClipSeg
from pipelines.errors import UnavailableError
from pipelines.networks.clipseg import KEPT_PROMPTS, ClipSegNetwork
from pipelines.networks.pixels import preprocessing, to_batch
from pipelines.types import Image, Prompt
from pipelines.weights import locate

RANDOM = np.random.default_rng(3)
IMAGES = [RANDOM.integers(0, 256, (height, width, 3), np.uint8) for height, width in ((48, 70), (313, 471), (64, 64))]
EIGHT = ("coin", "a cat", "dog", "a round coin on a dog", "x", "cat cat cat", "z y", "two coins")
NAMES = list(CHECKPOINTS)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """How a product is split over threads shows in its last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(folder: Path, name: str = "rd64-refined", dtype: torch.dtype = torch.float32) -> ClipSegNetwork:
    return ClipSegNetwork(locate(CHECKPOINTS[name].weights, folder), CHECKPOINTS[name], "cpu", dtype)


def documented(folder: Path, images: list[Image], texts: tuple[str, ...], name: str = "rd64-refined",
               **padding: Any) -> torch.Tensor:  # fmt: skip
    """Logits as the model's documentation gets them: one picture for each text."""
    repository = folder / CHECKPOINTS[name].weights.repository
    processor = CLIPSegProcessor.from_pretrained(repository)
    model = CLIPSegForImageSegmentation.from_pretrained(repository).eval()
    inputs = processor(text=list(texts), images=images, return_tensors="pt", **(padding or {"padding": True}))
    with torch.inference_mode():
        return model(**inputs).logits.reshape(len(texts), 64, 64)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("texts", [("coin",), EIGHT[:3], EIGHT])
@pytest.mark.parametrize("image", range(3))
def test_logits_equal_those_of_transformers_bit_for_bit(
    tiny_weights: Path, name: str, texts: tuple[str, ...], image: int
) -> None:
    ours = network(tiny_weights, name)
    found = ours.logits(ours.see(ours.preprocess([IMAGES[image]])), [ours.condition(texts)])[0]
    assert torch.equal(found, documented(tiny_weights, [IMAGES[image]] * len(texts), texts, name))


def test_several_pictures_with_differing_texts_equal_single_calls_bit_for_bit(tiny_weights: Path) -> None:
    ours = network(tiny_weights)
    conditions = [ours.condition(texts) for texts in (EIGHT, ("cat",), EIGHT[2:5])]
    together = ours.logits(ours.see(ours.preprocess(IMAGES)), conditions)
    for image, condition, found in zip(IMAGES, conditions, together, strict=True):
        assert torch.equal(ours.logits(ours.see(ours.preprocess([image])), [condition])[0], found)
    assert torch.equal(together[0], documented(tiny_weights, [IMAGES[0]] * 8, EIGHT))


def test_padding_to_77_tokens_changes_no_more_than_the_last_bits(tiny_weights: Path) -> None:
    ours = network(tiny_weights)
    found = ours.logits(ours.see(ours.preprocess(IMAGES[:1])), [ours.condition(EIGHT)])[0]
    padded = documented(tiny_weights, IMAGES[:1] * 8, EIGHT, padding="max_length")
    assert torch.allclose(found, padded, rtol=0, atol=1e-6 * float(padded.abs().max()))


def test_layers_that_nobody_reads_are_gone(tiny_weights: Path) -> None:
    assert len(network(tiny_weights)._vision.layers) == 3  # of 4; the decoder reads the first three


@pytest.mark.parametrize("shape", [(1, 1), (313, 471), (20, 3000), (64, 64), (7, 5), (1, 90)])
def test_pixels_equal_the_checkpoints_own_processor_bit_for_bit(tiny_weights: Path, shape: tuple[int, int]) -> None:
    located = locate(CHECKPOINTS["rd16"].weights, tiny_weights)
    image = RANDOM.integers(0, 256, (*shape, 3), np.uint8)
    image.flags.writeable = False
    processor = CLIPSegProcessor.from_pretrained(tiny_weights / "CIDAS" / "clipseg-rd16").image_processor
    wanted = processor(image.copy(), return_tensors="pt", input_data_format="channels_last").pixel_values
    assert torch.equal(to_batch([image], preprocessing(located, {})), wanted)


def test_a_dark_picture_is_not_brightened(tiny_weights: Path) -> None:
    wanted = network(tiny_weights).wanted
    dark = to_batch([np.full((9, 9, 3), 3, np.uint8)], wanted)
    expected = (3 / 255 - torch.tensor(wanted.mean)) / torch.tensor(wanted.std)
    assert torch.allclose(dark.amax(dim=(0, 2, 3)), expected, atol=1e-6)


def test_text_is_encoded_once_a_prompt_and_the_oldest_is_forgotten(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, calls = network(tiny_weights), []
    tokenize = ours.tokenize
    monkeypatch.setattr(ours, "tokenize", lambda texts: calls.append(texts) or tokenize(texts))
    first = ours.condition(("cat",))
    assert ours.condition(("cat",)) is first
    assert calls == [("cat",)]
    for index in range(KEPT_PROMPTS):
        ours.condition((f"t{index}",))
    assert ours.condition(("cat",)) is not first
    assert torch.equal(ours.condition(("cat",)).factor, first.factor)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_near(tiny_weights: Path, dtype: str) -> None:
    full = create("clipseg", weights=tiny_weights)
    with full, create("clipseg", weights=tiny_weights, params={"dtype": dtype}) as half:
        wanted, found = (p.infer(IMAGES[1:2], [Prompt(("coin", "dog"))])[0].soft for p in (full, half))
        assert half.dtype == dtype
    assert found.dtype == np.float32
    assert np.abs(found - wanted).mean() < 0.02


def _edited(folder: Path, to: Path, edit: Any) -> Path:
    copy = to / "CIDAS" / "clipseg-rd64-refined"
    shutil.copytree(folder / "CIDAS" / "clipseg-rd64-refined", copy)
    weights = load_file(copy / "model.safetensors")
    edit(weights)
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    return to


@pytest.mark.parametrize(
    ("named", "edit"),
    [
        ("1 missing weights, such as decoder.film_mul.weight", lambda weights: weights.pop("decoder.film_mul.weight")),
        (
            "1 unexpected weights, such as decoder.film_div.weight",
            lambda weights: weights.update({"decoder.film_div.weight": torch.zeros(2)}),
        ),
        ("mismatched", lambda weights: weights.update({"decoder.film_mul.bias": torch.zeros(5)})),
    ],
)
def test_weights_that_do_not_fit_are_refused(tiny_weights: Path, tmp_path: Path, named: str, edit: Any) -> None:
    folder = _edited(tiny_weights, tmp_path, edit)
    with pytest.raises(UnavailableError, match=f"CIDAS/clipseg-rd64-refined cannot be loaded.*{named}"):
        create("clipseg", weights=folder).load()


@pytest.mark.parametrize("content", ["{", "{}", '{"size": {"height": 64, "width": 64}, "do_resize": false}'])
def test_a_damaged_preprocessor_is_refused(tiny_weights: Path, tmp_path: Path, content: str) -> None:
    folder = _edited(tiny_weights, tmp_path, lambda weights: None)
    (folder / "CIDAS" / "clipseg-rd64-refined" / "preprocessor_config.json").write_text(content)
    with pytest.raises(UnavailableError, match=r"preprocessor_config\.json"):
        create("clipseg", weights=folder).load()


def test_a_damaged_tokenizer_is_refused(tiny_weights: Path, tmp_path: Path) -> None:
    folder = _edited(tiny_weights, tmp_path, lambda weights: None)
    (folder / "CIDAS" / "clipseg-rd64-refined" / "vocab.json").write_text("{")
    with pytest.raises(UnavailableError, match="tokenizer"):
        create("clipseg", weights=folder).load()


def test_what_is_missing_is_told_before_torch_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="CIDAS/clipseg-rd64-refined"):
        create("clipseg", weights=tmp_path).load()


def test_compile_that_fails_says_so(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        def run(*_: Any) -> Any:
            raise AssertionError("no compiler here")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    with pytest.raises(UnavailableError, match=r"no compiler here.*compile=false"):
        create("clipseg", weights=tiny_weights, params={"compile": True}).load()


def test_compiled_layers_give_the_same_maps(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the backend that runs the traced graph as it is: the path is the same, and no compiler is needed."""
    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda layers, **options: compiler(layers, backend="eager", **options))
    prompts = [Prompt(EIGHT[:3]), Prompt(("cat",)), Prompt(("dog",))]
    plain = create("clipseg", weights=tiny_weights)
    with plain, create("clipseg", weights=tiny_weights, params={"compile": True}) as compiled:
        for wanted, found in zip(plain.infer(IMAGES, prompts), compiled.infer(IMAGES, prompts), strict=True):
            assert np.allclose(wanted.soft, found.soft, atol=1e-4)
        assert compiled.flags == {"compiled"}


def test_random_weights_know_their_size_without_a_file() -> None:
    assert isinstance(create("clipseg", weights="random"), ClipSeg)
    assert preprocessing(
        locate(CHECKPOINTS["rd16"].weights, "random"), CHECKPOINTS["rd16"].settings["pixels"]
    ).size == (
        352,
        352,
    )
