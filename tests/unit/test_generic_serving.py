"""The server-and-client phase as a plan: a service first, LoadGen joined to it, token settings where they belong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from orchestrator.config.catalog import load_benchmark
from orchestrator.domain.container import Network
from orchestrator.domain.plan import Execution, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import Knobs, LoadGenWishes
from orchestrator.domain.terms import EngineName, ExecutionMode, Mode, Scenario
from orchestrator.errors import UsageError
from orchestrator.implementations.generic import steps
from orchestrator.loadgen.user_conf import render_user_conf
from tests.unit.plans import a_situation, a_spec

MODEL = Path("/cache/smollm2/model.bin")
SCENARIOS = (Scenario.OFFLINE, Scenario.SERVER, Scenario.INTERACTIVE, Scenario.SINGLE_STREAM)


def situation() -> Situation:
    benchmark = load_benchmark("smollm2-135m")
    return a_situation(
        benchmark=benchmark,
        rules=benchmark.rules["any"],
        offer=benchmark.offers[0],
        image="generic-ctranslate2",
        model=MODEL,
        dataset=Path("/cache/capitals-64"),
    )


def planned(scenario: Scenario = Scenario.SERVER, **changes: object) -> tuple[Execution, ...]:
    return steps(a_spec(model="smollm2-135m", backend="ctranslate2", scenario=scenario, **changes), situation())


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("mode", [Mode.PERFORMANCE, Mode.ACCURACY])
def test_a_run_is_a_service_and_a_client_that_joins_it(scenario: Scenario, mode: Mode) -> None:
    service, result = planned(scenario, mode=mode)
    assert (service.role, result.role) == (Role.SERVICE, Role.RESULT)
    assert result.container.joins == service.name
    assert service.folder != result.folder
    assert service.container.network is Network.NONE
    assert service.health is not None
    assert service.health.command[-1] == dict(result.harness)["options"]["url"]  # type: ignore[index,call-overload]


def test_only_the_server_sees_the_model_and_only_the_client_the_data() -> None:
    service, result = planned()
    assert [(mount.source, mount.target) for mount in service.container.mounts] == [
        (MODEL.parent, PurePosixPath("/model"))
    ]
    assert [mount.source for mount in result.container.mounts] == [Path("/cache/capitals-64")]
    assert dict(result.harness)["model"] is None


def test_the_server_s_knobs_reach_the_server_and_the_client_s_the_client() -> None:
    extra = (("concurrency", "2"), ("server_threads", "4"), ("connections", "8"), ("max_tokens", "5"))
    service, result = planned(knobs=Knobs(extra=extra))
    command = " ".join(service.container.command)
    assert "--threads 4 --concurrency 2" in command
    harness = dict(result.harness)
    assert harness["workers"] == 8
    assert harness["options"] == {"url": "http://127.0.0.1:8000", "model": "smollm2-135m", "max_tokens": "5"}


def test_a_knob_that_is_no_number_is_refused() -> None:
    with pytest.raises(UsageError, match="--set concurrency=many"):
        planned(knobs=Knobs(extra=(("concurrency", "many"),)))


def test_more_requests_at_a_time_than_threads_are_refused() -> None:
    with pytest.raises(UsageError, match="the server has 2"):
        planned(knobs=Knobs(extra=(("concurrency", "3"),)))


@pytest.mark.parametrize(
    ("scenario", "name", "ttft", "tpot"),
    [
        (Scenario.SERVER, "smollm2-135m", 2000, 200),
        (Scenario.INTERACTIVE, "smollm2-135m-interactive", 1000, 100),
    ],
)
def test_interactive_is_loadgen_s_server_with_settings_of_its_own(
    scenario: Scenario, name: str, ttft: int, tpot: int
) -> None:
    _, result = planned(scenario)
    assert dict(result.harness)["scenario"] == "Server"
    assert dict(result.harness)["loadgen_model"] == name
    assert result.settings is not None
    conf = render_user_conf(result.settings, scenario)
    for line in ("use_token_latencies = 1", f"ttft_latency = {ttft}", f"tpot_latency = {tpot}"):
        assert f"{name}.Server.{line}" in conf
    assert "target_latency " not in conf


def test_offline_counts_tokens_and_has_no_limits() -> None:
    _, result = planned(Scenario.OFFLINE)
    assert result.settings is not None
    conf = render_user_conf(result.settings, Scenario.OFFLINE)
    assert "use_token_latencies = 1" in conf
    assert "ttft" not in conf


def test_a_valid_run_is_fitted_by_an_estimate_of_whole_answers_through_the_same_service() -> None:
    service, estimate, result = planned(execution_mode=ExecutionMode.VALID)
    assert (service.role, estimate.role, result.role) == (Role.SERVICE, Role.ESTIMATE, Role.RESULT)
    assert estimate.container.joins == service.name
    assert estimate.settings is not None
    assert estimate.settings.use_token_latencies is None
    assert result.settings is not None
    assert (result.settings.fit, result.settings.fit_factor) == ("target_qps", 0.4)


def test_a_rate_of_the_user_s_needs_no_estimate() -> None:
    wishes = LoadGenWishes(target_qps=1.5)
    assert len(planned(execution_mode=ExecutionMode.VALID, loadgen=wishes)) == 2


def test_natively_both_sides_stand_on_host_paths() -> None:
    service, result = planned(engine=EngineName.NATIVE)
    assert str(MODEL.parent) in service.container.command
    assert dict(result.harness)["dataset"] == "/cache/capitals-64"


def test_a_speech_model_is_a_folder_in_the_harness_s_own_process() -> None:
    benchmark = load_benchmark("whisper-tiny")
    on = replace(
        situation(), benchmark=benchmark, rules=benchmark.rules["any"], offer=benchmark.offers[0],
        model=Path("/cache/whisper/model.bin"),
    )  # fmt: skip
    (only,) = steps(a_spec(model="whisper-tiny", backend="ctranslate2"), on)
    assert dict(only.harness)["model"] == "/model/model.bin"
    assert only.container.mounts[0].source == Path("/cache/whisper")
    assert only.container.mounts[0].target == PurePosixPath("/model")
    assert only.container.joins is None
