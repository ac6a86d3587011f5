"""What test_cache_crash.py kills: a process that has one asset, fetched from a web server or prepared here.

Usage: python -m tests.unit.killed_cache CACHE NAME ADDRESS
"""

from __future__ import annotations

import hashlib
import io
import random
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.assets.store import CacheStore
from orchestrator.domain.asset import Asset, AssetFile, AssetKind, Layout, PreparationJob
from orchestrator.domain.ports import Say
from orchestrator.domain.source import Download, Prepared
from tests.unit.cache_ground import plan

_BYTES = random.Random(1)  # noqa: S311 - content, not secrets
BIG = _BYTES.randbytes(2_000_000)
MEMBERS = {f"crowd/{number:03}.bin": _BYTES.randbytes(8_000) for number in range(120)}
MADE = {f"part{number % 3}/{number}": b"%d" % number * 400 for number in range(60)}


def _packed() -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as opened:
        for name, content in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return raw.getvalue()


CROWD = _packed()


def _file(address: str) -> Asset:
    """One file, of which nobody publishes a hash."""
    source = Download(urls=(f"{address}/big.bin",), size_bytes=len(BIG))
    return Asset(name="file", kind=AssetKind.MODEL, source=source, files=(AssetFile(name="model.bin"),), licence="none")


def _archive(address: str) -> Asset:
    """A pinned archive of many files."""
    digest = hashlib.sha256(CROWD).hexdigest()
    source = Download(urls=(f"{address}/crowd.tar",), sha256=digest, size_bytes=len(CROWD), unpack=True, strip=1)
    layout = (Layout(pattern="*.bin", count=len(MEMBERS)),)
    return Asset(name="archive", kind=AssetKind.DATASET, source=source, layout=layout, licence="none")


def _prepared(_address: str) -> Asset:
    """What a step makes, slowly."""
    source = Prepared(step="slow", image="none", inputs=())
    return Asset(name="prepared", kind=AssetKind.DATASET, source=source, licence="none")


ASSETS: dict[str, Callable[[str], Asset]] = {"file": _file, "archive": _archive, "prepared": _prepared}


def fetched(name: str) -> dict[str, bytes]:
    """The files that must come out."""
    return {
        "file": {"model.bin": BIG},
        "archive": {member.removeprefix("crowd/"): content for member, content in MEMBERS.items()},
        "prepared": MADE,
    }[name]


def prepare(job: PreparationJob, *, say: Say) -> None:
    """Write one file after the other."""
    del say
    for name, content in MADE.items():
        (job.output / name).parent.mkdir(exist_ok=True)
        (job.output / name).write_bytes(content)
        time.sleep(0.005)


if __name__ == "__main__":
    store = CacheStore(Path(sys.argv[1]), prepare=prepare)
    wanted = plan(store, ASSETS[sys.argv[2]](sys.argv[3]))
    import orchestrator.assets.fetch
    import orchestrator.assets.web  # noqa: F401 - loaded before the clock runs

    sys.stdout.write("begins\n")
    sys.stdout.flush()
    store.ensure(wanted, say=lambda _: None, used_by="killed")
