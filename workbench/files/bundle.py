"""All files of one or several results in a ZIP, each with a JSON document that says what produced them."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.errors import UsageError
from workbench.files.downloads import FILES, as_json, stem
from workbench.files.result import Result

ABOUT = "about.json"
MOST_MB = 150.0
SIZES_OF_PICTURE = 6
"""Of a result's files together, in sizes of the decoded picture, where nothing can be compressed."""

KINDS = ("mask", "coco", "yolo", "yolo_names", "soft", "crop", "cut_out", "picture", "soft_cut_out", "psd")
"""Every file of `FILES`, in the order in which they go in, so that where room ends it is the least needed that lack."""

LEAST = {"crop": 0.25, "cut_out": 0.25, "picture": 0.25, "soft_cut_out": 0.25, "psd": 1.0}
"""Room that has to be left for one of these to be made at all, in sizes of the picture: to make it takes seconds."""

_WHOLE_ALREADY = (".png",)


def bundle(results: Sequence[Result], path: Path, most_mb: float = MOST_MB) -> None:
    """Write a ZIP: of one result its files; of several a folder for each, named after its pipeline.

    ``about.json`` in each folder holds what produced the files, what each holds, its size and its sha256, and why those
    that are not there are not. Equal results give equal bytes. One file at a time is in memory.

    Args:
        results: of one picture or of several.
        path: of the ZIP.
        most_mb: of the files, in 10**6 bytes; those that do not fit are left out, the least needed first.

    Raises:
        UsageError: there are none.
    """
    if not results:
        raise UsageError("There is nothing to download.", "Run a pipeline first.")
    parts = [_Part(folder, result) for result, folder in zip(results, _folders(results), strict=True)]
    with zipfile.ZipFile(path, "w") as archive:
        for kind in KINDS:
            for part in parts:
                part.add(archive, kind, most_mb)
        for part in parts:
            document = about(part.result, part.files, part.without)
            _write(archive, part.folder + ABOUT, as_json(document), part.result)


def room_for(results: Sequence[Result], most_mb: float = MOST_MB) -> int:
    """Bytes that a ZIP of them takes, or more.

    Args:
        results: that go in.
        most_mb: of the ZIP, in 10**6 bytes.
    """
    return int(min(most_mb * 1e6, SIZES_OF_PICTURE * sum(result.image.nbytes for result in results)))


@dataclass
class _Part:
    """The files of one result, as far as they are written."""

    folder: str
    result: Result
    files: list[dict[str, Any]] = field(default_factory=list)
    without: dict[str, str] = field(default_factory=dict)

    def add(self, archive: zipfile.ZipFile, kind: str, most_mb: float) -> None:
        file, left = FILES[kind], most_mb * 1e6 - sum(entry.compress_size for entry in archive.infolist())
        tried = left >= LEAST.get(kind, 0) * self.result.image.nbytes
        data = file.make(self.result) if tried else None
        if data is not None and len(data) <= left:
            _write(archive, self.folder + file.name, data, self.result)
            digest = hashlib.sha256(data).hexdigest()
            self.files.append({"name": file.name, "holds": file.holds, "bytes": len(data), "sha256": digest})
        elif tried and data is None:
            self.without[file.name] = file.without
        else:
            self.without[file.name] = f"With it the ZIP would be larger than {most_mb:g} MB. Save it by itself."


def about(result: Result, files: Sequence[dict[str, Any]], without: dict[str, str]) -> dict[str, Any]:
    """What ``about.json`` says.

    Args:
        result: what was found.
        files: name, what it holds, size and hash of each.
        without: name of a file that is not there → why.
    """
    height, width = result.prediction.size
    picture = {"name": stem(result.name), "width": width, "height": height, "sha256_of_pixels": result.image_sha256}
    found = [{"name": result.category_of(one), "category": number, "score": one.score, "pixels": int(mask.sum())}
             for one, mask, number in result.found]  # fmt: skip
    return {"picture": picture, "produced": result.produced.to_json(), "categories": result.categories,
            "found": found, "files": list(files), "without": without}  # fmt: skip


def _folders(results: Sequence[Result]) -> list[str]:
    if len(results) == 1:
        return [""]
    names: list[str] = []
    for result in results:
        base = name = stem(f"{result.produced.pipeline}-{result.produced.preset}")
        while name in names:
            name = f"{base}-{1 + sum(one.startswith(base) for one in names)}"
        names.append(name)
    return [f"{name}/" for name in names]


def _write(archive: zipfile.ZipFile, name: str, data: bytes, result: Result) -> None:
    moment = datetime.fromisoformat(result.produced.created).timetuple()
    when = (moment[0], moment[1], moment[2], moment[3], moment[4], moment[5])
    entry = zipfile.ZipInfo(name, when)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(_WHOLE_ALREADY) else zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)
