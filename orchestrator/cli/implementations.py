"""`mlperf-docker implementations list|show`: who can run what, and how far it was tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)

Catalog = Annotated[list[Path] | None, typer.Option("--catalog", help="A catalogue folder of your own.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@app.callback()
def implementations() -> None:
    """Who can run what."""


@app.command("list")
def list_(
    model: Annotated[str | None, typer.Option(help="The matrix of this model only.")] = None,
    round_: Annotated[str | None, typer.Option("--round", help="The matrix of this round only.")] = None,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """List implementations, and the coverage matrix: model × implementation × backend × device × scenario × round."""
    from orchestrator.cli.options import use_catalogue
    from orchestrator.cli.output import write_json, write_lines, write_table
    from orchestrator.config.catalog import (
        benchmark_names,
        implementation_names,
        load_benchmark,
        load_implementation,
        load_round,
        rounds,
    )
    from orchestrator.domain.matrix import cells, rows

    use_catalogue(catalog)
    found = [load_implementation(name) for name in implementation_names()]
    models = [load_benchmark(name) for name in ([model] if model else benchmark_names())]
    names = (load_round(round_).name,) if round_ else rounds()
    if json_:
        write_json({"schema_version": 1, "implementations": found, "cells": tuple(cells(models, names))})
        return 0
    ways = [
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
    write_table(("implementation", "title", "backends", "devices", "this version", "evidence"), ways)
    matrix = [
        (
            row.model,
            f"{row.implementation}/{row.backend}",
            ", ".join(device.value for device in row.devices),
            *(row.letters(name) for name in names),
            row.evidence.value,
        )
        for row in rows(models, names)
        if row.scenarios
    ]
    write_table(("model", "run by", "devices", *names, "evidence"), matrix, title="Coverage")
    write_lines(["O Offline, S Server, I Interactive, SS SingleStream, MS MultiStream"])
    return 0


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="An implementation.")],
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Show one implementation and what a user must bring."""
    from orchestrator.cli.options import use_catalogue
    from orchestrator.cli.output import write_json, write_lines
    from orchestrator.config.catalog import load_implementation

    use_catalogue(catalog)
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
            *_machines(one.name),
        ]
    )
    return 0


def _machines(name: str) -> Iterator[str]:
    """What its offers ask of a machine, each with the models that do."""
    from orchestrator.config.catalog import benchmark_names, load_benchmark
    from orchestrator.domain.matrix import machine_needs

    models: dict[str, dict[str, None]] = {}
    for model, way, texts in machine_needs(load_benchmark(each) for each in benchmark_names()):
        if way.startswith(f"{name}/"):
            models.setdefault(texts, {})[model] = None
    for texts, found in models.items():
        yield f"machine: {texts} ({', '.join(found)})"
