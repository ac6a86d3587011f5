"""Every cell of the coverage matrix: it can be chosen, planned and rendered, and what is rendered stands up to a look.

Prints how many cells were walked and the seconds that took (pytest -s).
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.config import catalog
from orchestrator.config.images import image_entries
from orchestrator.controller.planning import Ground, plan_run
from orchestrator.controller.request import RunRequest, choose
from orchestrator.domain.container import grants
from orchestrator.domain.matrix import Cell, cells
from orchestrator.domain.plan import Role, RunPlan
from orchestrator.domain.site import Site
from orchestrator.domain.situation import Gpu, Host
from orchestrator.domain.spec import LoadGenWishes
from orchestrator.domain.terms import ExecutionMode, Mode, Tier
from orchestrator.host import process
from orchestrator.images.docker_images import DockerImages
from tests.unit.fake_tools import FakeAssets

_GIB = 1 << 30
_HOST = Host(
    usable_cpus=64,
    cores=64,
    sockets=2,
    numa_nodes=2,
    processor="A Processor",
    memory_bytes=512 * _GIB,
    instruction_sets=("avx512f", "amx_int8", "amx_bf16"),
    gpus=(Gpu(name="A GPU", memory_bytes=80 * _GIB),) * 8,
    device_nodes=("/dev/kfd", "/dev/dri/renderD128", "/dev/dri/card0", "/dev/accel/accel0", "/dev/nvidiactl"),
    render_group="render",
)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    folder = tmp_path_factory.mktemp("cells")
    return Ground(
        images=DockerImages(image_entries(), site=Site(), cache=folder / "cache"),
        assets=FakeAssets(),
        platform="linux/amd64",
        host=_HOST,
        work=folder / "work",
        now=datetime(2026, 11, 22, tzinfo=UTC),
    )


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file for every SDK that only a user can bring."""
    folder = tmp_path_factory.mktemp("sdks")
    found = {}
    for name in catalog.implementation_names():
        for sdk in catalog.load_implementation(name).sdks:
            found[sdk] = folder / f"{sdk}.zip"
            found[sdk].write_bytes(b"a stand-in of the test's")
    return found


def everything() -> Iterator[Cell]:
    models = [catalog.load_benchmark(name) for name in catalog.benchmark_names()]
    rounds = [name for name in catalog.rounds() if catalog.load_round(name).loadgen]
    yield from cells(models, rounds)


# What a driver refuses on purpose, with its reason: (implementation, model, mode).
REFUSED = {
    ("nvidia", "mixtral-8x7b", Mode.ACCURACY): "would make the harness root on this machine",
}
# A rate that is written into the vendor's own script and cannot be given: (implementation, model).
FIXED_RATE = {("amd", "stable-diffusion-xl")}


def request(cell: Cell, archives: dict[str, Path], execution_mode: ExecutionMode, tier: Tier) -> RunRequest:
    rules = catalog.load_benchmark(cell.model).rules_of(cell.round)
    sdks = tuple((name, archives[name]) for name in catalog.load_implementation(cell.implementation).sdks)
    wishes = LoadGenWishes(target_latency_ms=10.0)
    if cell.scenario.value in {"Offline", "Server", "Interactive"}:
        wishes = LoadGenWishes(target_qps=10.0)
    if (cell.implementation, cell.model) in FIXED_RATE and cell.round == "v5.0":
        wishes, execution_mode = LoadGenWishes(), ExecutionMode.TEST
    return RunRequest(
        model=cell.model,
        implementation=cell.implementation,
        backend=cell.backend,
        device=cell.device,
        scenarios=cell.scenario.value,
        modes="performance,accuracy,compliance" if rules and rules.compliance else "performance,accuracy",
        round=cell.round,
        execution_mode=execution_mode,
        privileges=tier,
        sdks=sdks,
        system="a-system",
        loadgen=wishes,
    )


def faults_of(plan: RunPlan, cell: Cell) -> Iterator[str]:
    roles = [execution.role for execution in plan.executions]
    if roles.count(Role.RESULT) != 1:
        yield f"{roles.count(Role.RESULT)} results"
    if cell.device.value != "cpu" and not any(grants(each.container) for each in plan.executions):
        yield "an accelerator is asked for, but no container is given one"
    known = {plan.image.entry, *(image.entry for image in plan.other_images)}
    for execution in plan.executions:
        spec = execution.container
        if spec.image not in known:
            yield f"step '{execution.name}' runs in '{spec.image}', which the plan does not name"
        if not spec.command or any("{" in word and "}" in word and "$" not in word for word in spec.command[:1]):
            yield f"step '{execution.name}' has no command"
        if spec.privileged and plan.spec.privileges is Tier.MINIMAL:
            yield f"step '{execution.name}' is privileged in the least tier"
        for mount in spec.mounts:
            if not mount.source.is_absolute():
                yield f"step '{execution.name}' mounts {mount.source}, which is not absolute"
            if "docker.sock" in str(mount.source):
                yield f"step '{execution.name}' is given the engine's socket"
        targets = [str(mount.target) for mount in spec.mounts]
        if len(targets) != len(set(targets)):
            yield f"step '{execution.name}' mounts two things at one place: {targets}"


def test_every_benchmark_has_a_cell_or_is_measured_without_loadgen() -> None:
    there = {cell.model for cell in everything()}
    without = {name for name in catalog.benchmark_names() if name not in there}
    assert there
    rules = {name: catalog.load_benchmark(name).rules.values() for name in without}
    assert {name for name, found in rules.items() if any(one.endpoints != "only" for one in found)} == set()


def test_every_cell_is_planned_and_rendered(
    ground: Ground, archives: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    began, faults, walked = time.monotonic(), Counter[str](), 0
    for cell in everything():
        if not catalog.load_implementation(cell.implementation).drives:
            continue
        walked += 1
        name = "/".join((cell.model, cell.implementation, cell.backend, cell.device, cell.scenario, cell.round))
        valid = walked % 2 == 0
        mode = ExecutionMode.VALID if valid else ExecutionMode.TEST
        tier = Tier.VENDOR if walked % 3 == 0 else Tier.MINIMAL
        try:
            choices = choose(request(cell, archives, mode, tier))
        except Exception as error:
            faults[f"{name}: {type(error).__name__}: {error}"] += 1
            continue
        for choice in choices:
            refusal = REFUSED.get((cell.implementation, cell.model, choice.spec.mode))
            try:
                faults.update(f"{name}: {fault}" for fault in faults_of(plan_run(choice, ground), cell))
            except Exception as error:
                if refusal is None or refusal not in str(error):
                    faults[f"{name} {choice.spec.mode}: {type(error).__name__}: {error}"] += 1
            else:
                if refusal is not None:
                    faults[f"{name}: not refused"] += 1
    with capsys.disabled():
        sys.stdout.write(f" [{walked} cells planned in {time.monotonic() - began:.1f} s]")
    assert not faults, "\n".join(sorted(faults)[:40]) + f"\n({len(faults)} in all)"
    assert walked > 0


def test_the_coverage_page_is_current() -> None:
    script = Path(__file__).parents[2] / "scripts" / "generate-matrix"
    done = process.run([sys.executable, str(script), "--check"], timeout_s=120)
    assert done.ok, done.stderr
