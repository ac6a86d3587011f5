"""What `cache` prints, and the sizes and ages that it is given. Decides nothing."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from orchestrator.cli import options
from orchestrator.cli.output import say, write_json, write_lines
from orchestrator.cli.progress import size as amount
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.assets.cache_entries import Entry
    from orchestrator.assets.cache_prune import Limits, Pruned, Usage
    from orchestrator.assets.cache_verify import Verified
    from orchestrator.controller.cache import Detail

_AGE = re.compile(r"^(\d+)\s*([mhdw])$")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SHOWN_KEY = 8
_SHOWN_FILES = 20


def kept_bytes(text: str | None, option: str) -> int | None:
    """`500G`, `0`: bytes."""
    return 0 if text is not None and text.strip() == "0" else options.size_bytes(text, option)


def age(text: str | None, option: str) -> timedelta | None:
    """`30d`, `12h`: a time."""
    if text is None:
        return None
    match = _AGE.match(text.strip())
    if match is None or len(match[1]) > 6:
        raise UsageError(f"{option} {text}: not an age", hint="write a number with m, h, d or w, for example 30d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def write_entries(entries: Iterable[Entry], *, as_json: bool) -> None:
    """All entries, the biggest first."""
    listed = sorted(entries, key=lambda entry: (-entry.size_bytes, entry.name, entry.key))
    if as_json:
        write_json({"schema_version": 1, "entries": listed})
        return
    if not listed:
        say("nothing is here yet; 'mlperf-docker datasets get NAME' has a data set")
        return
    columns = ("name", "key", "kind", "size", "files", "last use", "used by", "trust", "marks", "from")
    rows = [
        (
            entry.name,
            entry.key[:_SHOWN_KEY] or "-",
            entry.kind,
            amount(entry.size_bytes),
            str(entry.files),
            entry.last_used[:16].replace("T", " ") or "-",
            entry.used_by or "-",
            entry.trust,
            ", ".join(_marks(entry)) or "-",
            entry.origin,
        )
        for entry in listed
    ]
    _write_columns(columns, rows)


def write_details(found: Iterable[Detail], *, as_json: bool) -> None:
    """Entries with all their uses."""
    listed = list(found)
    if as_json:
        write_json({"schema_version": 1, "entries": listed})
        return
    for detail in listed:
        entry = detail.entry
        write_lines(
            [
                f"{entry.name}: {entry.kind}, {amount(entry.size_bytes)}, {entry.files} files",
                f"path: {entry.path}",
                f"key: {entry.key or '-'}",
                f"from: {entry.origin}; here since {entry.when or '?'}; trust: {entry.trust}",
                *(f"mark: {mark}" for mark in _marks(entry)),
                *(f"used: {use.when} by {use.run}" for use in detail.uses),
            ]
        )


def _write_columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Plain columns: rich would need seconds for a thousand rows. On a terminal lines end where it does."""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    most = get_terminal_size().columns if sys.stdout.isatty() else None
    write_lines([line[:most].rstrip() for line in lines])


def _marks(entry: Entry) -> list[str]:
    marks = ["pinned"] if entry.pinned else []
    marks += [f"in use by {entry.in_use}"] if entry.in_use else []
    marks += ["site"] if entry.site else []
    return [*marks, *([f"damaged: {entry.note}"] if entry.note else [])]


def write_usage(found: Usage, root: Path, *, as_json: bool) -> None:
    """Bytes on disk, by thing."""
    if as_json:
        write_json({"schema_version": 1, "root": root, "usage": found})
        return
    costs = sorted((*found.costs, *found.others), key=lambda cost: (-cost.size_bytes, cost.name))
    rows = [(cost.name, cost.kind, amount(cost.size_bytes), amount(cost.own_bytes)) for cost in costs]
    if rows:
        _write_columns(("what", "kind", "on disk", "its own"), rows)
    parts = (
        f"assets {amount(found.assets_bytes)}",
        f"drivers {amount(found.work_bytes)}",
        f"prunable at once {amount(found.rubbish_bytes)}",
        f"other {amount(found.other_bytes)}",
    )
    write_lines([f"{amount(found.total_bytes)} in {root} ({', '.join(parts)})"])


def write_pruned(pruned: Pruned, limits: Limits, *, dry_run: bool, as_json: bool) -> None:
    """What went, and what had to stay."""
    if as_json:
        write_json({"schema_version": 1, "dry_run": dry_run, "pruned": pruned})
        return
    word = "would remove" if dry_run else "removed"
    write_lines([f"{word} {one.name} ({one.kind}, frees {amount(one.freed_bytes)})" for one in pruned.gone])
    write_lines([f"kept {one.name}: {one.reason}" for one in pruned.stayed])
    say(f"{amount(pruned.before_bytes)} before, {amount(pruned.after_bytes)} {'then' if dry_run else 'now'}")
    if limits.keep_bytes is not None and pruned.after_bytes > limits.keep_bytes:
        say(f"that is more than {amount(limits.keep_bytes)}: what is left is pinned, in use or too young")


def write_verified(found: Iterable[Verified], *, as_json: bool) -> None:
    """What a full check came to, each differing file by name."""
    listed = list(found)
    if as_json:
        write_json({"schema_version": 1, "verified": [{"ok": one.ok, "result": one} for one in listed]})
        return
    for one in listed:
        title = f"{one.name}/{one.key[:_SHOWN_KEY]}" if one.key else "blobs that nothing holds"
        size = f"{one.files:,} files, {amount(one.size_bytes)}"
        write_lines([f"{title}: whole ({size})" if one.ok else f"{title}: DAMAGED: {one.path}"])
        if one.ok:
            continue
        lines = [one.fault] if one.fault else []
        lines += [f"missing: {name}" for name in one.missing]
        lines += [f"changed: {each.name}: expected sha256 {each.expected}, found {each.found}" for each in one.changed]
        lines += [f"extra: {name}" for name in one.extra]
        more = len(lines) - _SHOWN_FILES
        write_lines([f"  {line}" for line in lines[:_SHOWN_FILES]])
        write_lines([f"  and {more:,} more (--json lists them)"] if more > 0 else [])
        write_lines([f"  remedy: {one.remedy}"])
