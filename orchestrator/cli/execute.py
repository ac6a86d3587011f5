"""`mlperf-docker execute RUN_DIR`: carry out one frozen plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def execute(
    run_dir: Annotated[Path, typer.Argument(help="A run directory with plan.json and no run.json.")],
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> int:
    """Carry out one frozen plan in its directory; a plan of another version of this program is refused."""
    from orchestrator.cli import options
    from orchestrator.cli.output import Progress
    from orchestrator.cli.run_output import show_set
    from orchestrator.controller.execute import execute_plan

    watcher = Progress(quiet=quiet)
    try:
        done = execute_plan(run_dir.absolute(), options.settings({}), watcher)
    finally:
        watcher.done()
    return show_set([done], as_json=json_)
