"""Layered settings: flag, environment, project file, user file, system file, default; each with where it came from.

Reads YAML only when a file exists. Judges only form: whether a system or a scheduler site exists is asked elsewhere.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from orchestrator.domain.terms import EngineName
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.config.yaml_text import Document

SYSTEM_FILE = Path("/etc/mlperf-docker/config.yaml")
PROJECT_FILE = "mlperf-docker.yaml"
PREFIX = "MLPERF_DOCKER_"
DEFAULT = "default"

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """The content of a settings file; what is left out falls to the next layer. Paths are relative to the file."""

    submitter: str | None = None
    system: str | None = None
    round: str | None = None
    engine: EngineName | None = None
    cache_dir: str | None = None
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
    """What is in force. `mirrors` are pairs (host, host to ask instead); None means: not set.

    `registry` is the prefix of published images, `images_lock` the file that pins them, `image_key` the public key
    that they must be signed with.

    `origins` says for each field where its value came from: `flag`, a variable's name, `file:line` or `default`.
    """

    submitter: str | None
    system: str | None
    round: str | None
    engine: EngineName | None
    cache_dir: Path
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
_FLAGS = {"mirrors": "--mirror", "images_lock": "--file", "http_proxy": "--proxy", "https_proxy": "--proxy"}
_PATHS = {"cache_dir", "results_dir", "ca_bundle", "images_lock", "image_key"}
_REGISTRY_TIMEOUT_S = 60.0
_COMMON_VARIABLES = {
    "http_proxy": ("http_proxy", "HTTP_PROXY"),
    "https_proxy": ("https_proxy", "HTTPS_PROXY"),
    "no_proxy": ("no_proxy", "NO_PROXY"),
}

_PREFIX_OF_NAMES = re.compile(r"^[a-z0-9]+(?:[._-][a-z0-9]+)*(?::\d+)?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$")

Value = str | float | EngineName | Path | Pairs


@dataclass(frozen=True, slots=True)
class _Found:
    """A value of one layer and where it came from; `base` is the folder that a relative path starts at."""

    value: str | float | EngineName | Pairs
    origin: str
    place: str
    base: Path


def load_settings(
    flags: Mapping[str, str | None],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    home: Path,
    system_file: Path = SYSTEM_FILE,
) -> Settings:
    """Merge the layers. `flags` are settings by field name (None: not given; mirrors as `HOST=HOST,…`).

    ConfigError lists every unknown key and bad value of all layers at once, with place and nearest match.
    """
    faults: list[str] = []
    layers = [_from_flags(flags, cwd, faults), _from_environment(environ, cwd, faults)]
    for path in settings_files(environ=environ, cwd=cwd, home=home, system_file=system_file):
        layers.append(_from_file(path, faults))
    layers.append(_from_common_variables(environ, cwd))
    defaults: dict[str, Value] = {
        "cache_dir": _cache_home(environ, home),
        "results_dir": cwd / "mlperf-results",
        "registry_timeout_s": _REGISTRY_TIMEOUT_S,
        "images_lock": cwd / "images.lock",
    }
    values: dict[str, Value | None] = {}
    origins: dict[str, str] = {}
    for name in NAMES:
        found = next((layer[name] for layer in layers if name in layer), None)
        origins[name] = found.origin if found else DEFAULT
        values[name] = _settle(name, found, home, faults) if found else defaults.get(name)
    if faults:
        raise ConfigError(tuple(faults), hint="`mlperf-docker config show --origin` lists the settings there are")
    return _settings(values, origins)


def shown(settings: Settings) -> tuple[tuple[str, str | None, str], ...]:
    """Name, value as text (None: not set) and origin of every setting, for people and for `--json`."""
    rows: list[tuple[str, str | None, str]] = []
    for name in NAMES:
        value = getattr(settings, name)
        if isinstance(value, tuple):
            value = ",".join(f"{host}={other}" for host, other in value) or None
        rows.append((name, None if value is None else str(value), settings.origins[name]))
    return tuple(rows)


def settings_files(*, environ: Mapping[str, str], cwd: Path, home: Path, system_file: Path) -> tuple[Path, ...]:
    """The settings files that exist, strongest first."""
    user = _absolute(environ.get("XDG_CONFIG_HOME"), home / ".config") / "mlperf-docker" / "config.yaml"
    return tuple(path for path in (cwd / PROJECT_FILE, user, system_file) if path.is_file())


def _from_flags(flags: Mapping[str, str | None], cwd: Path, faults: list[str]) -> dict[str, _Found]:
    given = {name: value for name, value in flags.items() if value is not None}
    faults += [_unknown("flag", "setting", name, NAMES) for name in given if name not in NAMES]
    known = {name: value for name, value in given.items() if name in NAMES}
    return {name: _Found(value, "flag", _flag(name), cwd) for name, value in known.items()}


def _from_environment(environ: Mapping[str, str], cwd: Path, faults: list[str]) -> dict[str, _Found]:
    """Our own variables; an empty one counts as unset, and a misspelt one is a fault."""
    names = {variable: name for name, variable in VARIABLES.items()}
    found: dict[str, _Found] = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or not environ[variable]:
            continue
        if variable in names:
            found[names[variable]] = _Found(environ[variable], variable, variable, cwd)
        elif _misspelt(variable, names):
            faults.append(_unknown(variable, "variable", variable, names))
    return found


def _from_common_variables(environ: Mapping[str, str], cwd: Path) -> dict[str, _Found]:
    """What other programs go by: the proxy variables, weakest of all but the defaults."""
    found: dict[str, _Found] = {}
    for name, variables in _COMMON_VARIABLES.items():
        for variable in variables:
            if environ.get(variable) and name not in found:
                found[name] = _Found(environ[variable], variable, variable, cwd)
    return found


def _from_file(path: Path, faults: list[str]) -> dict[str, _Found]:
    from orchestrator.config.decode import decode_document
    from orchestrator.config.yaml_text import read_yaml

    try:
        document = read_yaml(path.read_text(encoding="utf-8"), str(path))
        content = decode_document(SettingsFile, document)
    except ConfigError as error:
        faults += error.faults
        return {}
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{path}: cannot be read: {error}")
        return {}
    values = {name: getattr(content, name) for name in NAMES}
    return {name: _in_file(path, document, name, value) for name, value in values.items() if value is not None}


def _in_file(path: Path, document: Document, name: str, value: str | float | EngineName | Pairs) -> _Found:
    line = document.place((name,), of_key=True).line
    return _Found(value, f"{path}:{line}", document.where((name,)), path.parent)


def _settle(name: str, found: _Found, home: Path, faults: list[str]) -> Value | None:
    """The value in its final form; a fault when it cannot be."""
    value = found.value
    if name == "mirrors" and isinstance(value, tuple):
        return _checked_mirrors(found, value, faults)
    if name == "registry_timeout_s" and not isinstance(value, tuple):
        return _seconds(found, str(value), faults)
    if not isinstance(value, str) or isinstance(value, EngineName):
        return value
    if not value.strip():
        faults.append(f"{found.place}: '{name}' is empty")
        return None
    if name in _PATHS:
        return found.base / (home / value[2:] if value.startswith("~/") else value)
    checks: dict[str, Callable[[_Found, str, list[str]], Value | None]] = {
        "engine": _engine,
        "mirrors": _mirrors,
        "registry": _registry,
        "round": _round,
    }
    return checks[name](found, value, faults) if name in checks else value


def _engine(found: _Found, value: str, faults: list[str]) -> Value | None:
    known = [engine.value for engine in EngineName]
    if value.lower() in known:
        return EngineName(value.lower())
    faults.append(_unknown(found.place, "engine", value, known))
    return None


def _round(found: _Found, value: str, faults: list[str]) -> Value | None:
    from orchestrator.config.catalog import rounds

    if value in rounds():
        return value
    faults.append(_unknown(found.place, "round", value, rounds()))
    return None


def _mirrors(found: _Found, value: str, faults: list[str]) -> Value | None:
    pairs: list[tuple[str, str]] = []
    for item in value.split(","):
        host, equals, other = item.strip().partition("=")
        if not (host and equals and other):
            faults.append(f"{found.place}: '{item.strip()}' is not a mirror; write HOST=HOST, several with commas")
        else:
            pairs.append((host, other))
    return _checked_mirrors(found, tuple(pairs), faults)


def _checked_mirrors(found: _Found, pairs: Pairs, faults: list[str]) -> Pairs:
    for host, other in pairs:
        if not _PREFIX_OF_NAMES.match(other) or "/" in host:
            faults.append(
                f"{found.place}: '{host}={other}' is not a mirror; write HOST=HOST, as docker.io=mirror.example"
            )
    return pairs


def _registry(found: _Found, value: str, faults: list[str]) -> Value | None:
    prefix = value.rstrip("/")
    if _PREFIX_OF_NAMES.match(prefix):
        return prefix
    faults.append(
        f"{found.place}: '{value}' is not a registry; write HOST[:PORT][/PATH] without scheme and tag, "
        "for example registry.example/mlperf-docker"
    )
    return None


def _seconds(found: _Found, value: str, faults: list[str]) -> Value | None:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if 0 < seconds < float("inf"):
        return seconds
    faults.append(f"{found.place}: '{value}' is not a number of seconds above 0")
    return None


def _settings(values: Mapping[str, Value | None], origins: Mapping[str, str]) -> Settings:
    def text(name: str) -> str | None:
        value = values[name]
        return value if isinstance(value, str) else None

    def path(name: str) -> Path | None:
        value = values[name]
        return value if isinstance(value, Path) else None

    engine, mirrors, cache, results = (values["engine"], values["mirrors"], path("cache_dir"), path("results_dir"))
    timeout, pins = values["registry_timeout_s"], path("images_lock")
    assert cache is not None and results is not None and pins is not None  # noqa: S101 - they have defaults
    return Settings(
        submitter=text("submitter"),
        system=text("system"),
        round=text("round"),
        engine=engine if isinstance(engine, EngineName) else None,
        cache_dir=cache,
        results_dir=results,
        registry=text("registry"),
        registry_timeout_s=timeout if isinstance(timeout, float) else _REGISTRY_TIMEOUT_S,
        mirrors=mirrors if isinstance(mirrors, tuple) else (),
        images_lock=pins,
        image_key=path("image_key"),
        http_proxy=text("http_proxy"),
        https_proxy=text("https_proxy"),
        no_proxy=text("no_proxy"),
        ca_bundle=path("ca_bundle"),
        docker_url=text("docker_url"),
        site=text("site"),
        origins=MappingProxyType(dict(origins)),
    )


def _flag(name: str) -> str:
    return _FLAGS.get(name) or f"--{name.replace('_', '-')}"


def _unknown(place: str, what: str, name: str, known: Mapping[str, str] | tuple[str, ...] | list[str]) -> str:
    from orchestrator.domain.suggest import nearest

    guess = nearest(name, known)
    return f"{place}: unknown {what} '{name}'" + (f"; did you mean '{guess}'?" if guess else "")


def _misspelt(variable: str, known: Mapping[str, str]) -> bool:
    """Close enough to one of ours to be a slip; others under our prefix may be somebody else's."""
    import difflib

    return bool(difflib.get_close_matches(variable, known, n=1, cutoff=0.85))


def _cache_home(environ: Mapping[str, str], home: Path) -> Path:
    return _absolute(environ.get("XDG_CACHE_HOME"), home / ".cache") / "mlperf-docker"


def _absolute(value: str | None, otherwise: Path) -> Path:
    """An XDG folder; the specification says that a relative one is to be ignored."""
    path = Path(value) if value else otherwise
    return path if path.is_absolute() else otherwise
