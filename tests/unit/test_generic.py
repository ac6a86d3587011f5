"""The generic implementation's pure planning: settings, estimates, sides of the wall."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from orchestrator.domain.benchmark import TestCount
from orchestrator.domain.plan import Role
from orchestrator.domain.spec import Knobs, LoadGenWishes
from orchestrator.domain.terms import EngineName, ExecutionMode, Mode, Scenario
from orchestrator.errors import UsageError
from orchestrator.implementations.generic import executions
from tests.unit.plans import a_situation, a_spec

VALID = ExecutionMode.VALID
ALL = (Scenario.OFFLINE, Scenario.SERVER, Scenario.SINGLE_STREAM, Scenario.MULTI_STREAM)


@pytest.mark.parametrize("scenario", ALL)
def test_a_test_run_is_one_execution_of_a_fixed_count(scenario: Scenario) -> None:
    (only,) = executions(a_spec(scenario=scenario), a_situation(test=TestCount(queries=9, target_qps=3.0)))
    assert only.role is Role.RESULT
    assert only.settings.min_query_count == 9
    assert only.settings.min_duration_ms == 0
    assert only.settings.fit is None


@pytest.mark.parametrize("scenario", ALL)
def test_a_valid_run_without_a_target_is_fitted_by_an_estimate(scenario: Scenario) -> None:
    estimate, result = executions(a_spec(scenario=scenario, execution_mode=VALID), a_situation())
    assert (estimate.role, result.role) == (Role.ESTIMATE, Role.RESULT)
    assert estimate.folder != result.folder
    assert estimate.settings.fit is None
    expected = "target_qps" if scenario in {Scenario.OFFLINE, Scenario.SERVER} else "target_latency_ms"
    assert result.settings.fit == expected


def test_a_servers_capacity_is_estimated_one_query_at_a_time() -> None:
    estimate, _ = executions(a_spec(scenario=Scenario.SERVER, execution_mode=VALID), a_situation())
    assert estimate.scenario is Scenario.SINGLE_STREAM
    assert dict(estimate.harness)["scenario"] == "SingleStream"


def test_a_target_of_the_users_needs_no_estimate() -> None:
    wishes = LoadGenWishes(target_qps=100.0)
    (only,) = executions(a_spec(execution_mode=VALID, loadgen=wishes), a_situation())
    assert only.settings.target_qps == 100.0


def test_a_target_in_the_users_own_file_needs_no_estimate() -> None:
    wishes = LoadGenWishes(user_conf="*.Offline.target_qps = 50\n")
    (only,) = executions(a_spec(execution_mode=VALID, loadgen=wishes), a_situation())
    assert only.settings.target_qps is None


def test_the_rounds_duration_is_left_to_loadgen_unless_the_user_names_one() -> None:
    _, result = executions(a_spec(execution_mode=VALID), a_situation())
    assert result.settings.min_duration_ms is None
    wishes = LoadGenWishes(min_duration_ms=2000)
    _, shorter = executions(a_spec(execution_mode=VALID, loadgen=wishes), a_situation())
    assert shorter.settings.min_duration_ms == 2000


def test_an_accuracy_run_must_leave_an_accuracy_text() -> None:
    (only,) = executions(a_spec(mode=Mode.ACCURACY), a_situation())
    assert PurePosixPath("accuracy.txt") in only.produces


def test_assets_are_mounted_read_only_at_fixed_places() -> None:
    (only,) = executions(a_spec(), a_situation())
    assert [(str(mount.target), mount.read_only) for mount in only.container.mounts] == [
        ("/model/image_classification.tflite", True),
        ("/dataset", True),
    ]


def test_natively_paths_inside_are_paths_outside() -> None:
    (only,) = executions(a_spec(engine=EngineName.NATIVE), a_situation())
    assert all(Path(mount.target) == mount.source for mount in only.container.mounts)
    assert dict(only.harness)["model"] == "/cache/model/image_classification.tflite"


def test_without_a_data_set_inputs_are_generated() -> None:
    (only,) = executions(a_spec(), a_situation(dataset=None))
    assert dict(only.harness)["dataset"] is None
    assert dict(only.harness)["generated_samples"] == 64


def test_knobs_reach_the_harness_and_unknown_ones_stay_options() -> None:
    knobs = Knobs(threads=3, batch_size=5, extra=(("workers", "2"), ("precision", "int8")))
    (only,) = executions(a_spec(knobs=knobs), a_situation())
    harness = dict(only.harness)
    assert (harness["threads"], harness["batch_size"], harness["workers"]) == (3, 5, 2)
    assert harness["options"] == {"precision": "int8"}


@pytest.mark.parametrize("bad", ["0", "-1", "many", "1.5"])
def test_a_bad_number_of_workers_names_the_option(bad: str) -> None:
    with pytest.raises(UsageError, match="--set workers="):
        executions(a_spec(knobs=Knobs(extra=(("workers", bad),))), a_situation())


def test_a_prefix_goes_before_the_harness_with_the_right_to_trace() -> None:
    (only,) = executions(a_spec(run_prefix=("gdb", "--args")), a_situation())
    assert only.container.command[:3] == ("gdb", "--args", "python")
    assert only.container.add_capabilities == ("SYS_PTRACE",)
