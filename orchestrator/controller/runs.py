"""A set of runs: one request, several scenarios and modes; interrupted sets can be continued. Judges nothing."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.config.decode import decode_json
from orchestrator.controller.planning import renewed
from orchestrator.controller.recorder import utc_now
from orchestrator.controller.run import Tools, run
from orchestrator.controller.rundir import RunDir
from orchestrator.controller.watch import Watcher
from orchestrator.domain.canonical import fingerprint, pretty_json
from orchestrator.domain.plan import RunPlan
from orchestrator.domain.record import RunRecord, State
from orchestrator.domain.verdict import Standing
from orchestrator.errors import ConfigError, ExitCode, MlperfDockerError, UsageError
from orchestrator.host.files import write_atomic
from orchestrator.host.owner import owner_label, owner_lives

SET_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One run of a set: which decision, where it lies once begun."""

    fingerprint: str
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSet:
    """`<results>/sets/<id>.json`: which runs one command asked for, so that `--resume` does only what is missing."""

    schema_version: int = SET_SCHEMA
    id: str
    owner: str
    started: str
    request: str
    members: tuple[Member, ...]
    finished: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A run that was carried out, kept from an interrupted set, or failed; `error` is what stopped it."""

    directory: Path
    record: RunRecord
    plan: RunPlan
    kept: bool = False
    error: MlperfDockerError | None = None

    @property
    def exit_code(self) -> ExitCode:
        """This run's exit code: the failure's, else the verdict's."""
        if self.error is not None:
            return self.error.exit_code
        return exit_code_of(self.record)


def exit_code_of(record: RunRecord) -> ExitCode:
    """What a finished record means for a script."""
    if record.failure is not None:
        return ExitCode(record.failure.exit_code)
    verdict = record.verdict
    if verdict is None:
        return ExitCode.FAILURE
    if verdict.standing is Standing.INVALID:
        return ExitCode.INVALID
    if verdict.standing is Standing.VALID or verdict.clean:
        return ExitCode.OK
    return ExitCode.HARNESS


def run_set(
    plans: Sequence[RunPlan], results: Path, tools: Tools, watcher: Watcher, *, resume: bool = False
) -> tuple[Done, ...]:
    """Carry out all plans in order; a failed run does not stop the others, an interruption does.

    With `resume`, finished runs of the newest interrupted set of the same request are kept, and said to be kept.
    Nothing is written where no engine answers (EngineError) or the results cannot be (MlperfDockerError).
    """
    tools.engine.info()
    request = fingerprint([plan.fingerprint for plan in plans])
    set_ = _begin(results, request, plans, resume=resume)
    done: list[Done] = []
    for number, plan in enumerate(plans):
        kept = _kept(results, set_.members[number], plan) if resume else None
        title = f"{plan.spec.model} {plan.spec.scenario.value} {plan.spec.mode.value}"
        watcher.begin_run(title, number + 1, len(plans))
        if kept is not None:
            watcher.say(f"kept from the interrupted set {set_.id}: {kept.directory.name}")
            done.append(kept)
            continue
        fresh = renewed(plan, datetime.now(UTC))
        set_ = _note(results, set_, number, fresh.run_id)
        done.append(_one(fresh, results, tools, watcher))
    write_atomic(_path(results, set_.id), pretty_json(replace(set_, finished=utc_now())))
    return tuple(done)


def _one(plan: RunPlan, results: Path, tools: Tools, watcher: Watcher) -> Done:
    directory = RunDir.create(results, plan)
    try:
        record = run(plan, directory, tools, watcher)
    except MlperfDockerError as error:
        if error.exit_code is ExitCode.INTERRUPTED:
            raise
        return Done(directory=directory.path, record=read_record(directory), plan=plan, error=error)
    return Done(directory=directory.path, record=record, plan=plan)


def read_record(directory: RunDir) -> RunRecord:
    """run.json as a value; ConfigError names the file and what is wrong in it."""
    return decode_json(RunRecord, directory.record.read_text(), str(directory.record))


def _begin(results: Path, request: str, plans: Sequence[RunPlan], *, resume: bool) -> RunSet:
    if resume:
        found = _newest_unfinished(results, request)
        if found is None:
            raise UsageError(
                "there is no interrupted set of the same runs to resume",
                hint=f"looked in {results / 'sets'}; the request must be the same; without --resume all start anew",
            )
        begun = replace(found, owner=owner_label())
    else:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        begun = RunSet(
            id=f"{stamp}-{secrets.token_hex(4)}",
            owner=owner_label(),
            started=utc_now(),
            request=request,
            members=tuple(Member(fingerprint=plan.fingerprint) for plan in plans),
        )
    try:
        (results / "sets").mkdir(parents=True, exist_ok=True)
        write_atomic(_path(results, begun.id), pretty_json(begun))
    except OSError as error:
        raise MlperfDockerError(
            f"cannot write into {results}: {error.strerror}", hint="choose another place with --results-dir"
        ) from error
    return begun


def _newest_unfinished(results: Path, request: str) -> RunSet | None:
    for path in sorted((results / "sets").glob("*.json"), reverse=True):
        try:
            found = decode_json(RunSet, path.read_text(), str(path))
        except ConfigError:
            continue
        if found.request == request and found.finished is None and not owner_lives(found.owner):
            return found
    return None


def _kept(results: Path, member: Member, plan: RunPlan) -> Done | None:
    """The member's run if it is done, whole and of this very decision."""
    if member.run_id is None:
        return None
    directory = RunDir(results / "runs" / member.run_id)
    if directory.broken_seal():
        return None
    record = read_record(directory)
    if record.state is not State.DONE or record.plan_fingerprint != plan.fingerprint:
        return None
    return Done(directory=directory.path, record=record, plan=plan, kept=True)


def _note(results: Path, set_: RunSet, number: int, run_id: str) -> RunSet:
    members = (
        *set_.members[:number],
        replace(set_.members[number], run_id=run_id),
        *set_.members[number + 1 :],
    )
    noted = replace(set_, members=members)
    write_atomic(_path(results, set_.id), pretty_json(noted), durable=False)
    return noted


def _path(results: Path, set_id: str) -> Path:
    return results / "sets" / f"{set_id}.json"
