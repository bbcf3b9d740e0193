"""What changed since another profile, on a profile's page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.profile.comparison import moved
from benchmarks.profile.page_parts import NO, kind_of, shortened, value
from benchmarks.report.figures import NOTHING, and_others, count
from benchmarks.report.markup import Child, Markup, element, fragment
from benchmarks.report.page_table import table

MOST = 200
FEATURES = ("Feature", "Median before", "Median now", "Moved, in middle halves", "Distance")
SUSPECTS = ("Image", "Kind", "Severity", "It is", "Why")


def changes(document: Mapping[str, Any]) -> Markup:
    """In words, then features, then suspects that came and went; nothing where there is no other profile."""
    found = document.get("comparison")
    if not found:
        return NO
    return fragment(
        element("ul", [element("li", line) for line in sentences(found)]),
        _features(found), _suspects(found, document),
    )  # fmt: skip


def sentences(found: Mapping[str, Any]) -> list[str]:
    """The comparison in words."""
    before, now, suspects = found["before"], found["now"], found["suspects"]
    same = " The files are the same, byte for byte." if found["same"] else ""
    said = [f"Compared with the profile of {before['name']} of {(before['created'] or '')[:10]}: {before['n']} images "
            f"then, {now['n']} now; {before['n_groups']} groups then, {now['n_groups']} now.{same}"]  # fmt: skip
    far = moved(found)
    said.append(f"{count(len(far), 'feature')} moved: {and_others([one['title'].lower() for one in far])}." if far
                else "No feature moved by half of its middle half or more.")  # fmt: skip
    said.append(
        f"{count(len(suspects['new']), 'suspect')} new, {len(suspects['gone'])} gone, {suspects['same']} as before."
    )
    for key, singular in (("classes", "class"), ("sizes", "size"), ("splits", "split")):
        told = [f"{word}: {and_others(found[key][word])}" for word in ("new", "gone") if found[key][word]]
        said += [f"{singular.capitalize()}{'es' if singular == 'class' else 's'} {'; '.join(told)}."] if told else []
    return said


def _features(found: Mapping[str, Any]) -> Markup:
    rows: list[list[Child]] = [
        [one["title"], value(one["before"], one["unit"]), value(one["now"], one["unit"]),
         NOTHING if one["moved"] is None else f"{one['moved']:+.2f}".replace("-", "\N{MINUS SIGN}"),
         f"{one['distance']:.2f}"]
        for one in found["features"]
    ]  # fmt: skip
    said = ("Moved: the difference of the medians, in units of the range that held the middle half before. Distance: "
            "the largest difference of the cumulative shares, from 0 to 1.")  # fmt: skip
    drawn = table("Features, the farthest moved first", FEATURES, rows, frozenset(FEATURES[1:]))
    return fragment(drawn, element("p", said, class_="quiet"))


def _suspects(found: Mapping[str, Any], document: Mapping[str, Any]) -> Markup:
    both = [(word, one) for word in ("new", "gone") for one in found["suspects"][word]]
    if not both:
        return NO
    known = {"suspects": [*document["suspects"], *({**one, "suggestion": ""} for _, one in both)]}
    rows: list[list[Child]] = [
        [shortened(one["sample"]), kind_of(one["kind"], known).title, one["severity"], word, one["reason"]]
        for word, one in both[:MOST]
    ]
    more = len(both) - MOST
    rest = element("p", f"{more} more stand in the JSON document.", class_="quiet") if more > 0 else None
    drawn = table("Suspects that came and went", SUSPECTS, rows, frozenset(), kind="text")
    return element("details", element("summary", f"Show {count(len(both), 'suspect')} that came or went"), drawn, rest)
