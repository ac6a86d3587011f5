"""Drive an implementation that is written down in YAML instead of programmed: `steps` of its catalogue file. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from orchestrator.domain.asset import CONTAINER_DATASET, CONTAINER_MODEL
from orchestrator.domain.benchmark import DeclaredStep
from orchestrator.domain.container import Mount, Network
from orchestrator.domain.plan import Execution, HealthCheck, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import EngineName, Mode
from orchestrator.errors import ConfigError, UsageError
from orchestrator.implementations.common import (
    LOADGEN_LOGS,
    OUTPUT,
    RESULT_FOLDER,
    container,
    knobs_of,
    loadgen_model,
    loadgen_scenario,
    loadgen_settings,
)

_ASSETS = PurePosixPath("/assets")


def steps(spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
    """The declared steps of this run's mode, in order; a service's network is shared by those after it."""
    if spec.engine is EngineName.NATIVE:
        raise UsageError(
            f"'{on.implementation.name}' is declared for containers", hint="leave --engine native out for it"
        )
    wanted = [step for step in on.implementation.steps if not step.modes or spec.mode in step.modes]
    results = [step for step in wanted if step.role == Role.RESULT]
    if len(results) != 1:
        raise ConfigError(
            (
                f"implementation '{on.implementation.name}': {len(results)} results in a {spec.mode.value} "
                "run; there must be one",
            ),
        )
    service: str | None = None
    made = []
    for step in wanted:
        made.append(_execution(step, spec, on, service))
        service = step.name if step.role == Role.SERVICE else service
    return tuple(made)


def _execution(step: DeclaredStep, spec: RunSpec, on: Situation, service: str | None) -> Execution:
    role = Role(step.role)
    measures = role is Role.RESULT
    shares = role is Role.EVALUATE
    filled = _names(spec, on)
    inside = container(
        spec,
        on,
        tuple(_fill(word, filled, step) for word in step.command),
        mounts=_mounts(on),
        environment=tuple(sorted((key, _fill(value, filled, step)) for key, value in step.environment.items())),
    )
    return Execution(
        name=step.name,
        role=role,
        scenario=spec.scenario,
        folder=RESULT_FOLDER if measures or shares else PurePosixPath(step.name),
        settings=loadgen_settings(spec, on, performance_sample_count=on.rules.performance_sample_count)
        if measures
        else None,
        container=replace(
            inside,
            image=step.image or on.image,
            network=Network(step.network),
            joins=service if role is not Role.SERVICE else None,
        ),
        produces=(*(LOADGEN_LOGS if measures else ()), *(PurePosixPath(_fill(n, filled, step)) for n in step.produces)),
        timeout_s=spec.timeout_s,
        files=((PurePosixPath("audit.config"), on.audit.text),) if measures and on.audit is not None else (),
        health=HealthCheck(command=tuple(_fill(word, filled, step) for word in step.health)) if step.health else None,
    )


def _names(spec: RunSpec, on: Situation) -> Mapping[str, str]:
    """What may stand in braces; docs/own-implementation.md lists it."""
    knobs = {**{name: knob.values[0] if knob.values else "" for name, knob in knobs_of(spec, on).items()}}
    return {
        "model": str(CONTAINER_MODEL / on.model.name) if on.model is not None else "",
        "dataset": str(CONTAINER_DATASET) if on.dataset is not None else "",
        "out": str(OUTPUT),
        "user_conf": str(OUTPUT / "user.conf"),
        "scenario": loadgen_scenario(spec.scenario),
        "mode": Mode.ACCURACY.value if spec.mode is Mode.ACCURACY else Mode.PERFORMANCE.value,
        "loadgen_model": loadgen_model(spec.scenario, on),
        "round": spec.round,
        "backend": spec.backend,
        "device": spec.device.value,
        "threads": str(spec.knobs.threads or on.host.usable_cpus),
        "batch_size": str(spec.knobs.batch_size or on.offer.batch_size),
        "samples": str(on.rules.dataset_samples),
        **{f"asset.{name}": str(_ASSETS / name) for name in on.assets},
        **{f"parameter.{name}": value for name, value in on.offer.parameters.items()},
        **{f"set.{name}": value for name, value in {**knobs, **dict(spec.knobs.extra)}.items()},
    }


def _mounts(on: Situation) -> tuple[Mount, ...]:
    made = []
    if on.model is not None:
        made.append(Mount(source=on.model, target=CONTAINER_MODEL / on.model.name))
    if on.dataset is not None:
        made.append(Mount(source=on.dataset, target=CONTAINER_DATASET))
    made += [Mount(source=path, target=_ASSETS / name) for name, path in on.assets.items()]
    return tuple(made)


def _fill(text: str, names: Mapping[str, str], step: DeclaredStep) -> str:
    """Put the names in; ConfigError for one that is not known. A brace is doubled to stand for itself."""
    out, rest = [], text
    while rest:
        before, brace, rest = rest.partition("{")
        out.append(before.replace("}}", "}"))
        if not brace:
            break
        if rest.startswith("{"):
            out.append("{")
            rest = rest[1:]
            continue
        name, closed, rest = rest.partition("}")
        if not closed or name not in names:
            raise ConfigError(
                (f"step '{step.name}': nothing is known as '{{{name}}}' in '{text}'",),
                hint=f"known: {', '.join(sorted(names))}; write {{{{ for a brace",
            )
        out.append(names[name])
    return "".join(out)
