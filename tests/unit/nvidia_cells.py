"""What is particular to NVIDIA's cells: which of their runs its code has a target for, and how its steps read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.domain.plan import Execution
from orchestrator.domain.situation import Gpu, Host, Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Mode
from tests.unit.offer_cells import HOSTS, Cell


def host(*gpus: Gpu) -> Host:
    """A machine with these GPUs."""
    return replace(HOSTS["nvidia"], gpus=gpus)


def compliance(one: Cell) -> Iterator[tuple[RunSpec, Situation]]:
    """The compliance tests of a cell that NVIDIA's code has a target for."""
    for test in one.on().rules.compliance:
        if test in {"TEST01", "TEST04", "TEST06"} or (test == "TEST05" and one.round == "v4.1"):
            yield one.spec(Mode.COMPLIANCE, test), one.on(test)


def runs(one: Cell) -> Iterator[tuple[RunSpec, Situation]]:
    """All runs of a cell: performance, accuracy where NVIDIA's container can score, compliance."""
    yield one.spec(), one.on()
    if one.offer.parameters.get("scored_outside") != "1":
        yield one.spec(Mode.ACCURACY), one.on()
    yield from compliance(one)


def run_args(execution: Execution) -> list[str]:
    """The words of RUN_ARGS of a step."""
    found = [word for word in execution.container.command if word.startswith("RUN_ARGS=")]
    return found[0].removeprefix("RUN_ARGS=").split() if found else []
