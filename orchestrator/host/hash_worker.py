"""A program of its own: NUL-separated file names on stdin, one line of hex sha256 (or `-` and why not) for each.

Started by host/hashing.py, in a bare interpreter, so it imports nothing but the standard library.
"""

from __future__ import annotations

import hashlib
import os
import sys

PIECE_BYTES = 1 << 18


def sha256_names(names: list[bytes]) -> list[str]:
    """Hex sha256 of each file, `-` and the reason where one cannot be read."""
    piece = memoryview(bytearray(PIECE_BYTES))
    pieces = [piece]
    found = []
    for name in names:
        try:
            handle = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            found.append(f"-{error.strerror}")
            continue
        try:
            digest = hashlib.sha256()
            while count := os.readv(handle, pieces):
                digest.update(piece[:count])
            found.append(digest.hexdigest())
        except OSError as error:
            found.append(f"-{error.strerror}")
        finally:
            os.close(handle)
    return found


if __name__ == "__main__":
    given = sys.stdin.buffer.read()
    sys.stdout.write("".join(f"{line}\n" for line in sha256_names(given.split(b"\0") if given else [])))
