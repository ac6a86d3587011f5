"""TFLite models with LiteRT. An interpreter per worker and batch size: resized ones beat loops over one sample."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from orchestrator.sut.backends import Array, Feeds, Runner
from orchestrator.sut.backends.calls import SizedCalls, WholeCalls, full
from orchestrator.sut.backends.options import chosen
from orchestrator.sut.signature import Signature, TensorSpec

_KNOWN = {"xnnpack": ("1", "0")}


class TfliteBackend:
    """A model file; not thread-safe, so every runner has interpreters of its own."""

    name = "tflite"
    version: str = version("ai-edge-litert")

    def __init__(self, model: Path, *, threads: int, workers: int, options: Mapping[str, str]) -> None:
        self._model = model
        self._threads = max(1, threads // workers)
        with_delegates = chosen(self.name, options, _KNOWN)["xnnpack"] == "1"
        self._resolver = OpResolverType.AUTO if with_delegates else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        plain = self._open()
        self.signature = Signature(
            tuple(_spec(detail) for detail in plain.get_input_details()),
            tuple(_spec(detail) for detail in plain.get_output_details()),
        )

    def runner(self, example: Feeds, batch: int) -> Runner:
        """Interpreters sized for 1 and for `batch` samples; raises where the graph cannot be resized."""
        if self.signature.whole:
            return WholeCalls(_Invoke(self._open(), full(example, whole=True)))
        fixed = self.signature.fixed_batch
        sizes = {batch} if fixed is not None and fixed > 1 and batch % fixed == 0 else {1, batch}
        return SizedCalls(
            {
                size: _Invoke(self._open(), {name: np.repeat(array, size, 0) for name, array in example.items()})
                for size in sizes
            }
        )

    def _open(self) -> Any:
        return Interpreter(str(self._model), num_threads=self._threads, experimental_op_resolver_type=self._resolver)


class _Invoke:
    """One interpreter, its inputs resized to those of `example`."""

    def __init__(self, interpreter: Any, example: Feeds) -> None:
        details = interpreter.get_input_details()
        for detail in details:
            wanted = example[detail["name"]].shape
            if tuple(detail["shape"]) != wanted:
                interpreter.resize_tensor_input(detail["index"], wanted)
        interpreter.allocate_tensors()
        self._inputs = [(detail["name"], detail["index"]) for detail in details]
        self._outputs = [detail["index"] for detail in interpreter.get_output_details()]
        self._interpreter = interpreter

    def __call__(self, feeds: Feeds) -> list[Array]:
        interpreter = self._interpreter
        for name, index in self._inputs:
            interpreter.set_tensor(index, feeds[name])
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in self._outputs]


def _spec(detail: Mapping[str, Any]) -> TensorSpec:
    sizes = detail["shape_signature"] if len(detail["shape_signature"]) else detail["shape"]
    shape = tuple(int(size) if size > 0 else f"{detail['name']}.{axis}" for axis, size in enumerate(sizes))
    return TensorSpec(detail["name"], np.dtype(detail["dtype"]).name, shape)
