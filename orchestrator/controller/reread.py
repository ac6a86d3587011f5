"""Read a finished run directory back, trusting it only as far as its seal. Changes nothing."""

from __future__ import annotations

from pathlib import Path

from orchestrator.controller.execute import read_plan
from orchestrator.controller.rundir import RunDir
from orchestrator.controller.runs import Done, read_record
from orchestrator.domain.record import State
from orchestrator.errors import HarnessError, MlperfDockerError, UsageError
from orchestrator.host.owner import owner_lives


def reread(path: Path) -> Done:
    """A sealed run; UsageError when it is none, still runs, or crashed; an error when the seal is broken."""
    directory = RunDir(path)
    plan = read_plan(directory)
    if not directory.record.is_file():
        raise UsageError(f"{path}: planned, but never carried out", hint=f"mlperf-docker execute {path}")
    record = read_record(directory)
    if record.state is State.RUNNING:
        if owner_lives(record.owner):
            raise UsageError(f"{path}: still runs (phase {record.phases[-1].phase.value if record.phases else '-'})")
        raise HarnessError(
            f"{path}: its controller died in phase {record.phases[-1].phase.value if record.phases else '-'}",
            hint="mlperf-docker clean removes what it left; run again with --resume",
        )
    broken = directory.broken_seal()
    if broken:
        raise MlperfDockerError(
            f"{path}: the seal is broken: {', '.join(broken)}", hint="these files were changed after the run"
        )
    return Done(directory=path, record=record, plan=plan)


def states(results: Path) -> list[tuple[str, str]]:
    """(run id, state) of every run, by name; `crashed` when its controller is dead, `planned` without record."""
    found = []
    for path in sorted(path for path in (results / "runs").glob("*") if path.is_dir()):
        directory = RunDir(path)
        if not directory.record.is_file():
            found.append((path.name, "planned"))
            continue
        try:
            record = read_record(directory)
        except MlperfDockerError:
            found.append((path.name, "unreadable"))
            continue
        dead = record.state is State.RUNNING and not owner_lives(record.owner)
        found.append((path.name, "crashed" if dead else record.state.value))
    return found
