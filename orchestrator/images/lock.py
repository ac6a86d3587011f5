"""images.lock: which published image stands for an entry, round and platform, by digest. Asks no registry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.decode import decode_json
from orchestrator.domain.canonical import pretty_json
from orchestrator.errors import ConfigError, ImageError
from orchestrator.host.files import write_atomic

LOCK_FILE = "images.lock"
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One published image. `round` is `any` for an entry that is the same in every round.

    `manifest_digest` is what a registry knows it by, `config_digest` its id in an engine, `recipe` the hash of the
    recipe it was made from, `base_digest` that of what it stands on (None: a base that no registry ever gave).
    """

    entry: str
    round: str
    platform: str
    reference: str
    manifest_digest: str
    config_digest: str
    recipe: str
    base_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesLock:
    """The content of images.lock: one pin for each entry, round and platform."""

    schema_version: int = _VERSION
    images: tuple[Pin, ...] = ()

    def find(self, entry: str, round_name: str | None, platform: str) -> Pin | None:
        """The pin of an entry for a round (None: any) and platform."""
        key = (entry, round_name or "any", platform)
        return next((pin for pin in self.images if _key(pin) == key), None)

    def with_pins(self, pins: Iterable[Pin]) -> ImagesLock:
        """These pins in place of those they stand for, all others as they were; sorted."""
        merged = {_key(pin): pin for pin in (*self.images, *pins)}
        return ImagesLock(images=tuple(merged[key] for key in sorted(merged)))


def read_lock(path: Path) -> ImagesLock:
    """The file's pins; none when there is no such file. ImageError names what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ImagesLock()
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"{path} cannot be read: {error}") from error
    found = decode_json(ImagesLock, text, str(path))
    if found.schema_version != _VERSION:
        raise ConfigError(
            (f"{path}: 'schema_version' must be {_VERSION}",), hint="it was written by another version: lock anew"
        )
    return found


def write_lock(path: Path, content: ImagesLock) -> None:
    """Replace the file in one step."""
    write_atomic(path, pretty_json(content))


def _key(pin: Pin) -> tuple[str, str, str]:
    return (pin.entry, pin.round, pin.platform)
