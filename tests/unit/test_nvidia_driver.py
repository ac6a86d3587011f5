"""NVIDIA's harness as plans: the make targets and flags of each round, privileges, refusals, nothing left over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from orchestrator.domain.container import Network, grants
from orchestrator.domain.plan import Role
from orchestrator.domain.spec import Knobs, LoadGenWishes
from orchestrator.domain.terms import ExecutionMode, Mode, Scenario, Tier
from orchestrator.errors import UsageError
from orchestrator.host.process import Completed, run
from orchestrator.host.shipped import shipped
from orchestrator.implementations.drivers import driver_of
from orchestrator.implementations.nvidia import scratch_of
from orchestrator.implementations.nvidia_rounds import LEFT_OVER
from tests.unit.nvidia_cells import compliance, run_args, runs
from tests.unit.offer_cells import GEFORCE, Cell, cell, cells, steps

OFFLINE, SERVER, SINGLE = Scenario.OFFLINE, Scenario.SERVER, Scenario.SINGLE_STREAM
BERT = cell("nvidia", "bert-99", "v5.0", OFFLINE)


def test_the_cells_are_those_of_the_published_configurations() -> None:
    found = cells("nvidia")
    rounds = {name: {one.benchmark.family for one in found if one.round == name} for name in ("v4.1", "v5.0", "v5.1")}
    vision = {"resnet50", "retinanet", "bert", "3d-unet", "dlrm-v2", "gptj"}
    language = {"llama2-70b", "mixtral-8x7b", "stable-diffusion-xl"}
    assert rounds["v4.1"] == vision | language
    assert rounds["v5.0"] == vision | language | {"llama3.1-405b", "rgat"}
    assert rounds["v5.1"] == language | {"llama3.1-405b", "llama3.1-8b", "deepseek-r1", "rgat", "whisper"}
    assert {one.scenario for one in found if one.benchmark.name == "llama2-70b-99" and one.round == "v5.1"} == {
        OFFLINE,
        SERVER,
        Scenario.INTERACTIVE,
    }


@pytest.mark.parametrize("one", cells("nvidia"), ids=str)
def test_every_cell_is_planned_with_one_result_and_no_shell(one: Cell) -> None:
    for spec, on in runs(one):
        plan = driver_of(on.implementation)(spec, on)
        assert [step.role for step in plan].count(Role.RESULT) == 1
        assert plan[-1].role is Role.RESULT
        assert len({step.folder for step in plan}) == len(plan)
        for step in plan:
            assert step.container.command[0] == "/opt/mlperf-docker/nvidia/step.sh"
            assert not step.container.privileged
            assert all(mount.source != Path("/var/run/docker.sock") for mount in step.container.mounts)
            assert not any(character in word for word in step.container.command[1:-1] for character in ";|&$`")


def test_the_phases_of_a_vision_benchmark_are_the_documented_make_targets() -> None:
    plan = steps(BERT.spec(), BERT.on())
    assert list(plan) == ["build", "download", "preprocess", "configure", "engines", "result"]
    words = {name: step.container.command[1:] for name, step in plan.items()}
    assert words["build"] == ("build", "INFERENCE_HASH=dcd0c3eadb6189051ba0efe0a1f251a995fe8895", "BUILD_TRTLLM=0")
    assert words["download"] == ("make", "link_dirs", "download_model", "BENCHMARKS=bert")
    assert words["preprocess"] == ("make", "link_dirs", "preprocess_data", "BENCHMARKS=bert")
    assert words["configure"][:3] == ("configure", "my_box", "register")
    assert words["engines"] == ("make", "generate_engines", "RUN_ARGS=--benchmarks=bert --scenarios=Offline")
    assert words["result"] == (
        "make",
        "run_harness",
        "RUN_ARGS=--benchmarks=bert --scenarios=Offline --test_mode=PerformanceOnly --offline_expected_qps=12.5",
    )
    assert plan["build"].once == Path("/cache/work/done/build-plain")
    assert plan["configure"].once is None


@pytest.mark.parametrize(
    ("round_name", "model", "flag"),
    [
        ("v4.1", "bert-99.9", "--config_ver=high_accuracy"),
        ("v5.0", "bert-99.9", "--config_ver=high_accuracy"),
        ("v5.1", "llama2-70b-99.9", "--accuracy_target=0.999"),
    ],
)
def test_the_high_accuracy_variant_is_asked_for_as_the_round_s_parser_has_it(
    round_name: str, model: str, flag: str
) -> None:
    high = cell("nvidia", model, round_name, OFFLINE)
    plan = steps(high.spec(), high.on())
    assert flag in run_args(plan["engines"])
    assert flag in run_args(plan["result"])
    low = cell("nvidia", model.replace("99.9", "99"), round_name, OFFLINE)
    assert not {"--config_ver", "--accuracy_target"} & {
        word.partition("=")[0] for word in run_args(steps(low.spec(), low.on())["result"])
    }


@pytest.mark.parametrize(
    ("scenario", "wishes", "flag"),
    [
        (OFFLINE, LoadGenWishes(target_qps=1e6), "--offline_expected_qps=1e+06"),
        (SERVER, LoadGenWishes(target_qps=250), "--server_target_qps=250"),
        (SINGLE, LoadGenWishes(target_latency_ms=0.5), "--single_stream_expected_latency_ns=500000"),
        (
            Scenario.MULTI_STREAM,
            LoadGenWishes(target_latency_ms=1.25),
            "--multi_stream_expected_latency_ns=1250000",
        ),
    ],
)
def test_targets_become_the_flags_and_units_of_the_harness(
    scenario: Scenario, wishes: LoadGenWishes, flag: str
) -> None:
    one = cell("nvidia", "resnet50", "v5.0", scenario)
    assert flag in run_args(steps(one.spec(loadgen=wishes), one.on())["result"])


@pytest.mark.parametrize("one", [each for each in cells("nvidia") if each.benchmark.name == "resnet50"], ids=str)
def test_a_valid_run_without_a_target_is_refused_with_what_to_give(one: Cell) -> None:
    with pytest.raises(UsageError) as caught:
        steps(one.spec(loadgen=LoadGenWishes()), one.on())
    assert "--target-" in (caught.value.hint or "")
    assert steps(one.spec(Mode.ACCURACY, loadgen=LoadGenWishes()), one.on())


def test_a_test_run_takes_the_harness_s_own_switch_or_the_user_s_lengths() -> None:
    def words(**wishes: int) -> list[str]:
        spec = BERT.spec(execution_mode=ExecutionMode.TEST, loadgen=LoadGenWishes(**wishes))
        return run_args(steps(spec, BERT.on())["result"])

    assert "--test_run" in words()
    assert words(test_query_count=70)[-2:] == ["--min_duration=1", "--min_query_count=70"]
    assert words(min_duration_ms=5000)[-1] == "--min_duration=5000"
    accuracy = BERT.spec(Mode.ACCURACY, execution_mode=ExecutionMode.TEST, loadgen=LoadGenWishes())
    assert run_args(steps(accuracy, BERT.on())["result"]) == [
        "--benchmarks=bert",
        "--scenarios=Offline",
        "--test_mode=AccuracyOnly",
    ]


def test_knobs_become_flags_and_batch_sizes_name_their_component() -> None:
    extra = (("gpu_copy_streams", "2"), ("use_graphs", "1"), ("use_fp8", "0"), ("precision", "int8"))
    words = run_args(steps(BERT.spec(knobs=Knobs(batch_size=64, extra=extra)), BERT.on())["result"])
    for flag in ("--gpu_batch_size=bert:64", "--gpu_copy_streams=2", "--use_graphs", "--precision=int8"):
        assert flag in words
    assert not [word for word in words if "use_fp8" in word]
    sdxl = cell("nvidia", "stable-diffusion-xl", "v5.1", OFFLINE)
    words = run_args(steps(sdxl.spec(knobs=Knobs(batch_size=2)), sdxl.on())["result"])
    assert "--gpu_batch_size=clip1:2,clip2:2,unet:2,vae:2" in words


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (("gpu_batch_size", "64"), "COMPONENT:SIZE"),
        (("precision", "int8; rm -rf /"), "character"),
        (("scratch", "relative/path"), "absolute"),
        (("profile", "../x y"), "profile"),
        (("tensor_parallelism", "2"), "no such flag"),
    ],
)
def test_knobs_that_the_harness_would_not_understand_are_refused(extra: tuple[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        steps(BERT.spec(knobs=Knobs(extra=(extra,))), BERT.on())
    assert said in str(caught.value)


def test_what_turns_a_run_into_an_audit_run_is_away_before_and_after_every_step() -> None:
    for spec, on in runs(BERT):
        for step in steps(spec, on).values():
            assert set(step.remove_first) == {on.work / "tree" / name for name in LEFT_OVER}
    assert {"audit.config", "audit.conf"} <= set(LEFT_OVER)


def test_a_compliance_test_goes_by_its_target_with_our_audit_file_where_the_harness_takes_it_from() -> None:
    spec, on = next(compliance(BERT))
    step = steps(spec, on)["result"]
    assert step.container.command[1:3] == ("make", "run_audit_test01_once")
    assert "--no_audit_verify" in run_args(step)
    assert not [word for word in run_args(step) if "test_mode" in word]
    place = PurePosixPath("work/build/inference/compliance/nvidia/TEST01/bert/audit.config")
    assert on.audit is not None
    assert dict(step.files)[place] == on.audit.text
    assert "compliance/*/*/*/*" in step.logs_from
    missing = replace(spec, compliance_test="TEST05")
    with pytest.raises(UsageError, match="no make target for TEST05"):
        steps(missing, on)


def test_interactive_is_a_benchmark_of_v5_0_and_a_scenario_of_v5_1() -> None:
    old = cell("nvidia", "llama2-70b-interactive-99", "v5.0", SERVER)
    assert run_args(steps(old.spec(), old.on())["result"])[:2] == [
        "--benchmarks=llama2-70b-interactive",
        "--scenarios=Server",
    ]
    new = cell("nvidia", "llama2-70b-99", "v5.1", Scenario.INTERACTIVE)
    assert run_args(steps(new.spec(), new.on())["result"])[:2] == ["--benchmarks=llama2-70b", "--scenarios=Interactive"]


def test_a_served_model_has_a_server_with_a_health_check_that_the_harness_joins() -> None:
    one = cell("nvidia", "llama3.1-8b", "v5.1", SERVER)
    plan = steps(one.spec(), one.on())
    assert list(plan) == ["build", "scratch", "preprocess", "configure", "server", "result"]
    server, result = plan["server"], plan["result"]
    assert server.role is Role.SERVICE
    assert server.container.command[2] == "run_llm_server"
    assert {"--core_type=trtllm_endpoint", "--server_in_foreground"} <= set(run_args(server))
    assert server.health is not None
    assert server.health.command == ("python3", "/opt/mlperf-docker/nvidia/health.py", "30000")
    assert result.container.joins == "server"
    assert "--core_type=trtllm_endpoint" in run_args(result)
    assert server.container.network is Network.NONE  # the two share one; nobody else is in it


def test_an_engine_is_built_where_the_model_runs_inside_the_harness() -> None:
    one = cell("nvidia", "llama3.1-8b", "v5.1", SERVER)
    knobs = Knobs(extra=(("core_type", "trtllm_executor"),))
    plan = steps(one.spec(knobs=knobs), one.on())
    assert "server" not in plan
    assert "--core_type=trtllm_executor" in run_args(plan["engines"])
    assert plan["result"].container.joins is None


def test_engines_are_built_anew_when_what_they_depend_on_changes() -> None:
    def stamp(cell_: Cell, **changes: object) -> Path | None:
        return steps(cell_.spec(**changes), cell_.on())["engines"].once  # type: ignore[arg-type]

    first = stamp(BERT)
    assert first == stamp(BERT, mode=Mode.ACCURACY)
    assert first != stamp(BERT, knobs=Knobs(batch_size=8))
    assert first != stamp(cell("nvidia", "bert-99.9", "v5.0", OFFLINE))


def test_minimal_privileges_are_the_gpu_alone_and_the_vendor_s_are_those_of_its_makefile() -> None:
    plain = steps(BERT.spec(), BERT.on())["result"].container
    assert (plain.network, plain.read_only_root, plain.drop_capabilities) == (Network.NONE, True, True)
    assert grants(plain) == ("GPUs all",)
    vendor = steps(BERT.spec(privileges=Tier.VENDOR), BERT.on())["result"].container
    assert vendor.add_capabilities == ("SYS_ADMIN", "SYS_TIME")
    assert vendor.security_options == ("apparmor=unconfined", "seccomp=unconfined")
    assert vendor.devices == ("/dev/fuse",)
    assert vendor.network is Network.HOST
    assert vendor.limits.ulimits == (("memlock", -1, -1),)
    assert vendor.limits.shm_bytes == 32 * 1024**3
    assert (vendor.runtime, vendor.gpus) == (None, ("all",))
    newer = cell("nvidia", "whisper", "v5.1", OFFLINE)
    container = steps(newer.spec(privileges=Tier.VENDOR), newer.on())["result"].container
    assert (container.runtime, container.gpus) == ("nvidia", ())


def test_only_what_fetches_has_a_network_and_what_needs_no_gpu_has_none() -> None:
    plan = steps(BERT.spec(gpus=("0", "1")), BERT.on())
    assert {name for name, step in plan.items() if step.container.network is not Network.NONE} == {"build", "download"}
    assert plan["download"].container.gpus == ()
    assert dict(plan["download"].container.environment)["SKIP_DRIVER_CHECK"] == "1"
    assert plan["result"].container.gpus == ("0", "1")
    assert dict(plan["result"].container.environment)["NVIDIA_VISIBLE_DEVICES"] == "0,1"


def test_nothing_runs_as_uid_0_even_when_root_calls() -> None:
    for step in steps(BERT.spec(), BERT.on(user=(0, 0))).values():
        assert step.container.user == (10001, 10001)
    assert steps(BERT.spec(), BERT.on())["result"].container.user == (1000, 1001)


def test_the_scratch_folder_has_one_path_inside_and_outside() -> None:
    spec = BERT.spec(knobs=Knobs(extra=(("scratch", "/big/disk"),)))
    assert scratch_of(spec, BERT.on()) == Path("/big/disk")
    container = steps(spec, BERT.on())["result"].container
    found = {mount.target: mount for mount in container.mounts}
    assert found[PurePosixPath("/big/disk")].source == Path("/big/disk")
    assert found[PurePosixPath("/big/disk/data/squad")].read_only
    assert found[PurePosixPath("/big/disk/data")].create
    assert dict(container.environment)["MLPERF_SCRATCH_PATH"] == "/big/disk"


def test_the_registry_is_named_because_another_submitter_empties_it() -> None:
    environment = dict(steps(BERT.spec(), BERT.on())["result"].container.environment)
    assert environment["SUBMITTER"] == "me"
    assert environment["CONTAINER_REGISTRY"] == "nvcr.io/nvidia/mlperf/mlperf-inference"
    assert environment["EXTERNAL_USER"] == "1"
    assert "SYSTEM_NAME" not in environment
    newer = cell("nvidia", "whisper", "v5.1", OFFLINE)
    assert dict(steps(newer.spec(), newer.on())["result"].container.environment)["SYSTEM_NAME"] == "my-box"


def test_host_names_are_what_docker_takes() -> None:
    name = "A_very_long_system_name " * 5
    container = steps(BERT.spec(system=name), BERT.on())["result"].container
    assert container.hostname is not None
    assert len(container.hostname) <= 63
    assert "_" not in container.hostname


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"round": "v6.0"}, "another layout"),
        ({"model_path": Path("/my/model.onnx")}, "cannot take --model-path"),
    ],
)
def test_what_the_harness_cannot_do_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        steps(BERT.spec(**changes), BERT.on())  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert caught.value.hint


def test_mixtral_is_not_scored_through_the_engine_s_socket() -> None:
    one = cell("nvidia", "mixtral-8x7b", "v5.1", OFFLINE)
    with pytest.raises(UsageError, match="engine's own socket"):
        steps(one.spec(Mode.ACCURACY), one.on())


def test_calibration_is_a_step_only_when_asked_for() -> None:
    assert "calibrate" not in steps(BERT.spec(), BERT.on())
    plan = steps(BERT.spec(knobs=Knobs(extra=(("calibrate", "1"),))), BERT.on())
    assert plan["calibrate"].container.command[1:3] == ("make", "calibrate")


def test_the_user_s_own_settings_file_is_handed_to_the_harness() -> None:
    text = "*.Offline.target_qps = 7\n"
    step = steps(BERT.spec(loadgen=LoadGenWishes(user_conf=text)), BERT.on())["result"]
    assert dict(step.files)[PurePosixPath("user.conf")] == text
    assert "--user_conf_path=/out/user.conf" in run_args(step)


def test_a_gpu_of_one_s_own_is_part_of_what_engines_depend_on() -> None:
    other = replace(GEFORCE, name="NVIDIA L4")
    here = steps(BERT.spec(), BERT.on())["engines"].once
    there = steps(BERT.spec(), BERT.on(host=replace(BERT.on().host, gpus=(other,))))["engines"].once
    assert here != there


def test_what_v4_1_asks_sudo_for_while_building_is_a_link_and_nothing_else_is_done(tmp_path: Path) -> None:
    def sudo(*words: str) -> Completed:
        return run([str(shipped("dockerfiles/nvidia/sudo.sh")), *words], environment={"HOME": str(tmp_path)})

    assert sudo("update-alternatives", "--set", "g++", "/usr/bin/g++-9").ok
    assert {path.name: path.readlink() for path in (tmp_path / "alternatives").iterdir()} == {
        "g++": Path("/usr/bin/g++-9"),
        "c++": Path("/usr/bin/g++-9"),
    }
    assert not sudo("rm", "-rf", "/").ok
