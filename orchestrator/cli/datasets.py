"""`mlperf-docker datasets list|show|get|verify`: data sets, calibration lists, and what they are made from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)
Catalog = Annotated[list[Path] | None, typer.Option("--catalog", help="A catalogue folder of your own.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME[@N]...", help="Data sets; with @500 the first 500 samples.")]
Engine = Annotated[str, typer.Option(help="What runs preparation steps: docker; native only when asked for.")]
Round = Annotated[str | None, typer.Option("--round", help="MLPerf Inference round, for example v6.1.")]
Source = Annotated[
    list[str] | None,
    typer.Option("--source", metavar="NAME=DIR", help="A clone that scripts are taken from, DIR or DIR@REVISION."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show origin, size, licence and gate; fetch nothing.")]


@app.callback()
def datasets() -> None:
    """Data sets, calibration lists, and what they are made from."""


@app.command("list")
def list_(
    model: Annotated[str | None, typer.Option(help="Only what this model uses, calibration lists included.")] = None,
    round_: Annotated[str | None, typer.Option("--round", help="Only what models of this round use.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also lists for calibration and raw material.")] = False,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """List data sets with size, source, gate, and the models that use them."""
    from orchestrator.cli.asset_output import write_listed
    from orchestrator.cli.options import use_catalogue
    from orchestrator.controller.assets import listed
    from orchestrator.domain.asset import AssetKind

    use_catalogue(catalog)
    more = (AssetKind.MATERIAL,) if everything or model is not None else ()
    found = listed((AssetKind.DATASET, *more), model=model, round_name=round_)
    write_listed(sorted(found, key=lambda one: (one.asset.kind.value, one.asset.name)), as_json=json_)
    return 0


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME[@N]", help="A data set, or an alias of it.")],
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Show one data set: origin, size, licence, gate, what it must hold, who uses it."""
    from orchestrator.cli.asset_output import write_asset
    from orchestrator.cli.options import use_catalogue
    from orchestrator.config.catalog import load_asset
    from orchestrator.controller.assets import users_of

    use_catalogue(catalog)
    asset = load_asset(name)
    write_asset(asset, users_of(asset), as_json=json_)
    return 0


@app.command()
def get(  # noqa: PLR0917
    names: Names,
    round_: Round = None,
    engine: Engine = "docker",
    dry_run: DryRun = False,
    source: Source = None,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Have data sets: fetched, verified, prepared; the last line is the path of the last one.

    Where each comes from, what it costs, its licence and what stands before it is said first, on stderr.
    """
    from orchestrator.cli.asset_get import get_assets
    from orchestrator.cli.options import use_catalogue
    from orchestrator.config.catalog import load_asset

    use_catalogue(catalog)
    assets = [load_asset(name) for name in dict.fromkeys(names)]
    return get_assets(assets, engine=engine, round_name=round_, dry_run=dry_run, as_json=json_, source=source)


@app.command()
def verify(
    names: Names,
    round_: Round = None,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Check every file of data sets that are here against its hash; names those that differ, exit status 4."""
    from orchestrator.cli.asset_get import verify_assets
    from orchestrator.cli.options import use_catalogue
    from orchestrator.config.catalog import load_asset

    use_catalogue(catalog)
    assets = [load_asset(name) for name in dict.fromkeys(names)]
    return verify_assets(assets, round_name=round_, as_json=json_)
