"""Data sets: a prepared folder of .npy files, or inputs generated from a graph's signature. Loads nothing to RAM."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import numpy as np

from orchestrator.sut.backends import Array
from orchestrator.sut.faults import SutError, bad_input
from orchestrator.sut.signature import Signature, TensorSpec

INDEX = "dataset.json"
_KEYS = {"schema_version", "name", "samples", "inputs", "labels", "metric", "response"}

S = TypeVar("S", bound=StrEnum)


class Response(StrEnum):
    """What of a model's answer LoadGen is given for each sample."""

    ARGMAX = "argmax"
    ARGMAX_FROM_1 = "argmax_from_1"
    MEAN_POOL = "mean_pool"
    STACKED = "stacked"
    RAW = "raw"
    TEXT = "text"


class Metric(StrEnum):
    """How an accuracy log is judged against the labels."""

    TOP1 = "top1"
    NN1 = "nn1"
    WORD_ACCURACY = "word_accuracy"
    ANSWERS = "answers"


_FITTING = {
    Metric.TOP1: {Response.ARGMAX, Response.ARGMAX_FROM_1},
    Metric.NN1: {Response.MEAN_POOL},
    Metric.WORD_ACCURACY: {Response.TEXT},
    Metric.ANSWERS: {Response.TEXT},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Arrays whose first axis is the sample, `inputs` for the graph and `mask` for the response only."""

    name: str
    where: str
    samples: int
    inputs: dict[str, Array]
    mask: Array | None
    labels: Array | None
    metric: Metric | None
    response: Response


def prepared(folder: Path) -> Dataset:
    """A prepared data set, memory-mapped; SutError (exit 2) names the file at fault."""
    index = folder / INDEX
    raw = _read_index(index)
    samples = raw["samples"]
    if not isinstance(samples, int) or isinstance(samples, bool) or samples < 1:
        raise bad_input(index, "'samples' must be a whole number of at least 1")
    inputs = {name: _array(folder, file, samples) for name, file in _input_files(index, raw["inputs"])}
    labels = _array(folder, raw["labels"], samples) if raw["labels"] is not None else None
    metric = None if raw["metric"] is None else _member(index, "metric", raw["metric"], Metric)
    response = _member(index, "response", raw["response"], Response)
    mask = next((array for name, array in inputs.items() if name.endswith("attention_mask")), None)
    if metric is not None and labels is None:
        raise bad_input(index, f"the metric {metric} needs 'labels'")
    if metric is not None and response not in _FITTING[metric]:
        raise bad_input(index, f"the metric {metric} does not go with the response {response}")
    if response is Response.MEAN_POOL and mask is None:
        raise bad_input(index, "the response mean_pool needs an input 'attention_mask'")
    return Dataset(
        name=str(raw["name"]), where=str(index), samples=samples, inputs=inputs, mask=mask, labels=labels,
        metric=metric, response=response,
    )  # fmt: skip


def bound(dataset: Dataset, signature: Signature) -> Dataset:
    """The data set with the graph's names and only the graph's inputs; SutError where they do not fit."""
    if not signature.inputs:
        return dataset
    if len(signature.inputs) == len(dataset.inputs) == 1:
        inputs = {signature.inputs[0].name: next(iter(dataset.inputs.values()))}
    else:
        missing = [spec.name for spec in signature.inputs if spec.name not in dataset.inputs]
        if missing:
            raise bad_input(dataset.where, f"has no input {missing[0]!r}; it has {', '.join(sorted(dataset.inputs))}")
        inputs = {spec.name: dataset.inputs[spec.name] for spec in signature.inputs}
    for spec in signature.inputs:
        _check_fit(dataset.where, inputs[spec.name], spec, signature.sample_shape(spec))
    return replace(dataset, inputs=inputs)


def _check_fit(where: str, array: Array, spec: TensorSpec, wanted: tuple[int | str, ...]) -> None:
    if array.dtype.name != spec.dtype:
        raise bad_input(where, f"'{spec.name}' is {array.dtype.name}, the model wants {spec.dtype}")
    shape = array.shape[1:]
    fits = len(shape) == len(wanted) and all(
        have == want or isinstance(want, str) for have, want in zip(shape, wanted, strict=True)
    )
    if not fits:
        raise bad_input(where, f"a sample of '{spec.name}' has shape {list(shape)}, the model wants {list(wanted)}")


def _read_index(index: Path) -> Mapping[str, object]:
    try:
        raw = json.loads(index.read_text(encoding="utf-8"))
    except OSError as error:
        raise bad_input(index, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise bad_input(index, f"is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise bad_input(index, "is not a JSON object")
    if raw.keys() != _KEYS:
        odd = sorted(raw.keys() ^ _KEYS)[0]
        raise bad_input(index, f"{'unknown' if odd in raw else 'missing'} key '{odd}'")
    if raw["schema_version"] != 1:
        raise bad_input(index, "'schema_version' must be 1")
    return raw


def _input_files(index: Path, raw: object) -> list[tuple[str, str]]:
    fault = bad_input(index, '\'inputs\' must be a list of {"name": …, "file": …}')
    if not isinstance(raw, list) or not raw:
        raise fault
    if not all(isinstance(entry, dict) and entry.keys() == {"name", "file"} for entry in raw):
        raise fault
    return [(str(entry["name"]), str(entry["file"])) for entry in raw]


def _member(index: Path, key: str, value: object, kind: type[S]) -> S:
    try:
        return kind(str(value))
    except ValueError:
        raise bad_input(index, f"'{key}': '{value}' is none of {', '.join(kind)}") from None


def _array(folder: Path, file: object, samples: int) -> Array:
    path = folder / str(file)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise bad_input(path, f"cannot be read as .npy: {error}") from error
    if not array.shape or array.shape[0] != samples:
        raise bad_input(path, f"has shape {list(array.shape)}, {INDEX} promises {samples} samples")
    return array


def generated(signature: Signature, samples: int, options: Mapping[str, str]) -> Dataset:
    """Repeatable inputs that fit a graph, without labels; the options `dim.<name>` set its open dimensions."""
    inputs = {}
    for place, spec in enumerate(signature.inputs or (TensorSpec("input", "float32", ("batch", 1)),)):
        shape = (samples, *_sizes(spec, signature, options))
        inputs[spec.name] = _values(spec, shape, np.random.default_rng(place))
    return Dataset(
        name="generated", where="generated inputs", samples=samples, inputs=inputs, mask=None, labels=None,
        metric=None, response=Response.RAW,
    )  # fmt: skip


def _sizes(spec: TensorSpec, signature: Signature, options: Mapping[str, str]) -> list[int]:
    sample = signature.sample_shape(spec)
    first = len(spec.shape) - len(sample)
    return [
        size if isinstance(size, int) else _open_size(size, axis + first, len(spec.shape), options)
        for axis, size in enumerate(sample)
    ]


def _open_size(name: str, axis: int, rank: int, options: Mapping[str, str]) -> int:
    """A usual size for an open dimension: 3×224×224 pictures, 128 tokens; else what the option says."""
    given = options.get(f"dim.{name}")
    if given is not None:
        if not given.isdigit() or int(given) < 1:
            raise SutError(f"options: 'dim.{name}' must be a whole number of at least 1, not '{given}'", exit_code=2)
        return int(given)
    if axis == 0:
        return 1
    if rank == 4:
        return 3 if axis == 1 and "height" not in name.lower() else 224
    return 128


def _values(spec: TensorSpec, shape: tuple[int, ...], random: Array) -> Array:
    kind = np.dtype(spec.dtype)
    if kind.kind == "f":
        return random.standard_normal(shape, np.float32).astype(kind)
    if kind.kind == "b" or spec.name.endswith("mask"):
        return np.ones(shape, kind)
    if kind.itemsize == 1:
        limits = np.iinfo(kind)
        return random.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)
    return random.integers(0, 2, shape, dtype=kind)  # ids and lengths: valid for the smallest vocabulary
