"""`python -m orchestrator.sut HARNESS_JSON`: one LoadGen test in this process, then its report."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.sut.config import BackendName, Harness, Mode, read_harness
from orchestrator.sut.faults import BAD_INPUT, FAILED, SutError, bad_input, say
from orchestrator.sut.watch import end_on_signals

if TYPE_CHECKING:
    from orchestrator.sut.measure import Measured
    from orchestrator.sut.model import ReadyModel


def main(arguments: list[str]) -> int:
    """Exit status: 0 done, 2 bad harness.json, model or data, 1 anything else; one line on stderr says what."""
    try:
        harness = read_harness(_harness_path(arguments))
        _check_output(harness)
        end_on_signals()
        prepare_process()
        _test(harness)
    except SutError as error:
        say(error)
        return error.exit_code
    except Exception as error:
        say(error)
        return FAILED
    return 0


def _harness_path(arguments: list[str]) -> Path:
    if len(arguments) != 1:
        raise SutError("usage: python -m orchestrator.sut HARNESS_JSON", exit_code=BAD_INPUT)
    return Path(arguments[0])


def prepare_process() -> None:
    """Keep numpy's own threads away from the cores that the runtime uses; before numpy is imported."""
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def _check_output(harness: Harness) -> None:
    if not harness.output.is_dir():
        raise bad_input(harness.output, "the output folder does not exist")
    if not os.access(harness.output, os.W_OK | os.X_OK):
        raise bad_input(harness.output, "the output folder cannot be written")
    for name in ("report.json", "accuracy.txt"):
        (harness.output / name).unlink(missing_ok=True)


def _test(harness: Harness) -> None:
    from orchestrator.sut.accuracy import ACCURACY_LOG, ACCURACY_TEXT, judge
    from orchestrator.sut.report import write_report, write_text

    model, measured = _measured(harness)
    accuracy = None
    dataset = model.dataset
    if harness.mode is Mode.ACCURACY and dataset.metric is not None and dataset.labels is not None:
        accuracy = judge(harness.output / ACCURACY_LOG, dataset.metric, dataset.labels, measured.asked)
        write_text(harness.output / ACCURACY_TEXT, accuracy.text())
    write_report(harness, model, measured, accuracy)


def _measured(harness: Harness) -> tuple[ReadyModel, Measured]:
    """The test itself, with the model in this process or behind a server."""
    if harness.backend is BackendName.ENDPOINT:
        from orchestrator.sut.served import measure_served

        return measure_served(harness)
    from orchestrator.sut.measure import measure
    from orchestrator.sut.model import ready

    model = ready(harness)
    return model, measure(harness, model)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
