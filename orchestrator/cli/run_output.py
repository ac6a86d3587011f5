"""What `run` shows: the plan of a dry run, the table or the JSON document of a set."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.output import Progress, say, write_json, write_lines, write_table
from orchestrator.config.settings import Settings
from orchestrator.controller.request import RunRequest
from orchestrator.controller.session import Session, open_session
from orchestrator.domain.plan import RunPlan
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.controller.runs import Done

_MIB = 1 << 20


def carry_out(
    request: RunRequest,
    settings: Settings,
    *,
    resume: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Plan, then show, debug or measure; returns the exit code."""
    if request.debug and not dry_run and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("--debug opens a shell, which needs a terminal", hint="call it from one, or leave --debug out")
    session = open_session(request, settings)
    if dry_run:
        show_plans(session, as_json=as_json)
        return 0
    watcher = Progress(quiet=quiet, verbose=verbose)
    if request.debug:
        from orchestrator.controller.debug import open_shell

        return open_shell(session.plans[0], session.results, session.connected.tools, watcher)
    from orchestrator.controller.runs import run_set

    done = run_set(session.plans, session.results, session.connected.tools, watcher, resume=resume)
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


def show_plans(session: Session, *, as_json: bool) -> None:
    """The plans, what they would fetch, and the command lines they amount to."""
    if as_json:
        write_json(
            {
                "schema_version": 1,
                "dry_run": True,
                "fetch_bytes": _fetch_bytes(session.plans),
                "findings": session.findings,
                "commands": _commands(session),
                "plans": session.plans,
            }
        )
        return
    plan = session.plans[0]
    spec = plan.spec
    lines = [
        f"{spec.model} with {spec.implementation}/{spec.backend} on {spec.device.value}, round {spec.round}, "
        f"{spec.execution_mode.value}, engine {spec.engine.value} ({plan.evidence.value})",
        f"image: {plan.image.choice.reference or plan.image.entry} for {plan.image.platform}, "
        f"recipe {plan.image.recipe[:12]}",
    ]
    lines += [f"asset: {_asset_line(name, present, bytes_)}" for name, present, bytes_ in _assets(session.plans)]
    lines += [f"{finding.name}: {finding.text}" for finding in session.findings]
    for each, commands in zip(session.plans, _commands(session), strict=True):
        lines.append(f"run: {each.spec.scenario.value} {each.spec.mode.value}")
        lines += [f"  {command}" for command in commands]
    write_lines(lines)


def _assets(plans: Sequence[RunPlan]) -> list[tuple[str, bool, int]]:
    found = {asset.key: asset for plan in plans for asset in plan.assets}
    return [(asset.asset.name, asset.present, asset.fetch_bytes) for asset in found.values()]


def _asset_line(name: str, present: bool, bytes_: int) -> str:
    if present:
        return f"{name}: present"
    return f"{name}: {bytes_ / _MIB:.1f} MiB to fetch" if bytes_ else f"{name}: to be prepared here"


def _fetch_bytes(plans: Sequence[RunPlan]) -> int:
    return sum(bytes_ for _, present, bytes_ in _assets(plans) if not present)


def _commands(session: Session) -> list[list[str]]:
    from orchestrator.controller.run import placed
    from orchestrator.controller.rundir import RunDir

    engine = session.connected.engine
    return [
        [
            engine.equivalent(
                placed(
                    execution,
                    RunDir(Path(session.results) / "runs" / plan.run_id),
                    plan.spec.engine,
                    str(plan.image.choice.reference or f"mlperf-docker/{plan.image.entry}"),
                )
            )
            for execution in plan.executions
        ]
        for plan in session.plans
    ]
