"""`mlperf-docker implementations list|show`: who can run what, and how far it was tried."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)


@app.callback()
def implementations() -> None:
    """Who can run what."""


@app.command("list")
def list_(json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False) -> int:
    """List implementations with their backends and devices."""
    from orchestrator.cli.output import write_json, write_table
    from orchestrator.config.catalog import implementation_names, load_implementation

    found = [load_implementation(name) for name in implementation_names()]
    if json_:
        write_json({"schema_version": 1, "implementations": found})
        return 0
    rows = [
        (
            one.name,
            one.title,
            ", ".join(one.backends),
            ", ".join(device.value for device in one.devices),
            "driven" if one.drives else "described only",
            one.evidence.value,
        )
        for one in found
    ]
    write_table(("implementation", "title", "backends", "devices", "this version", "evidence"), rows)
    return 0


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="An implementation.")],
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """Show one implementation and what a user must bring."""
    from orchestrator.cli.output import write_json, write_lines
    from orchestrator.config.catalog import load_implementation

    one = load_implementation(name)
    if json_:
        write_json({"schema_version": 1, "implementation": one})
        return 0
    write_lines(
        [
            f"{one.name}: {one.title} ({one.evidence.value})",
            one.description,
            f"backends: {', '.join(one.backends)}",
            f"devices: {', '.join(device.value for device in one.devices)}",
            "this version drives it" if one.drives else "this version describes it, but cannot drive it yet",
            *(f"you bring: {thing}" for thing in one.user_supplies),
        ]
    )
    return 0
