"""Paths by which somebody might read a file that is not theirs: every way in, and every way out."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import ROOT
from tests.workbench.hostile.calls import Caller, Reply, file_data
from tests.workbench.hostile.pictures import saved
from tests.workbench.hostile.served import Served

SECRET = saved("PNG")[:60]
TRICKS = {
    "absolute": "{root}/secret.png",
    "system": "/etc/passwd",
    "environment": "/proc/self/environ",
    "memory map": "/proc/self/maps",
    "open file": "/proc/self/fd/1",
    "device": "/dev/zero",
    "own source": "{source}/workbench/app.py",
    "own log": "{root}/log.txt",
    "up": "{temp}/../secret.png",
    "up and down": "{temp}/a/../../secret.png",
    "relative": "../secret.png",
    "link": "{temp}/link.png",
    "folder by link": "{temp}/out/secret.png",
    "data": "data:image/png;base64,iVBORw0KGgo=",
    "file": "file://{root}/secret.png",
    "one slash": "file:{root}/secret.png",
    "UNC": "\\\\server\\share\\a.png",
    "drive": "C:\\secret.png",
    "NUL": "{temp}/a.png\0.txt",
    "endless": "{temp}/" + "a/" * 3000 + "a.png",
    "long": "{temp}/" + "a" * 5000,
    "percent": "{temp}/%2e%2e/secret.png",
    "full width": "{temp}/．．/secret.png",
    "case": "{temp}/LINK.PNG",
    "folder": "{temp}",
    "served address": "/gradio_api/file={root}/secret.png",
    "home": "~/.bashrc",
    "new line": "{temp}/a.png\n/etc/passwd",
    "neighbour": "{temp}2/secret.png",
}


@pytest.fixture(scope="module")
def home(server: Served) -> Path:
    """The folder of uploads, with links in it that lead out, and secrets around it."""
    temp = server.folder / "temp"
    (server.folder / "secret.png").write_bytes(saved("PNG"))
    (server.folder / "temp2").mkdir()
    (server.folder / "temp2" / "secret.png").write_bytes(saved("PNG"))
    (temp / "link.png").symlink_to(server.folder / "secret.png")
    (temp / "out").symlink_to(server.folder)
    return temp


def written(trick: str, home: Path) -> str:
    return trick.replace("{root}", str(home.parent)).replace("{temp}", str(home)).replace("{source}", str(ROOT))


def is_refused(reply: Reply) -> bool:
    """In words, and with nothing of a file in them."""
    told = any(secret in reply.text for secret in ("root:x:0", "import annotations", "PATH="))
    return not reply.ok and reply.is_plain and not told


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_no_way_in(trick: str, home: Path, caller: Caller) -> None:
    path = written(trick, home)
    assert is_refused(caller.received(file_data(path))), path
    assert is_refused(caller.segment(file_data(path))), path
    assert is_refused(caller.segment({"path": path})), path
    assert is_refused(caller.segment(path)), path
    many = caller.call("segment_many", [file_data(path)], "acting", "default", None, None)
    assert not many.ok or many.data[0][0]["status"] == "failed", path


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_no_way_out(trick: str, home: Path, caller: Caller) -> None:
    path = written(trick, home)
    for form in (quote(path, safe="/"), quote(quote(path, safe=""))):
        for route in ("gradio_api/file=", "gradio_api/file/", "static/", "assets/"):
            answer = caller.http.get(f"{caller.url}{route}{form}", follow_redirects=False)
            assert answer.status_code in (400, 403, 404), (route, form, answer.status_code)
            assert b"root:x:0" not in answer.content and SECRET[8:] not in answer.content


FORGED = {
    "url": {"url": "file:///etc/passwd"},
    "url of the app": {"url": "http://127.0.0.1:7860/gradio_api/file=/etc/passwd"},
    "name": {"orig_name": "../../../../etc/cron.d/x"},
    "size": {"size": -1},
    "size of words": {"size": "many"},
    "stream": {"is_stream": True},
    "mime": {"mime_type": "text/html"},
    "meta": {"meta": {"_type": "gradio.FileData", "path": "/etc/passwd"}},
    "more": {"data": "x", "__class__": "x"},
}


@pytest.mark.parametrize("more", FORGED.values(), ids=FORGED)
def test_what_stands_beside_a_path_leads_nowhere(more: dict[str, object], home: Path, caller: Caller) -> None:
    bad, good = {"meta": {"_type": "gradio.FileData"}, "path": "/etc/passwd", **more}, caller.upload(saved("PNG"))
    assert is_refused(caller.segment(bad)), str(more)
    assert is_refused(caller.received(bad)), str(more)
    fine = caller.segment({"meta": {"_type": "gradio.FileData"}, "path": good, **more})
    assert fine.ok or fine.is_plain, fine.error
    assert "root:x:0" not in fine.text


def test_names_of_uploads_are_made_harmless(home: Path, caller: Caller) -> None:
    for name in ("../../evil.png", "/etc/cron.d/x", "a/../../b.png", "..", ".", "C:\\x.png", "con\0.png", "<b>.png",
                 "a" * 300 + ".png", "\u202egnp.exe", "a;rm -rf.png", "%2e%2e%2fx.png", "~root.png"):  # fmt: skip
        answer = caller.post("gradio_api/upload", files={"files": (name, saved("PNG"))})
        assert answer.status_code in (200, 400), (name, answer.text)
        if answer.status_code == 200:
            path = Path(answer.json()[0])
            assert path.resolve().is_relative_to(home) and path.is_file() and "<" not in path.name
    assert not [path for path in home.parent.iterdir() if path.name.startswith(("evil", "b.png"))]


def test_a_truth_is_an_upload_like_any_other(home: Path, caller: Caller) -> None:
    events = {one["id"]: one for one in caller.config()["dependencies"]}
    values = defaults(caller, events[caller.number("compare")]["inputs"])
    picture = file_data(caller.upload(saved("PNG")))
    for path in ("/etc/passwd", f"{home}/link.png", str(home.parent / "secret.png")):
        assert is_refused(caller.event(caller.number("compare"), [picture, "", "", file_data(path), 0, *values[5:]])), (
            path
        )


def defaults(caller: Caller, inputs: list[int]) -> list[object]:
    """The value that each component of an event has at first."""
    known = {one["id"]: one["props"].get("value") for one in caller.config()["components"]}
    return [known[number] for number in inputs]


def test_the_page_tells_nothing_of_this_machine(caller: Caller) -> None:
    text = json.dumps(caller.config()) + caller.http.get(caller.url).text
    for secret in (str(ROOT), str(Path.home()) + "/", "site-packages", "GRADIO_"):
        assert secret not in text, secret
