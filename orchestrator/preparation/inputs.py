"""The folders (or single files) that a step was given, searched by file name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.preparation.fault import BadInput


@dataclass(frozen=True)
class Inputs:
    """Input folders or files by name; steps look for files by what they are, names are the catalogue's affair."""

    places: Mapping[str, Path]

    def all(self, pattern: str) -> tuple[Path, ...]:
        """Every file that matches a glob pattern in any input, sorted; BadInput when there is none."""
        candidates = (path for place in self.places.values() for path in (place, *place.rglob("*")))
        found = sorted(path for path in candidates if path.match(pattern) and path.is_file())
        if not found:
            raise BadInput(f"no input holds a file {pattern!r} (inputs: {', '.join(sorted(self.places)) or 'none'})")
        return tuple(found)

    def one(self, pattern: str) -> Path:
        """The only file that matches."""
        found = self.all(pattern)
        if len(found) > 1:
            raise BadInput(f"{len(found)} files match {pattern!r}; expected one")
        return found[0]
