"""What a graph takes and gives, and what that says about batching. Pure; no runtime, no arrays."""

from __future__ import annotations

from dataclasses import dataclass

Dim = int | str  # a symbolic name where the graph leaves the size open


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor of a graph: numpy dtype name, and dimensions, of which open ones are symbolic names."""

    name: str
    dtype: str
    shape: tuple[Dim, ...]

    def as_json(self) -> dict[str, object]:
        """For report.json."""
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}


@dataclass(frozen=True, slots=True)
class Signature:
    """A graph's inputs and outputs, in the graph's order. No inputs: takes whatever it is given."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def fixed_batch(self) -> int | None:
        """The batch size that the first axes are frozen to; None where they are open or no batch axis exists."""
        sizes = self._frozen_sizes()
        return None if self.whole or not sizes else sizes.pop()

    @property
    def whole(self) -> bool:
        """Whether the inputs share no batch axis: each sample is then one call with the full tensors."""
        sizes = self._frozen_sizes()
        mixed = any(isinstance(spec.shape[0], str) for spec in self.inputs if spec.shape)
        return any(not spec.shape for spec in self.inputs) or len(sizes) > 1 or (mixed and not sizes <= {1})

    def sample_shape(self, spec: TensorSpec) -> tuple[Dim, ...]:
        """Shape of one sample's input: without the batch axis where there is one."""
        return spec.shape if self.whole else spec.shape[1:]

    def _frozen_sizes(self) -> set[int]:
        return {spec.shape[0] for spec in self.inputs if spec.shape and isinstance(spec.shape[0], int)}
