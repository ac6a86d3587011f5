"""STAND-INS of the servers that assets come from, on the loopback: a bucket, a hub, a registry. Real HTTP, false files.

Each speaks the paths and headers that the real one does, as far as our sources and the hub's own library ask for them.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What is answered: a body with its status and headers."""

    body: bytes = b""
    status: int = 200
    headers: Headers = field(default_factory=dict)


Answering = Callable[[str, Headers], Reply | None]


@dataclass
class Server:
    """A stand-in that runs: `address` without a path, the paths that were asked for, with the headers sent."""

    address: str
    asked: list[tuple[str, dict[str, str]]]

    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [path for path, _ in self.asked]


@contextmanager
def serving(answer: Callable[[Server], Answering]) -> Iterator[Server]:
    """Serve until the end of the block what `answer` makes of a path and headers; None is 404."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            asked.append((self.path, dict(self.headers)))
            reply = answering(unquote(urlsplit(self.path).path), self.headers) or Reply(b"not here", 404)
            content, status, extra = reply.body, reply.status, dict(reply.headers)
            span = self.headers.get("Range", "")
            if status == 200 and span.startswith("bytes="):
                first, _, last = span.removeprefix("bytes=").partition("-")
                begin, end = int(first), int(last) if last else len(content) - 1
                extra["Content-Range"] = f"bytes {begin}-{end}/{len(content)}"
                status, content = 206, content[begin : end + 1]
            self.send_response(status)
            for name, value in {"Accept-Ranges": "bytes", "Content-Length": str(len(content)), **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = Server(f"http://127.0.0.1:{http.server_address[1]}", asked)
        answering = answer(server)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def md5(content: bytes) -> str:
    """md5 of bytes, hex."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass
class BucketFiles:
    """A stand-in bucket: files below `folder`, named by `metadata/NAME.uri` and listed in `metadata/NAME.md5`.

    `members`: only with these headers; others are sent to a login page. `lists` replaces the list of md5.
    """

    files: dict[str, bytes]
    name: str = "dataset"
    folder: str = "some/folder"
    members: dict[str, str] = field(default_factory=dict)
    lists: bytes | None = None
    base: str | None = None

    def answer(self, server: Server) -> Answering:
        """For `serving`."""
        listed = "".join(f"{md5(content)}  ./{path}\n" for path, content in sorted(self.files.items())).encode()
        pages = {
            f"/metadata/{self.name}.uri": (self.base or f"{server.address}/{self.folder}").encode() + b"\n",
            f"/metadata/{self.name}.md5": listed if self.lists is None else self.lists,
            **{f"/{self.folder}/{path}": content for path, content in self.files.items()},
        }

        def reply(path: str, headers: Headers) -> Reply | None:
            if any(headers.get(name) != value for name, value in self.members.items()):
                login = "https://mlcommons.cloudflareaccess.com/cdn-cgi/access/login/stand-in"
                return Reply(status=302, headers={"Location": login})
            return Reply(pages[path], headers={"ETag": f'"{md5(pages[path])}"'}) if path in pages else None

        return reply


def git_sha1(content: bytes) -> str:
    """git's hash of a file."""
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


@dataclass
class HubFiles:
    """A stand-in hub with one repository. Files of `big` have a sha256 and are served from another host.

    `token`: asked for; `granted`: whether that token has access. `revisions` lead to the commit. `spoiled`: sent in
    place of the real bytes of a file.
    """

    repository: str
    files: dict[str, bytes]
    big: frozenset[str] = frozenset()
    commit: str = "c" * 40
    revisions: tuple[str, ...] = ("main",)
    kind: str = "models"
    token: str | None = None
    granted: bool = True
    spoiled: dict[str, bytes] = field(default_factory=dict)
    status: int = 200
    elsewhere: str | None = None

    def answer(self, server: Server) -> Answering:
        """For `serving`."""
        prefix = "" if self.kind == "models" else f"{self.kind}/"

        def reply(path: str, headers: Headers) -> Reply | None:
            if self.status != 200:
                return Reply(b"{}", self.status)
            if (refusal := self._refusal(headers)) is not None:
                return refusal
            for revision in (*self.revisions, self.commit, None):
                tail = f"/revision/{revision}" if revision else ""
                if path == f"/api/{self.kind}/{self.repository}{tail}":
                    return Reply(json.dumps(self._described()).encode(), headers={"Content-Type": "application/json"})
            if path.startswith(f"/api/{self.kind}/{self.repository}/revision/"):
                return Reply(b'{"error": "Invalid rev id"}', 404, {"X-Error-Code": "RevisionNotFound"})
            if path.startswith(f"/api/{self.kind}/"):
                return Reply(b'{"error": "Repository not found"}', 404, {"X-Error-Code": "RepoNotFound"})
            start = f"/{prefix}{self.repository}/resolve/{self.commit}/"
            if not path.startswith(start):
                return None
            name = path.removeprefix(start)
            if name in self.big and self.elsewhere is not None:
                return Reply(status=302, headers={"Location": f"{self.elsewhere}/blobs/{name}"})
            content = self.spoiled.get(name, self.files.get(name))
            return None if content is None else Reply(content, headers={"ETag": f'"{md5(content)}"'})

        return reply

    def _refusal(self, headers: Headers) -> Reply | None:
        if self.token is None:
            return None
        sent = headers.get("Authorization", "")
        if not sent:
            return Reply(b"{}", 401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to it is restricted."})
        if sent != f"Bearer {self.token}":
            return Reply(b'{"error": "Invalid credentials in Authorization header"}', 401)
        return None if self.granted else Reply(b"{}", 403, {"X-Error-Code": "GatedRepo"})

    def _described(self) -> dict[str, object]:
        siblings = [
            {
                "rfilename": name,
                "size": len(content),
                "blobId": git_sha1(content),
                **(
                    {"lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}}
                    if name in self.big
                    else {}
                ),
            }
            for name, content in sorted(self.files.items())
        ]
        return {
            "_id": "1",
            "id": self.repository,
            "author": "stand-in",
            "sha": self.commit,
            "private": False,
            "disabled": False,
            "gated": "manual" if self.token else False,
            "downloads": 1,
            "likes": 0,
            "tags": [],
            "siblings": siblings,
        }


def files_elsewhere(files: Mapping[str, bytes]) -> Callable[[Server], Answering]:
    """Another host that big files lie on."""

    def answer(_server: Server) -> Answering:
        return lambda path, _headers: (
            Reply(files[path.removeprefix("/blobs/")]) if path.removeprefix("/blobs/") in files else None
        )

    return answer
