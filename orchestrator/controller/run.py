"""The life of one run, top to bottom: image → assets → configure → measure → collect → judge → seal."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from orchestrator.controller.collect import Collected, collect
from orchestrator.controller.configure import write_configuration
from orchestrator.controller.recorder import Recorder, RunLog
from orchestrator.controller.rundir import RunDir
from orchestrator.controller.watch import Watcher
from orchestrator.domain.container import ContainerSpec, Exit, Mount, Outcome, admit, outcome
from orchestrator.domain.measurement import Rate
from orchestrator.domain.plan import Execution, Role, RunPlan
from orchestrator.domain.ports import Assets, Engine, Images
from orchestrator.domain.record import ExecutionRecord, RunRecord
from orchestrator.domain.terms import EngineName, ExecutionMode, Mode, Phase
from orchestrator.domain.verdict import Case, judge
from orchestrator.errors import EngineError, HarnessError
from orchestrator.loadgen.result import estimate, headline, loadgen_facts

_TAIL_LINES = 5


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
        _admit(recorder, plan, tools.engine)
        with recorder.phase(Phase.IMAGE):
            _ensure_image(recorder, plan, tools, watcher)
        with recorder.phase(Phase.ASSETS):
            _ensure_assets(recorder, plan, tools, watcher)
        machine = tools.describe_machine()
        rate: Rate | None = None
        collected: Collected | None = None
        for execution in plan.executions:
            with recorder.phase(Phase.CONFIGURE):
                write_configuration(directory, execution, rate=rate, machine=machine)
            with recorder.phase(Phase.MEASURE):
                _measure(recorder, plan, execution, tools.engine, watcher)
            with recorder.phase(Phase.COLLECT):
                collected = collect(directory.folder(execution), plan.spec.mode)
                if execution.role is Role.ESTIMATE:
                    rate = _estimated(collected, execution, directory)
                    watcher.say(f"estimated {rate.samples_per_second:.4g} samples/s to fit LoadGen's settings")
        assert collected is not None  # noqa: S101 - every plan has a result execution
        with recorder.phase(Phase.JUDGE):
            _judge(recorder, plan, collected)
        with recorder.phase(Phase.SEAL):
            _mark_foreign_files(recorder, directory)
    return recorder.record


def _engine_facts(recorder: Recorder, engine: Engine) -> None:
    info = engine.info()
    recorder.update(replace(recorder.record, engine=info.name, engine_version=info.version))


def _admit(recorder: Recorder, plan: RunPlan, engine: Engine) -> None:
    """Refuse or mark what the engine cannot enforce, before anything is fetched, built or started."""
    for execution in plan.executions:
        admission = admit(execution.container, engine.info().capabilities)
        if admission.refused:
            raise EngineError(
                f"{engine.name.value} cannot enforce what this run needs: {', '.join(admission.refused)}",
                hint="choose another engine with --engine, or drop the option that asks for it",
            )
        marks = tuple(f"{engine.name.value} does not enforce {lacking}" for lacking in admission.marks)
        recorder.update(replace(recorder.record, marks=tuple(dict.fromkeys((*recorder.record.marks, *marks)))))


def _ensure_image(recorder: Recorder, plan: RunPlan, tools: Tools, watcher: Watcher) -> None:
    build_log = RunLog(recorder.directory, build=True)
    try:
        ready = tools.images.ensure(plan.image, log=build_log.write, say=watcher.say)
    finally:
        build_log.flush()
    recorder.update(replace(recorder.record, image=ready))


def _ensure_assets(recorder: Recorder, plan: RunPlan, tools: Tools, watcher: Watcher) -> None:
    ready = tuple(tools.assets.ensure(planned, say=watcher.say) for planned in tools.assets.needed(plan.assets))
    recorder.update(replace(recorder.record, assets=ready))


def placed(execution: Execution, directory: RunDir, engine: EngineName, image: str) -> ContainerSpec:
    """The container of an execution with what only the run knows: the image's handle and the output folder."""
    folder = directory.folder(execution)
    inside = PurePosixPath(folder) if engine is EngineName.NATIVE else PurePosixPath("/out")
    output = Mount(source=folder, target=inside, read_only=False)
    container = execution.container
    return replace(container, image=image, mounts=(*container.mounts, output), workdir=inside)


def _measure(recorder: Recorder, plan: RunPlan, execution: Execution, engine: Engine, watcher: Watcher) -> None:
    assert recorder.record.image is not None  # noqa: S101 - the image phase was before
    spec = placed(execution, recorder.directory, plan.spec.engine, recorder.record.image.handle)
    harness = HarnessOutput(recorder.log, watcher)
    clock = time.monotonic()
    with engine.start(spec, run_id=plan.run_id, output=harness.take) as container:
        ended = container.wait(execution.timeout_s)
    wall_s = time.monotonic() - clock
    recorder.log.flush()
    how = outcome(ended)
    done = ExecutionRecord(name=execution.name, exit=ended, outcome=how.value, wall_s=round(wall_s, 3))
    recorder.update(replace(recorder.record, executions=(*recorder.record.executions, done)))
    for warning in ended.warnings:
        recorder.log.line(f"engine: {warning}")
    _accept(how, ended, execution, recorder.directory, harness.tail)


def _accept(how: Outcome, ended: Exit, execution: Execution, directory: RunDir, tail: tuple[str, ...]) -> None:
    """Believe the result, not the exit status: a step that wrote nothing has failed."""
    last = tail[-1] if tail else "it said nothing"
    if how is Outcome.OUT_OF_MEMORY:
        raise HarnessError(
            "the harness was killed for memory", hint="give it more (--memory), or a smaller --batch-size"
        )
    if how is Outcome.TIMED_OUT:
        raise HarnessError(f"the harness {how.value} of {execution.timeout_s:g} s", hint="raise --timeout")
    if how is not Outcome.DONE:
        said = next((line for line in reversed(tail) if line.startswith("error:")), last)
        raise HarnessError(f"{how.value} (exit status {ended.code}): {said}", hint=f"all its output: {directory.log}")
    missing = [str(name) for name in execution.produces if not (directory.folder(execution) / name).is_file()]
    if missing:
        raise HarnessError(
            f"the harness reported success but did not write {', '.join(missing)}",
            hint=f"all its output: {directory.log}",
        )


def _judge(recorder: Recorder, plan: RunPlan, collected: Collected) -> None:
    detail, spec = collected.detail, plan.spec
    recorder.update(
        replace(
            recorder.record,
            loadgen=loadgen_facts(detail),
            result=headline(detail, spec.scenario, short=spec.execution_mode is ExecutionMode.TEST)
            if spec.mode is Mode.PERFORMANCE
            else None,
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


class HarnessOutput:
    """What the harness prints: into run.log as it comes, its progress lines to the watcher, its last lines kept."""

    def __init__(self, log: RunLog, watcher: Watcher) -> None:
        self._log = log
        self._watcher = watcher
        self._rest = b""
        self._tail: list[str] = []

    def take(self, piece: bytes) -> None:
        """Bytes as they come, in any pieces."""
        self._log.write(piece)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for raw in lines:
            self._line(raw.decode("utf-8", "replace").rstrip())

    @property
    def tail(self) -> tuple[str, ...]:
        """The last few lines that were not progress."""
        rest = self._rest.decode("utf-8", "replace").strip()
        return (*self._tail, rest) if rest else tuple(self._tail)

    def _line(self, line: str) -> None:
        if line.startswith("progress "):
            fields = dict(part.split("=", 1) for part in line.split()[1:] if "=" in part)
            if fields.get("completed", "").isdigit():
                issued = fields.get("issued", "")
                self._watcher.progress(int(fields["completed"]), int(issued) if issued.isdigit() else None)
        elif line:
            self._tail = [*self._tail[-_TAIL_LINES + 1 :], line]
