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
        self._singles: dict[int, tuple[Feeds, Array | None]] = {}

    def load(self, indices: Sequence[int]) -> None:
        """Copy these samples to RAM, in place of any loaded before."""
        wanted = sorted(set(indices))
        self._rows = {index: row for row, index in enumerate(wanted)}
        around = [wanted[row % len(wanted)] for row in range(len(wanted) + self._batch - 1)]
        self._inputs = {name: np.ascontiguousarray(array[around]) for name, array in self._dataset.inputs.items()}
        mask = self._dataset.mask
        self._mask = None if mask is None else np.ascontiguousarray(mask[around])
        self._singles = {index: self.neighbours(row, row + 1) for index, row in self._rows.items()}

    def unload(self, indices: Sequence[int]) -> None:  # noqa: ARG002 - LoadGen unloads what it loaded
        """Free the RAM."""
        self._rows, self._inputs, self._mask, self._singles = {}, {}, None, {}

    def order(self, indices: Sequence[int]) -> list[int] | None:
        """An order of these samples in which batches are mostly neighbours in RAM and need no copy.

        Every row once, then those asked for a second time, and so on. None where samples are so small that
        gathering them costs less than ordering them. Offline only: there LoadGen leaves the order to the SUT.
        """
        if sum(array.nbytes for array in self._inputs.values()) < _WORTH_ORDERING_BYTES * len(self._rows):
            return None
        rows = np.array([self._rows[index] for index in indices])
        by_row = np.argsort(rows, kind="stable")
        turn = np.arange(len(rows)) - np.searchsorted(rows[by_row], rows[by_row])
        order: list[int] = by_row[np.argsort(turn, kind="stable")].tolist()
        return order

    def single(self, index: int) -> tuple[Feeds, Array | None]:
        """Inputs and attention mask of one sample, prepared when it was loaded."""
        return self._singles[index]

    def neighbours(self, start: int, stop: int) -> tuple[Feeds, Array | None]:
        """Inputs and attention masks of neighbouring rows, without a copy."""
        feeds = {name: array[start:stop] for name, array in self._inputs.items()}
        return feeds, None if self._mask is None else self._mask[start:stop]

    def batch(self, indices: Sequence[int], buffers: Feeds) -> tuple[Feeds, Array | None]:
        """Inputs and attention masks of any samples: views where they are neighbours, else copies in `buffers`."""
        rows = [self._rows[index] for index in indices]
        first, count, loaded = rows[0], len(rows), len(self._rows)
        if count <= self._batch and rows == [row % loaded for row in range(first, first + count)]:
            return self.neighbours(first, first + count)
        feeds = {}
        for name, array in self._inputs.items():
            buffer = buffers.get(name)
            if buffer is None or len(buffer) < count:
                buffer = buffers[name] = np.empty((count, *array.shape[1:]), array.dtype)
            feeds[name] = array.take(rows, 0, buffer[:count], "clip")  # other modes copy twice
        return feeds, None if self._mask is None else self._mask[rows]
