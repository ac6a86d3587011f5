"""`mlperf-docker logout SERVICE`: forget a stored login."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def logout(service: Annotated[str, typer.Argument(help="huggingface or mlcommons.")]) -> int:
    """Forget a stored login; what variables hold stays, and is named."""
    from orchestrator.cli import options
    from orchestrator.cli.output import say, write_lines
    from orchestrator.controller.login import log_out
    from orchestrator.domain.asset import Service

    which = options.one_of(Service, service, "service")
    assert which is not None  # noqa: S101 - an argument that has to be there
    gone, variables = log_out(which)
    write_lines([f"removed {gone}" if gone is not None else f"no login to {which.value} was stored"])
    if variables:
        say(f"note: {' and '.join(variables)} in the environment still hold one")
    return 0
