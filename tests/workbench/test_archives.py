"""Archives of strangers: what is refused leaves nothing behind, and what lies beside the pictures is passed over."""

from __future__ import annotations

import gzip
import io
import random
import resource
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import UsageError
from tests.conftest import ROOT
from tests.workbench.hostile_archives import (
    HOSTILE,
    PNG,
    SMALL,
    Entry,
    attribute,
    picture,
    tar_file,
    tarred,
    with_body,
    zipped,
)
from workbench.archives.extract import Extracted, extract, kind_of
from workbench.archives.members import ArchiveLimits, ArchiveRefusedError, Member, check


def unpacked(data: bytes, folder: Path, limits: ArchiveLimits = SMALL) -> Extracted:
    return extract(io.BytesIO(data), folder / "pictures", limits)


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_in_words_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    make, words = HOSTILE[name]
    (tmp_path / "inner").mkdir()
    with pytest.raises(ArchiveRefusedError, match=words) as found:
        unpacked(make(), tmp_path / "inner")
    assert tree(tmp_path) == {"inner"}, "nothing is left, there or above"
    assert isinstance(found.value, UsageError) and found.value.cure.endswith(".")
    assert len(str(found.value)) < 400 and "Traceback" not in str(found.value)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.startswith(("tar", "gzip"))])
def test_no_tar_takes_longer_or_more_memory_to_list_than_a_good_one(name: str, tmp_path: Path) -> None:
    """One of digits took 21 s, in which every other visitor waited; attributes stayed in memory."""
    data = HOSTILE[name][0]()
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(ArchiveRefusedError):
        unpacked(data, tmp_path)
    took, most = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < 2 and most < 8_000_000


@pytest.mark.parametrize("format_", ["pax", "gnu", "ustar", "v7"])
def test_what_tar_itself_packs_is_taken(format_: str, tmp_path: Path) -> None:
    """With times to the nanosecond, long names, names of digits alone and of letters that few have."""
    names = ["a.png", f"{'7' * 60}.png", "b b.png"]
    if format_ in ("pax", "gnu"):
        names += [f"{'long ' * 20}/{'name ' * 20}/{n}.png" for n in range(3)] + [f"é{'ü' * 60}.png"]
    for name in names:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PNG)
    command = ["tar", f"--format={format_}", "-C", str(tmp_path / "in"), "-czf", str(tmp_path / "x"), "."]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("there is no tar of GNU here")
    found = unpacked((tmp_path / "x").read_bytes(), tmp_path)
    assert {one.name for one in found.pictures} == {f"./{name}" for name in names}


@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_what_python_packs_is_taken(format_: int, tmp_path: Path) -> None:
    long = ["some folder/" * 10 + f"{n}.png" for n in range(40)]
    data = tarred(*(tar_file(name, picture(n), mtime=1.7e9 + 0.25) for n, name in enumerate(long)), format_=format_)
    found = unpacked(data, tmp_path)
    assert [one.name for one in found.pictures] == long
    assert (tmp_path / "pictures" / "00007.png").read_bytes() == picture(7)


def test_attributes_that_other_systems_write_are_taken(tmp_path: Path) -> None:
    """Of all members the commit, as git writes it, and of each what a Mac keeps of where it is from."""
    member = tar_file("a.png")[0].tobuf(tarfile.GNU_FORMAT) + PNG.ljust(512, b"\0")
    said = attribute("LIBARCHIVE.xattr.com.apple.metadata", "QUJD" * 300) + attribute("mtime", "1700000000.123456789")
    data = with_body(tarfile.XGLTYPE, attribute("comment", "0123456789abcdef" * 2)) + with_body(tarfile.XHDTYPE, said)
    assert len(unpacked(data + member + bytes(1024), tmp_path).pictures) == 1


def test_long_paths_are_compared_in_little_memory() -> None:
    """Every folder of every path at once would be some 200 MB."""

    def no_bytes() -> Iterator[bytes]:
        raise AssertionError("nothing is unpacked here")

    names = [f"{n:05d}{'x' * 20}/" + f"{'y' * 28}/" * 30 + "a.png" for n in range(1000)]
    members = [Member(name, 1, 1, False, no_bytes) for name in names]
    tracemalloc.start()
    check(members, ArchiveLimits())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 5_000_000


def test_there_are_more_than_thirty_kinds() -> None:
    assert len(HOSTILE) >= 30 and len({make() for make, _ in HOSTILE.values()}) == len(HOSTILE)


def test_an_archive_that_anybody_would_pack_is_unpacked(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("holiday")
        for number in range(3):
            archive.writestr(f"holiday/p{number}.PNG", picture(number))
        archive.writestr("holiday/übersicht 1.jpg", b"no jpeg, which is for the loader to say")
    found = unpacked(out.getvalue(), tmp_path)
    names = ["holiday/p0.PNG", "holiday/p1.PNG", "holiday/p2.PNG", "holiday/übersicht 1.jpg"]
    assert [one.name for one in found.pictures] == names and found.skipped == {}
    assert tree(tmp_path / "pictures") == {"00000.png", "00001.png", "00002.png", "00003.jpg"}
    assert (tmp_path / "pictures" / "00001.png").read_bytes() == picture(1)


def test_what_systems_and_people_leave_beside_pictures_is_passed_over_and_listed(tmp_path: Path) -> None:
    beside = ["__MACOSX/._a.png", ".DS_Store", "x/Thumbs.db", "x/.hidden.png", "desktop.ini", "notes.txt", "paper.docx"]
    found = unpacked(zipped(Entry("a.png"), *map(Entry, beside)), tmp_path)
    assert [one.name for one in found.pictures] == ["a.png"] and list(found.skipped) == beside
    assert "no picture (.txt)" in found.skipped["notes.txt"] and "system" in found.skipped[".DS_Store"]
    assert tree(tmp_path) == {"pictures", "pictures/00000.png"}


@pytest.mark.parametrize("packed", [False, True])
def test_a_tar_is_unpacked_as_a_zip_is(packed: bool, tmp_path: Path) -> None:
    long = "longer/" * 30 + "c.png"
    data = tarred(
        tar_file("./a.png"), tar_file("b/" + "é" * 60 + ".png", picture(3)), tar_file(long), tar_file("t.txt")
    )
    found = unpacked(gzip.compress(data) if packed else data, tmp_path)
    assert [one.name for one in found.pictures][::2] == ["./a.png", long] and list(found.skipped) == ["t.txt"]
    assert tree(tmp_path) == {"pictures", *(f"pictures/0000{n}.png" for n in range(3))}


def test_a_streamed_zip_says_its_sizes_after_the_bytes(tmp_path: Path) -> None:
    """As ``zip -`` writes it: sizes of 0 before the bytes, the true ones behind them."""

    class Pipe(io.RawIOBase):
        data = b""

        def writable(self) -> bool:
            return True

        def write(self, more: bytes) -> int:
            self.data += bytes(more)
            return len(more)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2):
            archive.writestr(f"{number}.png", picture(number))
    assert len(unpacked(pipe.data, tmp_path).pictures) == 2


def test_a_kind_is_known_by_its_bytes_and_not_by_its_name() -> None:
    assert kind_of(zipped(Entry("a.png"))) == "zip" and kind_of(gzip.compress(b"")) == "tar.gz"
    assert kind_of(tarred(tar_file("a.png"))) == "tar" and kind_of(PNG) is None


def test_a_full_disk_is_no_fault_of_the_archive_and_leaves_nothing(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if size and size > 5000:
                raise OSError(28, "No space left on device")
            return super().read(size)

    with pytest.raises(OSError, match="No space left"):
        extract(Full(gzip.compress(tarred(tar_file("a.png")))), tmp_path / "pictures", SMALL)
    assert tree(tmp_path) == set()


BOUNDED = """
import io, pathlib, resource, sys
from tests.workbench.hostile_archives import HOSTILE, SMALL
from workbench.archives.extract import extract
from workbench.archives.members import ArchiveRefusedError

made = {name: make() for name, (make, _) in HOSTILE.items()}
before, most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, 0
folder = pathlib.Path(sys.argv[1])
for name, data in made.items():
    try:
        extract(io.BytesIO(data), folder / "x", SMALL)
    except ArchiveRefusedError:
        continue
    sys.exit(name)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_all_of_them_together_take_little_memory_and_no_more_disk_than_the_limit(tmp_path: Path) -> None:
    """No file of theirs may grow beyond the limit by more than a chunk: the system would end the process."""

    def little_disk() -> None:
        most = SMALL.bytes + SMALL.members * 4096 + 65536
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    done = subprocess.run([sys.executable, "-c", BOUNDED, str(tmp_path)], cwd=ROOT, capture_output=True, text=True,
                          preexec_fn=little_disk)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 40_000, "KB above what was there before"
    assert tree(tmp_path) == set()


@pytest.mark.parametrize("make", [lambda: zipped(Entry("a.png"), Entry("b/c.png", picture(5))),
                                  lambda: tarred(tar_file("a.png"), tar_file("b.png", picture(5))),
                                  lambda: gzip.compress(tarred(tar_file("a.png")), mtime=0)],
                         ids=["zip", "tar", "tar.gz"])  # fmt: skip
def test_bytes_that_were_changed_anywhere_are_refused_in_words_or_harmless(make: object, tmp_path: Path) -> None:
    whole = make()  # type: ignore[operator]
    chance = random.Random(7)
    for number in range(300):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 4))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            unpacked(bytes(data), tmp_path / str(number))
        except ArchiveRefusedError:
            assert not list((tmp_path / str(number)).iterdir())
    assert all(path.suffix in (".png", "") or path.parent.name == "pictures" for path in tmp_path.rglob("*"))
