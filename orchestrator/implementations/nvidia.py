"""Drive NVIDIA's own harness (closed/NVIDIA of rounds v4.1 to v5.1) by its make targets. Pure; starts nothing.

Its folder /work lives on the host, outlives the run, and holds what `make build` and `make generate_engines` make; the
scratch folder has the same path inside and outside, because the harness keeps absolute links into it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path, PurePosixPath

from orchestrator.domain.container import ContainerSpec, Limits, Mount, Network
from orchestrator.domain.plan import Execution, HealthCheck, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Mode, Tier
from orchestrator.errors import UsageError
from orchestrator.implementations.common import ACCURACY_TEXT, LOADGEN_LOGS, OUTPUT, RESULT_FOLDER, container
from orchestrator.implementations.nvidia_arguments import benchmark_name, core_type, measuring, workload
from orchestrator.implementations.nvidia_rounds import CODES, FIRST_PORT, HEALTH, LEFT_OVER, REGISTRY, STEP, WORK
from orchestrator.implementations.nvidia_systems import configuration, described, hostname, identifier

_SHM_BYTES = 32 * 1024**3
_UNPRIVILEGED = (10001, 10001)  # NVIDIA's harness refuses uid 0: the one that runs when root asks
_SERVED_CORES = frozenset({"trtllm_endpoint"})
_FILES = PurePosixPath("work")  # below an execution's folder: what step.sh copies over /work


def steps(spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
    """Build, download, preprocess, configure, engines, server, LoadGen run. UsageError for what it cannot do."""
    _refuse(spec, on)
    prepared = (
        *_built(spec, on),
        *_data(spec, on),
        _configured(spec, on),
        *_engines(spec, on),
    )
    server = (_server(spec, on),) if core_type(spec, on) in _SERVED_CORES else ()
    return (*prepared, *server, _result(spec, on, joins=bool(server)))


def _refuse(spec: RunSpec, on: Situation) -> None:
    if spec.round not in CODES:
        raise UsageError(
            f"implementation 'nvidia' does not drive round {spec.round}: its published code has another layout there "
            "(src/nv_mlpinf), which nobody has described well enough yet",
            hint=f"choose another with --round: {', '.join(CODES)}",
        )
    if spec.model_path is not None:
        raise UsageError(
            "NVIDIA's harness builds its engines from its own checkpoints, so it cannot take --model-path",
            hint="use --implementation reference or cpp for a model file of your own",
        )
    if spec.compliance_test is not None and CODES[spec.round].audit(spec.compliance_test) is None:
        raise UsageError(
            f"NVIDIA's code of {spec.round} has no make target for {spec.compliance_test}",
            hint=f"it has: {', '.join(name for name, _ in CODES[spec.round].audits)}",
        )
    if spec.mode is Mode.ACCURACY and on.offer.parameters.get("scored_outside") == "1":
        raise UsageError(
            f"NVIDIA scores '{spec.model}' in a second container that it starts through the engine's own socket; "
            "that would make the harness root on this machine, so it is not done",
            hint="use --mode performance or compliance here, or --implementation reference for the accuracy",
        )


def scratch_of(spec: RunSpec, on: Situation) -> Path:
    """The folder for data sets and models on the host, the same inside: `--set scratch=DIR`, else one of ours."""
    asked = dict(spec.knobs.extra).get("scratch")
    if asked is None:
        return on.work / "scratch"
    if not asked.startswith("/"):
        raise UsageError(f"--set scratch={asked}: must be an absolute path", hint="it is the same inside and outside")
    return Path(asked)


def _built(spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
    """LoadGen, plugins and harness, compiled for this machine's GPU inside the container, as the vendor does it."""
    is_llm = on.offer.parameters.get("llm") == "1"
    rgat = ("INSTALL_RGAT_DEPS=1",) if benchmark_name(on) == "rgat" else ()
    trtllm = () if is_llm else ("BUILD_TRTLLM=0",)
    command = ("build", f"INFERENCE_HASH={CODES[spec.round].inference}", *trtllm, *rgat)
    kind = "llm" if is_llm else "rgat" if rgat else "plain"
    return (_prepare(spec, on, "build", command, once=f"build-{kind}", network=Network.BRIDGE),)


def _data(spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
    """What must lie in the scratch folder, what the vendor's scripts fetch, and what they make of it."""
    name, parameters = benchmark_name(on), on.offer.parameters
    found: list[Execution] = []
    fetched = [target for target in parameters.get("downloads", "").split() if not _is_ours(target, on)]
    if fetched:
        command = ("make", "link_dirs", *fetched, f"BENCHMARKS={name}")
        found.append(
            _prepare(spec, on, "download", command, once=f"download-{name}", network=Network.BRIDGE, gpu=False)
        )
    expected = parameters.get("expects", "").split()
    if expected:
        found.append(_prepare(spec, on, "scratch", ("expect", *expected), gpu=False))
    if parameters.get("preprocess", "1") == "1":
        command = ("make", "link_dirs", "preprocess_data", f"BENCHMARKS={name}")
        found.append(_prepare(spec, on, "preprocess", command, once=f"preprocess-{name}"))
    if dict(spec.knobs.extra).get("calibrate") == "1":
        flags = " ".join(workload(spec, on))
        found.append(_prepare(spec, on, "calibrate", ("make", "calibrate", f"RUN_ARGS={flags}")))
    return tuple(found)


def _is_ours(target: str, on: Situation) -> bool:
    return target == "download_data" and on.dataset is not None


def _configured(spec: RunSpec, on: Situation) -> Execution:
    """The generated system and configuration, over the vendor's tree; up to v5.0 the system is registered as well."""
    how = "register" if CODES[spec.round].registers else "named"
    command = ("configure", identifier(spec, on), how, described(spec, on))
    files = tuple((_FILES / path, text) for path, text in configuration(spec, on))
    return replace(_prepare(spec, on, "configure", command), files=files)


def _engines(spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
    """Engines once for each workload and tuning; an LLM behind an endpoint makes what it needs when it starts."""
    if on.offer.parameters.get("engines", "1") != "1" or core_type(spec, on) in _SERVED_CORES:
        return ()
    flags = " ".join(workload(spec, on))
    about = "\n".join((flags, *(text for _, text in configuration(spec, on)), *(gpu.name for gpu in on.host.gpus)))
    key = hashlib.sha256(about.encode()).hexdigest()[:12]
    command = ("make", "generate_engines", f"RUN_ARGS={flags}")
    return (_prepare(spec, on, "engines", command, once=f"engines-{key}"),)


def _server(spec: RunSpec, on: Situation) -> Execution:
    """trtllm-serve in the foreground; the harness shares its network and finds it where it looks for it."""
    flags = " ".join((*workload(spec, on), "--server_in_foreground"))
    asked = dict(spec.knobs.extra).get("tensor_parallelism", on.offer.parameters.get("tensor_parallelism", "1"))
    copies = max(len(on.host.gpus) // int(asked), 1)
    ports = tuple(str(FIRST_PORT + index) for index in range(copies))
    execution = _step(spec, on, "server", Role.SERVICE, ("make", "run_llm_server", f"RUN_ARGS={flags}"))
    health = HealthCheck(command=("python3", HEALTH, *ports), interval_s=5.0, timeout_s=3600.0)
    return replace(execution, health=health)


def _result(spec: RunSpec, on: Situation, *, joins: bool) -> Execution:
    target = "run_harness"
    audit: tuple[tuple[PurePosixPath, str], ...] = ()
    if spec.compliance_test is not None:
        target = CODES[spec.round].audit(spec.compliance_test) or target
        where = _FILES / "build/inference/compliance/nvidia" / spec.compliance_test / _audit_folder(on)
        audit = ((where / "audit.config", on.audit.text),) if on.audit is not None else ()
    command = ("make", target, f"RUN_ARGS={' '.join(measuring(spec, on))}")
    execution = _step(spec, on, Role.RESULT.value, Role.RESULT, command)
    user_conf = spec.loadgen.user_conf
    own = ((PurePosixPath("user.conf"), user_conf),) if user_conf is not None else ()
    scored = (ACCURACY_TEXT,) if spec.mode is Mode.ACCURACY else ()
    return replace(
        execution,
        folder=RESULT_FOLDER,
        files=(*execution.files, *own, *audit),
        logs_from=("logs/*/*/*", "compliance/*/*/*/*"),
        produces=(*LOADGEN_LOGS, *scored),
        container=replace(execution.container, joins="server" if joins else None),
    )


def _audit_folder(on: Situation) -> str:
    name = benchmark_name(on)
    return "gpt-j" if name == "gptj" else name


def _prepare(
    spec: RunSpec,
    on: Situation,
    name: str,
    command: tuple[str, ...],
    *,
    once: str | None = None,
    network: Network = Network.NONE,
    gpu: bool = True,
) -> Execution:
    execution = _step(spec, on, name, Role.PREPARE, command, network=network, gpu=gpu)
    return replace(execution, once=on.work / "done" / once if once is not None else None)


def _step(
    spec: RunSpec,
    on: Situation,
    name: str,
    role: Role,
    command: tuple[str, ...],
    *,
    network: Network = Network.NONE,
    gpu: bool = True,
) -> Execution:
    """One container over the vendor's tree. No audit file of another run is there, before or after it."""
    tree = on.work / "tree"
    return Execution(
        name=name,
        role=role,
        scenario=spec.scenario,
        folder=PurePosixPath(name),
        phase=name,
        container=_container(spec, on, (STEP, *command), network=network, gpu=gpu),
        timeout_s=spec.timeout_s if role is Role.RESULT else None,
        remove_first=tuple(tree / left for left in LEFT_OVER),
    )


def _container(spec: RunSpec, on: Situation, command: tuple[str, ...], *, network: Network, gpu: bool) -> ContainerSpec:
    plain = container(spec, on, command, mounts=_mounts(spec, on), environment=_environment(spec, on, gpu=gpu))
    ours = replace(
        plain,
        user=_UNPRIVILEGED if on.user[0] == 0 and plain.user is not None else plain.user,
        workdir=WORK,
        network=network,
        hostname=hostname(spec),
        gpus=(spec.gpus or ("all",)) if gpu else (),
        limits=Limits(memory_bytes=spec.memory_bytes, shm_bytes=_SHM_BYTES),
    )
    return _as_the_vendor(spec, ours, gpu=gpu) if spec.privileges is Tier.VENDOR else ours


def _as_the_vendor(spec: RunSpec, plain: ContainerSpec, *, gpu: bool) -> ContainerSpec:
    """The flags of Makefile.docker, but for the engine's socket, the ssh agent and the home folder."""
    code = CODES[spec.round]
    return replace(
        plain,
        runtime=code.runtime if gpu else None,
        gpus=(spec.gpus or code.gpus) if gpu else (),
        network=Network.HOST,
        read_only_root=False,
        drop_capabilities=False,
        add_capabilities=("SYS_ADMIN", "SYS_TIME", *plain.add_capabilities),
        security_options=("apparmor=unconfined", "seccomp=unconfined"),
        devices=("/dev/fuse",),
        limits=Limits(memory_bytes=spec.memory_bytes, shm_bytes=_SHM_BYTES, ulimits=(("memlock", -1, -1),)),
    )


def _mounts(spec: RunSpec, on: Situation) -> tuple[Mount, ...]:
    scratch = scratch_of(spec, on)
    inside = PurePosixPath(scratch)
    mounts = [
        Mount(source=on.work / "tree", target=WORK, read_only=False, create=True),
        Mount(source=scratch, target=inside, read_only=False, create=True),
    ]
    place = on.offer.parameters.get("dataset_at")
    if on.dataset is not None and place is not None:
        # An engine would make the folder above it as root, and nothing else could be fetched into it.
        above = PurePosixPath(place).parent
        mounts.append(Mount(source=scratch / above, target=inside / above, read_only=False, create=True))
        mounts.append(Mount(source=on.dataset, target=inside / place))
    return tuple(mounts)


def _environment(spec: RunSpec, on: Situation, *, gpu: bool) -> tuple[tuple[str, str], ...]:
    """What the vendor's Makefiles read. SUBMITTER other than NVIDIA empties CONTAINER_REGISTRY, so it is always set."""
    variables = {
        "CONTAINER_REGISTRY": REGISTRY,
        "EXTERNAL_USER": "1",
        "HOST_HOSTNAME": hostname(spec),
        "LOG_DIR": str(OUTPUT / "logs"),
        "MLPERF_SCRATCH_PATH": str(scratch_of(spec, on)),
        "NVIDIA_VISIBLE_DEVICES": (",".join(spec.gpus) or "all") if gpu else "void",
        "SUBMITTER": spec.submitter,
    }
    if not CODES[spec.round].registers:
        variables["SYSTEM_NAME"] = identifier(spec, on)
    if not gpu:
        variables["SKIP_DRIVER_CHECK"] = "1"
    return tuple(sorted(variables.items()))


__all__ = ["scratch_of", "steps"]
