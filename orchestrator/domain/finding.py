"""What a check found: a name, how bad it is, a sentence, and what to do about it. Pure; checks nothing itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """`note`: worth knowing; `warning`: results suffer; `fault`: a run would fail. In rising order."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding. `name` is stable, for scripts; whatever is not ok carries a remedy."""

    name: str
    level: Level
    text: str
    remedy: str | None = None

    def __post_init__(self) -> None:
        if self.level is not Level.OK and not self.remedy:
            raise ValueError(f"finding '{self.name}' is a {self.level} without a remedy")


def ok(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(name=name, level=Level.OK, text=text)


def note(name: str, text: str, remedy: str) -> Finding:
    """Worth knowing."""
    return Finding(name=name, level=Level.NOTE, text=text, remedy=remedy)


def warning(name: str, text: str, remedy: str) -> Finding:
    """Results would suffer."""
    return Finding(name=name, level=Level.WARNING, text=text, remedy=remedy)


def fault(name: str, text: str, remedy: str) -> Finding:
    """A run would fail."""
    return Finding(name=name, level=Level.FAULT, text=text, remedy=remedy)


def worst(findings: Iterable[Finding]) -> Level:
    """The gravest level among them; ok when there is none."""
    order = list(Level)
    return max((finding.level for finding in findings), key=order.index, default=Level.OK)
