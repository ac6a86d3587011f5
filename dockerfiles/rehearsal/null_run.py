"""Runs the real LoadGen over a system that answers nothing: for rehearsals of drivers, never for a result.

LoadGen, its settings and its logs are real; the answers are eight zero bytes each.
"""

import array
import multiprocessing
import os
import queue
import threading
from pathlib import Path

import mlperf_loadgen as lg

_SCENARIOS = {
    "Offline": lg.TestScenario.Offline,
    "Server": lg.TestScenario.Server,
    "SingleStream": lg.TestScenario.SingleStream,
    "MultiStream": lg.TestScenario.MultiStream,
}
_CHUNK = 4096


def run(
    *, model: str, scenario: str, accuracy: bool, user_conf: str, audit_conf: str, output: Path, samples: int
) -> None:
    """One LoadGen test. `model` is the name its settings are looked up by, `samples` the size of the data set.

    `audit_conf` is read where it exists, as LoadGen does. Raises RuntimeError when a file of settings is not there
    or the test did not come to its end.
    """
    if not Path(user_conf).exists():
        raise RuntimeError(f"LoadGen cannot read {user_conf}")

    # A process for each test, as scripts start a harness: LoadGen counts the files of settings that a process read.
    child = multiprocessing.get_context("fork").Process(
        target=_measure,
        kwargs={
            "model": model,
            "scenario": scenario,
            "accuracy": accuracy,
            "user_conf": user_conf,
            "audit_conf": audit_conf,
            "output": output,
            "samples": samples,
        },
    )
    child.start()
    child.join()
    if child.exitcode != 0:
        raise RuntimeError(f"LoadGen's process ended with {child.exitcode}")


def _measure(
    *, model: str, scenario: str, accuracy: bool, user_conf: str, audit_conf: str, output: Path, samples: int
) -> None:
    settings = lg.TestSettings()
    settings.scenario = _SCENARIOS[scenario]
    settings.mode = lg.TestMode.AccuracyOnly if accuracy else lg.TestMode.PerformanceOnly
    settings.FromConfig(user_conf, model, scenario)
    answers = _Answers(tokens=bool(getattr(settings, "use_token_latencies", False)))
    output.mkdir(parents=True, exist_ok=True)
    files = lg.LogOutputSettings()
    files.outdir = os.fspath(output)
    files.copy_summary_to_stdout = True
    logs = lg.LogSettings()
    logs.log_output = files
    logs.enable_trace = False
    sut = lg.ConstructSUT(answers.issue, lambda: None)
    count = min(samples, settings.performance_sample_count_override or samples)
    qsl = lg.ConstructQSL(samples, count, lambda _: None, lambda _: None)
    lg.StartTestWithLogSettings(sut, qsl, settings, logs, audit_conf)
    answers.stop()
    lg.DestroyQSL(qsl)
    lg.DestroySUT(sut)


class _Answers:
    """Answers from a thread of its own: a Server answers later than it is asked."""

    def __init__(self, *, tokens: bool) -> None:
        self._tokens = tokens
        self._zeros = array.array("q", [0])
        self._address, _ = self._zeros.buffer_info()

        # One thread for the whole run: LoadGen 5.0.7 crashes when threads that answered it come and go.
        self._waiting: queue.SimpleQueue[list[int] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def issue(self, queries: "list[lg.QuerySample]") -> None:
        """Take a query from LoadGen."""
        numbers = [each.id for each in queries]
        if len(numbers) > 1:
            self._waiting.put(numbers)
        else:
            self._answer(numbers)

    def stop(self) -> None:
        """Wait until everything is answered."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (numbers := self._waiting.get()) is not None:
            self._answer(numbers)

    def _answer(self, numbers: "list[int]") -> None:
        for start in range(0, len(numbers), _CHUNK):
            part = numbers[start : start + _CHUNK]
            if self._tokens:
                lg.FirstTokenComplete([lg.QuerySampleResponse(each, self._address, 8) for each in part])
                lg.QuerySamplesComplete([lg.QuerySampleResponse(each, self._address, 8, 2) for each in part])
            else:
                lg.QuerySamplesComplete([lg.QuerySampleResponse(each, self._address, 8) for each in part])
