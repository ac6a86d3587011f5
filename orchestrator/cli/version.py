"""`--version`: the program's version and the LoadGen of each round."""

from __future__ import annotations

from orchestrator import __version__


def version_text() -> str:
    """One line for the program, one for each round."""
    from orchestrator.config.catalog import load_round, rounds

    lines = [f"mlperf-docker {__version__}"]
    for round_ in map(load_round, rounds()):
        default = " (default)" if round_.default else ""
        lines.append(f"  round {round_.name}: LoadGen {round_.loadgen}{default}")
    return "\n".join(lines) + "\n"
