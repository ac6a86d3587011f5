"""The decision is pure: the same choice on the same machine is the same plan, and every wish reaches it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.config.decode import decode_json
from orchestrator.controller.planning import Ground, plan_run, renewed, run_id
from orchestrator.controller.preflight import preflight_choice, refuse_faults
from orchestrator.controller.request import Choice, RunRequest, choose
from orchestrator.domain.asset import Asset, PlannedAsset
from orchestrator.domain.canonical import pretty_json
from orchestrator.domain.finding import Level
from orchestrator.domain.image import ImageChoice, ImageRef
from orchestrator.domain.plan import RunPlan
from orchestrator.domain.situation import Host
from orchestrator.domain.source import LocalPath
from orchestrator.domain.spec import Knobs, LoadGenWishes
from orchestrator.domain.terms import Device, Division, EngineName, ExecutionMode
from orchestrator.errors import PreflightError
from orchestrator.host.machine import describe_machine
from tests.unit.fake_tools import FakeAssets, FakeImages
from tests.unit.plans import a_spec

REQUEST = RunRequest(model="resnet8-cifar10", modes="performance")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def ground(**changes: object) -> Ground:
    found = Ground(
        images=FakeImages(),
        assets=FakeAssets(),
        platform="linux/amd64",
        host=Host(usable_cpus=4),
        work=Path("/cache/work"),
        now=NOON,
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def plan(request: RunRequest = REQUEST, **changes: object) -> RunPlan:
    return plan_run(choose(request)[0], ground(**changes))


def test_the_same_choice_gives_the_same_fingerprint_under_another_name() -> None:
    first, second = plan(), plan(now=datetime(2027, 1, 1, tzinfo=UTC))
    assert first.fingerprint == second.fingerprint
    assert first.run_id != second.run_id


CHANGES: list[RunRequest] = [
    replace(REQUEST, scenarios="Server"),
    replace(REQUEST, modes="accuracy"),
    replace(REQUEST, execution_mode=ExecutionMode.VALID),
    replace(REQUEST, round="v6.0"),
    replace(REQUEST, knobs=Knobs(threads=1)),
    replace(REQUEST, knobs=Knobs(batch_size=7)),
    replace(REQUEST, knobs=Knobs(extra=(("workers", "2"),))),
    replace(REQUEST, loadgen=LoadGenWishes(test_query_count=3)),
    replace(REQUEST, loadgen=LoadGenWishes(target_latency_ms=3.0)),
    replace(REQUEST, loadgen=LoadGenWishes(user_conf="*.Offline.target_qps = 5\n")),
    replace(REQUEST, engine=EngineName.NATIVE),
    replace(REQUEST, image=ImageChoice(reference=ImageRef.parse("other:1"))),
    replace(REQUEST, image=ImageChoice(base=ImageRef.parse("base:1"))),
    replace(REQUEST, model_path=Path("/m.tflite")),
    replace(REQUEST, dataset_path=Path("/data")),
    replace(REQUEST, run_prefix=("gdb",)),
    replace(REQUEST, memory_bytes=1 << 30),
    replace(REQUEST, timeout_s=60.0),
    replace(REQUEST, system="another"),
]


def test_every_wish_is_part_of_the_decision() -> None:
    fingerprints = {plan(request).fingerprint for request in (REQUEST, *CHANGES)}
    assert len(fingerprints) == len(CHANGES) + 1


def test_so_are_the_facts_of_the_machine() -> None:
    assert plan(host=Host(usable_cpus=1)).fingerprint != plan().fingerprint
    assert plan(platform="linux/arm64").fingerprint != plan().fingerprint


def test_what_lies_on_disk_by_now_is_not() -> None:
    class Absent(FakeAssets):
        def plan(self, asset: Asset, catalogue: object) -> tuple[PlannedAsset, ...]:
            return tuple(replace(each, present=False, fetch_bytes=99) for each in super().plan(asset, None))  # type: ignore[arg-type]

    assert plan(assets=Absent()).fingerprint == plan().fingerprint


@pytest.mark.parametrize("request_", [REQUEST, *CHANGES], ids=lambda _: "")
def test_a_plan_reads_back_as_it_was_written(request_: RunRequest) -> None:
    written = plan(request_)
    assert decode_json(RunPlan, pretty_json(written), "plan.json") == written


def test_a_changed_plan_is_noticed() -> None:
    document = json.loads(pretty_json(plan()))
    document["executions"][0]["container"]["network"] = "host"
    changed = decode_json(RunPlan, json.dumps(document), "plan.json")
    assert changed.sealed().fingerprint != changed.fingerprint


def test_a_renewed_plan_is_the_same_decision() -> None:
    again = renewed(plan(), NOON)
    assert again.fingerprint == again.sealed().fingerprint == plan().fingerprint


def test_two_runs_of_one_second_have_different_names() -> None:
    names = {run_id(a_spec(), NOON) for _ in range(50)}
    assert len(names) == 50
    assert all(name.startswith("20261122T120000Z-resnet8-cifar10-Offline-performance-") for name in names)


def reasons(request: RunRequest) -> str:
    return "\n".join(plan(request).rules.not_submittable)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (REQUEST, "a test run is never submittable"),
        (REQUEST, "small suite"),
        (replace(REQUEST, run_prefix=("gdb", "--args")), "gdb --args"),
        (replace(REQUEST, engine=EngineName.NATIVE), "outside a container"),
        (replace(REQUEST, model_path=Path("/m.tflite")), "--model-path"),
        (replace(REQUEST, dataset_path=Path("/data")), "--dataset-path"),
    ],
)
def test_the_plan_says_beforehand_why_a_run_could_not_be_submitted(request_: RunRequest, said: str) -> None:
    assert said in reasons(request_)


def test_what_an_offer_could_not_be_submitted_for_is_said_in_the_closed_division_alone() -> None:
    pruned = RunRequest(model="bert-99", implementation="reference", backend="deepsparse", modes="performance")
    assert "95 % of the weights were pruned" in reasons(pruned)
    assert "pruned" not in reasons(replace(pruned, division=Division.OPEN))


def test_ones_own_model_is_mounted_where_it_lies() -> None:
    class Local(FakeAssets):
        def plan(self, asset: Asset, catalogue: object) -> tuple[PlannedAsset, ...]:
            (planned,) = super().plan(asset, None)  # type: ignore[arg-type]
            if isinstance(asset.source, LocalPath):
                return (replace(planned, path=asset.source.path),)
            return (planned,)

    mounts = plan(
        replace(REQUEST, model_path=Path("/elsewhere/m.tflite")), assets=Local()
    ).result_execution.container.mounts
    assert (str(mounts[0].source), str(mounts[0].target)) == ("/elsewhere/m.tflite", "/model/m.tflite")
    assert mounts[0].read_only


def bert() -> Choice:
    return choose(RunRequest(model="bert-99", round="v5.0", implementation="reference", device=Device.CPU))[0]


def test_an_implementation_that_is_only_described_is_refused_with_what_it_needs() -> None:
    described = bert()
    described = replace(described, implementation=replace(described.implementation, drives=False))
    findings = preflight_choice(described, describe_machine())
    with pytest.raises(PreflightError) as caught:
        refuse_faults(findings, "bert-99")
    assert "cannot drive it yet" in str(caught.value)


def test_a_small_model_on_the_processors_needs_nothing() -> None:
    findings = preflight_choice(choose(REQUEST)[0], describe_machine())
    assert [finding for finding in findings if finding.level is Level.FAULT] == []
    refuse_faults(findings, "resnet8-cifar10")


def the_users_copy(division: Division) -> Asset:
    request = RunRequest(
        model="resnet50",
        implementation="reference",
        division=division,
        assets=(("imagenet-2012-val", Path("/data/pictures")),),
    )
    return next(each.asset for each in plan(request).assets if "imagenet-2012-val" in each.asset.name)


def test_a_copy_of_a_catalogue_asset_is_held_to_the_catalogue_in_the_closed_division() -> None:
    closed, opened = the_users_copy(Division.CLOSED), the_users_copy(Division.OPEN)
    assert {layout.count for layout in closed.layout} >= {50000}
    assert [layout.pattern for layout in opened.layout] == [layout.pattern for layout in closed.layout]
    assert {layout.count for layout in opened.layout} == {None}
    assert {file.name for file in opened.files} == {file.name for file in closed.files}
    assert all(file.sha256 is None for file in opened.files)


def test_in_a_rehearsal_a_copy_is_held_to_nothing() -> None:
    name = "qualcomm-imagenet-uint8"
    request = RunRequest(
        model="resnet50",
        implementation="qualcomm",
        device=Device.QAIC,
        round="v4.1",
        rehearse=True,
        sdks=(("qaic-apps", Path("/sdk/apps.zip")), ("qaic-platform", Path("/sdk/platform.zip"))),
        assets=((name, Path("/data/pictures")),),
    )
    copy = next(each.asset for each in plan(request).assets if name in each.asset.name)
    assert (copy.files, copy.layout) == ((), ())
