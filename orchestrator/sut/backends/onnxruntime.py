"""ONNX models with ONNX Runtime on the CPU. One session per share of threads; a session is thread-safe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime as ort

from orchestrator.sut.backends import Array, Feeds, Runner
from orchestrator.sut.backends.calls import SizedCalls, WholeCalls
from orchestrator.sut.backends.options import chosen
from orchestrator.sut.faults import bad_input
from orchestrator.sut.signature import Signature, TensorSpec

_KNOWN = {
    "allow_spinning": ("1", "0"),
    "graph_optimization": ("all", "extended", "basic", "disable"),
    "flush_denormals": ("0", "1"),
}
_LEVELS = {
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "disable": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
_DTYPES = {"float": "float32", "double": "float64"}  # ONNX Runtime's words where they are not numpy's
_ERRORS_ONLY = 3


class OnnxRuntimeBackend:
    """A model file in a session whose intra-op threads are the worker's share."""

    name = "onnxruntime"
    version: str = ort.__version__

    def __init__(self, model: Path, *, threads: int, workers: int, options: Mapping[str, str]) -> None:
        self._model = model
        self._threads = max(1, threads // workers)
        self._options = chosen(self.name, options, _KNOWN)
        self._session = self._open()
        self._shared = self._threads == 1  # without a thread pool of its own one session serves all workers
        self._lent = False
        self.signature = Signature(
            tuple(self._spec(argument) for argument in self._session.get_inputs()),
            tuple(self._spec(argument) for argument in self._session.get_outputs()),
        )

    def runner(self, example: Feeds, batch: int) -> Runner:  # noqa: ARG002 - shapes need no preparation here
        """A runner over a session of its own, or over the shared one."""
        session = self._session if self._shared or not self._lent else self._open()
        self._lent = True
        run = _Run(session, batch)
        if self.signature.whole:
            return WholeCalls(run)
        fixed = self.signature.fixed_batch
        return run if fixed is None else SizedCalls({fixed: run})

    def _open(self) -> Any:
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = self._threads
        settings.inter_op_num_threads = 1
        settings.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        settings.graph_optimization_level = _LEVELS[self._options["graph_optimization"]]
        settings.log_severity_level = _ERRORS_ONLY
        settings.add_session_config_entry("session.intra_op.allow_spinning", self._options["allow_spinning"])
        settings.add_session_config_entry("session.set_denormal_as_zero", self._options["flush_denormals"])
        return ort.InferenceSession(str(self._model), settings, providers=["CPUExecutionProvider"])

    def _spec(self, argument: Any) -> TensorSpec:
        kind = argument.type.removeprefix("tensor(").removesuffix(")")
        if kind in {"string", argument.type}:
            raise bad_input(self._model, f"'{argument.name}' is {argument.type}; only numeric tensors are supported")
        shape = tuple(
            size if isinstance(size, int) and size > 0 else str(size or f"{argument.name}.{axis}")
            for axis, size in enumerate(argument.shape)
        )
        return TensorSpec(argument.name, _DTYPES.get(kind, kind), shape)


class _Run:
    """Direct calls; ONNX Runtime takes contiguous arrays without a copy and lets go of the GIL while it runs."""

    def __init__(self, session: Any, batch: int) -> None:
        self.batch = batch
        self._run = session.run

    def __call__(self, feeds: Feeds) -> list[Array]:
        outputs: list[Array] = self._run(None, feeds)
        return outputs
