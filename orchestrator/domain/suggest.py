"""The nearest match for a name that was mistyped. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from orchestrator.errors import UsageError

_SHOWN_ALL, _SHOWN_OF_MANY = 60, 8


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The closest of the choices, letter case aside, or None when none is close."""
    by_lower = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[close[0]] if close else None


def unknown(what: str, name: str, choices: Iterable[str]) -> UsageError:
    """The error for an unknown name: says what was meant, probably, and what there is (of many, what is like it)."""
    known = sorted(set(choices))
    guess = nearest(name, known)
    meant = f"; did you mean '{guess}'?" if guess else ""
    return UsageError(f"unknown {what} '{name}'{meant}", hint=f"known: {_listed(name, known) or 'none'}")


def _listed(name: str, known: list[str]) -> str:
    if len(known) <= _SHOWN_ALL:
        return ", ".join(known)
    like = difflib.get_close_matches(name, known, n=_SHOWN_OF_MANY, cutoff=0.3) or known[:_SHOWN_OF_MANY]
    return f"{', '.join(like)} and {len(known) - len(like)} more"
