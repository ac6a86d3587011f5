"""Read harness.json strictly: unknown, missing or wrong values are errors that name the file. Opens nothing else."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from orchestrator.sut.faults import bad_input

SCHEMA_VERSION = 1

S = TypeVar("S", bound=StrEnum)


class BackendName(StrEnum):
    """The runtimes; `null` answers at once and measures the harness itself, `endpoint` asks a server over HTTP."""

    ONNXRUNTIME = "onnxruntime"
    TFLITE = "tflite"
    OPENVINO = "openvino"
    PYTORCH = "pytorch"
    CTRANSLATE2 = "ctranslate2"
    ENDPOINT = "endpoint"
    NULL = "null"

    @property
    def has_model(self) -> bool:
        """Whether it loads a model file into this process."""
        return self not in {BackendName.NULL, BackendName.ENDPOINT}


class Scenario(StrEnum):
    """LoadGen's scenarios."""

    OFFLINE = "Offline"
    SERVER = "Server"
    SINGLE_STREAM = "SingleStream"
    MULTI_STREAM = "MultiStream"

    @property
    def inline(self) -> bool:
        """Whether one query is in flight at a time, and the issuing thread may run it."""
        return self in {Scenario.SINGLE_STREAM, Scenario.MULTI_STREAM}


class Mode(StrEnum):
    """What LoadGen is asked to do."""

    PERFORMANCE = "performance"
    ACCURACY = "accuracy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness:
    """One LoadGen test as the host wants it. Exactly one of `dataset` and `generated_samples` is given."""

    backend: BackendName
    model: Path | None
    dataset: Path | None
    generated_samples: int | None
    scenario: Scenario
    mode: Mode
    loadgen_model: str
    user_conf: Path
    output: Path
    threads: int
    batch_size: int
    workers: int
    queue_depth: int
    performance_sample_count: int
    options: Mapping[str, str]

    @property
    def lanes(self) -> int:
        """Worker threads in force: one query at a time needs one, so that it gets all the runtime's threads."""
        return 1 if self.scenario.inline else self.workers


def read_harness(path: Path) -> Harness:
    """Parse harness.json; SutError (exit 2) names the file and the first fault."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise bad_input(path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise bad_input(path, f"is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise bad_input(path, "is not a JSON object")
    return _Reader(path, raw).harness()


class _Reader:
    """The keys of one file, taken one at a time."""

    def __init__(self, path: Path, raw: dict[str, object]) -> None:
        self._path = path
        self._raw = raw

    def harness(self) -> Harness:
        self._check_keys()
        if self._raw["schema_version"] != SCHEMA_VERSION:
            raise self._fault("schema_version", f"must be {SCHEMA_VERSION}")
        harness = Harness(
            backend=self._choice("backend", BackendName),
            model=self._optional_path("model"),
            dataset=self._optional_path("dataset"),
            generated_samples=None if self._raw["generated_samples"] is None else self._count("generated_samples"),
            scenario=self._choice("scenario", Scenario),
            mode=self._choice("mode", Mode),
            loadgen_model=self._text("loadgen_model"),
            user_conf=Path(self._text("user_conf")),
            output=Path(self._text("output")),
            threads=self._count("threads"),
            batch_size=self._count("batch_size"),
            workers=self._count("workers"),
            queue_depth=self._count("queue_depth"),
            performance_sample_count=self._count("performance_sample_count"),
            options=self._options(),
        )
        self._check_together(harness)
        return harness

    def _check_keys(self) -> None:
        wanted = {field.name for field in fields(Harness)} | {"schema_version"}
        for key in sorted(self._raw.keys() - wanted):
            near = difflib.get_close_matches(key, wanted, n=1)
            raise bad_input(self._path, f"unknown key '{key}'" + (f"; did you mean '{near[0]}'?" if near else ""))
        for key in sorted(wanted - self._raw.keys()):
            raise bad_input(self._path, f"missing key '{key}'")

    def _check_together(self, harness: Harness) -> None:
        if (harness.model is None) == harness.backend.has_model:
            raise self._fault("model", "must be null with the backends null and endpoint, and a path with any other")
        if (harness.dataset is None) == (harness.generated_samples is None):
            raise self._fault("dataset", "exactly one of 'dataset' and 'generated_samples' must be given")
        if harness.mode is Mode.ACCURACY and harness.dataset is None:
            raise self._fault("mode", "accuracy needs a data set; generated inputs have no labels")
        if harness.backend is BackendName.ENDPOINT and harness.dataset is None:
            raise self._fault("dataset", "the backend endpoint needs a data set of prompts")

    def _fault(self, key: str, cause: str) -> Exception:
        return bad_input(self._path, f"'{key}': {cause}")

    def _text(self, key: str) -> str:
        value = self._raw[key]
        if not isinstance(value, str) or not value:
            raise self._fault(key, f"must be a non-empty string, not {json.dumps(value)}")
        return value

    def _optional_path(self, key: str) -> Path | None:
        return None if self._raw[key] is None else Path(self._text(key))

    def _count(self, key: str) -> int:
        value = self._raw[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self._fault(key, f"must be a whole number of at least 1, not {json.dumps(value)}")
        return value

    def _choice(self, key: str, kind: type[S]) -> S:
        value = self._text(key)
        try:
            return kind(value)
        except ValueError:
            raise self._fault(key, f"'{value}' is none of {', '.join(kind)}") from None

    def _options(self) -> dict[str, str]:
        value = self._raw["options"]
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self._fault("options", "must be an object whose values are strings")
        return {str(key): str(item) for key, item in value.items()}
