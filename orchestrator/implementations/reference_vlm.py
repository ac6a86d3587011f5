"""Pictures and text (qwen3-vl): a client that calls the reference harness' own functions, and a vLLM server. Pure."""

from __future__ import annotations

from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Mode
from orchestrator.implementations.common import ACCURACY_LOG, OUTPUT
from orchestrator.implementations.reference_harness import (
    AUDIT,
    OURS,
    USER_CONF,
    Harness,
    dataset_at,
    model_at,
    scenario_word,
)
from orchestrator.implementations.reference_llm import ADDRESS, SERVER, parallel, vllm_server

_CLIENT = str(OURS / "qwen3_vl.py")


def qwen3_vl(spec: RunSpec, on: Situation) -> Harness:
    """multimodal/qwen3-vl of round v6.0; prefix caching is off, as the rules demand."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    mode = "accuracy_only" if spec.mode is Mode.ACCURACY else "performance_only"
    arguments = (
        *("--scenario", scenario_word(spec).lower(), "--mode", mode),
        *("--user-conf", str(USER_CONF), "--output", str(OUTPUT), "--dataset", str(dataset)),
        *("--url", f"{ADDRESS}/v1", "--model", str(model)),
    )
    rules = ("--limit-mm-per-prompt.video", "0", "--no-enable-prefix-caching", "--async-scheduling")
    flags = (*rules, "--max-model-len", "32768", "--tensor-parallel-size", str(parallel(spec, on)))
    return Harness(
        folder="multimodal/qwen3-vl/src",
        script=_CLIENT,
        arguments=("benchmark", *arguments),
        accuracy=(),
        copied=True,
        linked=(("audit.config", AUDIT),),
        mounts=(*model_mounts, *dataset_mounts),
        score=(_CLIENT, "evaluate", "--log", str(OUTPUT / ACCURACY_LOG), "--dataset", str(dataset)),
        joins=SERVER,
        service=vllm_server(spec, on, model, model_mounts, flags),
    )
