"""Temporary folders beside the cache, named after their owner, so that what a dead one left can be told and removed."""

from __future__ import annotations

import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.host.files import make_folder
from orchestrator.host.owner import owner_label, owner_lives

_SEPARATOR = "~"


@contextmanager
def workspace(root: Path, purpose: str) -> Iterator[Path]:
    """An empty folder under `root` for one purpose, removed at the end; leftovers of dead owners go first.

    The caller holds the lock of the purpose: then any other folder of the same purpose is a leftover.
    """
    make_folder(root)
    remove_leftovers(root, purpose)
    parts = (purpose, socket.gethostname(), owner_label().replace(":", "_"), secrets.token_hex(4))
    folder = root / _SEPARATOR.join(parts)
    folder.mkdir(mode=0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(root: Path, purpose: str | None = None) -> None:
    """Remove what dead owners on this machine left, and all of one purpose (whose lock the caller then holds)."""
    for folder in leftovers(root, purpose):
        shutil.rmtree(folder, ignore_errors=True)


def leftovers(root: Path, purpose: str | None = None) -> tuple[Path, ...]:
    """What dead owners on this machine left, and all of one purpose; nothing where there is no such folder."""
    try:
        found = sorted(root.iterdir())
    except OSError:
        return ()
    return tuple(folder for folder in found if _is_leftover(folder.name, purpose))


def _is_leftover(name: str, purpose: str | None) -> bool:
    """Whose folder it is decides; another machine's (on a shared file system) is judged by its purpose only."""
    parts = name.split(_SEPARATOR)
    if len(parts) != 4:
        return False
    if parts[0] == purpose:
        return True
    return parts[1] == socket.gethostname() and not owner_lives(parts[2].replace("_", ":"))
