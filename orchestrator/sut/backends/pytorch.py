"""PyTorch models on the CPU: exported programs (.pt2) and TorchScript (.pt), run as they are, without a compiler."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from orchestrator.sut.backends import Array, Feeds, Runner
from orchestrator.sut.backends.calls import SizedCalls, WholeCalls
from orchestrator.sut.faults import BAD_INPUT, SutError, bad_input
from orchestrator.sut.signature import Dim, Signature, TensorSpec

_NAMES = ("freeze", "shape")
_DTYPES = {torch.float32: "float32", torch.float64: "float64", torch.int32: "int32", torch.int64: "int64",
           torch.int8: "int8", torch.uint8: "uint8", torch.bool: "bool", torch.float16: "float16"}  # fmt: skip


class PyTorchBackend:
    """One module for all workers; each calls it with its share of the threads."""

    name = "pytorch"
    version: str = torch.__version__

    def __init__(self, model: Path, *, threads: int, workers: int, options: Mapping[str, str]) -> None:
        for name in sorted(options):
            if name not in _NAMES and not name.startswith("dim."):
                raise SutError(f"options: pytorch has no option '{name}'; it knows freeze, shape", exit_code=BAD_INPUT)
        torch.set_num_threads(max(1, threads // workers))
        self._model = model
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what torch will drop some day
            if model.suffix == ".pt2":
                program = torch.export.load(model)
                self.signature = self._exported(program)
                self._module: Any = program.module()
            else:
                script = torch.jit.load(str(model), map_location="cpu").eval()
                self.signature = self._scripted(script, options.get("shape"))
                self._module = torch.jit.freeze(script) if options.get("freeze", "1") == "1" else script

    def runner(self, example: Feeds, batch: int) -> Runner:  # noqa: ARG002 - shapes need no preparation here
        """A runner over the shared module."""
        run = _Run(self._module, [spec.name for spec in self.signature.inputs], batch)
        if self.signature.whole:
            return WholeCalls(run)
        fixed = self.signature.fixed_batch
        return run if fixed is None else SizedCalls({fixed: run})

    def _exported(self, program: Any) -> Signature:
        nodes = {node.name: node for node in program.graph.nodes}
        sides = (program.graph_signature.user_inputs, program.graph_signature.user_outputs)
        inputs, outputs = (tuple(self._spec(name, nodes[name].meta["val"]) for name in side) for side in sides)
        return Signature(inputs, outputs)

    def _spec(self, name: str, value: Any) -> TensorSpec:
        if not isinstance(value, torch.Tensor) or value.dtype not in _DTYPES:
            raise bad_input(self._model, f"'{name}' is no tensor of numbers")
        shape = tuple(size if isinstance(size, int) else f"{name}.{axis}" for axis, size in enumerate(value.shape))
        return TensorSpec(name, _DTYPES[value.dtype], shape)

    def _scripted(self, script: Any, shape: str | None) -> Signature:
        """A TorchScript file names its inputs but no shapes: those come with the option `shape`, or with the data."""
        names = [argument.name for argument in script.forward.schema.arguments[1:]]
        if len(names) != 1:
            raise bad_input(self._model, f"takes {len(names)} inputs; a TorchScript model may have one, a .pt2 any")
        if shape is None:
            return Signature((), ())
        sizes = shape.split("x")
        if not all(size.isdigit() and int(size) > 0 for size in sizes):
            raise SutError(f"options: 'shape' is written as 3x224x224, not '{shape}'", exit_code=BAD_INPUT)
        dims: tuple[Dim, ...] = ("batch", *map(int, sizes))
        return Signature((TensorSpec(names[0], "float32", dims),), ())


class _Run:
    """Direct calls; arrays are shared with torch, not copied."""

    def __init__(self, module: Any, names: list[str], batch: int) -> None:
        self.batch = batch
        self._module = module
        self._names = names

    def __call__(self, feeds: Feeds) -> list[Array]:
        arrays = [feeds[name] for name in self._names] if self._names else list(feeds.values())
        with torch.inference_mode():
            found = self._module(*(torch.from_numpy(array) for array in arrays))
        tensors = found if isinstance(found, tuple | list) else (found,)
        return [tensor.numpy() for tensor in tensors]
