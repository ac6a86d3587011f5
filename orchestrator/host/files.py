"""Files on the host: atomic writes, trees published in one step, hashes. The only place that writes atomically."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from orchestrator.host.locks import lock

__all__ = (
    "append_line",
    "lock",
    "make_folder",
    "publish_file",
    "publish_tree",
    "sha256_file",
    "tree_files",
    "tree_stats",
    "write_atomic",
)

_MANY_FILES = 512  # from here on one flush of everything is cheaper than one for each file


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
    files = tree_files(made)
    if len(files) >= _MANY_FILES:
        os.sync()
    else:
        for path in (*files, *(folder for folder in made.rglob("*") if folder.is_dir()), made):
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


def append_line(path: Path, line: str) -> None:
    """Add one line to a file that several processes add to, in one write."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o664)
    try:
        os.write(handle, f"{line}\n".encode())
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, readable for all whatever the umask; a group's folder stays the group's.

    What is there already is left as it is.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        above = folder.parent.stat().st_mode
        shared = above & (stat.S_ISGID | stat.S_IWGRP) if above & stat.S_ISGID else 0
        try:
            folder.mkdir()
        except FileExistsError:
            if not folder.is_dir():
                raise
            continue
        folder.chmod(0o755 | shared)


def sha256_file(path: Path) -> str:
    """sha256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_files(folder: Path) -> tuple[Path, ...]:
    """All regular files below a folder that may be read, sorted by their path relative to it."""
    return tuple(folder / name for name in sorted(name for name, _ in tree_stats(folder, strict=False)))


def tree_stats(folder: Path, *, strict: bool = True) -> Iterator[tuple[str, os.stat_result]]:
    """Name relative to the folder (POSIX) and facts of every regular file below it, in no order.

    A link counts as the file that it leads to; links to folders are not followed. `strict`: OSError for a folder that
    cannot be read, else it is passed over.
    """
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        try:
            with os.scandir(folder / prefix) as opened:
                entries = list(opened)
        except OSError as error:
            if strict and not isinstance(error, FileNotFoundError):
                raise
            continue
        for entry in entries:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                waiting.append(f"{name}/")
                continue
            try:
                if entry.is_file():
                    yield name, entry.stat()
            except FileNotFoundError:
                continue  # it went while we looked


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
