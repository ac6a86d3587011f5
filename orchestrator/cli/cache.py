"""`mlperf-docker cache show|du|path|rm|prune|verify|import|pin|unpin`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="An asset, NAME/KEY for one version of it, or work/… of a driver.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Catalog = Annotated[list[Path] | None, typer.Option("--catalog", help="A catalogue folder of your own.")]


@app.callback()
def cache() -> None:
    """Models and data on disk: what is there, what it costs, whether it is whole; make it smaller, add your own."""


@app.command()
def show(
    name: Annotated[str | None, typer.Argument(help="One asset, with every run that used it.")] = None,
    json_: Json = False,
) -> int:
    """List what is here by size, last use, trust; pinned and in use are marked."""
    from orchestrator.cli import cache_output, options
    from orchestrator.controller.cache import details, entries

    settings = options.settings({})
    if name is None:
        cache_output.write_entries(entries(settings), as_json=json_)
    else:
        cache_output.write_details(details(settings, name), as_json=json_)
    return 0


@app.command()
def du(json_: Json = False) -> int:
    """Say what everything costs on disk, each file counted once, and what would be free if one thing went."""
    from orchestrator.cli import cache_output, options
    from orchestrator.controller.cache import usage_of

    found, root = usage_of(options.settings({}))
    cache_output.write_usage(found, root, as_json=json_)
    return 0


@app.command()
def path(name: Name, json_: Json = False) -> int:
    """Print the folder of an asset, for `cd "$(mlperf-docker cache path NAME)"`; exit status 4 if it is not here."""
    from orchestrator.cli import options
    from orchestrator.cli.output import say, write_json, write_lines
    from orchestrator.controller.cache import place

    found = place(options.settings({}), name, say=say)
    if json_:
        write_json({"schema_version": 1, "path": found})
    else:
        write_lines([str(found)])
    return 0


@app.command()
def rm(name: Name, json_: Json = False) -> int:
    """Remove an asset, without asking; not one that is pinned or in use."""
    from orchestrator.cli import options
    from orchestrator.cli.output import write_json, write_lines
    from orchestrator.controller.cache import remove

    removed = remove(options.settings({}), name)
    if json_:
        write_json({"schema_version": 1, "removed": removed})
    else:
        write_lines([f"removed {one.name}: {one.path}" for one in removed])
    return 0


@app.command()
def prune(
    keep: Annotated[str | None, typer.Option(help="How much may stay, for example 500G.")] = None,
    older_than: Annotated[str | None, typer.Option("--older-than", help="Only what was not used so long: 30d.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")] = False,
    json_: Json = False,
) -> int:
    """Make the cache smaller: broken-off downloads and unused blobs first, then what was used least recently.

    Never what is pinned or in use. With neither option only the former go.
    """
    from orchestrator.assets.cache_prune import Limits
    from orchestrator.cli import cache_output, options
    from orchestrator.controller.cache import prune_cache

    limits = Limits(
        keep_bytes=cache_output.kept_bytes(keep, "--keep"), older_than=cache_output.age(older_than, "--older-than")
    )
    pruned = prune_cache(options.settings({}), limits, dry_run=dry_run)
    cache_output.write_pruned(pruned, limits, dry_run=dry_run, as_json=json_)
    return 0


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Assets; none: everything.")] = None,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Hash every file again and name what is missing, changed or extra (exit status 4); nothing is removed."""
    from orchestrator.cli import cache_output, options
    from orchestrator.cli.output import Progress
    from orchestrator.controller.cache import verify as verify_all
    from orchestrator.errors import ExitCode

    options.use_catalogue(catalog)
    watcher = Progress()
    try:
        found = verify_all(options.settings({}), tuple(names or ()), meter=watcher.transfer)
    finally:
        watcher.done()
    cache_output.write_verified(found, as_json=json_)
    return 0 if all(one.ok for one in found) else int(ExitCode.ASSET)


@app.command("import")
def import_(  # noqa: PLR0917
    name: Annotated[str, typer.Argument(help="An asset of the catalogue.")],
    given: Annotated[Path, typer.Argument(metavar="PATH", help="Your folder, file, or the archive it comes in.")],
    link: Annotated[bool, typer.Option("--link", help="Share your files, which you then leave as they are.")] = False,
    copy: Annotated[bool, typer.Option("--copy", help="Copy them (the default).")] = False,
    move: Annotated[bool, typer.Option("--move", help="Remove yours when all is in the cache.")] = False,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Put your own copy of an asset into the cache; it is checked against the catalogue like what is fetched."""
    from orchestrator.assets.cache_import import How
    from orchestrator.cli import options
    from orchestrator.cli.output import Progress, write_json, write_lines
    from orchestrator.controller.cache import bring
    from orchestrator.errors import UsageError

    if link + copy + move > 1:
        raise UsageError("--link, --copy and --move exclude one another")
    options.use_catalogue(catalog)
    options.readable(given, "PATH")
    how = How.LINK if link else How.MOVE if move else How.COPY
    watcher = Progress()
    try:
        ready = bring(options.settings({}), name, given, how, say=watcher.say, meter=watcher.transfer)
    finally:
        watcher.done()
    if json_:
        write_json({"schema_version": 1, "asset": ready})
    else:
        write_lines([str(ready.path)])
    return 0


@app.command()
def pin(name: Name, catalog: Catalog = None, json_: Json = False) -> int:
    """Keep an asset, in all its versions, from `rm` and `prune`."""
    from orchestrator.cli import options
    from orchestrator.cli.output import write_json, write_lines
    from orchestrator.controller import cache as caches

    options.use_catalogue(catalog)
    pinned = caches.pin(options.settings({}), name)
    if json_:
        write_json({"schema_version": 1, "pinned": pinned})
    else:
        write_lines([f"pinned {pinned}"])
    return 0


@app.command()
def unpin(name: Name, catalog: Catalog = None, json_: Json = False) -> int:
    """Let an asset be removed again."""
    from orchestrator.cli import options
    from orchestrator.cli.output import write_json, write_lines
    from orchestrator.controller import cache as caches

    options.use_catalogue(catalog)
    freed = caches.unpin(options.settings({}), name)
    if json_:
        write_json({"schema_version": 1, "unpinned": freed})
    else:
        write_lines([f"unpinned {freed}"])
    return 0
