"""Red Hat's driver through stand-ins for vLLM and its clients, on the real engine with the real LoadGen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.rehearsals import Rehearsed, refusal, rehearse

pytestmark = pytest.mark.engine
CODE = "/opt/vendor/redhat/closed/RedHat/code/llama3.1-8b"
ALL_MODES = ("--mode", "performance,accuracy,compliance")
LLAMA3 = ("--model", "llama3.1-8b", "--implementation", "redhat", "--round", "v5.1")


@pytest.fixture(scope="module")
def offline(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rehearsed]:
    """Llama 3.1 8B, Offline: performance, accuracy and compliance."""
    return rehearse(tmp_path_factory.mktemp("redhat"), *LLAMA3, *ALL_MODES, "--scenario", "Offline")


def test_offline_runs_in_every_mode(offline: dict[str, Rehearsed]) -> None:
    assert list(offline) == ["performance", "accuracy", "compliance"]
    for run in offline.values():
        run.check_programs()
    assert offline["accuracy"].run["accuracy"] is not None
    assert "'gen_len': 8167644" in (offline["accuracy"].logs / "accuracy.txt").read_text(), "as the checker reads it"


@pytest.mark.usefixtures("docker_url")
def test_a_server_and_its_client_measure_token_latencies(tmp_path: Path) -> None:
    wanted = ("--scenario", "Server", "--target-qps", "200", "--test-query-count", "100")
    runs = rehearse(tmp_path, *LLAMA3, *wanted, "--mode", "performance,compliance")
    for run in runs.values():
        run.check_programs()
        assert "vllm serve is a stand-in" in run.said
    detail = (runs["performance"].logs / "mlperf_log_detail.txt").read_text()
    assert "result_first_token_99.00_percentile_latency_ns" in detail
    assert '"effective_server_target_qps", "value": 200' in detail or '"requested_server_target_qps"' in detail


@pytest.mark.thorough
@pytest.mark.usefixtures("docker_url")
def test_a_server_answers_the_whole_data_set_in_accuracy_mode(tmp_path: Path) -> None:
    runs = rehearse(tmp_path, *LLAMA3, "--scenario", "Server", "--target-qps", "1500", "--mode", "accuracy")
    runs["accuracy"].check_programs()


@pytest.mark.thorough
@pytest.mark.usefixtures("docker_url")
def test_the_client_of_v4_1_asks_the_server_for_all_prompts_at_once(tmp_path: Path) -> None:
    llama2 = ("--model", "llama2-70b-99.9", "--implementation", "redhat", "--round", "v4.1")
    runs = rehearse(tmp_path, *llama2, *ALL_MODES, "--scenario", "Offline")
    for run in runs.values():
        run.check_programs()


def test_the_stand_ins_refuse_what_is_not_published(docker_url: str, offline: dict[str, Rehearsed]) -> None:
    image = str(offline["performance"].run["image_digest"])
    client = ["env", "PYTHONPATH=/opt/harness", "python3", f"{CODE}/SUT_VLLM_SingleReplica_Server.py"]
    said = {
        "--max-tokens is not documented": ["vllm", "serve", "/tmp", "--max-tokens", "1"],
        "MODEL is missing": ["vllm", "serve"],
        "only `vllm serve` is documented": ["vllm", "bench"],
        "takes a number": ["vllm", "serve", "/tmp", "--max-num-seqs", "many"],
        "--model is not documented": [*client, "--model", "/tmp"],
        "takes performance, accuracy": [*client, "--test-mode", "compliance"],
        "without --api-server-url": [*client, "--model-name", "/tmp"],
        "--dataset-file is missing": ["python3", f"{CODE}/evaluation.py", "--mlperf-accuracy-file", "/tmp/log"],
    }
    for reason, command in said.items():
        assert reason in refusal(docker_url, image, command), reason
    told = refusal(docker_url, image, ["vllm", "serve", "/tmp"], {"VLLM_SECRET_KNOB": "1"})
    assert "variable VLLM_SECRET_KNOB=1 is not documented" in told
