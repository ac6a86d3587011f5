"""From a model's outputs to the bytes LoadGen is given for each sample.

After every run of a model the caches hold the model, and each line of Python costs ten times what it costs in a tight
loop: hence buffers at fixed addresses and as few calls as can be.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol

import numpy as np

from orchestrator.sut.backends import Array
from orchestrator.sut.datasets import Response
from orchestrator.sut.faults import SutError

Place = tuple[int, int, int]  # address of the first answer, bytes from one to the next, bytes of each


class Encoder(Protocol):
    """Turns a batch's outputs into answers; one for each thread."""

    def __call__(self, outputs: list[Array], mask: Array | None, count: int) -> Place:
        """Where the answers to `count` samples lie until the next call."""


def encoder(kind: Response, batch: int) -> Encoder:
    """An encoder for batches of at most `batch` samples."""
    kinds: dict[Response, Callable[[int], Encoder]]
    kinds = {
        Response.ARGMAX: Argmax,
        Response.ARGMAX_FROM_1: ArgmaxFrom1,
        Response.MEAN_POOL: MeanPool,
        Response.STACKED: Stacked,
        Response.RAW: Raw,
        Response.TEXT: Raw,
    }
    return kinds[kind](batch)


class Argmax:
    """Class of each sample, int32: the low half of the word that numpy's argmax writes."""

    def __init__(self, batch: int) -> None:
        words = np.zeros(batch, np.intp)
        self._words = [words[:count] for count in range(batch + 1)]
        low = 0 if sys.byteorder == "little" else words.itemsize - 4
        self._place = (_address(words) + low, words.itemsize, 4)

    def __call__(self, outputs: list[Array], mask: Array | None, count: int) -> Place:  # noqa: ARG002 - the protocol's
        scores = outputs[0]
        if scores.ndim != 2:
            scores = scores.reshape(count, -1)
        scores.argmax(1, self._words[count])
        return self._place


class ArgmaxFrom1:
    """Class of each sample, int32, of a model that has a class for the background before those of the labels.

    A first output of one whole number for each sample is the class already.
    """

    def __init__(self, batch: int) -> None:
        self._classes = np.zeros(batch, np.int32)
        self._place = (_address(self._classes), 4, 4)

    def __call__(self, outputs: list[Array], mask: Array | None, count: int) -> Place:  # noqa: ARG002 - the protocol's
        scores = outputs[0].reshape(count, -1)
        told = scores.shape[1] == 1 and scores.dtype.kind in "iu"
        np.subtract(scores[:, 0] if told else scores.argmax(1), 1, out=self._classes[:count], casting="unsafe")
        return self._place


class MeanPool:
    """Mean of the last hidden states [n, tokens, width] over the mask [n, tokens], L2-normalised float32 [n, width].

    An output [n, width] is pooled already and only normalised.
    """

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._vectors = np.empty((0, 0), np.float32)
        self._place = (0, 0, 0)

    def __call__(self, outputs: list[Array], mask: Array | None, count: int) -> Place:
        hidden = outputs[0]
        if hidden.ndim == 3:
            if mask is None or mask.shape != hidden.shape[:2]:
                raise SutError("mean_pool: the attention mask does not fit the model's first output")
            hidden = np.matmul(mask.astype(np.float32)[:, None, :], hidden)[:, 0, :]  # normalised below, sum will do
        if self._vectors.shape[1] != hidden.shape[1]:
            self._vectors = np.empty((self._batch, hidden.shape[1]), np.float32)
            row_bytes = self._vectors.strides[0]
            self._place = (_address(self._vectors), row_bytes, row_bytes)
        norm = np.sqrt(np.einsum("nw,nw->n", hidden, hidden))[:, None]
        np.divide(hidden, np.maximum(norm, 1e-12), out=self._vectors[:count], casting="same_kind")
        return self._place


class Stacked:
    """float32 outputs of one shape, stacked on a new last axis: start and end logits side by side for each token."""

    def __init__(self, batch: int) -> None:  # noqa: ARG002 - one way to make them all
        self._kept: Array = None

    def __call__(self, outputs: list[Array], mask: Array | None, count: int) -> Place:  # noqa: ARG002 - the protocol's
        if any(output.dtype != np.float32 or output.shape != outputs[0].shape for output in outputs):
            raise SutError("stacked: the model's outputs are not float32 of one shape")
        self._kept = np.stack(outputs, axis=-1)
        size_bytes = self._kept.nbytes // count
        return (_address(self._kept), size_bytes, size_bytes)


class Raw:
    """All outputs of each sample, byte after byte in the graph's order. Texts are rows of bytes, NUL at their end."""

    def __init__(self, batch: int) -> None:  # noqa: ARG002 - one way to make them all
        self._kept: Array = None

    def __call__(self, outputs: list[Array], mask: Array | None, count: int) -> Place:  # noqa: ARG002 - the protocol's
        rows = [np.ascontiguousarray(output).reshape(count, -1) for output in outputs]
        self._kept = rows[0] if len(rows) == 1 else np.concatenate([row.view(np.uint8) for row in rows], 1)
        size_bytes = self._kept.nbytes // count
        return (_address(self._kept), size_bytes, size_bytes)


def _address(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
