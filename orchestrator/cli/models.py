"""`mlperf-docker models list|show|get|verify`: the catalogue's models, their weights and data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from orchestrator.domain.asset import Asset
    from orchestrator.domain.benchmark import Benchmark, BenchmarkRules

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)
Catalog = Annotated[list[Path] | None, typer.Option("--catalog", help="A catalogue folder of your own.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
_UNKNOWN = "unknown"


@app.callback()
def models() -> None:
    """The catalogue's models: list, show, get, verify."""


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
    from orchestrator.domain.matrix import machine_needs, rows

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
    write_lines([f"machine for {way}: {texts}" for _, way, texts in machine_needs([one])])
    return 0


Name = Annotated[str, typer.Argument(help="A model, an alias of it, or weights by their own name.")]
Implementation = Annotated[str | None, typer.Option(help="Whose harness; default: the catalogue's.")]
Backend = Annotated[str | None, typer.Option(help="Runtime: onnxruntime, pytorch, vllm, …")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, rocm, qaic, xpu, hpu.")]
Round = Annotated[str | None, typer.Option("--round", help="MLPerf Inference round, for example v6.1.")]
Source = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="NAME=DIR", help="A clone that scripts are taken from, DIR or DIR@REVISION."),
]
AssetOnly = Annotated[bool, typer.Option("--asset-only", help="The weights alone, without data sets.")]
Calibration = Annotated[bool, typer.Option("--calibration", help="Lists and sets for quantisation, too.")]


@app.command()
def get(  # noqa: PLR0917
    name: Name,
    implementation: Implementation = None,
    backend: Backend = None,
    device: Device = None,
    round_: Round = None,
    asset_only: AssetOnly = False,
    calibration: Calibration = False,
    engine: Annotated[str, typer.Option(help="What runs preparation steps: docker or native.")] = "docker",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show origin, size, licence and gate only.")] = False,
    source: Source = None,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Have all that a model needs: data set, weights, and what else its way of running takes.

    The last line is the path of the weights. What each costs and what stands before it is said first, on stderr.
    """
    from orchestrator.cli.asset_get import get_assets
    from orchestrator.cli.options import use_catalogue

    use_catalogue(catalog)
    way = _Way(implementation, backend, device)
    assets, meant = _wanted(name, way, round_, asset_only=asset_only, calibration=calibration)
    ordered = reversed(assets)
    return get_assets(ordered, engine=engine, round_name=meant, dry_run=dry_run, as_json=json_, source=source)


@app.command()
def verify(  # noqa: PLR0917
    name: Name,
    implementation: Implementation = None,
    backend: Backend = None,
    device: Device = None,
    round_: Round = None,
    asset_only: AssetOnly = False,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Check every file of a model's assets against its hash; names those that differ, exit status 4."""
    from orchestrator.cli.asset_get import verify_assets
    from orchestrator.cli.options import use_catalogue

    use_catalogue(catalog)
    assets, meant = _wanted(name, _Way(implementation, backend, device), round_, asset_only=asset_only)
    return verify_assets(assets, round_name=meant, as_json=json_)


class _Way(NamedTuple):
    """Which of the ways to run a model is meant; None leaves it open."""

    implementation: str | None
    backend: str | None
    device: str | None


def _wanted(
    name: str, way: _Way, round_: str | None, *, asset_only: bool, calibration: bool = False
) -> tuple[tuple[Asset, ...], str | None]:
    """The assets of a model, the weights first, and the round that is meant; or weights by their own name."""
    from orchestrator.cli.options import one_of
    from orchestrator.config.catalog import asset_aliases, asset_names, benchmark_aliases, benchmark_names, load_asset
    from orchestrator.controller.assets import assets_of, round_of
    from orchestrator.controller.offering import Wanted
    from orchestrator.domain.suggest import unknown
    from orchestrator.domain.terms import Device as Kind
    from orchestrator.errors import UsageError

    if name in (*benchmark_names(), *benchmark_aliases()):
        asked = Wanted(
            implementation=way.implementation, backend=way.backend, device=one_of(Kind, way.device, "device")
        )
        meant = round_of(name, round_)
        return assets_of(name, asked, round_name=meant, asset_only=asset_only, calibration=calibration), meant
    if name not in (*asset_names(), *asset_aliases()):
        raise unknown("model", name, (*benchmark_names(), *benchmark_aliases(), *asset_names()))
    if any(way) or calibration:
        raise UsageError(
            f"'{name}' are weights, not a model with several ways to run it",
            hint="leave --implementation, --backend, --device and --calibration out",
        )
    return (load_asset(name),), round_


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

    named = [name for offer in one.offers for name in (offer.model, offer.dataset, *offer.assets) if name is not None]
    names = dict.fromkeys((*named, *one.calibration))
    for name in names:
        asset = load_asset(name)
        gate = f"; first: {asset.gate.text}" if asset.gate else ""
        yield f"{asset.kind.value} {name}: {origin_of(asset.source)} (licence: {asset.licence}{gate})"
