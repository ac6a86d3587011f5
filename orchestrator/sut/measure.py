"""One LoadGen test, from settings to the destroyed SUT. Judges nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mlperf_loadgen

from orchestrator.sut.config import Harness, Mode, Scenario
from orchestrator.sut.faults import SutError, bad_input, guarded
from orchestrator.sut.lanes import Lane, LoadGenCompletion, Traffic, traffic
from orchestrator.sut.model import ReadyModel
from orchestrator.sut.responses import encoder
from orchestrator.sut.store import Store
from orchestrator.sut.watch import progress

_SCENARIOS = {
    Scenario.OFFLINE: mlperf_loadgen.TestScenario.Offline,
    Scenario.SERVER: mlperf_loadgen.TestScenario.Server,
    Scenario.SINGLE_STREAM: mlperf_loadgen.TestScenario.SingleStream,
    Scenario.MULTI_STREAM: mlperf_loadgen.TestScenario.MultiStream,
}
_MODES = {
    Mode.PERFORMANCE: mlperf_loadgen.TestMode.PerformanceOnly,
    Mode.ACCURACY: mlperf_loadgen.TestMode.AccuracyOnly,
}
AUDIT_CONFIG = "audit.config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A test that ran to its end. `asked` is how many samples an accuracy run had to answer.

    `tokens` counts those that a language model made, null where answers have none.
    """

    issued: int
    completed: int
    performance_samples: int
    asked: int
    tokens: int | None = None


def measure(harness: Harness, model: ReadyModel) -> Measured:
    """Run LoadGen's test; its logs lie in the output folder afterwards."""
    settings = test_settings(harness)
    store = Store(model.dataset, model.batch)
    lanes = [
        Lane(runner, store, encoder(model.dataset.response, model.batch), LoadGenCompletion(mlperf_loadgen))
        for runner in model.runners
    ]
    queries = traffic(harness, lanes, model.batch, store)
    return run_test(harness, settings, queries, total=model.dataset.samples, load=store.load, unload=store.unload)


def run_test(
    harness: Harness,
    settings: Any,
    queries: Traffic,
    *,
    total: int,
    load: Callable[[Sequence[int]], None],
    unload: Callable[[Sequence[int]], None],
) -> Measured:
    """One StartTest over a set of `total` samples; SutError when an answer is missing at its end."""
    performance_samples = min(harness.performance_sample_count, total)
    sut = mlperf_loadgen.ConstructFastSUT(guarded(queries.issue), _flush)
    qsl = mlperf_loadgen.ConstructQSL(total, performance_samples, guarded(load), guarded(unload))
    audit = harness.output / AUDIT_CONFIG
    with progress(lambda: (queries.completed, queries.issued)):
        mlperf_loadgen.StartTestWithLogSettings(
            sut, qsl, settings, _log_settings(harness), str(audit) if audit.is_file() else ""
        )
    queries.stop()
    mlperf_loadgen.DestroyQSL(qsl)
    mlperf_loadgen.DestroyFastSUT(sut)
    if queries.completed != queries.issued:
        raise SutError(f"{queries.issued} samples were issued, {queries.completed} completed")
    return Measured(
        issued=queries.issued,
        completed=queries.completed,
        performance_samples=performance_samples,
        # LoadGen before 6.0.5 does not show this setting to Python.
        asked=getattr(settings, "accuracy_sample_count_override", 0) or total,
    )


def test_settings(harness: Harness) -> Any:
    """LoadGen's settings from user.conf over its built-in mlperf.conf; SutError (exit 2) where the file is bad.

    LoadGen takes the official values on the first FromConfig of a process only: never called twice.
    """
    conf = harness.user_conf
    if not conf.is_file():
        raise bad_input(conf, "no such file")
    settings = mlperf_loadgen.TestSettings()
    settings.scenario = _SCENARIOS[harness.scenario]
    settings.mode = _MODES[harness.mode]
    status = settings.FromConfig(str(conf), harness.loadgen_model, harness.scenario.value)
    if status != 0:
        raise bad_input(conf, f"LoadGen refuses it (status {status}): a value is not a number, or a line is malformed")
    if settings.mode != _MODES[harness.mode]:
        raise bad_input(conf, "sets 'mode', which harness.json decides")
    return settings


def _log_settings(harness: Harness) -> Any:
    settings = mlperf_loadgen.LogSettings()
    settings.enable_trace = False
    output = mlperf_loadgen.LogOutputSettings()
    output.outdir = str(harness.output)
    output.copy_summary_to_stdout = False
    settings.log_output = output
    return settings


def _flush() -> None:
    """Nothing is held back."""
