"""Who used which asset when: one line for each use, written by the user of it; and who uses it now.

A line that cannot be read (a crash, a full disk) is passed over, never an error; nothing here is needed to run.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.assets.cache_layout import CacheLayout
from orchestrator.domain.canonical import canonical_json
from orchestrator.host.files import append_line, make_folder
from orchestrator.host.owner import owner_label, owner_lives

_TAIL_BYTES = 4096
_ELSEWHERE_FOR = timedelta(days=1)  # so long a use by another machine, whose processes we cannot see, counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One use: when (UTC, ISO 8601), the run's id, the process and machine that it belonged to."""

    when: str
    run: str
    owner: str
    host: str


def note_use(layout: CacheLayout, name: str, key: str, *, run: str, when: str) -> None:
    """Add a line; in a cache that cannot be written, say nothing and do nothing."""
    path = layout.uses(name, key)
    use = Use(when=when, run=run, owner=owner_label(), host=socket.gethostname())
    with suppress(OSError):
        make_folder(path.parent)
        append_line(path, canonical_json(use))


def uses_of(path: Path, *, whole: bool = True) -> tuple[Use, ...]:
    """What a file of uses says, oldest first; the last few lines where not the `whole` is asked for."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not whole and size > _TAIL_BYTES:
                file.seek(size - _TAIL_BYTES)
            lines = file.read().splitlines()
    except OSError:
        return ()
    return tuple(use for line in lines if (use := _decode(line)) is not None)


def in_use(uses: tuple[Use, ...], now: datetime) -> str | None:
    """The run that uses it now, as far as can be told: its process lives here, or began elsewhere within a day."""
    host = socket.gethostname()
    for use in reversed(uses):
        if use.host == host:
            if owner_lives(use.owner):
                return use.run
        elif (began := moment(use.when)) is not None and now - began < _ELSEWHERE_FOR:
            return f"{use.run} (on {use.host})"
    return None


def any_in_use(layout: CacheLayout, now: datetime) -> str | None:
    """A run that uses anything of this cache now: then what drivers keep is left alone, too."""
    for path in _files(layout.root / "uses"):
        if (run := in_use(uses_of(path), now)) is not None:
            return run
    return None


def moment(text: str) -> datetime | None:
    """A time out of a file, None where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _files(folder: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from sorted(folder.glob("*/*.jsonl"))


def _decode(line: bytes) -> Use | None:
    try:
        match json.loads(line):
            case {"when": str(when), "run": str(run), "owner": str(owner), "host": str(host)} if moment(when):
                return Use(when=when, run=run, owner=owner, host=host)
    except (ValueError, RecursionError):
        return None
    return None
