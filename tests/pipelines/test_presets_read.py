"""What is refused when a preset of the user is read: torn and hostile files, and wrong fields."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.errors import ParameterError, UnknownNameError, WorkbenchError
from pipelines.presets import USER_FOLDER_VARIABLE, Provenance, preset, save_preset
from pipelines.registry import pipeline_class

CLASSICAL = pipeline_class("classical")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's presets, where no variable names them."""
    monkeypatch.delenv(USER_FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "segmentation-workbench" / "presets"


def written(folder: Path, text: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "classical.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "a bomb of aliases": (BOMB, "aliases are not read"),
    "endless nesting": ("[" * 100_000, "nested too deeply"),
    "endless steps": ("- " * 20_000, "nested too deeply"),
    "nested mappings": ("mine: " + "{a: " * 5_000, "nested too deeply"),
    "a huge file": ("# " + "x" * 300_000, "larger than 256 kB"),
    "half of a file": ("mine: {params: {canny_low: 3", "cannot be read"),
    "another half": ("mine:\n  params:\n    canny_low: 3\n  prov", "cannot be read"),
    "a Python object": ("mine: !!python/object/apply:os.system [true]", "cannot be read"),
    "a tag that does not fit": ("mine: {params: {canny_low: !!timestamp no}}", "cannot be read"),
    "a date that there is not": ("mine: 2026-99-99", "cannot be read"),
    "not UTF-8": (b"mine: {params: {}}\n# \xff", "not UTF-8"),
    "a zero byte": ("mine: {params: {}}\n# \0", "cannot be read"),
    "one name twice": ("mine: {params: {}}\nmine: {params: {}}", "'mine' is there twice"),
    "a list": ("- mine", "not a mapping"),
    "no mapping of fields": ("mine: {params: [1]}", "mine.params"),
    "an unknown part": ("mine: {parms: {}}", "mine.parms"),
    "no source": ("mine: {provenance: {}}", "mine.provenance.source"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_files_that_are_torn_or_hostile_are_refused_with_the_file_and_a_cure(folder: Path, what: str) -> None:
    text, message = HOSTILE[what]
    path = written(folder, text)
    with pytest.raises(ParameterError) as caught:
        preset(CLASSICAL, "mine")
    assert message in caught.value.message
    assert str(path) in caught.value.message
    assert "Correct it, or move it away" in caught.value.cure
    assert len(str(caught.value)) < 2_000
    with pytest.raises(ParameterError):  # nor is it written over
        save_preset(CLASSICAL, "mine", {}, Provenance(source="a test"), replace=True)


@pytest.mark.parametrize(("field", "error", "words"), [
    ("canny_lo: 20", UnknownNameError, ("'canny_lo'", "Did you mean 'canny_low'")),
    ("canny_low: -1", ParameterError, ("canny_low", "-1", "0 to")),
    ("canny_low: .nan", ParameterError, ("canny_low", "nan", "0 to")),
    ("canny_low: [1, 2]", ParameterError, ("canny_low", "[1, 2]", "0 to")),
    ("canny_low: low", ParameterError, ("canny_low", "'low'", "0 to")),
    ("canny_low: null", ParameterError, ("canny_low", "None", "0 to")),
    ("blur_kernel: 4", ParameterError, ("blur_kernel", "4", "odd")),
    ("method: magic", ParameterError, ("method", "'magic'", "canny")),
    ("blur_first: perhaps", ParameterError, ("blur_first", "'perhaps'", "true or false")),
])  # fmt: skip
def test_a_wrong_field_is_named_with_its_bounds_and_its_file(
    folder: Path, field: str, error: type[WorkbenchError], words: tuple[str, ...]
) -> None:
    written(folder, f"mine: {{params: {{{field}}}}}")
    with pytest.raises(error) as caught:
        preset(CLASSICAL, "mine")
    for word in (*words, "classical@mine (classical.yaml)"):
        assert word in str(caught.value)


def test_a_wrong_field_ends_a_command_with_2(folder: Path, tmp_path: Path, command) -> None:
    written(folder, "mine: {params: {canny_low: -1}}")
    ended = command("benchmarks.run", "--pipelines", "classical@mine", "--json", XDG_CONFIG_HOME=str(tmp_path))
    said = json.loads(ended.stdout)["error"]
    assert (ended.returncode, said["code"]) == (2, "parameter")
    assert "canny_low" in said["message"]
    assert "0 to" in said["cure"]
