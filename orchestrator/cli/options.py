"""Option values from text: closed sets with the nearest match, sizes, pairs. Shared by the commands."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from orchestrator.config.settings import DEFAULT, Settings
from orchestrator.config.settings_layers import load_settings
from orchestrator.domain.suggest import unknown
from orchestrator.errors import UsageError

E = TypeVar("E", bound=StrEnum)
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$", re.IGNORECASE)
_NOT_USED_YET = ("site",)  # nothing is ever silently ignored
CATALOG_VARIABLE = "MLPERF_DOCKER_CATALOG"
_LARGEST_WHOLE = 2**31 - 1
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def one_of(kind: type[E], text: str | None, what: str) -> E | None:
    """A member by its value, letter case aside; UsageError names the nearest match."""
    if text is None:
        return None
    by_lower = {member.value.lower(): member for member in kind}
    if text.lower() not in by_lower:
        raise unknown(what, text, [member.value for member in kind])
    return by_lower[text.lower()]


def size_bytes(text: str | None, option: str) -> int | None:
    """`8g`, `512MiB`, `1000000`: bytes, powers of 1024."""
    if text is None:
        return None
    match = _SIZE.match(text.strip())
    if match is None:
        raise UsageError(f"{option} {text}: not a size", hint="write a number with k, m, g or t, for example 8g")
    size = int(float(match[1]) * _UNITS[match[2].lower()])
    if size < 1:
        raise UsageError(f"{option} {text}: must be above 0")
    return size


def pairs(texts: list[str], option: str, *, form: str = "KEY=VALUE") -> tuple[tuple[str, str], ...]:
    """`KEY=VALUE` options; a key given twice is an error."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"{option} {text}: not {form}")
        if key.strip() in found:
            raise UsageError(f"{option} {key.strip()} was given twice")
        found[key.strip()] = value
    return tuple(found.items())


def paths(texts: list[str], option: str, *, revisions: bool = False) -> tuple[tuple[str, Path], ...]:
    """`NAME=PATH` options whose paths are there, absolute; with `revisions` a PATH may end in `@REVISION`."""
    found = []
    for name, text in pairs(texts, option, form="NAME=PATH"):
        place, clone = Path(text), text.rpartition("@")[0]
        if not place.exists() and not (revisions and clone and Path(clone).is_dir()):
            raise UsageError(f"{option} {name}={text}: no such file or folder")
        found.append((name, place.absolute()))
    return tuple(found)


def known_assets(given: tuple[tuple[str, Path], ...]) -> tuple[tuple[str, Path], ...]:
    """The same under the catalogue's own names; UsageError for what is neither an asset nor an alias of one."""
    if not given:
        return given
    from orchestrator.config.catalog import asset_aliases, asset_names

    aliases = asset_aliases()
    found = {aliases.get(name, name): path for name, path in given}
    for name, _ in given:
        if aliases.get(name, name) not in asset_names():
            raise unknown("asset", name, (*asset_names(), *aliases))
    if len(found) < len(given):
        raise UsageError("--asset: one asset was given twice, once by another of its names")
    return tuple(found.items())


def use_catalogue(folders: list[Path] | None) -> None:
    """Put the user's catalogue folders before the shipped one: those of the flag, then of the environment."""
    named = [*(folders or []), *(Path(part) for part in os.environ.get(CATALOG_VARIABLE, "").split(":") if part)]
    if not named:
        return
    from orchestrator.config import catalog, images
    from orchestrator.host.shipped import use_overlays

    for folder in named:
        if not folder.is_dir():
            raise UsageError(f"--catalog {folder}: no such folder")
    use_overlays(tuple(named))
    catalog.forget()
    images.image_entries.cache_clear()


def words(text: str | None, option: str) -> tuple[str, ...]:
    """A command prefix split as a shell splits words."""
    try:
        return tuple(shlex.split(text)) if text else ()
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def positive(value: float | None, option: str) -> float | None:
    """A number above 0."""
    if value is not None and not 0 < value < float("inf"):
        raise UsageError(f"{option} {value:g}: must be above 0")
    return value


def whole(value: int | None, option: str, *, at_least: int = 1) -> int | None:
    """A whole number that the programs downstream can hold."""
    if value is not None and not at_least <= value <= _LARGEST_WHOLE:
        raise UsageError(f"{option} {value}: must be between {at_least} and {_LARGEST_WHOLE}")
    return value


def readable(path: Path | None, option: str) -> Path | None:
    """A file or folder that is there."""
    if path is not None and not path.exists():
        raise UsageError(f"{option} {path}: no such file or folder")
    return path


def proxy(text: str | None) -> str | None:
    """A proxy's address, `http://HOST:PORT`."""
    if text is not None and re.match(r"^(?:https?|socks5h?)://[^\s/]+/?$", text) is None:
        raise UsageError(f"--proxy {text}: not a proxy's address", hint="write http://HOST:PORT")
    return text


def registries(registry: str | None, mirrors: list[str] | None, lock_file: Path | None = None) -> dict[str, str | None]:
    """The flags about registries as settings."""
    return {
        "registry": registry,
        "mirrors": ",".join(mirrors) if mirrors else None,
        "images_lock": str(lock_file) if lock_file else None,
    }


def settings(flags: Mapping[str, str | None]) -> Settings:
    """The settings in force here, with this command's flags on top."""
    found = load_settings(flags, environ=os.environ, cwd=Path.cwd(), home=Path.home())
    for name in _NOT_USED_YET:
        if found.origins[name] != DEFAULT:
            raise UsageError(
                f"the setting '{name}' is not used by this version", where=found.origins[name], hint="take it out"
            )
    return found
