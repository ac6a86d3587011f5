"""Drive vLLM as Red Hat published it: `vllm serve` and a LoadGen client beside it, or LoadGen around vLLM. Pure.

Two interfaces (an offer's parameter `interface`): `replica` are the clients of closed/RedHat of v5.1, `api` is the
reference's client of an API server. Server and client share a network of their own that leads nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from orchestrator.domain.asset import CONTAINER_DATASET, CONTAINER_MODEL
from orchestrator.domain.container import ContainerSpec, Limits, Mount, Network
from orchestrator.domain.plan import Execution, HealthCheck, LoadGenSettings, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import EngineName, Mode, Scenario, Tier
from orchestrator.errors import UsageError
from orchestrator.implementations import common
from orchestrator.implementations.common import ACCURACY_LOG, ACCURACY_TEXT, LOADGEN_LOGS, OUTPUT

VENDOR = PurePosixPath("/opt/vendor")
OURS = PurePosixPath("/opt/mlperf-docker")
HARNESS = "/opt/harness"
CACHE = PurePosixPath("/cache")
SERVER = "server"
URL = "http://localhost:8000"
_AUDIT = OUTPUT / "audit.config"
_USER_CONF = OUTPUT / "user.conf"
_READY_S = 3600.0  # loading 140 GB of weights and compiling takes its time
_SHARED_MEMORY_BYTES = 16 << 30  # workers of one replica exchange tensors through it
_MANY_FILES = ("nofile", 65536, 65536)  # one connection for each query under way
# The options of vLLM that are knobs; the others stand as published.
_KNOBS = (
    "max_model_len",
    "max_num_seqs",
    "max_num_batched_tokens",
    "gpu_memory_utilization",
    "kv_cache_dtype",
    "tensor_parallel_size",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One decided run: the spec, what it stands on, the options given, the GPU whose settings are taken.

    `model` and `data` are the host's folders.
    """

    spec: RunSpec
    on: Situation
    given: dict[str, str]
    gpu: str
    model: Path
    data: Path

    def parameter(self, name: str) -> str:
        """A parameter of the offer; empty where it has none."""
        return self.on.offer.parameters.get(name, "")

    @property
    def code(self) -> PurePosixPath:
        """The published client's folder inside."""
        return VENDOR / self.parameter("code")

    @property
    def dataset(self) -> str:
        """The data set's file inside."""
        return str(CONTAINER_DATASET / self.parameter("dataset_file"))

    @property
    def served(self) -> bool:
        """Whether vLLM runs behind its API server, in a container of its own."""
        return self.parameter("interface") == "api" or self.spec.scenario is Scenario.SERVER


def steps(spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
    """Server (where there is one), LoadGen client, and scoring behind an accuracy run."""
    if spec.engine is EngineName.NATIVE:
        raise UsageError("Red Hat's harness runs in its containers only", hint="use --engine docker or podman")
    if on.model is None or on.dataset is None:
        raise UsageError(
            f"{spec.model} needs its weights and its data set", hint="give --model-path and --dataset-path"
        )
    given = dict(spec.knobs.extra)
    known = common.knobs_of(spec, on)
    for name, value in given.items():
        if name in known:
            common.check_knob(name, known[name], value)
    run = Replica(spec=spec, on=on, given=given, gpu=given.get("gpu") or _gpu(on), model=on.model, data=on.dataset)
    server = (_server(run),) if run.served else ()
    scored = (_score(run),) if spec.mode is Mode.ACCURACY else ()
    return (*server, _result(run), *scored)


def _gpu(on: Situation) -> str:
    names = " ".join(gpu.name.lower() for gpu in on.host.gpus)
    return "l40s" if "l40s" in names else "h100"


def vllm_options(published: str, given: dict[str, str]) -> tuple[str, ...]:
    """The published options of vLLM with the knobs that were given in their place, or behind them."""
    options: dict[str, str | None] = {}
    words = published.split()
    for index, word in enumerate(words):
        if word.startswith("--"):
            following = words[index + 1] if index + 1 < len(words) else "--"
            options[word.replace("_", "-")] = None if following.startswith("--") else following
    options |= {f"--{name.replace('_', '-')}": given[name] for name in _KNOBS if name in given}
    return tuple(
        each for option, value in options.items() for each in ((option,) if value is None else (option, value))
    )


def _settings(run: Replica) -> LoadGenSettings:
    return common.loadgen_settings(run.spec, run.on)


def _environment(run: Replica) -> tuple[tuple[str, str], ...]:
    """What the published scripts export for the GPU."""
    pairs = (pair.partition("=") for pair in run.parameter(f"environment_{run.gpu}").split())
    return tuple((name, value) for name, _, value in pairs)


def _container(run: Replica, command: tuple[str, ...], *, gpu: bool) -> ContainerSpec:
    """The least vLLM or a client of it gets, or what the published launch scripts give it (tier vendor)."""
    spec, on = run.spec, run.on
    plain = common.container(
        spec,
        on,
        command,
        mounts=(Mount(source=run.model, target=CONTAINER_MODEL), Mount(source=run.data, target=CONTAINER_DATASET)),
    )
    whole = int(run.given.get("tensor_parallel_size", "1")) > 1
    plain = replace(
        plain,
        gpus=(spec.gpus or (("all",) if whole or run.parameter("interface") == "api" else ("0",))) if gpu else (),
        limits=replace(plain.limits, shm_bytes=_SHARED_MEMORY_BYTES if gpu else None, ulimits=(_MANY_FILES,)),
    )
    if spec.privileges is Tier.VENDOR:
        plain = replace(
            plain,
            ipc_host=True,
            network=Network.HOST,
            limits=Limits(
                memory_bytes=spec.memory_bytes,
                ulimits=(_MANY_FILES, ("memlock", -1, -1), ("stack", 67108864, 67108864)),
            ),
        )
    return plain


def _with_vllm(run: Replica, container: ContainerSpec) -> ContainerSpec:
    """A container that runs vLLM itself: it compiles kernels for this GPU and keeps them for later runs."""
    cache = Mount(source=run.on.work / "cache", target=CACHE, read_only=False, create=True)
    variables = {**dict(container.environment), **dict(_environment(run)), "HOME": str(CACHE)}
    return replace(
        container,
        mounts=(*container.mounts, cache),
        environment=tuple(sorted(variables.items())),
        read_only_root=False,
        tmpfs=(),
    )


def _server(run: Replica) -> Execution:
    options = vllm_options(run.parameter(f"serve_{run.gpu}"), run.given)
    command = ("vllm", "serve", str(CONTAINER_MODEL), *options)
    return Execution(
        name=SERVER,
        role=Role.SERVICE,
        scenario=run.spec.scenario,
        folder=PurePosixPath(SERVER),
        container=_with_vllm(run, _container(run, command, gpu=True)),
        health=HealthCheck(
            command=("python3", str(OURS / "health.py"), f"{URL}/health"),
            interval_s=2.0,
            timeout_s=run.spec.timeout_s or _READY_S,
        ),
    )


def _result(run: Replica) -> Execution:
    settings = _settings(run)
    arguments = _api(run) if run.parameter("interface") == "api" else _replica(run, settings)
    audited = run.on.audit is not None
    command = ("python3", *arguments, *(("--audit-conf", str(_AUDIT)) if audited else ()))
    container = _container(run, command, gpu=not run.served)
    container = replace(container, environment=(("PYTHONPATH", HARNESS),), joins=SERVER if run.served else None)
    return Execution(
        name=Role.RESULT.value,
        role=Role.RESULT,
        scenario=run.spec.scenario,
        folder=common.RESULT_FOLDER,
        settings=settings,
        container=container if run.served else _with_vllm(run, container),
        files=((PurePosixPath(_AUDIT.name), run.on.audit.text),) if run.on.audit is not None else (),
        produces=LOADGEN_LOGS,
        timeout_s=run.spec.timeout_s,
    )


def _replica(run: Replica, settings: LoadGenSettings) -> tuple[str, ...]:
    """The clients of v5.1: one for Server, one for Offline, each with its own name for the model's option."""
    spec = run.spec
    common_options = (
        *("--dataset-path", run.dataset),
        *("--user-conf", str(_USER_CONF)),
        *("--lg-model-name", settings.loadgen_model),
        *("--test-mode", "accuracy" if spec.mode is Mode.ACCURACY else "performance"),
        *("--output-log-dir", str(OUTPUT)),
    )
    if spec.scenario is not Scenario.SERVER:
        return (
            str(run.code / "SUT_VLLM_SingleReplica.py"),
            *("--model", str(CONTAINER_MODEL), "--scenario", spec.scenario.value),
            *common_options,
            *("--batch-size", str(spec.knobs.batch_size or run.on.offer.batch_size)),
            *vllm_options(run.parameter(f"offline_{run.gpu}"), run.given),
        )
    rate = settings.target_qps
    coalesced = run.given.get("coalesce") or run.parameter(f"coalesce_{run.gpu}")
    return (
        str(run.code / "SUT_VLLM_SingleReplica_Server.py"),
        *("--model-name", str(CONTAINER_MODEL), "--scenario", spec.scenario.value),
        *common_options,
        *(("--target-qps", f"{rate:g}") if rate is not None else ()),
        *("--api-server-url", URL),
        *(("--coalesce",) if coalesced == "yes" else ()),
    )


def _api(run: Replica) -> tuple[str, ...]:
    """The reference's main.py as a client of an API server; it asks that server for the model's name first."""
    spec, on = run.spec, run.on
    return (
        "-u",
        str(run.code / "main.py"),
        *("--scenario", spec.scenario.value),
        *("--model-path", str(CONTAINER_MODEL)),
        *("--dataset-path", run.dataset),
        *("--user-conf", str(_USER_CONF)),
        *("--total-sample-count", str(on.rules.dataset_samples)),
        *("--output-log-dir", str(OUTPUT)),
        *("--dtype", "float32", "--device", "cpu"),
        *("--vllm", "--api-model-name", str(CONTAINER_MODEL), "--api-server", URL),
        *(("--accuracy",) if spec.mode is Mode.ACCURACY else ()),
    )


def _score(run: Replica) -> Execution:
    """The published scorer. It fetches its metric and a tokenizer's data, so it alone has a network; no GPU."""
    model = "--checkpoint-path" if run.parameter("interface") == "api" else "--model-name"
    command = (
        *("/bin/sh", str(OURS / "score.sh"), str(OUTPUT / ACCURACY_TEXT)),
        *("python3", str(run.code / run.parameter("score"))),
        *("--mlperf-accuracy-file", str(OUTPUT / ACCURACY_LOG)),
        *("--dataset-file", run.dataset),
        *("--dtype", run.parameter("dtype")),
        *(model, str(CONTAINER_MODEL)),
    )
    container = _container(run, command, gpu=False)
    return Execution(
        name=Role.EVALUATE.value,
        role=Role.EVALUATE,
        scenario=run.spec.scenario,
        folder=common.RESULT_FOLDER,
        container=replace(
            container,
            network=Network.BRIDGE,
            environment=(("HF_HUB_OFFLINE", "0"), ("PYTHONPATH", HARNESS)),
        ),
        produces=(ACCURACY_TEXT,),
    )
