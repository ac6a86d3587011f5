"""A test tool: a web server that stands before a real one and spoils answers as it is told, one entry a request.

Not part of the program. Faults: `cut N` (close after N bytes), `reset N` (the same, rudely), `stall N` (nothing more
after N bytes), `429 S`/`503 S` (with Retry-After), `404`, `wrong N` (byte N flipped), `short N` (N bytes fewer than
announced), `whole` (ranges ignored), `tagless` (no ETag, no date), `move` (sent on to the server by another name),
`other` (another file of the same server), `lie N` (a range that begins N bytes late).
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class Front:
    """What it does, and what it was asked: path, range and what it was shown of credentials."""

    behind: str
    faults: list[str] = field(default_factory=list)
    always: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    shown: list[str | None] = field(default_factory=list)
    address: str = ""
    most_at_once: int = 1000  # beyond so many, requests are refused with 503
    at_once: int = 0
    refused: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self) -> list[str]:
        """What is to go wrong with this request."""
        with self.lock:
            return (self.faults.pop(0) if self.faults else self.always).split()


@contextmanager
def front(
    behind: str, faults: list[str] | None = None, *, always: str = "", certificate: Path | None = None
) -> Iterator[Front]:
    """A front before the server at the address `behind`, until the end of the block.

    With `certificate` (`.crt`, its key beside it as `.key`) it speaks https. It is a proxy, too.
    """
    state = Front(behind=behind, faults=list(faults or []), always=always)

    class Handler(_Handler):
        front = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.address = f"http://127.0.0.1:{server.server_port}"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        state.address = f"https://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    front: Front
    protocol_version = "HTTP/1.1"
    timeout = 20

    def do_CONNECT(self) -> None:
        fault = (self.front.next_fault() or [""])[0]
        with self.front.lock:
            self.front.asked.append((self.path, None))
        if fault.isdigit():
            self._refuse(int(fault), [])
            return
        name, _, port = self.path.rpartition(":")
        with socket.create_connection((name, int(port)), timeout=10) as far:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_pipe, args=(far, self.connection), daemon=True)
            back.start()
            _pipe(self.connection, far)
            back.join(10)
        self.close_connection = True

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        fault, *rest = self.front.next_fault() or [""]
        number = int(rest[0]) if rest else 0
        with self.front.lock:
            self.front.asked.append((self.path, self.headers.get("Range")))
            self.front.shown.append(self.headers.get("Authorization"))
            self.front.at_once += 1
            too_many = self.front.at_once > self.front.most_at_once
            self.front.refused += too_many
        try:
            self._answer("503" if too_many else fault, number, rest)
        finally:
            with self.front.lock:
                self.front.at_once -= 1

    def _answer(self, fault: str, number: int, rest: list[str]) -> None:
        if fault.isdigit():
            self._refuse(int(fault), rest)
        elif fault == "move":
            self._send_on()
        else:
            self._pass_on(fault, number)

    def _refuse(self, status: int, rest: list[str]) -> None:
        self.send_response(status)
        if rest:
            self.send_header("Retry-After", rest[0])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_on(self) -> None:
        self.send_response(302)
        port = urlsplit(self.front.behind).port
        self.send_header("Location", f"http://localhost:{port}{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _pass_on(self, fault: str, number: int) -> None:
        status, headers, body = self._from_behind(fault, number)
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self._send_body(body, fault, number)
        except OSError:
            self.close_connection = True

    def _from_behind(self, fault: str, number: int) -> tuple[int, dict[str, str], bytes]:
        wanted = {name: self.headers[name] for name in ("Range", "If-Range") if name in self.headers}
        if fault == "whole":
            wanted = {}
        if fault == "lie" and "Range" in wanted:
            start, _, end = wanted["Range"].removeprefix("bytes=").partition("-")
            wanted["Range"] = f"bytes={int(start) + number}-{end}"
        path = self.path + (".other" if fault == "other" else "")
        host = urlsplit(self.front.behind)
        connection = http.client.HTTPConnection(host.hostname or "", host.port, timeout=10)
        try:
            connection.request(self.command, path, headers=wanted)
            answer = connection.getresponse()
            names = ["Content-Length", "Content-Range", "Location", "Accept-Ranges"]
            names += [] if fault == "tagless" else ["ETag", "Last-Modified"]
            headers = {name: answer.headers[name] for name in names if name in answer.headers}
            body = answer.read()
        finally:
            connection.close()
        if fault == "wrong" and body:
            at = number % len(body)
            body = body[:at] + bytes([body[at] ^ 0x20]) + body[at + 1 :]
        if fault == "short":
            body = body[: max(0, len(body) - number)]
        return answer.status, headers, body

    def _send_body(self, body: bytes, fault: str, number: int) -> None:
        if fault not in {"cut", "reset", "stall"}:
            self.wfile.write(body)
            self.close_connection = fault == "short"
            return
        self.wfile.write(body[: number % (len(body) + 1)])
        self.wfile.flush()
        self.close_connection = True
        if fault == "stall":
            self.front.over.wait(15)
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""


def _pipe(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
