"""Text becomes frozen values, or every fault at once with place, field, owner and nearest match."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.decode import decode_entries, decode_json, decode_yaml
from orchestrator.config.shapes import schema_of
from orchestrator.domain.asset import Asset, AssetFile, AssetKind, FileHash, PlannedAsset, ReadyAsset
from orchestrator.domain.benchmark import AccuracyTarget, Benchmark, Implementation, Round, Seeds
from orchestrator.domain.canonical import canonical_json, fingerprint, pretty_json
from orchestrator.domain.container import Capability, ContainerSpec, EngineInfo, Exit, Limits, Mount, Network
from orchestrator.domain.image import BaseImage, ImageChoice, ImageEntry, ImageRef, PlannedImage, ReadyImage
from orchestrator.domain.measurement import AccuracyResult, DetailLog, Result
from orchestrator.domain.plan import Execution, LoadGenSettings, Role, Rules, RunPlan
from orchestrator.domain.record import ExecutionRecord, Failure, LoadGenFacts, PhaseTime, RunRecord, State
from orchestrator.domain.source import LocalPath, Member, Prepared, PypiPackage
from orchestrator.domain.spec import Knobs, LoadGenWishes
from orchestrator.domain.terms import (
    Device,
    Evidence,
    Phase,
    Pull,
    Scenario,
    Suite,
)
from orchestrator.domain.verdict import Reason, Standing, Verdict
from orchestrator.errors import ConfigError, ExitCode
from tests.unit.plans import a_spec

IMAGES = """\
schema_version: 1
images:
  generic-tflite:
    template: generic/Dockerfile.j2
    description: TFLite
    base: &base {registry: "python:3.11-slim-bookworm", local: "mlperf-docker/base:bookworm-py311"}
    context:
      orchestrator/sut: orchestrator/sut
      requirements.txt: dockerfiles/generic/requirements.txt
  generic-openvino:
    template: generic/Dockerfile.j2
    description: OpenVINO
    base: *base
"""

ASSET = Asset(
    name="tiny-onnx",
    kind=AssetKind.MODEL,
    source=Prepared(step="convert", image="generic-prepare", inputs=("tiny",), parameters=(("opset", "13"),)),
    files=(AssetFile(name="model.onnx", sha256="0" * 64, size_bytes=12),),
    licence="Apache-2.0",
)
WHEEL = replace(
    ASSET,
    name="tiny",
    kind=AssetKind.MATERIAL,
    source=PypiPackage(
        package="tiny",
        version="1.0",
        filename="tiny-1.0-py3-none-any.whl",
        sha256="1" * 64,
        size_bytes=5,
        members=(Member(path="tiny/*.onnx", name="models"),),
    ),
)
OWN = replace(ASSET, name="own", source=LocalPath(path=Path("/data/own.onnx")))


def a_plan() -> RunPlan:
    spec = a_spec(
        model="tiny",
        backend="onnxruntime",
        loadgen=LoadGenWishes(target_qps=50, user_conf="*.Offline.target_qps = 5\n"),
        knobs=Knobs(threads=2, extra=(("arena", "off"),)),
        image=ImageChoice(reference=ImageRef.parse("registry.example/a:b"), pull=Pull.NEVER),
        model_path=Path("/data/own.onnx"),
        timeout_s=600,
    )
    container = ContainerSpec(
        image="generic-onnxruntime",
        command=("python", "-m", "orchestrator.sut", "/out/harness.json"),
        mounts=(Mount(source=Path("/data"), target=PurePosixPath("/model")),),
        environment=(("PYTHONPATH", "/opt"),),
        user=(1000, 1000),
        network=Network.NONE,
        limits=Limits(memory_bytes=1 << 30, cpuset="0-1"),
    )
    execution = Execution(
        name="result",
        role=Role.RESULT,
        scenario=Scenario.OFFLINE,
        folder=PurePosixPath("loadgen"),
        settings=LoadGenSettings(loadgen_model="tiny", target_qps=50, fit_factor=1),
        container=container,
        harness=(("options", {"a": ["b", 1, 2.5, None, True]}), ("threads", 2), ("dataset", None)),
        produces=(PurePosixPath("mlperf_log_summary.txt"),),
        timeout_s=30,
    )
    rules = Rules(
        suite=Suite.SMALL,
        seeds=Seeds(qsl_rng_seed=18209322760996052031, sample_index_rng_seed=1, schedule_rng_seed=2),
        loadgen="6.0.17",
        judged=False,
        min_duration_ms=600000,
        min_query_count=None,
        offline_min_samples=None,
        performance_sample_count=20,
        dataset_samples=20,
        latency_limit_ns=None,
        accuracy=(AccuracyTarget(metric="top1", reference=0.85, tolerance_samples=1),),
        not_submittable=("small suite",),
    )
    planned = tuple(
        PlannedAsset(asset=asset, key=asset.key(), path=Path("/cache") / asset.name, present=False, fetch_bytes=5)
        for asset in (ASSET, WHEEL, OWN)
    )
    image = PlannedImage(entry="generic-onnxruntime", round="v6.1", platform="linux/amd64", recipe="2" * 64)
    return RunPlan(
        tool_version="0.1.0",
        run_id="r1",
        spec=spec,
        image=image,
        assets=planned,
        executions=(execution,),
        rules=rules,
        evidence=Evidence.PUBLISHED,
    ).sealed()


def a_record() -> RunRecord:
    exit_ = Exit(code=137, oom_killed=True, started_s=1.5, finished_s=2, image_id="sha256:" + "3" * 64)
    return RunRecord(
        tool_version="0.1.0",
        run_id="r1",
        plan_fingerprint="4" * 64,
        state=State.FAILED,
        owner="boot:1:2",
        started="2026-11-22T01:02:03Z",
        phases=(PhaseTime(phase=Phase.IMAGE, started="2026-11-22T01:02:03Z", seconds=0.25),),
        image=ReadyImage(
            handle="h", image_id="i", reference="r", identity="5" * 64, platform="linux/amd64", origin="built"
        ),
        assets=(
            ReadyAsset(
                name="tiny",
                key="6" * 64,
                path=Path("/cache/tiny"),
                files=(FileHash(name="a", sha256="7" * 64, size_bytes=1),),
                trust="pinned",
                fetched=True,
            ),
        ),
        executions=(ExecutionRecord(name="result", exit=exit_, outcome="killed for memory", wall_s=0.5),),
        loadgen=LoadGenFacts(
            version="6.0.17", qsl_rng_seed=2085463073848966840, sample_index_rng_seed=None, schedule_rng_seed=None
        ),
        result=Result(key="result_samples_per_second", value=170.5, unit="samples/s"),
        accuracy=AccuracyResult(metric="top1", value=0.85, good=17, total=20, log_sha256="8" * 64),
        verdict=Verdict(
            standing=Standing.NOT_JUDGED,
            clean=True,
            loadgen_validity="VALID",
            reasons=(Reason(code="a", text="b"),),
            blockers=(),
        ),
        failure=Failure(exit_code=8, kind="HarnessError", cause="killed for memory"),
    )


def faults_of(kind: type, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        decode_yaml(kind, text, "a.yaml")
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.faults


def test_a_plan_reads_back_equal_and_with_the_same_fingerprint() -> None:
    plan = a_plan()
    back = decode_json(RunPlan, pretty_json(plan), "plan.json")
    assert back == plan
    assert canonical_json(back) == canonical_json(plan)
    assert back.sealed().fingerprint == plan.fingerprint


def test_a_record_reads_back_equal() -> None:
    record = a_record()
    back = decode_json(RunRecord, pretty_json(record), "run.json")
    assert back == record
    assert canonical_json(back) == canonical_json(record)


def test_sets_and_mappings_read_back_equal() -> None:
    info = EngineInfo(
        name="docker",
        version="1",
        endpoint="unix:///x",
        platform="linux/amd64",
        capabilities=frozenset({Capability.GPU, Capability.CPUSET}),
        data_root=Path("/var/lib/docker"),
    )
    assert decode_json(EngineInfo, pretty_json(info), "e.json") == info
    log = DetailLog(values={"a": 1, "b": 2.5, "c": "d", "e": None, "f": True}, lines=5)
    back = decode_json(DetailLog, pretty_json(log), "l.json")
    assert back == log
    assert [type(value) for value in back.values.values()] == [int, float, str, type(None), bool]


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**40), 2**40)
EXITS = st.builds(
    Exit,
    code=st.integers(-255, 255),
    oom_killed=st.booleans(),
    started_s=NUMBERS,
    peak_memory_bytes=st.none() | st.integers(0, 2**70),
    image_id=st.none() | st.text(),
    warnings=st.lists(st.text()).map(tuple),
)


@given(EXITS)
def test_whatever_a_value_holds_it_reads_back_the_same(value: Exit) -> None:
    back = decode_json(Exit, pretty_json(value), "e.json")
    assert back == value
    assert fingerprint(back) == fingerprint(value)


def test_entries_take_their_name_from_the_key_and_pairs_from_a_mapping() -> None:
    entries = decode_entries(ImageEntry, IMAGES, "images.yaml", section="images")
    assert list(entries) == ["generic-tflite", "generic-openvino"]
    tflite = entries["generic-tflite"]
    assert tflite.name == "generic-tflite"
    assert tflite.base == BaseImage(registry="python:3.11-slim-bookworm", local="mlperf-docker/base:bookworm-py311")
    assert tflite.context == (
        ("orchestrator/sut", "orchestrator/sut"),
        ("requirements.txt", "dockerfiles/generic/requirements.txt"),
    )


def faults_of_entries(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        decode_entries(ImageEntry, text, "images.yaml", section="images")
    return caught.value.faults


def test_every_fault_of_a_file_is_told_at_once_in_the_order_of_the_text() -> None:
    text = (
        "schema_version: 1\nimages:\n"
        "  a:\n    template: 5\n    basse: {registry: x}\n    description: d\n    needs_buildkit: yes\n"
        "    evidence: rehearsd\n    platforms: linux\n    arguments: {K: 1}\n    base: {registry: r}\n"
        "  b:\n    name: b\n  c: 7\n"
    )
    assert faults_of_entries(text) == (
        "images.yaml:4:15: 'template' in 'a' must be text, not the number 5 (put it in quotes)",
        "images.yaml:5:5: unknown field 'basse' in 'a'; did you mean 'base'?",
        "images.yaml:7:21: 'needs_buildkit' in 'a' must be true or false, not the text 'yes'",
        "images.yaml:8:15: 'evidence' in 'a' cannot be the text 'rehearsd'; did you mean 'rehearsed'?",
        "images.yaml:9:16: 'platforms' in 'a' must be a list, not the text 'linux'",
        "images.yaml:10:20: 'K' in 'arguments' must be text, not the number 1 (put it in quotes)",
        "images.yaml:13:5: unknown field 'name' in 'b'",
        "images.yaml:14:6: 'c' must be a mapping",
    )


def test_a_file_of_entries_says_its_version_and_has_one_section() -> None:
    assert faults_of_entries("schema_version: 2\nimagse: {}\n") == (
        "images.yaml:2:1: unknown field 'imagse'; did you mean 'images'?",
        "images.yaml:1:17: 'schema_version' must be 1",
        "images.yaml:1:1: 'images' must be a mapping from names to entries",
    )
    assert len(faults_of_entries("[]")) == 2


def test_a_source_is_told_by_its_kind() -> None:
    head = "name: a\nkind: model\nlicence: x\n"
    found = decode_yaml(Asset, head + "source: {kind: local, path: /data/a}\n", "a.yaml")
    assert found.source == LocalPath(path=Path("/data/a"))
    assert faults_of(Asset, head + "source: {kind: pipy}\n") == (
        "a.yaml:4:9: 'source' in 'a' cannot be the text 'pipy'; did you mean 'pypi'?",
    )
    assert faults_of(Asset, head + "source: {path: x}\n") == ("a.yaml:4:9: the field 'kind' is missing in 'source'",)
    assert faults_of(Asset, head + "source: {kind: local, paht: x}\n") == (
        "a.yaml:4:9: the field 'path' is missing in 'source'",
        "a.yaml:4:23: unknown field 'paht' in 'source'; did you mean 'path'?",
    )


def test_faults_deep_inside_name_item_and_owner() -> None:
    text = "name: a\nkind: model\nlicence: x\nsource: {kind: local, path: p}\nfiles: [{name: f, size_bytes: 1.5}, 7]\n"
    assert faults_of(Asset, text) == (
        "a.yaml:5:31: 'size_bytes' in 'f' must be a whole number, not the number 1.5",
        "a.yaml:5:37: item 2 of 'files' in 'a' must be a mapping, not the number 7",
    )


def test_a_mistyped_key_of_a_closed_set_gets_its_nearest_match() -> None:
    text = "name: a\nrules: {any: {min_queries: {Ofline: 1}}}\n"
    assert "a.yaml:2:29: unknown key 'Ofline' in 'min_queries'; did you mean 'Offline'?" in faults_of(Benchmark, text)


@pytest.mark.parametrize("text", ["[a]", "5", "a", "''"])
def test_a_text_that_is_no_mapping_is_a_fault(text: str) -> None:
    assert faults_of(Round, text)[0].startswith("a.yaml:1:1: this round must be a mapping, not ")


def test_a_number_may_be_whole_where_a_fraction_may_stand_but_not_the_other_way() -> None:
    assert decode_yaml(AccuracyTarget, "{metric: m, reference: 1}", "a.yaml").reference == 1.0
    for wrong in ("true", "'1'", ".nan", "1e3"):
        assert len(faults_of(AccuracyTarget, f"{{metric: m, reference: {wrong}}}")) == 1


def test_broken_json_is_a_fault_with_its_place() -> None:
    for text, start in {
        "": "f.json:1:1: not JSON",
        '{"exit_code": 1': "f.json:1:15: not JSON",
        "[]": "f.json:1:1: this failure must be a mapping, not a list",
        '{"exit_code":1,"kind":"k",\n"cause":"c","hnt":null}': "f.json:2:13: unknown field 'hnt' in this failure; did",
        '{"exit_code":"1","kind":"k","cause":"\\ud83d\\ude00"}': "f.json:",
    }.items():
        with pytest.raises(ConfigError) as caught:
            decode_json(Failure, text, "f.json")
        assert caught.value.faults[0].startswith(start)


@dataclass(frozen=True)
class Plain:
    """Not keyword-only, without slots: taken as well."""

    a: int
    b: tuple[str, int] = ("x", 1)


@dataclass(frozen=True)
class Odd:
    """Holds something no text can."""

    a: complex


def test_ordinary_dataclasses_are_taken_and_types_without_a_text_form_refused() -> None:
    assert decode_yaml(Plain, "{a: 1, b: [y, 2]}", "a.yaml") == Plain(1, ("y", 2))
    with pytest.raises(TypeError, match="complex has no form"):
        schema_of(Odd)


def test_two_values_of_one_type_do_not_share_anything_mutable() -> None:
    text = "name: a\ntitle: t\ndescription: d\nbackends: [x]\ndevices: [cpu]\n"
    one, other = (decode_yaml(Implementation, text, "a.yaml") for _ in range(2))
    assert one == other
    assert one is not other
    assert one.devices == (Device.CPU,)
