"""Every entry of the catalogue has something that fetches it; single files and archives come as the catalogue says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from orchestrator.assets.credentials import NO_CREDENTIALS
from orchestrator.assets.fetch import fill
from orchestrator.assets.store import CacheStore
from orchestrator.assets.transfer import Line
from orchestrator.config.catalog import asset_names, load_asset
from orchestrator.domain.asset import Asset, AssetFile
from orchestrator.domain.source import (
    Bucket,
    Download,
    GitTree,
    HuggingFace,
    LocalPath,
    Member,
    Prepared,
    PypiPackage,
    Scripted,
    StandIn,
    UserSupplied,
)
from orchestrator.errors import AssetError
from tests.unit.archives_made import COMPRESSIONS, entry, everything, link, tarred, zipped
from tests.unit.assets_wheels import refuse, sha256
from tests.unit.source_kit import an_asset, kit_for, lines_of
from tests.unit.source_servers import Reply, Server, md5, serving

ASSETS = {name: load_asset(name) for name in asset_names()}
FROM_SERVERS = {
    name: asset for name, asset in ASSETS.items() if isinstance(asset.source, Download | Bucket | HuggingFace | GitTree)
}


@contextmanager
def closed_door() -> Iterator[tuple[str, list[str]]]:
    """A proxy that lets nobody through and notes where they wanted to go."""
    wanted: list[str] = []

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted.append(urlsplit(self.path).hostname or "")
            self.send_error(404)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_CONNECT(self) -> None:
            wanted.append(self.path.partition(":")[0])
            self.send_error(403)

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}", wanted
        finally:
            http.shutdown()
            thread.join()


def hosts_of(asset: Asset) -> set[str]:
    match asset.source:
        case Download():
            return {urlsplit(url).hostname or "" for url in asset.source.urls}
        case Bucket():
            return {urlsplit(asset.source.uri).hostname or ""}
        case GitTree():
            return {urlsplit(asset.source.repository).hostname or ""}
        case _:
            return {"huggingface.co"}


def test_every_entry_plans_and_what_servers_have_is_asked_of_the_servers_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing leaves this machine: a proxy stands in the way, and what it was asked for shows who was meant."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    store = CacheStore(tmp_path / "cache", prepare=refuse)
    assert len(FROM_SERVERS) > 150
    with closed_door() as (proxy, wanted):
        line = Line(
            environment={"http_proxy": proxy, "https_proxy": proxy, "no_proxy": ""},
            credentials=NO_CREDENTIALS,
            attempts=1,
        )
        for name, asset in ASSETS.items():
            assert store.plan(asset, load_asset)[-1].asset is asset
            if name not in FROM_SERVERS:
                assert isinstance(asset.source, PypiPackage | Prepared | Scripted | UserSupplied), name
                continue
            wanted.clear()
            made = tmp_path / name
            made.mkdir()
            with pytest.raises(AssetError) as caught:
                fill(asset, made, replace(kit_for(tmp_path), line=line))
            assert "is not fetched" not in str(caught.value)
            assert set(wanted) == hosts_of(asset), name
            assert everything(made) == {}


@pytest.mark.parametrize(
    "source",
    [
        LocalPath(path=Path("/x")),
        Prepared(step="s", image="i", inputs=()),
        Scripted(image="i", commands=()),
        StandIn(of="x"),
        UserSupplied(how="ask"),
    ],
)
def test_what_is_not_fetched_is_refused(tmp_path: Path, source: LocalPath) -> None:
    with pytest.raises(AssetError, match="is not fetched"):
        fill(an_asset(source), tmp_path, kit_for(tmp_path))


PAGES = {
    "/plain.bin": b"plain",
    "/set.tar.gz": tarred(entry("top/a.bin", b"a"), entry("top/b.txt", b"b"), link("top/c", "a.bin"), compression="gz"),
    "/set.zip": zipped({"x/y.bin": b"y"}),
    "/list.json.gz": COMPRESSIONS["gz"](b"[1]"),
    "/evil.tar": tarred(entry("../evil", b"e")),
    "/with%20space": b"",
    "/page.html": b"<html>login</html>",
}


def download(server: Server, path: str, **fields: object) -> Download:
    return Download(**{"urls": (f"{server.address}{path}",), **fields})  # type: ignore[arg-type]


@pytest.fixture
def server() -> Iterator[Server]:
    """Some files."""
    with serving(lambda _: lambda path, __: Reply(PAGES[path]) if path in PAGES else None) as running:
        yield running


def test_a_file_gets_the_name_that_the_catalogue_says_or_its_own(tmp_path: Path, server: Server) -> None:
    for folder, files, name in (("one", (), "plain.bin"), ("two", ("model.onnx",), "model.onnx")):
        made = tmp_path / folder
        made.mkdir()
        known = fill(an_asset(download(server, "/plain.bin"), *files), made, kit_for(tmp_path))
        assert [(item.name, item.sha256) for item in known] == [(name, sha256(b"plain"))]
        assert (made / name).read_bytes() == b"plain"
    with pytest.raises(AssetError, match="would leave"):
        fill(an_asset(download(server, "/plain.bin"), "../evil"), tmp_path / "one", kit_for(tmp_path))


@pytest.mark.parametrize(
    ("path", "fields", "files_and_found"),
    [
        ("/set.tar.gz", {"unpack": True}, ((), ["top/a.bin", "top/b.txt"])),
        ("/set.tar.gz", {"unpack": True, "strip": 1}, ((), ["a.bin", "b.txt"])),
        ("/set.tar.gz", {"members": (Member(path="top/*.bin", name="m"),)}, ((), ["m/a.bin"])),
        ("/set.tar.gz", {"members": (Member(path="b.txt", name="b"),), "strip": 1, "unpack": True}, ((), ["b"])),
        ("/set.zip", {"unpack": True}, ((), ["x/y.bin"])),
        ("/list.json.gz", {"unpack": True}, ((), ["list.json"])),
        ("/list.json.gz", {"unpack": True}, (("eval.json",), ["eval.json"])),
    ],
)
def test_archives_are_unpacked_as_the_catalogue_says(
    tmp_path: Path,
    server: Server,
    path: str,
    fields: dict[str, object],
    files_and_found: tuple[tuple[str, ...], list[str]],
) -> None:
    files, found = files_and_found
    made = tmp_path / "made"
    made.mkdir()
    known = fill(an_asset(download(server, path, **fields), *files), made, kit_for(tmp_path))
    assert lines_of(everything(made)) == found
    assert sorted(item.name for item in known) == found


def test_a_hostile_archive_and_a_page_in_place_of_an_archive_leave_nothing(tmp_path: Path, server: Server) -> None:
    made = tmp_path / "made"
    made.mkdir()
    for path, fault in (("/evil.tar", "would leave"), ("/page.html", "not a readable archive")):
        with pytest.raises(AssetError, match=fault):
            fill(an_asset(download(server, path, unpack=True)), made, kit_for(tmp_path))
    assert everything(made) == {}


def test_an_entry_without_an_address_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="'an-asset' has no address"):
        fill(an_asset(Download(urls=())), tmp_path, kit_for(tmp_path))


def test_a_signature_in_an_address_is_not_shown(tmp_path: Path, server: Server) -> None:
    said: list[str] = []
    made = tmp_path / "made"
    made.mkdir()
    fill(an_asset(download(server, "/plain.bin?signature=a-secret-of-the-url")), made, kit_for(tmp_path, said))
    assert said
    assert "a-secret" not in " ".join(said)
    with pytest.raises(AssetError) as caught:
        fill(an_asset(download(server, "/none?signature=a-secret-of-the-url")), made, kit_for(tmp_path, said))
    assert "a-secret" not in f"{caught.value} {caught.value.hint} {said}"


def test_pinned_hashes_are_enforced_and_estimates_are_not(tmp_path: Path, server: Server) -> None:
    made = tmp_path / "made"
    made.mkdir()
    for fields in ({"sha256": "0" * 64}, {"md5": "0" * 32}, {"size_bytes": 77}):
        with pytest.raises(AssetError):
            fill(an_asset(download(server, "/plain.bin", **fields)), made, kit_for(tmp_path))
    assert everything(made) == {}
    asset = replace(an_asset(download(server, "/plain.bin", size_bytes=77, md5=md5(b"plain"))), size_estimated=True)
    assert fill(asset, made, kit_for(tmp_path))


def test_through_the_store_a_hash_that_the_catalogue_pins_for_the_file_is_enforced(
    tmp_path: Path, server: Server
) -> None:
    source = download(server, "/set.tar.gz", unpack=True, strip=1)
    good = replace(an_asset(source), files=(AssetFile(name="a.bin", sha256=sha256(b"a")), AssetFile(name="b.txt")))
    bad = replace(good, files=(AssetFile(name="a.bin", sha256="0" * 64),))
    store = CacheStore(tmp_path / "cache", prepare=refuse, line=kit_for(tmp_path).line)
    with pytest.raises(AssetError, match=f"expected sha256 {'0' * 64}, found {sha256(b'a')}"):
        store.ensure(store.plan(bad, load_asset)[0], say=lambda _: None)
    ready = store.ensure(store.plan(good, load_asset)[0], say=lambda _: None)
    assert [item.name for item in ready.files] == ["a.bin", "b.txt", "c"]
    assert (ready.path / "c").read_bytes() == b"a"
