"""Read the small text files of /proc and /sys below a root folder. Missing or forbidden files are None, not errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REAL_ROOT = Path("/")


def read(root: Path, path: str) -> str | None:
    """Text of `path` (relative to the root) without surrounding blanks, or None when it cannot be read."""
    try:
        return (root / path).read_text(errors="replace").strip()
    except OSError:
        return None


def number(root: Path, path: str) -> int | None:
    """A decimal number in a file, or None when there is no such file or no number in it (`max`, for example)."""
    text = read(root, path)
    try:
        return int(text) if text else None
    except ValueError:
        return None


def children(root: Path, path: str, pattern: str = "*") -> tuple[Path, ...]:
    """Entries of a folder that match a pattern, sorted; empty when there is no such folder."""
    try:
        return tuple(sorted((root / path).glob(pattern)))
    except OSError:
        return ()


def numbers_in_list(text: str) -> tuple[int, ...]:
    """The kernel's list format: `0-3,8` is (0, 1, 2, 3, 8). What is not a number is left out."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit() and (last or first).isdigit():
            found.extend(range(int(first), int(last or first) + 1))
    return tuple(found)


def colon_fields(text: str) -> dict[str, str]:
    """`Name:   value` lines as a mapping (the first of equal names wins)."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class MountPoint:
    """One line of mountinfo: what part (`root`) of which file system is seen at `target`."""

    root: str
    target: str
    kind: str
    source: str
    options: frozenset[str]


def mount_points(root: Path = REAL_ROOT) -> Iterator[MountPoint]:
    """The mounts this process sees, in the order they were made (a later one hides an earlier one below it)."""
    for line in (read(root, "proc/self/mountinfo") or "").splitlines():
        place, dash, system = line.partition(" - ")
        fields, of_system = place.split(" "), system.split(" ")
        if dash and len(fields) >= 6 and len(of_system) >= 3:
            yield MountPoint(
                root=_unescaped(fields[3]),
                target=_unescaped(fields[4]),
                kind=of_system[0],
                source=_unescaped(of_system[1]),
                options=frozenset(of_system[2].split(",")),
            )


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
