"""The head of a study's page: what was tuned, what it gives on images that had no say, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from benchmarks.report import figures
from benchmarks.report.markup import Markup, element, fragment
from benchmarks.tune.document import too_slow
from benchmarks.tune.learning import ENOUGH
from benchmarks.tune.page_facts import Told, seconds

MOST_TYPED = 6
"""Changed fields that are written out in a command; more are saved under a name."""


def header(told: Told) -> Markup:
    """Title, and what was searched on what."""
    data, manifest = told.said["dataset"], told.task.manifest
    about = [figures.count(data["n"], "image"), f"in {figures.count(data['n_groups'], 'group')}",
             f"· {figures.count(told.said['trials'], 'trial')}",
             *([f"· {told.task.folds} folds"] if told.task.folds > 1 else []),
             f"· {figures.count(len(told.said['searched']), 'field')} searched",
             f"· {manifest.created[:10]} · {told.study}"]  # fmt: skip
    return element("header", element("h1", title(told)), element("p", " ".join(about), class_="about"))


def title(told: Told) -> str:
    """Of the page."""
    return f"Tuning {told.label} on {told.dataset}"


def answer(told: Told) -> Markup:
    """Headline, figures, reasons, what to type and what limits it all."""
    more = "more" if told.task.sign > 0 else "less"
    return fragment(
        element("p", headline(told), class_="headline"),
        _tiles(told),
        element("p", f"{told.name}: {told.task.metric.title} From 0 to 1, {more} is better.", class_="quiet"),
        None if told.random or told.outcome.nothing else _listed("Why", list(_reasons(told))),
        element("h3", "What to do next"),
        [_step(words, line) for words, line in _next(told)],
        _listed("Read with care", list(_cautions(told)), "care"),
    )


def headline(told: Told) -> str:
    """The answer in one sentence."""
    if told.random:
        return "No figure on this page means anything: the weights are random. It shows what a search looks like."
    name, before = told.name, figures.score(told.start)
    if told.outcome.nothing:
        return too_slow(told.outcome)
    if told.kept:
        return f"Keep {told.label} as it is: no trial was clearly better. On these images it reaches {name} {before}."
    if told.said["start"]["too_slow"]:
        score = figures.score(told.best["value"] if told.cv is None else told.cv)
        where = "on these images" if told.cv is None else "on images that the search had not seen"
        return (f"The best that takes at most {told.task.most_ms:g} ms reaches {name} {score} {where}; {told.label} "
                f"as it is takes longer, and reaches {before} on these.")  # fmt: skip
    if told.gain is None:
        return (f"Other values suit these images better: {name} {figures.score(told.best['value'])}, before {before}. "
                "What they give on new images was not tested.")  # fmt: skip
    unsure = told.gain > 0 and told.gain_ci is not None and told.gain_ci[0] <= 0
    verdict = ("Tuning does not pay here" if told.gain <= 0 else "Tuning may pay, these images are too few to tell"
               if unsure else "Tuning pays" if told.gain >= ENOUGH else "Tuning pays little")  # fmt: skip
    return f"{verdict}: on images that the search had not seen, {name} goes from {before} to {figures.score(told.cv)}."


def _tiles(told: Told) -> Markup:
    """The figures that matter; times alone where no other means anything."""
    n, took = told.said["dataset"]["n"], told.said["decision_s"]
    tiles = [] if told.random else list(_figures(told))
    whole = told.said["pass_s"]
    more = f"a pass over all {n} images: {seconds(whole)}" if whole is not None else "all evidence was stored before"
    tiles.append(("Time of a trial", seconds(whole if took is None else took), more))
    drawn = [element("div", element("dt", name), element("dd", value, class_="value"), element("dd", more))
             for name, value, more in tiles]  # fmt: skip
    return element("dl", drawn, class_="tiles")


def _figures(told: Told) -> Iterator[tuple[str, str, str]]:
    ends = told.best["cv_ci"]
    if told.cv is not None:
        yield (f"{told.name} on unseen images", figures.score(told.cv),
               f"95 %: {figures.interval(tuple(ends))}" if ends else "no interval")  # fmt: skip
    yield f"{told.name} before", figures.score(told.start), f"{told.label}, on the same images"
    if not told.kept:
        yield "On the images of the search", figures.score(told.best["value"]), "too good: they had a say"
    if told.said["learning_curve"]:
        here = f"{told.unit}; here {told.said['dataset']['n_groups']}"
        yield "Labelled images that are enough", _enough(told) or f"over {_most(told)}", here


def _enough(told: Told) -> str | None:
    """How many labelled images are enough, or None where that was not reached."""
    enough = told.said["enough_groups"]
    if enough is None:
        return None
    return f"{enough} or fewer" if enough == told.said["learning_curve"][0]["n_groups"] else f"about {enough}"


def _most(told: Told) -> int:
    return int(told.said["learning_curve"][-1]["n_groups"])


def _reasons(told: Told) -> Iterator[str]:
    if before := told.task.configuration.tuned_here:
        yield (f"It began with values that were tuned on {before} of these images before: no figure here is of images "
               "that it never saw.")  # fmt: skip
    rule = "ahead of where it began by more than the best of so many is by chance"
    n = figures.count(told.said["trials"], "trial")
    if told.kept:
        yield f"None of {n} is {rule}; what is smaller is likely chance, so that nothing is changed."
    elif told.said["start"]["too_slow"]:
        yield (f"It is the best of {n} that is fast enough, and not measured against the slower one; it changes "
               f"{figures.count(len(told.changed), 'field')}.")  # fmt: skip
    else:
        yield f"Of {n} the best one is {rule}; it changes {figures.count(len(told.changed), 'field')}."
    if told.task.most_ms is not None:
        yield f"Nothing that takes longer than {told.task.most_ms:g} ms an image was considered."
    yield from _of_gain(told)
    yield from _of_folds(told)
    enough = _enough(told)
    if enough is not None:
        yield (f"{enough.capitalize()} labelled {told.unit} are enough: with more of them the choice gives nearly the "
               f"same, within {ENOUGH:g}.")  # fmt: skip
    elif told.said["learning_curve"]:
        yield f"More labelled {told.unit} may still pay: with {_most(told)} of them the curve was not level yet."


def _of_gain(told: Told) -> Iterator[str]:
    ends = told.gain_ci
    if not told.gain or ends is None:
        return
    sure = ("the gain is sure" if ends[0] > 0 else "the loss is sure" if ends[1] < 0
            else "these images do not show that anything was gained or lost")  # fmt: skip
    which = "Better" if told.gain > 0 else "Worse"
    yield (f"{which} than before by {abs(told.gain):.3f} on the same unseen images; the 95 % interval of the gain is "
           f"{figures.signed(ends[0])} to {figures.signed(ends[1])}: {sure}.")  # fmt: skip


def _of_folds(told: Told) -> Iterator[str]:
    folds = told.best["folds"]
    moved = [one for one in folds if one["trial"] is not None]
    known = [one for one in moved if one["value"] is not None and one.get("start") is not None]
    made = f"The search was made {len(folds)} times, each without a part of the images"
    if folds and not moved:
        yield f"{made}: each time it kept what there was."
    elif known:
        up = sum(told.task.sign * (one["value"] - one["start"]) > 0 for one in known)
        yield (f"{made}: {figures.count(len(moved), 'time')} it chose new values, and {figures.count(up, 'time')} "
               "these were better on that part.")  # fmt: skip


def _next(told: Told) -> Iterator[tuple[str, str | None]]:
    """What to do in words, each with the line to type or None."""
    if told.random:
        yield "Search again with real weights; what is found with random ones is of no use.", None
    elif told.outcome.nothing:
        yield "Allow more time, or search fields that make it faster, such as the size that it works at.", None
    elif told.kept:
        yield "Nothing has to change. On your other images:", _run(told, told.label)
        yield "A longer search may still find more: give more --trials, fewer --fields, or a larger --span.", None
    else:
        if told.gain is not None and told.gain <= 0:
            yield "Keep what you have, or label more images and search again. To try the new values nevertheless:", None
        yield from _use(told)


def _use(told: Told) -> Iterator[tuple[str, str]]:
    """How what was found is used, saved or not."""
    if told.said["saved_as"] is not None:
        yield "It is saved. Use it on images that it was not tuned on:", _run(told, told.said["saved_as"], saved=True)
        return
    yield "To keep it, type the same command once more and give it a name; trials that are done are not repeated:", (
        f"python -m benchmarks.tune {shlex.quote(told.label)} ... --save NAME")  # fmt: skip
    if len(told.changed) <= MOST_TYPED and not {":", "#"} & set(told.label):
        fields = ";".join(f"{name}={_typed(told.best['params'][name])}" for name in told.changed)
        yield "Or try it at once, on images that it was not tuned on:", _run(told, f"{told.label}:{fields}")


def _run(told: Told, entry: str, *, saved: bool = False) -> str:
    """The command that runs it elsewhere, asked for the same."""
    about = told.task.manifest.dataset
    classes = about.prompt_classes or (None,) * len(about.prompt or ())
    asked = [f"{name}={words}" if name is not None else words
             for words, name in zip(about.prompt or (), classes, strict=True)]  # fmt: skip
    chosen = [] if saved else told.best["words"]  # a preset asks for them itself
    prompts = "".join(f" --prompt {shlex.quote(one)}" for one in chosen or asked)
    return f"python -m benchmarks.run --dataset YOUR_IMAGES --pipelines {shlex.quote(entry)}{prompts}"


def _typed(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _step(words: str, line: str | None) -> Markup:
    if line is None:
        return element("p", words)
    typed = element("pre", element("code", line), tabindex=0, role="region", aria_label=f"Command: {words}")
    return fragment(element("p", words), typed)


def _listed(name: str, sentences: list[str], kind: str | None = None) -> Markup | None:
    if not sentences:
        return None
    return element("div", element("h3", name), element("ul", [element("li", one) for one in sentences]), class_=kind)


def _cautions(told: Told) -> Iterator[str]:
    task, data = told.task, told.said["dataset"]
    if told.random:
        yield "The weights are random: values, curves and the choice are of noise. Only times are real."
    if told.cv is None:
        yield "Without folds every figure is of the images that the search saw, and too good. Give --folds 5."
    if told.best["few_groups"]:
        yield f"Only {data['n_groups']} independent groups of images: read the intervals as rough."
    if task.manifest.dataset.limit is not None:
        yield f"Only {figures.count(data['n'], 'image')} of the dataset were taken, by --limit."
    failed = sum(bool(one.errors) for one in told.outcome.candidates)
    if failed:
        yield f"In {figures.count(failed, 'trial')} the pipeline failed on an image, which counts as 0."
    fields = len(told.said["searched"])
    if fields > 1 and not told.said["importance"]:
        n = figures.count(told.said["trials"], "trial")
        yield (f"Which of the {fields} fields matter cannot be told from {n}: the best ones lie where chance might "
               "have put them. More trials may tell, or fewer --fields.")  # fmt: skip
