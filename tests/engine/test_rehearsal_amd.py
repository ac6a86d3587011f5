"""AMD's driver, rehearsed: all phases through the real command, engine and LoadGen; the system answers nothing.

The stand-in refuses whatever AMD does not document. It proves the driver, never AMD's code: that is what
tests/unit/test_amd_published.py holds the commands against.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.host.docker_api import connect
from tests.e2e.command import Called, call

pytestmark = [pytest.mark.engine]

WORDS = ("run", "--implementation", "amd", "--device", "rocm", "--rehearse", "--json")
ALL = ("--scenario", "offline", "--mode", "performance,accuracy,compliance")


def rehearse(cwd: Path, *arguments: str) -> Called:
    """A rehearsal with a cache of its own, so that every phase runs."""
    return call(cwd, *WORDS, *arguments, MLPERF_DOCKER_CACHE=str(cwd / "cache"))


@pytest.fixture(scope="module")
def llama(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Called:
    """Llama 2 70B of v5.1: performance, accuracy and TEST06."""
    return rehearse(tmp_path_factory.mktemp("amd"), "--model", "llama2-70b-99", "--round", "v5.1", *ALL)


def records(called: Called) -> list[dict[str, Any]]:
    """The records of a command's runs."""
    found = [json.loads((Path(one["run_dir"]) / "run.json").read_text()) for one in called.document["runs"]]
    assert found, called.stderr
    return found


def folders(called: Called) -> list[Path]:
    """Where the results of a command's runs lie."""
    return [Path(one["run_dir"]) / "loadgen" for one in called.document["runs"]]


def test_performance_accuracy_and_compliance_go_through_every_phase(llama: Called) -> None:
    assert llama.code == 0, llama.stderr
    names = [[step["name"] for step in one["executions"]] for one in records(llama)]
    assert names == [["result"], ["result", "score"], ["result"]]


def test_the_logs_and_the_score_lie_with_the_run(llama: Called) -> None:
    performance, accuracy, compliance = folders(llama)
    for folder in (performance, accuracy, compliance):
        assert (folder / "mlperf_log_detail.txt").is_file()
    assert "'rouge1': 0.0" in (accuracy / "accuracy.txt").read_text()
    assert "Found Audit Config file" in (compliance / "mlperf_log_detail.txt").read_text()
    assert "Found Audit Config file" not in (performance / "mlperf_log_detail.txt").read_text()


def test_everything_says_that_it_is_a_rehearsal_and_names_what_it_left_out(llama: Called) -> None:
    for one in llama.document["runs"]:
        text = (Path(one["run_dir"]) / "run.json").read_text()
        assert "REHEARSAL" in text
        assert "devices /dev/kfd, /dev/dri" in text
        assert "a rehearsal measures a stand-in, not the vendor's software" in text


def test_what_the_container_wrote_belongs_to_the_caller(llama: Called) -> None:
    for folder in folders(llama):
        written = [path for path in folder.rglob("*") if path.is_file()]
        assert written
        assert {path.stat().st_uid for path in written} == {folder.parent.stat().st_uid}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("model", "round_name"),
    [
        ("llama2-70b-99.9", "v5.0"),
        ("mixtral-8x7b", "v5.1"),
        ("gpt-oss-120b", "v6.0"),
        ("llama2-70b-99.9", "v6.1"),
        ("gpt-oss-120b", "v6.1"),
        ("deepseek-r1", "v6.1"),
        ("llama3.1-8b", "v6.1"),
    ],
)
def test_every_other_image_goes_through_all_modes(model: str, round_name: str, docker_url: str, tmp_path: Path) -> None:
    done = rehearse(tmp_path, "--model", model, "--round", round_name, *ALL)
    assert done.code == 0, done.stderr
    *_, compliance = folders(done)
    assert "Found Audit Config file" in (compliance / "mlperf_log_detail.txt").read_text()


CODE = "/lab-mlperf-inference/code"
GOOD = ["--config-path", f"{CODE}/harness_llm/models/llama2-70b", "--config-name", "offline_mi325x"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*GOOD, "harness_config.batch_size=1"], "harness_config.batch_size is no key of"),
        ([*GOOD, "hydra.verbose=true"], "argument hydra.verbose=true is not documented"),
        ([*GOOD, "--audit-conf", "x"], "argument audit_conf=x is not documented"),
        ([*GOOD[:3], "offline_h100"], "there is no"),
        (["--config-path", "/elsewhere", *GOOD[2:]], "there are no configurations in /elsewhere"),
    ],
)
def test_the_stand_in_refuses_what_amd_does_not_document(
    llama: Called, docker_url: str, arguments: list[str], said: str
) -> None:
    refused = in_the_stand_in(llama, docker_url, ["python", f"{CODE}/main.py", *arguments], {})
    assert f"REHEARSAL REFUSED: {said}" in refused


def test_the_stand_in_refuses_undocumented_variables_and_a_scorer_without_its_log(
    llama: Called, docker_url: str
) -> None:
    main = ["python", f"{CODE}/main.py", *GOOD]
    assert "variable VLLM_USE_V1=1 is not documented" in in_the_stand_in(llama, docker_url, main, {"VLLM_USE_V1": "1"})
    score = ["bash", f"{CODE}/scripts/check_llama2_accuracy_scores.sh"]
    assert "takes the path of one accuracy log" in in_the_stand_in(llama, docker_url, score, {"ARCH": "gfx942"})


def in_the_stand_in(called: Called, docker_url: str, command: list[str], environment: dict[str, str]) -> str:
    """What a command says that is run by hand in the image of a rehearsal; it must fail."""
    from docker.errors import ContainerError

    with pytest.raises(ContainerError) as failed:
        connect(docker_url).containers.run(
            records(called)[0]["image"]["handle"], command, environment=environment, network_mode="none", remove=True
        )
    return str(failed.value)
