"""No model at all: answers every sample with one zero. Measures the harness and LoadGen themselves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from orchestrator.sut.backends import Array, Feeds
from orchestrator.sut.backends.options import chosen
from orchestrator.sut.signature import Signature, TensorSpec


class NullBackend:
    """Takes whatever inputs it is given."""

    name = "null"
    version = "1"
    signature = Signature((), (TensorSpec("zero", "float32", ("batch", 1)),))

    def __init__(self, options: Mapping[str, str]) -> None:
        chosen(self.name, options, {})

    def runner(self, example: Feeds, batch: int) -> _Zeros:  # noqa: ARG002 - the protocol's
        """Zeros for any batch."""
        return _Zeros(batch)


class _Zeros:
    def __init__(self, batch: int) -> None:
        self.batch = batch
        self._zeros = np.zeros((batch, 1), np.float32)

    def __call__(self, feeds: Feeds) -> list[Array]:
        return [self._zeros[: len(next(iter(feeds.values())))]]
