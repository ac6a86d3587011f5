"""Write what an execution reads: user.conf and harness.json; and system.json once. Decides nothing."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.controller.rundir import RunDir
from orchestrator.domain.canonical import pretty_json
from orchestrator.domain.measurement import Rate
from orchestrator.domain.plan import Execution
from orchestrator.errors import HarnessError
from orchestrator.host.files import write_atomic
from orchestrator.loadgen.result import fill
from orchestrator.loadgen.user_conf import render_user_conf


def write_configuration(directory: RunDir, execution: Execution, *, rate: Rate | None, machine: object) -> None:
    """Empty the execution's folder and put its configuration in; `rate` fills the setting that is to be fitted."""
    folder = directory.fresh_folder(execution)
    settings = execution.settings
    if settings.fit is not None:
        if rate is None:
            raise HarnessError(f"the plan wants {settings.fit} fitted, but no estimate was measured")
        settings = replace(fill(settings, rate), fit=None)
    write_atomic(folder / "user.conf", render_user_conf(settings, execution.scenario), durable=False)
    write_atomic(folder / "harness.json", pretty_json(dict(execution.harness)), durable=False)
    if not directory.machine.exists():
        write_atomic(directory.machine, pretty_json(machine), durable=False)
