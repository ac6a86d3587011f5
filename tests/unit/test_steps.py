"""Steps around the measuring one: services, preparation done once, vendors' log places, forgotten audit files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from orchestrator.controller.run import run
from orchestrator.controller.rundir import RunDir
from orchestrator.controller.watch import Silent
from orchestrator.domain.container import ContainerSpec, Exit, Mount
from orchestrator.domain.image import PlannedImage
from orchestrator.domain.plan import Execution, HealthCheck, Role, RunMount, RunPlan
from orchestrator.domain.record import RunRecord
from orchestrator.domain.terms import ExecutionMode, Mode, Phase
from orchestrator.errors import HarnessError
from tests.unit.fake_tools import FakeEngine, accuracy_logs, offline_logs, tools
from tests.unit.plans import a_plan, a_spec


def a_step(name: str, role: Role, **changes: object) -> Execution:
    plan = a_plan()
    step = Execution(
        name=name,
        role=role,
        scenario=plan.spec.scenario,
        folder=PurePosixPath(name),
        container=ContainerSpec(image=plan.image.entry, command=("do", name)),
    )
    return replace(step, **changes)  # type: ignore[arg-type]


def with_steps(*before: Execution, after: tuple[Execution, ...] = (), plan: RunPlan | None = None) -> RunPlan:
    plan = plan or a_plan()
    return replace(plan, executions=(*before, *plan.executions, *after)).sealed()


def carried_out(tmp_path: Path, plan: RunPlan, engine: FakeEngine) -> RunRecord:
    return run(plan, RunDir.create(tmp_path, plan), tools(engine), Silent())


def harness_of(kinds: dict[str, Callable[[Path], None]]) -> Callable[[Path], None]:
    """Logs in the loadgen folder, something else in the folders named."""

    def harness(output: Path) -> None:
        kinds.get(output.name, offline_logs if output.name == "loadgen" else lambda _: None)(output)

    return harness


def test_steps_run_in_order_each_under_its_own_phase(tmp_path: Path) -> None:
    engine = FakeEngine(harness=harness_of({}))
    record = carried_out(tmp_path, with_steps(a_step("prepare", Role.PREPARE)), engine)
    assert engine.started[0].command[-1] == "prepare"
    assert [each.name for each in record.executions] == ["prepare", "result"]
    assert Phase.PREPARE in [each.phase for each in record.phases]


def test_a_step_that_was_done_before_is_left_out_and_said_so(tmp_path: Path) -> None:
    stamp = tmp_path / "work" / "engines.done"
    plan = with_steps(a_step("engines", Role.PREPARE, once=stamp))
    first = carried_out(tmp_path / "a", plan, FakeEngine(harness=harness_of({})))
    assert stamp.read_text().strip() == plan.run_id
    engine = FakeEngine(harness=harness_of({}))
    second = carried_out(tmp_path / "b", plan, engine)
    assert len(engine.started) == 1
    assert (first.executions[0].outcome, second.executions[0].outcome) == ("done", "left out: done before")


def test_a_step_that_failed_is_not_stamped(tmp_path: Path) -> None:
    stamp = tmp_path / "engines.done"
    plan = with_steps(a_step("engines", Role.PREPARE, once=stamp, produces=(PurePosixPath("engine.plan"),)))
    with pytest.raises(HarnessError, match=r"step 'engines' reported success but did not write engine\.plan"):
        carried_out(tmp_path, plan, FakeEngine(harness=harness_of({})))
    assert not stamp.exists()


def test_clients_join_the_network_of_the_service_by_its_id(tmp_path: Path) -> None:
    service = a_step("server", Role.SERVICE, health=HealthCheck(command=("ask",)))
    plan = with_steps(service)
    result = plan.executions[-1]
    joined = replace(result, container=replace(result.container, joins="server"))
    engine = FakeEngine(harness=harness_of({}))
    record = carried_out(tmp_path, replace(plan, executions=(service, joined)).sealed(), engine)
    assert [spec.joins for spec in engine.started] == [None, "0" * 64]
    assert [each.outcome for each in record.executions] == ["serving", "done"]


def test_a_service_that_does_not_come_up_is_named_with_its_last_words(tmp_path: Path) -> None:
    service = a_step("server", Role.SERVICE, health=HealthCheck(command=("ask",)))
    engine = FakeEngine(harness=harness_of({}), ended=Exit(code=1), says=(b"error: no such model\n",))
    with pytest.raises(HarnessError, match="the service 'server' ended before it served: error: no such model"):
        carried_out(tmp_path, with_steps(service), engine)


def test_a_forgotten_audit_file_is_gone_before_and_after_whatever_happens(tmp_path: Path) -> None:
    forgotten = tmp_path / "audit.config"
    forgotten.write_text("*.*.mode = 2\n")
    seen: list[bool] = []

    def harness(output: Path) -> None:
        seen.append(forgotten.exists())
        forgotten.write_text("left by the harness")
        offline_logs(output)

    plan = a_plan()
    plan = replace(plan, executions=(replace(plan.executions[0], remove_first=(forgotten,)),)).sealed()
    carried_out(tmp_path / "a", plan, FakeEngine(harness=harness))
    assert (seen, forgotten.exists()) == ([False], False)
    with pytest.raises(HarnessError):
        carried_out(tmp_path / "b", plan, FakeEngine(harness=harness, ended=Exit(code=1)))
    assert not forgotten.exists()


def test_the_newest_of_a_vendor_s_log_folders_is_collected(tmp_path: Path) -> None:
    def harness(output: Path) -> None:
        for number, name in enumerate(("2026.01.01", "2026.01.02")):
            place = output / "logs" / name / "system" / "bench"
            place.mkdir(parents=True)
            offline_logs(place)
            (place / "which.txt").write_text(str(number))

    plan = a_plan()
    vendors = replace(plan.executions[0], logs_from=("logs/*/*/*",))
    plan = replace(plan, executions=(vendors,)).sealed()
    record = carried_out(tmp_path, plan, FakeEngine(harness=harness))
    assert record.result is not None
    assert (tmp_path / "runs" / plan.run_id / "loadgen" / "which.txt").read_text() == "1"


def test_logs_that_are_nowhere_are_missed_by_name(tmp_path: Path) -> None:
    plan = a_plan()
    plan = replace(plan, executions=(replace(plan.executions[0], logs_from=("logs/*",)),)).sealed()
    with pytest.raises(HarnessError, match=r"no logs were left at logs/\*"):
        carried_out(tmp_path, plan, FakeEngine())


def test_an_evaluation_works_on_what_the_result_left(tmp_path: Path) -> None:
    def scorer(output: Path) -> None:
        if (output / "mlperf_log_detail.txt").exists():
            (output / "accuracy.txt").write_text("accuracy=85.000%, good=17, total=20\nhash=0\n")
        else:
            accuracy_logs(output)
            (output / "report.json").unlink()
            (output / "accuracy.txt").unlink()

    plan = a_plan(a_spec(mode=Mode.ACCURACY, execution_mode=ExecutionMode.VALID))
    result = replace(plan.executions[0], produces=())
    rules = replace(plan.rules, accuracy=(replace(plan.rules.accuracy[0], metric="acc", reference=85.0),))
    score = a_step("score", Role.EVALUATE, folder=PurePosixPath("loadgen"), produces=(PurePosixPath("accuracy.txt"),))
    plan = replace(plan, executions=(result, score), rules=rules).sealed()
    record = carried_out(tmp_path, plan, FakeEngine(harness=scorer))
    assert record.accuracy is not None
    assert (record.accuracy.metric, record.accuracy.value, record.accuracy.good) == ("acc", 85.0, 17)


def test_folders_and_files_of_a_step_are_made_as_it_asks(tmp_path: Path) -> None:
    work = tmp_path / "cache" / "work"
    step = a_step(
        "configure",
        Role.PREPARE,
        files=((PurePosixPath("configs/run.sh"), "#!/bin/sh\n"), (PurePosixPath("a.txt"), "a")),
        container=ContainerSpec(
            image="generic-tflite",
            command=("do",),
            mounts=(Mount(source=work, target=PurePosixPath("/work"), create=True),),
        ),
        run_mounts=(RunMount(folder=PurePosixPath("loadgen"), target=PurePosixPath("/result")),),
    )
    plan = with_steps(step)
    engine = FakeEngine(harness=harness_of({}))
    carried_out(tmp_path, plan, engine)
    folder = tmp_path / "runs" / plan.run_id / "configure"
    assert work.is_dir()
    assert (folder / "a.txt").read_text() == "a"
    assert (folder / "configs" / "run.sh").stat().st_mode & 0o111
    assert "/result" in [str(mount.target) for mount in engine.started[0].mounts]


def test_every_image_of_a_plan_is_had_and_recorded(tmp_path: Path) -> None:
    plan = a_plan()
    other = PlannedImage(entry="other", round="v6.1", platform="linux/amd64", recipe="1" * 64)
    step = a_step("elsewhere", Role.PREPARE, container=ContainerSpec(image="other", command=("do",)))
    record = carried_out(
        tmp_path,
        replace(plan, other_images=(other,), executions=(step, *plan.executions)).sealed(),
        FakeEngine(harness=harness_of({})),
    )
    assert [image.reference for image in record.other_images] == ["fake/other"]
