"""What limits the answer: which flags a row has, what each means, and what a reader has to know first."""

from __future__ import annotations

from benchmarks.report import figures
from benchmarks.report.facts import Facts, Series
from benchmarks.rows import TUNED, Row, has_oracle, was_tuned_here
from benchmarks.table import FLAGS, said_excluded

OF_LEADER = ("errors", TUNED, "few_groups", "oracle_prompts", "limited", "resumed")
OF_TIMES = ("unstable", "disturbed")
"""Said of whichever row has it, since the times of all are compared."""


def flags(row: Row) -> list[str]:
    """The flags of a row, and its failed images as one."""
    failed = [f"errors:{row.errors} of {row.n}"] if row.errors else []
    return [*failed, *row.flags]


def sentence(flag: str, facts: Facts) -> str:
    """What a flag means, as the terminal says it, as a sentence; one of a pipeline's own stands for itself."""
    name, _, value = flag.partition(":")
    if name == "errors":
        return f"{value} images failed and count as 0."
    words = FLAGS[name].format(groups=facts.manifest.dataset.n_groups, value=value) if name in FLAGS else flag
    return f"{words[:1].upper()}{words[1:]}."


def cautions(facts: Facts) -> tuple[str, ...]:
    """What limits the answer, from what a reader has to know first."""
    return (
        *_of_leader(facts),
        *_excluded(facts),
        *_unjudged(facts),
        *_absent(facts),
        *_knowing(facts),
        *_rough_times(facts),
    )


def _of_leader(facts: Facts) -> list[str]:
    row = facts.series[0].row if facts.series else None
    raised = {flag.partition(":")[0]: flag for flag in flags(row)} if row else {}
    found = [(name, sentence(raised[name], facts)) for name in OF_LEADER if name in raised]
    return [f"{row.label}: {said}" if row and name == "errors" else said for name, said in found]


def _excluded(facts: Facts) -> list[str]:
    left_out = said_excluded(facts.manifest.dataset.exclude)
    return [f"{left_out} on the list of --exclude; Do it again names them."] if left_out else []


def _unjudged(facts: Facts) -> list[str]:
    blind = [one.label for one in facts.blind] if facts.judged else []
    if not blind:
        return []
    why = "ran with random weights" if all(one.random for one in facts.blind) else "could not be judged"
    return [f"{figures.and_others(blind)} {why}: of {_them(blind)} only speed and memory count, and a better one may "
            "be among those that were not judged."]  # fmt: skip


def _absent(facts: Facts) -> list[str]:
    late = [one.label for one in facts.series if one.unfinished]
    gone = [one.label for one in facts.series if one.row.status != "ok" and not one.unfinished]
    said = [f"The run did not finish: {figures.and_others(late)} still {'has' if len(late) == 1 else 'have'} to be "
            "measured; its command, given again, goes on with it."] if late else []  # fmt: skip
    if gone and facts.ran:
        said.append(f"{figures.and_others(gone)} gave no result, so nothing is said of {_them(gone)}; the reason "
                    "stands in the table.")  # fmt: skip
    return said


def _knowing(facts: Facts) -> list[str]:
    """Why rows that may score highest do not lead."""
    rivals = {one.label for one in facts.rivals}
    others = [one for one in facts.judged if one.label not in rivals]
    asked = [one.label for one in others if has_oracle(one.row)]
    tuned = [one.label for one in others if was_tuned_here(one.row)]
    said = {"took points or boxes from the true masks, which nobody has who needs a mask": asked,
            f"{'was' if len(tuned) == 1 else 'were'} tuned on images of this run, and new images are another matter":
                tuned}  # fmt: skip
    return [f"{figures.and_others(labels)} {why}: no place in the ranking is given to {_them(labels)}."
            for why, labels in said.items() if labels]  # fmt: skip


def _rough_times(facts: Facts) -> list[str]:
    raised = {flag: [one.label for one in facts.ran if flag in one.row.flags] for flag in OF_TIMES}
    return [f"Times of {figures.and_others(labels)}: {FLAGS[flag]}." for flag, labels in raised.items() if labels]


def _them(labels: list[str]) -> str:
    return "it" if len(labels) == 1 else "them"


def unjudged(one: Series) -> str:
    """Why a configuration that ran has no quality."""
    return "random weights" if one.random else "no masks"
