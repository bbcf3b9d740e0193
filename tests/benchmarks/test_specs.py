"""What the command line says, read and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import specs
from pipelines.errors import PromptError, UnknownNameError, UsageError


def test_pipelines_with_presets_and_fields() -> None:
    first, second, third = specs.parse_pipelines(
        "classical, classical@coin-seed ,classical@default:threshold=0.4;invert=true"
    )
    assert (first.label, first.name, first.preset, first.fields) == ("classical", "classical", "default", ())
    assert (second.label, second.preset) == ("classical@coin-seed", "coin-seed")
    assert third.fields == (("threshold", "0.4"), ("invert", "true"))


def test_an_entry_that_comes_twice_is_two_rows() -> None:
    assert [spec.label for spec in specs.parse_pipelines("a,a,b,a")] == ["a", "a#2", "b", "a#3"]


@pytest.mark.parametrize("text", ["", ",", "a,", "@x", ":threshold=1", "a:threshold", "a:=1"])
def test_a_malformed_pipeline_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="Write "):
        specs.parse_pipelines(text)


def test_prompts_and_classes() -> None:
    assert specs.parse_prompts([], []) is None
    prompt = specs.parse_prompts(["a coin", "tomato=red tomato"], ["tomato"])
    assert prompt is not None
    assert prompt.texts == ("a coin", "red tomato")
    with pytest.raises(UnknownNameError, match="Did you mean 'tomato'"):
        specs.parse_prompts(["tomatoe=red"], ["tomato"])
    for text in (" ", "x" * 1001):
        with pytest.raises(PromptError, match="Give 1 to 1000"):
            specs.parse_prompts([text], [])


def test_batch_sizes() -> None:
    assert specs.parse_batch_sizes("4, 1,2,2") == (1, 2, 4)
    for text in ("", "0", "1,", "two", "-1", "1.5", "99999"):
        with pytest.raises(UsageError, match="whole numbers"):
            specs.parse_batch_sizes(text)


def test_export() -> None:
    assert specs.parse_export(None) is None
    assert specs.parse_export("png, crop,png:some/folder") == (("png", "crop"), Path("some/folder"))
    with pytest.raises(UnknownNameError, match="Did you mean 'rgba'"):
        specs.parse_export("rgb:folder")
    for text in ("png", "png:", ":"):
        with pytest.raises(UsageError):
            specs.parse_export(text)
