"""`mlperf-docker results list|show`: finished runs again, with their seals checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)


@app.callback()
def results() -> None:
    """Finished runs: list, show."""


@app.command()
def show(
    run_dirs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """Show finished runs again; a broken seal is an error that names the files."""
    from orchestrator.cli.run_output import show_set
    from orchestrator.controller.reread import reread

    return show_set([reread(path.absolute()) for path in run_dirs], as_json=json_)


@app.command("list")
def list_(
    results_dir: Annotated[Path | None, typer.Option(help="Default ./mlperf-results.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """List the runs of a results directory, oldest first, with their state."""
    from orchestrator.cli import options
    from orchestrator.cli.output import write_json, write_lines, write_table
    from orchestrator.controller.reread import states

    settings = options.settings({"results_dir": str(results_dir) if results_dir else None})
    found = states(settings.results_dir)
    if json_:
        write_json({"schema_version": 1, "runs": [{"run_id": name, "state": state} for name, state in found]})
    elif found:
        write_table(("run", "state"), found)
    else:
        write_lines([f"no runs below {settings.results_dir}"])
    return 0
