"""What the driver asks of vLLM's clients, held against the code that Red Hat and MLCommons published.

Wants clones: MLPERF_RESULTS_V51_CLONE (mlcommons/inference_results_v5.1) and MLPERF_INFERENCE_CLONE
(mlcommons/inference): a work tree or a git directory. Outcome: docs/verification.md. Nothing of that code is run.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest

from orchestrator.config.images import image_entries
from orchestrator.domain.terms import Mode, Scenario
from tests.unit.offer_cells import Cell, cell, cells, steps
from tests.unit.published import Clone, clone, documented, parser_of

RED_HAT = "closed/RedHat/code/llama3.1-8b"
REFERENCE = "language/llama2-70b"


def revision(image: str, source: str) -> str:
    """What the image is built from."""
    found = next(one.ref for one in image_entries()[image].sources if one.name == source)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def red_hat() -> Clone:
    return clone("MLPERF_RESULTS_V51_CLONE", revision("redhat-vllm", "redhat"))


@pytest.fixture(scope="module")
def reference() -> Clone:
    return clone("MLPERF_INFERENCE_CLONE", revision("redhat-vllm-llama2", "inference"))


def commands(one: Cell, script: str) -> list[tuple[str, ...]]:
    """The arguments of every call of a script in the runs of a cell."""
    found = []
    for spec, on in one.runs():
        for execution in steps(spec, on).values():
            command = execution.container.command
            at = next((index for index, word in enumerate(command) if PurePosixPath(word).name == script), None)
            if at is not None:
                found.append(command[at + 1 :])
    assert found, script
    return found


def test_the_server_client_takes_every_rendered_command(red_hat: Clone) -> None:
    parser = parser_of(red_hat.text(f"{RED_HAT}/SUT_VLLM_SingleReplica_Server.py"))
    for command in commands(cell("redhat", "llama3.1-8b", "v5.1", Scenario.SERVER), "SUT_VLLM_SingleReplica_Server.py"):
        parsed = parser.parse_args(command)
        assert parsed.lg_model_name == "llama3_1-8b"
        assert parsed.target_qps == 12.5
        assert parsed.coalesce


def test_the_offline_client_takes_every_rendered_command_with_the_options_of_vllm_that_its_readme_shows(
    red_hat: Clone,
) -> None:
    source = red_hat.text(f"{RED_HAT}/SUT_VLLM_SingleReplica.py")
    assert "EngineArgs.add_cli_args(parser)" in source
    parser = parser_of(source)
    shown = " ".join(
        line
        for line in red_hat.text(f"{RED_HAT}/README.md").splitlines()
        if "SUT_VLLM_SingleReplica.py --model" in line
    )
    for command in commands(cell("redhat", "llama3.1-8b", "v5.1", Scenario.OFFLINE), "SUT_VLLM_SingleReplica.py"):
        _, others = parser.parse_known_args(command)
        names = [word for word in others if word.startswith("--")]
        assert "--model" in names
        assert all(name in shown.replace("max_num_batched", "max-num-batched") for name in names), names


def test_the_published_server_options_stand_as_published(red_hat: Clone) -> None:
    readme = re.sub(r"_(?=\w)", "-", red_hat.text(f"{RED_HAT}/README.md"))
    one = cell("redhat", "llama3.1-8b", "v5.1", Scenario.SERVER)
    server = steps(one.spec(), one.on())["server"].container.command
    assert server[:2] == ("vllm", "serve")
    assert " ".join(server[3:]) in readme


def test_the_scorers_take_every_rendered_command(red_hat: Clone, reference: Clone) -> None:
    ours = parser_of(red_hat.text(f"{RED_HAT}/evaluation.py"))
    theirs = parser_of(reference.text(f"{REFERENCE}/evaluate-accuracy.py"))
    for one in cells("redhat"):
        name, parser = ("evaluation.py", ours) if one.round == "v5.1" else ("evaluate-accuracy.py", theirs)
        for command in commands(one, name):
            assert parser.parse_args(command).mlperf_accuracy_file == "/out/mlperf_log_accuracy.json"


def test_the_reference_client_takes_every_rendered_command(reference: Clone) -> None:
    parser = parser_of(reference.text(f"{REFERENCE}/main.py"))
    for command in commands(cell("redhat", "llama2-70b-99", "v4.1", Scenario.OFFLINE), "main.py"):
        parsed = parser.parse_args(command)
        assert parsed.vllm
        assert parsed.api_model_name == parsed.model_path


def test_only_offline_is_offered_because_the_reference_drops_the_servers_address(reference: Clone) -> None:
    source = reference.text(f"{REFERENCE}/SUT_API.py")
    assert "api_server=None,\n            api_model_name=None," in source[source.index("class SUTServer") :]
    assert {one.scenario for one in cells("redhat") if one.round == "v4.1"} == {Scenario.OFFLINE}


def test_the_clients_write_the_types_that_the_scorers_are_told(red_hat: Clone, reference: Clone) -> None:
    for name in ("SUT_VLLM_SingleReplica.py", "SUT_VLLM_SingleReplica_Server.py"):
        assert "np.int32" in red_hat.text(f"{RED_HAT}/{name}")
    api = reference.text(f"{REFERENCE}/SUT_API.py")
    assert "unpadded = np.array(processed_output[i])" in api, "Python's whole numbers: 64 bits"
    one = cell("redhat", "llama2-70b-99", "v4.1", Scenario.OFFLINE)
    assert "int64" in steps(one.spec(Mode.ACCURACY), one.on())["evaluate"].container.command


def test_every_line_that_the_stand_in_cites_says_what_it_is_cited_for(red_hat: Clone, reference: Clone) -> None:
    checked = 0
    for command, known in documented("redhat")["commands"].items():
        for option, described in known.items():
            for path, line in re.findall(r"([\w.-]+\.(?:py|md|sh)):(\d+)", described["source"]):
                folder = REFERENCE if described["source"].startswith("inference@") else RED_HAT
                text = (reference if folder == REFERENCE else red_hat).text(f"{folder}/{path}").splitlines()
                near = " ".join(text[int(line) - 1 : int(line) + 1]).replace("_", "-")
                assert option.lstrip("-") in near or "EngineArgs" in near or "tensor" in near, (command, option, path)
                checked += 1
    assert checked > 80
