"""A catalogue folder of one's own and a web server on loopback that has what its assets are fetched from."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml


@dataclass
class Shelf:
    """`files`: path to bytes, or to a status that is answered instead. `asked`: method and path of every request."""

    catalog: Path
    base: str
    files: dict[str, bytes | int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def put(self, path: str, content: bytes | int) -> str:
        """Serve something; its address."""
        self.files[path] = content
        return f"{self.base}{path}"

    def entry(self, name: str, **fields: Any) -> None:
        """Add an asset to the catalogue folder."""
        folder = self.catalog / "assets"
        folder.mkdir(parents=True, exist_ok=True)
        entry = {"name": name, "kind": "dataset", "licence": "MIT", **fields}
        aliases = entry.pop("aliases", None)
        text = yaml.safe_dump(entry, sort_keys=False)
        (folder / f"{name}.yaml").write_text(text + (f"aliases: [{', '.join(aliases)}]\n" if aliases else ""))

    def file(self, name: str, content: bytes, **fields: Any) -> str:
        """Add an asset of one file that the server has, pinned by hash; the file's hash."""
        sha256 = hashlib.sha256(content).hexdigest()
        source = {
            "kind": "download",
            "urls": [self.put(f"/{name}.json", content)],
            "sha256": sha256,
            "size_bytes": len(content),
        }
        self.entry(name, source=source, files=[{"name": f"{name}.json"}], size_bytes=len(content), **fields)
        return sha256


@contextmanager
def shelf(folder: Path) -> Iterator[Shelf]:
    """A shelf whose server runs until the end of the block."""
    content = Shelf(catalog=folder, base="")

    class Answering(BaseHTTPRequestHandler):
        def _answer(self, *, body: bool) -> None:
            path = urlsplit(self.path).path
            content.asked.append(f"{self.command} {path}")
            found = content.files.get(path, 404)
            status, sent = (200, found) if isinstance(found, bytes) else (found, b"")
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            if body:
                self.wfile.write(sent)

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    content.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield content
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
