"""The nearest match for a name that was mistyped. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from orchestrator.errors import UsageError


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The closest of the choices, letter case aside, or None when none is close."""
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[close[0]] if close else None


def unknown(what: str, name: str, choices: Iterable[str]) -> UsageError:
    """The error for an unknown name: says what was meant, probably, and what there is."""
    known = sorted(choices)
    guess = nearest(name, known)
    meant = f"; did you mean '{guess}'?" if guess else ""
    return UsageError(f"unknown {what} '{name}'{meant}", hint=f"known: {', '.join(known) or 'none'}")
