"""Our plans for AMD against AMD's own published code: configurations, keys, its argument parser, scripts and arguments.

Needs clones, named by MLPERF_RESULTS_V51_CLONE and MLPERF_RESULTS_V41_CLONE (of mlcommons/inference_results_v5.1
and _v4.1); says so where there is none. Nothing of the code is kept.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from orchestrator.domain.terms import Mode, Scenario
from orchestrator.host.process import run
from tests.unit.offer_cells import Cell, cell, cells, knobs
from tests.unit.thin_entry import harness_command, options

CODE = "/lab-mlperf-inference/code"
# Folder of the published tree that lies at CODE in the image of a cell.
TREES = {"llama2-70b": "closed/AMD/code/llama2-70b-99", "mixtral-8x7b": "closed/AMD/code/mixtral-8x7b"}
MAIN = [one for one in cells("amd") if one.round == "v5.1" and one.offer.parameters["interface"] == "main"]


def clone_of(variable: str) -> Path:
    """The clone that the variable names; the test is skipped, saying why, without one."""
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} names no clone")
    return Path(named)


def shown(clone: Path, path: str) -> str:
    done = run(["git", "-C", str(clone), "show", f"HEAD:{path}"])
    assert done.ok, done.stderr
    return done.stdout


def tree_of(one: Cell) -> str:
    return TREES[str(one.benchmark.family)]


@pytest.mark.parametrize("one", MAIN, ids=str)
@pytest.mark.parametrize("mode", [Mode.PERFORMANCE, Mode.ACCURACY])
@pytest.mark.parametrize("gpu", ["mi325x", "mi300x"])
def test_the_configuration_and_every_key_of_the_plan_are_published(one: Cell, mode: Mode, gpu: str) -> None:
    clone = clone_of("MLPERF_RESULTS_V51_CLONE")
    words = harness_command(one.result(mode, knobs=knobs(gpu=gpu)))
    folder = words[words.index("--config-path") + 1].removeprefix(CODE)
    own = yaml.safe_load(shown(clone, f"{tree_of(one)}{folder}/{words[words.index('--config-name') + 1]}.yaml"))
    base = yaml.safe_load(shown(clone, f"{tree_of(one)}/harness_llm/common/config.yaml"))
    keys = {*base["harness_config"], *own["harness_config"]}
    given = [word.partition("=")[0] for word in words if "=" in word]
    assert len(given) == 4
    assert {key.removeprefix("harness_config.") for key in given if key.startswith("harness_config.")} <= keys
    assert [key for key in given if not key.startswith("harness_config.")] == ["test_mode"]
    assert own["scenario"] == ("offline" if one.scenario is Scenario.OFFLINE else "server")
    settings = one.result(mode).settings
    assert settings is not None
    assert settings.loadgen_model == own["benchmark_name"]
    shown_at = {str(mount.target) for mount in one.result(mode).container.mounts}
    assert own["vllm_engine_config"]["model"].rstrip("/") in shown_at
    assert any(own["harness_config"]["dataset_path"].startswith(place) for place in shown_at if place != "/data")


@pytest.mark.parametrize("one", MAIN, ids=str)
def test_amds_own_parser_takes_the_planned_arguments(one: Cell, tmp_path: Path) -> None:
    pytest.importorskip("omegaconf", reason="AMD's parser needs omegaconf")
    clone = clone_of("MLPERF_RESULTS_V51_CLONE")
    words = harness_command(one.result(Mode.ACCURACY))
    common = tmp_path / "harness_llm/common"
    common.mkdir(parents=True)
    for name in ("config_parser.py", "config.yaml"):
        (common / name).write_text(shown(clone, f"{tree_of(one)}/harness_llm/common/{name}"))
    folder = words[words.index("--config-path") + 1].removeprefix(f"{CODE}/")
    name = words[words.index("--config-name") + 1]
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / f"{name}.yaml").write_text(shown(clone, f"{tree_of(one)}/{folder}/{name}.yaml"))
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from harness_llm.common.config_parser import HarnessCfg; "
    )
    program += "print(HarnessCfg().create_from_cli().to_yaml())"
    here = [word.replace(f"{CODE}/", f"{tmp_path}/") for word in words[2:]]
    done = run([sys.executable, "-c", program, str(tmp_path), *here])
    assert done.ok, done.stderr
    made = yaml.safe_load(done.stdout)
    assert made["test_mode"] == "accuracy"
    assert made["harness_config"]["device_count"] == 8
    assert made["harness_config"]["output_log_dir"] == "/lab-mlperf-inference/results"


@pytest.mark.parametrize("one", MAIN, ids=str)
def test_the_scorer_is_published_and_takes_the_log_and_the_architecture(one: Cell, tmp_path: Path) -> None:
    clone = clone_of("MLPERF_RESULTS_V51_CLONE")
    step = one.steps(Mode.ACCURACY)[-1]
    path = harness_command(step)[1].removeprefix(CODE)
    text = shown(clone, f"{tree_of(one)}{path}")
    script = tmp_path / "score.sh"
    script.write_text(text)
    assert run(["bash", "-n", str(script)]).ok
    assert "ACCURACY_JSON=${1}" in text
    assert "RESULT_TXT=${OUTPUT_DIR}/accuracy.txt" in text
    if one.benchmark.family == "llama2-70b":
        assert "ARCH=${ARCH:-" in text
    places = {str(mount.target) for mount in step.container.mounts}
    weights = re.search(r"^MODEL_PATH=(\S+)", text, re.MULTILINE)
    assert weights is not None
    assert weights[1].rstrip("/") in places


def test_loadgen_reads_the_audit_file_where_the_plan_puts_it() -> None:
    clone = clone_of("MLPERF_RESULTS_V51_CLONE")
    text = shown(clone, "closed/AMD/code/llama2-70b-99/main.py")
    assert "lg.StartTestWithLogSettings(lgSUT, sut.qsl, test_settings, log_settings)" in text  # LoadGen's default name
    one = cell("amd", "llama2-70b-99", "v5.1", Scenario.OFFLINE)
    step = one.result(Mode.COMPLIANCE, "TEST06")
    assert options(step)["--place"] == [f"/lab-mlperf-inference/results/audit.config={CODE}/audit.config"]
    assert str(step.container.workdir) == CODE


@pytest.mark.parametrize("scenario", [Scenario.OFFLINE, Scenario.SERVER])
@pytest.mark.parametrize("mode", [Mode.PERFORMANCE, Mode.ACCURACY, Mode.COMPLIANCE])
def test_sdxls_harness_has_every_argument_with_the_values_of_amds_script(scenario: Scenario, mode: Mode) -> None:
    clone = clone_of("MLPERF_RESULTS_V51_CLONE")
    folder = "closed/AMD/code/stable-diffusion-xl/SDXL_inference"
    one = cell("amd", "stable-diffusion-xl", "v5.1", scenario)
    words = harness_command(one.result(mode, "TEST01" if mode is Mode.COMPLIANCE else None))
    declared = set(re.findall(r'"(--[a-z_]+)"', shown(clone, f"{folder}/harness.py")))
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert given
    assert given <= declared
    script = shown(clone, f"{folder}/run_scenario_{scenario.value.lower()}_MI325x_cpx.sh")
    assert f"BATCH_SIZE={words[words.index('--gpu_batch_size') + 1]}\n" in script
    assert f"CPD={words[words.index('--cores_per_devices') + 1]}\n" in script
    assert f'DEVICES="{words[words.index("--devices") + 1]}"' in script
    assert next(word for word in words if word.startswith("--model_json")) in script
    assert ("--enable_batcher" in words) == ("--enable_batcher" in script)


def test_v4_1s_scripts_are_published_and_read_the_planned_variables(tmp_path: Path) -> None:
    clone = clone_of("MLPERF_RESULTS_V41_CLONE")
    for scenario in (Scenario.OFFLINE, Scenario.SERVER):
        one = cell("amd", "llama2-70b-99", "v4.1", scenario)
        for mode in (Mode.PERFORMANCE, Mode.ACCURACY, Mode.COMPLIANCE):
            step = one.result(mode, "TEST06" if mode is Mode.COMPLIANCE else None)
            name = harness_command(step)[1].removeprefix("./")
            text = shown(clone, f"closed/AMD/code/llama2-70b-99.9/test_VllmFp8/{name}")
            script = tmp_path / name
            script.write_text(text)
            assert run(["bash", "-n", str(script)]).ok
            for variable in ("BASE_LOG_DIR", "DP", "SUBMISSION", "USER_CONF"):
                assert f"${{{variable}:-" in text
            left = step.logs_from[0].rpartition("/")[2]
            assert f"LOG_DIR=${{BASE_LOG_DIR}}/{left}\n" in text
            places = {str(mount.target) for mount in step.container.mounts}
            for path in re.findall(r"^(?:MODEL|DATASET)_PATH=(/\S+)", text, re.MULTILINE):
                assert any(path.startswith(place) for place in places)
