"""Locks between processes: flock where the file system has it, else a lease that its holder keeps alive.

A lock goes with its process, however that dies. Lock files stay: were one removed, two could hold the same lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.host.owner import boot_id, owner_label, owner_lives

HEARTBEAT_S = 10.0
STALE_S = 60.0  # a lease of another machine that was not renewed for so long has a dead holder
_POLL_S = 1.0
_NO_FLOCK = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_FREE = "free\n"


@contextmanager
def lock(path: Path, *, shared: bool = False, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock on a lock file; `waiting` is called once if another holds it. `shared`: together with other such.

    Where the file system has no flock a lease is held instead, and `shared` counts for nothing.
    """
    with _opened(path) as handle:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        taken = _take(handle, kind)
        if taken is None:
            with lease(path, waiting=waiting):
                yield
            return
        if not taken:
            if waiting is not None:
                waiting()
            fcntl.flock(handle, kind)
        yield


@contextmanager
def attempt(path: Path) -> Iterator[bool]:
    """Hold a lock if nobody else does; yields whether that came about. Never waits."""
    with _opened(path) as handle:
        taken = _take(handle, fcntl.LOCK_EX)
        if taken is not None:
            yield taken
        elif _newest(path) is not None and not _is_free(path, _Watch()):
            yield False
        else:
            with lease(path):
                yield True


def is_held(path: Path) -> bool:
    """Whether anybody holds this lock now; no lock file, nobody."""
    if not path.is_file():
        return False
    try:
        with attempt(path) as free:
            return not free
    except OSError:
        return False  # what we may not even open, nobody of us holds


@contextmanager
def lease(path: Path, *, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold `<path>.lease-<n>`, a file that names its holder and whose time is renewed every 10 s.

    The highest number counts. Who finds it free or its holder dead makes the next one, which only one can. A holder on
    this machine is looked up; one elsewhere is dead when 60 s of ours pass without a renewal.
    """
    mine = _acquire(path, waiting)
    over = threading.Event()

    def renew() -> None:
        while not over.wait(HEARTBEAT_S):
            with suppress(OSError):
                os.utime(mine)

    heart = threading.Thread(target=renew, name=f"lease of {path.name}", daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()
        _release(mine)


def _acquire(path: Path, waiting: Callable[[], None] | None) -> Path:
    watch, told = _Watch(), False
    while True:
        newest = _newest(path)
        if newest is None or _is_free(path, watch):
            mine = _numbered(path, (newest or 0) + 1)
            if not _create(mine):
                continue
            if _newest(path) == _number(mine):
                _forget_older(path, mine)
                return mine
            mine.unlink(missing_ok=True)  # others went on from what we had read of old: the highest number counts
            continue
        if not told and waiting is not None:
            waiting()
        told = True
        time.sleep(_POLL_S)


class _Watch:
    """What was last seen of a lease, and since when (our own clock) it has not changed."""

    def __init__(self) -> None:
        self._seen: tuple[int, int] | None = None
        self._since = 0.0

    def unchanged_s(self, number: int, mtime_ns: int) -> float:
        """Seconds for which this lease has not been renewed, as far as we have watched."""
        now = time.monotonic()
        if self._seen != (number, mtime_ns):
            self._seen, self._since = (number, mtime_ns), now
        return now - self._since


def _is_free(path: Path, watch: _Watch) -> bool:
    """Whether the newest lease was given back, or its holder is dead."""
    number = _newest(path)
    if number is None:
        return True
    file = _numbered(path, number)
    try:
        text, mtime_ns = file.read_text(encoding="utf-8"), file.stat().st_mtime_ns
    except OSError:
        return False  # changing under our eyes: look again
    if text == _FREE:
        return True
    host, _, owner = text.strip().partition(" ")
    if host == socket.gethostname() and owner.partition(":")[0] == boot_id():
        return not owner_lives(owner)
    return watch.unchanged_s(number, mtime_ns) > STALE_S


def _create(file: Path) -> bool:
    """Make a lease in one step; False when somebody else was first."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w") as opened:
        opened.write(_holder())
    return True


def _release(file: Path) -> None:
    """Give a lease back: it stays, marked as free, so that its number is never used again."""
    with suppress(OSError):
        temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
        temporary.write_text(_FREE, encoding="utf-8")
        temporary.replace(file)


def _holder() -> str:
    return f"{socket.gethostname()} {owner_label()}\n"


def _forget_older(path: Path, mine: Path) -> None:
    for number in _numbers(path):
        if number < _number(mine):
            _numbered(path, number).unlink(missing_ok=True)


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.lease-{number}")


def _number(file: Path) -> int:
    return int(file.name.rpartition("-")[2])


def _numbers(path: Path) -> list[int]:
    prefix = f"{path.name}.lease-"
    ends = (file.name.removeprefix(prefix) for file in path.parent.iterdir() if file.name.startswith(prefix))
    return [int(end) for end in ends if end.isdigit()]


def _newest(path: Path) -> int | None:
    return max(_numbers(path), default=None)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The lock file, made where it is not; another user's may be locked though it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
    except PermissionError:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _take(handle: int, kind: int) -> bool | None:
    """Try without waiting; None where the file system has no such locks."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_FLOCK:
            return None
        raise
    return True
