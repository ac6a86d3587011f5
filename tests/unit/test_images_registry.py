"""Our own conversation with a registry: token servers, logins that stay where they belong, answers that are none."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestrator.domain.image import ImageRef
from orchestrator.errors import ImageError, TransientImageError
from orchestrator.images.registry import Registry
from orchestrator.images.registry_faults import AccessDeniedError, ImageMissingError, TamperedImageError

MANIFEST = json.dumps({"schemaVersion": 2, "config": {"digest": f"sha256:{'1' * 64}"}}).encode()
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


class Odd(ThreadingHTTPServer):
    """A registry with a token server; what it does is set by its fields, what it heard lies in `heard`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.realm = f"http://{self.host}/token"
        self.heard: list[tuple[str, str]] = []
        self.status = 200
        self.manifest = MANIFEST
        self.token_status = 200

    def reference(self) -> ImageRef:
        """An image there."""
        return ImageRef.parse(f"{self.host}/team/image:1")


class _Handler(BaseHTTPRequestHandler):
    server: Odd

    def do_GET(self) -> None:
        place, login = urlsplit(self.path), self.headers.get("Authorization", "")
        self.server.heard.append((place.path, login))
        if place.path == "/token":
            asked = parse_qs(place.query)
            assert asked["scope"] == ["repository:team/image:pull"]
            self._answer(self.server.token_status, json.dumps({"token": "t0ken"}).encode())
        elif place.path == "/v2/":
            self._answer(401, b"{}")
        elif login != "Bearer t0ken":
            scope = f'Bearer realm="{self.server.realm}",service="odd",scope="repository:team/image:pull"'
            self._answer(401, b'{"errors": [{"code": "UNAUTHORIZED", "message": "who?"}]}', {"WWW-Authenticate": scope})
        else:
            self._answer(self.server.status, self.server.manifest, {"Docker-Content-Digest": DIGEST})

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        return


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Odd]:
    """A registry that behaves until told otherwise; nobody is logged in."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    server = Odd()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_token_is_had_from_the_registrys_own_server_without_a_login(odd: Odd) -> None:
    with Registry(odd.reference()) as registry:
        assert registry.manifest("1").digest == DIGEST
        assert registry.manifest(DIGEST).config_digest == f"sha256:{'1' * 64}"
    assert [login for path, login in odd.heard if path == "/token"] == [""]


def test_the_users_login_goes_to_the_token_server_alone(odd: Odd, tmp_path: Path) -> None:
    auth = base64.b64encode(b"alice:s3cret").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {odd.host: {"auth": auth}}}))
    with Registry(odd.reference()) as registry:
        registry.manifest("1")
    assert {path for path, login in odd.heard if login.startswith("Basic")} == {"/token"}


def test_a_login_is_not_sent_to_a_token_server_without_tls(odd: Odd, tmp_path: Path) -> None:
    auth = base64.b64encode(b"alice:s3cret").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {odd.host: {"auth": auth}}}))
    odd.realm = "http://tokens.example/token"
    with Registry(odd.reference()) as registry, pytest.raises(ImageError, match="without TLS"):
        registry.manifest("1")


def test_a_token_server_that_refuses_is_a_missing_login(odd: Odd) -> None:
    odd.token_status = 401
    with Registry(odd.reference()) as registry, pytest.raises(AccessDeniedError) as caught:
        registry.manifest("1")
    assert caught.value.hint is not None
    assert f"docker login {odd.host}" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, ImageMissingError), (403, AccessDeniedError), (503, TransientImageError), (429, TransientImageError)],
)
def test_a_status_says_whose_fault_it_is(odd: Odd, status: int, kind: type[ImageError]) -> None:
    odd.status = status
    with Registry(odd.reference()) as registry, pytest.raises(kind):
        registry.manifest("1")


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(odd: Odd) -> None:
    odd.manifest = MANIFEST.replace(b"2", b"3")
    with Registry(odd.reference()) as registry, pytest.raises(TamperedImageError):
        registry.manifest("1")


def test_a_registry_that_is_not_there_is_no_bug_of_ours() -> None:
    with Registry(ImageRef.parse("127.0.0.1:1/team/image:1")) as registry, pytest.raises(ImageError) as caught:
        registry.manifest("1")
    assert not caught.value.retryable
    assert caught.value.hint
