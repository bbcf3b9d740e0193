"""One HTTPS request to a host whose address was looked up once, is public, and stays the one that is spoken to."""

from __future__ import annotations

import io
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from ipaddress import ip_address, ip_network
from threading import Thread
from time import monotonic
from typing import Any

from pipelines.errors import ImageLimitError, UsageError

PORT = 443
CURE = "Save the picture and upload it."
MOST_ADDRESSES = 4
MOST_OVERHEAD_BYTES = 1_000_000
"""Headers and the sizes of chunks, beside what a picture may have."""

_V6 = ip_network("2000::/3")
_NEVER = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # carriers, and the metadata of one cloud
        "168.63.129.16/32",  # what a virtual machine of Azure asks for its secrets, at a public address
        "192.0.0.0/24", "192.88.99.0/24",
        "2001::/23", "2002::/16", "3fff::/20",  # tunnels, which hold an IPv4 address that nobody checked; examples
    )
)  # fmt: skip
_TYPE = re.compile(r"[\w.+-]{1,40}/[\w.+-]{1,40}")


class Deadline:
    """A time by which all must be done.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            TimeoutError: none are.
        """
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError
        return left


@dataclass(frozen=True)
class Target:
    """Where a picture is.

    Attributes:
        host: name, in lower case; no address and no port.
        path: from the first ``/``, with the query, in printable ASCII.
    """

    host: str
    path: str

    @property
    def url(self) -> str:
        """The whole address."""
        return f"https://{self.host}{self.path}"


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        status: of HTTP.
        location: where a redirect leads to, as written; else None.
        kind: of the content as the server names it, such as ``image/png``; empty where it names none.
        body: bytes; empty but for a status of 200.
    """

    status: int
    location: str | None
    kind: str
    body: bytes


def look_up(host: str) -> Sequence[str]:
    """Every address of a host, as the system knows them."""
    return tuple(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, PORT, type=socket.SOCK_STREAM)))


def connect(address: str, timeout_s: float) -> socket.socket:
    """A connection to one address and no other; no proxy is asked."""
    return socket.create_connection((address, PORT), timeout_s)


@dataclass(frozen=True)
class Web:
    """How the network is reached; a test gives its own.

    Attributes:
        look_up: host → addresses.
        connect: address and seconds → a connection to its port 443.
        trust: makes the context that checks certificates.
    """

    look_up: Callable[[str], Sequence[str]] = look_up
    connect: Callable[[str, float], socket.socket] = connect
    trust: Callable[[], ssl.SSLContext] = ssl.create_default_context


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's own: not private, local, reserved, multicast or inside a tunnel.

    IPv4 that is written as IPv6 in any way is not: ``::ffff:``, NAT64, 6to4, Teredo.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    special = found.is_multicast or found.is_reserved or found.is_unspecified
    if special or not found.is_global or any(found in network for network in _NEVER):
        return False
    return found.version == 4 or found in _V6


def get(target: Target, web: Web, deadline: Deadline, most_bytes: int) -> Reply:
    """Ask for a picture.

    Args:
        target: checked.
        web: how the network is reached.
        deadline: of all together.
        most_bytes: of the body.

    Raises:
        UsageError: the host is not public, cannot be reached, proves no name or took too long.
        ImageLimitError: there are too many bytes.
    """
    with _explained(target.host, deadline, most_bytes):
        raw = _connected(_public(target.host, web, deadline), web, deadline)
        with raw:
            raw.settimeout(deadline.left())
            with web.trust().wrap_socket(raw, server_hostname=target.host) as secure:
                secure.settimeout(deadline.left())
                secure.sendall(_request(target))
                return _reply(target.host, _Timed(secure, deadline, most_bytes + MOST_OVERHEAD_BYTES), most_bytes)


def _public(host: str, web: Web, deadline: Deadline) -> Sequence[str]:
    """The addresses to use: all or none, for a host with a private one beside a public one wants to be mistaken."""
    found = _in_time(lambda: web.look_up(host), deadline)
    if not found or not all(map(is_public, found)):
        raise _unreachable(host)
    return found[:MOST_ADDRESSES]


def _in_time(call: Callable[[], Sequence[str]], deadline: Deadline) -> Sequence[str]:
    """What a call gives that knows no time limit, as the look-up of the system; it is left behind when time is up."""
    future: Future[Sequence[str]] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # raised where the result is asked for
            future.set_exception(error)

    Thread(target=work, daemon=True).start()
    return future.result(deadline.left())


def _connected(addresses: Sequence[str], web: Web, deadline: Deadline) -> socket.socket:
    for place, address in enumerate(addresses):
        try:
            return web.connect(address, deadline.left() / (len(addresses) - place))
        except OSError:
            if place == len(addresses) - 1:
                raise
    raise AssertionError("there is at least one address")


def _request(target: Target) -> bytes:
    lines = (f"GET {target.path} HTTP/1.1", f"Host: {target.host}", "Accept: image/*", "Accept-Encoding: identity",
             "User-Agent: segmentation-workbench", "Connection: close", "", "")  # fmt: skip
    return "\r\n".join(lines).encode("ascii")


class _Timed(io.RawIOBase):
    """The bytes of a connection, with one limit on the time and one on the number of all of them.

    A limit for each read would let a server that sends one byte now and then go on for ever.
    """

    def __init__(self, connection: socket.socket, deadline: Deadline, most_bytes: int) -> None:
        self.connection, self.deadline, self.left = connection, deadline, most_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.connection.settimeout(self.deadline.left())
        count = self.connection.recv_into(buffer)
        self.left -= count
        if self.left < 0:
            raise _TooLargeError
        return count

    def makefile(self, mode: str) -> io.BufferedReader:
        """What `HTTPResponse` asks of a socket."""
        return io.BufferedReader(self)


class _TooLargeError(Exception):
    """There are more bytes than a picture may have."""


def _reply(host: str, source: Any, most_bytes: int) -> Reply:
    response = HTTPResponse(source, method="GET")
    response.begin()
    kind = response.headers.get_content_type() if "content-type" in response.headers else ""
    kind = kind if _TYPE.fullmatch(kind) else ""
    if response.status != 200:
        return Reply(response.status, response.headers.get("location"), kind, b"")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise UsageError(f"{host} sends the picture packed, which was not asked for.", CURE)
    if (response.length or 0) > most_bytes:
        raise _TooLargeError
    body = response.read(most_bytes + 1)
    if len(body) > most_bytes:
        raise _TooLargeError
    if response.length:
        raise UsageError(f"{host} broke off before the picture was whole.", f"Try again. {CURE}")
    return Reply(200, None, kind, body)


def _unreachable(host: str) -> UsageError:
    """One sentence for an unknown host and for one within a private network, so that none can be told from it."""
    return UsageError(f"{host} cannot be reached at a public address.", f"Check the address. {CURE}")


@contextmanager
def _explained(host: str, deadline: Deadline, most_bytes: int) -> Iterator[None]:
    """What the network says, in plain words."""
    try:
        yield
    except _TooLargeError as error:
        raise ImageLimitError(f"The file at {host} is larger than {most_bytes / 1e6:g} MB.", CURE) from error
    except TimeoutError as error:
        raise UsageError(f"{host} took longer than {deadline.seconds:g} s.", f"Try again. {CURE}") from error
    except ssl.SSLCertVerificationError as error:
        raise UsageError(f"{host} cannot prove that it is {host}: {error.verify_message}.", CURE) from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a size of a chunk that is no size
        raise _unreachable(host) from error
