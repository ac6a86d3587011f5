"""Ask the user's git about a repository: tracked files of a commit and their bytes. Changes no work tree."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from orchestrator.host.process import Completed, end_group, run, spawn

LINK, SUBMODULE, EXECUTABLE = "120000", "160000", "100755"
NOT_FOUND = 127
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Tracked:
    """A tracked file: its mode (`LINK`, `SUBMODULE`, `EXECUTABLE` or a plain file's), its object, its path."""

    mode: str
    name: str
    path: str


class Blob:
    """The bytes of an object, read as they come; `missing` when the repository does not hold it."""

    def __init__(self, source: IO[bytes] | None, size_bytes: int) -> None:
        self._source, self._left = source, size_bytes
        self.size_bytes = size_bytes

    @property
    def missing(self) -> bool:
        """Whether there is no such object here, or it is no file."""
        return self._source is None

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes (all: -1); empty at the end. EOFError when git ended before."""
        wanted = self._left if size < 0 else min(size, self._left)
        if self._source is None or not wanted:
            return b""
        piece = self._source.read(wanted)
        if len(piece) < wanted:
            raise EOFError("git ended in the middle of a file")
        self._left -= wanted
        return piece


def argv(folder: Path, *words: str) -> tuple[str, ...]:
    """A git command on a folder that the user named: its owner may be anybody, and nothing is written into it."""
    # optional locks would write into the clone
    guards = ("--no-optional-locks", "-c", "safe.directory=*", "-c", "core.quotePath=false")
    return ("git", *guards, "-C", str(folder), *words)


def git(
    folder: Path,
    *words: str,
    environment: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout_s: float | None = 120,
) -> Completed:
    """Run git in a folder; code 127 when there is no git."""
    # Of the caller's own git variables none may lead elsewhere.
    surroundings = {"LC_ALL": "C", **(environment or {})}
    return run(argv(folder, *words), environment=surroundings, stdin=stdin, timeout_s=timeout_s)


def tracked(listing: str) -> list[Tracked]:
    """What `ls-tree -r -z` or `ls-files -z --stage` printed."""
    found = []
    for line in filter(None, listing.split("\0")):
        fields, _, path = line.partition("\t")
        words = fields.split()
        # a tree's lines have the type second, an index's the object
        found.append(Tracked(words[0], words[2] if words[1] in {"blob", "commit", "tree"} else words[1], path))
    return found


@contextmanager
def blobs(folder: Path, names: Sequence[str]) -> Iterator[Iterator[Blob]]:
    """The objects of those names, in that order; each is to be read before the next is asked for."""
    with tempfile.TemporaryFile() as asked:
        asked.write("".join(f"{name}\n" for name in names).encode())
        asked.seek(0)
        child = spawn(argv(folder, "cat-file", "--batch"), stdin=asked.fileno())
        assert child.stdout is not None  # noqa: S101 - spawn pipes it
        try:
            # unbuffered as spawn gives it, a read may bring less than asked for
            yield _read(io.BufferedReader(child.stdout, _PIECE_BYTES), len(names))  # type: ignore[type-var]
        finally:
            end_group(child, grace_s=0.0)
            child.stdout.close()


def _read(source: IO[bytes], count: int) -> Iterator[Blob]:
    for _ in range(count):
        words = source.readline().split()
        if len(words) != 3 or words[1] != b"blob" or not words[2].isdigit():
            yield Blob(None, 0)
            if len(words) != 2:  # anything but `NAME missing`: what follows cannot be told
                return
            continue
        blob = Blob(source, int(words[2]))
        yield blob
        while blob.read(_PIECE_BYTES):
            continue
        source.read(1)  # the line's end after each object
