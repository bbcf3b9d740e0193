"""Parts of a dataset that a study does not see: whole groups, so that no photograph is on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from pipelines.errors import UsageError


def folds_of(groups: Mapping[str, str], number: int, seed: int) -> dict[str, int]:
    """The fold of each image: groups are dealt out, the largest first, to whichever fold has the fewest images.

    Args:
        groups: id → group of each image.
        number: of folds; 0 = none is left out, and every image is in fold 0.
        seed: of the order among groups of one size.

    Raises:
        UsageError: more folds than groups, or one.
    """
    if not number:
        return dict.fromkeys(groups, 0)
    sizes = Counter(groups.values())
    if not 2 <= number <= len(sizes):
        raise UsageError(
            f"--folds {number} cannot be made of {len(sizes)} group{'s' * (len(sizes) != 1)} of images.",
            f"Give 2 to {len(sizes)}, or 0 for no cross-validation." if len(sizes) > 1 else "Give --folds 0.",
        )
    names = sorted(sizes)
    shuffled = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    held, fold = [0] * number, dict[str, int]()
    for name in sorted(shuffled, key=lambda name: -sizes[name]):
        fold[name] = min(range(number), key=lambda k: (held[k], k))
        held[fold[name]] += sizes[name]
    return {sample: fold[group] for sample, group in groups.items()}
