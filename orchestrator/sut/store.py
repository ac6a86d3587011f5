"""The samples in RAM: what LoadGen's QSL loads and unloads, and the batches made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.sut.backends import Array, Feeds
from orchestrator.sut.datasets import Dataset

_WORTH_ORDERING_BYTES = 1 << 16


class Store:
    """Loaded samples of a data set, row after row; the first rows again after the last, so that a batch may run on."""

    def __init__(self, dataset: Dataset, batch: int) -> None:
        self._dataset = dataset
        self._batch = batch
        self._rows: dict[int, int] = {}
        self._inputs: Feeds = {}
        self._mask: Array | None = None

    def load(self, indices: Sequence[int]) -> None:
        """Copy these samples to RAM, in place of any loaded before."""
        wanted = sorted(set(indices))
        self._rows = {index: row for row, index in enumerate(wanted)}
        around = [wanted[row % len(wanted)] for row in range(len(wanted) + self._batch - 1)]
        self._inputs = {name: np.ascontiguousarray(array[around]) for name, array in self._dataset.inputs.items()}
        mask = self._dataset.mask
        self._mask = None if mask is None else np.ascontiguousarray(mask[around])

    def unload(self, indices: Sequence[int]) -> None:  # noqa: ARG002 - LoadGen unloads what it loaded
        """Free the RAM."""
        self._rows, self._inputs, self._mask = {}, {}, None

    def rows(self, indices: Sequence[int]) -> list[int]:
        """Where the samples lie; KeyError for one that LoadGen did not load."""
        rows = self._rows
        return [rows[index] for index in indices]

    def order(self, indices: Sequence[int]) -> list[int] | None:
        """An order of these samples in which batches are mostly neighbours in RAM and need no copy.

        Every row once, then those asked for a second time, and so on. None where samples are so small that
        gathering them costs less than ordering them. Offline only: there LoadGen leaves the order to the SUT.
        """
        if sum(array.nbytes for array in self._inputs.values()) < _WORTH_ORDERING_BYTES * len(self._rows):
            return None
        rows = np.array(self.rows(indices))
        by_row = np.argsort(rows, kind="stable")
        turn = np.arange(len(rows)) - np.searchsorted(rows[by_row], rows[by_row])
        order: list[int] = by_row[np.argsort(turn, kind="stable")].tolist()
        return order

    def views(self, start: int, stop: int) -> Feeds:
        """Inputs of neighbouring rows, without a copy."""
        return {name: array[start:stop] for name, array in self._inputs.items()}

    def batch(self, rows: list[int], buffers: Feeds) -> Feeds:
        """Inputs of any rows: views of neighbours, else copies in `buffers`."""
        first, count, loaded = rows[0], len(rows), len(self._rows)
        if count == 1 or (count <= self._batch and rows == [row % loaded for row in range(first, first + count)]):
            return self.views(first, first + count)
        return self.take(rows, buffers)

    def mask(self, rows: list[int]) -> Array | None:
        """The attention masks of some rows, where the data set has any."""
        return None if self._mask is None else self._mask[rows]

    def take(self, rows: list[int], buffers: Feeds) -> Feeds:
        """Inputs of any rows, copied into `buffers`, which are made on first use for len(rows) or more samples."""
        count = len(rows)
        feeds = {}
        for name, array in self._inputs.items():
            buffer = buffers.get(name)
            if buffer is None or len(buffer) < count:
                buffer = buffers[name] = np.empty((count, *array.shape[1:]), array.dtype)
            feeds[name] = array.take(rows, 0, buffer[:count], "clip")  # other modes copy twice
        return feeds
