"""Judge a run by its logs and its plan's rules. Pure; never looks at anything but what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.domain.case import Case, Reason, accuracy_samples, shown, whole
from orchestrator.domain.measurement import AccuracyLog, DetailLog
from orchestrator.domain.shortfall import shortfalls
from orchestrator.domain.terms import ExecutionMode, Mode, Scenario, Suite

__all__ = ["Case", "Reason", "Standing", "Verdict", "judge"]


class Standing(StrEnum):
    """Ours, not LoadGen's: a test run is never judged, whatever LoadGen said of it."""

    VALID = "VALID"
    INVALID = "INVALID"
    NOT_JUDGED = "not judged (test)"
    NO_RULES = "not judged (no rules for this model)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement. `clean`: every sample was answered and no log has an error; `loadgen_validity` is LoadGen's own
    word (null in accuracy runs). `reasons` say why it is not VALID (of a run that is not judged: why it is not clean).
    `blockers` say why the run could not be submitted, even when it is valid."""

    standing: Standing
    clean: bool
    loadgen_validity: str | None
    reasons: tuple[Reason, ...]
    blockers: tuple[Reason, ...]


_TEST_MODES = {
    Mode.PERFORMANCE: "PerformanceOnly",
    Mode.COMPLIANCE: "PerformanceOnly",
    Mode.ACCURACY: "AccuracyOnly",
}
_JUDGED_KEYS = ("effective_", "requested_", "result_", "early_stopping_", "qsl_", "num_errors", "power_")


def judge(run: Case) -> Verdict:
    """The verdict over a run whose processes ended well (exit statuses are judged before).

    Stricter than the official checker: VALID needs every fact to be in the log, and to be right; what is unknown
    counts against the run. A test run is never judged, a model without rules neither; both are still told clean or not.
    """
    unclean = tuple(_unclean(run))
    word = run.log.values.get("result_validity") if run.mode is not Mode.ACCURACY else None
    if run.execution_mode is ExecutionMode.TEST:
        standing, reasons = Standing.NOT_JUDGED, unclean
    elif not run.rules.judged:
        standing, reasons = Standing.NO_RULES, unclean
    else:
        reasons = (*unclean, *shortfalls(run))
        standing = Standing.INVALID if reasons else Standing.VALID
    return Verdict(
        standing=standing,
        clean=not unclean,
        loadgen_validity=word if isinstance(word, str) else None,
        reasons=reasons,
        blockers=tuple(_blockers(run)),
    )


# -- clean: the log is whole, holds no error, is of the test that was asked; every sample was answered ----------------


def _unclean(run: Case) -> Iterator[Reason]:
    log = run.log
    if log.lines == 0:
        yield Reason(code="log_empty", text="LoadGen's detail log is empty: LoadGen never started, or could not write.")
        return
    if not log.ended:
        yield Reason(
            code="log_cut",
            text="LoadGen's detail log stops before its end: the process died or the disk was full. Run again.",
        )
    if not log.readable:
        where = f"line {log.malformed[0]}" if log.malformed else f"{log.foreign} lines"
        yield Reason(
            code="log_damaged", text=f"LoadGen's detail log is damaged ({where}); it proves nothing. Run again."
        )
    # An accuracy run goes through its set in parts, each with a power window of its own.
    judged = tuple(key for key in _JUDGED_KEYS if key != "power_" or run.mode is not Mode.ACCURACY)
    twice = [key for key in log.contradicted if key.startswith(judged)]
    if twice:
        yield Reason(
            code="log_contradicts",
            text=f"LoadGen's detail log gives {twice[0]} twice, with different values: two tests wrote into one file.",
        )
    yield from _errors(log)
    yield from _wrong_test(run)
    if run.mode is Mode.ACCURACY and run.accuracy_log is not None:
        yield from _unanswered(run, run.accuracy_log)


def _errors(log: DetailLog) -> Iterator[Reason]:
    counted = log.values.get("num_errors", 0)
    if log.errors:
        more = f" (and {log.error_count - 1} more)" if log.error_count > 1 else ""
        yield Reason(code="loadgen_error", text=f"LoadGen logged an error: {log.errors[0].text.strip()}{more}")
    elif type(counted) is not int or counted != 0:
        yield Reason(code="loadgen_error", text=f"LoadGen counted {counted} errors that its log does not show.")


def _wrong_test(run: Case) -> Iterator[Reason]:
    asked = Scenario.SERVER if run.scenario is Scenario.INTERACTIVE else run.scenario
    for code, key, wanted in (
        ("wrong_scenario", "effective_scenario", asked.value),
        ("wrong_mode", "effective_test_mode", _TEST_MODES.get(run.mode, "a mode that can be judged")),
    ):
        found = run.log.values.get(key)
        if found != wanted:
            yield Reason(code=code, text=f"LoadGen ran {found or 'an unknown test'}, but {wanted} was asked.")


def _unanswered(run: Case, answers: AccuracyLog) -> Iterator[Reason]:
    if not answers.whole:
        yield Reason(code="accuracy_log_damaged", text=f"mlperf_log_accuracy.json is not whole: {answers.fault}.")
        return
    asked = accuracy_samples(run.log)
    if asked is None or answers.distinct_samples != asked:
        yield Reason(
            code="samples_missing",
            text=f"{answers.distinct_samples} samples were answered of {shown(asked)} that LoadGen asked for.",
        )
    expected = answers.distinct_samples
    if run.scenario is Scenario.MULTI_STREAM and (per_query := whole(run.log, "effective_samples_per_query")):
        expected = -(-expected // per_query) * per_query  # LoadGen fills the last query up with samples seen before
    if answers.entries != expected:
        yield Reason(
            code="samples_repeated",
            text=f"mlperf_log_accuracy.json holds {answers.entries} answers to {answers.distinct_samples} samples.",
        )
    if run.accuracy is not None and run.accuracy.log_sha256 != answers.sha256:
        yield Reason(
            code="accuracy_of_another_log",
            text="The accuracy was computed from another mlperf_log_accuracy.json than the one in this run.",
        )


# -- blockers: why it could not be submitted, valid or not ------------------------------------------------------------


def _blockers(run: Case) -> Iterator[Reason]:
    rules = run.rules
    for text in rules.not_submittable:
        yield Reason(code="plan", text=text)
    if rules.suite is not Suite.MLPERF and not rules.not_submittable:
        yield Reason(code="suite", text=f"a {rules.suite.value} model is never submittable in the closed division")
    if run.execution_mode is ExecutionMode.TEST and not rules.not_submittable:
        yield Reason(code="test_run", text="a test run is never submittable")
    found = whole(run.log, "effective_min_duration_ms")
    if run.mode is Mode.PERFORMANCE and (found is None or found < rules.min_duration_ms):
        yield Reason(
            code="min_duration_short", text=f"min duration {shown(found)} ms < {rules.min_duration_ms} ms of the rules"
        )
    for mark in run.marks:
        yield Reason(code="mark", text=mark)
