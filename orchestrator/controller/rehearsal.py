"""Rehearse a driver against our stand-in for a vendor's image: the same steps without the vendor's devices. Pure.

A rehearsal proves the driver, never the vendor's software; every place that shows it says so.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.domain.asset import Asset
from orchestrator.domain.benchmark import BenchmarkRules
from orchestrator.domain.container import ContainerSpec, Limits, grants
from orchestrator.domain.plan import Execution
from orchestrator.domain.source import LocalPath, Prepared, PypiPackage, StandIn
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Evidence, Mode, Scenario

_SERVED_ACCURACY_S = 20.0  # about how long a served accuracy run of a rehearsal takes
# Root in a container needs these to write into the caller's folders, and to give back what it wrote.
_KEPT_CAPABILITIES = frozenset({"SYS_PTRACE", "CHOWN", "DAC_OVERRIDE", "FOWNER"})


def rehearsed(executions: tuple[Execution, ...], implementation: str) -> tuple[tuple[Execution, ...], tuple[str, ...]]:
    """The steps without devices and privileges that the stand-in has no use for, and what to mark on the record."""
    mark = f"REHEARSAL: a stand-in took the place of {implementation}'s image; no figure means anything"
    dropped = sorted({what for each in executions for what in _taken(each.container)})
    marks = (mark, f"left out in the rehearsal: {', '.join(dropped)}") if dropped else (mark,)
    return tuple(replace(each, container=_plain(each.container)) for each in executions), marks


def paced(spec: RunSpec, rules: BenchmarkRules) -> RunSpec:
    """A rate at which a served accuracy run over the whole data set ends soon: a stand-in answers at once."""
    if spec.mode is not Mode.ACCURACY or spec.scenario not in {Scenario.SERVER, Scenario.INTERACTIVE}:
        return spec
    if spec.loadgen.target_qps is not None:
        return spec
    rate = max(rules.accuracy_count(spec.scenario) / _SERVED_ACCURACY_S, 1.0)
    return replace(spec, loadgen=replace(spec.loadgen, target_qps=round(rate, 1)))


def stand_in(asset: Asset, *files: str) -> Asset:
    """An asset of the real suite as a folder that says what it stands for; what is at hand stays as it is."""
    if isinstance(asset.source, LocalPath | Prepared | PypiPackage):
        return asset
    names = tuple(dict.fromkeys((*files, *(file.name for file in asset.files))))
    return Asset(
        name=f"{asset.name}-stand-in",
        kind=asset.kind,
        source=StandIn(of=asset.name, names=names),
        licence="none: a stand-in",
        evidence=Evidence.REHEARSED,
    )


def _plain(spec: ContainerSpec) -> ContainerSpec:
    return replace(
        spec,
        privileged=False,
        ipc_host=False,
        security_options=(),
        devices=(),
        groups=(),
        runtime=None,
        gpus=(),
        add_capabilities=tuple(one for one in spec.add_capabilities if one in _KEPT_CAPABILITIES),
        limits=Limits(
            memory_bytes=spec.limits.memory_bytes, cpuset=None, pids=spec.limits.pids, shm_bytes=None, ulimits=()
        ),
    )


def _taken(spec: ContainerSpec) -> tuple[str, ...]:
    """What `_plain` takes away, in words."""
    kept = set(grants(_plain(spec)))
    gone = tuple(one for one in spec.add_capabilities if one not in _KEPT_CAPABILITIES)
    return tuple(grant for grant in grants(replace(spec, add_capabilities=gone)) if grant not in kept)
