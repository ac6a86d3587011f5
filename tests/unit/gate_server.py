"""A real server on loopback in the place of the hub and of members' buckets: knows tokens, repeats what it hears."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HUB_TOKEN = "hf_plantedHUBtoken0123456789"  # noqa: S105 - planted
CLIENT_ID, CLIENT_SECRET = "planted0id0123456789.access", "plantedCLIENTsecret0123456789"
SIGNATURE = "plantedSIGNATURE0123456789abcdef"


@dataclass
class Gate:
    """The server; `asked` has the path and the headers of every request."""

    url: str
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    open_repositories: set[str] = field(default_factory=set)

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [path for _, path, _ in self.asked]


@contextmanager
def gate(*, login_page: str | None = None) -> Iterator[Gate]:
    """Serve. `/api/whoami-v2` and `/api/*/auth-check` want the hub's token, `/members/…` the service token.

    `/signed/…` sends one on with a signed query, to `/files/…`; every refusal repeats the request's headers. Whoever
    has no service token is sent to `login_page` where that is given.
    """

    class Handler(_Handler):
        server_gate: Gate
        page = login_page

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Gate(url=f"http://127.0.0.1:{server.server_port}")
    Handler.server_gate = found
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_gate: Gate
    page: str | None = None
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        gate = self.server_gate
        self.path = self.path.removeprefix(gate.url).removeprefix("/hub")  # as a proxy, it is asked for whole addresses
        gate.asked.append((self.command, self.path, dict(self.headers)))
        path = self.path.partition("?")[0]
        knows_hub = self.headers.get("Authorization") == f"Bearer {HUB_TOKEN}"
        member = (self.headers.get("CF-Access-Client-Id"), self.headers.get("CF-Access-Client-Secret"))
        if path == "/api/whoami-v2":
            return self._send(200, b"{}") if knows_hub else self._refuse(401)
        if path.endswith("/auth-check"):
            name = path.split("/", 3)[3].removesuffix("/auth-check")
            return self._send(200, b"") if knows_hub and name in gate.open_repositories else self._refuse(403)
        if path.startswith("/members/") and member != (CLIENT_ID, CLIENT_SECRET):
            return self._redirect(self.page) if self.page else self._refuse(403)
        if path.startswith("/signed/"):
            name = path.removeprefix("/signed/")
            return self._redirect(f"/files/{name}?X-Amz-Credential=me&X-Amz-Signature={SIGNATURE}")
        if path.startswith("/broken/"):
            return self._refuse(500)
        content = gate.files.get(path)
        return self._send(200, content) if content is not None else self._refuse(404)

    def _refuse(self, status: int) -> None:
        said = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        self._send(
            status,
            f"refused; you sent {self.path}\n{said}".encode(),
            reason=f"No {self.headers.get('Authorization', '')}",
        )

    def _redirect(self, place: str) -> None:
        self.send_response(302)
        self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status: int, body: bytes, reason: str | None = None) -> None:
        self.send_response(status, reason)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""
