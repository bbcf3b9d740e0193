"""Addresses that lead inside: refused in words by the served app, in every place that takes one, and nobody is called."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Thread

import pytest

from tests.workbench.hostile.calls import Caller, file_data
from tests.workbench.hostile.served import SECOND, Served
from tests.workbench.web_server import HOST, OTHER, PUBLIC

NUMBERS = {
    "loopback": "https://127.0.0.1/a.png", "decimal": "https://2130706433/a.png",
    "octal": "https://0177.0.0.1/a.png", "hex": "https://0x7f000001/a.png", "short": "https://127.1/a.png",
    "zero": "https://0.0.0.0/a.png", "nought": "https://0/a.png", "IPv6": "https://[::1]/a.png",
    "mapped": "https://[::ffff:127.0.0.1]/a.png", "6to4": "https://[2002:7f00:1::]/a.png",
    "NAT64": "https://[64:ff9b::7f00:1]/a.png", "metadata": "https://169.254.169.254/latest/meta-data/",
    "metadata by name": "https://metadata.google.internal/computeMetadata/v1/", "localhost": "https://localhost/a.png",
    "under localhost": "https://x.localhost/a.png", "user": f"https://{HOST}@127.0.0.1/a.png",
    "password": f"https://a:b@{HOST}/a.png", "backslash": f"https://{OTHER}\\@{HOST}/a.png",
    "port": f"https://{HOST}:22/a.png", "http": f"http://{HOST}/a.png", "ftp": f"ftp://{HOST}/a.png",
    "file": "file:///etc/passwd", "gopher": f"gopher://{HOST}/_x", "data": "data:text/html,<b>",
    "full width": "https://１２７.0.0.1/a.png", "dot": "https://127.0.0.1./a.png",
}  # fmt: skip
NAMES = {name: f"https://{name}.example.com/a.png"
         for name in ("inner", "mixed", "mapped", "tunnel", "nat64", "zero", "azure")}  # fmt: skip
HOPS = {name: f"https://{HOST}/{name}"
        for name in ("private", "number", "plain", "file", "loop", "long", "port", "0")}  # fmt: skip
ANSWERS = {name: f"https://{HOST}/{name}"
           for name in ("page", "text", "huge", "endless", "gzip", "slow", "svg", "ssh", "unknown")}  # fmt: skip


@pytest.fixture(scope="module")
def listening() -> Iterator[list[bytes]]:
    """A service inside, at the usual port of https where that may be had, and who called it."""
    called: list[bytes] = []
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", 443))
        except OSError:  # no right to that port, or somebody has it; what the app connects to is counted there, too
            listener.bind(("127.0.0.1", 0))
        listener.listen()

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    called.append(b"called")

        thread = Thread(target=accept, daemon=True)
        thread.start()
        yield called
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def ways(caller: Caller, url: str) -> list[tuple[str, object]]:
    """What each way says of an address."""
    return [("button", caller.event(caller.pressed("Fetch"), [url])), ("key", caller.event(caller.pressed("Fetch") + 1, [url])),
            ("endpoint", caller.segment(url)), ("endpoint, file", caller.segment(file_data(url))),
            ("picture", caller.event(caller.number("received"), [file_data(url)]))]  # fmt: skip


@pytest.mark.parametrize("url", NUMBERS.values(), ids=NUMBERS)
def test_what_is_no_public_name_is_not_even_looked_up(
    url: str, server: Served, caller: Caller, listening: list[bytes]
) -> None:
    before = server.told()
    for way, reply in ways(caller, url):
        assert not reply.ok and reply.is_plain, (way, reply.error)  # type: ignore[attr-defined]
        assert "root:" not in reply.text  # type: ignore[attr-defined]
    assert server.told() == before and not listening


@pytest.mark.parametrize("url", NAMES.values(), ids=NAMES)
def test_a_name_that_leads_inside_is_looked_up_and_not_spoken_to(
    url: str, server: Served, caller: Caller, listening: list[bytes]
) -> None:
    before = server.told()["connected"]
    for way, reply in ways(caller, url):
        assert not reply.ok and reply.is_plain and "public address" in reply.error, (way, reply.error)  # type: ignore[attr-defined]
    assert server.told()["connected"] == before and not listening


@pytest.mark.parametrize("url", HOPS.values(), ids=HOPS)
def test_no_redirect_leads_inside(url: str, server: Served, caller: Caller, listening: list[bytes]) -> None:
    for way, reply in (("button", caller.event(caller.pressed("Fetch"), [url])), ("endpoint", caller.segment(url))):
        assert not reply.ok and reply.is_plain, (way, reply.error)
    assert set(server.told()["connected"]) <= {PUBLIC} and not listening


@pytest.mark.parametrize("url", ANSWERS.values(), ids=ANSWERS)
def test_nothing_of_what_is_no_picture_comes_back(url: str, caller: Caller) -> None:
    for reply in (caller.event(caller.pressed("Fetch"), [url]), caller.segment(url)):
        assert not reply.ok and reply.is_plain, reply.error
        assert "secret words" not in reply.text


def test_a_name_that_is_bound_anew_is_not_spoken_to_again(server: Served, caller: Caller) -> None:
    url = "https://rebound.example.com/a.png"
    caller.segment(url)  # its certificate is another's; the first look-up gave a public address
    connected = server.told()["connected"]
    again = caller.segment(url)
    assert not again.ok and "public address" in again.error
    assert server.told()["connected"] == connected and set(connected) <= {PUBLIC}


def test_a_public_picture_is_fetched(caller: Caller) -> None:
    found = caller.event(caller.pressed("Fetch"), [f"https://{SECOND}/a.png"])
    assert found.ok, found.error
    assert caller.segment(f"https://{HOST}/a.png").ok
    assert caller.event(caller.number("received"), [file_data(f"https://{HOST}/a.png")]).ok


@pytest.mark.parametrize("form", ["gradio_api/file={}", "gradio_api/proxy={}", "gradio_api/file/{}", "?url={}",
                                  "gradio_api/stream/{}/x", "static/{}"])  # fmt: skip
def test_no_route_fetches_for_others(form: str, caller: Caller, server: Served, listening: list[bytes]) -> None:
    before = server.told()
    for url in ("https://127.0.0.1/a.png", "http://127.0.0.1:443/", "https://localhost/x", f"https://{HOST}/a.png"):
        answer = caller.http.get(caller.url + form.format(url), follow_redirects=False)
        assert answer.status_code in (200, 400, 403, 404) and (answer.status_code != 200 or form.startswith("?"))
        assert "location" not in answer.headers
    assert server.told() == before and not listening
