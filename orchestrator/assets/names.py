"""Names of files as servers tell them: which are wanted, and what they become in an asset's folder. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from orchestrator.assets.archive_guard import safe_name
from orchestrator.errors import AssetError

_SHOWN = 5


def chosen(names: Sequence[str], wanted: Sequence[str], left_out: Sequence[str] = (), *, label: str) -> tuple[str, ...]:
    """The names that match one of `wanted` (all, where it is empty) and none of `left_out`, sorted.

    Globs as the hub's library has them: `*` also stands for `/`, and what ends with `/` is a folder. AssetError for a
    wanted glob that matches nothing.
    """
    for glob in wanted:
        if not any(_matches(name, glob) for name in names):
            raise AssetError(
                f"{label} has nothing that matches '{glob}' (there: {some(names)})",
                hint="the catalogue entry's `paths` and what is published disagree",
            )
    found = tuple(
        sorted(
            name
            for name in names
            if (not wanted or any(_matches(name, glob) for glob in wanted))
            and not any(_matches(name, glob) for glob in left_out)
        )
    )
    if not found:
        raise AssetError(f"{label} holds no file" + (" that is wanted" if names else ""))
    return found


def placed(names: Iterable[str], strip: int, *, label: str) -> dict[str, str]:
    """What each name becomes without its `strip` leading folders; AssetError for a name that is not safe or double."""
    found: dict[str, str] = {}
    taken: dict[str, str] = {}
    for name in names:
        parts = safe_name(name, label=label).parts
        if len(parts) <= strip:
            raise AssetError(f"'{name}' of {label} has no {strip} leading folders that could be left out")
        place = "/".join(parts[strip:])
        if place in taken:
            raise AssetError(f"'{name}' and '{taken[place]}' of {label} would both become '{place}'")
        taken[place] = name
        found[name] = place
    return found


def some(names: Iterable[str]) -> str:
    """A few of the names, for a message."""
    listed = sorted(names)
    shown = ", ".join(listed[:_SHOWN])
    return f"{shown} and {len(listed) - _SHOWN:,} more" if len(listed) > _SHOWN else shown or "nothing"


def _matches(name: str, glob: str) -> bool:
    return fnmatchcase(name, f"{glob}*" if glob.endswith("/") else glob)
