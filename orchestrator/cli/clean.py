"""`mlperf-docker clean`: remove what a crash left."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def clean(
    engine: Annotated[str, typer.Option(help="docker or native.")] = "docker",
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """Remove containers, networks and volumes whose owner is dead; what a living run uses is spared."""
    from orchestrator.cli import options
    from orchestrator.cli.output import write_json, write_lines
    from orchestrator.controller.connect import engine_of
    from orchestrator.domain.terms import EngineName

    name = options.one_of(EngineName, engine, "engine") or EngineName.DOCKER
    removed = engine_of(name, options.settings({})).clean()
    if json_:
        write_json({"schema_version": 1, "removed": removed})
    else:
        write_lines([f"removed {thing}" for thing in removed] or ["nothing was left behind"])
    return 0
