"""Hash many files with all processors: big ones in threads, crowds of small ones in processes of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from orchestrator.host import hash_worker
from orchestrator.host.hash_worker import sha256_names
from orchestrator.host.process import run

_BIG_BYTES = 1 << 20  # above this the interpreter's lock does not matter: hashing lets go of it
_CROWD = 4000  # below this many small files, starting processes costs more than it saves
_SHARES_EACH = 4
Done = Callable[[int], None]


def sha256_files(folder: Path, sizes: Mapping[str, int], *, done: Done | None = None) -> dict[str, str]:
    """Hex sha256 by name (relative to the folder); `-` and the reason for a file that cannot be read.

    `sizes`: names and their bytes, only to share the work out. `done` is told bytes as they are hashed, from one
    thread.
    """
    processors = len(os.sched_getaffinity(0))
    small = [name for name, size in sizes.items() if size <= _BIG_BYTES]
    big = sorted((name for name, size in sizes.items() if size > _BIG_BYTES), key=lambda name: -sizes[name])
    crowd = processors > 1 and len(small) >= _CROWD and bool(sys.executable)
    shares = _shares(small, _SHARES_EACH * processors if crowd else 1)
    found: dict[str, str] = {}
    with ThreadPoolExecutor(processors, thread_name_prefix="hash") as pool:
        tasks: dict[Future[dict[str, str]], int] = {pool.submit(_here, folder, [name]): sizes[name] for name in big}
        for names in shares:
            task = pool.submit(_apart if crowd else _here, folder, names)
            tasks[task] = sum(sizes[name] for name in names)
        for task in as_completed(tasks):
            found.update(task.result())
            if done is not None:
                done(tasks[task])
    return found


def _here(folder: Path, names: Sequence[str]) -> dict[str, str]:
    return dict(zip(names, sha256_names([os.fsencode(folder / name) for name in names]), strict=True))


def _apart(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """The same in a bare interpreter of its own; here after all when that fails."""
    argv = (sys.executable, "-I", "-S", hash_worker.__file__)
    ended = run(argv, cwd=folder, stdin=b"\0".join(os.fsencode(name) for name in names))
    lines = ended.stdout.splitlines()
    return dict(zip(names, lines, strict=True)) if len(lines) == len(names) else _here(folder, names)


def _shares(names: list[str], count: int) -> list[list[str]]:
    size = max(1, -(-len(names) // count))
    return [names[start : start + size] for start in range(0, len(names), size)]
