"""AMD's harness as plans: its published commands, devices, tiers, scoring, refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from orchestrator.config.images import image_entries
from orchestrator.domain.container import Network
from orchestrator.domain.plan import Role
from orchestrator.domain.situation import Gpu, Host
from orchestrator.domain.spec import LoadGenWishes
from orchestrator.domain.terms import EngineName, ExecutionMode, Mode, Scenario, Tier
from orchestrator.errors import UsageError
from orchestrator.implementations.amd import steps
from tests.unit.offer_cells import Cell, cell, cells, knobs
from tests.unit.thin_entry import harness_command, options

OFFLINE, SERVER, INTERACTIVE = Scenario.OFFLINE, Scenario.SERVER, Scenario.INTERACTIVE
LLAMA = cell("amd", "llama2-70b-99", "v5.1", OFFLINE)
CODE = "/lab-mlperf-inference/code"
RESULTS = "/lab-mlperf-inference/results"


def test_the_cells_are_those_that_amd_published() -> None:
    found = {(str(one.benchmark.family), one.round): set[str]() for one in cells("amd")}
    for one in cells("amd"):
        found[(str(one.benchmark.family), one.round)].add(one.scenario.value)
    both, three = {"Offline", "Server"}, {"Offline", "Server", "Interactive"}
    assert found == {
        ("llama2-70b", "v4.1"): both,
        ("llama2-70b", "v5.0"): both,
        ("stable-diffusion-xl", "v5.0"): both,
        ("llama2-70b", "v5.1"): three,
        ("mixtral-8x7b", "v5.1"): both,
        ("stable-diffusion-xl", "v5.1"): both,
        ("llama2-70b", "v6.0"): three,
        ("gpt-oss-120b", "v6.0"): both,
        ("llama2-70b", "v6.1"): three,
        ("gpt-oss-120b", "v6.1"): both,
        ("deepseek-r1", "v6.1"): both,
        ("llama3.1-8b", "v6.1"): three,
    }


@pytest.mark.parametrize("one", cells("amd"), ids=str)
@pytest.mark.parametrize("mode", [Mode.PERFORMANCE, Mode.ACCURACY, Mode.COMPLIANCE])
def test_every_cell_is_planned_with_an_image_of_its_round_and_no_shell_string(one: Cell, mode: Mode) -> None:
    rules = one.benchmark.rules_of(one.round)
    assert rules is not None
    test = rules.compliance[0] if mode is Mode.COMPLIANCE else None
    rate = {} if one.offer.parameters["interface"] != "sdxl-script" else {"loadgen": LoadGenWishes()}
    found = one.steps(mode, test, **rate)
    for step in found:
        assert image_entries()[step.container.image].base_for(one.round, "amd64") is not None
        assert not any(sign in word for word in step.container.command for sign in (" ", ";", "&", "|", "$"))
        assert options(step)["--owner"] == ["1000:1001"]
        assert step.container.gpus == ()
        if step.role is Role.RESULT:
            assert {"/dev/kfd", "/dev/dri"} <= set(step.container.devices)
    assert sum(step.role is Role.RESULT for step in found) == 1
    if mode is Mode.ACCURACY:
        assert any(PurePosixPath("accuracy.txt") in step.produces for step in found)


def test_main_gets_the_published_arguments() -> None:
    assert harness_command(LLAMA.result()) == (
        "python",
        f"{CODE}/main.py",
        "--config-path",
        f"{CODE}/harness_llm/models/llama2-70b",
        "--config-name",
        "offline_mi325x",
        "test_mode=performance",
        "harness_config.device_count=8",
        f"harness_config.user_conf_path={RESULTS}/user.conf",
        f"harness_config.output_log_dir={RESULTS}",
    )
    assert LLAMA.result().container.workdir == PurePosixPath(CODE)


def test_each_round_says_it_in_its_own_words() -> None:
    old = harness_command(cell("amd", "llama2-70b-99", "v5.0", SERVER).result())
    assert "harness_config.data_parallel_size=8" in old
    assert "server_mi325x" in old
    new = harness_command(cell("amd", "llama2-70b-99.9", "v6.1", INTERACTIVE).result())
    assert f"{CODE}/llama2-70b-99" in new
    assert "interactive_mi355x" in new
    backend = harness_command(cell("amd", "deepseek-r1", "v6.1", OFFLINE).result())
    assert backend[backend.index("--backend") + 1] == "sglang"
    accurate = harness_command(cell("amd", "gpt-oss-120b", "v6.1", OFFLINE).result(Mode.ACCURACY))
    assert "harness_config.accuracy_dataset_path=/data/gpt-oss-120b/acc_eval_ref.parquet" in accurate


def test_interactive_is_loadgens_server_under_another_model_name() -> None:
    settings = cell("amd", "llama2-70b-99", "v5.1", INTERACTIVE).result().settings
    assert settings is not None
    assert settings.loadgen_model == "llama2-70b-interactive"


def test_accuracy_is_scored_by_amds_script_without_a_gpu_but_with_a_network() -> None:
    score = LLAMA.steps(Mode.ACCURACY)[-1]
    assert score.role is Role.EVALUATE
    assert harness_command(score) == (
        "bash",
        f"{CODE}/scripts/check_llama2_accuracy_scores.sh",
        f"{RESULTS}/mlperf_log_accuracy.json",
    )
    assert dict(score.container.environment)["ARCH"] == "gfx942"
    assert score.container.devices == ()
    assert score.container.network is Network.BRIDGE
    newer = cell("amd", "llama2-70b-99.9", "v6.1", OFFLINE).steps(Mode.ACCURACY)[-1]
    assert options(newer)["--first"] == [f"{CODE}/scripts/setup_llama2_accuracy_env.sh"]
    assert dict(newer.container.environment)["ARCH"] == "gfx950"


def test_the_audit_file_lies_where_loadgen_looks_and_only_in_an_audit_run() -> None:
    audited = LLAMA.result(Mode.COMPLIANCE, "TEST06")
    assert options(audited)["--place"] == [f"{RESULTS}/audit.config={CODE}/audit.config"]
    assert "test_mode=performance" in harness_command(audited)
    plain = LLAMA.result()
    assert "--place" not in options(plain)
    assert options(plain)["--absent"] == [f"{CODE}/audit.config"]


def test_the_gpu_that_is_there_decides_the_configuration() -> None:
    found = Host(usable_cpus=2, gpus=(Gpu(name="AMD Instinct MI300X"),) * 4)
    result = steps(LLAMA.spec(), replace(LLAMA.on(), host=found))[-1]
    assert "offline_mi300x" in harness_command(result)
    assert "harness_config.device_count=4" in harness_command(result)
    assert "harness_config.device_count=2" in harness_command(LLAMA.result(knobs=knobs(device_count="2")))


def test_a_gpu_without_a_published_configuration_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(UsageError, match="no configuration") as refused:
        LLAMA.result(knobs=knobs(gpu="mi350p"))
    assert "mi325x, mi300x" in str(refused.value.hint)


def test_named_gpus_are_shown_to_the_runtime_and_counted() -> None:
    result = LLAMA.result(gpus=("0", "3"))
    assert dict(result.container.environment)["HIP_VISIBLE_DEVICES"] == "0,3"
    assert "harness_config.device_count=2" in harness_command(result)


def test_an_image_of_amds_build_scripts_has_its_code_elsewhere() -> None:
    own = LLAMA.result(knobs=knobs(layout="source"))
    assert f"{CODE}/llama2-70b-99/main.py" in harness_command(own)
    with pytest.raises(UsageError, match="no build script"):
        cell("amd", "deepseek-r1", "v6.1", OFFLINE).result(knobs=knobs(layout="source"))


def test_minimal_privileges_are_devices_and_groups() -> None:
    container = LLAMA.result().container
    assert not container.privileged
    assert container.devices == ("/dev/kfd", "/dev/dri")
    assert container.groups == ("video", "109")
    assert container.security_options == ("seccomp=unconfined",)
    assert container.add_capabilities == ("CHOWN", "DAC_OVERRIDE", "FOWNER")
    assert container.network is Network.NONE


def test_the_vendor_tier_has_amds_own_flags() -> None:
    container = LLAMA.result(privileges=Tier.VENDOR).container
    assert container.privileged
    assert container.devices == ("/dev/kfd", "/dev/dri", "/dev/mem")
    assert container.add_capabilities == ("SYS_ADMIN", "SYS_PTRACE")
    assert container.network is Network.HOST


def test_the_host_is_tuned_only_when_asked_for_and_allowed() -> None:
    assert [step.name for step in LLAMA.steps(privileges=Tier.VENDOR)] == ["result"]
    with pytest.raises(UsageError, match="needs --privileges vendor"):
        LLAMA.steps(knobs=knobs(host_tuning="yes"))
    first = LLAMA.steps(knobs=knobs(host_tuning="yes"), privileges=Tier.VENDOR)[0]
    assert harness_command(first) == ("bash", "/lab-mlperf-inference/setup/runtime_tunables.sh")
    assert first.once is None


def test_a_valid_run_without_a_target_is_refused() -> None:
    for one in (
        LLAMA,
        cell("amd", "stable-diffusion-xl", "v5.1", SERVER),
        cell("amd", "llama2-70b-99", "v4.1", OFFLINE),
    ):
        with pytest.raises(UsageError, match="target-qps"):
            one.result(loadgen=LoadGenWishes())
        assert one.result(loadgen=LoadGenWishes(), execution_mode=ExecutionMode.TEST).role is Role.RESULT


def test_v4_1_runs_the_one_script_of_scenario_and_mode() -> None:
    one = cell("amd", "llama2-70b-99", "v4.1", SERVER)
    result = one.result(Mode.ACCURACY)
    assert harness_command(result) == ("bash", "./test_VllmFp8_SyncServer_acc.sh")
    given = dict(result.container.environment)
    assert given["BASE_LOG_DIR"] == "/lab-hist/mlperf-results"
    assert given["USER_CONF"] == "/lab-hist/user.conf"
    assert result.logs_from == ("mlperf-results/accuracy",)
    assert one.result(Mode.COMPLIANCE, "TEST06").logs_from == ("mlperf-results/audit",)


def test_sdxl_of_v5_1_is_called_for_one_mode_with_the_rate_on_its_command_line() -> None:
    one = cell("amd", "stable-diffusion-xl", "v5.1", OFFLINE)
    result = one.result()
    words = harness_command(result)
    assert words[:2] == ("python3.13", "harness.py")
    assert words[words.index("--qps") + 1] == "12.5"
    assert words[words.index("--test_mode") + 1] == "PerformanceOnly"
    assert dict(result.container.environment)["PYTHON_GIL"] == "0"
    assert result.settings is None
    prepared = {step.name: step.container.image for step in one.steps() if step.role is Role.PREPARE}
    assert prepared == dict.fromkeys(
        ("fetch-model", "fetch-data", "prepare-data", "compile-offline"), "amd-sdxl-compile"
    )
    with pytest.raises(UsageError, match="takes a rate"):
        one.result(loadgen=LoadGenWishes(target_qps=1.0, min_duration_ms=5))


def test_sdxl_of_v5_0_takes_the_modes_part_of_the_all_in_one_script() -> None:
    one = cell("amd", "stable-diffusion-xl", "v5.0", OFFLINE)
    audited = one.result(Mode.COMPLIANCE, "TEST04", loadgen=LoadGenWishes())
    assert harness_command(audited) == ("bash", "./run_scenario_offline_MI325x_cpx.sh")
    assert audited.logs_from == ("closed/AMD/results/*/stable-diffusion-xl/Offline/TEST04",)
    with pytest.raises(UsageError, match="rate written in it"):
        one.result()


def test_the_native_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="in its container only"):
        LLAMA.result(engine=EngineName.NATIVE)
