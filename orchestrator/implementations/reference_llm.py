"""Large language models with their reference harnesses (language/*), alone or as the client of a server. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

from orchestrator.domain.container import ContainerSpec, Mount
from orchestrator.domain.plan import Execution, HealthCheck, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Device, Mode, Scenario
from orchestrator.errors import UsageError
from orchestrator.implementations.common import ACCURACY_LOG, LOADGEN_LOGS, OUTPUT, loadgen_model
from orchestrator.implementations.reference_harness import (
    AUDIT,
    USER_CONF,
    Harness,
    dataset_at,
    devices,
    limited,
    model_at,
    old_configuration,
    options,
    parameter,
    placed,
    scenario_word,
)

SERVER = "server"
_LOG = str(OUTPUT / ACCURACY_LOG)


def llm(spec: RunSpec, on: Situation) -> Harness:
    """main.py of llama2-70b, llama3.1-8b, llama3.1-405b and mixtral-8x7b: one shape, some options each."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    samples = dataset / parameter(on, "dataset_file")
    count = limited(spec, "--total-sample-count") or ("--total-sample-count", str(on.rules.dataset_samples))
    arguments = (
        *("--scenario", scenario_word(spec)),
        *("--model-path", str(model)),
        *("--dataset-path", str(samples)),
        *count,
        *("--dtype", parameter(on, "dtype", "bfloat16")),
        *("--user-conf", str(USER_CONF)),
        *("--audit-conf", str(AUDIT)),
        *("--output-log-dir", str(OUTPUT)),
        *_runtime(spec, on, str(model)),
        *(("--batch-size", str(spec.knobs.batch_size)) if spec.knobs.batch_size else ()),
        *old_configuration(on),
    )
    return Harness(
        folder=parameter(on, "folder"),
        script="main.py",
        arguments=arguments,
        copied=True,
        mounts=(*model_mounts, *dataset_mounts),
        environment=(("TOKENIZERS_PARALLELISM", "false"),),
        score=_score(spec, on, str(model), str(samples), count),
        score_image=on.offer.parameters.get("score_image"),
        score_network=True,
        corrected=bool(old_configuration(on)) or _unknown_name(spec, on),
        joins=SERVER if _served(on) else None,
        service=_server(spec, on, model, model_mounts) if _served(on) else (),
    )


def _served(on: Situation) -> bool:
    return "server" in on.offer.parameters


def _runtime(spec: RunSpec, on: Situation, model: str) -> tuple[str, ...]:
    """How tokens are made: in the process, by a vLLM of its own, or by a server beside it."""
    name = loadgen_model(spec.scenario, on)
    known = on.offer.parameters.get("names", "").split()
    called = ("--lg-model-name", name) if name in known else ()
    if _served(on):
        api = ("--vllm", "--api-server", ADDRESS, "--api-model-name", model)
        return (*called, *api, "--num-workers", _workers(spec, on))
    match parameter(on, "runtime"):
        case "vllm":
            return (*called, "--vllm", "--tensor-parallel-size", str(parallel(spec, on)))
        case _:
            device = "cuda:0" if spec.device is Device.CUDA else "cpu"
            return (*called, "--device", device, "--num-workers", _workers(spec, on))


def _unknown_name(spec: RunSpec, on: Situation) -> bool:
    """Whether the harness has no option for the name that LoadGen has to be given."""
    known = on.offer.parameters.get("names", "").split()
    return spec.scenario is Scenario.INTERACTIVE and loadgen_model(spec.scenario, on) not in known


def _workers(spec: RunSpec, on: Situation) -> str:
    return options(spec, on).get("workers", "1")


def parallel(spec: RunSpec, on: Situation) -> int:
    """Over how many accelerators one copy of the model is spread."""
    return int(options(spec, on).get("tensor_parallel", str(devices(spec, on))))


def _score(spec: RunSpec, on: Situation, model: str, samples: str, count: tuple[str, ...]) -> tuple[str, ...]:
    log = ("--mlperf-accuracy-file", _LOG, "--dataset-file", samples)
    match parameter(on, "score"):
        case "evaluation":
            return ("evaluation.py", *log, "--model-name", model, *count, "--dtype", "int32")
        case "workers":
            workers = ("--n_workers", str(spec.knobs.threads or on.host.usable_cpus))
            return ("evaluate-accuracy.py", "--checkpoint-path", model, *log, "--dtype", "int32", *workers)
        case _:
            return ("evaluate-accuracy.py", "--checkpoint-path", model, *log, "--dtype", "int32")


# -- a server and its client ------------------------------------------------------------------------------------------

_PORT = "8000"
ADDRESS = f"http://localhost:{_PORT}"
_HEALTH = "import urllib.request as r; r.urlopen('http://localhost:{port}/health', timeout=5)"


def _server(spec: RunSpec, on: Situation, model: PurePosixPath, mounts: tuple[Mount, ...]) -> tuple[Execution, ...]:
    dtype = parameter(on, "dtype", "bfloat16")
    flags = ("--tensor-parallel-size", str(parallel(spec, on)), "--dtype", dtype)
    return vllm_server(spec, on, model, mounts, flags)


def vllm_server(
    spec: RunSpec, on: Situation, model: PurePosixPath, mounts: tuple[Mount, ...], flags: tuple[str, ...]
) -> tuple[Execution, ...]:
    """vLLM's own server over the same model; the client shares its network, and nobody else can reach it."""
    command = (
        *("python3", "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", str(model), "--served-model-name", str(model), "--host", "127.0.0.1", "--port", _PORT),
        *flags,
    )
    return (_service(spec, on, command, mounts, _PORT),)


def _service(spec: RunSpec, on: Situation, command: tuple[str, ...], mounts: tuple[Mount, ...], port: str) -> Execution:
    container: ContainerSpec = placed(
        spec, on, command, mounts=mounts, image=parameter(on, "server"), environment=(("VLLM_NO_USAGE_STATS", "1"),)
    )
    return Execution(
        name=SERVER,
        role=Role.SERVICE,
        scenario=spec.scenario,
        folder=PurePosixPath(SERVER),
        container=container,
        health=HealthCheck(command=("python3", "-c", _HEALTH.format(port=port)), interval_s=2.0, timeout_s=3600.0),
    )


# -- gptj, deepseek-r1, gpt-oss-120b ----------------------------------------------------------------------------------


def gptj(spec: RunSpec, on: Situation) -> Harness:
    """language/gpt-j: options with underscores, logs in the fixed folder build/logs."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    samples = str(dataset / parameter(on, "dataset_file", "cnn_eval.json"))
    arguments = (
        *("--backend", "pytorch", "--scenario", scenario_word(spec)),
        *("--model-path", str(model), "--dataset-path", samples),
        *("--dtype", parameter(on, "dtype", "bfloat16")),
        *(limited(spec, "--max_examples") or ("--max_examples", str(on.rules.dataset_samples))),
        *("--user_conf", str(USER_CONF), "--audit_conf", str(AUDIT)),
        *(("--gpu",) if spec.device is Device.CUDA else ()),
        *old_configuration(on),
    )
    return Harness(
        folder="language/gpt-j",
        script="main.py",
        arguments=arguments,
        copied=True,
        environment=(("LOG_PATH", str(OUTPUT)),),
        mounts=(*model_mounts, *dataset_mounts),
        score=("evaluation.py", "--mlperf-accuracy-file", _LOG, "--dataset-file", samples),
        score_network=True,
        corrected=bool(old_configuration(on)),
    )


def deepseek(spec: RunSpec, on: Situation) -> Harness:
    """language/deepseek-r1: the backend is an environment variable, the audit file one of the working directory."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    samples = str(dataset / parameter(on, "dataset_file"))
    distributed = on.offer.backend == "pytorch"
    if distributed and spec.scenario is not Scenario.OFFLINE:
        raise UsageError("deepseek-r1's PyTorch backend runs Offline only", hint="use --backend vllm or sglang")
    launcher = ("torchrun", "--nproc_per_node", str(devices(spec, on))) if distributed else ("python3", "-u")
    arguments = (
        *("--mode", spec.scenario.value.lower()),
        *("--input-file", samples),
        *("--user-conf", str(USER_CONF)),
        *("--output-dir", str(OUTPUT), "--log-dir", str(OUTPUT)),
    )
    return Harness(
        folder="language/deepseek-r1",
        script="run_mlperf_mpi.py" if distributed else "run_mlperf.py",
        arguments=arguments,
        launcher=launcher,
        environment=(
            ("MLPERF_BACKEND", on.offer.backend),
            ("HF_HOME", str(model)),  # the harness names its model by repository: a cache of the hub is mounted
        ),
        mounts=(*model_mounts, *dataset_mounts),
        score=("eval_accuracy.py", "--input-file", _LOG, "--dataset-file", samples),
        score_network=True,
    )


def gpt_oss(spec: RunSpec, on: Situation) -> Harness:
    """language/gpt-oss-120b: a client of an SGLang server; its limits on tokens differ by mode."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    accuracy = spec.mode is Mode.ACCURACY
    samples = str(dataset / parameter(on, "accuracy_file" if accuracy else "dataset_file"))
    tokens = parameter(on, "accuracy_tokens" if accuracy else "performance_tokens")
    port = "30000"
    arguments = (
        *("--scenario", scenario_word(spec).lower()),
        *("--input-file", samples),
        *("--output-dir", str(OUTPUT)),
        *("--server-url", f"http://localhost:{port}"),
        *("--generation-config", "generation_config.json"),
        *("--max-new-tokens", tokens),
        *("--max-concurrency", options(spec, on).get("concurrency", "128")),
        *("--user-conf", str(USER_CONF)),
    )
    server = (
        *("python3", "-m", "sglang.launch_server", "--model-path", str(model), "--host", "127.0.0.1", "--port", port),
        *("--tp-size", str(parallel(spec, on)), "--mem-fraction-static", "0.85", "--chunked-prefill-size", "16384"),
    )
    return Harness(
        folder="language/gpt-oss-120b",
        script="run_mlperf.py",
        arguments=arguments,
        copied=True,
        linked=(("audit.config", AUDIT),),
        mounts=(*model_mounts, *dataset_mounts),
        logs_from=(f"{scenario_word(spec).lower()}/{'accuracy' if accuracy else 'performance'}",),
        produces=LOADGEN_LOGS,
        corrected=spec.scenario is Scenario.INTERACTIVE,
        score=(
            *("eval_mlperf_accuracy.py", "--mlperf-log", _LOG, "--reference-data", samples),
            *("--tokenizer", str(model)),
        ),
        score_network=True,
        joins=SERVER,
        service=(_service(spec, on, server, model_mounts, port),),
    )
