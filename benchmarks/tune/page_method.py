"""How the figures of a study came about, what they do not say, and what was searched."""

from __future__ import annotations

from benchmarks.report import figures
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.report.page_table import table
from benchmarks.tracking.scrubbed import scrubbed
from benchmarks.tune.page_facts import Told, named, seconds, value
from benchmarks.tune.space import Field

LIMITS = (
    "The figures are of these images. On other objects, cameras or light the best values may be others.",
    "A mask is only as right as the truth that it is compared with.",
    "Do not judge the new values on these images again: take others, or the figure on unseen images above.",
    "The search is by chance, guided by what it found: with more trials or another seed it may end elsewhere.",
)


def method(told: Told) -> Markup:
    """What was done, the limits, and the settings."""
    return fragment(
        element("ul", [element("li", line) for line in _steps(told)]),
        element("h3", "Limits"),
        element("ul", [element("li", line) for line in LIMITS]),
        element("h3", "Settings"),
        _settings(told),
        _space(told),
    )


def _steps(told: Told) -> list[str]:
    task, lines = told.task, [f"Objective: {told.name}. {told.task.metric.title} "
                              f"{'More' if told.task.sign > 0 else 'Less'} is better."]  # fmt: skip
    if told.cv is not None:
        lines.append("On unseen images (cross-validated): the images are dealt into "
                     f"{task.folds} parts, or folds, by whole groups, so that no scene is on two sides. For each part "
                     "a search of its own ran that never saw it, and what it chose is judged on the part. All parts "
                     "together give the figure: what such a search gives on new images like these.")  # fmt: skip
    lines += [
        "On the images of the search: what is kept in the end is chosen over all images from the trials of all "
        "searches. Its figure on them is too good, since it was chosen for being best on them.",
        "New values are taken only if they are ahead of the start by more than one standard error of the difference "
        "over groups of images (Breiman et al., 1984), and by more the more trials there were: the best of n that are "
        "no better is ahead by up to the square root of 2 ln n by chance. What is closer is not changed.",
        *_tried(told),
        "Intervals are 95 % bootstrap intervals that resample whole groups of images; that of the gain is paired, on "
        "the same images.",
    ]
    if told.said["swept"]:
        names = figures.listed(list(told.said["swept"]))
        lines.append(f"Swept: for {names} every threshold is judged exactly from one pass over the scores.")
    return lines


def _tried(told: Told) -> list[str]:
    """How many trials each choice was among; those that were given up count too."""
    among = sorted({fold["tried"] for fold in told.best["folds"]})
    if not among:
        return []
    span = str(among[0]) if len(among) == 1 else f"{among[0]} to {among[-1]}"
    early = told.said["given_up"]
    lost = f" Of {told.said['trials']} trials {early} were given up early, or have values that do not go together."
    together = sum(fold["tried"] for fold in told.best["folds"])
    return [f"Each part chose among {span} trials; what is kept is the best of the {together} of all parts."
            f"{lost * bool(early)}"]  # fmt: skip


def _settings(told: Told) -> Markup:
    said, about, data = told.said, told.task.manifest.dataset, told.said["dataset"]
    environment, searches = told.task.manifest.environment, told.task.folds * len(told.task.variants)
    where = environment.get("gpu") if told.task.configuration.device == "cuda" else None
    asked = told.best["words"] or about.prompt or told.task.configuration.prompt
    rows: list[list[Child]] = [
        ["Pipeline", told.label],
        ["Data", f"{told.dataset} ({about.format}), {data['n']} images in {data['n_groups']} groups"],
        ["Split", about.split or "all images"],
        ["Dataset hash", about.hash],
        ["Asked for", ", ".join(asked) or figures.NOTHING],
        ["Trials", f"{said['trials']}, in {searches} search{'es' * (searches > 1)}"],
        ["Seed", str(said["seed"])],
        ["Pass over all images", seconds(said["pass_s"])],
        ["Trial that needs no pass", seconds(said["decision_s"])],
        ["Machine", str(scrubbed(where or environment.get("cpu") or figures.NOTHING))],
        ["Preset", said["saved_as"] or "not saved"],
        ["Study", told.study],
    ]  # fmt: skip
    known = [row for row in rows if row[1] != figures.NOTHING]
    return table("Settings of the search", ("What", "Value"), known, kind="text")


def _space(told: Told) -> Markup:
    """What was searched, and between which values, folded away."""
    rows: list[list[Child]] = [[named(one.name, one.knob.help), value(one.start), _range(one), one.knob.reads]
                               for one in told.task.space.fields]  # fmt: skip
    drawn = table("Fields that were searched", ("Field", "Start", "Tried", "Read by"), rows, frozenset({"Start"}))
    summary = element("summary", f"Show the {figures.count(len(rows), 'field')} that were searched")
    return element("details", summary, drawn)


def _range(one: Field) -> str:
    return ", ".join(map(value, one.choices)) if one.choices else f"{value(one.low)} to {value(one.high)}"


def footer(told: Told) -> Markup:
    """What the page is made of."""
    said = ("Made from the trials of this study. The page holds all that it shows: nothing is fetched, no script runs. "
            f"The same in numbers: tuned.json beside it (schema {told.said['schema_version']}).")  # fmt: skip
    return element("footer", element("p", said))
