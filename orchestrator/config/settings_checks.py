"""Turn what a layer says into a setting's final form, or into a fault with its place. Opens no file of the user's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.settings import Pairs, Paths, Value
from orchestrator.domain.terms import EngineName

Given = str | float | EngineName | Pairs | tuple[str, ...]
"""A setting as a layer has it: text from flags and variables, decoded YAML from files."""

_PREFIX_OF_NAMES = re.compile(r"^[a-z0-9]+(?:[._-][a-z0-9]+)*(?::\d+)?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$")


@dataclass(frozen=True, slots=True)
class Found:
    """A value of one layer and where it came from; `base` is the folder that a relative path starts at."""

    value: Given
    origin: str
    place: str
    base: Path


def settle(name: str, found: Found, home: Path, faults: list[str]) -> Value | None:
    """The value in its final form; a fault is noted when it cannot be."""
    if isinstance(found.value, str) and not found.value.strip():
        faults.append(f"{found.place}: '{name}' is empty")
        return None
    check = _CHECKS.get(name)
    return check(found, home, faults) if check else str(found.value)


def unknown(place: str, what: str, name: str, known: Mapping[str, str] | Sequence[str]) -> str:
    """The fault of a name that there is not, with the nearest one that there is."""
    from orchestrator.domain.suggest import nearest

    guess = nearest(name, known)
    return f"{place}: unknown {what} '{name}'; " + (
        f"did you mean '{guess}'?" if guess else f"there are: {', '.join(known)}"
    )


def _path(found: Found, home: Path, _faults: list[str]) -> Path:
    return _placed(str(found.value), found.base, home)


def _paths(found: Found, home: Path, faults: list[str]) -> Paths:
    """Folders, from a list or from text with colons between them; none twice, so that none is asked twice."""
    texts = found.value.split(":") if isinstance(found.value, str) else found.value
    assert isinstance(texts, list | tuple)  # noqa: S101 - the decoder saw to it
    if not all(str(text).strip() for text in texts):
        faults.append(f"{found.place}: one of the folders is empty")
    return tuple(dict.fromkeys(_placed(str(text), found.base, home) for text in texts))


def _placed(text: str, base: Path, home: Path) -> Path:
    return base / (home / text[2:] if text.startswith("~/") else text)


def _engine(found: Found, _home: Path, faults: list[str]) -> EngineName | None:
    known = [engine.value for engine in EngineName]
    text = str(found.value)
    if text.lower() in known:
        return EngineName(text.lower())
    faults.append(unknown(found.place, "engine", text, known))
    return None


def _round(found: Found, _home: Path, faults: list[str]) -> str | None:
    from orchestrator.config.catalog import rounds

    text = str(found.value)
    if text in rounds():
        return text
    faults.append(unknown(found.place, "round", text, rounds()))
    return None


def _mirrors(found: Found, _home: Path, faults: list[str]) -> Pairs:
    """Pairs, from a mapping or from text with commas between them."""
    pairs: list[tuple[str, str]] = []
    for item in found.value.split(",") if isinstance(found.value, str) else _joined(found.value):
        host, equals, other = item.strip().partition("=")
        if not (host and equals and other):
            faults.append(f"{found.place}: '{item.strip()}' is not a mirror; write HOST=HOST, several with commas")
        elif not _PREFIX_OF_NAMES.match(other) or "/" in host:
            faults.append(
                f"{found.place}: '{host}={other}' is not a mirror; write HOST=HOST, as docker.io=mirror.example"
            )
        else:
            pairs.append((host, other))
    return tuple(pairs)


def _joined(pairs: Given) -> list[str]:
    assert isinstance(pairs, tuple)  # noqa: S101 - the decoder saw to it
    return ["=".join(pair) for pair in pairs]


def _registry(found: Found, _home: Path, faults: list[str]) -> str | None:
    prefix = str(found.value).rstrip("/")
    if _PREFIX_OF_NAMES.match(prefix):
        return prefix
    faults.append(
        f"{found.place}: '{found.value}' is not a registry; write HOST[:PORT][/PATH] without scheme and tag, "
        "for example registry.example/mlperf-docker"
    )
    return None


def _seconds(found: Found, _home: Path, faults: list[str]) -> float | None:
    try:
        seconds = float(str(found.value))
    except ValueError:
        seconds = 0.0
    if 0 < seconds < float("inf"):
        return seconds
    faults.append(f"{found.place}: '{found.value}' is not a number of seconds above 0")
    return None


_CHECKS: Mapping[str, Callable[[Found, Path, list[str]], Value | None]] = {
    "cache_dir": _path,
    "ca_bundle": _path,
    "engine": _engine,
    "image_key": _path,
    "images_lock": _path,
    "mirrors": _mirrors,
    "registry": _registry,
    "registry_timeout_s": _seconds,
    "results_dir": _path,
    "round": _round,
    "site_caches": _paths,
}
