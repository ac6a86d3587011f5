"""Sets of runs: all are tried, an interruption stops the set, --resume does only what is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.controller.rundir import RunDir
from orchestrator.controller.runs import Done, exit_code_of, read_record, run_set
from orchestrator.controller.watch import Silent
from orchestrator.domain.plan import RunPlan
from orchestrator.domain.terms import Mode, Phase
from orchestrator.errors import EngineError, ExitCode, InterruptedRun, MlperfDockerError, UsageError
from tests.unit.fake_tools import FakeEngine, interrupting, offline_logs, tools
from tests.unit.plans import a_plan, a_spec

DEAD = "another-boot:1:1"


def plans() -> tuple[RunPlan, ...]:
    return tuple(a_plan(a_spec(system=name)) for name in ("one", "two", "three"))


class Told(Silent):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.phases: list[Phase] = []

    def say(self, text: str) -> None:
        """Keep."""
        self.lines.append(text)

    def begin_run(self, title: str, number: int, total: int) -> None:
        """Keep."""
        self.lines.append(f"[{number}/{total}] {title}")


def measure(results: Path, engine: FakeEngine | None = None, *, resume: bool = False) -> tuple[Done, ...]:
    return run_set(plans(), results, tools(engine), Silent(), resume=resume)


class Failing:
    """A harness that fails in some of the runs, counted from 0."""

    def __init__(self, errors: dict[int, BaseException]) -> None:
        self._errors = errors
        self.count = 0

    def __call__(self, output: Path) -> None:
        number, self.count = self.count, self.count + 1
        if number in self._errors:
            raise self._errors[number]
        offline_logs(output)


def interrupted_in(results: Path, number: int) -> list[Path]:
    """A set that was interrupted in run `number`, by a controller that is dead now; its directories in order."""
    with pytest.raises(KeyboardInterrupt):
        measure(results, FakeEngine(harness=Failing({number: KeyboardInterrupt()})))
    (path,) = (results / "sets").glob("*.json")
    path.write_text(re.sub(r'"owner": "[^"]*"', f'"owner": "{DEAD}"', path.read_text()))
    members = json.loads(path.read_text())["members"]
    return [results / "runs" / member["run_id"] for member in members if member["run_id"]]


def test_all_runs_of_a_set_are_done_in_order(tmp_path: Path) -> None:
    done = measure(tmp_path)
    assert [one.plan.spec.system for one in done] == ["one", "two", "three"]
    assert {one.exit_code for one in done} == {ExitCode.OK}
    assert all(RunDir(one.directory).broken_seal() == () for one in done)
    assert len({one.directory for one in done}) == 3


def test_a_failed_run_does_not_stop_the_others(tmp_path: Path) -> None:
    done = measure(tmp_path, FakeEngine(harness=Failing({1: EngineError("gone")})))
    assert [one.exit_code for one in done] == [ExitCode.OK, ExitCode.ENGINE, ExitCode.OK]
    assert read_record(RunDir(done[1].directory)).failure is not None
    assert (tmp_path / "sets").exists()


def test_an_interruption_stops_the_set_and_leaves_it_unfinished(tmp_path: Path) -> None:
    first, second = interrupted_in(tmp_path, 1)
    assert read_record(RunDir(first)).state.value == "done"
    assert read_record(RunDir(second)).state.value == "interrupted"
    (path,) = (tmp_path / "sets").glob("*.json")
    assert json.loads(path.read_text())["finished"] is None
    assert [member["run_id"] is None for member in json.loads(path.read_text())["members"]] == [False, False, True]


def test_resume_keeps_what_is_done_and_says_so(tmp_path: Path) -> None:
    first, second = interrupted_in(tmp_path, 1)
    told = Told()
    done = run_set(plans(), tmp_path, tools(), told, resume=True)
    assert [one.kept for one in done] == [True, False, False]
    assert done[0].directory == first
    assert second not in {one.directory for one in done}
    assert [line for line in told.lines if line.startswith("kept")] == [
        f"kept from the interrupted set {next((tmp_path / 'sets').glob('*')).stem}: {first.name}"
    ]
    with pytest.raises(UsageError, match="no interrupted set"):
        measure(tmp_path, resume=True)


@pytest.mark.parametrize("harm", ["seal", "plan", "failed"])
def test_resume_measures_anew_what_is_not_whole_or_not_done(tmp_path: Path, harm: str) -> None:
    first, _ = interrupted_in(tmp_path, 1)
    record = first / "run.json"
    if harm == "seal":
        (first / "run.log").write_text("changed")
    else:
        text = record.read_text()
        fingerprint = read_record(RunDir(first)).plan_fingerprint
        changed = text.replace(fingerprint, "0" * 64) if harm == "plan" else text.replace('"done"', '"failed"')
        assert changed != text
        record.write_text(changed)
        RunDir(first).seal()
    assert [one.kept for one in measure(tmp_path, resume=True)] == [False, False, False]


def test_a_set_whose_controller_lives_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(InterruptedRun):
        measure(tmp_path, FakeEngine(harness=interrupting(InterruptedRun("stop"))))
    with pytest.raises(UsageError, match="no interrupted set"):
        measure(tmp_path, resume=True)


def test_only_a_set_of_the_same_request_is_resumed(tmp_path: Path) -> None:
    interrupted_in(tmp_path, 1)
    with pytest.raises(UsageError, match="no interrupted set"):
        run_set(plans()[:2], tmp_path, tools(), Silent(), resume=True)


def test_a_set_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    interrupted_in(tmp_path, 1)
    (tmp_path / "sets" / "99990101T000000Z-00000000.json").write_text("{")
    assert [one.kept for one in measure(tmp_path, resume=True)] == [True, False, False]


def test_without_resume_nothing_old_is_shown_as_new(tmp_path: Path) -> None:
    first, second = interrupted_in(tmp_path, 1)
    done = measure(tmp_path)
    assert not any(one.kept for one in done)
    assert {first, second}.isdisjoint(one.directory for one in done)


def test_a_missing_engine_leaves_nothing_behind(tmp_path: Path) -> None:
    class Missing(FakeEngine):
        def info(self) -> None:  # type: ignore[override]
            raise EngineError("no engine answers")

    with pytest.raises(EngineError):
        measure(tmp_path / "results", Missing())
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("place", ["", "sets"])
def test_results_that_cannot_be_written_are_refused_with_a_remedy(tmp_path: Path, place: str) -> None:
    results = tmp_path / "results"
    path = results / place
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    with pytest.raises(MlperfDockerError) as caught:
        measure(results)
    assert caught.value.exit_code is ExitCode.FAILURE
    assert "--results-dir" in (caught.value.hint or "")


def codes(done: Sequence[Done]) -> list[int]:
    return [int(one.exit_code) for one in done]


def test_the_exit_code_of_a_record_is_the_verdict_s(tmp_path: Path) -> None:
    record = measure(tmp_path)[0].record
    assert record.verdict is not None
    assert exit_code_of(record) is ExitCode.OK
    assert exit_code_of(replace(record, verdict=None)) is ExitCode.FAILURE
    assert exit_code_of(replace(record, verdict=replace(record.verdict, clean=False))) is ExitCode.HARNESS


def test_a_log_with_an_error_is_not_a_clean_test(tmp_path: Path) -> None:
    def unclean(output: Path) -> None:
        offline_logs(output)
        detail = output / "mlperf_log_detail.txt"
        detail.write_text(detail.read_text().replace('"is_error": false', '"is_error": true', 1))

    done = measure(tmp_path, FakeEngine(harness=unclean))
    assert codes(done) == [8, 8, 8]
    assert done[0].record.failure is None
    assert done[0].record.verdict is not None
    assert done[0].record.verdict.reasons


def test_an_accuracy_that_the_harness_did_not_write_is_a_failure(tmp_path: Path) -> None:
    (done,) = run_set((a_plan(a_spec(mode=Mode.ACCURACY)),), tmp_path, tools(), Silent())
    assert done.exit_code is ExitCode.HARNESS
    assert "did not write accuracy.txt" in str(done.error)
