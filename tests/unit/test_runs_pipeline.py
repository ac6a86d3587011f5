"""One run from image to seal with fakes behind the ports: whose fault an end was, what is believed, what is marked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.controller.run import run
from orchestrator.controller.rundir import RunDir
from orchestrator.controller.watch import Silent
from orchestrator.domain.container import Capability, Exit
from orchestrator.domain.plan import RunPlan
from orchestrator.domain.record import RunRecord
from orchestrator.domain.spec import LoadGenWishes
from orchestrator.domain.terms import ExecutionMode, Mode, Phase
from orchestrator.errors import EngineError, HarnessError, MlperfDockerError
from tests.unit.fake_tools import IMAGE_ID, FakeEngine, accuracy_logs, offline_logs, tools
from tests.unit.plans import a_plan, a_spec


def carried_out(tmp_path: Path, engine: FakeEngine, plan: RunPlan | None = None) -> RunRecord:
    plan = plan or a_plan()
    return run(plan, RunDir.create(tmp_path, plan), tools(engine), Silent())


def test_a_run_reads_its_result_from_loadgen_s_log(tmp_path: Path) -> None:
    record = carried_out(tmp_path, FakeEngine())
    assert record.result is not None
    assert record.result.key == "result_samples_per_second"
    assert record.loadgen is not None
    assert record.loadgen.version is not None
    assert record.executions[0].exit.image_id == IMAGE_ID
    only_elsewhere = {Phase.PREPARE, Phase.SERVE, Phase.EVALUATE}
    assert [each.phase for each in record.phases] == [phase for phase in Phase if phase not in only_elsewhere]


def test_an_accuracy_run_is_judged_by_its_own_log(tmp_path: Path) -> None:
    plan = a_plan(a_spec(mode=Mode.ACCURACY, execution_mode=ExecutionMode.VALID))
    record = carried_out(tmp_path, FakeEngine(harness=accuracy_logs), plan)
    assert record.accuracy is not None
    assert (record.accuracy.good, record.result) == (17, None)
    assert record.verdict is not None
    assert record.verdict.standing.value == "VALID"


def test_the_container_gets_the_image_s_id_and_one_writable_folder(tmp_path: Path) -> None:
    engine = FakeEngine()
    plan = a_plan()
    carried_out(tmp_path, engine, plan)
    (spec,) = engine.started
    assert spec.image == IMAGE_ID
    assert [str(mount.target) for mount in spec.mounts if not mount.read_only] == ["/out"]
    folder = tmp_path / "runs" / plan.run_id / "loadgen"
    assert json.loads((folder / "harness.json").read_text()) == dict(plan.result_execution.harness)
    assert "min_query_count" in (folder / "user.conf").read_text()


def test_an_estimate_fills_the_setting_that_is_fitted(tmp_path: Path) -> None:
    engine = FakeEngine()
    plan = a_plan(a_spec(execution_mode=ExecutionMode.VALID, loadgen=LoadGenWishes(min_duration_ms=1000)))
    assert [execution.settings.fit for execution in plan.executions] == [None, "target_qps"]
    carried_out(tmp_path, engine, plan)
    assert len(engine.started) == 2
    conf = (tmp_path / "runs" / plan.run_id / "loadgen" / "user.conf").read_text()
    assert "target_qps = " in conf
    assert (tmp_path / "runs" / plan.run_id / "estimate" / "user.conf").exists()


@pytest.mark.parametrize(
    ("ended", "said", "hint"),
    [
        (Exit(code=2), "error: it says why", "run.log"),
        (Exit(code=137, oom_killed=True), "killed for memory", "--memory"),
        (Exit(code=0, oom_killed=True), "killed for memory", "--memory"),
        (Exit(code=143, timed_out=True), "time limit", "--timeout"),
        (Exit(code=127), "not found in the image", "run.log"),
        (Exit(code=139), "killed by a signal (exit status 139)", "run.log"),
    ],
)
def test_whose_fault_an_end_was_is_told(tmp_path: Path, ended: Exit, said: str, hint: str) -> None:
    engine = FakeEngine(ended=ended, says=(b"error: it says", b" why\nprogress completed=1\n"))
    plan = a_plan(a_spec(timeout_s=5.0))
    with pytest.raises(HarnessError) as caught:
        carried_out(tmp_path, engine, plan)
    assert said in str(caught.value)
    assert hint in (caught.value.hint or "")
    assert RunDir(tmp_path / "runs" / plan.run_id).broken_seal() == ()


@pytest.mark.parametrize("name", ["mlperf_log_detail.txt", "report.json"])
def test_a_harness_that_wrote_nothing_has_failed_whatever_it_says(tmp_path: Path, name: str) -> None:
    def silent(output: Path) -> None:
        offline_logs(output)
        (output / name).unlink()

    with pytest.raises(HarnessError, match=f"did not write {name}"):
        carried_out(tmp_path, FakeEngine(harness=silent))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"accuracy": {"metric": "top1"}}', '{"accuracy": 3}'])
def test_a_report_that_is_none_is_the_harness_s_fault(tmp_path: Path, text: str) -> None:
    def bad(output: Path) -> None:
        accuracy_logs(output)
        (output / "report.json").write_text(text)

    with pytest.raises(HarnessError, match=r"report\.json: not the report"):
        carried_out(tmp_path, FakeEngine(harness=bad), a_plan(a_spec(mode=Mode.ACCURACY)))


def test_isolation_that_an_engine_lacks_is_on_the_record_and_blocks_submission(tmp_path: Path) -> None:
    engine = FakeEngine(capabilities=frozenset(Capability) - {Capability.NETWORK_NONE})
    record = carried_out(tmp_path, engine)
    assert record.marks == ("docker does not enforce network_none",)
    assert record.verdict is not None
    assert record.marks[0] in {blocker.text for blocker in record.verdict.blockers}


def test_a_limit_that_an_engine_lacks_is_refused_before_anything_starts(tmp_path: Path) -> None:
    engine = FakeEngine(capabilities=frozenset(Capability) - {Capability.MEMORY_LIMIT})
    plan = a_plan(a_spec(memory_bytes=1 << 30))
    with pytest.raises(EngineError, match="memory_limit"):
        carried_out(tmp_path, engine, plan)
    assert engine.started == []
    record = json.loads((tmp_path / "runs" / plan.run_id / "run.json").read_text())
    assert (record["phases"], record["image"]) == ([], None)


def test_what_the_harness_says_is_in_the_log_as_it_came(tmp_path: Path) -> None:
    plan = a_plan()
    carried_out(tmp_path, FakeEngine(says=(b"one\ntw", b"o\n", b"last without an end")), plan)
    log = (tmp_path / "runs" / plan.run_id / "run.log").read_text()
    assert "one\ntwo\nlast without an end\n" in log


def test_progress_is_handed_on_as_the_harness_said_it(tmp_path: Path) -> None:
    heard: list[tuple[int, int | None]] = []

    class Counting(Silent):
        def progress(self, completed: int, expected: int | None) -> None:
            heard.append((completed, expected))

    says = (b"progress completed=3 iss", b"ued=9\nprogress completed=5\nprogress nonsense\nprogress completed=x\n")
    plan = a_plan()
    run(plan, RunDir.create(tmp_path, plan), tools(FakeEngine(says=says)), Counting())
    assert heard == [(3, 9), (5, None)]


def test_a_stale_log_is_never_taken_for_a_new_one(tmp_path: Path) -> None:
    plan = a_plan()
    directory = RunDir.create(tmp_path, plan)
    offline_logs(directory.fresh_folder(plan.result_execution))
    with pytest.raises(MlperfDockerError, match="did not write"):
        run(plan, directory, tools(FakeEngine(harness=lambda _: None)), Silent())
