"""`scripts/check-assets`, the maintainers' look at links and sizes, against a web server on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.host import process
from orchestrator.host.process import Completed
from tests.unit.asset_shelf import Shelf, shelf

SCRIPT = Path(__file__).parents[2] / "scripts" / "check-assets"
COMMIT = "a" * 40


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shelf]:
    """A server with assets of every kind that can be asked for."""
    with shelf(tmp_path / "catalog") as found:
        found.file("whole", b"12345")
        found.file("shrunk", b"12345")
        found.put("/shrunk.json", b"1234")
        found.file("lost", b"12345")
        del found.files["/lost.json"]
        found.file("shut", b"12345")
        found.put("/shut.json", 403)
        gate = {"kind": "form", "text": "ask", "apply_at": found.put("/apply", b"form")}
        found.file("gated", b"12345", gate=gate)
        found.put("/gated.json", 401)
        found.entry("guessed", **_guessed(found))
        found.entry("heap", source={"kind": "bucket", "uri": _bucket(found, "heap", "a.json")}, size_bytes=5)
        found.entry(
            "hole",
            source={"kind": "bucket", "uri": _bucket(found, "hole", "a.json")},
            files=[{"name": "b.json"}],
            size_bytes=5,
        )
        hub = {"kind": "huggingface", "repository": "o/n", "repository_type": "dataset", "revision": COMMIT}
        found.entry("hub", source=hub, size_bytes=5)
        found.put(f"/api/datasets/o/n/revision/{COMMIT}", b"{}")
        tree = {"kind": "git", "repository": f"{found.base}/o/n", "commit": COMMIT}
        found.entry("tree", source=tree, size_bytes=5)
        found.put("/o/n", b"page")
        yield found


def _guessed(shop: Shelf) -> dict[str, Any]:
    url = shop.put("/guessed.json", b"123")
    return {
        "source": {"kind": "download", "urls": [url]},
        "files": [{"name": "guessed.json"}],
        "size_bytes": 1000,
        "size_estimated": True,
    }


def _bucket(shop: Shelf, name: str, file: str) -> str:
    md5 = hashlib.md5(b"{}", usedforsecurity=False).hexdigest()
    shop.put(f"/metadata/{name}.md5", f"{md5}  {file}\n".encode())
    return shop.put(f"/metadata/{name}.uri", f"{shop.base}/{name}".encode())


def check(shop: Shelf, *arguments: str) -> Completed:
    """Run the script on the catalogue of the shop, without a pause."""
    command = [sys.executable, str(SCRIPT), "--catalog", str(shop.catalog), "--pause", "0", *arguments]
    environment = {**os.environ, "HF_ENDPOINT": shop.base, "HOME": str(shop.catalog)}
    return process.run(command, environment=environment, timeout_s=60)


def test_what_is_as_the_catalogue_says_is_ok_and_nothing_is_fetched(shop: Shelf) -> None:
    done = check(shop, "whole", "heap", "hub", "tree", "guessed")
    assert done.ok, done.stderr
    assert done.stdout.splitlines() == [
        f"whole: ok: {shop.base}/whole.json, 5 bytes",
        f"heap: ok: {shop.base}/metadata/heap.uri, 1 files listed",
        f"hub: ok: {shop.base}/api/datasets/o/n/revision/{COMMIT}, 2 bytes",
        f"tree: ok: {shop.base}/o/n, 4 bytes",
        f"guessed: ok: {shop.base}/guessed.json, 3 bytes (estimated as 1,000)",
    ]
    assert "HEAD /whole.json" in shop.asked
    assert "GET /whole.json" not in shop.asked


def test_each_finding_is_a_line_and_ends_with_1(shop: Shelf) -> None:
    done = check(shop, "shrunk", "lost", "shut", "hole", "whole")
    assert done.code == 1
    assert done.stdout.splitlines() == [
        f"shrunk: size differs: {shop.base}/shrunk.json: the catalogue says 5 bytes, the server 4",
        f"lost: gone: {shop.base}/lost.json answers 404",
        f"shut: needs login: {shop.base}/shut.json answers 403",
        f"hole: gone: {shop.base}/metadata/hole.uri lists 1 files, but not b.json",
        f"whole: ok: {shop.base}/whole.json, 5 bytes",
    ]
    assert done.stderr.splitlines()[-1] == "4 findings"


def test_a_login_that_the_catalogue_knows_of_is_no_finding(shop: Shelf) -> None:
    done = check(shop, "gated", "--json")
    assert done.ok, done.stderr
    (one,) = json.loads(done.stdout)["assets"]
    assert (one["outcome"], one["finding"]) == ("needs login", False)
    assert [each["outcome"] for each in one["answers"]] == ["needs login", "ok"]


def test_a_server_that_does_not_answer_is_a_finding(shop: Shelf) -> None:
    source = {"kind": "download", "urls": ["http://127.0.0.1:9/x"], "sha256": "ab" * 32}
    shop.entry("dead", source=source, files=[{"name": "x"}], size_bytes=5)
    done = check(shop, "dead")
    assert done.code == 1
    assert done.stdout.startswith("dead: unreachable: http://127.0.0.1:9/x: ")


def test_what_is_made_here_or_comes_from_a_registry_is_not_asked_for(shop: Shelf) -> None:
    done = check(shop, "imagenet-20", "resnet8-cifar10-tflite")
    assert done.ok
    assert [line.split(": ")[1] for line in done.stdout.splitlines()] == ["not asked", "not asked"]
    assert shop.asked == []


def test_an_unknown_name_is_told_with_the_nearest(shop: Shelf) -> None:
    done = check(shop, "wholle")
    assert done.code == 2
    assert "unknown asset 'wholle'; did you mean 'whole'?" in done.stderr
