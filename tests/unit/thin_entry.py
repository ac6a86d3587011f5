"""Reads the command of a step of our thin layer over a vendor's image: the entry script's options, the vendor's own."""

from __future__ import annotations

from orchestrator.domain.plan import Execution


def options(execution: Execution) -> dict[str, list[str]]:
    """The entry script's options of a step, by name."""
    words = execution.container.command
    end = words.index("--")
    found: dict[str, list[str]] = {}
    for name, value in zip(words[2:end:2], words[3:end:2], strict=True):
        found.setdefault(name, []).append(value)
    return found


def harness_command(execution: Execution) -> tuple[str, ...]:
    """The vendor's own command of a step."""
    words = execution.container.command
    return words[words.index("--") + 1 :]
