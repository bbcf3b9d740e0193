"""All files of one or several results in a ZIP, each with a JSON document that says what produced them."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

from pipelines.errors import UsageError
from workbench.downloads import FILES, as_json, stem
from workbench.result import Result

ABOUT = "about.json"
_WHOLE_ALREADY = (".png",)


def bundle(results: Sequence[Result]) -> bytes:
    """A ZIP: of one result its files; of several a folder for each, named after its pipeline.

    ``about.json`` in each folder holds what produced the files, what each holds, its size and its sha256, and why those
    that are not there are not. Equal results give equal bytes.

    Args:
        results: of one picture or of several.

    Raises:
        UsageError: there are none.
    """
    if not results:
        raise UsageError("There is nothing to download.", "Run a pipeline first.")
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for result, folder in zip(results, _folders(results), strict=True):
            _add(archive, folder, result)
    return out.getvalue()


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


def _add(archive: zipfile.ZipFile, folder: str, result: Result) -> None:
    moment = datetime.fromisoformat(result.produced.created).timetuple()[:6]
    files, without = [], {}
    for file in FILES.values():
        data = file.make(result)
        if data is None:
            without[file.name] = file.without
            continue
        _write(archive, folder + file.name, data, moment)
        digest = hashlib.sha256(data).hexdigest()
        files.append({"name": file.name, "holds": file.holds, "bytes": len(data), "sha256": digest})
    _write(archive, folder + ABOUT, as_json(about(result, files, without)), moment)


def _write(archive: zipfile.ZipFile, name: str, data: bytes, moment: tuple[int, ...]) -> None:
    entry = zipfile.ZipInfo(name, (moment[0], moment[1], moment[2], moment[3], moment[4], moment[5]))
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(_WHOLE_ALREADY) else zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)
