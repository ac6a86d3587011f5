"""Settings as values: which there are, what is in force and where each came from. Reads and judges nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from orchestrator.domain.terms import EngineName

PREFIX = "MLPERF_DOCKER_"
DEFAULT = "default"

Pairs = tuple[tuple[str, str], ...]
Paths = tuple[Path, ...]
Value = str | float | EngineName | Path | Pairs | Paths
"""A setting in its final form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """The content of a settings file; what is left out falls to the next layer. Paths are relative to the file."""

    submitter: str | None = None
    system: str | None = None
    round: str | None = None
    engine: EngineName | None = None
    cache_dir: str | None = None
    site_caches: tuple[str, ...] | None = None
    results_dir: str | None = None
    registry: str | None = None
    registry_timeout_s: float | None = None
    mirrors: Pairs | None = None
    images_lock: str | None = None
    image_key: str | None = None
    http_proxy: str | None = None
    https_proxy: str | None = None
    no_proxy: str | None = None
    ca_bundle: str | None = None
    docker_url: str | None = None
    site: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is in force; None means: not set.

    `cache_dir` is the user's own cache, `site_caches` are shared ones that are only read, asked in order after it.
    `registry` is the prefix of published images, `images_lock` the file that pins them, `image_key` the public key
    that they must be signed with. `mirrors` are pairs (host, host to ask instead).

    `origins` says for each field where its value came from: `flag`, a variable's name, `file:line` or `default`.
    """

    submitter: str | None
    system: str | None
    round: str | None
    engine: EngineName | None
    cache_dir: Path
    site_caches: Paths
    results_dir: Path
    registry: str | None
    registry_timeout_s: float
    mirrors: Pairs
    images_lock: Path
    image_key: Path | None
    http_proxy: str | None
    https_proxy: str | None
    no_proxy: str | None
    ca_bundle: Path | None
    docker_url: str | None
    site: str | None
    origins: Mapping[str, str] = field(compare=False)


NAMES = tuple(item.name for item in dataclasses.fields(SettingsFile))
VARIABLES = MappingProxyType({name: PREFIX + ("CACHE" if name == "cache_dir" else name.upper()) for name in NAMES})


def shown(settings: Settings) -> tuple[tuple[str, str | None, str], ...]:
    """Name, value as text (None: not set) and origin of every setting, for people and for `--json`."""
    texts = {name: getattr(settings, name) for name in NAMES}
    texts["mirrors"] = ",".join(f"{host}={other}" for host, other in settings.mirrors) or None
    texts["site_caches"] = ":".join(map(str, settings.site_caches)) or None
    return tuple((name, None if value is None else str(value), settings.origins[name]) for name, value in texts.items())
