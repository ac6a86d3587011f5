"""`--debug`: everything up to measuring, then a shell in the prepared container. Measures and judges nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.controller.configure import write_configuration
from orchestrator.controller.run import Tools, ensure_image
from orchestrator.controller.rundir import RunDir
from orchestrator.controller.steps import make_folders, placed
from orchestrator.controller.watch import Watcher
from orchestrator.domain.container import ContainerSpec
from orchestrator.domain.plan import RunPlan
from orchestrator.domain.terms import EngineName


def open_shell(plan: RunPlan, results: Path, tools: Tools, watcher: Watcher) -> int:
    """Prepare as a run would, then hand the terminal to a shell; returns the shell's exit status.

    The directory stands under `debug/`, apart from the runs: nothing in it is ever a result.
    """
    directory = RunDir.create(results / "debug", plan)
    ready = ensure_image(replace(plan.image, debug=True), plan.stand_in, tools.images, lambda _: None, watcher.say)
    for planned in tools.assets.needed(plan.assets):
        tools.assets.ensure(planned, say=watcher.say, meter=watcher.transfer)
    execution = plan.result_execution
    if execution.settings is not None:
        execution = replace(execution, settings=replace(execution.settings, fit=None))
    write_configuration(directory, execution, rate=None, machine=tools.describe_machine())
    spec = placed(execution, directory, plan.spec.engine, ready.handle)
    make_folders(spec)
    watcher.say(f"a shell in the prepared container; the harness would be: {' '.join(spec.command)}")
    watcher.say(f"its output folder is {directory.folder(execution)}")
    return tools.engine.shell(_interactive(spec, plan.spec.engine), run_id=plan.run_id)


def _interactive(spec: ContainerSpec, engine: EngineName) -> ContainerSpec:
    ptrace = () if engine is EngineName.NATIVE else ("SYS_PTRACE",)
    return replace(spec, command=("bash",), interactive=True, add_capabilities=ptrace)
