"""`mlperf-docker config show|init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)


@app.callback()
def config() -> None:
    """Settings: show, init."""


@app.command()
def show(
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value came from.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """Show the settings in force: flag > MLPERF_DOCKER_* > ./mlperf-docker.yaml > user's > system's."""
    from orchestrator.cli import options
    from orchestrator.cli.output import write_json, write_table
    from orchestrator.config.settings import shown

    rows = shown(options.settings({}))
    if json_:
        write_json(
            {
                "schema_version": 1,
                "settings": {name: {"value": value, "origin": source} for name, value, source in rows},
            }
        )
    elif origin:
        write_table(("setting", "value", "origin"), [(name, value or "-", source) for name, value, source in rows])
    else:
        write_table(("setting", "value"), [(name, value or "-") for name, value, _ in rows])
    return 0


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("mlperf-docker.yaml"),
) -> int:
    """Write a commented settings file; one that exists is never overwritten."""
    from orchestrator.cli.output import write_lines
    from orchestrator.config.settings_template import render_template
    from orchestrator.errors import UsageError
    from orchestrator.host.files import write_atomic

    if path.exists():
        raise UsageError(f"{path} exists already", hint="name another file, or edit that one")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}", hint=f"mkdir -p {path.parent}")
    write_atomic(path, render_template())
    write_lines([str(path)])
    return 0
