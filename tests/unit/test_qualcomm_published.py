"""What the driver asks of KILT, held against its published sources; KILT itself built and run without a card.

Wants clones: MLPERF_KILT_CLONE (GATEOverflow/kilt-mlperf), MLPERF_AUTOMATIONS_CLONE (mlcommons/mlperf-automations) and
MLPERF_INFERENCE_CLONE (mlcommons/inference): a work tree or a git directory. Outcome: docs/verification.md.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.config.images import image_entries
from orchestrator.domain.plan import Execution
from orchestrator.domain.spec import Knobs, LoadGenWishes
from orchestrator.domain.terms import ExecutionMode, Mode, Scenario
from orchestrator.host.process import run
from orchestrator.host.shipped import shipped
from orchestrator.loadgen.user_conf import render_user_conf
from tests.unit.offer_cells import Cell, cell, cells, steps
from tests.unit.published import Clone, clone, documented, option_names, parser_of

AUTOMATIONS = "20d3d94c4fbbefca1a69f0e2b23295d196fd3e63"
KILT = str(next(one.ref for one in image_entries()["qualcomm-kilt"].sources if one.name == "kilt"))


@pytest.fixture(scope="module")
def kilt() -> Clone:
    return clone("MLPERF_KILT_CLONE", KILT)


@pytest.fixture(scope="module")
def automations() -> Clone:
    return clone("MLPERF_AUTOMATIONS_CLONE", AUTOMATIONS)


@pytest.fixture(scope="module")
def inference() -> Clone:
    return clone("MLPERF_INFERENCE_CLONE", "v4.1")


def environments() -> list[dict[str, str]]:
    """KILT's variables in every run of every cell."""
    found = [
        dict(steps(spec, on)["result"].container.environment) for one in cells("qualcomm") for spec, on in one.runs()
    ]
    assert found
    return found


def test_every_variable_is_one_that_kilt_reads(kilt: Clone) -> None:
    table = kilt.text("config/translate/x/translation_table.h")
    read = {name: key for key, name in re.findall(r'\{"(\w+)",\s*"(\w+)"\}', table)}
    assert len(read) > 60
    for environment in environments():
        assert set(environment) <= set(read), set(environment) - set(read)


def test_every_variable_that_kilt_cannot_do_without_is_given(kilt: Clone) -> None:
    table = dict(re.findall(r'\{"(\w+)",\s*"(\w+)"\}', kilt.text("config/translate/x/translation_table.h")))
    folders = {"resnet50": "classification", "bert": "bert", "retinanet": "object-detection"}
    harness = kilt.text("benchmarks/harness/config/harness_config.h")
    for environment in environments():
        own = kilt.text(f"benchmarks/standalone/{folders[environment['kilt_model_name']]}/config/benchmark_config.h")
        needed = re.findall(r'getconfig_[sib]\(\s*"(\w+)"', harness + own)
        assert len(needed) > 6
        assert {table[key] for key in needed} <= set(environment)


def test_the_values_are_those_of_the_published_variations(automations: Clone) -> None:
    text = automations.text("script/app-mlperf-inference-qualcomm/meta.yaml")
    for environment in environments():
        for name in ("kilt_model_name", "kilt_model_bert_variant", "kilt_device_qaic_skip_stage", "kilt_input_format"):
            if name in environment:
                assert f"{name}: {environment[name]}" in text, name


def test_the_compiler_options_are_those_of_the_published_variations(automations: Clone) -> None:
    text = "".join(
        automations.text(f"script/{folder}/{name}")
        for folder in ("compile-model-for.qaic", "calibrate-model-for.qaic")
        for name in ("meta.yaml", "customize.py")
    )
    ours = {"-model", "-load-profile", "-aic-binary-dir", "-batchsize", "-input-list-file", "-dump-profile"}
    ours |= {"-node-precision-info", "-profiling-threads", "-percentile-calibration-value"}  # their values are places
    checked = 0
    for one in cells("qualcomm"):
        for knobs in ({}, {"nsp": "16"}, {"calibrate": "yes"}):
            spec = one.spec(knobs=Knobs(extra=tuple(knobs.items())))
            made = steps(spec, one.on())
            words = [*made["compile"].container.command[4:]]
            words += made["calibrate"].container.command[1:] if "calibrate" in made else ()
            for word in words:
                expected = word.partition("=")[0] if word.partition("=")[0] in ours else word
                assert expected.replace("seg_length,384", "seg_length,") in text, word
                checked += 1
    assert checked > 200


def test_the_official_scorers_take_every_rendered_command(inference: Clone) -> None:
    for one in cells("qualcomm"):
        command = steps(one.spec(Mode.ACCURACY), one.on())["evaluate"].container.command
        at = next(index for index, word in enumerate(command) if word.endswith(".py"))
        path = command[at].partition("/score/")[2]
        assert parser_of(inference.text(path)).parse_args(command[at + 1 :])


def test_every_line_that_the_stand_in_cites_says_what_it_is_cited_for(kilt: Clone, automations: Clone) -> None:
    table = kilt.text("config/translate/x/translation_table.h").splitlines()
    for name, described in documented("qualcomm")["variables"].items():
        cited = re.search(r"translation_table\.h:(\d+)", described["source"])
        assert cited is not None
        assert f'"{name}"' in table[int(cited[1]) - 1]
    for option, source in documented("qualcomm")["qaic-exec"].items():
        cited = re.search(r"(script/[\w.-]+/[\w.]+):(\d+)", source)
        assert cited is not None
        assert option in automations.text(cited[1]).splitlines()[int(cited[2]) - 1]


# -- KILT itself: built by our recipe with its own device that computes nothing, against the round's LoadGen


@dataclass(frozen=True)
class Built:
    """KILT's programs, and a folder with inputs."""

    programs: Path
    data: Path


@pytest.fixture(scope="module")
def built(kilt: Clone, inference: Clone, tmp_path_factory: pytest.TempPathFactory) -> Built:
    if shutil.which("g++") is None:
        pytest.skip("there is no g++")
    folder = tmp_path_factory.mktemp("kilt")
    kilt.unpack(folder / "sources" / "kilt")
    inference.unpack(folder / "sources" / "inference", "loadgen", "mlperf.conf")
    script = shipped("dockerfiles") / "qualcomm" / "build.sh"
    done = run(
        ("sh", str(script), str(folder / "sources"), str(folder / "programs"), "none", "DUMMY"), timeout_s=1800.0
    )
    assert done.ok, done.stderr
    data = folder / "data"
    data.mkdir()
    names = [f"picture-{index}.rgb8" for index in range(16)]
    for name in names:
        (data / name).write_bytes(bytes(3 * 800 * 800))
    (data / "images.txt").write_text("".join(f"{name}\n" for name in names))
    for name in ("input_ids", "input_mask", "segment_ids"):
        ones = (1).to_bytes(8, "little") * 384 * 16
        (data / f"bert_tokenized_squad_v1_1_{name}.raw").write_bytes(ones)
    return Built(programs=folder / "programs", data=data)


def on_this_machine(execution: Execution, built: Built, out: Path) -> dict[str, str]:
    """The driver's variables with the container's folders put where they lie here, and 16 samples."""
    places = {"/dataset": str(built.data), "/opt/kilt": str(built.programs), "/out": str(out), "/program": str(out)}
    environment = {}
    for name, value in execution.container.environment:
        inside = next((place for place in places if value.startswith(place)), "")
        environment[name] = places.get(inside, "") + value.removeprefix(inside)
    return environment | {"loadgen_dataset_size": "16", "loadgen_buffer_size": "16"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "one",
    [cell("qualcomm", name, "v4.1", Scenario.OFFLINE) for name in ("resnet50", "bert-99", "retinanet")]
    + [cell("qualcomm", "resnet50", "v4.1", Scenario.SINGLE_STREAM)],
    ids=str,
)
@pytest.mark.parametrize("mode", [Mode.PERFORMANCE, Mode.ACCURACY, Mode.COMPLIANCE])
def test_kilt_itself_runs_with_what_the_driver_gives_it(one: Cell, mode: Mode, built: Built, tmp_path: Path) -> None:
    spec, on = next((spec, on) for spec, on in one.runs() if spec.mode is mode)
    short = one.spec(
        mode,
        execution_mode=ExecutionMode.TEST,
        loadgen=LoadGenWishes(test_query_count=16),
        compliance_test=spec.compliance_test,
    )
    result = steps(short, on)["result"]
    assert result.settings is not None
    (tmp_path / "user.conf").write_text(render_user_conf(result.settings, one.scenario))
    for path, text in result.files:
        (tmp_path / path).write_text(text)
    program = built.programs / Path(result.container.command[0]).relative_to("/opt/kilt")
    done = run((str(program),), cwd=tmp_path, environment=on_this_machine(result, built, tmp_path), timeout_s=300.0)
    assert done.ok, done.stdout[-2000:] + done.stderr
    detail = (tmp_path / "mlperf_log_detail.txt").read_text()
    seeds = {key: str(getattr(on.round.seeds, key)) for key in ("qsl_rng_seed", "schedule_rng_seed")}
    for key, value in seeds.items():
        assert re.search(rf'"effective_{key}", "value": {value}|"requested_{key}", "value": {value}', detail), key
    answers = json.loads((tmp_path / "mlperf_log_accuracy.json").read_text())
    if mode is Mode.ACCURACY:
        assert sorted(entry["qsl_idx"] for entry in answers) == list(range(16))
        assert all(len(entry["data"]) % 8 == 0 for entry in answers), "32-bit floats"
    elif mode is Mode.COMPLIANCE:
        assert answers, "the audit file was read"
    else:
        assert '"key": "result_' in detail


def test_what_is_documented_of_the_compiler_is_more_than_a_few_options() -> None:
    assert len(documented("qualcomm")["qaic-exec"]) > 30
    one = cell("qualcomm", "resnet50", "v4.1", Scenario.OFFLINE)
    assert len(option_names(steps(one.spec(), one.on())["compile"].container.command)) > 10
