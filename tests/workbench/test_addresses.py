"""Pictures from the web: what is refused, what is pinned, and the limits."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from pipelines.errors import ImageFormatError, ImageLimitError, UsageError, WorkbenchError
from tests.workbench.web_server import HOST, OTHER, PUBLIC, Network, Server, raw, said, serving
from workbench.given import addresses, pinned
from workbench.given.addresses import checked, fetch
from workbench.given.pinned import Web, is_public

PICTURE = cv2.imencode(".png", np.full((4, 5, 3), 9, np.uint8))[1].tobytes()
SECOND = "second.example.com"

REFUSED = {
    "http": f"http://{HOST}/a.png",
    "ftp": f"ftp://{HOST}/a.png",
    "file": "file:///etc/passwd",
    "file with host": f"file://{HOST}/etc/passwd",
    "data": "data:image/png;base64,iVBORw0KGgo=",
    "gopher": f"gopher://{HOST}:70/_x",
    "no scheme": f"//{HOST}/a.png",
    "nothing": "",
    "no host": "https:///a.png",
    "no slashes": f"https:{HOST}/a.png",
    "loopback": "https://127.0.0.1/a.png",
    "short": "https://127.1/a.png",
    "decimal": "https://2130706433/a.png",
    "octal": "https://0177.0.0.1/a.png",
    "octal in one": "https://017700000001/a.png",
    "hex": "https://0x7f.0x0.0x0.0x1/a.png",
    "hex in one": "https://0x7f000001/a.png",
    "zero": "https://0/a.png",
    "public number": f"https://{PUBLIC}/a.png",
    "IPv6 loopback": "https://[::1]/a.png",
    "IPv4 in IPv6": "https://[::ffff:127.0.0.1]/a.png",
    "IPv4 in IPv6, hex": "https://[::ffff:a9fe:a9fe]/a.png",
    "IPv6 zone": "https://[fe80::1%25eth0]/a.png",
    "broken brackets": "https://[::1/a.png",
    "metadata": "https://169.254.169.254/latest/meta-data/",
    "metadata by name": "https://metadata.google.internal/computeMetadata/v1/",
    "localhost": "https://localhost/a.png",
    "under localhost": "https://a.localhost/a.png",
    "local": "https://printer.local/a.png",
    "trailing dot": f"https://{HOST}./a.png",
    "number with dot": "https://127.0.0.1./a.png",
    "user": f"https://{HOST}@127.0.0.1/a.png",
    "password": f"https://a:b@{HOST}/a.png",
    "backslash": f"https://{OTHER}\\@{HOST}/a.png",
    "port": f"https://{HOST}:8443/a.png",
    "port of ssh": f"https://{HOST}:22/",
    "port in letters": f"https://{HOST}:a/",
    "full width": "https://１２７.0.0.1/a.png",
    "circled": "https://ⓛocalhost.com/a.png",
    "full stop": "https://127。0。0。1/a.png",
    "percent": "https://127%2e0%2e0%2e1/a.png",
    "tab": f"https://127.0.\t0.1@{HOST}/a.png",
    "new line": f"https://{HOST}/a.png\r\nHost: localhost",
    "NUL": f"https://{HOST}\0.evil.example/a.png",
    "long": f"https://{HOST}/{'a' * 3000}",
    "fragment host": "https://#@127.0.0.1/a.png",
    "empty label": "https://pictures..example.com/a.png",
}  # fmt: skip

PRIVATE = (
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.88.99.1", "::", "::1", "::ffff:127.0.0.1",
    "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "fe80::1", "fe80::1%eth0", "fc00::1",
    "fd00:ec2::254", "fec0::1", "ff02::1", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1", "3fff::1", "100::1",
    "not an address", "",
)  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("web")) as found:
        yield found


@pytest.fixture
def network(server: Server) -> Network:
    server.answers.clear()
    server.requests.clear()
    server.answers["/a.png"] = said(body=PICTURE, content_type="image/png")
    return Network(server, {HOST: [[PUBLIC]], SECOND: [[PUBLIC]], OTHER: [[PUBLIC]]})


def test_a_picture_is_fetched_as_it_is(network: Network) -> None:
    network.server.answers["/b%20c.png?x=%C3%BC&y"] = said(body=PICTURE)
    assert fetch(f"https://{HOST}/a.png", network.web) == PICTURE
    assert fetch(f"  HTTPS://{HOST.upper()}:443/b%20c.png?x=ü&y#part ", network.web) == PICTURE
    assert network.looked_up == [HOST, HOST]
    assert network.connected == [PUBLIC, PUBLIC]
    assert f"\r\nHost: {HOST}\r\n" in network.server.requests[0]


def test_no_proxy_of_the_environment_is_asked(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(f"https://{HOST}/a.png", network.web) == PICTURE


@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED)
def test_an_address_that_is_no_public_name_is_refused(url: str, network: Network) -> None:
    with pytest.raises(UsageError) as refused:
        fetch(url, network.web)
    assert refused.value.cure
    assert not network.looked_up
    assert not network.connected


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_to_a_private_address_is_refused(address: str, network: Network) -> None:
    assert not is_public(address)
    for answer in ([address], [PUBLIC, address], [address, PUBLIC]):
        network.hosts[HOST] = [answer]
        with pytest.raises(UsageError, match="public address"):
            fetch(f"https://{HOST}/a.png", network.web)
    assert not network.connected


def test_public_addresses_are_public() -> None:
    assert all(map(is_public, (PUBLIC, "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:82f::200e")))


def test_a_private_name_cannot_be_told_from_an_unknown_one(network: Network) -> None:
    network.hosts = {HOST: [["10.0.0.1"]]}
    told = []
    for host in (HOST, "nobody.example.com"):
        with pytest.raises(UsageError) as refused:
            fetch(f"https://{host}/a.png", network.web)
        told.append(str(refused.value).replace(host, "X"))
    assert told[0] == told[1]


def test_a_name_that_is_bound_anew_is_looked_up_once(network: Network) -> None:
    network.hosts[HOST] = [[PUBLIC], ["127.0.0.1"]]
    assert fetch(f"https://{HOST}/a.png", network.web) == PICTURE
    assert (network.looked_up, network.connected) == ([HOST], [PUBLIC])
    with pytest.raises(UsageError, match="public address"):
        fetch(f"https://{HOST}/a.png", network.web)
    assert network.connected == [PUBLIC]


def test_every_hop_is_looked_up_and_checked(network: Network) -> None:
    network.server.answers["/hop"] = said("302 Found", location="/a.png")
    network.hosts[HOST] = [[PUBLIC], ["169.254.169.254"]]
    with pytest.raises(UsageError, match="public address"):
        fetch(f"https://{HOST}/hop", network.web)
    assert network.connected == [PUBLIC]


@pytest.mark.parametrize("status", ["301 A", "302 B", "303 C", "307 D", "308 E"])
def test_redirects_are_followed(status: str, network: Network) -> None:
    network.server.answers["/far"] = said(status, location=f"https://{SECOND}/near/x")
    network.server.answers["/near/x"] = said(status, location="../a.png?k=ü")
    network.server.answers["/a.png?k=%C3%BC"] = said(body=PICTURE)
    assert fetch(f"https://{HOST}/far", network.web) == PICTURE
    assert network.looked_up == [HOST, SECOND, SECOND]


@pytest.mark.parametrize("to", [
    "http://pictures.example.com/a.png", "https://127.0.0.1/a.png", "//169.254.169.254/latest", "https://localhost/",
    "file:///etc/passwd", "data:image/png;base64,AA==", "https://a@pictures.example.com/", "https://[::1]/",
    "https://pictures.example.com:8080/", "https://0x7f000001/", "\\\\host\\share", "https://inner.example.com/",
])  # fmt: skip
def test_a_redirect_to_elsewhere_is_refused(to: str, network: Network) -> None:
    network.hosts["inner.example.com"] = [["10.1.2.3"]]
    network.server.answers["/hop"] = said("302 Found", location=to)
    with pytest.raises(UsageError):
        fetch(f"https://{HOST}/hop", network.web)
    assert network.connected == [PUBLIC]


def test_five_redirects_are_followed_and_six_are_not(network: Network) -> None:
    for number in range(6):
        network.server.answers[f"/{number}"] = said("302 Found", location=f"/{number + 1}")
    network.server.answers["/6"] = said(body=PICTURE)
    assert fetch(f"https://{HOST}/1", network.web) == PICTURE
    with pytest.raises(UsageError, match="more than 5 times"):
        fetch(f"https://{HOST}/0", network.web)
    network.server.answers["/round"] = said("302 Found", location="/round")
    with pytest.raises(UsageError, match="more than 5 times"):
        fetch(f"https://{HOST}/round", network.web)


def test_the_certificate_must_name_the_host(network: Network) -> None:
    with pytest.raises(UsageError, match=f"cannot prove that it is {OTHER}"):
        fetch(f"https://{OTHER}/a.png", network.web)
    assert not any(request.startswith("GET") for request in network.server.requests)


def test_a_certificate_of_nobody_is_refused(network: Network) -> None:
    with pytest.raises(UsageError, match="cannot prove"):
        fetch(f"https://{HOST}/a.png", Web(network.look_up, network.connect))


def test_the_next_address_is_tried_where_one_does_not_answer(network: Network) -> None:
    network.hosts[HOST] = [["2606:4700:4700::1111", PUBLIC]]

    def connect(address: str, timeout_s: float) -> socket.socket:
        if ":" in address:
            raise OSError(101, "Network is unreachable")
        return network.connect(address, timeout_s)

    assert fetch(f"https://{HOST}/a.png", Web(network.look_up, connect, network.web.trust)) == PICTURE


@pytest.mark.parametrize(("answer", "error", "words"), [
    (said("404 Not Found"), UsageError, "404"),
    (said("302 Found"), UsageError, "302"),
    (said("204 No Content"), UsageError, "204"),
    (said(body=b"<html>secret", content_type="text/html"), ImageFormatError, "text/html"),
    (said(body=PICTURE, content_type="application/json"), ImageFormatError, "application/json"),
    (said(body=b"secret words", content_type="image/png"), ImageFormatError, "not a picture"),
    (said(body=b"<svg xmlns=", content_type="image/svg+xml"), ImageFormatError, "not a picture"),
    (said(body=b"GIF89a" + bytes(40), content_type="image/gif"), ImageFormatError, "GIF"),
    (said(body=b""), ImageFormatError, "not a picture"),
    (said(body=PICTURE, content_encoding="gzip"), UsageError, "packed"),
    (said(body=PICTURE, content_length="10000001"), ImageLimitError, "10 MB"),
    (said(body=PICTURE, content_length="500"), UsageError, "broke off"),
    (raw(b"HTTP/1.1 200 OK\r\n\r\n", PICTURE, *[bytes(1_000_000)] * 12), ImageLimitError, "10 MB"),
    (raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"-1\r\n", *[bytes(1_000_000)] * 12),
     ImageLimitError, "10 MB"),
    (raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-5\r\nabc"), UsageError, "reached"),
    (raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffff\r\nabc"), UsageError, "reached"),
    (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), UsageError, "reached"),
    (raw(b"HTTP/1.1 200 OK\r\n", b"x: " + b"a" * 70_000), UsageError, "reached"),
    (raw(b""), UsageError, "reached"),
])  # fmt: skip
def test_whatever_else_is_answered_is_refused_in_words(answer, error, words: str, network: Network) -> None:  # type: ignore[no-untyped-def]
    network.server.answers["/x"] = answer
    with pytest.raises(error, match=words) as refused:
        fetch(f"https://{HOST}/x", network.web)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "kind", ["image/png", "image/x-anything", "application/octet-stream", "binary/octet-stream", ""]
)
def test_content_counts_more_than_its_name(kind: str, network: Network) -> None:
    network.server.answers["/x"] = said(body=PICTURE, **({"content_type": kind} if kind else {}))
    assert fetch(f"https://{HOST}/x", network.web) == PICTURE


def test_chunks_are_joined(network: Network) -> None:
    half = len(PICTURE) // 2
    parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (PICTURE[:half], PICTURE[half:], b""))
    network.server.answers["/x"] = raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", parts)
    assert fetch(f"https://{HOST}/x", network.web) == PICTURE


DRIPS = {
    "head": raw(*[b"H"] * 40, pause_s=0.05),
    "headers": raw(b"HTTP/1.1 200 OK\r\n", *[b"x: y\r\n"] * 40, pause_s=0.05),
    "never mind": raw(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 40, pause_s=0.05),
    "body": raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", *[b"x"] * 40, pause_s=0.05),
    "chunks": raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * 40, pause_s=0.05),
}


@pytest.mark.parametrize("answer", DRIPS.values(), ids=DRIPS)
def test_a_server_that_drips_has_no_more_time_than_another(
    answer,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,  # type: ignore[no-untyped-def]
) -> None:
    monkeypatch.setattr(addresses, "MAX_S", 0.4)
    network.server.answers["/x"] = answer
    start = time.monotonic()
    with pytest.raises(UsageError, match=r"longer than 0\.4 s"):
        fetch(f"https://{HOST}/x", network.web)
    assert time.monotonic() - start < 1.2


def test_a_server_that_falls_silent_late_has_no_time_of_its_own(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "MAX_S", 0.6)
    network.server.answers["/x"] = raw(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", b"", b"", b"", pause_s=0.25)
    start = time.monotonic()
    with pytest.raises(UsageError, match="longer than"):
        fetch(f"https://{HOST}/x", network.web)
    assert time.monotonic() - start < 1.0


def test_an_address_that_hangs_leaves_time_for_the_next(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "MAX_S", 1.0)
    network.hosts[HOST] = [["8.8.8.8", PUBLIC]]

    def connect(address: str, timeout_s: float) -> socket.socket:
        if address != PUBLIC:
            time.sleep(timeout_s)
            raise TimeoutError
        return network.connect(address, timeout_s)

    assert fetch(f"https://{HOST}/a.png", Web(network.look_up, connect, network.web.trust)) == PICTURE


def test_time_is_counted_over_all_hops_look_up_and_connection(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "MAX_S", 0.4)
    over = threading.Event()

    def stuck(host: str) -> list[str]:
        over.wait(5)
        return [PUBLIC]

    start = time.monotonic()
    with pytest.raises(UsageError, match="longer than"):
        fetch(f"https://{HOST}/a.png", Web(stuck, network.connect, network.web.trust))
    over.set()
    network.server.answers["/hop"] = raw(b"HTTP/1.1 302 Found\r\nlocation: /hop\r\n\r\n", pause_s=0.15)
    with pytest.raises(UsageError, match="longer than"):
        fetch(f"https://{HOST}/hop", network.web)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and never shakes hands

        def connect(address: str, timeout_s: float) -> socket.socket:
            return socket.create_connection(silent.getsockname(), timeout_s)

        with pytest.raises(UsageError, match="longer than"):
            fetch(f"https://{HOST}/a.png", Web(network.look_up, connect, network.web.trust))
    assert time.monotonic() - start < 3


def test_the_network_of_the_system_is_used_with_no_more_than_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *arguments: asked.append(arguments))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **more: asked.append(arguments) or [
        (socket.AF_INET, 1, 6, "", (PUBLIC, 443)), (socket.AF_INET, 1, 6, "", (PUBLIC, 443))])  # fmt: skip
    pinned.connect(PUBLIC, 3.0)
    assert pinned.look_up(HOST) == (PUBLIC,)
    assert asked == [((PUBLIC, 443), 3.0), (HOST, 443)]
    trust = Web().trust()
    assert (trust.check_hostname, trust.verify_mode) == (True, ssl.CERT_REQUIRED)


@pytest.mark.parametrize(("url", "words"), [
    ("http://example.com/a.png", "https://"), ("https://a:b@example.com/", "before an @"), ("https://a b", "space"),
    ("https://example.com:22/", "usual port"), ("https://10.0.0.1/", "by its name"), ("https://" + "a" * 3000, "3008"),
])  # fmt: skip
def test_refusals_say_what_is_wrong(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        checked(url)


def test_refusals_are_errors_of_ours_with_a_cure() -> None:
    with pytest.raises(WorkbenchError) as refused:
        checked("https://localhost/")
    assert "https://example.com/picture.jpg" in refused.value.cure
