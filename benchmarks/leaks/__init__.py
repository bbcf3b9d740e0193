"""Who was tuned on what: copies of pictures are found, and nothing is judged on what it was tuned on."""

from benchmarks.leaks.guard import (
    Overlap,
    check_splits,
    fingerprints,
    merge_notes,
    merged_groups,
    refused,
    tuned_images,
    tuned_overlap,
)

__all__ = [
    "Overlap",
    "check_splits",
    "fingerprints",
    "merge_notes",
    "merged_groups",
    "refused",
    "tuned_images",
    "tuned_overlap",
]
