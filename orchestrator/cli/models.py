"""`mlperf-docker models list|show`: the catalogue's models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orchestrator.domain.benchmark import Benchmark, BenchmarkRules

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)
Catalog = Annotated[list[Path] | None, typer.Option("--catalog", help="A catalogue folder of your own.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
_UNKNOWN = "unknown"


@app.callback()
def models() -> None:
    """The catalogue's models."""


@app.command("list")
def list_(
    round_: Annotated[str | None, typer.Option("--round", help="Only models of this round.")] = None,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """List models with their task, data set, rounds, and who can run them."""
    from orchestrator.cli.options import use_catalogue
    from orchestrator.cli.output import write_json, write_table
    from orchestrator.config.catalog import benchmark_names, load_benchmark, load_round, rounds

    use_catalogue(catalog)
    found = [load_benchmark(name) for name in benchmark_names()]
    if round_ is not None:
        found = [one for one in found if one.rules_of(load_round(round_).name) is not None]
    if json_:
        write_json({"schema_version": 1, "models": found})
        return 0
    names = rounds()
    rows = [
        (
            one.name,
            one.suite.value + (", retired" if one.retired else ""),
            one.task,
            one.dataset,
            _rounds(one, names),
            ", ".join(dict.fromkeys(offer.implementation for offer in one.offers)) or "nobody yet",
            ", ".join(dict.fromkeys(offer.evidence.value for offer in one.offers)) or "-",
        )
        for one in found
    ]
    write_table(("model", "suite", "task", "data set", "rounds", "run by", "evidence"), rows)
    return 0


def _rounds(one: Benchmark, names: tuple[str, ...]) -> str:
    if "any" in one.rules:
        return f"to {one.last_round}" if one.last_round else "any"
    there = [name for name in names if name in one.rules]
    return f"{there[0]} to {there[-1]}" if len(there) > 1 else "".join(there)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A model, or an alias of it.")],
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Show one model: rules per round, targets, assets, and every way to run it."""
    from orchestrator.cli.options import use_catalogue
    from orchestrator.cli.output import write_json, write_lines, write_table
    from orchestrator.config.catalog import load_benchmark, rounds
    from orchestrator.domain.matrix import rows

    use_catalogue(catalog)
    one = load_benchmark(name)
    if json_:
        write_json({"schema_version": 1, "model": one})
        return 0
    write_lines([f"{one.name}: {one.task}", one.description, f"data set: {one.dataset}"])
    write_lines([f"LoadGen knows it as {one.loadgen_model}, the official checker as {one.checker_model or 'nothing'}"])
    write_lines([f"note: {note}" for note in one.notes])
    columns = (
        "round",
        "scenarios",
        "required",
        "accuracy",
        "samples",
        "performance set",
        "latency limits",
        "compliance",
    )
    write_table(columns, [_rules(key, each) for key, each in sorted(one.rules.items())], title="Rules")
    names = rounds()
    ways = [
        (
            f"{row.implementation}/{row.backend}",
            ", ".join(device.value for device in row.devices),
            *(row.letters(each) for each in names),
            row.evidence.value,
        )
        for row in rows([one], names)
    ]
    write_table(("run by", "devices", *names, "evidence"), ways, title="Ways to run it")
    write_lines(list(_assets(one)))
    needs = dict.fromkeys(need for offer in one.offers for need in offer.needs)
    write_lines([f"you bring: {need}" for need in needs])
    return 0


def _rules(round_name: str, rules: BenchmarkRules) -> tuple[str, ...]:
    limits = [f"{scenario.value} {ns / 1e6:g} ms" for scenario, ns in rules.latency_limit_ns.items()]
    limits += [
        f"{scenario.value} TTFT {one.ttft_ns / 1e6:g} ms, TPOT {one.tpot_ns / 1e6:g} ms"
        for scenario, one in rules.token_limits.items()
    ]
    required = (
        f"{category.value}: {', '.join(each.value for each in scenarios)}"
        for category, scenarios in rules.required.items()
    )
    return (
        round_name,
        ", ".join(scenario.value for scenario in rules.scenarios),
        "; ".join(required) or "-",
        "; ".join(target.bounds(rules.dataset_samples) for target in rules.accuracy) or _UNKNOWN,
        str(rules.dataset_samples),
        str(rules.performance_sample_count),
        "; ".join(limits) or "-",
        ", ".join(rules.compliance) or "-",
    )


def _assets(one: Benchmark) -> Iterator[str]:
    """Where weights and data come from, and what stands before them."""
    from orchestrator.config.catalog import load_asset
    from orchestrator.domain.source import origin_of

    names = dict.fromkeys(
        name for offer in one.offers for name in (offer.model, offer.dataset, *offer.assets) if name is not None
    )
    for name in names:
        asset = load_asset(name)
        gate = f"; first: {asset.gate.text}" if asset.gate else ""
        yield f"{asset.kind.value} {name}: {origin_of(asset.source)} (licence: {asset.licence}{gate})"
