"""Write what an execution reads: user.conf, harness.json, files of its own; and system.json once."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.controller.rundir import RunDir
from orchestrator.domain.canonical import pretty_json
from orchestrator.domain.measurement import Rate
from orchestrator.domain.plan import Execution, Role
from orchestrator.errors import HarnessError
from orchestrator.host.files import write_atomic
from orchestrator.loadgen.result import fill
from orchestrator.loadgen.user_conf import render_user_conf


def write_configuration(directory: RunDir, execution: Execution, *, rate: Rate | None, machine: object) -> None:
    """Empty the execution's folder and put its configuration in; `rate` fills the setting that is to be fitted."""
    shares = execution.role is Role.EVALUATE
    folder = directory.shared_folder(execution) if shares else directory.fresh_folder(execution)
    settings = execution.settings
    if settings is not None:
        if settings.fit is not None:
            if rate is None:
                raise HarnessError(f"the plan wants {settings.fit} fitted, but no estimate was measured")
            settings = replace(fill(settings, rate), fit=None)
        write_atomic(folder / "user.conf", render_user_conf(settings, execution.scenario), durable=False)
    if execution.harness:
        write_atomic(folder / "harness.json", pretty_json(dict(execution.harness)), durable=False)
    for name, text in execution.files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, text, durable=False)
        if text.startswith("#!"):
            target.chmod(0o755)
    if not directory.machine.exists():
        write_atomic(directory.machine, pretty_json(machine), durable=False)
