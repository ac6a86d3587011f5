"""kill -9 at random moments of a fetch from a real web server, or of a preparation: the next call completes it."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.assets.cache_verify import verify_blobs, verify_view
from orchestrator.assets.store import CacheStore
from tests.unit.cache_ground import layout, plan, silent
from tests.unit.killed_cache import ASSETS, BIG, CROWD, fetched, prepare
from tests.unit.web_server import WebServer, web_server

ROOT = Path(__file__).parents[2]
IN_CI, ALL = 3, 50
SEED = 20260101


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """What is fetched comes at some MB a second, so that there are moments to be killed in."""
    with web_server(tmp_path_factory.mktemp("nginx")) as found:
        (found.files / "big.bin").write_bytes(BIG)
        (found.files / "crowd.tar").write_bytes(CROWD)
        yield found


def child(cache: Path, name: str, address: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "tests.unit.killed_cache", str(cache), name, address]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def sound(cache: Path, name: str) -> None:
    """Whatever is there is whole, and no blob is wrong."""
    for found, key, path in layout(cache).views():
        checked = verify_view(layout(cache), found, key, catalogue=lambda _: None)
        assert checked.ok, (name, path, checked)
    checked = verify_blobs(layout(cache))
    assert checked.ok, (name, checked)


def trial(cache: Path, name: str, address: str, after_s: float) -> bool:
    """Kill one call after so long, then have it in peace; whether the first one was killed in the middle."""
    with child(cache, name, address) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begins\n"
        time.sleep(after_s)
        process.kill()
    killed = process.returncode == -signal.SIGKILL
    sound(cache, name)
    wanted = ASSETS[name](address)
    store = CacheStore(cache, prepare=prepare)
    there = plan(store, wanted).present
    ready = store.ensure(plan(store, wanted), say=silent)
    assert ready.fetched is not there
    expected = fetched(name)
    assert {file.name: file.sha256 for file in ready.files} == {
        file: hashlib.sha256(content).hexdigest() for file, content in expected.items()
    }
    sound(cache, name)
    assert list((cache / "tmp").iterdir()) == []
    assert not list(cache.glob("partial/*"))
    return killed and not there


def duration_s(cache: Path, name: str, address: str) -> float:
    """How long it takes in peace."""
    with child(cache, name, address) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begins\n"
        begun = time.monotonic()
        said = process.communicate()
    assert process.returncode == 0, said[1].decode()
    return time.monotonic() - begun


def killed_often(tmp_path: Path, server: WebServer, name: str, trials: int) -> None:
    chance = random.Random(f"{SEED}-{name}")  # noqa: S311 - moments, not secrets
    address = f"{server.address}/slow"
    whole_s = duration_s(tmp_path / "peace", name, address)
    broken_off = sum(
        trial(tmp_path / f"cache{number}", name, address, chance.uniform(0.0, whole_s)) for number in range(trials)
    )
    assert broken_off


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_killed_at_random_moments_the_next_call_completes_and_all_is_sound(
    tmp_path: Path, server: WebServer, name: str
) -> None:
    killed_often(tmp_path, server, name, IN_CI)


@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted(ASSETS))
def test_killed_at_fifty_random_moments_the_next_call_completes_and_all_is_sound(
    tmp_path: Path, server: WebServer, name: str
) -> None:
    killed_often(tmp_path, server, name, ALL)


def test_one_cache_survives_being_killed_again_and_again(tmp_path: Path, server: WebServer) -> None:
    """The same cache, several assets, never in peace until the end: what is resumed is what was there."""
    chance = random.Random(SEED)  # noqa: S311 - moments, not secrets
    cache = tmp_path / "cache"
    for _ in range(4):
        children = [child(cache, name, f"{server.address}/slow") for name in sorted(ASSETS)]
        time.sleep(chance.uniform(0.3, 0.9))
        for process in children:
            process.kill()
            process.communicate()
        sound(cache, "all")
    store = CacheStore(cache, prepare=prepare)
    for name in sorted(ASSETS):
        assert len(store.ensure(plan(store, ASSETS[name](f"{server.address}/slow")), say=silent).files) == len(
            fetched(name)
        )
    sound(cache, "all")
    assert list((cache / "tmp").iterdir()) == []
    assert list((cache / "partial").iterdir()) == []
