"""Locks between processes, with flock and, where a file system has none, with leases."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from orchestrator.host import locks
from orchestrator.host.locks import attempt, is_held, lease, lock
from tests.unit.cache_ground import another_user

HOLDS = """
import errno, fcntl, sys, time
from pathlib import Path
from orchestrator.host.locks import lock
if sys.argv[2] == "lease":
    def refused(*_): raise OSError(errno.ENOLCK, "no locks")
    fcntl.flock = refused
with lock(Path(sys.argv[1]), shared="shared" in sys.argv):
    print("held", flush=True)
    time.sleep(600)
"""
COUNTS = """
import errno, fcntl, sys
from pathlib import Path
from orchestrator.host import locks
def refused(*_): raise OSError(errno.ENOLCK, "no locks")
fcntl.flock = refused
locks._POLL_S = 0.001
counter = Path(sys.argv[2])
for _ in range(30):
    with locks.lock(Path(sys.argv[1])):
        counter.write_text(str(int(counter.read_text()) + 1))
"""


@pytest.fixture(params=["flock", "lease"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "lease":

        def refused(*_: object) -> None:
            raise OSError(errno.ENOLCK, "no locks")

        monkeypatch.setattr(fcntl, "flock", refused)
        monkeypatch.setattr(locks, "_POLL_S", 0.01)
    return str(request.param)


def holder(path: Path, *how: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(path), *how], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_is_seen_by_others_and_goes_with_a_killed_holder(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "one.lock"
    assert not is_held(path)
    with holder(path, kind) as process:
        assert is_held(path)
        with attempt(path) as had:
            assert not had
        told: list[str] = []

        def waiting() -> None:
            told.append("waiting")
            process.kill()
            process.wait()

        with lock(path, waiting=waiting), attempt(path) as had:
            assert not had
        assert told == ["waiting"]
    assert not is_held(path)
    with attempt(path) as had:
        assert had


def test_a_lock_that_was_given_back_is_free(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "one.lock"
    for _ in range(3):
        with lock(path, waiting=lambda: pytest.fail(f"{kind} was not given back")):
            pass
    assert not is_held(path)


def test_shared_holders_keep_others_out_but_not_one_another(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    with holder(path, "flock", "shared") as process:
        with lock(path, shared=True, waiting=lambda: pytest.fail("it is shared")), attempt(path) as had:
            assert not had
        assert is_held(path)
        process.kill()


def test_a_body_s_error_is_not_taken_for_a_file_system_without_locks(tmp_path: Path, kind: str) -> None:
    with pytest.raises(OSError, match=kind), lock(tmp_path / "one.lock"):
        raise OSError(errno.ENOLCK, kind)
    assert not is_held(tmp_path / "one.lock")


def test_leases_exclude_one_another_whoever_comes_when(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    argv = [sys.executable, "-c", COUNTS, str(tmp_path / "one.lock"), str(counter)]
    processes = [subprocess.Popen(argv) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert counter.read_text() == "90"
    assert len(list(tmp_path.glob("one.lock.lease-*"))) == 1


def test_a_lease_of_another_machine_holds_while_it_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_POLL_S", 0.01)
    monkeypatch.setattr(locks, "STALE_S", 0.3)
    theirs = tmp_path / "one.lock.lease-7"
    theirs.write_text("elsewhere boot:1:1\n")
    over = threading.Event()
    renewed = 0

    def renew() -> None:
        nonlocal renewed
        while not over.wait(0.02):
            renewed += 1
            os.utime(theirs, ns=(renewed, renewed))

    heart = threading.Thread(target=renew)
    heart.start()
    begun = time.monotonic()
    threading.Timer(0.6, over.set).start()
    with lease(tmp_path / "one.lock"):
        assert over.is_set()
        assert time.monotonic() - begun >= 0.6
        assert not theirs.exists()
    heart.join()


def test_a_lock_file_of_another_user_s_can_be_taken_though_not_written(tmp_path: Path) -> None:
    path = tmp_path / "one.lock"
    path.touch(mode=0o644)
    with another_user(tmp_path), lock(path):
        assert is_held(path)
