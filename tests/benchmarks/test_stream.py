"""Streams: samples that are never all held, from the dataset to the row, in level memory."""

from __future__ import annotations

import json
import subprocess
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets import Dataset, Sample, Stream
from benchmarks.evaluate import Outcome
from benchmarks.leaderboard import Tally
from benchmarks.plan import Request, plan
from benchmarks.selection import check_decodes
from benchmarks.statistics import intervals
from benchmarks.statistics.intervals import MOST_GROUPS, GroupSums, interval
from benchmarks.store import RecordWriter, RunStore
from benchmarks.timing import latency
from pipelines.errors import DatasetError, ImageError, UnknownNameError
from tests.benchmarks.pieces import record, sample
from tests.conftest import Run


def stream(n: int, held: list[int] | None = None) -> Stream:
    def rows() -> Iterator[Sample]:
        for index in range(n):
            if held is not None:
                held.append(index)
            yield sample(f"{index:08d}")

    return Stream(rows)


def test_a_stream_is_read_anew_at_each_pass_and_counted_once() -> None:
    read: list[int] = []
    dataset = Dataset("s", "f", stream(5, read))
    assert [s.id for s in dataset] == [s.id for s in dataset] == [f"{i:08d}" for i in range(5)]
    assert (len(dataset), dataset.n_groups, dataset.splits, dataset.has_truth) == (5, 5, (), True)
    assert len(read) == 15  # two passes, and one for everything that was counted
    assert dataset.hash == Dataset("t", "g", tuple(stream(5))).hash
    with pytest.raises(DatasetError, match="is a stream"):
        dataset["00000001"]


def test_a_part_of_a_stream() -> None:
    whole = stream(6)
    assert [s.id[-1] for s in whole.without(["00000001"], 3)] == ["0", "2", "3"]
    assert [s.id[-1] for s in whole.without([], 4).without([], 2)] == ["0", "1"]
    assert len(whole.without([], 100)) == 6
    with pytest.raises(UnknownNameError, match="nobody"):
        whole.without(["nobody"])


def test_two_samples_of_one_id_are_refused() -> None:
    with pytest.raises(DatasetError, match="Two samples have the id 'a'"):
        len(Stream(lambda: iter([sample("a"), sample("b"), sample("a")])))


def test_a_stream_is_not_decoded_beforehand() -> None:
    def damaged() -> Iterator[Sample]:
        def read() -> None:
            raise ImageError("It is damaged.", "Mend it.")

        yield Sample(id="a", size=(1, 1), read_image=read, hash_image=lambda: "a")  # type: ignore[arg-type]

    check_decodes(Dataset("s", "f", Stream(damaged)))
    with pytest.raises(DatasetError, match="It is damaged"):
        check_decodes(Dataset("s", "f", tuple(damaged())))


def test_samples_for_the_throughput_are_few_and_evenly_spaced() -> None:
    log = latency.LatencyLog()
    for index in range(10_000):
        log.add(Outcome(sample(str(index)), None, None, None, None, {"decode": 1, "latency": 2}, {"a": 2}))
    numbers = [int(s.id) for s in log.worked]
    assert latency.MOST_HELD / 2 <= len(numbers) <= latency.MOST_HELD
    assert set(np.diff(numbers)) == {log.stride}
    assert numbers[-1] > 9_000
    assert log.stages_ms == {"a": 2}
    assert len(log.scored.latency) == 10_000


def test_more_groups_than_are_held_are_joined_and_the_interval_stays() -> None:
    n = 5 * MOST_GROUPS
    values = np.random.default_rng(0).random(n)
    sums = GroupSums()
    for index, value in enumerate(values):
        sums.add(f"g{index}", value, 1.0)
    assert sums.sums.shape == (MOST_GROUPS, 2, 1)
    assert sums.value() == pytest.approx(values.mean(), abs=1e-12)
    found = sums.interval(resamples=2000)
    assert found.n == n
    assert found.lo is not None
    assert found.hi is not None
    expected = 2 * 1.96 * values.std() / np.sqrt(n)
    assert found.hi - found.lo == pytest.approx(expected, rel=0.1)


def test_few_groups_are_not_joined_and_order_does_not_matter() -> None:
    values = np.random.default_rng(1).random((300, 2))
    groups = [f"g{i % 60}" for i in range(300)]
    plain = interval(values, np.ones((300, 2)), groups, resamples=500, combine=lambda a, b: (a / b).max(axis=-1))
    sums = GroupSums()
    for group, value in zip(groups, values, strict=True):
        sums.add(group, tuple(value), (1, 1))
    assert sums.interval(resamples=500, combine=lambda a, b: (a / b).max(axis=-1)) == plain


def test_a_row_of_many_records_takes_level_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "MOST_GROUPS", 64)
    kept = record("x", 5, 10)

    def peak(n: int) -> int:
        tally = Tally()
        tracemalloc.start()
        try:
            for index in range(n):
                tally.add(kept.model_copy(update={"id": str(index), "group": f"g{index}"}))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(400) < 1.1 * peak(100)


def test_records_are_picked_by_their_sample_without_holding_them(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    with RecordWriter(store.records_path("c")) as writer:
        for index in range(50):
            writer.append(record(f"s{index}", index % 10, 10))
    with store.records_path("c").open("ab") as file:
        file.write(b'{"torn')
    index = store.index("c")
    found = index.get("s7")
    assert found is not None
    assert found.components == record("s7", 7, 10).components
    assert index.get("s50") is None
    assert store.index("nobody").get("s1") is None
    assert len(store.index("c").places) == 50


Shards = Callable[[Path, int], Path]


@pytest.fixture
def shards() -> Shards:
    """Parquet of small pictures with masks, one square each."""

    def make(folder: Path, n: int) -> Path:
        from datasets import Dataset as Rows
        from datasets import Image
        from PIL import Image as PILImage

        def pictures(offset: int) -> Iterator[PILImage.Image]:
            for index in range(n):
                pixels = np.zeros((12, 16), np.uint8)
                pixels[2:8, 3 : 5 + index % 9] = 255
                if not offset:
                    pixels[0] = np.frombuffer(index.to_bytes(16, "big"), np.uint8) // 2
                yield PILImage.fromarray(pixels if offset else np.stack([pixels] * 3, -1))

        folder.mkdir(parents=True)
        rows = Rows.from_dict({"image": list(pictures(0)), "mask": list(pictures(1))})
        rows = rows.cast_column("image", Image()).cast_column("mask", Image())
        rows.to_parquet(str(folder / "train.parquet"), batch_size=50)
        return folder

    return make


def test_a_run_over_a_stream_resumes_and_scores_as_the_same_rows_held(
    command: Run, plugin_site: Path, shards: Shards, tmp_path: Path
) -> None:
    folder = shards(tmp_path / "data", 120)
    quick = (
        "--pipelines",
        "bright",
        "--budget-s",
        "0.2",
        "--batch-sizes",
        "1,2",
        "--json",
        "--out",
        str(tmp_path / "runs"),
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return command("benchmarks.run", *arguments, *quick, PYTHONPATH=str(plugin_site))

    done = run("--dataset", f"hf-stream:{folder}")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (streamed,) = document["rows"]
    assert document["dataset"]["format"] == "Hugging Face stream"
    assert (streamed["n"], streamed["scored"], streamed["miou"]) == (120, 120, 1.0)
    assert streamed["throughput_ips"]["value"] > 0
    held = json.loads(run("--dataset", f"hf:{folder}").stdout)
    assert document["dataset"]["hash"] == held["dataset"]["hash"]
    assert {k: v["value"] for k, v in streamed["metrics"].items()} == {
        k: v["value"] for k, v in held["rows"][0]["metrics"].items()
    }
    (run_folder,) = (p for p in (tmp_path / "runs").iterdir() if p.name == document["run_id"])
    lines = (run_folder / "00-bright" / "samples.jsonl").read_text().splitlines(keepends=True)
    (run_folder / "00-bright" / "samples.jsonl").write_text("".join(islice(lines, 40)))
    (run_folder / "00-bright" / "timing.json").unlink()
    again = json.loads(run("--dataset", f"hf-stream:{folder}").stdout)
    (resumed,) = again["rows"]
    assert "resumed" in resumed["flags"]
    assert resumed["metrics"] == streamed["metrics"]
    few, samples = plan(Request(f"hf-stream:{folder}", "classical", limit=7))
    assert (few.dataset.n, len(list(samples))) == (7, 7)


def test_a_stream_has_no_splits_of_its_own(command: Run, shards: Shards, tmp_path: Path) -> None:
    folder = shards(tmp_path / "data", 3)
    done = command("benchmarks.run", "--dataset", f"hf-stream:{folder}", "--split", "test", "--json")
    assert done.returncode == 2
    assert "hf-stream:" in json.loads(done.stdout)["error"]["cure"]
