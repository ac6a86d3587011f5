"""report.json: what ran, on what, with how many answers. Written in one step."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np

from orchestrator.sut.accuracy import Accuracy
from orchestrator.sut.config import Harness
from orchestrator.sut.measure import Measured
from orchestrator.sut.model import ReadyModel

REPORT = "report.json"


def write_report(harness: Harness, model: ReadyModel, measured: Measured, accuracy: Accuracy | None) -> None:
    """Write the report to the output folder."""
    signature = model.backend.signature
    report = {
        "schema_version": 1,
        "backend": {
            "name": model.backend.name,
            "version": model.backend.version,
            "threads": harness.threads,
            "batch_size": harness.batch_size,
            "effective_batch_size": model.batch,
            "workers": harness.lanes,
        },
        "loadgen_version": version("mlcommons-loadgen"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "dataset": model.dataset.name,
        "inputs": [spec.as_json() for spec in signature.inputs],
        "outputs": [spec.as_json() for spec in signature.outputs],
        "qsl": {"total": model.dataset.samples, "performance": measured.performance_samples},
        "responses": {
            "issued": measured.issued,
            "completed": measured.completed,
            **({} if measured.tokens is None else {"tokens": measured.tokens}),
        },
        "accuracy": None if accuracy is None else accuracy.as_json(),
    }
    write_text(harness.output / REPORT, json.dumps(report, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
