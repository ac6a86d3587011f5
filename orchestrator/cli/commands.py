"""The table of commands: name, module, one line. Modules are imported only when their command is called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One command: `module` has a Typer `app`; a group when it has sub-commands."""

    module: str
    summary: str


COMMANDS = {
    "run": Command("orchestrator.cli.run", "measure a model: image, assets, LoadGen, verdict, sealed record"),
    "execute": Command("orchestrator.cli.execute", "carry out one frozen plan (what schedulers call)"),
    "results": Command("orchestrator.cli.results", "finished runs, with their seals checked: list, show"),
    "submission": Command("orchestrator.cli.submission", "submission trees against their round's rules: check"),
    "models": Command("orchestrator.cli.models", "the catalogue's models: list, show, get, verify"),
    "datasets": Command("orchestrator.cli.datasets", "data sets and calibration lists: list, show, get, verify"),
    "implementations": Command("orchestrator.cli.implementations", "who can run what: list, show"),
    "cache": Command("orchestrator.cli.cache", "models and data on disk: show, du, path, rm, prune, verify, import"),
    "images": Command("orchestrator.cli.images", "container images: list, render, build, pull, push, lock, verify"),
    "sources": Command("orchestrator.cli.sources", "editable clones of harnesses and LoadGen: list, checkout"),
    "login": Command("orchestrator.cli.login", "gated models and data: log in, and status: does access work"),
    "logout": Command("orchestrator.cli.logout", "forget a login"),
    "doctor": Command("orchestrator.cli.doctor", "what this machine lacks, and the remedy"),
    "config": Command("orchestrator.cli.config", "settings and where each came from: show, init"),
    "clean": Command("orchestrator.cli.clean", "remove what a crash left: containers, networks, volumes"),
}
