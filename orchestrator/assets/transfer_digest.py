"""Hash a file while it grows: each hash in a thread of its own, close behind what has come. Writes nothing.

It reads what was just written, which is still in memory, so the disk is not asked a second time.
"""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

_BLOCK_BYTES = 1 << 20


class Digest:
    """One hash of a file's first bytes; `advance` says how many of them are final."""

    def __init__(self, kind: str, path: Path) -> None:
        self._hash = hashlib.new(kind, usedforsecurity=False)
        self._path = path
        self._news = threading.Condition()
        self._end = 0
        self._over = self._abandoned = False
        self._fault: OSError | None = None
        self._thread = threading.Thread(target=self._follow, name=f"hash-{kind}", daemon=True)
        self._thread.start()

    def advance(self, end: int) -> None:
        """So many bytes from the beginning are there to stay."""
        with self._news:
            if end > self._end:
                self._end = end
                self._news.notify()

    def result(self, size: int) -> str:
        """The hash of the file, which has `size` bytes; waits for it. OSError when it could not be read."""
        with self._news:
            self._end, self._over = max(size, self._end), True
            self._news.notify()
        self._thread.join()
        if self._fault is not None:
            raise self._fault
        return self._hash.hexdigest()

    def stop(self) -> None:
        """Nobody wants the hash any more."""
        with self._news:
            self._abandoned = self._over = True
            self._news.notify()
        self._thread.join()

    def _follow(self) -> None:
        try:
            with self._path.open("rb", buffering=0) as file:
                self._take(file.fileno())
        except OSError as error:
            self._fault = error

    def _take(self, handle: int) -> None:
        at, block = 0, memoryview(bytearray(_BLOCK_BYTES))
        while (end := self._more_than(at)) > at:
            while at < end and not self._abandoned:
                count = os.preadv(handle, [block[: min(_BLOCK_BYTES, end - at)]], at)
                if count == 0:
                    raise OSError(0, "the file became shorter while it was read", str(self._path))
                self._hash.update(block[:count])
                at += count

    def _more_than(self, at: int) -> int:
        """Wait until more is there, or it is over; how much."""
        with self._news:
            self._news.wait_for(lambda: self._end > at or self._over)
            return at if self._abandoned else self._end


class Digests:
    """The hashes of one file: sha256 always, md5 where it is wanted."""

    def __init__(self, path: Path, *, md5: bool) -> None:
        self._kinds = ("sha256", "md5") if md5 else ("sha256",)
        self._path = path
        self._running = {kind: Digest(kind, path) for kind in self._kinds}

    def advance(self, end: int) -> None:
        """So many bytes from the beginning are there to stay."""
        for digest in self._running.values():
            digest.advance(end)

    def results(self, size: int) -> dict[str, str]:
        """Hex digits by kind, when all `size` bytes are hashed."""
        return {kind: digest.result(size) for kind, digest in self._running.items()}

    def start_again(self) -> None:
        """The file begins anew."""
        self.stop()
        self._running = {kind: Digest(kind, self._path) for kind in self._kinds}

    def stop(self) -> None:
        """End the threads."""
        for digest in self._running.values():
            digest.stop()
