"""Random downloads through random faults, processes that die, processes at once: the store never holds a wrong file.

All 200 trials run under the marker `thorough`, every eighth always.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchestrator.assets.blobs import BlobStore
from orchestrator.assets.credentials import NO_CREDENTIALS
from orchestrator.assets.transfer import Expected, Line
from orchestrator.domain.ports import no_meter
from orchestrator.errors import AssetError
from orchestrator.host.files import sha256_file
from tests.unit.faulty_front import Front, front
from tests.unit.web_server import WebServer, web_server

ROOT = Path(__file__).parents[2]
PASSING = ("cut", "reset", "stall", "429", "503", "short")
HARMLESS = ("", "move", "tagless", "whole", "lie")
WRONG = ("wrong", "other", "404")


def seeds(count: int, every: int) -> list[object]:
    """Numbers of trials; each `every`-th is always run."""
    return [pytest.param(n, marks=() if n % every == 0 else pytest.mark.thorough) for n in range(count)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """One nginx for all trials."""
    with web_server(tmp_path_factory.mktemp("nginx")) as running:
        yield running


class Trial:
    """What one seed decides: the file, what is known of it, how it is fetched, what goes wrong."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311 - a trial, no secret
        most = rng.choice((1, 70_000, 1_000_000, 5_000_000))
        self.content = rng.randbytes(rng.randrange(most))
        self.other = rng.randbytes(len(self.content))
        self.sha256 = hashlib.sha256(self.content).hexdigest()
        md5 = hashlib.md5(self.content, usedforsecurity=False).hexdigest()
        size = rng.choice((None, len(self.content)))
        pins = [Expected(sha256=self.sha256, size_bytes=size), Expected(md5=md5), Expected(size_bytes=size)]
        self.expected = rng.choice(pins)
        self.line = Line(
            environment={"no_proxy": "*"},
            credentials=NO_CREDENTIALS,
            connect_s=5.0,
            silence_s=0.3,
            parts=rng.choice((1, 2, 4)),
            part_bytes=rng.choice((50_000, 300_000, 1 << 30)),
            first_wait_s=0.01,
        )
        kinds = (*PASSING, *HARMLESS, *(WRONG if self.expected.pinned else ("404",)))
        self.fronts = [self._faults(rng, kinds) for _ in range(rng.choice((1, 1, 2)))]
        self.always = [rng.choice(("", "", "", "", "503", "cut", "stall")) for _ in self.fronts]

    def _faults(self, rng: random.Random, kinds: tuple[str, ...]) -> list[str]:
        chosen = [rng.choice(kinds) for _ in range(rng.randrange(6))]
        with_number = {"cut", "reset", "stall", "wrong", "short", "lie"}
        waits = {"429", "503"}
        return [
            f"{kind} {rng.randrange(1, 300_000)}" if kind in with_number else f"{kind} 0" if kind in waits else kind
            for kind in chosen
        ]

    @property
    def must_work(self) -> bool:
        """Whether all that goes wrong is cured by trying again as often as is allowed."""
        kinds = [fault.split()[0] for fault in self.fronts[0] if fault]
        return not self.always[0] and not set(kinds) & set(WRONG) and sum(kind not in HARMLESS for kind in kinds) <= 2


@pytest.mark.parametrize("seed", seeds(200, every=8))
def test_a_random_download_ends_verified_or_with_a_clear_error(server: WebServer, tmp_path: Path, seed: int) -> None:
    trial = Trial(seed)
    place = f"trial-{seed}.bin"
    (server.files / place).write_bytes(trial.content)
    (server.files / f"{place}.other").write_bytes(trial.other)
    store = BlobStore(tmp_path)
    with ExitStack() as stack:
        fronts = [
            stack.enter_context(front(server.address, list(faults), always=always))
            for faults, always in zip(trial.fronts, trial.always, strict=True)
        ]
        worked = attempted(store, trial, fronts, place)
        assert worked or not trial.must_work
        check_store(tmp_path, trial)
        for one in fronts:
            one.faults, one.always = [], ""
        assert attempted(store, trial, fronts, place), "an earlier failure spoilt this try"
        check_store(tmp_path, trial)


def attempted(store: BlobStore, trial: Trial, fronts: list[Front], place: str) -> bool:
    """Fetch; whether it worked. What comes is right; an error says where and why, and shows no signature."""
    urls = tuple(f"{one.address}/{place}?signature=s3cret" for one in fronts)
    try:
        path, found = store.receive(
            urls, name=place, expected=trial.expected, line=trial.line, say=lambda _: None, meter=no_meter
        )
    except AssetError as error:
        assert all(one.address in error.cause for one in fronts), error.cause
        assert error.hint
        assert "s3cret" not in f"{error}{error.hint}"
        return False
    assert path.read_bytes() == trial.content
    assert (found.sha256, found.size_bytes) == (trial.sha256, len(trial.content))
    return True


def check_store(root: Path, trial: Trial) -> None:
    """What lies in the store is the right file under its own name, and nothing else."""
    blobs = [path for path in (root / "store" / "sha256").rglob("*") if path.is_file()]
    assert {path.name for path in blobs} <= {trial.sha256}
    assert all(sha256_file(path) == path.name for path in blobs)


# A process that fetches a file into a store and says what came.
CHILD = """
import sys
from pathlib import Path
from orchestrator.assets.blobs import BlobStore
from orchestrator.assets.credentials import NO_CREDENTIALS
from orchestrator.assets.transfer import Expected, Line

url, root, sha256, part_bytes = sys.argv[1:]
line = Line(environment={"no_proxy": "*"}, credentials=NO_CREDENTIALS, parts=3, part_bytes=int(part_bytes))
path, found = BlobStore(Path(root)).receive(
    (url,), name="weights", expected=Expected(sha256=sha256 if sha256 != "-" else None), line=line,
    say=lambda text: print(text, flush=True), meter=lambda what, done, total: print("so far", done, flush=True),
)
print("got", found.sha256, flush=True)
"""


def child(url: str, root: Path, sha256: str, *, part_bytes: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, url, str(root), sha256, str(part_bytes)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_processes_that_want_one_file_fetch_it_once(server: WebServer, tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    (server.files / "shared.bin").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    both = [child(f"{server.address}/slow/shared.bin", tmp_path, sha256, part_bytes=1 << 30) for _ in range(2)]
    said = [one.communicate(timeout=60)[0] for one in both]
    assert all(f"got {sha256}" in text for text in said), said
    assert len([line for line in server.asked() if "/slow/shared.bin" in line]) == 1


@pytest.mark.parametrize("seed", seeds(50, every=25))
def test_a_transfer_that_is_killed_is_continued_and_ends_right(server: WebServer, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - a trial, no secret
    content = rng.randbytes(6 << 20)
    (server.files / f"kill-{seed}.bin").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    url = f"{server.address}/drip/kill-{seed}.bin"
    killed = 0
    for _ in range(3):
        with child(url, tmp_path, sha256 if seed % 2 else "-", part_bytes=1 << 20) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.random() * 0.4)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        killed += process.returncode == -signal.SIGKILL
        blobs = [path for path in (tmp_path / "store" / "sha256").rglob("*") if path.is_file()]
        assert all(sha256_file(path) == path.name == sha256 for path in blobs)
    with child(url, tmp_path, sha256 if seed % 2 else "-", part_bytes=1 << 20) as process:
        heard = process.communicate(timeout=60)[0]
    assert f"got {sha256}" in heard
    assert "continuing after" in heard or killed < 3
    assert (tmp_path / "store" / "sha256" / sha256).read_bytes() == content
    assert not list((tmp_path / "partial").glob("*/content"))


def test_the_trials_that_always_run_hold_every_fault_and_enough_that_must_work() -> None:
    always_run = [Trial(seed) for seed in range(0, 200, 8)]
    faults = {fault.split()[0] for trial in always_run for faults in trial.fronts for fault in faults if fault}
    assert faults | {""} == {*PASSING, *HARMLESS, *WRONG}
    assert 8 <= sum(trial.must_work for trial in always_run) <= 20
