"""A web server with a made certificate that answers as told, and a network that leads every public address to it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from workbench.given.pinned import Web

HOST, OTHER = "pictures.example.com", "other.example.com"
PUBLIC = "93.184.216.34"
Answer = Callable[[socket.socket], None]


def certificate(folder: Path) -> tuple[Path, Path]:
    """Certificate and key for `HOST` and its neighbours but not for `OTHER`."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    names = f"subjectAltName=DNS:{HOST},DNS:second.example.com"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
               "-subj", f"/CN={HOST}", "-addext", names, "-keyout", str(key), "-out", str(cert)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


def said(status: str = "200 OK", body: bytes = b"", **headers: str) -> Answer:
    """An answer; names of headers are written with ``_`` for ``-``."""
    fields = {"content_length": str(len(body)), **headers}
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items()), "", ""]
    return lambda connection: connection.sendall("\r\n".join(lines).encode("utf-8") + body)


def raw(*parts: bytes, pause_s: float = 0.0) -> Answer:
    """Bytes as they are, with a pause before each."""

    def answer(connection: socket.socket) -> None:
        for part in parts:
            time.sleep(pause_s)
            connection.sendall(part)

    return answer


@dataclass
class Server:
    """What is answered to which path, and what was asked.

    Attributes:
        answers: path → answer.
        requests: first line and headers of each request, as they came.
    """

    port: int
    cert: Path
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)


@dataclass
class Network:
    """A made network: who is where, who was looked up, and who was spoken to.

    Attributes:
        hosts: host → answers of the look-ups, one after another; the last one stays.
    """

    server: Server
    hosts: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)

    def look_up(self, host: str) -> Sequence[str]:
        self.looked_up.append(host)
        answers = self.hosts.get(host)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def connect(self, address: str, timeout_s: float) -> socket.socket:
        self.connected.append(address)
        return socket.create_connection(("127.0.0.1", self.server.port), timeout_s)

    @property
    def web(self) -> Web:
        return Web(self.look_up, self.connect, lambda: ssl.create_default_context(cafile=self.server.cert))


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A server on a free port of this machine."""
    cert, key = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(listener.getsockname()[1], cert)
        thread = Thread(target=_accept, args=(listener, context, server), daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _accept(listener: socket.socket, context: ssl.SSLContext, server: Server) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # shut down
            return
        Thread(target=_serve, args=(connection, context, server), daemon=True).start()


def _serve(connection: socket.socket, context: ssl.SSLContext, server: Server) -> None:
    with connection:
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += secure.recv(4096)
                server.requests.append(request.decode())
                server.answers[request.split()[1].decode()](secure)
        except OSError as error:  # the other side hung up, which some tests are about
            server.requests.append(f"broken off: {error}")
