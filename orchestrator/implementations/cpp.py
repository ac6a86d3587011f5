"""Drive the project's C++ harness (dockerfiles/cpp), which keeps to the contract of the Python one. Pure."""

from __future__ import annotations

from orchestrator.domain.plan import Execution
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import EngineName
from orchestrator.errors import UsageError
from orchestrator.implementations.cpp_official import official
from orchestrator.implementations.generic import executions

HARNESS = ("mlperf-sut", "harness.json")


def steps(spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
    """The steps of one run: for models of a round, its data and score come from MLCommons' own code.

    UsageError for the native engine.
    """
    if spec.engine is EngineName.NATIVE:
        raise UsageError(
            f"'{spec.implementation}' exists as a container image only: it is compiled in it",
            hint="use --engine docker, or --implementation generic with the native engine",
        )
    if "data" in on.offer.parameters:
        return official(spec, on, HARNESS)
    return executions(spec, on, harness=HARNESS)
