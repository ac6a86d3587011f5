"""The model with its data set, ready to run: runners fitted to the samples, the batch size that really works."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import numpy as np

from orchestrator.sut.backends import Array, Backend, Feeds, Runner, load
from orchestrator.sut.config import Harness
from orchestrator.sut.datasets import Dataset, bound, generated, prepared
from orchestrator.sut.faults import SutError, bad_input

_WARM_UPS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyModel:
    """A loaded model with a runner for each lane, all warmed up; `batch` is the batch in force."""

    backend: Backend
    dataset: Dataset
    runners: tuple[Runner, ...]
    batch: int


def ready(harness: Harness) -> ReadyModel:
    """Load model and data set and fit one to the other; SutError (exit 2) where they do not."""
    backend = load(
        harness.backend, harness.model, threads=harness.threads, workers=harness.lanes, options=harness.options
    )
    if harness.dataset is not None:
        dataset = bound(prepared(harness.dataset), backend.signature)
    elif harness.backend.has_model and not backend.signature.inputs:
        raise bad_input(harness.model, "names no shapes to generate inputs by: give a data set, or the option 'shape'")
    else:
        dataset = generated(backend.signature, harness.generated_samples or 1, harness.options)
    example = {name: np.array(array[:1]) for name, array in dataset.inputs.items()}
    try:
        runners = _fitted(backend, example, harness)
    except (SutError, MemoryError):
        raise
    except Exception as error:
        raise bad_input(harness.model, f"fails on its first sample: {' '.join(str(error).split())}") from error
    gc.collect()
    gc.freeze()
    return ReadyModel(backend=backend, dataset=dataset, runners=runners, batch=runners[0].batch)


def _fitted(backend: Backend, example: Feeds, harness: Harness) -> tuple[Runner, ...]:
    """Runners for the batch asked for, or for single samples where the graph answers batches wrongly or not at all."""
    batch = harness.batch_size
    first = _sound(backend, example, batch) if batch > 1 else None
    if first is None:
        batch = 1
        first = backend.runner(example, 1)
    runners = (first, *(backend.runner(example, batch) for _ in range(harness.lanes - 1)))
    for runner in runners:
        for size in {1, runner.batch}:
            for _ in range(_WARM_UPS):
                outputs = runner(_repeated(example, size))
                _check_rows(harness, outputs, size)
    return runners


def _sound(backend: Backend, example: Feeds, batch: int) -> Runner | None:
    """A runner whose batch of equal samples gives equal answers, the same as alone; None if there is no such."""
    try:
        runner = backend.runner(example, batch)
        if runner.batch == 1:
            return runner
        alone = runner(example)
        together = runner(_repeated(example, runner.batch))
    except (SutError, MemoryError):
        raise
    except Exception:
        return None
    agree = all(_agree(one, many, runner.batch) for one, many in zip(alone, together, strict=True))
    return runner if agree else None


def _agree(alone: Array, together: Array, rows: int) -> bool:
    if together.shape != (rows, *alone.shape[1:]) or len(alone) != 1:
        return False
    one, many = alone.astype(np.float64), together.astype(np.float64)
    slack = 2.0 if alone.dtype.kind in "iu" else 1e-6  # quantised kernels may round otherwise in another batch
    slack += 0.02 * float(np.nan_to_num(np.abs(one)).max(initial=0.0))
    return bool(np.allclose(many, np.broadcast_to(one, many.shape), rtol=0.02, atol=slack, equal_nan=True))


def _check_rows(harness: Harness, outputs: list[Array], size: int) -> None:
    for output in outputs:
        if not output.shape or len(output) != size:
            raise bad_input(harness.model, f"an output has shape {list(output.shape)} for {size} samples")


def _repeated(example: Feeds, size: int) -> Feeds:
    return {name: np.repeat(array, size, axis=0) for name, array in example.items()}
