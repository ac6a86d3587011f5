"""What was believed at first use, remembered after the asset itself is gone, and held to when it comes again."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.assets.cache_layout import CacheLayout
from orchestrator.assets.manifest import Manifest, Trust
from orchestrator.domain.canonical import pretty_json
from orchestrator.domain.ports import Say
from orchestrator.errors import AssetError
from orchestrator.host.files import make_folder, write_atomic

SCHEMA_VERSION = 1


def hold_to_first_use(layout: CacheLayout, found: Manifest, *, say: Say) -> None:
    """Remember the hashes of what nobody publishes hashes of; AssetError when other bytes came than the first time.

    What is made here out of verified inputs may come out otherwise: that is said, and the new is remembered.
    """
    if found.trust in {Trust.PINNED, Trust.LOCAL}:
        return
    path = layout.trust(found.key)
    before = _recall(path)
    if before is None:
        if found.trust is Trust.FIRST_USE:
            say(
                f"'{found.name}': the catalogue pins no sha256 of it; what came now is believed and held to "
                f"from now on (trust on first use): {_of_all(found)}"
            )
        _remember(path, found)
        return
    changed = _first_difference(before[1], found)
    if changed is None:
        return
    if found.trust is Trust.MADE:
        say(f"'{found.name}' came out otherwise than on {before[0]}: {changed}")
        _remember(path, found)
        return
    raise AssetError(
        f"'{found.name}' is not what was believed at first use ({before[0]}): {changed}",
        hint=f"nothing was kept and nothing removed. If its publisher changed it and you believe that, remove {path}",
    )


def remembered(layout: CacheLayout, found: Manifest) -> dict[str, str]:
    """Hash by name as it was believed at first use; nothing for what is pinned or was never remembered.

    AssetError when the memory is damaged.
    """
    before = None if found.trust in {Trust.PINNED, Trust.LOCAL} else _recall(layout.trust(found.key))
    return before[1] if before is not None else {}


def _of_all(found: Manifest) -> str:
    count = len(found.files)
    return f"sha256 {found.digest}" if count == 1 else f"{count:,} files, {found.digest[:16]} over all their hashes"


def _first_difference(before: dict[str, str], found: Manifest) -> str | None:
    now = {item.name: item.sha256 for item in found.files}
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            return f"'{name}': expected sha256 {before.get(name, 'none')}, found {now.get(name, 'none')}"
    return None


def _remember(path: Path, found: Manifest) -> None:
    make_folder(path.parent)
    files = {item.name: item.sha256 for item in found.files}
    known = {"schema_version": SCHEMA_VERSION, "name": found.name, "key": found.key, "when": found.when, "files": files}
    write_atomic(path, pretty_json(known))


def _recall(path: Path) -> tuple[str, dict[str, str]] | None:
    """When, and hash by name; None when nothing is remembered. AssetError when it is damaged: it must not be lost."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        document = json.loads(raw)
        return str(document["when"]), {str(name): str(digest) for name, digest in document["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AssetError(
            f"{path} is damaged: {error}",
            hint="it holds the hashes that were believed at first use; remove it to believe anew what comes next",
        ) from error
