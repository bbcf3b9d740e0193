"""What a visitor gave: files of the folder of uploads and no others, masks, base64."""

from __future__ import annotations

import base64
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.errors import ImageDamagedError, ImageError, ImageFormatError, ImageLimitError, ParameterError
from workbench.given.uploads import from_base64, open_mask, open_upload

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
SECRET = np.full((3, 3, 3), 77, np.uint8)


def png(pixels: np.ndarray) -> bytes:
    if pixels.ndim == 3:
        pixels = np.ascontiguousarray(pixels[..., ::-1])
    return cv2.imencode(".png", pixels)[1].tobytes()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of uploads with one picture, and a secret picture beside it."""
    folder = tmp_path / "uploads"
    (folder / "ab12").mkdir(parents=True)
    (folder / "ab12" / "a.png").write_bytes(png(PIXELS))
    (folder / "ab12" / "été 日.png").write_bytes(png(PIXELS))
    (tmp_path / "secret.png").write_bytes(png(SECRET))
    (tmp_path / "uploads2").mkdir()
    (tmp_path / "uploads2" / "s.png").write_bytes(png(SECRET))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "out").symlink_to(tmp_path)
    (folder / "inner.png").symlink_to(folder / "ab12" / "a.png")
    (folder / "inner").symlink_to(folder / "ab12")
    (folder / "loop.png").symlink_to("loop.png")
    os.mkfifo(folder / "pipe.png")
    return folder


def test_uploads_are_opened_as_the_app_names_them(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (str(home / "ab12" / "a.png"), home / "ab12" / "a.png", "ab12/a.png", home / "ab12" / "été 日.png")
    for name in names:
        assert np.array_equal(open_upload(name, home), PIXELS)
    (tmp_path / "temporary").symlink_to(home)  # as the folder of temporary files is on some systems
    assert np.array_equal(open_upload(tmp_path / "temporary/ab12/a.png", tmp_path / "temporary"), PIXELS)
    assert np.array_equal(open_upload(home / "ab12" / "a.png", tmp_path / "temporary"), PIXELS)
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(open_upload(home / "ab12" / "a.png", Path("uploads")), PIXELS)


TRICKS = {
    "absolute": "{root}/secret.png",
    "system": "/etc/passwd",
    "process": "/proc/self/environ",
    "own files by number": "/proc/self/fd/0",
    "device": "/dev/zero",
    "up": "../secret.png",
    "up within": "{home}/../secret.png",
    "up and back": "{home}/ab12/../ab12/a.png",
    "up after name": "ab12/../../secret.png",
    "up at the end": "ab12/..",
    "neighbour with the same start": "{root}/uploads2/s.png",
    "link": "link.png",
    "link, absolute": "{home}/link.png",
    "link to a folder": "out/secret.png",
    "link that stays inside": "inner.png",
    "folder link that stays inside": "inner/a.png",
    "link to itself": "loop.png",
    "data": "data:image/png;base64,iVBORw0KGgo=",
    "file": "file://{root}/secret.png",
    "file, one slash": "file:{root}/secret.png",
    "http": "http://127.0.0.1/a.png",
    "drive": "C:\\secret.png",
    "drive, slashes": "C:/secret.png",
    "UNC": "\\\\server\\share\\a.png",
    "UNC, slashes": "//server/share/a.png",
    "double slash": "/{root}/secret.png",
    "backslashes": "ab12\\..\\..\\secret.png",
    "NUL": "ab12/a.png\0.txt",
    "NUL before": "\0{root}/secret.png",
    "new line": "ab12/a.png\n",
    "escape": "ab12/a\x1b.png",
    "surrogate": "ab12/\udcff.png",
    "long": "a" * 300 + ".png",
    "endless": "a/" * 5000 + "a.png",
    "percent": "%2e%2e/secret.png",
    "percent twice": "%252e%252e/secret.png",
    "full width": "．．/secret.png",
    "slash of another script": "..∕secret.png",
    "case": "AB12/A.PNG",
    "case of the folder": "{upper}/ab12/a.png",
    "home": "~/secret.png",
    "home of root": "~root/a.png",
    "pipe": "pipe.png",
    "folder": "ab12",
    "the folder itself": "{home}",
    "point": ".",
    "point slash": "./ab12/a.png",
    "trailing slash": "ab12/a.png/",
    "below a file": "ab12/a.png/b.png",
    "nothing": "",
    "blank": " ",
    "not there": "ab12/b.png",
}


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_every_other_path_is_refused_in_the_same_words(trick: str, home: Path) -> None:
    upper = str(home.parent / "UPLOADS")
    path = trick.replace("{root}", str(home.parent)).replace("{home}", str(home)).replace("{upper}", upper)
    for opened in (open_upload, lambda path, home: open_mask(path, home, (4, 6))):
        with pytest.raises(ImageFormatError) as refused:
            opened(path, home)
        assert (
            str(refused.value) == "There is no such picture among those that were uploaded. Upload the picture again."
        )


@pytest.mark.parametrize("exchange", ["link", "pipe", "folder"])
def test_what_is_exchanged_after_the_check_is_not_opened(
    exchange: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import workbench.given.uploads as uploads

    check = uploads.inside

    def check_and_exchange(root: Path, name: str, *, guess: bool) -> Path:
        found = check(root, name, guess=guess)
        (home / "ab12" / "a.png").unlink()
        made = {"link": lambda: (home / "ab12" / "a.png").symlink_to(home.parent / "secret.png"),
                "pipe": lambda: os.mkfifo(home / "ab12" / "a.png"), "folder": (home / "ab12" / "a.png").mkdir}  # fmt: skip
        made[exchange]()
        return found

    monkeypatch.setattr(uploads, "inside", check_and_exchange)
    with pytest.raises(ImageFormatError, match="no such picture"):
        open_upload(home / "ab12" / "a.png", home)


def test_no_file_stays_open(home: Path) -> None:
    open_upload("ab12/a.png", home)  # a process that decodes is kept
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("ab12/a.png", "link.png", "pipe.png", "ab12/a.png/b", "../secret.png", "out/secret.png"):
        try:
            open_upload(name, home)
        except ImageError:
            continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("data", "error"), [
    (bomb(13_370, 13_370), ImageLimitError),
    (bomb(8193, 1), ImageLimitError),
    (b"GIF89a" + bytes(50), ImageFormatError),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", ImageFormatError),
    (b"%PDF-1.7", ImageFormatError),
    (b"hello", ImageFormatError),
    (b"", ImageDamagedError),
    (png(PIXELS)[:-20], ImageDamagedError),
])  # fmt: skip
def test_the_limits_of_uploads_hold(data: bytes, error: type[Exception], home: Path) -> None:
    (home / "x.png").write_bytes(data)
    with pytest.raises(error):
        open_upload("x.png", home)
    with pytest.raises(error):
        from_base64(base64.b64encode(data).decode())


def test_a_file_of_too_many_bytes_is_refused(home: Path) -> None:
    with (home / "x.png").open("wb") as file:
        file.write(png(PIXELS))
        file.truncate(20 * 2**20 + 1)
    with pytest.raises(ImageLimitError, match="20 MiB"):
        open_upload("x.png", home)


def test_a_mask_is_foreground_and_what_to_ignore(home: Path) -> None:
    ids = np.zeros((4, 6), np.uint8)
    ids[1, 1], ids[2, 2], ids[3, 3] = 1, 7, 255
    (home / "m.png").write_bytes(png(ids))
    truth = open_mask("m.png", home, (4, 6))
    assert np.array_equal(truth.union(), (ids == 1) | (ids == 7))
    assert truth.ignore is not None
    assert np.array_equal(truth.ignore, ids == 255)
    (home / "m.png").write_bytes(png(np.where(ids > 0, 255, 0).astype(np.uint8)))
    truth = open_mask("m.png", home, (4, 6))
    assert truth.ignore is None
    assert np.array_equal(truth.union(), ids > 0)


def test_a_mask_of_another_size_is_refused_and_not_scaled(home: Path) -> None:
    (home / "m.png").write_bytes(png(np.zeros((6, 4), np.uint8)))
    with pytest.raises(ImageFormatError, match="The mask is 4 x 6 pixels, and the picture 6 x 4"):
        open_mask("m.png", home, (4, 6))


def test_a_soft_mask_needs_a_cut_and_is_told_so_without_a_dataset(home: Path) -> None:
    soft = cv2.GaussianBlur(np.pad(np.full((20, 20), 255, np.uint8), 20), (0, 0), 4)
    (home / "m.png").write_bytes(png(soft))
    (home / "m.jpg").write_bytes(cv2.imencode(".jpg", soft)[1].tobytes())
    for name in ("m.png", "m.jpg"):
        with pytest.raises(ImageFormatError, match="at which grey to cut") as refused:
            open_mask(name, home, (60, 60))
        assert "dataset" not in str(refused.value)
        assert open_mask(name, home, (60, 60), 128).union().sum() > 300
    with pytest.raises(ParameterError):
        open_mask("m.png", home, (60, 60), 0)


def test_base64_with_and_without_a_head() -> None:
    text = base64.b64encode(png(PIXELS)).decode()
    broken = "\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    for given in (text, f"data:image/png;base64,{text}", f"DATA:image/PNG;base64,{text}", f" {broken}\r\n"):
        assert np.array_equal(from_base64(given), PIXELS)


@pytest.mark.parametrize("text", [
    "hello!", "aGVsbG8", "été", "data:text/html;base64,PGI+", "data:image/png,abc", "file:///etc/passwd", "/etc/passwd",
    "data:image/png;base64;x,AAAA", "\0",
])  # fmt: skip
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(ImageError):
        from_base64(text)


@pytest.mark.parametrize("text", ["hello!!!", "iVBORw0KGgo=!", "aGVsbG8", "été"])
def test_signs_that_are_not_of_base64_are_not_passed_over(text: str) -> None:
    with pytest.raises(ImageDamagedError, match="not base64"):
        from_base64(text)


def test_too_long_a_text_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ImageLimitError, match="characters"):
        from_base64("A" * (30 * 2**20))
