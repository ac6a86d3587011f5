"""Intel's harness as plans: each round's variables and scripts, privileges, audit files, refusals."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from orchestrator.config.images import image_entries
from orchestrator.domain.container import Network
from orchestrator.domain.plan import Role
from orchestrator.domain.spec import LoadGenWishes
from orchestrator.domain.terms import Device, EngineName, ExecutionMode, Mode, Scenario, Tier
from orchestrator.errors import UsageError
from tests.unit.offer_cells import Cell, cell, cells, knobs
from tests.unit.thin_entry import harness_command, options

OFFLINE, SERVER = Scenario.OFFLINE, Scenario.SERVER
RETINANET = cell("intel", "retinanet", "v5.1", OFFLINE)
DLRM = cell("intel", "dlrm-v2-99", "v5.1", SERVER)
OLD = cell("intel", "resnet50", "v4.1", OFFLINE)
LLAMA_XPU = cell("intel", "llama2-70b-99", "v5.1", OFFLINE, Device.XPU)
GAUDI = cell("intel", "llama2-70b-99", "v5.0", SERVER, Device.HPU)


def test_the_cells_are_those_that_intel_published() -> None:
    found = {(str(one.benchmark.family), one.round, one.offer.devices[0].value) for one in cells("intel")}
    assert found == {
        *{(name, "v4.1", "cpu") for name in ("resnet50", "retinanet", "bert", "3d-unet", "dlrm-v2", "gptj")},
        *{(name, "v5.0", "cpu") for name in ("resnet50", "retinanet", "3d-unet", "dlrm-v2", "gptj")},
        ("llama2-70b", "v5.0", "hpu"),
        *{(name, "v5.1", "cpu") for name in ("retinanet", "dlrm-v2", "llama3.1-8b", "whisper", "rgat")},
        *{(name, "v5.1", "xpu") for name in ("llama2-70b", "llama3.1-8b")},
    }
    edge = [one.scenario for one in cells("intel") if one.benchmark.name == "llama3.1-8b-edge"]
    assert sorted(edge) == [OFFLINE, Scenario.SINGLE_STREAM]


@pytest.mark.parametrize("one", cells("intel"), ids=str)
@pytest.mark.parametrize("mode", [Mode.PERFORMANCE, Mode.ACCURACY])
def test_every_cell_is_planned_with_an_image_of_its_round_and_no_shell_string(one: Cell, mode: Mode) -> None:
    assert image_entries()[one.offer.image].base_for(one.round, "amd64") is not None
    for step in one.steps(mode):
        assert step.container.image == one.offer.image
        assert step.output_at == PurePosixPath("/logs")
        assert step.container.command[:2] == ("/bin/sh", "/opt/mlperf-docker/enter.sh")
        assert not any(sign in word for word in step.container.command for sign in (" ", ";", "&", "|", "$"))
        assert options(step)["--owner"] == ["1000:1001"]
    result = one.result(mode)
    assert result.logs_from
    assert (PurePosixPath("accuracy.txt") in result.produces) == (mode is Mode.ACCURACY)


@pytest.mark.parametrize("one", cells("intel"), ids=str)
def test_every_compliance_test_of_the_rules_is_planned_or_refused_with_a_reason(one: Cell) -> None:
    rules = one.benchmark.rules_of(one.round)
    assert rules is not None
    for test in rules.compliance:
        if one.offer.parameters.get("compliance") == "none":
            with pytest.raises(UsageError, match="no compliance run"):
                one.result(Mode.COMPLIANCE, test)
            continue
        result = one.result(Mode.COMPLIANCE, test)
        placed = options(result)["--place"]
        assert "/logs/audit.config=/workspace/audit.config" in placed
        assert {str(name): text for name, text in result.files}["audit.config"].startswith(f"# {test}")


def test_v5_1_takes_a_whole_user_conf_and_a_named_system() -> None:
    result = RETINANET.result()
    assert dict(result.container.environment) == {
        "HOME": "/root",
        "USER": "root",
        "SCENARIO": "Offline",
        "MODE": "Performance",
        "AUTO_USER_CONF": "False",
        "SYSTEM": "my-box",
    }
    assert harness_command(result) == ("bash", "run_mlperf.sh")
    assert result.container.workdir == PurePosixPath("/workspace")
    assert "/logs/user.conf=/workspace/user.conf" in options(result)["--place"]
    assert result.settings is not None
    assert result.settings.target_qps == 12.5
    assert result.logs_from == ("results/my-box/*/Offline/performance/run_1",)


def test_a_harness_that_takes_a_rate_gets_it_and_nothing_else_can_be_given() -> None:
    result = DLRM.result(Mode.ACCURACY)
    assert dict(result.container.environment)["SERVER_QPS"] == "12.5"
    assert "AUTO_USER_CONF" not in dict(result.container.environment)
    assert result.settings is None
    with pytest.raises(UsageError, match=r"--min-duration.*cannot be given"):
        DLRM.result(loadgen=LoadGenWishes(target_qps=10.0, min_duration_ms=1))


def test_v4_1_is_told_accuracy_and_gets_its_rates_scaled_by_one() -> None:
    result = OLD.result(Mode.ACCURACY)
    given = dict(result.container.environment)
    assert (given["ACCURACY"], given["SCENARIO"], given["SYSTEM"]) == ("true", "Offline", "my-box")
    assert "MODE" not in given
    assert options(result)["--scaled"] == ["/logs/user.conf=/workspace/user_default.conf"]


def test_v4_1_runs_one_compliance_test_in_one_scenario() -> None:
    result = OLD.result(Mode.COMPLIANCE, "TEST05")
    given = dict(result.container.environment)
    assert (given["COMPLIANCE"], given["LOG_DIR"], given["ACCURACY"]) == ("TEST05", "/logs/gathered", "false")
    assert harness_command(result) == ("bash", "run_mlperf.sh")
    assert result.logs_from == ("gathered",)
    assert "--recall" not in options(result)


@pytest.mark.parametrize("one", [RETINANET, DLRM])
def test_test01_brings_back_the_earlier_logs_it_compares_with(one: Cell) -> None:
    result = one.result(Mode.COMPLIANCE, "TEST01")
    tree = f"/logs/results/my-box/*/{one.scenario.value}"
    assert dict(result.container.environment)["MODE"] == "Compliance"
    assert options(result)["--recall"] == ["/mlperf-docker/kept/results=/logs/results"]
    assert options(result)["--expect"] == [f"{tree}/performance/run_1", f"{tree}/accuracy"]
    assert "--keep" not in options(result)
    assert options(one.result())["--keep"] == ["/logs/results=/mlperf-docker/kept/results"]


def test_the_language_harnesses_get_the_audit_file_under_the_name_they_read() -> None:
    result = LLAMA_XPU.result(Mode.COMPLIANCE, "TEST06")
    assert "/logs/audit.config=/workspace/audit.conf" in options(result)["--place"]
    assert "--recall" not in options(result)


@pytest.mark.parametrize("mode", [Mode.PERFORMANCE, Mode.ACCURACY])
def test_a_forgotten_audit_file_is_removed_before_a_run_that_is_none(mode: Mode) -> None:
    assert options(RETINANET.result(mode))["--absent"] == ["/workspace/audit.config"]
    assert options(LLAMA_XPU.result(mode))["--absent"] == ["/workspace/audit.config", "/workspace/audit.conf"]


def test_a_valid_run_without_a_target_is_refused() -> None:
    for one in (RETINANET, DLRM, OLD, GAUDI):
        with pytest.raises(UsageError, match="target-qps"):
            one.result(loadgen=LoadGenWishes())
        assert one.result(loadgen=LoadGenWishes(), execution_mode=ExecutionMode.TEST).role is Role.RESULT


@pytest.mark.parametrize("name", ["AUTO", "two words", "a/b", "$(reboot)", "", "a" * 65])
def test_a_system_name_that_the_scripts_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a system name"):
        RETINANET.result(system=name)
    assert (
        dict(RETINANET.result(knobs=knobs(system="1-node-2S-EMR")).container.environment)["SYSTEM"] == "1-node-2S-EMR"
    )


def test_minimal_privileges_are_a_few_capabilities_and_no_network() -> None:
    container = RETINANET.result().container
    assert container.drop_capabilities
    assert not container.privileged
    assert container.add_capabilities == ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SYS_NICE")
    assert container.network is Network.NONE
    assert container.devices == ()
    xpu = LLAMA_XPU.result().container
    assert (xpu.devices, xpu.groups, xpu.network) == (("/dev/dri",), ("109",), Network.BRIDGE)
    gaudi = GAUDI.result().container
    assert gaudi.runtime == "habana"
    assert dict(gaudi.environment)["OMPI_MCA_btl_vader_single_copy_mechanism"] == "none"


def test_the_vendor_tier_has_intels_own_flags() -> None:
    container = RETINANET.result(privileges=Tier.VENDOR).container
    assert container.privileged
    assert container.ipc_host
    assert container.network is Network.HOST
    assert container.add_capabilities == ("ALL",)
    assert not container.drop_capabilities


def test_the_host_is_tuned_only_when_asked_for_and_allowed() -> None:
    assert "MLPERF_DOCKER_HOST_TUNING" not in dict(RETINANET.result(privileges=Tier.VENDOR).container.environment)
    with pytest.raises(UsageError, match="needs --privileges vendor"):
        RETINANET.result(knobs=knobs(host_tuning="yes"))
    tuned = RETINANET.result(knobs=knobs(host_tuning="yes"), privileges=Tier.VENDOR)
    assert dict(tuned.container.environment)["MLPERF_DOCKER_HOST_TUNING"] == "yes"


def test_what_is_made_once_is_stamped_and_what_no_asset_brings_is_fetched() -> None:
    assert [(step.name, step.once) for step in RETINANET.steps()[:-1]] == [
        ("calibrate", Path("/cache/work/calibrate.done"))
    ]
    whisper = cell("intel", "whisper", "v5.1", OFFLINE)
    assert [step.name for step in whisper.steps()] == ["fetch-model", "fetch-data", "calibrate", "result"]
    assert all(step.container.network is Network.BRIDGE for step in whisper.steps()[:-1])
    assert [step.name for step in LLAMA_XPU.steps()] == ["calibrate", "result"]
    assert options(LLAMA_XPU.result())["--first"] == ["initialize.sh"]


def test_an_asset_is_read_only_inside_the_writable_model_folder() -> None:
    mounts = {str(mount.target): mount for mount in RETINANET.result().container.mounts}
    assert not mounts["/model"].read_only
    assert mounts["/model"].create
    assert mounts["/model/retinanet-model.pth"].read_only
    assert mounts["/data"].read_only


def test_the_native_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="in its container only"):
        RETINANET.result(engine=EngineName.NATIVE)


def test_gaudi_runs_one_script_for_each_mode_and_scenario() -> None:
    assert harness_command(GAUDI.result(Mode.ACCURACY)) == (
        "bash",
        "/opt/mlperf-docker/gaudi.sh",
        "./run_accuracy_server.sh",
    )
    assert GAUDI.result().logs_from == ("server_performance_loadgen_logs",)
