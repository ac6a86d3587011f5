"""`mlperf-docker login [SERVICE|status]`: gated models and data: what licence, where to apply, whether access works."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.domain.asset import Service
from orchestrator.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from orchestrator.config.settings import Settings
    from orchestrator.controller.access import Access

app = typer.Typer(add_completion=False, rich_markup_mode="rich", invoke_without_command=True)
TokenStdin = Annotated[bool, typer.Option("--token-stdin", help="Read it from standard input instead of a prompt.")]
Check = Annotated[bool, typer.Option("--check/--no-check", help="Store it only when it is seen to work.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Proxy = Annotated[str | None, typer.Option("--proxy", help="Proxy for the requests.")]
CaBundle = Annotated[Path | None, typer.Option("--ca-bundle", help="Certificates beside the host's.")]


@app.callback()
def login(context: typer.Context) -> None:
    """Log in to what gates models and data. A token is asked for, or read from standard input; never an argument."""
    if context.invoked_subcommand is not None:
        return
    from orchestrator.cli.output import write_lines, write_table
    from orchestrator.controller.line import credentials
    from orchestrator.controller.login import TITLES, TOKEN_PAGES, assets_of

    found = credentials()
    rows = [
        (one.value, TITLES[one], found.origin(one) or "none", str(len(assets_of(one))), TOKEN_PAGES[one])
        for one in Service
    ]
    write_table(("service", "who", "login from", "assets", "what it takes"), rows)
    write_lines(["log in: mlperf-docker login SERVICE; what works: mlperf-docker login status"])


@app.command()
def huggingface(
    token_stdin: TokenStdin = False, check: Check = True, proxy: Proxy = None, ca_bundle: CaBundle = None
) -> int:
    """Keep a token of the Hugging Face hub where its own library keeps it, too."""
    return _log_in(Service.HUGGINGFACE, token_stdin, check, proxy, ca_bundle)


@app.command()
def mlcommons(
    token_stdin: TokenStdin = False, check: Check = True, proxy: Proxy = None, ca_bundle: CaBundle = None
) -> int:
    """Keep a member's service token (CLIENT_ID and CLIENT_SECRET, one after the other) or access token."""
    return _log_in(Service.MLCOMMONS, token_stdin, check, proxy, ca_bundle)


@app.command()
def status(
    assets: Annotated[list[str] | None, typer.Argument(help="Assets; default: every gated one.")] = None,
    catalog: Annotated[list[Path] | None, typer.Option("--catalog", help="A catalogue folder of your own.")] = None,
    proxy: Proxy = None,
    ca_bundle: CaBundle = None,
    json_: Json = False,
) -> int:
    """Ask whether access works now; with licence, login, where to apply. Exit code 4: one that was named is refused."""
    from orchestrator.cli import options
    from orchestrator.cli.output import write_json, write_table
    from orchestrator.controller import login as logins
    from orchestrator.controller.access import Standing

    options.use_catalogue(catalog)
    found = logins.status(assets or (), _settings(proxy, ca_bundle))
    shut = bool(assets) and any(one.standing is Standing.REFUSED for one in found)
    code = int(ExitCode.ASSET if shut else ExitCode.OK)
    if json_:
        write_json({"schema_version": 1, "exit_code": code, "assets": [_document(one) for one in found]})
        return code
    columns = ("asset", "access", "login from", "licence", "what it takes", "apply at")
    write_table(columns, [_row(one) for one in found])
    return code


def _row(one: Access) -> tuple[str, ...]:
    asset, gate = one.asset, one.asset.gate
    assert gate is not None  # noqa: S101 - only gated assets are asked about
    place = "-" if gate.service is None else one.login or f"none for {gate.service.value}"
    return (asset.name, f"{one.standing.value}: {one.text}", place, asset.licence, gate.text, gate.apply_at)


def _document(one: Access) -> dict[str, object]:
    return {
        "asset": one.asset.name,
        "kind": one.asset.kind,
        "licence": one.asset.licence,
        "gate": one.asset.gate,
        "login": one.login,
        "access": one.standing,
        "text": one.text,
    }


def _log_in(service: Service, from_stdin: bool, check: bool, proxy: str | None, ca_bundle: Path | None) -> int:
    from orchestrator.cli.output import say, write_lines
    from orchestrator.controller.login import log_in

    settings = _settings(proxy, ca_bundle)
    if from_stdin:
        text, origin = sys.stdin.read(), "standard input"
    else:
        text, origin = _prompt(service), "what was typed"
    stored = log_in(service, text, origin, settings, check=check)
    write_lines([f"stored in {stored.path}" + ("" if stored.tested else " (not tested)")])
    if stored.overruled_by:
        say(f"note: {' and '.join(stored.overruled_by)} in the environment win over it")
    return 0


def _prompt(service: Service) -> str:
    """Ask on the terminal, unseen."""
    import getpass

    from orchestrator.cli.output import say
    from orchestrator.controller.login import TITLES, TOKEN_PAGES, assets_of

    if not sys.stdin.isatty():
        raise UsageError(
            "there is no terminal to ask on", hint="pipe it in: … | mlperf-docker login SERVICE --token-stdin"
        )
    say(f"{TITLES[service]}: {TOKEN_PAGES[service]}")
    for page in dict.fromkeys(asset.gate.apply_at for asset in assets_of(service) if asset.gate is not None):
        say(f"  apply at {page}")
    try:
        if service is Service.HUGGINGFACE:
            return getpass.getpass("token (not shown): ")
        first = getpass.getpass("client ID, or an access token (not shown): ")
        return first if first.count(".") == 2 else f"{first} {getpass.getpass('client secret (not shown): ')}"
    except EOFError:
        raise KeyboardInterrupt from None


def _settings(proxy: str | None, ca_bundle: Path | None) -> Settings:
    from orchestrator.cli import options

    named = str(ca_bundle) if options.readable(ca_bundle, "--ca-bundle") else None
    return options.settings({"http_proxy": options.proxy(proxy), "https_proxy": proxy, "ca_bundle": named})
