"""The reference driver: every cell has its steps, audit files and logs stand where each harness looks for them."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pytest

from orchestrator.config.images import image_entries
from orchestrator.domain.container import Network
from orchestrator.domain.plan import Execution, Role
from orchestrator.domain.terms import Device, ExecutionMode, Mode, Scenario, Tier
from orchestrator.errors import UsageError
from orchestrator.host.process import run
from orchestrator.implementations.common import ACCURACY_TEXT
from orchestrator.implementations.reference import steps
from tests.unit.reference_cells import Cell, cells

CELLS = tuple(cells())
MODES = (Mode.PERFORMANCE, Mode.ACCURACY, Mode.COMPLIANCE)


def steps_of(cell: Cell, mode: Mode, **changes: object) -> tuple[Execution, ...]:
    return steps(cell.spec(mode, **changes), cell.situation(mode))


def the(role: Role, found: tuple[Execution, ...]) -> Execution:
    (one,) = [each for each in found if each.role is role]
    return one


def cell_of(model: str, backend: str, *, device: Device = Device.CPU, round_name: str = "v6.1") -> Cell:
    return next(
        cell
        for cell in CELLS
        if (cell.benchmark.name, cell.offer.backend, cell.device, cell.round) == (model, backend, device, round_name)
    )


def test_the_matrix_is_not_empty() -> None:
    assert len(CELLS) > 300
    assert {"resnet50", "bert-99", "llama2-70b-99", "whisper", "rnnt"} <= {cell.benchmark.name for cell in CELLS}


@pytest.mark.parametrize("mode", MODES)
def test_every_cell_has_one_result_in_an_image_that_exists(mode: Mode) -> None:
    for cell in CELLS:
        found = steps_of(cell, mode)
        result = the(Role.RESULT, found)
        assert result.settings is not None, str(cell)
        assert {each.container.image for each in found} <= image_entries().keys(), str(cell)
        scored = any(each.role is Role.EVALUATE or ACCURACY_TEXT in each.produces for each in found)
        assert scored == (mode is Mode.ACCURACY), str(cell)
        assert [each for each in found if each.role is Role.SERVICE] or result.container.joins is None, str(cell)


def test_an_audit_file_is_placed_for_compliance_and_named_to_the_harness_or_in_its_working_folder() -> None:
    for cell in CELLS:
        result = the(Role.RESULT, steps_of(cell, Mode.COMPLIANCE))
        command = " ".join(result.container.command)
        assert PurePosixPath("audit.config") in [path for path, _ in result.files], str(cell)
        own_folder = "start.sh -c" not in command  # then it works in the output folder, where the file lies
        assert (
            re.search(r"--audit[_-]conf /out/audit\.config|audit\.config=/out/audit\.config", command)
            or own_folder
            or (
                "--output /out" in command  # it changes into the output folder by itself
            )
        ), str(cell)
        plain = the(Role.RESULT, steps_of(cell, Mode.PERFORMANCE))
        assert not [path for path, _ in plain.files if path.name.startswith("audit")], str(cell)


def test_the_measuring_container_has_no_network_and_no_privilege() -> None:
    for cell in CELLS:
        inside = the(Role.RESULT, steps_of(cell, Mode.PERFORMANCE)).container
        assert (inside.network, inside.privileged, inside.ipc_host) == (Network.NONE, False, False), str(cell)
        assert bool(inside.gpus) == (cell.device is Device.CUDA), str(cell)


def test_the_vendor_tier_adds_what_upstream_starts_with() -> None:
    cell = cell_of("resnet50", "onnxruntime", device=Device.CUDA)
    inside = the(Role.RESULT, steps_of(cell, Mode.PERFORMANCE, privileges=Tier.VENDOR)).container
    assert inside.ipc_host
    assert ("memlock", -1, -1) in inside.limits.ulimits
    assert not inside.privileged


def test_mlperf_conf_is_an_option_of_the_rounds_that_ask_for_it_only() -> None:
    old = the(Role.RESULT, steps_of(cell_of("bert-99", "onnxruntime", round_name="v4.1"), Mode.PERFORMANCE))
    new = the(Role.RESULT, steps_of(cell_of("bert-99", "onnxruntime"), Mode.PERFORMANCE))
    assert "--mlperf_conf" in old.container.command
    assert "/opt/mlperf-docker/harness.py" in old.container.command  # or LoadGen would read it twice
    assert "--mlperf_conf" not in new.container.command
    assert "/opt/mlperf-docker/harness.py" not in new.container.command


def test_harnesses_that_hand_loadgen_a_path_or_two_files_are_corrected() -> None:
    for model, backend, name in (("3d-unet-99", "pytorch", "3d-unet"), ("rnnt", "pytorch", "rnnt")):
        inside = the(Role.RESULT, steps_of(cell_of(model, backend), Mode.PERFORMANCE)).container
        assert dict(inside.environment)["MLPERF_LOADGEN_MODEL"] == name
        assert "/opt/mlperf-docker/harness.py" in inside.command


def test_the_user_s_volumes_are_preprocessed_once_and_not_when_they_are_ready() -> None:
    cell, raw = cell_of("3d-unet-99", "onnxruntime"), Path("/raw")
    step = the(Role.PREPARE, steps_of(cell, Mode.PERFORMANCE, dataset_path=raw))
    assert step.once is not None
    ready = replace(cell.spec(Mode.PERFORMANCE).knobs, extra=(("use_preprocessed", "1"),))
    for changes in ({"dataset_path": raw, "knobs": ready}, {}):  # the catalogue's data set is preprocessed already
        assert not [one for one in steps_of(cell, Mode.PERFORMANCE, **changes) if one.role is Role.PREPARE]


def test_a_language_model_is_served_and_the_client_shares_its_network() -> None:
    cell = cell_of("llama2-70b-99.9", "vllm", device=Device.CUDA)
    found = steps_of(cell, Mode.PERFORMANCE)
    server, client = the(Role.SERVICE, found), the(Role.RESULT, found)
    assert found.index(server) < found.index(client)
    assert server.health is not None
    assert server.container.image == "reference-server-vllm"
    assert client.container.joins == server.name
    assert "--api-server" in client.container.command


def test_interactive_is_loadgens_server_under_its_own_name() -> None:
    (cell,) = [
        one
        for one in CELLS
        if str(one) == "llama2-70b-99.9-vllm-cuda-Interactive-v5.1" or str(one).endswith("llama2-70b-99.9-vllm-x")
    ][:1]
    result = the(Role.RESULT, steps_of(cell, Mode.PERFORMANCE))
    command = result.container.command
    assert command[command.index("--scenario") + 1] == "Server"
    assert command[command.index("--lg-model-name") + 1] == "llama2-70b-interactive"
    assert result.settings is not None
    assert result.settings.loadgen_model == "llama2-70b-interactive"


def test_a_model_of_the_users_is_checked_first_and_mapped_to_the_official_one() -> None:
    cell = cell_of("bert-99", "onnxruntime")
    found = steps_of(cell, Mode.PERFORMANCE, model_path=Path("/home/me/mine.onnx"), model_name="mine")
    assert found[0].name == "signature"
    assert found[0].container.command[1] == "/opt/mlperf-docker/signature.py"
    (mapping,) = [text for path, text in the(Role.RESULT, found).files if path.name == "model_mapping.json"]
    assert json.loads(mapping) == {"mine": "bert-99"}


def test_deepsparse_gets_a_copy_of_the_model_to_write_to_and_batches_where_samples_are_gathered() -> None:
    for cell in (each for each in CELLS if each.offer.backend == "deepsparse"):
        big = replace(cell.spec(Mode.PERFORMANCE).knobs, batch_size=16)
        inside = the(Role.RESULT, steps_of(cell, Mode.PERFORMANCE, knobs=big)).container
        assert all(mount.read_only for mount in inside.mounts), str(cell)
        words = dict(pairwise(inside.command))
        assert words["-w"] == "model.onnx=/model/oBERT-Large_95sparse_block4_qat.onnx"
        assert words["--model_path"] == "model.onnx"
        assert words["--batch_size"] == ("16" if cell.scenario is Scenario.OFFLINE else "1")
        assert dict(inside.environment)["NM_DISABLE_ANALYTICS"] == "1"


def test_part_of_the_data_set_is_taken_in_short_accuracy_runs_only() -> None:
    cell = cell_of("bert-99", "onnxruntime")
    few = replace(cell.spec(Mode.ACCURACY).loadgen, test_query_count=5)
    short = {"loadgen": few, "execution_mode": ExecutionMode.TEST}
    assert "--max_examples" in the(Role.RESULT, steps_of(cell, Mode.ACCURACY, **short)).container.command
    assert "--max_examples" not in the(Role.RESULT, steps_of(cell, Mode.PERFORMANCE, **short)).container.command
    assert "--max_examples" not in the(Role.RESULT, steps_of(cell, Mode.ACCURACY, loadgen=few)).container.command


def test_a_family_without_a_reference_harness_is_named() -> None:
    cell = cell_of("bert-99", "onnxruntime")
    ground = replace(cell.situation(Mode.PERFORMANCE), benchmark=replace(cell.benchmark, family="qwen3.6-27b"))
    with pytest.raises(UsageError, match=r"unknown family of reference harnesses 'qwen3.6-27b'"):
        steps(cell.spec(Mode.PERFORMANCE), ground)


def test_a_valid_run_without_a_target_is_refused() -> None:
    cell = cell_of("resnet50", "onnxruntime")
    with pytest.raises(UsageError, match="--target"):
        steps_of(
            cell,
            Mode.PERFORMANCE,
            loadgen=replace(cell.spec(Mode.PERFORMANCE).loadgen, target_qps=None, target_latency_ms=None),
        )


# -- against upstream's own argument parsers --------------------------------------------------------------------------


@cache
def _knows(clone: str, revision: str, path: str, option: str) -> bool:
    """Whether the script, or a module beside it, adds the option to a parser."""
    folder = path.rsplit("/", 1)[0]
    words = ("grep", "-q", "-E", "-e", f"[\"']{option}[\"']", revision, "--", f"{folder}/*.py")
    return run(("git", "-c", "safe.directory=*", "-C", clone, *words)).ok


@cache
def _exists(clone: str, revision: str, path: str) -> bool:
    return run(("git", "-c", "safe.directory=*", "-C", clone, "cat-file", "-e", f"{revision}:{path}")).ok


# Options whose values upstream lists: each has to stand in its source, as a key or a choice.
_LISTED = ("--profile", "--backend", "--dtype", "--lg-model-name", "--layout", "--mode", "--latent-framework")


_FORK = "deepsparse"


def test_every_option_is_one_that_the_rounds_own_harness_knows() -> None:
    clone = os.environ.get("MLPERF_INFERENCE_CLONE")
    if not clone:
        pytest.skip("MLPERF_INFERENCE_CLONE names no clone of github.com/mlcommons/inference to compare with")
    faults: set[str] = set()
    compared = 0
    for cell in CELLS:
        if cell.offer.backend == _FORK:
            continue
        commit = cell.situation(Mode.ACCURACY).round.commit
        assert commit is not None
        found, count = _unknown_to(clone, commit, cell)
        faults, compared = faults | found, compared + count
    assert not faults
    assert compared > 300


def test_every_option_of_the_fork_is_one_that_it_knows() -> None:
    clone = os.environ.get("MLPERF_DEEPSPARSE_CLONE")
    if not clone:
        pytest.skip("MLPERF_DEEPSPARSE_CLONE names no clone of github.com/neuralmagic/inference to compare with")
    found = [_unknown_to(clone, _fork_commit(cell), cell) for cell in CELLS if cell.offer.backend == _FORK]
    assert not set().union(*(faults for faults, _ in found))
    assert sum(count for _, count in found) > 20


def _fork_commit(cell: Cell) -> str:
    (source,) = image_entries()[cell.offer.image].sources
    assert source.ref is not None
    return source.ref


def _unknown_to(clone: str, commit: str, cell: Cell) -> tuple[set[str], int]:
    """What a clone at a commit lacks of a cell's calls, and how many calls were compared."""
    faults: set[str] = set()
    compared = 0
    for step in steps(cell.spec(Mode.ACCURACY), cell.situation(Mode.ACCURACY)):
        for path, options in _calls(step):
            compared += 1
            if not _exists(clone, commit, path):
                faults.add(f"{path} does not exist in {cell.round}")
                continue
            words = [*options, *_listed_values(step)]
            faults |= {f"{path} of {cell.round}: {one}" for one in words if not _knows(clone, commit, path, one)}
    return faults, compared


def _listed_values(step: Execution) -> list[str]:
    command = step.container.command
    return [value for option, value in pairwise(command) if option in _LISTED]


def _calls(step: Execution) -> list[tuple[str, list[str]]]:
    """Path of the upstream script that a step calls, and the options it is given; none for our own programs."""
    command = list(step.container.command)
    script = next((word for word in command if word.endswith(".py") and "/opt/mlperf-docker" not in word), None)
    if step.role is Role.SERVICE or script is None:
        return []
    folder = command[command.index("-c") + 1] + "/" if "-c" in command else ""
    rest = command[command.index(script) + 1 :]
    options = [word for word in rest if word.startswith("--")]
    return [((folder + script).removeprefix("/opt/inference/"), options)]


def test_scenarios_of_a_cell_are_the_benchmarks() -> None:
    assert {Scenario.OFFLINE} == {cell.scenario for cell in CELLS if cell.benchmark.name == "rgat"}
