"""What the catalogue says that an asset must hold, against what lies there: pinned files, layout. Reads nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestrator.assets.manifest import Manifest
from orchestrator.domain.asset import Asset, Layout
from orchestrator.errors import AssetError

_SHOWN = 3


def check_expected(asset: Asset, found: Manifest, *, hint: str) -> None:
    """AssetError for the first thing that is missing, is not what the catalogue pins, or of which there are too few."""
    check_pins(asset, found, hint=hint)
    names = [item.name for item in found.files]
    for layout in asset.layout:
        check_layout(asset.name, layout, names, hint=hint)


def check_pins(asset: Asset, manifest: Manifest, *, hint: str) -> None:
    """AssetError when a file that the catalogue names is missing or is not what the catalogue says."""
    there = {item.name: item for item in manifest.files}
    for pin in asset.files:
        found = there.get(pin.name)
        if found is None:
            raise AssetError(
                f"asset '{asset.name}' came without its file '{pin.name}' (there: {_some(there)})", hint=hint
            )
        if pin.sha256 is not None and found.sha256 != pin.sha256:
            raise AssetError(
                f"asset '{asset.name}': '{pin.name}' is not what the catalogue says: "
                f"expected sha256 {pin.sha256}, found {found.sha256}",
                hint=hint,
            )
        if pin.sha256 is None and pin.size_bytes is not None and found.size_bytes != pin.size_bytes:
            raise AssetError(
                f"asset '{asset.name}': '{pin.name}' has {found.size_bytes:,} bytes, expected {pin.size_bytes:,}",
                hint=hint,
            )


def check_layout(name: str, layout: Layout, files: Iterable[str], *, hint: str) -> None:
    """AssetError when not as many files as expected match the pattern."""
    listed = list(files)
    pattern = _pattern(layout.pattern)
    count = sum(1 for each in listed if pattern.fullmatch(each))
    if count == layout.count or (layout.count is None and count):
        return
    wanted = "none" if layout.count is None else f"{count:,} of {layout.count:,} files"
    raise AssetError(
        f"asset '{name}': {wanted} match '{layout.pattern}' (there: {_some(listed)})"
        if layout.count is None or count < layout.count
        else f"asset '{name}': {count:,} files match '{layout.pattern}', expected {layout.count:,}",
        hint=hint,
    )


def described(asset: Asset) -> str:
    """What a folder must hold to be the asset, in words; empty where the catalogue says nothing."""
    files = [f"'{pin.name}'" for pin in asset.files]
    counts = [
        f"{layout.count:,} files '{layout.pattern}'" if layout.count is not None else f"files '{layout.pattern}'"
        for layout in asset.layout
    ]
    return ", ".join((*files, *counts))


def _pattern(glob: str) -> re.Pattern[str]:
    """A glob over relative names: `*` and `?` stay within a folder, `**` stands for any folders."""
    pieces = []
    for part in re.split(r"(\*\*/|\*\*|\*|\?)", glob):
        match part:
            case "**/":
                pieces.append("(?:[^/]+/)*")
            case "**":
                pieces.append(".*")
            case "*":
                pieces.append("[^/]*")
            case "?":
                pieces.append("[^/]")
            case _:
                pieces.append(re.escape(part))
    return re.compile("".join(pieces))


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    shown = ", ".join(f"'{name}'" for name in listed[:_SHOWN])
    return f"{shown} and {len(listed) - _SHOWN:,} more" if len(listed) > _SHOWN else shown or "nothing"
