"""Presets of the user: where they lie, and how they are saved."""

from __future__ import annotations

import csv
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipelines import create, preset_files, presets
from pipelines.errors import ParameterError, RunLockedError, UnknownNameError, UsageError
from pipelines.presets import (
    USER_FOLDER_VARIABLE,
    Provenance,
    TunedImage,
    check_saving,
    preset,
    preset_names,
    save_preset,
    tuned_images,
    user_folder,
)
from pipelines.registry import pipeline_class

CLASSICAL = pipeline_class("classical")
TUNED = Provenance(source="a search", dataset="d", dataset_hash="h", split="tune", metric="miou", objective="miou",
                   value=0.9, interval=(0.8, 0.95), n=6, n_groups=5, folds=5, trials=300, seed=3,
                   searched=("canny_low", "work_size"), date="2026-11-21", details={"in-sample miou": 0.93})  # fmt: skip
IMAGES = (TunedImage('b,"1"\n', "g", "22", "f2"), TunedImage("a", "g", "11", "f1"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's presets, where no variable names them."""
    monkeypatch.delenv(USER_FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "segmentation-workbench" / "presets"


def saved(name: str = "mine", provenance: Provenance = TUNED, images: tuple[TunedImage, ...] = (),
          *, replace: bool = False, **params: object) -> Path:  # fmt: skip
    return save_preset(CLASSICAL, name, params, provenance, images, replace=replace)


def written(folder: Path, text: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "classical.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_folder_is_that_of_the_variable_or_of_the_users_settings(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert user_folder() == folder
    for empty in ("", "relative/is/ignored"):
        monkeypatch.setenv("XDG_CONFIG_HOME", empty)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert user_folder() == tmp_path / "home" / ".config" / "segmentation-workbench" / "presets"
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path / "mine"))
    assert user_folder() == tmp_path / "mine"


def test_who_has_no_home_has_no_presets_there_and_hears_of_it_when_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert "coin-seed" in preset_names(CLASSICAL)
    with pytest.raises(UsageError, match=USER_FOLDER_VARIABLE):
        saved()


def test_what_is_saved_is_what_is_read(folder: Path) -> None:
    usual = CLASSICAL.Params()
    path = saved(canny_low=30.0, canny_high=usual.canny_high, work_size=usual.work_size)
    assert path == folder / "classical.yaml"
    assert "mine" in preset_names(CLASSICAL)
    values, provenance = preset(CLASSICAL, "mine")
    assert (values, provenance) == (usual.model_copy(update={"canny_low": 30.0}), TUNED)
    assert create("classical", preset="mine").params == values
    kept = yaml.safe_load(path.read_text())["mine"]["params"]
    assert kept == {"canny_low": 30.0, "work_size": usual.work_size}, "searched fields, and what differs"
    assert tuned_images(CLASSICAL, "mine") == ()


def test_the_same_search_gives_the_same_bytes_and_today_is_the_date_where_none_is_given(tmp_path: Path) -> None:
    first = saved(canny_low=30.0, images=IMAGES).read_bytes()
    assert saved(canny_low=30.0, images=IMAGES[::-1], replace=True).read_bytes() == first
    dated = saved("dated", TUNED.model_copy(update={"date": None}))
    assert len(str(yaml.safe_load(dated.read_text())["dated"]["provenance"]["date"])) == len("2026-11-21")


def test_a_name_that_is_taken_is_replaced_only_when_asked() -> None:
    saved(canny_low=30.0)
    for refused in (saved, lambda: check_saving(CLASSICAL, "mine")):
        with pytest.raises(UsageError, match="There is a preset classical@mine"):
            refused()
    assert preset(CLASSICAL, "mine")[0].model_dump()["canny_low"] == 30.0
    check_saving(CLASSICAL, "mine", replace=True)
    saved(canny_low=35.0, replace=True)
    assert preset(CLASSICAL, "mine")[0].model_dump()["canny_low"] == 35.0


@pytest.mark.parametrize("name", ["default", "", "-a", ".a", "a b", "a/b", "../a", "a:b", "a@b", "é", "a" * 65, "a\n"])
def test_names_that_will_not_do_are_refused(name: str, folder: Path) -> None:
    with pytest.raises(UsageError, match="cannot be called"):
        saved(name, replace=True)
    assert not folder.exists()


def test_a_preset_that_comes_with_the_pipeline_is_never_saved_over() -> None:
    with pytest.raises(UsageError, match="classical@coin-seed comes with the pipeline"):
        saved("coin-seed", replace=True)


@pytest.mark.parametrize("name", ["1", "1.50", "true", "null", "2026-01-01", "1e3"])
def test_a_name_that_yaml_would_read_as_something_else_stays_a_name(name: str) -> None:
    saved(name, canny_low=30.0)
    assert preset(CLASSICAL, name)[0].model_dump()["canny_low"] == 30.0


def test_values_are_checked_before_anything_is_written(folder: Path) -> None:
    with pytest.raises(ParameterError, match="canny_low"):
        saved(canny_low=-1.0)
    with pytest.raises(UnknownNameError, match="canny_lo"):
        saved(canny_lo=1.0)
    assert not (folder / "classical.yaml").exists()


HAND = """# my presets
first:  # the good one
  params: {canny_low: 20.0}  # lower

# about the second
second:
  # inside of it
  params:
    canny_low: 25.0
# the last
third: {params: {}}
# the end
"""


def test_other_presets_keep_their_text_and_comments(folder: Path) -> None:
    path = written(folder, HAND)
    saved("new", canny_low=30.0)
    assert path.read_text().startswith(HAND)
    saved("second", canny_low=31.0, replace=True)
    text = path.read_text()
    before, after = HAND.split("second:")[0], HAND[HAND.index("# the last") :]
    assert text.startswith(before + "second:\n  params:\n    canny_low: 31.0\n")
    assert after in text
    assert "inside of it" not in text, "comments inside of what is replaced go with it"
    assert [preset(CLASSICAL, name)[0].model_dump()["canny_low"] for name in ("first", "second", "third", "new")] == [
        20.0, 31.0, CLASSICAL.Params().model_dump()["canny_low"], 30.0]  # fmt: skip


@pytest.mark.parametrize("text", [
    "{first: {params: {canny_low: 20.0}}, second: {params: {canny_low: 25.0}}}  # on one line\n",
    "--- # begun\nfirst:\n  params: {canny_low: 20.0}\nsecond: {params: {canny_low: 25.0}}\n...\n",
    "  first: {params: {canny_low: 20.0}}\n  second: {params: {canny_low: 25.0}}\n",
    "first: {params: {canny_low: 20.0}}\r\nsecond: {params: {canny_low: 25.0}}",
    "first: {params: {canny_low: 20.0}, provenance: {source: \"a\u2028b\"}}\nsecond: {params: {canny_low: 25.0}}",
])  # fmt: skip
@pytest.mark.parametrize("name", ["second", "third"])
def test_however_a_file_is_written_its_other_presets_keep_their_values(folder: Path, text: str, name: str) -> None:
    written(folder, text)
    saved(name, canny_low=33.0, replace=True)
    found = {one: preset(CLASSICAL, one)[0].model_dump()["canny_low"] for one in ("first", "second", name)}
    assert found == {"first": 20.0, "second": 25.0} | {name: 33.0}


def _save_many(who: int) -> None:
    for index in range(5):
        saved(f"p{who}-{index}", canny_low=30.0 + index)


def test_processes_that_save_at_one_time_lose_nothing(folder: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.map(_save_many, range(4))
    assert len(preset_names(CLASSICAL)) == len({"default", "coin-seed"}) + 20
    assert {path.name for path in folder.iterdir()} == {"classical.yaml", ".classical.yaml.lock"}


def test_a_writer_that_does_not_end_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved()
    with preset_files.locked(path), pytest.raises(RunLockedError, match="writing"), preset_files.locked(path, 0.05):
        pass


def test_a_save_that_ends_halfway_leaves_the_old_preset_and_its_images(monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(canny_low=30.0, images=IMAGES)
    before, real = path.read_bytes(), presets.replace_bytes

    def killed(where: Path, data: bytes, *, lasting: bool) -> None:
        if where.suffix == ".yaml":
            raise OSError("killed")
        real(where, data, lasting=lasting)

    monkeypatch.setattr(presets, "replace_bytes", killed)
    with pytest.raises(OSError, match="killed"):
        saved(canny_low=31.0, images=IMAGES[:1], replace=True)
    assert path.read_bytes() == before
    assert len(tuned_images(CLASSICAL, "mine")) == 2


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(USER_FOLDER_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(UsageError, match="cannot be saved in"):
        check_saving(CLASSICAL, "mine")


def test_the_images_are_listed_beside_the_file_and_known_by_their_hash(folder: Path) -> None:
    saved(images=IMAGES)
    assert tuned_images(CLASSICAL, "mine") == tuple(sorted(IMAGES, key=lambda one: one.id))
    listed = list(folder.glob("classical.mine.*.images.csv"))
    assert len(listed) == 1
    with listed[0].open(newline="") as file:
        assert [row["sha256"] for row in csv.DictReader(file)] == ["11", "22"]
    saved(images=IMAGES[:1], replace=True)
    assert len(tuned_images(CLASSICAL, "mine")) == 1
    assert not listed[0].exists(), "that of the preset before is gone"


def test_a_list_that_another_preset_names_stays_and_nothing_else_is_ever_removed(folder: Path) -> None:
    path = saved(images=IMAGES)
    path.write_text(path.read_text() + path.read_text().replace("mine:", "copied:", 1))
    saved(images=IMAGES[:1], replace=True)
    assert len(tuned_images(CLASSICAL, "copied")) == 2
    written(folder, "mine: {provenance: {source: me, images: classical.yaml}}")
    saved(images=IMAGES, replace=True)
    assert len(tuned_images(CLASSICAL, "mine")) == 2


@pytest.mark.parametrize(("harm", "message"), [
    (lambda path: path.unlink(), "is missing"),
    (lambda path: path.write_text(path.read_text().replace("11", "12")), "was altered"),
    (lambda path: path.write_bytes(b""), "was altered"),
])  # fmt: skip
def test_a_list_that_is_missing_or_was_altered_is_noticed(
    folder: Path, harm: Callable[[Path], object], message: str
) -> None:
    saved(images=IMAGES)
    harm(next(folder.glob("*.images.csv")))
    with pytest.raises(ParameterError, match=f"classical@mine was tuned on {message}.*Put it back"):
        tuned_images(CLASSICAL, "mine")


def test_a_list_lies_beside_its_preset_and_nowhere_else(folder: Path) -> None:
    written(folder, "mine: {provenance: {source: me, images: ../../secret.csv, images_sha256: '0'}}")
    with pytest.raises(ParameterError, match="Name a file beside"):
        tuned_images(CLASSICAL, "mine")


def test_presets_of_before_still_load() -> None:
    for name in ("default", "coin-seed"):
        values, provenance = preset(CLASSICAL, name)
        assert values and provenance.source and provenance.images is None
