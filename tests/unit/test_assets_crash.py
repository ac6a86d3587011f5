"""Whatever dies when: an asset is there whole or not at all, and two processes fetch it once."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.assets.store import CacheStore
from orchestrator.assets.workspace import workspace
from orchestrator.domain.asset import Asset, PlannedAsset
from orchestrator.host.owner import boot_id, owner_label
from tests.unit.assets_wheels import MODEL, Wheel, make_wheel, packaged, pip_environment, refuse, silent

ROOT = Path(__file__).parents[2]

# A process that ensures the asset and kills itself at its n-th change to the file system (0: never).
CHILD = """
import os, signal, sys
from pathlib import Path
from orchestrator.assets.store import CacheStore
from tests.unit.assets_wheels import Wheel, packaged, pip_environment, refuse

links, cache, digest, last = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
wheel = Wheel(next(links.glob("*.whl")), digest)
store = CacheStore(cache, prepare=refuse, environment=pip_environment(links, cache.parent / "pip.log"))
planned = store.plan(packaged(wheel), lambda name: sys.exit(name))
seen = 0

def watch(event, arguments):
    global seen
    changes = event in {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.link"}
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if changes or writes:
        seen += 1
        if seen == last:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
ready = store.ensure(planned[0], say=lambda line: print(line, flush=True))
print("fetched" if ready.fetched else "found", flush=True)
"""


@pytest.fixture
def wheel(tmp_path: Path) -> Wheel:
    return make_wheel(tmp_path / "links", {"pkg/model.bin": MODEL})


def child(wheel: Wheel, cache: Path, last: int = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(wheel.path.parent), str(cache), wheel.sha256, str(last)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def store_on(cache: Path, wheel: Wheel) -> tuple[CacheStore, PlannedAsset]:
    store = CacheStore(cache, prepare=refuse, environment=pip_environment(wheel.path.parent))
    return store, store.plan(packaged(wheel), no_catalogue)[0]


def no_catalogue(name: str) -> Asset:
    raise AssertionError(name)


def whole_or_nothing(cache: Path, wheel: Wheel) -> bool:
    """Whether the asset is there; fails when it is there in part."""
    store, planned = store_on(cache, wheel)
    if planned.present:
        assert (store.ensure(planned, say=silent).path / "model.bin").read_bytes() == MODEL
    else:
        assert not planned.path.exists()
    return planned.present


def tidy(cache: Path, wheel: Wheel) -> bool:
    """Whether the next uses leave no temporary folder; a pip whose parent was killed may still write for a while."""
    store, planned = store_on(cache, wheel)
    for _ in range(20):
        store.ensure(planned, say=silent)
        if not any((cache / "tmp").iterdir()):
            return True
        time.sleep(0.2)
    return False


def test_killed_at_any_change_to_the_file_system_it_leaves_all_or_nothing(tmp_path: Path, wheel: Wheel) -> None:
    seed = tmp_path / "seed"
    with child(wheel, seed) as first:
        assert b"fetched" in first.communicate()[0]
    blob = seed / "store" / "sha256" / wheel.sha256
    outcomes = []
    for last in range(1, 100):
        cache = tmp_path / f"cache{last}"
        (cache / "store" / "sha256").mkdir(parents=True)
        os.link(blob, cache / "store" / "sha256" / wheel.sha256)
        with child(wheel, cache, last) as process:
            process.communicate()
        outcomes.append(whole_or_nothing(cache, wheel))
        store, planned = store_on(cache, wheel)
        store.ensure(planned, say=silent)
        assert list((cache / "tmp").iterdir()) == []
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
    assert process.returncode == 0
    assert outcomes.count(False) > 10
    assert outcomes[-1]


def test_killed_at_random_moments_of_a_fetch_the_next_one_is_whole(tmp_path: Path, wheel: Wheel) -> None:
    chance = random.Random(20)  # noqa: S311 - moments, not secrets
    killed = 0
    for number in range(8):
        cache = tmp_path / f"cache{number}"
        with child(wheel, cache) as process:
            time.sleep(chance.uniform(0.05, 1.0))
            process.kill()
        killed += process.returncode == -signal.SIGKILL
        whole_or_nothing(cache, wheel)
        if number % 3 == 0:
            with child(wheel, cache) as again:
                assert again.communicate()[0].strip().endswith((b"fetched", b"found"))
            assert whole_or_nothing(cache, wheel)
            assert tidy(cache, wheel)
    assert killed


def test_processes_at_the_same_time_fetch_once(tmp_path: Path, wheel: Wheel) -> None:
    cache = tmp_path / "cache"
    children = [child(wheel, cache) for _ in range(3)]
    said = [process.communicate()[0].decode() for process in children]
    assert [process.returncode for process in children] == [0, 0, 0], said
    assert sorted(text.split()[-1] for text in said) == ["fetched", "found", "found"]
    assert (tmp_path / "pip.log").read_text().count("Saved ") == 1
    assert any("waiting for another process" in text for text in said)


def test_leftovers_of_dead_owners_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    host, mine = socket.gethostname(), owner_label().replace(":", "_")
    dead = f"{boot_id()}_999999999_1"
    gone = [f"a~{host}~{mine}~1", f"b~{host}~{dead}~2", f"a~elsewhere~{dead}~3"]
    stay = [f"b~{host}~{mine}~4", f"b~elsewhere~{dead}~5", "something else"]
    for name in (*gone, *stay):
        (tmp_path / name / "deep").mkdir(parents=True)
    with workspace(tmp_path, "a") as folder:
        assert list(folder.iterdir()) == []
        assert sorted(path.name for path in tmp_path.iterdir() if path != folder) == sorted(stay)
    assert not folder.exists()
