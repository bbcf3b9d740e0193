"""Archives that nobody should unpack, each with the words by which it is refused; made here, byte by byte where need be."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np

from workbench.archives.members import ArchiveLimits

SMALL = ArchiveLimits(members=200, bytes=20_000_000, pictures=50)
"""Limits of the tests, so that what breaks them is quickly made."""


def picture(level: int = 90, side: int = 12) -> bytes:
    image = np.full((side, side, 3), level, np.uint8)
    image[:, : side // 2] = 200
    return cv2.imencode(".png", image)[1].tobytes()


PNG = picture()


@dataclass(frozen=True)
class Entry:
    """A member of a ZIP, in which each number may be a lie."""

    name: str | bytes
    data: bytes = PNG
    method: int = 8
    flags: int = 0
    mode: int = stat.S_IFREG | 0o644
    size: int | None = None
    packed: int | None = None
    crc: int | None = None
    local_name: bytes | None = None
    local_size: int | None = None
    local_method: int | None = None
    offset: int | None = None
    extra: bytes = b""
    raw: bytes | None = None

    @property
    def name_bytes(self) -> bytes:
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    @property
    def body(self) -> bytes:
        return self.raw if self.raw is not None else deflated(self.data) if self.method == 8 else self.data

    @property
    def numbers(self) -> tuple[int, int, int]:
        crc = zlib.crc32(self.data) if self.crc is None else self.crc
        packed = len(self.body) if self.packed is None else self.packed
        return crc, packed, len(self.data) if self.size is None else self.size

    def local(self) -> bytes:
        crc, packed, size = self.numbers
        size = size if self.local_size is None else self.local_size
        name = self.name_bytes if self.local_name is None else self.local_name
        method = self.method if self.local_method is None else self.local_method
        head = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, self.flags | 0x800, method, 0, 33, crc, packed, size,
                           len(name), 0)  # fmt: skip
        return head + name + self.body

    def listed(self, at: int) -> bytes:
        crc, packed, size = self.numbers
        at = at if self.offset is None else self.offset
        head = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 0x0314, 20, self.flags | 0x800, self.method, 0, 33, crc,
                           packed, size, len(self.name_bytes), len(self.extra), 0, 0, 0, self.mode << 16, at)  # fmt: skip
        return head + self.name_bytes + self.extra


def deflated(data: bytes) -> bytes:
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    return pack.compress(data) + pack.flush()


def zipped(*entries: Entry, number: int | None = None, start: int | None = None, comment: bytes = b"",
           before_end: bytes = b"", disk: int = 0) -> bytes:  # fmt: skip
    out, places = b"", []
    for entry in entries:
        places.append(len(out))
        out += entry.local()
    listed = b"".join(entry.listed(at) for entry, at in zip(entries, places, strict=True))
    count = len(entries) if number is None else number
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", disk, disk, count, count, len(listed),
                      len(out) if start is None else start, len(comment))  # fmt: skip
    return out + listed + before_end + end + comment


def named(name: str | bytes) -> bytes:
    return zipped(Entry("good.png"), Entry(name))


def quine_like() -> bytes:
    """Every member of the list is one and the same run of bytes: Fifield's bomb without its refinements."""
    kernel = Entry("0.png", b"\0" * 900_000)
    first = kernel.local()
    listed = b"".join(replace(kernel, name=f"{n}.png").listed(0) for n in range(50))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 50, 50, len(listed), len(first), 0)
    return first + listed + end


def quoting() -> bytes:
    """A member whose bytes hold the next one's header, so that both are read from the same bytes."""
    inner = Entry("b.png", PNG, 0)
    outer = Entry("a.png", inner.local(), 0)
    second = replace(inner, offset=len(outer.local()) - len(inner.local()))
    body = outer.local()
    listed = outer.listed(0) + second.listed(0)
    return body + listed + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, len(listed), len(body), 0)


def zip64_end() -> bytes:
    plain = zipped(Entry("a.png"))
    end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 60, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(plain), 1)
    return plain[:-22] + end + locator + plain[-22:]


def standard_zip(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "."), data)
    return out.getvalue()


def tarred(*members: tuple[tarfile.TarInfo, bytes], format_: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tar_file(name: str, data: bytes = PNG, **said: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in said.items():
        setattr(info, key, value)
    return info, data


def tar_odd(kind: bytes) -> bytes:
    return tarred(tar_file("good.png"), tar_file("odd.png", b"", type=kind, linkname="/etc/passwd"))


def long_name_bomb() -> bytes:
    """A header of a long name that says it has 8 GB, which would be read at once."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 8 * 2**30
    return info.tobuf(tarfile.GNU_FORMAT) + b"a" * 4096


def negative_size() -> bytes:
    """A size below zero, in the binary form: tarfile of old went back, and read the same header for ever."""
    head = bytearray(tar_file("a.png")[0].tobuf(tarfile.GNU_FORMAT))
    head[124:136] = b"\xff" * 10 + b"\xfe\x00"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + PNG.ljust(1024, b"\0") + bytes(1024)


def torn_tar() -> bytes:
    whole = bytearray(tarred(tar_file("a.png"), tar_file("b.png", PNG)))
    second = 512 + 512 * -(-len(PNG) // 512)
    whole[second + 148 : second + 156] = b"0000000\0"
    return bytes(whole)


def nested_names() -> bytes:
    """Thousands of headers of long names, one inside the other, which are read by recursion."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 5
    return (info.tobuf(tarfile.GNU_FORMAT) + b"aaaa\0".ljust(512, b"\0")) * 5000


def with_body(kind: bytes, body: bytes) -> bytes:
    """A header of attributes or of a long name with what it says, as it stands before a member."""
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = kind, len(body)
    return info.tobuf(tarfile.GNU_FORMAT) + body.ljust(-(-len(body) // 512) * 512, b"\0")


def attribute(key: str, value: str) -> bytes:
    """As the standard writes it: its own length first, which counts itself."""
    rest = f" {key}={value}\n".encode()
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length += 1
    return str(length).encode() + rest


def digits(number: int) -> bytes:
    """In which Python 3.11.7 looks for a number before a word, from each digit anew, while every thread waits."""
    return gzip.compress(with_body(tarfile.XHDTYPE, b"7" * number) + tarred(tar_file("a.png")))


def attributes(size: int, number: int, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """Members whose attributes would all be kept in memory."""
    each = with_body(kind, attribute("comment", "a" * size))
    members = (tar_file(f"{n}.png")[0].tobuf(tarfile.GNU_FORMAT) + PNG.ljust(512, b"\0") for n in range(number))
    return b"".join(each + member for member in members) + bytes(1024)


def attributes_that_overlap() -> bytes:
    """Attributes whose lengths are less than they are: each is read again as the start of the next key."""
    return with_body(tarfile.XHDTYPE, b"2 " * 4000 + b"a=\n") + tarred(tar_file("a.png"))


def sparse_for_ever() -> bytes:
    """A table of a sparse file that goes on to the end of the archive."""
    said = attribute("GNU.sparse.major", "1") + attribute("GNU.sparse.minor", "0")
    return with_body(tarfile.XHDTYPE, said) + tarred(tar_file("a.png", b"99999999\n" + b"1" * 9_000_000))


def sparse_of_old() -> bytes:
    """The same in the form of old: block after block of the table says that there is another."""
    info = tarfile.TarInfo("odd.png")
    info.type = tarfile.GNUTYPE_SPARSE
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[482] = 1
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + (b"1" * 504 + b"\1" + bytes(7)) * 30_000


HOSTILE: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "parent": (lambda: named("../../evil.png"), r"'\.\./\.\./evil\.png' has \.\. in its name, which leads out"),
    "parent inside": (lambda: named("a/../../evil.png"), r"leads out of its folder"),
    "absolute": (lambda: named("/etc/evil.png"), "'/etc/evil.png' has an absolute name"),
    "home": (lambda: named("~/evil.png"), "has an absolute name"),
    "drive": (lambda: named("C:/evil.png"), "'C:/evil.png' names a drive"),
    "drive without slash": (lambda: named("C:evil.png"), "names a drive"),
    "share": (lambda: named("\\\\host\\share\\evil.png"), "has an absolute name"),
    "backslash parent": (lambda: named("a\\..\\..\\evil.png"), r"has \.\. in its name, which leads out"),
    "address": (lambda: named("file:///etc/passwd.png"), "names a drive or is an address"),
    "NUL": (lambda: named("evil.png\0.txt"), r"'evil\.png\\x00\.txt' has control characters"),
    "line break": (lambda: named("evil\n.png"), "has control characters"),
    "no name": (lambda: named(""), "has no name"),
    "very long name": (lambda: named("a" * 300 + ".png"), "has a very long name"),
    "very long path": (lambda: named("ab/" * 400 + "c.png"), "has a very long name"),
    "many folders": (lambda: named("a/" * 32 + "c.png"), "lies in too many folders"),
    "link": (lambda: zipped(Entry("l.png", b"/etc/passwd", mode=stat.S_IFLNK | 0o777)), "'l.png' is a link"),
    "device": (lambda: zipped(Entry("d.png", mode=stat.S_IFCHR | 0o666)), "'d.png' is a device or a pipe"),
    "pipe": (lambda: zipped(Entry("p.png", mode=stat.S_IFIFO | 0o666)), "'p.png' is a device or a pipe"),
    "duplicate": (lambda: zipped(Entry("a.png"), Entry("a.png")), "'a.png' has the name of 'a.png'"),
    "other case": (lambda: zipped(Entry("A.png"), Entry("a.PNG")), "'a.PNG' has the name of 'A.png'"),
    "other unicode": (lambda: zipped(Entry("\u00e9.png"), Entry("e\u0301.png")), "has the name of"),
    "other dots": (lambda: zipped(Entry("a.png"), Entry("a.png..")), "has the name of"),
    "file and folder": (lambda: zipped(Entry("a.png"), Entry("a.png/b.png")), "is a file and a folder at once"),
    "too many members": (lambda: zipped(*(Entry(f"{n}.png") for n in range(201))), "more than 200 members"),
    "too many said": (lambda: zipped(Entry("a.png"), number=60_000), "more than 200 members"),
    "too many pictures": (lambda: zipped(*(Entry(f"{n}.png") for n in range(51))), "holds 51 pictures; at most 50"),
    "bomb": (lambda: zipped(Entry("b.png", b"\0" * 5_000_000)), "'b.png' is more than 100 times as large"),
    "bomb of many": (lambda: zipped(*(Entry(f"{n}.png", b"\0" * 900_000) for n in range(20))), "more than 100 times"),
    "too large": (lambda: zipped(*(Entry(f"{n}.bmp", bytes(11_000_000), 0) for n in range(2))), "more than 20 MB"),
    "zip in zip": (lambda: zipped(Entry("a.png"), Entry("more.zip", standard_zip(a__png=PNG))), "'more.zip' is an arch"),
    "tar in zip": (lambda: zipped(Entry("more.tar.gz")), "is an archive in an archive"),
    "zip named png": (lambda: zipped(Entry("a.png", standard_zip(a__png=PNG))), "under the name of a picture"),
    "tar named png": (lambda: zipped(Entry("a.png", tarred(tar_file("b.png")))), "under the name of a picture"),
    "encrypted": (lambda: zipped(Entry("a.png", flags=1)), "'a.png' is encrypted"),
    "encrypted names": (lambda: zipped(Entry("a.png", flags=0x2000)), "is encrypted"),
    "odd method": (lambda: zipped(Entry("a.png", method=99)), r"not read here \(number 99\)"),
    "larger than said": (lambda: zipped(Entry("a.png", b"\0" * 3_000_000, size=500)), "'a.png' is larger than the arch"),
    "checksum of a part": (lambda: zipped(Entry("a.png", PNG + b"\0" * 9000, size=len(PNG), crc=zlib.crc32(PNG))),
                           "is larger than the archive says"),
    "smaller than said": (lambda: zipped(Entry("a.png", size=900)), "is smaller than the archive says"),
    "stored size lies": (lambda: zipped(Entry("a.png", method=0, size=9)), "lies about its size"),
    "two sizes": (lambda: zipped(Entry("a.png", local_size=7)), "lies about its size"),
    "two names": (lambda: zipped(Entry("a.png", local_name=b"../b.png")), "has another name than the list says"),
    "two methods": (lambda: zipped(Entry("a.png", local_method=0)), "is packed otherwise than the list says"),
    "hidden tail": (lambda: zipped(Entry("a.png", raw=deflated(PNG) + b"hidden")), "lies about its size"),
    "wrong checksum": (lambda: zipped(Entry("a.png", crc=1)), "its checksum is another"),
    "damaged bytes": (lambda: zipped(Entry("a.png", raw=b"\xff" * 60)), "is damaged and cannot be unpacked"),
    "overlapping": (quine_like, "another name than the list says"),
    "quoting": (quoting, "shares bytes with another member"),
    "into the list": (lambda: zipped(Entry("a.png", packed=len(deflated(PNG)) + 30)), "shares bytes with"),
    "beyond the end": (lambda: zipped(Entry("a.png", offset=999_999)), "is not where the list says"),
    "list elsewhere": (lambda: zipped(Entry("a.png"), start=3), "the list of its members is not where it says"),
    "list cut": (lambda: zipped(Entry("a.png"), number=2), "says that it has 2 members, and lists 1"),
    "list of rubbish": (lambda: zipped(Entry("a.png")).replace(b"PK\x01\x02", b"PK\x09\x09"), "cannot be read"),
    "cut off": (lambda: zipped(Entry("a.png"))[:-9], "it has no end"),
    "bytes after the end": (lambda: zipped(Entry("a.png")) + b"more", "not where it says"),
    "two ends": (lambda: zipped(Entry("a.png"), comment=b"PK\x05\x06" + bytes(18)), "cannot be read|not where it says"),
    "zip64": (zip64_end, "it is a ZIP64"),
    "zip64 sizes": (lambda: zipped(Entry("a.png", size=0xFFFFFFFF, local_size=0xFFFFFFFF,
                                         extra=struct.pack("<2HQ", 1, 8, 1 << 60))), "more than 100 times|more than 20"),
    "part of several": (lambda: zipped(Entry("a.png"), disk=1), "a part of several"),
    "folder with bytes": (lambda: zipped(Entry("a/", PNG)), "is a folder with bytes in it"),
    "no pictures": (lambda: zipped(Entry("readme.txt")), "no picture in the archive"),
    "empty": (lambda: zipped(), "no picture in the archive"),
    "no archive": (lambda: b"GIF89a and so on", "neither a ZIP nor a TAR"),
    "tar parent": (lambda: tarred(tar_file("../evil.png")), r"has \.\. in its name, which leads out"),
    "tar absolute": (lambda: tarred(tar_file("/etc/evil.png")), "has an absolute name"),
    "tar link": (lambda: tar_odd(tarfile.SYMTYPE), "'odd.png' is a link"),
    "tar hard link": (lambda: tar_odd(tarfile.LNKTYPE), "'odd.png' is a link"),
    "tar device": (lambda: tar_odd(tarfile.BLKTYPE), "'odd.png' is a device or a pipe"),
    "tar pipe": (lambda: tar_odd(tarfile.FIFOTYPE), "'odd.png' is a device or a pipe"),
    "tar sparse": (lambda: tar_odd(tarfile.GNUTYPE_SPARSE), "is a kind of file that is not read here"),
    "tar duplicate": (lambda: tarred(tar_file("a.png"), tar_file("A.png")), "has the name of"),
    "tar cut off": (lambda: tarred(tar_file("a.png", PNG * 90))[:900], "lies about its size|damaged"),
    "tar torn": (torn_tar, "damaged after its last member"),
    "tar long name": (long_name_bomb, "damaged, or no TAR"),
    "tar names in names": (nested_names, "damaged, or no TAR|no picture|cannot"),
    "tar digits": (lambda: digits(80_000), "damaged, or no TAR"),
    "tar digits in small": (lambda: digits(400), "damaged, or no TAR"),
    "tar attributes": (lambda: attributes(900_000, 8), "damaged, or no TAR"),
    "tar attributes of many": (lambda: attributes(7000, 199) * 3, "damaged, or no TAR|more than 200|after its last"),
    "tar attributes of all": (lambda: attributes(400, 9, tarfile.XGLTYPE), "damaged, or no TAR"),
    "tar attributes in attributes": (attributes_that_overlap, "damaged, or no TAR"),
    "tar attributes in a row": (lambda: attributes(20, 1)[:1024] * 9 + attributes(20, 1), "damaged, or no TAR"),
    "tar sparse for ever": (sparse_for_ever, "damaged, or no TAR"),
    "tar sparse of old": (sparse_of_old, "'odd.png' is a kind of file that is not read here"),
    "tar negative size": (negative_size, "lies about its size|damaged|more than 200"),
    "gzip bomb": (lambda: gzip.compress(bytes(15_000_000)), "more than 100 times"),
    "gzip of text": (lambda: gzip.compress(b"hello" * 300), "damaged, or no TAR"),
    "gzip cut off": (lambda: gzip.compress(tarred(tar_file("a.png")))[:-20], "damaged and cannot be unpacked"),
}  # fmt: skip
"""Name → its bytes, and a pattern of the words in which it is refused."""
