"""`mlperf-docker models list|show`: the catalogue's models."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)


@app.callback()
def models() -> None:
    """The catalogue's models."""


@app.command("list")
def list_(json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False) -> int:
    """List models with their task, data set, and who can run them."""
    from orchestrator.cli.output import write_json, write_table
    from orchestrator.config.catalog import benchmark_names, load_benchmark

    found = [load_benchmark(name) for name in benchmark_names()]
    if json_:
        write_json({"schema_version": 1, "models": found})
        return 0
    rows = [
        (
            one.name,
            one.suite.value,
            one.task,
            one.dataset,
            ", ".join(dict.fromkeys(f"{offer.implementation}/{offer.backend}" for offer in one.offers)),
            ", ".join(dict.fromkeys(offer.evidence.value for offer in one.offers)),
        )
        for one in found
    ]
    write_table(("model", "suite", "task", "data set", "run by", "evidence"), rows)
    return 0


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A model, or an alias of it.")],
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """Show one model: rules per round, targets, and every way to run it."""
    from orchestrator.cli.output import write_json, write_lines, write_table
    from orchestrator.config.catalog import load_benchmark

    one = load_benchmark(name)
    if json_:
        write_json({"schema_version": 1, "model": one})
        return 0
    write_lines([f"{one.name}: {one.task}", one.description, f"data set: {one.dataset}"])
    rules = [
        (
            round_name,
            ", ".join(scenario.value for scenario in each.scenarios),
            "; ".join(f"{target.metric} >= {target.lower_limit(each.dataset_samples):.6g}" for target in each.accuracy),
            str(each.dataset_samples),
        )
        for round_name, each in sorted(one.rules.items())
    ]
    write_table(("round", "scenarios", "accuracy", "samples"), rules, title="Rules")
    offers = [
        (
            offer.implementation,
            offer.backend,
            ", ".join(device.value for device in offer.devices),
            offer.image,
            offer.evidence.value,
        )
        for offer in one.offers
    ]
    write_table(("implementation", "backend", "devices", "image", "evidence"), offers, title="Ways to run it")
    needs = dict.fromkeys(need for offer in one.offers for need in offer.needs)
    write_lines([f"you bring: {need}" for need in needs])
    return 0
