"""Rehearsals: the unchanged driver on our stand-in, without devices, labelled wherever it is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.assets.store import CacheStore
from orchestrator.config.catalog import implementation_names
from orchestrator.config.images import image_entries
from orchestrator.controller.planning import Ground, plan_run
from orchestrator.controller.request import RunRequest, choose
from orchestrator.domain.asset import PreparationJob
from orchestrator.domain.plan import RunPlan
from orchestrator.domain.ports import Say
from orchestrator.domain.situation import Gpu, Host
from orchestrator.domain.source import StandIn
from orchestrator.domain.terms import Device, Evidence, Tier
from orchestrator.errors import UsageError
from tests.unit.fake_tools import FakeImages

REQUEST = RunRequest(
    model="bert-99", implementation="nvidia", device=Device.CUDA, round="v5.0", modes="performance", rehearse=True
)


def never(job: PreparationJob, *, say: Say) -> None:
    raise NotImplementedError


def ground(tmp_path: Path) -> Ground:
    return Ground(
        images=FakeImages(),
        assets=CacheStore(tmp_path, prepare=never),
        platform="linux/amd64",
        host=Host(usable_cpus=8, gpus=(Gpu(name="A GPU", memory_bytes=80 << 30),)),
        work=tmp_path / "work",
        now=datetime(2026, 11, 22, tzinfo=UTC),
    )


def planned(tmp_path: Path, **changes: object) -> RunPlan:
    return plan_run(choose(replace(REQUEST, **changes))[0], ground(tmp_path))  # type: ignore[arg-type]


def test_a_rehearsal_says_so_everywhere_and_can_never_be_submitted(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert "rehearsal" in plan.run_id
    assert plan.evidence is Evidence.REHEARSED
    assert any(mark.startswith("REHEARSAL: a stand-in took the place of nvidia's image") for mark in plan.marks)
    assert any("a rehearsal measures a stand-in" in reason for reason in plan.rules.not_submittable)
    assert plan.stand_in is not None
    assert image_entries()[plan.stand_in.entry].rehearsal


@pytest.mark.parametrize("tier", Tier)
def test_the_stand_in_gets_no_device_and_no_privilege_and_the_record_says_what_was_left_out(
    tmp_path: Path, tier: Tier
) -> None:
    plan = planned(tmp_path, privileges=tier)
    for execution in plan.executions:
        spec = execution.container
        assert (spec.privileged, spec.ipc_host, spec.devices, spec.gpus, spec.runtime) == (False, False, (), (), None)
    assert any(mark.startswith("left out in the rehearsal: ") and "GPU" in mark for mark in plan.marks)


def test_the_steps_are_those_of_the_real_thing(tmp_path: Path) -> None:
    rehearsed, real = planned(tmp_path), planned(tmp_path, rehearse=False)
    assert [each.name for each in rehearsed.executions] == [each.name for each in real.executions]
    assert [each.role for each in rehearsed.executions] == [each.role for each in real.executions]


def test_what_a_stand_in_made_is_never_taken_for_the_vendor_s(tmp_path: Path) -> None:
    def stamps(plan: RunPlan) -> set[Path]:
        return {each.once for each in plan.executions if each.once is not None}

    assert stamps(planned(tmp_path))
    assert not stamps(planned(tmp_path)) & stamps(planned(tmp_path, rehearse=False))


def test_assets_of_the_real_suite_are_replaced_by_files_that_say_so(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    replaced = [asset for asset in plan.assets if isinstance(asset.asset.source, StandIn)]
    assert replaced
    store = CacheStore(tmp_path, prepare=never)
    for asset in replaced:
        ready = store.ensure(asset, say=lambda _: None)
        assert all("Stand-in for" in (ready.path / file.name).read_text() for file in ready.files)


def test_every_vendor_has_a_stand_in_and_what_runs_here_has_none() -> None:
    stood_in = {name for name in implementation_names() if f"rehearsal-{name}" in image_entries()}
    assert stood_in == {"nvidia", "intel", "amd", "qualcomm", "redhat"}
    with pytest.raises(UsageError, match="no stand-in to rehearse 'generic'"):
        choose(RunRequest(model="resnet8-cifar10", rehearse=True))


def test_a_served_accuracy_run_does_not_take_hours(tmp_path: Path) -> None:
    plan = planned(
        tmp_path, model="llama3.1-8b", implementation="redhat", round="v5.1", scenarios="Server", modes="accuracy"
    )
    settings = plan.result_execution.settings
    assert settings is not None
    assert settings.target_qps is not None
    assert plan.rules.dataset_samples / settings.target_qps < 60
