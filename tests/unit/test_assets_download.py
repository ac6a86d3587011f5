"""Downloads by http against a real server that cuts, stalls, refuses and lies; nothing wrong is ever kept."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.assets.download import fetch_file
from orchestrator.assets.store import CacheStore
from orchestrator.domain.asset import Asset, AssetFile, AssetKind, PreparationJob
from orchestrator.domain.ports import Say
from orchestrator.domain.source import Download
from orchestrator.errors import AssetError

CONTENT = bytes(range(256)) * 4096


@dataclass
class Behaviour:
    """What the server does, one entry for each request, then as it should."""

    faults: list[str] = field(default_factory=list)
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)


@contextmanager
def served(behaviour: Behaviour) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            behaviour.asked.append(wanted)
            fault = behaviour.faults.pop(0) if behaviour.faults else ""
            if fault.isdigit():
                self.send_response(int(fault))
                self.end_headers()
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and behaviour.ranges else 0
            body = CONTENT[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if fault == "cut" else body if fault != "lie" else body[::-1])

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/folder/weights.bin"
    finally:
        server.shutdown()
        server.server_close()


def source(url: str, **changes: object) -> Download:
    return Download(urls=(url,), sha256=hashlib.sha256(CONTENT).hexdigest(), **changes)  # type: ignore[arg-type]


def fetched(wanted: Download, folder: Path) -> Path:
    return fetch_file(wanted, folder, environment={}, say=lambda _: None)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.mark.parametrize("faults", [[], ["503"], ["429", "500"], ["cut"], ["cut", "cut", "503"]])
@pytest.mark.parametrize("ranges", [True, False])
def test_what_passes_is_tried_again_and_the_file_is_whole(tmp_path: Path, faults: list[str], ranges: bool) -> None:
    behaviour = Behaviour(list(faults), ranges)
    with served(behaviour) as url:
        assert fetched(source(url), tmp_path).read_bytes() == CONTENT
    if faults == ["cut"] and ranges:
        assert behaviour.asked == [None, f"bytes={len(CONTENT) // 2}-"]


def test_a_wrong_file_is_not_kept_and_both_hashes_are_named(tmp_path: Path) -> None:
    with served(Behaviour(["lie"])) as url, pytest.raises(AssetError, match=r"expected sha256 .* found") as caught:
        fetched(source(url), tmp_path)
    assert "--asset" in (caught.value.hint or "")
    assert list(tmp_path.iterdir()) == []


def test_the_next_address_is_tried_when_one_has_nothing(tmp_path: Path) -> None:
    with served(Behaviour(["404"])) as missing, served(Behaviour()) as there:
        wanted = Download(urls=(missing, there), md5=hashlib.md5(CONTENT, usedforsecurity=False).hexdigest())
        assert fetched(wanted, tmp_path).read_bytes() == CONTENT


def test_every_address_is_named_with_what_became_of_it(tmp_path: Path) -> None:
    with served(Behaviour(["403"])) as url, pytest.raises(AssetError, match=r"weights\.bin: the server answered 403"):
        fetched(source(url), tmp_path)
    with pytest.raises(AssetError, match="the transfer broke off"):
        fetched(source("http://127.0.0.1:9/none"), tmp_path)


def never(job: PreparationJob, *, say: Say) -> None:
    raise NotImplementedError


def test_a_downloaded_asset_lies_in_the_cache_verified_and_is_not_fetched_again(tmp_path: Path) -> None:
    behaviour = Behaviour(["cut"])
    store = CacheStore(tmp_path, prepare=never)
    with served(behaviour) as url:
        asset = Asset(
            name="weights",
            kind=AssetKind.MODEL,
            source=Download(urls=(url,), size_bytes=len(CONTENT)),
            files=(AssetFile(name="model.onnx"),),
            licence="-",
        )
        (planned,) = store.plan(asset, lambda _: asset)
        assert (planned.present, planned.fetch_bytes) == (False, len(CONTENT))
        ready = store.ensure(planned, say=lambda _: None)
        assert (ready.trust, [file.name for file in ready.files]) == ("first use", ["model.onnx"])
        assert (ready.path / "model.onnx").read_bytes() == CONTENT
        asked = len(behaviour.asked)
        (again,) = store.plan(asset, lambda _: asset)
        assert store.ensure(again, say=lambda _: None).fetched is False
        assert len(behaviour.asked) == asked


def test_an_archive_is_not_fetched_by_this_version_and_says_how_to_go_on(tmp_path: Path) -> None:
    store = CacheStore(tmp_path, prepare=never)
    asset = Asset(
        name="pictures",
        kind=AssetKind.DATASET,
        source=Download(urls=("http://127.0.0.1:9/pictures.zip",), unpack=True),
        licence="-",
    )
    (planned,) = store.plan(asset, lambda _: asset)
    with pytest.raises(AssetError, match="cannot be fetched by this version") as caught:
        store.ensure(planned, say=lambda _: None)
    assert "--asset pictures=PATH" in (caught.value.hint or "")
