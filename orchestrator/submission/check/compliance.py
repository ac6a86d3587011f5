"""Compliance tests: the folders that a model's rules ask for, their verdicts, their runs. Pure but for the tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from orchestrator.domain.submission import Fault
from orchestrator.domain.terms import Scenario
from orchestrator.layouts.paths import ACCURACY_LOG, ACCURACY_TEXT, DETAIL, SUMMARY
from orchestrator.submission.check.accuracy import figures
from orchestrator.submission.check.performance import run_faults
from orchestrator.submission.check.rules import ModelRules
from orchestrator.submission.check.unit import Unit

_MEASURED = frozenset({"TEST01", "TEST04"})  # a full performance run goes with them
_VERDICT = {"TEST09": "verify_output_len.txt", "TEST04": "verify_performance.txt"}
_ACCURACY_FILES = frozenset({ACCURACY_LOG, ACCURACY_TEXT, "baseline_accuracy.txt", "compliance_accuracy.txt"})
_TOKENS = (
    ("First token check pass: True", "First token check pass: Skipped"),
    ("EOS check pass: True",),
    ("Sample length check pass: True",),
)
_RUN_FILES = frozenset({DETAIL, SUMMARY})
_OPTIONAL = frozenset({ACCURACY_LOG, "mlperf_log_trace.json", "results.json", ".gitkeep"})


def compliance(unit: Unit) -> Iterator[Fault]:
    """Findings about the tests that the closed and network divisions ask for."""
    if not unit.closed or unit.model is None or unit.endpoints:
        return
    for test in unit.model.rules.compliance:
        folder = unit.layout.compliance(unit.place, test)
        if not unit.tree.has_folder(folder):
            yield unit.fault(
                "test_missing", folder, f"{test} is missing", f"run it: --mode compliance --compliance-test {test}"
            )
            continue
        yield from _verdict(unit, unit.model, test, folder)
        if test in _MEASURED:
            yield from _run(unit, folder)


def _verdict(unit: Unit, model: ModelRules, test: str, folder: PurePosixPath) -> Iterator[Fault]:
    for name in {"TEST01": ("verify_accuracy.txt", "verify_performance.txt")}.get(
        test, (_VERDICT.get(test, "verify_accuracy.txt"),)
    ):
        path = folder / name
        if unit.tree.size(path) is None or unit.tree.is_absent(path):
            yield unit.fault(
                "test_file_missing", path, "it is missing", "keep what the verification of the test writes"
            )
            continue
        text = unit.tree.text(path)
        lines = {line.strip() for line in text.splitlines()}
        match test, name:
            case "TEST06", _:
                passed = all(any(word in lines for word in words) for words in _TOKENS)
            case "TEST01", "verify_accuracy.txt":
                passed = "TEST PASS" in lines
                if not passed:
                    yield from _accuracy(unit, model, folder)
                    continue
            case "TEST08", _:
                passed = "TEST PASS" in lines
            case _:
                passed = "TEST PASS" in text
        if not passed:
            yield unit.fault(
                "test_failed",
                path,
                f"{test} did not pass",
                "find out why the run behaves differently, and run it again",
            )


def _accuracy(unit: Unit, model: ModelRules, folder: PurePosixPath) -> Iterator[Fault]:
    """TEST01 of a model whose answers vary: the accuracy of both runs may differ by a little."""
    where = folder / "accuracy"
    if not unit.tree.has_folder(where):
        yield unit.fault(
            "test_file_missing",
            where,
            "TEST01's answers differ, and no accuracy is given for them",
            "keep the test's accuracy folder",
        )
        return
    there = frozenset(unit.tree.folder(where).files)
    if there != _ACCURACY_FILES:
        odd = ", ".join(sorted(there ^ _ACCURACY_FILES))
        yield unit.fault(
            "test_file_missing",
            where,
            f"its files are not the four that are asked for: {odd}",
            "keep exactly these four",
        )
        return
    rules = model.rules
    targets = rules.targets(unit.scenario or Scenario.OFFLINE)
    both = [
        figures(unit.tree.text(where / f"{name}_accuracy.txt"), targets, model.lines)
        for name in ("baseline", "compliance")
    ]
    for target in targets:
        baseline, found = (each[target.metric][-1][1] if each[target.metric] else 0.0 for each in both)
        allowed = rules.accuracy_delta_percent.get(target.metric, 0.1 if "99.9" in model.name else 1.0)
        off = abs(1 - baseline / found) * 100 if baseline and found else None
        if off is None or off > allowed:
            yield unit.fault(
                "test_failed",
                where,
                f"{target.metric} is {found:g} under audit and {baseline:g} without; {allowed:g} % apart are allowed",
                "find out why the audited run answers differently",
            )


def _run(unit: Unit, folder: PurePosixPath) -> Iterator[Fault]:
    where = folder / "performance" / "run_1"
    log = unit.log(where)
    if log is None:
        yield unit.missing(
            "test_file_missing", where / DETAIL, "the audit run's log is missing", "keep the logs of the test's run"
        )
        return
    yield from run_faults(unit, where, log, audit=True)
    there = frozenset(unit.tree.folder(where).files)
    odd = (there - _RUN_FILES - _OPTIONAL) | (_RUN_FILES - there)
    if odd:
        yield unit.fault(
            "test_file_extra",
            where,
            f"files that do not belong there, or lack: {', '.join(sorted(odd))}",
            "keep the summary and the detail log",
        )
