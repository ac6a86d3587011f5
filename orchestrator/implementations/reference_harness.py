"""What drives any of MLCommons' reference harnesses: one container for LoadGen, one for the official score. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from orchestrator.domain.asset import CONTAINER_DATASET, CONTAINER_MODEL
from orchestrator.domain.container import ContainerSpec, Limits, Mount, Network
from orchestrator.domain.plan import Execution, LoadGenSettings, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Device, EngineName, ExecutionMode, Mode, Tier
from orchestrator.errors import UsageError
from orchestrator.implementations.common import (
    ACCURACY_TEXT,
    LOADGEN_LOGS,
    OUTPUT,
    RESULT_FOLDER,
    check_knob,
    container,
    knobs_of,
    loadgen_model,
    loadgen_scenario,
    loadgen_settings,
)

CODE = PurePosixPath("/opt/inference")
OURS = PurePosixPath("/opt/mlperf-docker")
CACHE = PurePosixPath("/cache")
ASSETS = PurePosixPath("/assets")
AUDIT = OUTPUT / "audit.config"
USER_CONF = OUTPUT / "user.conf"
START = ("/bin/sh", str(OURS / "start.sh"))
_SHARED_MEMORY_BYTES = 8 << 30  # loaders of PyTorch pass batches through it
_SIGNATURE_FOLDER = PurePosixPath("signature")


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness:
    """How one family's harness is called. Paths are inside the container.

    `folder` (below the repository's top) is where it lies; it runs in a writable copy of it when `copied`, else in the
    output folder. `script` and `arguments` are its call, `accuracy` what is added in accuracy mode. `score` is the
    official accuracy script with its arguments, run in a copy of `score_folder` (with a network where it downloads what
    it scores with; `network` is what LoadGen's own container has). `corrected`: started through harness.py, which says
    why. `linked` are names in the copied folder that stand for other files, `writable` such as are copies of them.
    `prepare` and `service` come before; `joins` names the service whose network it shares.
    """

    folder: str
    script: str
    arguments: tuple[str, ...]
    accuracy: tuple[str, ...] = ("--accuracy",)
    copied: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    score: tuple[str, ...] = ()
    score_folder: str | None = None
    score_image: str | None = None
    corrected: bool = False
    loadgen_model: str | None = None
    performance_sample_count: int | None = None
    linked: tuple[tuple[str, PurePosixPath], ...] = ()
    writable: tuple[tuple[str, PurePosixPath], ...] = ()
    logs_from: tuple[str, ...] = ()
    produces: tuple[PurePosixPath, ...] = LOADGEN_LOGS
    launcher: tuple[str, ...] = ("python3", "-u")
    prepare: tuple[Execution, ...] = ()
    service: tuple[Execution, ...] = ()
    joins: str | None = None
    score_network: bool = False
    network: Network = Network.NONE
    files: tuple[tuple[PurePosixPath, str], ...] = ()


def parameter(on: Situation, name: str, default: str | None = None) -> str:
    """What the offer tells the driver; UsageError names an offer that lacks it."""
    found = on.offer.parameters.get(name, default)
    if found is None:
        raise UsageError(
            f"the offer of {on.benchmark.name} by {on.offer.implementation} ({on.offer.backend}) lacks '{name}'",
            hint="add it under `parameters` in the catalogue's offers",
        )
    return found


def options(spec: RunSpec, on: Situation) -> dict[str, str]:
    """The checked `--set` options of this run; UsageError names a wrong value."""
    known, given = knobs_of(spec, on), dict(spec.knobs.extra)
    for name, value in given.items():
        if name in known:
            check_knob(name, known[name], value)
    return given


def model_at(on: Situation) -> tuple[PurePosixPath, tuple[Mount, ...]]:
    """Where the model stands inside, and its mount; UsageError when the run has none."""
    if on.model is None:
        raise UsageError(
            f"{on.benchmark.name} with {on.offer.backend} needs a model", hint="name it: --model-path FILE"
        )
    target = CONTAINER_MODEL / on.model.name
    return target, (Mount(source=on.model, target=target),)


def dataset_at(on: Situation) -> tuple[PurePosixPath, tuple[Mount, ...]]:
    """Where the data set stands inside, and its mount; UsageError when the run has none."""
    if on.dataset is None:
        raise UsageError(f"{on.benchmark.name} needs its data set", hint="give its folder: --dataset-path DIR")
    return CONTAINER_DATASET, (Mount(source=on.dataset, target=CONTAINER_DATASET),)


def asset_at(on: Situation, name: str) -> tuple[PurePosixPath, tuple[Mount, ...]]:
    """Where a further asset stands inside, and its mount."""
    if name not in on.assets:
        raise UsageError(f"{on.benchmark.name} needs the asset '{name}'", hint=f"give it: --asset {name}=DIR")
    target = ASSETS / name
    return target, (Mount(source=on.assets[name], target=target),)


def cache_of(on: Situation, what: str) -> Mount:
    """A folder that keeps what is made of this data set (preprocessed pictures, say) for later runs."""
    key = hashlib.sha256(str(on.dataset).encode()).hexdigest()[:12]
    return Mount(source=on.work / f"{what}-{key}", target=CACHE / what, read_only=False, create=True)


def limited(spec: RunSpec, option: str) -> tuple[str, ...]:
    """The option that takes part of the data set: for short accuracy runs, and only when the user named a number."""
    count = spec.loadgen.test_query_count
    short = spec.execution_mode is ExecutionMode.TEST and spec.mode is Mode.ACCURACY
    return (option, str(count)) if short and count else ()


def old_configuration(on: Situation) -> tuple[str, ...]:
    """The option by which harnesses of old rounds insist on an mlperf.conf; the offer says `ROUND,ROUND:OPTION`."""
    rounds, _, option = on.offer.parameters.get("mlperf_conf", "").partition(":")
    return (option, str(OURS / "mlperf.conf")) if on.round.name in rounds.split(",") else ()


def executions(spec: RunSpec, on: Situation, harness: Harness) -> tuple[Execution, ...]:
    """The run's steps: the check of a model of the user's, preparation, services, LoadGen, the official score."""
    checks = (_signature(spec, on),) if spec.model_path is not None and "inputs" in on.offer.parameters else ()
    scores = (_score(spec, on, harness),) if spec.mode is Mode.ACCURACY and harness.score else ()
    return (*checks, *harness.prepare, *harness.service, _result(spec, on, harness), *scores)


def devices(spec: RunSpec, on: Situation) -> int:
    """How many accelerators a run has: those that were asked for, else all that are there."""
    named = tuple(gpu for gpu in spec.gpus if gpu != "all")
    return max(1, len(named) or len(on.host.gpus))


def settings(spec: RunSpec, on: Situation, harness: Harness) -> LoadGenSettings:
    """The user.conf under the name that the harness hands to LoadGen."""
    found = loadgen_settings(spec, on, performance_sample_count=harness.performance_sample_count)
    return replace(found, loadgen_model=harness.loadgen_model) if harness.loadgen_model else found


def placed(
    spec: RunSpec,
    on: Situation,
    command: tuple[str, ...],
    *,
    mounts: tuple[Mount, ...] = (),
    environment: tuple[tuple[str, str], ...] = (),
    image: str | None = None,
) -> ContainerSpec:
    """A container on the run's device; what the vendor tier adds is upstream's own list of flags."""
    cuda = spec.device is Device.CUDA
    vendor = cuda and spec.privileges is Tier.VENDOR
    chosen = (("USE_GPU", "yes"),) if cuda else (("USE_GPU", "no"), ("CUDA_VISIBLE_DEVICES", ""))
    plain = container(spec, on, command, mounts=mounts, environment=(*chosen, *environment))
    return replace(
        plain,
        image=image or plain.image,
        gpus=(spec.gpus or ("all",)) if cuda else (),
        ipc_host=vendor,
        limits=Limits(
            memory_bytes=spec.memory_bytes,
            shm_bytes=None if vendor else _SHARED_MEMORY_BYTES,
            ulimits=(("memlock", -1, -1), ("stack", 67108864, 67108864)) if vendor else (),
        ),
    )


def _corrections(spec: RunSpec, on: Situation, harness: Harness) -> tuple[tuple[str, str], ...]:
    """What harness.py is told, where a harness is started through it."""
    if not harness.corrected:
        return ()
    return (("MLPERF_LOADGEN_MODEL", loadgen_model(spec.scenario, on)), ("MLPERF_USER_CONF", str(USER_CONF)))


def _command(harness: Harness, arguments: tuple[str, ...]) -> tuple[str, ...]:
    where = CODE / harness.folder
    script = harness.script if harness.copied else str(where / harness.script)
    call = (str(OURS / "harness.py"), script) if harness.corrected else (script,)
    links = tuple(word for name, target in harness.linked for word in ("-l", f"{name}={target}"))
    copies = tuple(word for name, target in harness.writable for word in ("-w", f"{name}={target}"))
    prefix = (*START, "-c", str(where), *links, *copies) if harness.copied else ()
    return (*prefix, *harness.launcher, *call, *arguments)


def _result(spec: RunSpec, on: Situation, harness: Harness) -> Execution:
    if spec.engine is EngineName.NATIVE:
        raise UsageError("reference harnesses run in containers only", hint="use --engine docker")
    accuracy = harness.accuracy if spec.mode is Mode.ACCURACY else ()
    inside = placed(
        spec,
        on,
        _command(harness, (*harness.arguments, *accuracy)),
        mounts=harness.mounts,
        environment=(*harness.environment, *_corrections(spec, on, harness)),
    )
    return Execution(
        name=Role.RESULT.value,
        role=Role.RESULT,
        scenario=spec.scenario,
        folder=RESULT_FOLDER,
        settings=settings(spec, on, harness),
        container=replace(inside, joins=harness.joins, network=harness.network),
        produces=harness.produces,
        timeout_s=spec.timeout_s,
        files=(*harness.files, *_files(spec, on)),
        logs_from=harness.logs_from,
    )


def _files(spec: RunSpec, on: Situation) -> tuple[tuple[PurePosixPath, str], ...]:
    audit = ((PurePosixPath(AUDIT.name), on.audit.text),) if on.audit is not None else ()
    if spec.model_path is None or spec.model_name is None:
        return audit
    official = on.benchmark.checker_model or on.benchmark.name
    mapping = json.dumps({spec.model_name: official}, indent=2) + "\n"
    return (*audit, (PurePosixPath("model_mapping.json"), mapping))


def _score(spec: RunSpec, on: Situation, harness: Harness) -> Execution:
    folder = CODE / (harness.score_folder or harness.folder)
    command = (*START, "-c", str(folder), "-o", str(OUTPUT / ACCURACY_TEXT), "python3", *harness.score)
    online = (("HF_HUB_OFFLINE", "0"), ("NLTK_DATA", "/tmp/nltk")) if harness.score_network else ()  # noqa: S108
    environment = (*harness.environment, *online)
    inside = placed(spec, on, command, mounts=harness.mounts, environment=environment, image=harness.score_image)
    return Execution(
        name=Role.EVALUATE.value,
        role=Role.EVALUATE,
        scenario=spec.scenario,
        folder=RESULT_FOLDER,
        container=replace(inside, network=Network.BRIDGE if harness.score_network else Network.NONE),
        produces=(ACCURACY_TEXT,),
        timeout_s=None,
    )


def _signature(spec: RunSpec, on: Situation) -> Execution:
    """Refuse a model that does not fit before anything else starts."""
    model, mounts = model_at(on)
    report = OUTPUT / "signature.json"
    expected = (parameter(on, "inputs"), parameter(on, "outputs"))
    command = ("python3", str(OURS / "signature.py"), str(model), str(report), *expected)
    return Execution(
        name="signature",
        role=Role.PREPARE,
        scenario=spec.scenario,
        folder=_SIGNATURE_FOLDER,
        container=container(spec, on, command, mounts=mounts),
        produces=(PurePosixPath(report.name),),
    )


def scenario_word(spec: RunSpec) -> str:
    """The scenario as LoadGen and the harnesses spell it; Interactive is their Server."""
    return loadgen_scenario(spec.scenario)


def file_in(folder: PurePosixPath, on: Situation, name: str, default: str) -> str:
    """A file of a data set by the name that the offer gives, or the usual one."""
    return str(folder / on.offer.parameters.get(name, default))
