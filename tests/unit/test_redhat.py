"""The driver of vLLM as Red Hat published it: server and client, options as published, nothing else asked."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from orchestrator.domain.container import Network
from orchestrator.domain.plan import Role
from orchestrator.domain.situation import Gpu, Host
from orchestrator.domain.spec import Knobs, LoadGenWishes
from orchestrator.domain.terms import EngineName, ExecutionMode, Mode, Scenario, Tier
from orchestrator.errors import UsageError
from orchestrator.host.process import run
from orchestrator.host.shipped import shipped
from orchestrator.implementations.redhat import vllm_options
from tests.unit.offer_cells import Cell, cell, cells, steps
from tests.unit.published import documented, option_names

CELLS = cells("redhat")
OFFLINE = cell("redhat", "llama3.1-8b", "v5.1", Scenario.OFFLINE)
SERVER = cell("redhat", "llama3.1-8b", "v5.1", Scenario.SERVER)
LLAMA2 = cell("redhat", "llama2-70b-99.9", "v4.1", Scenario.OFFLINE)


def test_the_published_models_are_offered_where_they_were_published() -> None:
    assert {(one.round, one.benchmark.name, one.scenario) for one in CELLS} == {
        ("v5.1", "llama3.1-8b", Scenario.OFFLINE),
        ("v5.1", "llama3.1-8b", Scenario.SERVER),
        ("v4.1", "llama2-70b-99", Scenario.OFFLINE),
        ("v4.1", "llama2-70b-99.9", Scenario.OFFLINE),
    }


@pytest.mark.parametrize("one", CELLS, ids=str)
def test_every_cell_is_planned_in_every_mode(one: Cell) -> None:
    for spec, on in one.runs():
        made = steps(spec, on)
        served = one is not OFFLINE and (one.round == "v4.1" or one.scenario is Scenario.SERVER)
        assert ("server" in made) == served
        assert made["result"].container.joins == ("server" if served else None)
        assert ("evaluate" in made) == (spec.mode is Mode.ACCURACY)
        assert "accuracy" in " ".join(made["result"].container.command) or spec.mode is not Mode.ACCURACY
        audited = spec.mode is Mode.COMPLIANCE
        assert ("--audit-conf" in made["result"].container.command) == audited
        assert (PurePosixPath("audit.config") in dict(made["result"].files)) == audited


@pytest.mark.parametrize("one", CELLS, ids=str)
@pytest.mark.parametrize("gpu", ["h100", "l40s"])
def test_every_option_is_published(one: Cell, gpu: str) -> None:
    table = documented("redhat")
    extra = (("gpu", gpu), ("tensor_parallel_size", "2"), ("kv_cache_dtype", "fp8"), ("max_num_seqs", "64"))
    for spec, on in one.runs():
        changed = one.spec(spec.mode, knobs=Knobs(extra=extra), compliance_test=spec.compliance_test)
        for name, execution in steps(changed, on).items():
            command = execution.container.command
            script = next((PurePosixPath(word).name for word in command if word.endswith(".py")), None)
            known = table["commands"]["vllm serve" if name == "server" else script]
            assert option_names(command) - {"-u"} <= set(known), (name, option_names(command) - set(known))
            for variable, value in execution.container.environment:
                takes = table["variables"].get(variable, {}).get("takes")
                assert variable in {"HOME", "PYTHONPATH", *table["variables"]}
                assert takes is None or value in takes


def test_the_server_is_the_one_that_the_client_asks() -> None:
    made = steps(SERVER.spec(), SERVER.on())
    assert list(made) == ["server", "result"]
    assert made["server"].role is Role.SERVICE
    health = made["server"].health
    assert health is not None
    assert health.command[-1] == "http://localhost:8000/health"
    command = made["result"].container.command
    assert command[command.index("--api-server-url") + 1] == "http://localhost:8000"
    assert command[command.index("--model-name") + 1] == made["server"].container.command[2]


def test_server_and_client_reach_nothing_but_each_other_and_only_the_scorer_has_a_network() -> None:
    made = steps(SERVER.spec(Mode.ACCURACY), SERVER.on())
    assert made["server"].container.network is Network.NONE
    assert made["result"].container.joins == "server"
    assert made["evaluate"].container.network is Network.BRIDGE
    assert made["evaluate"].container.gpus == made["result"].container.gpus == ()
    assert made["server"].container.gpus == ("0",)


def test_the_rate_reaches_the_client_and_the_configuration_alike() -> None:
    result = steps(SERVER.spec(), SERVER.on())["result"]
    command = result.container.command
    assert command[command.index("--target-qps") + 1] == "12.5"
    assert result.settings is not None
    assert result.settings.target_qps == 12.5
    assert result.settings.loadgen_model == "llama3_1-8b"


def test_a_rate_in_a_file_of_the_users_is_not_overruled() -> None:
    own = LoadGenWishes(user_conf="*.Server.target_qps = 12.0\n")
    assert "--target-qps" not in steps(SERVER.spec(loadgen=own), SERVER.on())["result"].container.command


def test_coalescing_follows_the_published_command_of_the_gpu() -> None:
    def coalesces(**knobs: str) -> bool:
        spec = SERVER.spec(knobs=Knobs(extra=tuple(knobs.items())))
        return "--coalesce" in steps(spec, SERVER.on())["result"].container.command

    assert coalesces()
    assert not coalesces(gpu="l40s")
    assert coalesces(gpu="l40s", coalesce="yes")
    assert not coalesces(coalesce="no")


def test_the_settings_are_those_of_the_gpu_that_is_found() -> None:
    host = Host(usable_cpus=8, gpus=(Gpu(name="NVIDIA L40S"),))
    server = steps(SERVER.spec(), SERVER.on(host=host))["server"].container
    assert ("VLLM_ATTENTION_BACKEND", "FLASHINFER") in server.environment
    assert server.command[server.command.index("--max-model-len") + 1] == "2668"


def test_a_knob_takes_the_place_of_the_published_option() -> None:
    words = vllm_options("--max_num_batched_tokens 16384 --disable-log-requests", {"max_num_batched_tokens": "8"})
    assert words == ("--max-num-batched-tokens", "8", "--disable-log-requests")
    assert vllm_options("", {"max_model_len": "512", "gpu": "h100"}) == ("--max-model-len", "512")


def test_the_accuracy_log_is_read_as_the_client_writes_it() -> None:
    for one, dtype in ((OFFLINE, "int32"), (SERVER, "int32"), (LLAMA2, "int64")):
        command = steps(one.spec(Mode.ACCURACY), one.on())["evaluate"].container.command
        assert command[command.index("--dtype") + 1] == dtype


def test_the_vendors_privileges_are_those_of_the_published_launch_scripts() -> None:
    least = steps(SERVER.spec(), SERVER.on())["server"].container
    assert not least.ipc_host
    assert ("nofile", 65536, 65536) in least.limits.ulimits
    most = steps(SERVER.spec(privileges=Tier.VENDOR), SERVER.on())["server"].container
    assert most.ipc_host
    assert most.network is Network.HOST
    assert ("memlock", -1, -1) in most.limits.ulimits


def test_a_valid_run_needs_a_rate_and_a_test_run_does_not() -> None:
    with pytest.raises(UsageError, match="needs --target-qps"):
        steps(SERVER.spec(loadgen=LoadGenWishes()), SERVER.on())
    short = SERVER.spec(loadgen=LoadGenWishes(), execution_mode=ExecutionMode.TEST)
    assert "--target-qps" in steps(short, SERVER.on())["result"].container.command


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(UsageError, match="containers only"):
        steps(SERVER.spec(engine=EngineName.NATIVE), SERVER.on())
    with pytest.raises(UsageError, match="needs its weights"):
        steps(SERVER.spec(), SERVER.on(model=None))


def test_the_score_is_written_as_the_checker_reads_it(tmp_path: Path) -> None:
    target = tmp_path / "accuracy.txt"
    printed = "{'rouge1': '38.7792', 'gen_len': np.int64(8167644), 'gen_num': 13368}"
    done = run(("sh", str(shipped("dockerfiles") / "redhat" / "score.sh"), str(target), "echo", printed))
    assert done.ok
    assert target.read_text() == "{'rouge1': '38.7792', 'gen_len': 8167644, 'gen_num': 13368}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["accuracy.txt"]


def test_a_scorer_that_fails_leaves_no_score_of_an_earlier_run(tmp_path: Path) -> None:
    target = tmp_path / "accuracy.txt"
    target.write_text("of an earlier run\n")
    for vendor in ("redhat", "qualcomm"):
        done = run(
            ("sh", str(shipped("dockerfiles") / vendor / "score.sh"), str(target), "sh", "-c", "echo no; exit 3")
        )
        assert done.code == 3
        assert not target.exists()
