"""A search as a preset: values, where they come from, and the images that they were chosen on."""

from __future__ import annotations

from benchmarks.datasets import Dataset
from benchmarks.leaks import tuned_images as images_of
from benchmarks.tune.document import Saved, searched
from benchmarks.tune.outcome import Outcome
from pipelines.presets import Provenance, save_preset, tuned_images
from pipelines.registry import pipeline_class


def save(outcome: Outcome, name: str, dataset: Dataset, *, replace: bool) -> Saved:
    """Write the preset into the user's folder.

    Args:
        outcome: of the search.
        name: of the preset.
        dataset: that was searched on.
        replace: whether one of that name may be replaced.

    Returns:
        Its name and file.
    """
    task, judged = outcome.task, outcome.judged
    about, honest = task.manifest.dataset, judged.cv_value is not None
    provenance = Provenance(
        source=f"benchmarks.tune from {task.configuration.label}",
        dataset=about.name,
        dataset_hash=about.hash,
        split=about.split,
        objective=task.objective,
        protocol=f"{task.folds} folds by group; the search and the choice of each never saw it; bootstrap over groups"
        if honest else "judged on the images of the search: too good",
        details=_details(outcome),
        metric=task.objective,
        value=round(judged.cv_value, 4) if judged.cv_value is not None else judged.value,
        interval=_rounded(judged.cv.ends) if judged.cv and judged.cv.ends else None,
        n=len(task.fold),
        n_groups=len(set(task.group.values())),
        folds=task.folds if honest else None,
        trials=len(outcome.candidates) + outcome.given_up,
        seed=task.seed,
        searched=searched(task),
        study=task.key(),
        copies="near" if task.near else "exact",
    )  # fmt: skip
    kind = pipeline_class(task.configuration.pipeline)
    listed = {one.sha256: one for one in (*tuned_images(kind, task.configuration.preset), *images_of(dataset))}
    path = save_preset(kind, name, outcome.params, provenance, list(listed.values()),
                       prompt=outcome.words or about.prompt or task.configuration.prompt, replace=replace)  # fmt: skip
    return Saved(name, path)


def _details(outcome: Outcome) -> dict[str, float | str]:
    task, judged = outcome.task, outcome.judged
    figures = {f"{task.objective} on the images of the search": judged.value, "where it began": judged.start}
    said: dict[str, float | str] = {name: round(value, 4) for name, value in figures.items() if value is not None}
    if task.configuration.tuned_here:
        said["began with values tuned on these images"] = (
            f"{task.configuration.tuned_here} of {len(task.fold)}: too good"
        )
    return said


def _rounded(ends: tuple[float, float]) -> tuple[float, float]:
    return round(ends[0], 4), round(ends[1], 4)
