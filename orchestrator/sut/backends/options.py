"""The `options` of harness.json for a backend: known names and values only."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from orchestrator.sut.faults import BAD_INPUT, SutError

DIMENSION = "dim."  # size of an open dimension of generated inputs; the harness's own, not a backend's


def chosen(backend: str, options: Mapping[str, str], known: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The options, with the first of `known[name]` where one is not given. An empty tuple of values takes any."""
    for name, value in sorted(options.items()):
        if name.startswith(DIMENSION):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; it knows {', '.join(sorted(known)) or 'none'}"
            raise SutError(f"options: {backend} has no option '{name}'{hint}", exit_code=BAD_INPUT)
        if value not in known[name]:
            raise SutError(
                f"options: '{name}' of {backend} takes {' or '.join(known[name])}, not '{value}'", exit_code=BAD_INPUT
            )
    return {name: options.get(name, values[0]) for name, values in known.items()}
