"""Drive MLCommons' reference harnesses: each family's own, from the round's sources. Pure; starts nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestrator.domain.plan import Execution
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.suggest import unknown
from orchestrator.implementations.reference_bert import bert
from orchestrator.implementations.reference_harness import Harness, executions
from orchestrator.implementations.reference_llm import deepseek, gpt_oss, gptj, llm
from orchestrator.implementations.reference_models import (
    pointpainting,
    rgat,
    rnnt,
    stable_diffusion,
    unet3d,
    wan,
    whisper,
)
from orchestrator.implementations.reference_rag import rag
from orchestrator.implementations.reference_recommendation import dlrm, dlrm_v2, dlrm_v3
from orchestrator.implementations.reference_vision import vision, yolo
from orchestrator.implementations.reference_vlm import qwen3_vl

_FAMILIES: Mapping[str, Callable[[RunSpec, Situation], Harness]] = {
    "resnet50": vision,
    "retinanet": vision,
    "mobilenet": vision,
    "ssd-mobilenet": vision,
    "ssd-resnet34": vision,
    "yolo": yolo,
    "bert": bert,
    "3d-unet": unet3d,
    "dlrm": dlrm,
    "dlrm-v2": dlrm_v2,
    "dlrm-v3": dlrm_v3,
    "rnnt": rnnt,
    "whisper": whisper,
    "stable-diffusion-xl": stable_diffusion,
    "wan-2.2-t2v-a14b": wan,
    "rgat": rgat,
    "pointpainting": pointpainting,
    "gptj": gptj,
    "llama2-70b": llm,
    "llama3.1-8b": llm,
    "llama3.1-405b": llm,
    "mixtral-8x7b": llm,
    "deepseek-r1": deepseek,
    "gpt-oss-120b": gpt_oss,
    "qwen3-vl-235b-a22b": qwen3_vl,
    "e2e-rag": rag,
}


def steps(spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
    """The containers of one run. UsageError for a family that has no reference harness."""
    family = on.benchmark.family or on.benchmark.name
    if family not in _FAMILIES:
        raise unknown("family of reference harnesses", family, _FAMILIES)
    return executions(spec, on, _FAMILIES[family](spec, on))
