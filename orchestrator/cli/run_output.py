"""What `run` shows: the plan of a dry run, the table or the JSON document of a set."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.cli.output import Progress, say, write_json, write_table
from orchestrator.config.settings import Settings
from orchestrator.controller.preflight import refuse_faults
from orchestrator.controller.request import RunRequest
from orchestrator.controller.session import open_session
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.controller.runs import Done


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """Show the plan only; `check_access` asks servers whether gated assets may be fetched."""

    check_access: bool


def carry_out(
    request: RunRequest,
    settings: Settings,
    *,
    resume: bool,
    dry_run: DryRun | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Plan, then show, debug or measure; returns the exit code."""
    if request.debug and dry_run is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("--debug opens a shell, which needs a terminal", hint="call it from one, or leave --debug out")
    if dry_run is not None:
        from orchestrator.cli.plan_output import show_plans

        session = open_session(request, settings, refuse=False, check_access=dry_run.check_access)
        show_plans(session, as_json=as_json)
        refuse_faults(session.findings, session.subject)
        return 0
    session = open_session(request, settings)
    watcher = Progress(quiet=quiet, verbose=verbose)
    if request.debug:
        from orchestrator.controller.debug import open_shell

        return open_shell(session.plans[0], session.results, session.connected.tools, watcher)
    from orchestrator.controller.runs import run_set

    try:
        done = run_set(session.plans, session.results, session.connected.tools, watcher, resume=resume)
    finally:
        watcher.done()
    return show_set(done, as_json=as_json)


def show_set(done: Sequence[Done], *, as_json: bool) -> int:
    """The outcome of a set; the exit code is the first failure's."""
    code = next((int(one.exit_code) for one in done if one.exit_code), 0)
    if as_json:
        write_json({"schema_version": 1, "exit_code": code, "runs": [_document(one) for one in done]})
    else:
        write_table(
            ("model", "scenario", "mode", "result", "unit", "accuracy / target", "verdict", "image"),
            [_row(one) for one in done],
        )
    _explain(done)
    return code


def _row(one: Done) -> tuple[str, ...]:
    spec, record = one.plan.spec, one.record
    verdict = record.verdict
    result = record.result
    if record.failure is not None or verdict is None:
        standing = "FAILED"
    else:
        standing = verdict.standing.value + (
            f"; LoadGen: {verdict.loadgen_validity}" if verdict.loadgen_validity else ""
        )
    if spec.rehearse:
        standing = f"REHEARSAL, {standing}"
    if one.kept:
        standing += " (kept)"
    return (
        spec.model,
        spec.scenario.value,
        spec.mode.value,
        f"{result.value:.6g}" if result else "-",
        result.unit if result else "-",
        accuracy_text(one),
        standing,
        record.image.image_id.removeprefix("sha256:")[:12] if record.image else "-",
    )


def accuracy_text(one: Done) -> str:
    """Measured accuracy against the target's lower limit, in the metric's own scale."""
    found = one.record.accuracy
    if found is None:
        return "-"
    target = next((each for each in one.plan.rules.accuracy if each.metric == found.metric), None)
    if target is None:
        return f"{found.metric} {found.value:.4g}"
    return f"{found.metric} {found.value:.4g} / {target.lower_limit(one.plan.rules.dataset_samples):.4g}"


def _explain(done: Sequence[Done]) -> None:
    for one in done:
        name = one.directory.name
        if one.error is not None:
            say(f"error: {name}: {one.error}")
            if one.error.hint:
                say(f"hint: {one.error.hint}")
        elif one.record.verdict is not None:
            for reason in one.record.verdict.reasons:
                say(f"{name}: {reason.text}")
        if one.record.figures:
            said = "; ".join(f"{figure.unit} {figure.value:.5g}" for figure in one.record.figures)
            say(f"{name}: {said} (latencies: 99th percentiles)")
    blockers = dict.fromkeys(
        blocker.text for one in done if one.record.verdict is not None for blocker in one.record.verdict.blockers
    )
    for text in blockers:
        say(f"not submittable: {text}")
    if done:
        say(f"record: {done[-1].directory}" + (f" (and {len(done) - 1} more beside it)" if len(done) > 1 else ""))
        say(f"next: mlperf-docker results show {done[-1].directory}")


def _document(one: Done) -> dict[str, object]:
    record = one.record
    return {
        "run_id": record.run_id,
        "run_dir": one.directory,
        "exit_code": int(one.exit_code),
        "kept": one.kept,
        "model": one.plan.spec.model,
        "implementation": one.plan.spec.implementation,
        "backend": one.plan.spec.backend,
        "device": one.plan.spec.device,
        "scenario": one.plan.spec.scenario,
        "mode": one.plan.spec.mode,
        "execution_mode": one.plan.spec.execution_mode,
        "round": one.plan.spec.round,
        "engine": record.engine,
        "state": record.state,
        "result": record.result,
        "figures": record.figures,
        "accuracy": record.accuracy,
        "accuracy_lower_limit": _limit(one),
        "verdict": record.verdict,
        "image_digest": record.image.image_id if record.image else None,
        "loadgen": record.loadgen,
        "marks": record.marks,
        "failure": record.failure,
    }


def _limit(one: Done) -> float | None:
    targets = one.plan.rules.accuracy
    return round(targets[0].lower_limit(one.plan.rules.dataset_samples), 6) if targets else None
