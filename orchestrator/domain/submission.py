"""Submissions as values: a result's place in a tree, and what a check found there. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from orchestrator.domain.terms import Division, Scenario


class Origin(StrEnum):
    """Whose rule it is: the official checker of that round enforces it, or we do where it does not look."""

    OFFICIAL = "official"
    OURS = "ours"


class Weight(StrEnum):
    """A fault refuses the result; a warning does not."""

    FAULT = "fault"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """One result of a tree: names as its folders are spelled."""

    division: str
    submitter: str
    system: str
    benchmark: str
    scenario: str

    @property
    def official_division(self) -> Division | None:
        """The division as the rules know it."""
        return next((each for each in Division if each.value == self.division.lower()), None)

    @property
    def official_scenario(self) -> Scenario | None:
        """The scenario as the rules know it: its own spelling, or all in lower case."""
        return next((each for each in Scenario if self.scenario in {each.value, each.value.lower()}), None)

    def __str__(self) -> str:
        return "/".join((self.division, self.submitter, self.system, self.benchmark, self.scenario))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a result, or with a submitter's tree (`place` is null): rule, file, sentence, remedy.

    `path` is relative to the tree, `line` counts from 1. `code` is stable, for scripts.
    """

    code: str
    origin: Origin
    weight: Weight = Weight.FAULT
    place: Place | None
    path: PurePosixPath
    line: int | None = None
    text: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedResult:
    """A result that was looked at: accepted when nothing official stands against it.

    `value` in `unit` as the official summary has it; null where the log does not give it.
    """

    place: Place
    model: str | None
    value: float | None
    unit: str | None
    accuracy: tuple[tuple[str, float], ...] = ()
    inferred: bool = False
    power: bool = False
    faults: tuple[Fault, ...] = ()

    def accepted(self, origins: frozenset[Origin] = frozenset({Origin.OFFICIAL})) -> bool:
        """Whether no fault of these origins stands against it."""
        return not any(fault.weight is Weight.FAULT and fault.origin in origins for fault in self.faults)
