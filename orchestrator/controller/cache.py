"""What lies in the caches: looked at, checked, made smaller, added to. Names are taken as people know them.

A name is that of an asset (also an alias), NAME/KEY one version of it, `work/…` a folder that a driver keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from orchestrator.assets.cache_entries import Entry, assets_in, works_in
from orchestrator.assets.cache_layout import KEY_DIGITS, CacheLayout
from orchestrator.assets.cache_uses import Use, uses_of
from orchestrator.config.settings import Settings
from orchestrator.errors import AssetError, ConfigError, UsageError

if TYPE_CHECKING:
    from orchestrator.assets.cache_import import How
    from orchestrator.assets.cache_prune import Limits, Pruned, Usage
    from orchestrator.assets.cache_verify import Verified
    from orchestrator.domain.asset import Asset, ReadyAsset
    from orchestrator.domain.ports import Meter, Say

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """An entry with who used it, oldest first."""

    entry: Entry
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What was asked to go, and what that freed."""

    name: str
    path: Path
    size_bytes: int


def entries(settings: Settings) -> tuple[Entry, ...]:
    """Everything in the user's cache, then what only caches of the site have."""
    own, now = layout_of(settings), datetime.now(UTC)
    found = [*assets_in(own, now), *works_in(own, now)]
    there = {(entry.name, entry.key[:KEY_DIGITS]) for entry in found}
    for site in _sites(settings):
        for entry in assets_in(site, now, site=True):
            if (entry.name, entry.key[:KEY_DIGITS]) not in there:
                there.add((entry.name, entry.key[:KEY_DIGITS]))
                found.append(_with_own_uses(entry, own))
    return tuple(found)


def details(settings: Settings, name: str) -> tuple[Detail, ...]:
    """All versions of an asset with their uses; UsageError for what is not there."""
    own = layout_of(settings)
    return tuple(
        Detail(entry=entry, uses=uses_of(own.uses(entry.name, entry.key)) if entry.key else ())
        for entry in _named(settings, name)
    )


def place(settings: Settings, name: str, *, say: Say) -> Path:
    """The folder of an asset: of several versions that which came last. AssetError when it is not here."""
    try:
        found = _named(settings, name)
    except UsageError as error:
        raise AssetError(str(error), hint=error.hint) from error
    if len(found) > 1:
        say(f"{len(found)} versions of '{name}' are here; this one came last (cache show {name} lists them)")
    return max(found, key=lambda entry: entry.when).path


def usage_of(settings: Settings) -> tuple[Usage, Path]:
    """What the user's cache costs on disk, and where it lies."""
    from orchestrator.assets.cache_prune import usage

    own = layout_of(settings)
    return usage(own, datetime.now(UTC)), own.root


def remove(settings: Settings, name: str) -> tuple[Removed, ...]:
    """Remove an asset in all its versions (or the one named). UsageError, naming why, when it must stay."""
    from orchestrator.assets.cache_remove import reason_to_keep, remove_entry

    own, now = layout_of(settings), datetime.now(UTC)
    found = _named(settings, name)
    mine = tuple(entry for entry in found if not entry.site) or found
    for entry in mine:
        if (reason := reason_to_keep(entry)) is not None:
            raise UsageError(f"'{name}' was not removed: {reason}")
    for entry in mine:
        reason = _written(own, lambda one=entry: remove_entry(own, one, now))  # type: ignore[misc]
        if reason is not None:
            raise UsageError(f"'{name}' was not removed: {reason}")
    return tuple(Removed(name=entry.name, path=entry.path, size_bytes=entry.size_bytes) for entry in mine)


def prune_cache(settings: Settings, limits: Limits, *, dry_run: bool) -> Pruned:
    """Make the user's cache smaller; AssetError when something cannot be removed."""
    from orchestrator.assets.cache_prune import prune

    own, now = layout_of(settings), datetime.now(UTC)
    return _written(own, lambda: prune(own, limits, now=now, dry_run=dry_run))


def verify(settings: Settings, names: tuple[str, ...], *, meter: Meter) -> tuple[Verified, ...]:
    """Hash assets in full; without names all of the user's cache and what no asset holds there."""
    from orchestrator.assets.cache_verify import verify_blobs, verify_view

    own = layout_of(settings)
    asked = [entry for name in names for entry in _named(settings, name)] if names else assets_in(own, _now())
    found = [
        verify_view(
            CacheLayout(entry.path.parents[2]),
            entry.name,
            entry.path.name,
            catalogue=_catalogue,
            site=entry.site,
            meter=meter,
        )
        for entry in asked
        if entry.kind != "work"
    ]
    return tuple(found) if names else (*found, verify_blobs(own, meter=meter))


def bring(settings: Settings, name: str, given: Path, how: How, *, say: Say, meter: Meter) -> ReadyAsset:
    """Put the user's own copy of a catalogue asset into the cache, held to the catalogue."""
    from orchestrator.assets.store import CacheStore
    from orchestrator.config.catalog import load_asset, load_round
    from orchestrator.controller.connect import connect_to
    from orchestrator.domain.image import NO_CHOICE
    from orchestrator.domain.terms import EngineName

    asset = load_asset(name)
    engine, round_name = settings.engine or EngineName.DOCKER, load_round(settings.round).name
    alone = replace(settings, site_caches=())  # what is brought goes into the user's own
    store = connect_to(engine, alone, round_name=round_name, choice=NO_CHOICE).assets
    assert isinstance(store, CacheStore)  # noqa: S101 - what connect.py wires
    return store.bring(store.plan(asset, load_asset)[-1], given, how, say=say, meter=meter)


def pin(settings: Settings, name: str) -> str:
    """Keep an asset from being removed; the name that is pinned. It need not be here yet, if the catalogue has it."""
    from orchestrator.assets import cache_remove

    own = layout_of(settings)
    full = _full_name(settings, name)
    _written(own, lambda: cache_remove.pin(own, full, _now().isoformat(timespec="seconds")))
    return full


def unpin(settings: Settings, name: str) -> str:
    """Let it be removed again; UsageError when it is not pinned."""
    from orchestrator.assets import cache_remove

    own = layout_of(settings)
    for full in (name, _full_name(settings, name)):
        if _written(own, lambda one=full: cache_remove.unpin(own, one)):  # type: ignore[misc]
            return full
    raise UsageError(f"'{name}' is not pinned", hint="mlperf-docker cache show says what is")


def layout_of(settings: Settings) -> CacheLayout:
    """The user's own cache."""
    return CacheLayout(settings.cache_dir.absolute())


def _sites(settings: Settings) -> tuple[CacheLayout, ...]:
    return tuple(CacheLayout(path.absolute()) for path in settings.site_caches)


def _with_own_uses(entry: Entry, own: CacheLayout) -> Entry:
    """Uses of a site's asset are noted in the user's cache."""
    uses = uses_of(own.uses(entry.name, entry.key), whole=False)
    return replace(entry, last_used=uses[-1].when, used_by=uses[-1].run) if uses else entry


def _named(settings: Settings, name: str) -> tuple[Entry, ...]:
    """The entries that a name means; UsageError with the nearest name when there are none."""
    title, _, key = name.partition("/")
    everything = entries(settings)
    if title == "work":
        found = tuple(entry for entry in everything if entry.name == name.rstrip("/"))
    else:
        full = _alias(title) if all(entry.name != title for entry in everything) else title
        found = tuple(entry for entry in everything if entry.name == full and entry.key.startswith(key))
    if found:
        return found
    from orchestrator.domain.suggest import nearest

    guess = nearest(name, [entry.name for entry in everything])
    raise UsageError(
        f"'{name}' is not in the cache" + (f"; did you mean '{guess}'?" if guess else ""),
        hint="mlperf-docker cache show lists what is; models get and datasets get have more",
    )


def _full_name(settings: Settings, name: str) -> str:
    """The name of an asset that is here or in the catalogue; UsageError for neither."""
    if any(entry.name == name for entry in entries(settings)):
        return name
    from orchestrator.config.catalog import load_asset

    return load_asset(name).name


def _alias(name: str) -> str:
    asset = _catalogue(name)
    return asset.name if asset is not None else name


def _catalogue(name: str) -> Asset | None:
    """The catalogue's entry, None where there is none (any more)."""
    from orchestrator.config.catalog import load_asset

    try:
        return load_asset(name)
    except (UsageError, ConfigError):
        return None


def _written(own: CacheLayout, action: Callable[[], T]) -> T:
    """Carry out what changes the cache; AssetError when it cannot be written."""
    try:
        return action()
    except OSError as error:
        raise AssetError(
            f"{error.filename or own.root}: {error.strerror or error}",
            hint=f"it takes the right to write in {own.root}, and some space",
        ) from error


def _now() -> datetime:
    return datetime.now(UTC)
