"""Splits: nothing that belongs together is torn apart, and the same data is dealt the same way."""

from dataclasses import replace

import pytest

from benchmarks.datasets import open_dataset
from benchmarks.datasets.sample import Sample
from benchmarks.datasets.splits import check_leaks, choose_split, clusters, derive_split, folds
from pipelines.errors import DatasetError, UsageError


def sample(name: str, group: str = "", content: str = "", split: str | None = None) -> Sample:
    def unread() -> None:
        raise AssertionError("a split never decodes")

    return Sample(name, (1, 1), unread, lambda: content or name, group=group, split=split)  # type: ignore[arg-type]


def ids(part: list[Sample]) -> list[str]:
    return [s.id for s in part]


def test_clusters_join_groups_and_equal_pictures() -> None:
    chain = [sample("a", "g"), sample("b", "g", "x"), sample("c", "h", "x"), sample("d", "h"), sample("e")]
    assert [ids(c) for c in clusters(chain)] == [["a", "b", "c", "d"], ["e"]]


@pytest.mark.parametrize("k", [2, 3, 5])
def test_folds_keep_clusters_whole(k: int) -> None:
    samples = [sample(f"{i:03}", f"g{i % 17}", f"picture {i % 90}") for i in range(100)]
    parts = folds(samples, k, seed=3)
    assert sorted(s for part in parts for s in ids(part)) == ids(samples)
    for kind in ("group", "image_hash"):
        seen = [{getattr(s, kind) for s in part} for part in parts]
        assert sum(map(len, seen)) == len(set().union(*seen)), f"a {kind} is on two sides"


def test_folds_are_balanced_and_follow_the_seed_alone() -> None:
    samples = [sample(f"{i:02}", f"g{i // 2}") for i in range(40)]
    parts = folds(samples, 4, seed=1)
    assert [len(part) for part in parts] == [10] * 4
    assert [ids(p) for p in folds(samples[::-1], 4, seed=1)] == [ids(p) for p in parts]
    assert [ids(p) for p in folds(samples, 4, seed=2)] != [ids(p) for p in parts]


def test_names_do_not_decide() -> None:
    samples = [sample(f"{i:02}", content=f"picture {i}") for i in range(12)]
    renamed = [replace(s, id=f"x/{s.id}", group=f"x/{s.id}") for s in samples]
    first, second = derive_split(samples)["tune"], derive_split(renamed)["tune"]
    assert [f"x/{s.id}" for s in first] == ids(second)


def test_shares() -> None:
    parts = derive_split([sample(f"{i:02}") for i in range(20)], {"a": 0.7, "b": 0.25, "c": 0.05})
    assert {name: len(part) for name, part in parts.items()} == {"a": 14, "b": 5, "c": 1}
    assert {s.split for s in parts["b"]} == {"b"}
    few = derive_split([sample("1"), sample("2"), sample("3")], {"a": 0.9, "b": 0.05, "c": 0.05})
    assert [len(part) for part in few.values()] == [1, 1, 1], "no part stays empty"
    for wrong in ({"a": 0.5}, {"a": 1.5, "b": -0.5}):
        with pytest.raises(UsageError, match="add up to 1"):
            derive_split([sample("1"), sample("2")], wrong)


def test_too_few_groups() -> None:
    one = [sample("a", "g"), sample("b", "g")]
    with pytest.raises(DatasetError, match="2 samples in 1 independent group cannot be dealt out to 2 parts"):
        choose_split(one, "tune")
    with pytest.raises(DatasetError, match="to 3 parts"):
        folds([*one, sample("c")], 3)
    with pytest.raises(UsageError, match="1 folds"):
        folds(one, 1)


def test_leaks() -> None:
    assert check_leaks([sample("a", "g", split="x"), sample("b", "g", split="x"), sample("c", "g")]) == ()
    rows = [
        sample("a", "g", split="x"),
        sample("b", "g", "p", "y"),
        sample("c", "h", "p", "x"),
        sample("d", "h", "p", "x"),
    ]
    problems = check_leaks(rows)
    assert [str(p) for p in problems] == [
        "a: it is in split x and shares the group 'g' with b of split y.",
        "b: it is in split y and is the same picture, byte for byte, as c of split x; so it is with b and d.",
    ]


def test_declared_splits_win_over_derived_ones() -> None:
    rows = [sample("a", split="test"), sample("b", split="train"), sample("c")]
    assert ids(choose_split(rows, "test")) == ["a"]


def test_embedded_splits() -> None:
    tune, test = open_dataset("coins", split="tune"), open_dataset("coins", split="test")
    assert {s.id for s in tune} | {s.id for s in test} == {s.id for s in open_dataset("coins")}
    assert not {s.group for s in tune} & {s.group for s in test}
    assert {tune.n_groups, test.n_groups} == {12, 13}
    assert tune.hash != test.hash
    assert len(open_dataset("coins", split="tune", limit=3)) == 3
