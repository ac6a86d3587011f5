"""A registry on the loopback with one small image, told to misbehave or not; the engine takes it for a real one."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"


@dataclass
class FakeRegistry:
    """`fails` holds statuses for the next manifest requests; `stalls` makes them hang; `corrupt` spoils the layer."""

    port: int
    manifest: bytes
    blobs: dict[str, bytes]
    fails: list[int] = field(default_factory=list)
    stalls: bool = False
    corrupt: bool = False
    manifest_requests: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def name(self, tag: str = "1") -> str:
        """A reference to the image; tag `missing` and digests other than the image's do not exist."""
        return f"127.0.0.1:{self.port}/images-test/pulled:{tag}"

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return digest_of(self.manifest)


def digest_of(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


@contextmanager
def fake_registry(*, labels: dict[str, str] | None = None, architecture: str = "amd64") -> Iterator[FakeRegistry]:
    """Serve one image until the end of the block."""
    layer = _layer()
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Labels": labels or {}, "Cmd": ["/nothing"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
        }
    ).encode()
    entry = {"mediaType": LAYER, "size": len(layer), "digest": digest_of(layer)}
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "size": len(config), "digest": digest_of(config)},
            "layers": [entry],
        }
    ).encode()
    blobs = {digest_of(layer): layer, digest_of(config): config}
    registry = FakeRegistry(port=0, manifest=manifest, blobs=blobs)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(registry))
    server.daemon_threads = True
    registry.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield registry
    finally:
        registry.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _layer() -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        member = tarfile.TarInfo("images-test")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    return raw.getvalue()


def _handler(registry: FakeRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def _answer(self, *, body: bool) -> None:
            kind, _, name = self.path.rpartition("/")
            if self.path == "/v2/":
                self._send(200, b"{}", "application/json", body=body)
            elif kind.endswith("/manifests"):
                self._manifest(name, body=body)
            elif name in registry.blobs:
                raw = registry.blobs[name]
                spoilt = registry.corrupt and raw[:1] != b"{"
                self._send(200, raw[::-1] if spoilt else raw, "application/octet-stream", body=body)
            else:
                self._send(404, _error("BLOB_UNKNOWN", "blob unknown"), "application/json", body=body)

        def _manifest(self, name: str, *, body: bool) -> None:
            registry.manifest_requests += 1
            if registry.stalls:
                registry.over.wait(30)
                return
            if registry.fails:
                code = registry.fails.pop(0)
                challenge = {"WWW-Authenticate": 'Basic realm="test"'} if code == 401 else {}
                self._send(code, _error("DENIED", "refused"), "application/json", body=body, headers=challenge)
            elif name in {"1", registry.digest}:
                headers = {"Docker-Content-Digest": registry.digest}
                self._send(200, registry.manifest, MANIFEST, body=body, headers=headers)
            else:
                self._send(404, _error("MANIFEST_UNKNOWN", "manifest unknown"), "application/json", body=body)

        def _send(self, code: int, raw: bytes, kind: str, *, body: bool, headers: dict[str, str] | None = None) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(raw)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
            return

    return Handler


def _error(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()
