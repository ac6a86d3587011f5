"""`mlperf-docker doctor`: what this machine lacks, and the remedy."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def doctor(
    network: Annotated[
        bool, typer.Option("--network", help="Also ask the package index, and for gated assets.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """Look the machine over; exit code 3 when something would stop a run."""
    from orchestrator.cli import options
    from orchestrator.cli.output import write_json, write_table
    from orchestrator.controller.connect import examine
    from orchestrator.domain.finding import Level, worst
    from orchestrator.errors import ExitCode

    findings = examine(options.settings({}), network=network)
    if json_:
        write_json({"schema_version": 1, "worst": worst(findings), "findings": findings})
    else:
        rows = [(one.level.value, one.name, one.text, one.remedy or "") for one in findings]
        write_table(("level", "what", "found", "remedy"), rows)
    return int(ExitCode.PREFLIGHT if worst(findings) is Level.FAULT else ExitCode.OK)
