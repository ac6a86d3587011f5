"""Judge a run by its logs and its plan's rules. Pure; never looks at anything but what it is given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """Ours, not LoadGen's: a test run is never judged, whatever LoadGen said of it."""

    VALID = "VALID"
    INVALID = "INVALID"
    NOT_JUDGED = "not judged (test)"
    NO_RULES = "not judged (no rules for this model)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why: a stable code for scripts, a sentence for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement. `clean`: every sample was answered and no log has an error; `loadgen_validity` is LoadGen's own
    word (null in accuracy runs). `blockers` say why the run could not be submitted, even when it is valid."""

    standing: Standing
    clean: bool
    loadgen_validity: str | None
    reasons: tuple[Reason, ...]
    blockers: tuple[Reason, ...]
