"""Advice from how the images were gathered: masks, groups, classes, sizes, and what was found to be wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.profile.precision import ASSUMED_SPREAD, reached
from benchmarks.profile.readings import reading
from benchmarks.report.figures import and_others, count, share
from benchmarks.statistics.intervals import FEW_GROUPS

FEW_IMAGES = 10
ENOUGH = 30
"""Scenes with masks that are a start."""

IMBALANCE = 10.0
ALIKE = 3.0
"""Images a group beyond which a dataset is smaller than it looks."""

UNLIKE = 4.0
"""Ratio of the most to the median number of pixels."""


def of_data(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Advice that asks for no masks comes too."""
    yield from _masks(document)
    yield from _excluded(document)
    yield from _groups(document)
    yield from _classes(document)
    yield from _sizes(document)
    yield from _splits(document)


def _masks(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    masks = document["masks"]
    if masks["with_masks"]:
        return
    yield {"title": "Without masks only speed can be measured", "severity": "care",
           "figures": {"without_masks": masks["without_masks"]},
           "reason": "There is nothing to compare predictions with. Draw masks for images of as many scenes as you "
                     f"can: with {ENOUGH} mIoU is known to ±{reached(ASSUMED_SPREAD, ENOUGH):.2f}, where a standard "
                     f"deviation of {ASSUMED_SPREAD:g} over scenes is assumed."}  # fmt: skip


def _excluded(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    excluded, n = document["excluded"], document["n"]
    if not excluded:
        return
    yield {"title": f"Leave out or mend {count(excluded, 'image')} first", "severity": "care",
           "figures": {"excluded": excluded, "share": round(excluded / n, 4)},
           "reason": f"{share(excluded / n)} of the images are copies, leaks, or wrong in a way that makes every "
                     "pipeline look worse or better than it is. --exclude-to FILE writes them with their reasons, "
                     "and run and tune read that file with --exclude."}  # fmt: skip


def _groups(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    data = document["dataset"]
    n, groups = data["n"], data["n_groups"]
    if not groups:
        return
    figures = {"images": n, "groups": groups, "images_per_group": round(n / groups, 2)}
    if n == groups:
        yield {"title": "No two images are said to show the same scene", "severity": "note", "figures": figures,
               "reason": "Every image is a group of its own. If some show one background, one subject or one sitting, "
                         "say so in the column group of metadata.csv: intervals are too narrow without."}  # fmt: skip
    elif groups < FEW_GROUPS or n / groups > ALIKE:
        yield {"title": f"{count(n, 'image')} come from {count(groups, 'group')}",
               "severity": "care" if groups < FEW_GROUPS else "note", "figures": figures,
               "reason": f"{n / groups:.1f} images a background or scene. What a pipeline does on other scenes is told "
                         f"by the number of groups: below {FEW_GROUPS} intervals are rough. New scenes help more than "
                         "more images of these."}  # fmt: skip


def _classes(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    classes = document["masks"]["classes"]
    if len(classes) < 2:
        return
    rare = [f"{one['name']} ({one['images']})" for one in classes if one["images"] < FEW_IMAGES]
    most, least = max(one["images"] for one in classes), min(one["images"] for one in classes)
    figures = {"classes": len(classes), "most_images": most, "fewest_images": least}
    if rare:
        what = f"{len(rare)} class{'es' * (len(rare) != 1)}"
        yield {"title": f"{what} in fewer than {FEW_IMAGES} images", "severity": "care", "figures": figures,
               "reason": f"{and_others(rare)}: an IoU of these says little, and weighs as much in the mean over "
                         "classes as that of any other."}  # fmt: skip
    elif least and most / least > IMBALANCE:
        yield {"title": "Classes are of very unequal frequency", "severity": "note", "figures": figures,
               "reason": f"From {least} to {most} images. "
                         "Look at the IoU of each class, not only at the mean."}  # fmt: skip


def _sizes(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    sizes, pixels = document["images"]["n_sizes"], reading(document, "megapixels")
    if pixels is None:
        return
    ratio = pixels["max"] / pixels["p50"] if pixels["p50"] else 1.0
    figures = {"sizes": sizes, "largest_to_median": round(ratio, 2)}
    if sizes == 1:
        yield {"title": "All pictures have one size", "severity": "good", "figures": figures,
               "reason": "They can be put into batches as they are, and their times can be compared."}  # fmt: skip
    else:
        yield {"title": f"Pictures have {sizes} sizes", "severity": "note" if ratio >= UNLIKE else "good",
               "figures": figures,
               "reason": f"The largest has {ratio:.1f} times the pixels of the median. Networks that scale every "
                         "picture to one size batch them all the same; the rest pads or goes one by one. Plan with "
                         "the 95th percentile of the latency, not with its median."}  # fmt: skip


def _splits(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    apart = [row for row in document["splits"] if row.get("p") is not None and row["p"] < 0.05]
    if not apart:
        return
    names = list(dict.fromkeys(row["feature"] for row in apart))
    yield {"title": "The splits are not alike", "severity": "note", "figures": {"features": len(names)},
           "reason": f"They differ in {and_others(names)} by more than chance explains. What is tuned on one may not "
                     "hold on the other."}  # fmt: skip
