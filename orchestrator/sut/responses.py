"""From a model's outputs to the bytes LoadGen is given for each sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from orchestrator.sut.backends import Array
from orchestrator.sut.datasets import Response
from orchestrator.sut.faults import SutError

Encode = Callable[[list[Array], Array | None], Array]


def encoder(kind: Response) -> Encode:
    """The function that turns outputs (and masks) of n samples into a C-contiguous array of n rows."""
    return {Response.ARGMAX: _argmax, Response.MEAN_POOL: _mean_pool, Response.RAW: _raw}[kind]


def _argmax(outputs: list[Array], mask: Array | None) -> Array:  # noqa: ARG001 - one signature for all
    """Class of each sample, int32."""
    scores = outputs[0]
    return scores.reshape(len(scores), -1).argmax(1).astype(np.int32)


def _mean_pool(outputs: list[Array], mask: Array | None) -> Array:
    """Mean of the last hidden states [n, tokens, width] over the mask [n, tokens], L2-normalised float32 [n, width].

    An output [n, width] is pooled already and only normalised.
    """
    hidden = outputs[0]
    if hidden.ndim == 3:
        if mask is None or mask.shape != hidden.shape[:2]:
            raise SutError("mean_pool: the attention mask does not fit the model's first output")
        weights = mask.astype(np.float32)
        hidden = np.matmul(weights[:, None, :], hidden)[:, 0, :]
        hidden /= np.maximum(weights.sum(1, keepdims=True), 1.0)
    norm = np.sqrt(np.einsum("nw,nw->n", hidden, hidden))[:, None]
    return np.ascontiguousarray(hidden / np.maximum(norm, 1e-12), dtype=np.float32)


def _raw(outputs: list[Array], mask: Array | None) -> Array:  # noqa: ARG001 - one signature for all
    """All outputs of each sample, byte after byte in the graph's order."""
    if len(outputs) == 1:
        return np.ascontiguousarray(outputs[0])
    rows = len(outputs[0])
    return np.concatenate([np.ascontiguousarray(output).reshape(rows, -1).view(np.uint8) for output in outputs], 1)
