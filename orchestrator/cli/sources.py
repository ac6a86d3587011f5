"""`mlperf-docker sources list|checkout`: editable clones of harnesses and LoadGen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)
RoundOption = Annotated[str | None, typer.Option("--round", help="MLPerf Inference round, for example v6.1.")]
Catalog = Annotated[list[Path] | None, typer.Option("--catalog", help="A catalogue folder of your own.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
_SHOWN_IMAGES = 3


@app.callback()
def sources() -> None:
    """What images are built from, to be changed and given back with --source NAME=DIR."""


@app.command("list")
def list_(round_: RoundOption = None, catalog: Catalog = None, json_: Json = False) -> int:
    """List the repositories of a round: where each is, at which revision, and which images take it."""
    from orchestrator.cli import options
    from orchestrator.cli.output import write_json, write_table
    from orchestrator.config.catalog import load_round
    from orchestrator.controller.sources import offered

    options.use_catalogue(catalog)
    settings = options.settings({"round": round_})
    found = offered(settings.round)
    if json_:
        write_json({"schema_version": 1, "round": load_round(settings.round).name, "sources": found})
        return 0
    rows = []
    for one in found:
        more = f" and {len(one.images) - _SHOWN_IMAGES} more" if len(one.images) > _SHOWN_IMAGES else ""
        rows.append((one.name, one.url, one.revision or "not known", ", ".join(one.images[:_SHOWN_IMAGES]) + more))
    write_table(("source", "upstream", "revision", "taken by"), rows)
    return 0


@app.command()
def checkout(  # noqa: PLR0917
    name: Annotated[str, typer.Argument(help="A source ('sources list'), or loadgen.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; absent or empty.")],
    round_: RoundOption = None,
    revision: Annotated[str | None, typer.Option("--revision", help="A tag, branch or commit of your own.")] = None,
    image: Annotated[str | None, typer.Option("--image", help="The image it is for, with its submodules.")] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", metavar="NAME=CLONE", help="Fetch from this clone or address.")
    ] = None,
    proxy: Annotated[str | None, typer.Option("--proxy", help="Proxy for git.")] = None,
    ca_bundle: Annotated[Path | None, typer.Option("--ca-bundle", help="Certificates for git.")] = None,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Make an editable clone at the round's revision. Runs with it record its diff and are never closed submissions."""
    import os
    import sys

    from orchestrator.cli import options
    from orchestrator.cli.output import write_json, write_lines
    from orchestrator.config.catalog import load_round
    from orchestrator.controller.sources import check_out
    from orchestrator.domain.redact import RedactedLines, secrets_of
    from orchestrator.errors import UsageError

    if round_ is not None and revision is not None:
        raise UsageError("--round and --revision exclude each other", hint="a round stands for its own revision")
    options.use_catalogue(catalog)
    named = str(ca_bundle) if options.readable(ca_bundle, "--ca-bundle") else None
    settings = options.settings(
        {"round": round_, "http_proxy": options.proxy(proxy), "https_proxy": proxy, "ca_bundle": named}
    )
    said = RedactedLines(sys.stderr.buffer.write, secrets_of(os.environ))
    upstream = _upstream(name, source or [])
    made = check_out(
        name,
        folder,
        settings,
        revision=revision,
        image=image,
        upstream=upstream,
        output=said.write,
        live=sys.stderr.isatty(),
    )
    said.flush()
    if json_:
        write_json({"schema_version": 1, "round": load_round(settings.round).name, "checkout": made})
        return 0
    write_lines(
        [
            f"{made.folder}: {made.url} at {made.commit}",
            f"give it back: mlperf-docker run … --source {made.name}={made.folder}",
            "such runs keep its diff (source-*.diff in the run directory); changed, they are not submittable as closed",
        ]
    )
    return 0


def _upstream(name: str, given: list[str]) -> str | None:
    """What the --source option for this name holds; a local path made absolute."""
    from orchestrator.cli import options
    from orchestrator.errors import UsageError

    pairs = dict(options.pairs(given, "--source"))
    for other in pairs:
        if other != name:
            raise UsageError(f"--source {other}: only '{name}' is checked out", hint=f"--source {name}=CLONE")
    if name not in pairs:
        return None
    text = pairs[name]
    if "://" in text or (":" in text and not Path(text).exists()):
        return text
    if not Path(text).is_dir():
        raise UsageError(f"--source {name}={text}: no such folder", hint="name a git clone, or an address")
    return str(Path(text).absolute())
