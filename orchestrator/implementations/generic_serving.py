"""Drive a language model behind our own streaming server: a service, and LoadGen as its client. Pure; starts nothing.

The client joins the server's network, which has nothing else in it: neither reaches any other machine.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from orchestrator.domain.asset import CONTAINER_DATASET, CONTAINER_MODEL
from orchestrator.domain.canonical import JsonValue
from orchestrator.domain.container import Mount
from orchestrator.domain.plan import Execution, HealthCheck, LoadGenSettings, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import EngineName, Scenario
from orchestrator.errors import UsageError
from orchestrator.implementations.common import container

SERVED_AS = "served_as"  # the offer's parameter with the model's name in requests: it asks for a server
SERVER = "server"
SERVER_FOLDER = PurePosixPath("server")
PORT = 8000
URL = f"http://127.0.0.1:{PORT}"
START_TIMEOUT_S = 300.0
MEASURED = "measured"
CONNECTIONS = 64  # far more than the server runs at a time: what waits, waits there
# How much of what one query at a time can do is asked of the server: arrivals bunch, and a first token that has to wait
# for the answer before it is what the limits are about.
_FIT = {Scenario.SERVER: 0.4, Scenario.INTERACTIVE: 0.25}


def is_served(on: Situation) -> bool:
    """Whether the offer puts the model behind a server."""
    return SERVED_AS in on.offer.parameters


def server(spec: RunSpec, on: Situation) -> Execution:
    """The service: the model folder, read-only, behind /v1/completions; the run's end ends it."""
    if on.model is None:
        raise UsageError("a served model needs a model folder", hint="give one with --model-path")
    folder = on.model.parent if on.model.name == "model.bin" else on.model
    native = spec.engine is EngineName.NATIVE
    inside = PurePosixPath(folder) if native else CONTAINER_MODEL
    options = dict(spec.knobs.extra)
    threads = _whole(options, "server_threads", spec.knobs.threads or on.host.usable_cpus)
    concurrency = _whole(options, "concurrency", 1)
    if concurrency > threads:
        raise UsageError(
            f"--set concurrency={concurrency}: each request at a time needs a thread, and the server has {threads}",
            hint="lower it, or raise --set server_threads",
        )
    command = (
        *("python", "-m", "orchestrator.serving", "serve", str(inside)),
        *("--name", on.offer.parameters[SERVED_AS], "--host", "127.0.0.1", "--port", str(PORT)),
        *("--threads", str(threads), "--concurrency", str(concurrency)),
        *("--compute-type", options.get("server_compute_type", "int8")),
    )
    return Execution(
        name=SERVER,
        role=Role.SERVICE,
        scenario=spec.scenario,
        folder=SERVER_FOLDER,
        container=container(
            replace(spec, run_prefix=()),
            on,
            command,
            mounts=(Mount(source=folder, target=inside),),
            environment=(("OMP_NUM_THREADS", str(max(1, threads // concurrency))), ("PYTHONUNBUFFERED", "1")),
        ),
        health=HealthCheck(command=("python", "-m", "orchestrator.serving", "health", URL), timeout_s=START_TIMEOUT_S),
    )


def client(spec: RunSpec, on: Situation, execution: Execution) -> Execution:
    """An execution of the generic harness (the result, or an estimate) as a client of that service."""
    options = dict(spec.knobs.extra)
    max_tokens = str(_whole(options, "max_tokens", int(on.offer.parameters.get("max_tokens", "16"))))
    harness: dict[str, JsonValue] = {
        **dict(execution.harness),
        "backend": "endpoint",
        "model": None,
        "threads": 1,
        "batch_size": 1,
        "workers": _whole(options, "connections", CONNECTIONS),
        "options": {"url": URL, "model": on.offer.parameters[SERVED_AS], "max_tokens": max_tokens},
    }
    native = spec.engine is EngineName.NATIVE
    dataset = () if on.dataset is None or native else (Mount(source=on.dataset, target=CONTAINER_DATASET),)
    inside = replace(
        execution.container,
        mounts=dataset or execution.container.mounts,
        joins=SERVER,
        environment=(("OMP_NUM_THREADS", "1"), ("PYTHONUNBUFFERED", "1")),
    )
    return replace(
        execution,
        harness=tuple(harness.items()),
        container=inside,
        settings=_token_settings(spec, on, execution),
    )


def _token_settings(spec: RunSpec, on: Situation, execution: Execution) -> LoadGenSettings | None:
    """First and further tokens are timed in the result; an estimate is about whole answers."""
    settings = execution.settings
    if settings is None or execution.role is not Role.RESULT or on.rules.token_latencies != MEASURED:
        return settings
    limits = on.rules.token_limits.get(spec.scenario)
    served = spec.scenario in {Scenario.SERVER, Scenario.INTERACTIVE}
    return replace(
        settings,
        use_token_latencies=True,
        ttft_latency_ms=limits.ttft_ns // 1_000_000 if limits is not None else None,
        tpot_latency_ms=limits.tpot_ns // 1_000_000 if limits is not None else None,
        target_latency_ms=None if served else settings.target_latency_ms,
        fit_factor=_FIT.get(spec.scenario, settings.fit_factor),
    )


def _whole(options: dict[str, str], name: str, default: int) -> int:
    text = options.get(name, str(default))
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"--set {name}={text}: must be a whole number of at least 1")
    return int(text)
