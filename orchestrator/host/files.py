"""Files on the host: atomic writes, hashes, locks between processes. The only place that writes atomically."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PIECE_BYTES = 1 << 20


def write_atomic(path: Path, content: str | bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Replace a file's content in one step: readers see the old or the new, never a part.

    `durable` waits until it is on the disk; leave it out only where the next write makes this one obsolete.
    """
    raw = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def publish_tree(made: Path, final: Path) -> None:
    """Give a finished folder its final name in one step, durable on return: others see all of it or nothing.

    Both lie on one file system; OSError when something with files in it has the name already.
    """
    for path in (*tree_files(made), *(folder for folder in made.rglob("*") if folder.is_dir()), made):
        _sync(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    made.rename(final)
    _sync(final.parent)


def publish_file(made: Path, final: Path) -> None:
    """Give a finished file its final name in one step, replacing what had it; durable on return."""
    _sync(made)
    final.parent.mkdir(parents=True, exist_ok=True)
    made.replace(final)
    _sync(final.parent)


def sha256_file(path: Path) -> str:
    """sha256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_files(folder: Path) -> tuple[Path, ...]:
    """All regular files below a folder, sorted by their path relative to it."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return tuple(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))


@contextmanager
def lock(path: Path, *, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold an exclusive lock on a lock file, between processes (fcntl); `waiting` is called once if another holds it.

    The lock goes with the process, however it dies. The file itself stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting is not None:
                waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
