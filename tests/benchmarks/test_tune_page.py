"""The page of a study says the answer first, shows what there is and nothing else, and no name is ever markup."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.records import WeightsRecord
from benchmarks.tune.document import Saved
from benchmarks.tune.outcome import Outcome
from benchmarks.tune.page import page, write_report
from benchmarks.tune.task import Variant
from tests.benchmarks.reporting import Seen
from tests.benchmarks.test_report_injection import HOSTILE, SAFE
from tests.benchmarks.tuned import made_outcome, made_task, said_of, with_front

PARTS = ["answer", "changes", "thresholds", "words", "labels", "folds", "fields", "trade-off", "history", "method"]
TWO = (Variant({}, ("a coin",)), Variant({}, ("money",)))


def seen(outcome: Outcome, preset: Saved | None = None) -> Seen:
    return Seen(page(outcome, said_of(outcome, preset)))


@pytest.fixture(scope="module")
def whole() -> Outcome:
    """Everything that a search can find: two thresholds, two wordings, folds, a front."""
    return with_front(made_outcome(made_task(variants=TWO), trials=100))


@pytest.fixture(scope="module")
def kept() -> Outcome:
    return made_outcome(made_task("classical", fields=("cut_bias", "closing")), lift=-0.2)


def test_every_part_is_there(whole: Outcome) -> None:
    found = seen(whole)
    assert found.values("section", "id") == PARTS
    assert found.values("svg", "aria-labelledby"), "pictures have a name"
    words = found.said
    for sentence in ("Tuning pays: on images that the search had not seen", "on unseen images", "too good: they had a say",
                     "the 95 % interval of the gain is", "5 times it chose new values", "From the best wording to the worst",
                     "it changes by at most 0.01", "best without each part of the images",
                     "more than one standard error of the difference", "Dataset hash", "1f" * 32, "Pass over all images"):  # fmt: skip
        assert sentence in words, sentence


def test_the_answer_tells_the_figures_of_the_document(whole: Outcome) -> None:
    said, words = said_of(whole), seen(whole).said
    assert f"goes from {said['start']['value']:.3f} to {said['best']['cv_value']:.3f}." in words
    low, high = said["best"]["cv_ci"]
    assert f"95 %: {low:.3f} to {high:.3f}" in words


def test_parts_without_data_are_left_out() -> None:
    plain = made_outcome(made_task("classical", folds=0, fields=("cut_bias",)), trials=30)
    bare = replace(plain, learning=(), curves=(), importance={})
    assert seen(bare).values("section", "id") == ["answer", "changes", "fields", "history", "method"]
    none = replace(bare, candidates=())
    assert seen(none).values("section", "id") == ["answer", "changes", "method"]


def test_without_folds_the_figure_is_called_too_good() -> None:
    words = seen(made_outcome(made_task("clipseg", folds=0), trials=30)).said
    assert "What they give on new images was not tested." in words
    assert "Give --folds 5." in words
    assert "on unseen images" not in words.split("Method and limits")[0]


def test_what_is_kept_is_said_first_and_nothing_is_called_changed(kept: Outcome) -> None:
    found = seen(kept)
    assert "Answer Keep classical as it is: no trial was clearly better." in found.said
    assert "changes" not in found.values("section", "id")
    assert "--save" not in found.said, "there is nothing to save"
    assert "--pipelines classical" in found.said


def test_a_gain_that_may_be_chance_is_not_called_one(whole: Outcome) -> None:
    gain = replace(whole.judged.gain, ci=(-0.01, 0.2)) if whole.judged.gain else None
    words = seen(replace(whole, judged=replace(whole.judged, gain=gain))).said
    assert "Tuning may pay, these images are too few to tell" in words
    assert "do not show that anything was gained" in words
    worse = replace(whole.judged, cv_value=(whole.judged.start or 0) - 0.1)
    assert "Tuning does not pay here" in seen(replace(whole, judged=worse)).said


def test_random_weights_take_every_figure_back(whole: Outcome) -> None:
    weights = (WeightsRecord(repo="a/b", revision=None, licence="MIT", commercial=True),)
    task = made_task(variants=TWO, weights_from="random", weights=weights)
    words = seen(replace(whole, task=task)).said
    answer = words.split("What changed")[1]
    assert "No figure on this page means anything: the weights are random." in answer
    assert "too good: they had a say" not in answer, "no figure stands out"
    assert "Search again with real weights" in answer


def test_a_preset_is_used_by_its_name(whole: Outcome) -> None:
    words = seen(whole, Saved("my-coins", Path("/home/someone/presets/grounded_sam.yaml"))).said
    assert "--pipelines grounded_sam@my-coins" in words
    assert "--prompt 'a coin'" not in words, "the preset says so itself"
    assert "someone" not in words, "folders of this machine are left out"


def test_a_start_that_is_too_slow_is_said_to_be_that(whole: Outcome) -> None:
    task = replace(whole.task, timed=True, most_ms=20.0)
    slow = replace(whole, task=task, judged=replace(whole.judged, too_slow=True))
    words = seen(slow).said
    assert "The best that takes at most 20 ms reaches" in words and "ahead of where it began" not in words
    untested = replace(slow, judged=replace(slow.judged, cv_value=None, cv=None, gain=None, folds=()))
    assert "on these images; grounded_sam as it is takes longer" in seen(untested).said


def test_changed_fields_can_be_typed_at_once() -> None:
    outcome = made_outcome(made_task("rmbg", fields=("threshold",)), trials=30)
    assert f"--pipelines rmbg:threshold={outcome.params['threshold']}" in seen(outcome).said


def test_the_command_asks_for_the_same_words(kept: Outcome) -> None:
    about = kept.task.manifest.dataset.model_copy(
        update={"prompt": ("old money", "x"), "prompt_classes": ("coin", None)}
    )
    task = replace(kept.task, manifest=kept.task.manifest.model_copy(update={"dataset": about}), most_ms=80.0)
    words = seen(replace(kept, task=task)).said
    assert "--pipelines classical --prompt 'coin=old money' --prompt x" in words
    assert "Nothing that takes longer than 80 ms an image was considered." in words


def test_less_is_better_where_the_metric_says_so() -> None:
    task = made_task("classical", objective="miss_rate", fields=("cut_bias", "closing"))
    outcome = made_outcome(task, lift=-0.2)
    words = seen(outcome).said
    assert "From 0 to 1, less is better." in words
    assert "Tuning pays" in words
    assert "look for where the lower edge is best" in words


def test_missing_values_break_a_curve_and_nothing_else(whole: Outcome) -> None:
    first = whole.curves[0]
    gaps = replace(first, figures=(None, *first.figures[1:99], None, *first.figures[100:]))
    text = page(*(lambda one: (one, said_of(one)))(replace(whole, curves=(gaps,))))
    line = re.search(r'd="(M[^"]*)" class="curve l0"', text)
    assert line and line[1].count("M") == 2


@pytest.mark.parametrize("string", ["nan", "inf", "None"])
def test_no_figure_is_a_leftover(whole: Outcome, kept: Outcome, string: str) -> None:
    for outcome in (whole, kept):
        attributes = [
            value or "" for _, name, value in seen(outcome).attributes if name in ("d", "x", "y", "cx", "x1", "y1")
        ]
        assert not [one for one in attributes if string in one]


def hostile(words: str) -> Outcome:
    about = {"name": words, "spec": words, "prompt": (words,), "split": words, "format": "folder"}
    task = made_task("clipseg", variants=(Variant({}, (words,)), Variant({}, (f"{words} 2",))), dataset=about,
                     label=f"clipseg@{words}", preset=words)  # fmt: skip
    return made_outcome(task, trials=60)


def test_the_page_has_the_same_elements_whatever_the_names() -> None:
    (bad, good) = (Seen(page(one, said_of(one, Saved(name, Path(f"{name}.yaml")), Path("runs") / name)))
                   for one, name in ((hostile(SAFE), SAFE.replace("/", "")), (hostile("words"), "words")))  # fmt: skip
    assert bad.tags == good.tags
    assert [(tag, name) for tag, name, _ in bad.attributes] == [(tag, name) for tag, name, _ in good.attributes]
    shown = "".join(bad.words)
    for string in HOSTILE[:18]:
        assert string in shown, "it is shown as it is"
    assert not set(shown) & set("\x00\x1b\u202e\u202c"), "what turns the direction of reading is not"


def test_nothing_leaves_the_page_and_nothing_runs(whole: Outcome, tmp_path: Path) -> None:
    path = write_report(whole, said_of(whole), tmp_path)
    found = Seen(path.read_text(encoding="utf-8"))
    assert path == tmp_path / "report.html"
    assert not {"script", "iframe", "object", "embed", "base", "form", "img"} & set(found.tags)
    for _, name, value in found.attributes:
        assert not name.startswith("on")
        if name in ("href", "src"):
            assert (value or "").startswith("#") or value == "data:,"
    assert "http" not in path.read_text(encoding="utf-8").replace("http-equiv", "")


def test_ids_are_unique_and_named_things_exist(whole: Outcome) -> None:
    found = seen(whole)
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    named = {one for _, name, value in found.attributes if name == "aria-labelledby" for one in (value or "").split()}
    assert named <= set(ids)


def test_a_long_search_makes_a_small_page() -> None:
    outcome = made_outcome(made_task("rmbg", fields=("threshold",)), trials=6000)
    assert len(page(outcome, said_of(outcome))) < 400_000


def test_the_same_search_makes_the_same_page(whole: Outcome) -> None:
    assert page(whole, said_of(whole)) == page(whole, said_of(whole))
