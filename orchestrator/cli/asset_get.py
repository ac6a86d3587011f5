"""What `models get` and `datasets get` do alike, and their `verify`: announce, refuse, fetch, say where it lies."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from orchestrator.cli import asset_output, options
from orchestrator.cli.output import say
from orchestrator.cli.progress import Transfers
from orchestrator.domain.terms import EngineName
from orchestrator.errors import ExitCode

if TYPE_CHECKING:
    from orchestrator.domain.asset import Asset


def get_assets(
    assets: Iterable[Asset],
    *,
    engine: str,
    round_name: str | None,
    dry_run: bool,
    as_json: bool,
    source: list[str] | None = None,
) -> int:
    """Plan, announce, and unless it is a dry run have the assets; the exit status."""
    from orchestrator.controller.assets import have, open_order

    carrier = options.one_of(EngineName, engine, "engine") or EngineName.DOCKER
    clones = options.paths(source or [], "--source", revisions=True)
    settings = options.settings({"round": round_name})
    order = open_order(assets, settings, engine=carrier, round_name=round_name, sources=clones)
    if dry_run:
        asset_output.write_order(order, as_json=as_json)
        return int(ExitCode.OK)
    asset_output.announce(order)
    meter = _meter()

    def speak(text: str) -> None:
        meter.settle()
        say(text)

    try:
        ready = have(order, say=speak, meter=meter)
    finally:
        meter.settle()
    asset_output.write_ready(ready, as_json=as_json)
    return int(ExitCode.OK)


def verify_assets(assets: Iterable[Asset], *, round_name: str | None, as_json: bool) -> int:
    """Check what is here in full; 4 when something differs or is not here."""
    from orchestrator.controller.asset_checks import verify

    settings = options.settings({"round": round_name})
    meter = _meter()
    try:
        found = verify(assets, settings, round_name=round_name, meter=meter)
    finally:
        meter.settle()
    asset_output.write_checked(found, as_json=as_json)
    return int(ExitCode.OK if all(one.whole for one in found) else ExitCode.ASSET)


def _meter() -> Transfers:
    return Transfers(say, sys.stderr, live=sys.stderr.isatty())
