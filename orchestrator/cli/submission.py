"""`mlperf-docker submission check`: a submission tree against the rules of its round."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orchestrator.domain.submission import Fault
    from orchestrator.submission.check.walk import Checked

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)


@app.callback()
def submission() -> None:
    """Submission trees: check."""


@app.command()
def check(  # noqa: PLR0917 - options of a command
    tree: Annotated[Path, typer.Argument(help="The top of the tree: the folder of closed/, open/, network/.")],
    round_: Annotated[str | None, typer.Option("--round", help="The round whose rules hold.")] = None,
    submitter: Annotated[str | None, typer.Option(help="Only this submitter's part.")] = None,
    left_out: Annotated[
        Path | None,
        typer.Option(help="A list of files that belong to the tree and are not in this copy: bytes, tab, path."),
    ] = None,
    warnings: Annotated[bool, typer.Option("--warnings", help="Show warnings, too.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """Every finding with its rule, file and remedy; exit status 10 when something would be refused.

    A finding is 'official' where the round's own checker enforces the rule, 'ours' where it lets it pass.
    """
    from orchestrator.cli.output import say, write_json, write_table
    from orchestrator.config.catalog import default_round
    from orchestrator.controller.submission import check_submission
    from orchestrator.domain.submission import Origin, Weight
    from orchestrator.errors import ExitCode

    found = check_submission(tree, round_ or default_round(), submitter=submitter, left_out=left_out)
    everything = (*found.faults, *(fault for result in found.results for fault in result.faults))
    refused = [fault for fault in everything if fault.weight is Weight.FAULT]
    if json_:
        write_json({"schema_version": 1, "summary": _summary(found), "results": found.results, "faults": found.faults})
    else:
        shown = everything if warnings else refused
        if shown:
            write_table(("rule", "whose", "file", "what is wrong", "remedy"), [_row(fault) for fault in shown])
        figures = _summary(found)
        say(f"{figures['results']} results: {figures['accepted']} accepted by the official rules of the round")
        for origin in Origin:
            say(f"{origin.value}: {len(found.of(origin))} faults")
        if not warnings and len(everything) > len(refused):
            say(f"{len(everything) - len(refused)} warnings (--warnings shows them)")
    return int(ExitCode.SUBMISSION if refused else ExitCode.OK)


def _summary(found: Checked) -> dict[str, int]:
    from orchestrator.domain.submission import Origin

    return {
        "results": len(found.results),
        "accepted": sum(result.accepted() for result in found.results),
        "accepted_by_both": sum(result.accepted(frozenset(Origin)) for result in found.results),
    }


def _row(fault: Fault) -> tuple[str, str, str, str, str]:
    where = f"{fault.path}:{fault.line}" if fault.line else str(fault.path)
    whose = fault.origin.value + (" (warning)" if fault.weight.value == "warning" else "")
    return fault.code, whose, where, fault.text, fault.remedy
