"""Pictures at web addresses: https alone, public hosts alone, every redirect checked again, 10 MB and 10 s in all.

The fetch is our own, over the standard library, and not that of safehttpx (github.com/gradio-app/safehttpx), which
Gradio brings. As of 0.1.7 that one pins the address and checks the name of the certificate, but allows http and every
port, has no limit on bytes or on the whole time, does not follow redirects, takes the first public of mixed addresses,
asks a resolver of Google where none is public, and holds 100.64.0.0/10, 168.63.129.16, 2002::/16 and fec0::/10, which
lead to metadata and into private networks, for public.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urljoin, urlsplit

from pipelines.errors import ImageFormatError, UsageError
from pipelines.images.limits import UPLOAD
from pipelines.images.sniff import sniff
from workbench.given.pinned import CURE, PORT, Deadline, Reply, Target, Web, get

MAX_BYTES, MAX_S, MAX_REDIRECTS = 10_000_000, 10.0, 5
LONGEST = 2048
REDIRECTS = frozenset({301, 302, 303, 307, 308})
WEB = Web()

_EXAMPLE = "Give an address such as https://example.com/picture.jpg."
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{4,253}}\Z)(?:{_LABEL}\.)+(?!0x|[0-9]+\Z)[a-z0-9-]{{2,63}}\Z")
"""Names with a dot whose last part is no number: resolvers read 127.1, 0x7f.1 and 017700000001 as addresses."""

_INWARD = (".localhost", ".localdomain", ".local", ".internal", ".intranet", ".private", ".lan", ".corp", ".home",
           ".home.arpa", ".in-addr.arpa", ".ip6.arpa", ".onion", ".invalid", ".test")  # fmt: skip
"""Ends of names that stand for something within a private network (RFC 6761, 6762, 8375) or for nothing."""


def fetch(url: str, web: Web = WEB) -> bytes:
    """The bytes of the picture at an address, of a format that is read here; they are not decoded yet.

    Args:
        url: as a visitor gave it.
        web: how the network is reached.

    Raises:
        UsageError: the address is refused, leads to no public host, or does not answer with a picture in time.
        ImageLimitError: more than 10 MB.
        ImageFormatError: no picture, or one of a format that is not read.
    """
    deadline, target = Deadline(MAX_S), checked(url)
    for _ in range(MAX_REDIRECTS + 1):
        reply = get(target, web, deadline, MAX_BYTES)
        if reply.status not in REDIRECTS or not reply.location:
            return _picture(reply, target.host)
        written = reply.location.encode("latin-1").decode(
            "utf-8", "replace"
        )  # as headers are read, and as they are sent
        target = checked(urljoin(target.url, _plain(written)))
    raise UsageError(f"The address leads on more than {MAX_REDIRECTS} times.", f"Give the last address. {CURE}")


def checked(url: str) -> Target:
    """Where an address leads, if it is one that may be asked.

    Raises:
        UsageError: with what is wrong.
    """
    text = _plain(url.strip())
    scheme, colon, rest = text.partition(":")
    if not colon or scheme.lower() != "https" or not rest.startswith("//"):
        raise UsageError("Only addresses that begin with https:// are fetched.", _EXAMPLE)
    try:
        parts = urlsplit(text)
    except ValueError as error:  # brackets that hold no IPv6
        raise _no_host() from error
    if "@" in parts.netloc:
        raise UsageError("The address holds a name or password before an @.", _EXAMPLE)
    host, _, port = parts.netloc.lower().partition(":")
    if port not in ("", str(PORT)):
        raise UsageError(f"Only the usual port of https, {PORT}, is asked.", f"Leave the port out. {CURE}")
    if not _HOST.match(host) or host.endswith(_INWARD):
        raise _no_host()
    query = f"?{parts.query}" if parts.query else ""
    return Target(host, quote((parts.path or "/") + query, safe="/%:?@!$&'()*+,;=~"))


def _plain(url: str) -> str:
    """The address, if it is short and has no character that programs read in different ways.

    Raises:
        UsageError: it is not.
    """
    if len(url) > LONGEST:
        raise UsageError(f"The address has {len(url)} characters; at most {LONGEST} are read.", CURE)
    if "\\" in url or any(c.isspace() or not c.isprintable() for c in url):
        raise UsageError("The address holds a space, a backslash or a sign that cannot be seen.", _EXAMPLE)
    return url


def _no_host() -> UsageError:
    return UsageError("The address names no public host by its name.", f"{_EXAMPLE} Numbers are not taken. {CURE}")


def _picture(reply: Reply, host: str) -> bytes:
    if reply.status != 200:
        raise UsageError(f"{host} answers with the status {reply.status} and no picture.", f"Check the address. {CURE}")
    if reply.kind and not reply.kind.startswith("image/") and not reply.kind.endswith("/octet-stream"):
        raise ImageFormatError(f"The address leads to {reply.kind}, not to a picture.",
                               "Open the picture alone in the browser and copy its address.")  # fmt: skip
    found = sniff(reply.body)
    if found is None:
        raise ImageFormatError("What the address leads to is not a picture of a known format.", UPLOAD.cure_format)
    UPLOAD.check_format("The picture", found)
    return reply.body
