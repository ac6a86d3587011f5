"""The runtimes behind one small protocol; each module imports its own runtime, only when it is the one in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from orchestrator.sut.config import BackendName
from orchestrator.sut.faults import BAD_INPUT, SutError
from orchestrator.sut.signature import Signature

Array = Any  # numpy.ndarray; numpy is untyped to the type checker here
Feeds = dict[str, Array]  # by the graph's input names; first axis = sample


class Runner(Protocol):
    """One worker's way into a loaded model; used by one thread at a time."""

    @property
    def batch(self) -> int:
        """Samples per call of the runtime at best."""

    def __call__(self, feeds: Feeds) -> list[Array]:
        """Run n samples, any n of at least 1; every output has n as its first axis."""


class Backend(Protocol):
    """A loaded model."""

    name: str
    version: str
    signature: Signature

    def runner(self, example: Feeds, batch: int) -> Runner:
        """A new runner for samples shaped like the one of `example`; raises where the graph refuses the batch."""


def load(name: BackendName, model: Path | None, *, threads: int, workers: int, options: Mapping[str, str]) -> Backend:
    """Load a model; `threads` are shared out among `workers` runners. SutError (exit 2) names the model's fault."""
    if name is BackendName.NULL:
        from orchestrator.sut.backends.null import NullBackend

        return NullBackend(options)
    if model is None or not model.is_file():
        raise SutError(f"{model}: no such model file", exit_code=BAD_INPUT)
    opener = _opener(name)
    try:
        return opener(model, threads=threads, workers=workers, options=options)
    except (SutError, MemoryError):
        raise
    except Exception as error:
        cause = " ".join(str(error).split())
        raise SutError(f"{model}: {name} cannot load it: {cause}", exit_code=BAD_INPUT) from error


def _opener(name: BackendName) -> Callable[..., Backend]:
    try:
        if name is BackendName.ONNXRUNTIME:
            from orchestrator.sut.backends.onnxruntime import OnnxRuntimeBackend

            return OnnxRuntimeBackend
        if name is BackendName.TFLITE:
            from orchestrator.sut.backends.tflite import TfliteBackend

            return TfliteBackend
        if name is BackendName.PYTORCH:
            from orchestrator.sut.backends.pytorch import PyTorchBackend

            return PyTorchBackend
        if name is BackendName.CTRANSLATE2:
            from orchestrator.sut.backends.ctranslate2 import WhisperBackend

            return WhisperBackend
        from orchestrator.sut.backends.openvino import OpenVinoBackend

        return OpenVinoBackend
    except ImportError as error:
        raise SutError(f"the backend {name} is not in this image: {error}") from error
