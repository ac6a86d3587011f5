"""A model file of the user's as a catalogue entry: who can run it, under which name, with no rules to judge it by."""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator.domain.benchmark import Benchmark, BenchmarkRules, Offer
from orchestrator.domain.terms import Device, Evidence, Scenario, Suite
from orchestrator.errors import UsageError

_SCENARIOS = (Scenario.OFFLINE, Scenario.SERVER, Scenario.SINGLE_STREAM, Scenario.MULTI_STREAM)
_SAMPLES = 64
# (implementation, backend, image) by suffix; the first is the default.
_WAYS = {
    ".onnx": (
        ("generic", "onnxruntime", "generic-onnxruntime"),
        ("generic", "openvino", "generic-openvino"),
        ("cpp", "onnxruntime", "cpp"),
    ),
    ".tflite": (("generic", "tflite", "generic-tflite"), ("tflite-cpp", "tflite", "tflite-cpp")),
    ".pt": (("generic", "pytorch", "generic-pytorch"),),
    ".pt2": (("generic", "pytorch", "generic-pytorch"),),
}


def own_model(path: Path, name: str | None, *, measured_data: bool) -> Benchmark:
    """The entry of a model file; UsageError for a suffix that no backend reads, or a name that cannot be one."""
    ways = _WAYS.get(path.suffix.lower())
    if ways is None:
        raise UsageError(
            f"--model-path {path}: no backend reads {_kind(path)}",
            hint=f"files that can be run: {', '.join(sorted(_WAYS))}",
        )
    title = name or re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem)
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", title) is None:
        raise UsageError(f"--model-name '{title}': letters, digits, dots, dashes and underscores only")
    return Benchmark(
        name=title,
        suite=Suite.CUSTOM,
        task="of the user's own",
        description=f"{path.name}, with {'the data set given' if measured_data else 'inputs made from its signature'}",
        loadgen_model=_loadgen_name(title),
        dataset="the user's" if measured_data else "generated inputs",
        rules={
            "any": BenchmarkRules(
                scenarios=_SCENARIOS, accuracy=(), dataset_samples=_SAMPLES, performance_sample_count=_SAMPLES
            )
        },
        offers=tuple(
            Offer(
                implementation=implementation,
                backend=backend,
                devices=(Device.CPU,),
                image=image,
                default=(implementation, backend, image) == ways[0],
                evidence=Evidence.PROVEN,
            )
            for implementation, backend, image in ways
        ),
    )


def _loadgen_name(title: str) -> str:
    """Dots separate model, scenario and key in LoadGen's files, blanks end a name."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in title)


def _kind(path: Path) -> str:
    return "a folder" if path.is_dir() else f"'{path.suffix}'" if path.suffix else "a file without a suffix"
