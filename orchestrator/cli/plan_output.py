"""What `run --dry-run` shows: images, downloads, privileges, steps, and the command lines they amount to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.cli.output import write_json, write_lines
from orchestrator.controller.session import Session
from orchestrator.controller.space import amount
from orchestrator.domain.asset import PlannedAsset
from orchestrator.domain.container import grants
from orchestrator.domain.finding import Level
from orchestrator.domain.plan import Execution, RunPlan
from orchestrator.domain.source import Bucket, Download, HuggingFace, UserSupplied, origin_of

_MIB = 1 << 20


def show_plans(session: Session, *, as_json: bool) -> None:
    """The plans, what they would fetch, and the command lines they amount to."""
    if as_json:
        write_json(
            {
                "schema_version": 1,
                "dry_run": True,
                "fetch_bytes": sum(need.fetch_bytes for need in session.needs),
                "findings": session.findings,
                "space": session.space,
                "commands": _commands(session),
                "plans": session.plans,
            }
        )
        return
    lines = _heading(session.plans[0])
    lines += [f"asset: {_asset_line(each)}" for each in _assets(session.plans)]
    lines += [f"{finding.name}: {finding.text}" for finding in session.findings if finding.level is not Level.FAULT]
    lines += _space(session)
    for each, commands in zip(session.plans, _commands(session), strict=True):
        mode = each.spec.compliance_test or each.spec.mode.value
        lines.append(f"run: {each.spec.scenario.value} {mode}")
        for execution, command in zip(each.executions, commands, strict=True):
            lines.append(f"  {execution.role.value}: {execution.phase or execution.name}{_conditions(execution)}")
            lines.append(f"    {command}")
    write_lines(lines)


def _heading(plan: RunPlan) -> list[str]:
    spec, images = plan.spec, [plan.image, *([plan.stand_in] if plan.stand_in else []), *plan.other_images]
    lines = [
        f"{spec.model} with {spec.implementation}/{spec.backend} on {spec.device.value}, round {spec.round}, "
        f"{spec.execution_mode.value}, engine {spec.engine.value} ({plan.evidence.value})",
    ]
    lines += [f"mark: {mark}" for mark in plan.marks]
    for image in images:
        base = f", on {image.base}" if image.base else ""
        if image is plan.image and plan.stand_in is not None:
            base = f", on the stand-in {plan.stand_in.entry} (instead of {image.base})"
        lines.append(
            f"image: {image.choice.reference or image.entry} for {image.platform}, recipe {image.recipe[:12]}{base}"
        )
    granted = dict.fromkeys(grant for execution in plan.executions for grant in grants(execution.container))
    lines.append(f"privileges ({spec.privileges.value}): {'; '.join(granted) or 'none beyond the least'}")
    return lines


def _space(session: Session) -> list[str]:
    """What is to be fetched and how much room it takes, by file system; what is there already is left out."""
    rows = [("room for", "to fetch", "room", "file system", "free")]
    for system in session.space:
        where = str(system.disk.mounted_at or system.disk.path)
        rows += [(need.what, need.fetch, need.room, where, "") for need in system.needs]
        free = amount(system.disk.free_bytes) + (" (too little)" if system.short else "")
        rows.append(("  together", system.fetch, system.room, where, free))
    rows += [(need.what, need.fetch, need.room, "another machine's", "") for need in session.needs if need.path is None]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _conditions(execution: Execution) -> str:
    said = [
        f", once ({execution.once})" if execution.once else "",
        ", until it serves" if execution.health else "",
        f", logs from {', '.join(execution.logs_from)}" if execution.logs_from else "",
    ]
    return "".join(said)


def _assets(plans: Sequence[RunPlan]) -> list[PlannedAsset]:
    return list({asset.key: asset for plan in plans for asset in plan.assets}.values())


def _asset_line(planned: PlannedAsset) -> str:
    name = planned.asset.name
    if planned.present:
        return f"{name}: present"
    size = f"{planned.fetch_bytes / _MIB:.1f} MiB" if planned.fetch_bytes else "size unknown"
    if isinstance(planned.asset.source, Download | Bucket | HuggingFace | UserSupplied):
        return f"{name}: {size}, from {origin_of(planned.asset.source)}"
    return f"{name}: {size} to fetch" if planned.fetch_bytes else f"{name}: to be prepared here"


def _commands(session: Session) -> list[list[str]]:
    from orchestrator.controller.rundir import RunDir
    from orchestrator.controller.steps import placed

    engine = session.connected.engine
    return [
        [
            engine.equivalent(
                placed(
                    execution,
                    RunDir(Path(session.results) / "runs" / plan.run_id),
                    plan.spec.engine,
                    _image_name(plan, execution),
                )
            )
            for execution in plan.executions
        ]
        for plan in session.plans
    ]


def _image_name(plan: RunPlan, execution: Execution) -> str:
    entry = execution.container.image
    return str((entry == plan.image.entry and plan.image.choice.reference) or f"mlperf-docker/{entry}")
