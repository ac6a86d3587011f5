"""Layered settings: flag, environment, project file, user file, system file, default; each with where it came from.

Reads YAML only when a file exists. Judges only form: whether a system or a scheduler site exists is asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from orchestrator.config.settings import DEFAULT, NAMES, PREFIX, VARIABLES, Settings, SettingsFile, Value
from orchestrator.config.settings_checks import Found, Given, settle, unknown
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from orchestrator.config.yaml_text import Document

SYSTEM_FILE = Path("/etc/mlperf-docker/config.yaml")
PROJECT_FILE = "mlperf-docker.yaml"

_FLAGS = {"mirrors": "--mirror", "images_lock": "--file", "http_proxy": "--proxy", "https_proxy": "--proxy"}
_REGISTRY_TIMEOUT_S = 60.0
_COMMON_VARIABLES = {
    "http_proxy": ("http_proxy", "HTTP_PROXY"),
    "https_proxy": ("https_proxy", "HTTPS_PROXY"),
    "no_proxy": ("no_proxy", "NO_PROXY"),
}


def load_settings(
    flags: Mapping[str, str | None],
    *,
    environ: Mapping[str, str],
    cwd: Path,
    home: Path,
    system_file: Path = SYSTEM_FILE,
) -> Settings:
    """Merge the layers. `flags` are settings by field name (None: not given; lists as a variable holds them).

    ConfigError lists every unknown key and bad value of all layers at once, with place and nearest match.
    """
    faults: list[str] = []
    layers = [_from_flags(flags, cwd, faults), _from_environment(environ, cwd, faults)]
    for path in settings_files(environ=environ, cwd=cwd, home=home, system_file=system_file):
        layers.append(_from_file(path, faults))
    layers.append(_from_common_variables(environ, cwd))
    defaults = _defaults(environ, cwd, home)
    values: dict[str, Value | None] = {}
    origins: dict[str, str] = {}
    for name in NAMES:
        found = next((layer[name] for layer in layers if name in layer), None)
        origins[name] = found.origin if found else DEFAULT
        values[name] = settle(name, found, home, faults) if found else defaults.get(name)
    if faults:
        raise ConfigError(
            tuple(faults), hint="`mlperf-docker config init FILE` writes every setting there is, with what it means"
        )
    return _settings(values, origins)


def settings_files(*, environ: Mapping[str, str], cwd: Path, home: Path, system_file: Path) -> tuple[Path, ...]:
    """The settings files that exist, strongest first."""
    user = _absolute(environ.get("XDG_CONFIG_HOME"), home / ".config") / "mlperf-docker" / "config.yaml"
    return tuple(path for path in (cwd / PROJECT_FILE, user, system_file) if path.is_file())


def _defaults(environ: Mapping[str, str], cwd: Path, home: Path) -> dict[str, Value]:
    return {
        "cache_dir": _absolute(environ.get("XDG_CACHE_HOME"), home / ".cache") / "mlperf-docker",
        "site_caches": (),
        "results_dir": cwd / "mlperf-results",
        "registry_timeout_s": _REGISTRY_TIMEOUT_S,
        "mirrors": (),
        "images_lock": cwd / "images.lock",
    }


def _from_flags(flags: Mapping[str, str | None], cwd: Path, faults: list[str]) -> dict[str, Found]:
    given = {name: value for name, value in flags.items() if value is not None}
    faults += [unknown("flag", "setting", name, NAMES) for name in given if name not in NAMES]
    known = {name: value for name, value in given.items() if name in NAMES}
    return {name: Found(value, "flag", _flag(name), cwd) for name, value in known.items()}


def _from_environment(environ: Mapping[str, str], cwd: Path, faults: list[str]) -> dict[str, Found]:
    """Our own variables; an empty one counts as unset, and a misspelt one is a fault."""
    names = {variable: name for name, variable in VARIABLES.items()}
    found: dict[str, Found] = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or not environ[variable]:
            continue
        if variable in names:
            found[names[variable]] = Found(environ[variable], variable, variable, cwd)
        elif _misspelt(variable, names):
            faults.append(unknown(variable, "variable", variable, names))
    return found


def _from_common_variables(environ: Mapping[str, str], cwd: Path) -> dict[str, Found]:
    """What other programs go by: the proxy variables, weakest of all but the defaults."""
    found: dict[str, Found] = {}
    for name, variables in _COMMON_VARIABLES.items():
        for variable in variables:
            if environ.get(variable) and name not in found:
                found[name] = Found(environ[variable], variable, variable, cwd)
    return found


def _from_file(path: Path, faults: list[str]) -> dict[str, Found]:
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


def _in_file(path: Path, document: Document, name: str, value: Given) -> Found:
    line = document.place((name,), of_key=True).line
    return Found(value, f"{path}:{line}", document.where((name,)), path.parent)


def _settings(values: Mapping[str, Value | None], origins: Mapping[str, str]) -> Settings:
    """The record: the defaults and what `settle` makes have each field's type."""
    return Settings(**cast("dict[str, Any]", values), origins=MappingProxyType(dict(origins)))


def _flag(name: str) -> str:
    return _FLAGS.get(name) or f"--{name.replace('_', '-')}"


def _misspelt(variable: str, known: Mapping[str, str]) -> bool:
    """Close enough to one of ours to be a slip; others under our prefix may be somebody else's."""
    import difflib

    return bool(difflib.get_close_matches(variable, known, n=1, cutoff=0.85))


def _absolute(value: str | None, otherwise: Path) -> Path:
    """An XDG folder; the specification says that a relative one is to be ignored."""
    path = Path(value) if value else otherwise
    return path if path.is_absolute() else otherwise
