"""Carry out a plan that lies frozen in a run directory (what schedulers call). Plans nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator import __version__
from orchestrator.config.decode import decode_json
from orchestrator.config.settings import Settings
from orchestrator.controller.connect import connect_to
from orchestrator.controller.run import run
from orchestrator.controller.rundir import RunDir
from orchestrator.controller.runs import Done, read_record
from orchestrator.controller.watch import Watcher
from orchestrator.domain.plan import RunPlan
from orchestrator.errors import ExitCode, MlperfDockerError, UsageError


def read_plan(directory: RunDir) -> RunPlan:
    """plan.json as a value, its fingerprint checked."""
    if not directory.plan.is_file():
        raise UsageError(f"{directory.path}: no plan.json in it", hint="give a run directory")
    plan = decode_json(RunPlan, directory.plan.read_text(), str(directory.plan))
    if plan.sealed().fingerprint != plan.fingerprint:
        raise UsageError(f"{directory.plan}: was changed after it was frozen", hint="plan again with 'run'")
    return plan


def execute_plan(path: Path, settings: Settings, watcher: Watcher) -> Done:
    """Run the frozen plan; refused when it was carried out already or is of another version."""
    directory = RunDir(path)
    plan = read_plan(directory)
    if plan.tool_version != __version__:
        raise UsageError(
            f"{directory.plan}: planned by version {plan.tool_version}, this is {__version__}",
            hint="plan again with this version, or execute with that one",
        )
    if directory.record.exists():
        raise UsageError(f"{path}: has been carried out already", hint="plan a new run; a directory is never reused")
    said = replace(plan.image.choice, sources=plan.spec.sources)
    connected = connect_to(plan.spec.engine, settings, round_name=plan.spec.round, choice=said)
    try:
        record = run(plan, directory, connected.tools, watcher)
    except MlperfDockerError as error:
        if error.exit_code is ExitCode.INTERRUPTED:
            raise
        return Done(directory=path, record=read_record(directory), plan=plan, error=error)
    return Done(directory=path, record=record, plan=plan)
