"""Suspects: the samples of a dataset that somebody should look at, by kind, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

Severity = Literal["high", "medium", "low"]


@dataclass(frozen=True)
class Kind:
    """A kind of suspect.

    Attributes:
        title: for a heading.
        severity: how much harm it does to scores.
        meaning: what it is, in a sentence.
        suggestion: what to do, in a sentence.
        exclude: whether it belongs on the list of samples to leave out.
    """

    title: str
    severity: Severity
    meaning: str
    suggestion: str
    exclude: bool = False


KINDS: Mapping[str, Kind] = MappingProxyType({
    "image_unreadable": Kind("Unreadable files", "high", "A picture or a mask that cannot be decoded.",
                             "Copy or export the file again, or leave the sample out.", True),
    "split_leak": Kind("Leaks between splits", "high", "The same picture, or the same group, is in two splits.",
                       "Remove one of the two, or give both the same split.", True),
    "conflicting_masks": Kind("Conflicting masks", "high", "Copies of one picture have different masks.",
                              "Keep the copy whose mask is right.", True),
    "mask_missing": Kind("Missing masks", "high", "A picture without a mask where others have one.",
                         "Add its mask, all black if there is nothing to find.", True),
    "mask_size_mismatch": Kind("Masks of another size", "high", "Mask and picture differ in size.",
                               "Make the mask again at the picture's size.", True),
    "mask_inverted": Kind("Inverted masks", "high", "Foreground and background seem to be exchanged.",
                          "Invert the mask.", True),
    "mask_shifted": Kind("Shifted masks", "high", "The outline lies beside the edges of the picture, or on none.",
                         "Check whether the mask belongs to this picture, and move it.", True),
    "mask_full": Kind("Full masks", "high", "Everything is foreground.", "Draw the mask again.", True),
    "mask_empty": Kind("Empty masks", "medium", "Nothing is foreground where nearly all others have an object.",
                       "Draw the mask, or keep it if there is nothing to find."),
    "label_disagreement": Kind("Pipelines against the mask", "medium",
                               "Several pipelines agree with each other and not with the mask.",
                               "Look at the mask: it may be wrong."),
    "exact_duplicate": Kind("Exact copies", "medium", "The same picture twice.", "Keep one.", True),
    "near_duplicate": Kind("Near copies", "medium", "The same picture in another size, cut or coding.", "Keep one.",
                           True),
    "mask_not_binary": Kind("Masks with grey values", "medium", "Values between background and foreground.",
                            "Save it again with two values, or declare mask_threshold or classes in dataset.yaml."),
    "mask_jpeg_noise": Kind("Masks with noise of JPEG", "medium", "Lossy coding left values around black and white.",
                            "Cut it at half and save it as PNG."),
    "mask_palette": Kind("Masks in colour", "low", "A palette or colours where the other masks are grey.",
                         "Save it as the others are, so that its values mean the same."),
    "mask_specks": Kind("Masks with specks", "medium", "Many tiny parts or holes.",
                        "Remove parts of a few pixels."),
    "area_outlier": Kind("Unusual areas", "low", "Far more or far less foreground than in the other samples.",
                         "Check whether something is missing or too much is marked."),
    "image_tiny": Kind("Tiny pictures", "medium", "Far fewer pixels than the others have.",
                       "Get it in its original size, or leave it out.", True),
    "image_odd_size": Kind("Odd sizes", "low", "A shape or size far from those of the others.",
                           "Check where it comes from."),
    "image_dark": Kind("Dark pictures", "low", "Hardly any light.", "Check its exposure."),
    "image_light": Kind("Light pictures", "low", "Nearly all white.", "Check its exposure."),
    "image_blurry": Kind("Blurry pictures", "low", "No sharp edge.", "Check its focus."),
    "image_low_information": Kind("Pictures of nearly nothing", "medium", "Hardly any structure.",
                                  "Check whether the file is what it should be."),
})  # fmt: skip
"""Kind → what it means, the gravest first; of several findings of one cause the first is kept."""


@dataclass(frozen=True)
class Suspect:
    """A sample that somebody should look at.

    Attributes:
        kind: one of `KINDS`.
        sample: its id.
        reason: what was found, in a sentence with numbers.
        related: ids of others that it is about, such as the original of a copy.
        suggestion: what to do; that of the kind where it is empty.
        exclude: whether it belongs on the list of samples to leave out; as the kind says where it is None.
        figure: what was measured, by name.
    """

    kind: str
    sample: str
    reason: str
    related: tuple[str, ...] = ()
    suggestion: str = ""
    exclude: bool | None = None
    figure: Mapping[str, float] = field(default_factory=dict)

    def as_row(self) -> dict[str, Any]:
        """The suspect as it stands in the document."""
        kind = KINDS[self.kind]
        return {
            "kind": self.kind, "sample": self.sample, "related": list(self.related), "severity": kind.severity,
            "reason": self.reason, "suggestion": self.suggestion or kind.suggestion,
            "exclude": kind.exclude if self.exclude is None else self.exclude,
            "figure": {name: float(f"{value:.6g}") for name, value in self.figure.items()},
        }  # fmt: skip
