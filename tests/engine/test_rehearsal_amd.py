"""AMD's driver, rehearsed: all phases through the real command, engine and LoadGen; the system answers nothing.

The stand-in refuses whatever AMD does not document. It proves the driver, never AMD's code: that is what
tests/unit/test_amd_published.py holds the commands against.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.rehearsals import Rehearsed, refusal, rehearse

pytestmark = [pytest.mark.engine]

WORDS = ("--implementation", "amd", "--device", "rocm", "--scenario", "offline")
ALL = (*WORDS, "--mode", "performance,accuracy,compliance")


@pytest.fixture(scope="module")
def llama(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rehearsed]:
    """Llama 2 70B of v5.1: performance, accuracy and TEST06."""
    return rehearse(tmp_path_factory.mktemp("amd"), "--model", "llama2-70b-99", "--round", "v5.1", *ALL)


def test_performance_accuracy_and_compliance_go_through_every_phase(llama: dict[str, Rehearsed]) -> None:
    assert [one.steps for one in llama.values()] == [["result"], ["result", "score"], ["result"]]


def test_the_logs_and_the_score_lie_with_the_run(llama: dict[str, Rehearsed]) -> None:
    assert {mode: one.audited for mode, one in llama.items()} == {
        "performance": False,
        "accuracy": False,
        "compliance": True,
    }
    assert "'rouge1': 0.0" in (llama["accuracy"].logs / "accuracy.txt").read_text()


def test_everything_says_that_it_is_a_rehearsal_and_names_what_it_left_out(llama: dict[str, Rehearsed]) -> None:
    for one in llama.values():
        one.check()
        assert "devices /dev/kfd, /dev/dri" in (one.folder / "run.json").read_text()


def test_what_the_container_wrote_belongs_to_the_caller(llama: dict[str, Rehearsed]) -> None:
    for one in llama.values():
        one.check_owner()


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
    assert rehearse(tmp_path, "--model", model, "--round", round_name, *ALL)["compliance"].audited


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
    llama: dict[str, Rehearsed], docker_url: str, arguments: list[str], said: str
) -> None:
    refused = in_the_stand_in(llama, docker_url, ["python", f"{CODE}/main.py", *arguments], {})
    assert f"REHEARSAL REFUSED: {said}" in refused


def test_the_stand_in_refuses_undocumented_variables_and_a_scorer_without_its_log(
    llama: dict[str, Rehearsed], docker_url: str
) -> None:
    main = ["python", f"{CODE}/main.py", *GOOD]
    assert "variable VLLM_USE_V1=1 is not documented" in in_the_stand_in(llama, docker_url, main, {"VLLM_USE_V1": "1"})
    score = ["bash", f"{CODE}/scripts/check_llama2_accuracy_scores.sh"]
    assert "takes the path of one accuracy log" in in_the_stand_in(llama, docker_url, score, {"ARCH": "gfx942"})


def in_the_stand_in(
    runs: dict[str, Rehearsed], docker_url: str, command: list[str], environment: dict[str, str]
) -> str:
    """What a command says that is run by hand in the image of a rehearsal; it must fail."""
    return refusal(docker_url, runs["performance"].record["image"]["handle"], command, environment, user=None)
