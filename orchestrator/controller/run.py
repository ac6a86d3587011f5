"""The life of one run, top to bottom: image → assets → configure → measure → collect → judge → seal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from orchestrator.controller.collect import Collected, collect
from orchestrator.controller.configure import write_configuration
from orchestrator.controller.recorder import Recorder, RunLog
from orchestrator.controller.rundir import RunDir
from orchestrator.controller.steps import (
    HarnessOutput,
    Services,
    accept,
    carry_out,
    collect_logs,
    done_before,
    make_folders,
    nothing_left_over,
    placed,
    serve,
    services,
    stamp,
)
from orchestrator.controller.watch import Watcher
from orchestrator.domain.container import AS_CALLER, Exit, Outcome, admit, grants, outcome
from orchestrator.domain.image import ImageRef, PlannedImage, ReadyImage
from orchestrator.domain.measurement import Rate
from orchestrator.domain.plan import Execution, Role, RunPlan
from orchestrator.domain.ports import Assets, Engine, Images, Output, Say
from orchestrator.domain.record import ExecutionRecord, RunRecord
from orchestrator.domain.terms import ExecutionMode, Mode, Phase
from orchestrator.domain.verdict import Case, judge
from orchestrator.errors import EngineError, HarnessError
from orchestrator.loadgen.result import estimate, headline, loadgen_facts, token_figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The adapters a run works with, wired by connect.py."""

    engine: Engine
    images: Images
    assets: Assets
    describe_machine: Callable[[], object]


def run(plan: RunPlan, directory: RunDir, tools: Tools, watcher: Watcher) -> RunRecord:
    """Carry out a frozen plan in its directory and return the sealed record.

    Raises what stopped it (asset, image, engine, harness …) after the record says so. A verdict is not an error.
    """
    recorder = Recorder(directory, plan, announce=watcher.phase)
    with recorder:
        _engine_facts(recorder, tools.engine)
        _admit(recorder, plan, tools.engine, watcher)
        with recorder.phase(Phase.IMAGE):
            _record_sources(recorder, plan)
            images = _ensure_images(recorder, plan, tools, watcher)
        with recorder.phase(Phase.ASSETS):
            _ensure_assets(recorder, plan, tools, watcher)
        machine = tools.describe_machine()
        rate: Rate | None = None
        with services() as up:
            scene = _Scene(recorder, plan, tools, watcher, images, up)
            for execution in plan.executions:
                with recorder.phase(Phase.CONFIGURE):
                    write_configuration(directory, execution, rate=rate, machine=machine)
                with recorder.phase(phase_of(execution)):
                    _step(scene, execution)
                if execution.role is Role.ESTIMATE:
                    with recorder.phase(Phase.COLLECT):
                        found = collect(directory.folder(execution), Mode.PERFORMANCE, plan.rules)
                        rate = _estimated(found, execution, directory)
                    watcher.say(f"estimated {rate.samples_per_second:.4g} samples/s to fit LoadGen's settings")
        with recorder.phase(Phase.COLLECT):
            collected = collect(directory.folder(plan.result_execution), plan.spec.mode, plan.rules)
        with recorder.phase(Phase.JUDGE):
            _judge(recorder, plan, collected)
        with recorder.phase(Phase.SEAL):
            _mark_foreign_files(recorder, directory)
    return recorder.record


def _engine_facts(recorder: Recorder, engine: Engine) -> None:
    info = engine.info()
    recorder.update(replace(recorder.record, engine=info.name, engine_version=info.version))


def phase_of(execution: Execution) -> Phase:
    """Under which phase a step is timed."""
    return {
        Role.PREPARE: Phase.PREPARE,
        Role.SERVICE: Phase.SERVE,
        Role.EVALUATE: Phase.EVALUATE,
    }.get(execution.role, Phase.MEASURE)


def _admit(recorder: Recorder, plan: RunPlan, engine: Engine, watcher: Watcher) -> None:
    """Refuse or mark what the engine cannot enforce, before anything is fetched, built or started."""
    granted = dict.fromkeys(grant for execution in plan.executions for grant in grants(execution.container))
    if granted:
        text = f"granted (privileges {plan.spec.privileges.value}): {'; '.join(granted)}"
        recorder.log.line(text)
        if granted.keys() - {AS_CALLER}:
            watcher.say(text)
    for execution in plan.executions:
        admission = admit(execution.container, engine.info().capabilities)
        if admission.refused:
            raise EngineError(
                f"{engine.name.value} cannot enforce what this run needs: {', '.join(admission.refused)}",
                hint="choose another engine with --engine, or drop the option that asks for it",
            )
        marks = tuple(f"{engine.name.value} does not enforce {lacking}" for lacking in admission.marks)
        recorder.update(replace(recorder.record, marks=tuple(dict.fromkeys((*recorder.record.marks, *marks)))))


def _record_sources(recorder: Recorder, plan: RunPlan) -> None:
    """What the user's clones hold beyond the round's revision, before it goes into an image."""
    if any(image.choice.sources for image in (plan.image, *plan.other_images)):
        from orchestrator.controller.sources import record_sources

        for name in record_sources(recorder.directory, plan):
            recorder.log.line(f"the source's difference from the round's revision is in {name}")


def _ensure_images(recorder: Recorder, plan: RunPlan, tools: Tools, watcher: Watcher) -> dict[str, ReadyImage]:
    """All images of the run, by entry; the run's own one first."""
    build_log = RunLog(recorder.directory, build=True)
    try:
        own = ensure_image(plan.image, plan.stand_in, tools.images, build_log.write, watcher.say)
        recorder.update(replace(recorder.record, image=own))
        others = {
            planned.entry: tools.images.ensure(planned, log=build_log.write, say=watcher.say)
            for planned in plan.other_images
        }
    finally:
        build_log.flush()
    recorder.update(replace(recorder.record, other_images=tuple(others.values())))
    return {plan.image.entry: own, **others}


def ensure_image(
    wanted: PlannedImage, stand_in: PlannedImage | None, images: Images, log: Output, say: Say
) -> ReadyImage:
    """Have an image; in a rehearsal, on the stand-in that takes the place of its base."""
    if stand_in is None:
        return images.ensure(wanted, log=log, say=say)
    under = images.ensure(stand_in, log=log, say=say)
    base = replace(wanted.choice, base=ImageRef.parse(under.reference))
    return images.ensure(replace(wanted, choice=base), log=log, say=say)


def _ensure_assets(recorder: Recorder, plan: RunPlan, tools: Tools, watcher: Watcher) -> None:
    ready = tuple(
        tools.assets.ensure(planned, say=watcher.say, meter=watcher.transfer, used_by=plan.run_id)
        for planned in tools.assets.needed(plan.assets)
    )
    recorder.update(replace(recorder.record, assets=ready))


@dataclass(frozen=True, slots=True)
class _Scene:
    """What every step of one run needs."""

    recorder: Recorder
    plan: RunPlan
    tools: Tools
    watcher: Watcher
    images: dict[str, ReadyImage]
    services: Services


def _step(scene: _Scene, execution: Execution) -> None:
    """One container of the run: a service is left running, any other carried to its end and believed by its files."""
    recorder, plan, engine = scene.recorder, scene.plan, scene.tools.engine
    if done_before(execution):
        scene.watcher.say(f"step '{execution.name}' was done before ({execution.once}); not done again")
        _note(recorder, execution, Exit(code=0), "left out: done before", 0.0)
        return
    handle = scene.images[execution.container.image].handle
    spec = placed(execution, recorder.directory, plan.spec.engine, handle, scene.services.ids)
    make_folders(spec)
    harness = HarnessOutput(recorder.log, scene.watcher)
    if execution.role is Role.SERVICE:
        scene.watcher.say(f"starting the service '{execution.name}'")
        wall_s = serve(execution, spec, engine, scene.services, harness, run_id=plan.run_id)
        _note(recorder, execution, Exit(code=0), "serving", wall_s)
        return
    with nothing_left_over(execution):
        ended, wall_s = carry_out(execution, spec, engine, harness, run_id=plan.run_id)
    recorder.log.flush()
    _note(recorder, execution, ended, outcome(ended).value, wall_s)
    for warning in ended.warnings:
        recorder.log.line(f"engine: {warning}")
    scene.services.check()
    if outcome(ended) is Outcome.DONE:
        collect_logs(execution, recorder.directory.folder(execution))
    accept(ended, execution, recorder.directory, harness)
    stamp(execution, f"{plan.run_id}\n")


def _note(recorder: Recorder, execution: Execution, ended: Exit, how: str, wall_s: float) -> None:
    done = ExecutionRecord(
        name=execution.name, exit=ended, outcome=how, wall_s=round(wall_s, 3), role=execution.role.value
    )
    recorder.update(replace(recorder.record, executions=(*recorder.record.executions, done)))


def _judge(recorder: Recorder, plan: RunPlan, collected: Collected) -> None:
    detail, spec = collected.detail, plan.spec
    recorder.update(
        replace(
            recorder.record,
            loadgen=loadgen_facts(detail),
            result=headline(
                detail,
                spec.scenario,
                short=spec.execution_mode is ExecutionMode.TEST,
                key=plan.rules.result_key,
            )
            if spec.mode is not Mode.ACCURACY
            else None,
            figures=token_figures(detail) if spec.mode is not Mode.ACCURACY else (),
            accuracy=collected.accuracy,
            verdict=judge(
                Case(
                    rules=plan.rules,
                    scenario=spec.scenario,
                    mode=spec.mode,
                    execution_mode=spec.execution_mode,
                    log=detail,
                    accuracy_log=collected.accuracy_log,
                    accuracy=collected.accuracy,
                    marks=recorder.record.marks,
                )
            ),
        )
    )


def _estimated(collected: Collected, execution: Execution, directory: RunDir) -> Rate:
    rate = estimate(collected.detail, execution.scenario)
    if rate is None:
        raise HarnessError(
            "the estimating run left no figure to fit LoadGen's settings by",
            hint=f"its logs are in {directory.folder(execution)}; --target-qps or --target-latency needs no estimate",
        )
    return rate


def _mark_foreign_files(recorder: Recorder, directory: RunDir) -> None:
    foreign = directory.copy_owner_check()
    if foreign:
        mark = f"files do not belong to the caller: {', '.join(foreign)}"
        recorder.update(replace(recorder.record, marks=(*recorder.record.marks, mark)))
