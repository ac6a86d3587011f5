"""ONNX, OpenVINO and TFLite models with OpenVINO on the CPU. Compiled once for each batch size in use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from orchestrator.sut.backends import Array, Feeds, Runner
from orchestrator.sut.backends.calls import SizedCalls, WholeCalls, full
from orchestrator.sut.backends.options import chosen
from orchestrator.sut.signature import Signature, TensorSpec

_KNOWN = {
    "inference_precision": (
        "f32",
        "bf16",
        "f16",
        "dynamic",
    ),  # the runtime's own choice would differ between processors
    "performance_hint": ("LATENCY", "THROUGHPUT"),
}


class OpenVinoBackend:
    """A model file, reshaped to exact sizes: static graphs are quicker than open ones and need no luck."""

    name = "openvino"
    version: str = ov.__version__.partition("-")[0]

    def __init__(self, model: Path, *, threads: int, workers: int, options: Mapping[str, str]) -> None:
        self._options = chosen(self.name, options, _KNOWN)
        self._model_path = model
        self._core = ov.Core()
        self._settings = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": workers,
            "PERFORMANCE_HINT": self._options["performance_hint"],
        }
        if self._options["inference_precision"] != "dynamic":
            self._settings["INFERENCE_PRECISION_HINT"] = self._options["inference_precision"]
        self._compiled: dict[tuple[tuple[int, ...], ...], Any] = {}
        graph = self._core.read_model(model)
        self.signature = Signature(
            tuple(_spec(port, f"input{place}") for place, port in enumerate(graph.inputs)),
            tuple(_spec(port, f"output{place}") for place, port in enumerate(graph.outputs)),
        )
        self._names = [spec.name for spec in self.signature.inputs]

    def runner(self, example: Feeds, batch: int) -> Runner:
        """Requests for 1 and for `batch` samples; raises where the graph cannot be reshaped."""
        if self.signature.whole:
            return WholeCalls(self._request(full(example, whole=True)))
        fixed = self.signature.fixed_batch
        sizes = {fixed} if fixed is not None and fixed > 1 else {1, batch}
        return SizedCalls(
            {
                size: self._request({name: np.repeat(array, size, 0) for name, array in example.items()})
                for size in sizes
            }
        )

    def _request(self, example: Feeds) -> _Infer:
        shapes = tuple(example[name].shape for name in self._names)
        compiled = self._compiled.get(shapes)
        if compiled is None:
            graph = self._core.read_model(self._model_path)
            wanted = {port: ov.PartialShape(list(shape)) for port, shape in zip(graph.inputs, shapes, strict=True)}
            if any(port.partial_shape != shape for port, shape in wanted.items()):
                graph.reshape(wanted)
            compiled = self._compiled[shapes] = self._core.compile_model(graph, "CPU", self._settings)
        return _Infer(compiled.create_infer_request(), self._names, len(self.signature.outputs))


class _Infer:
    """One request; its inputs are shared with the caller's arrays, its outputs are copied out."""

    def __init__(self, request: Any, names: list[str], outputs: int) -> None:
        self._request = request
        self._names = names
        self._outputs = range(outputs)

    def __call__(self, feeds: Feeds) -> list[Array]:
        result = self._request.infer([feeds[name] for name in self._names], share_inputs=True)
        return [result[place] for place in self._outputs]


def _spec(port: Any, fallback: str) -> TensorSpec:
    name = port.any_name if port.names else fallback
    shape = tuple(
        dim.get_length() if dim.is_static else f"{name}.{axis}" for axis, dim in enumerate(port.partial_shape)
    )
    return TensorSpec(name, np.dtype(port.get_element_type().to_dtype()).name, shape)
