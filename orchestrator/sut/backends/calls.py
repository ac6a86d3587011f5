"""Runs any number of samples over runtime calls of fixed sizes. Knows arrays, no runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from orchestrator.sut.backends import Array, Feeds

Call = Callable[[Feeds], list[Array]]


class SizedCalls:
    """Splits n samples over calls that take exactly the given sizes; pads only where no call is small enough."""

    def __init__(self, calls: Mapping[int, Call]) -> None:
        self._calls = dict(calls)
        self._sizes = sorted(calls, reverse=True)
        self.batch = self._sizes[0]

    def __call__(self, feeds: Feeds) -> list[Array]:
        rows = len(next(iter(feeds.values())))
        whole = self._calls.get(rows)
        if whole is not None:
            return whole(feeds)
        parts = []
        start = 0
        while start < rows:
            size = next((size for size in self._sizes if size <= rows - start), None)
            if size is None:
                parts.append(self._padded(feeds, start, rows))
                break
            parts.append(self._calls[size]({name: array[start : start + size] for name, array in feeds.items()}))
            start += size
        return [np.concatenate(pieces) for pieces in zip(*parts, strict=True)]

    def _padded(self, feeds: Feeds, start: int, rows: int) -> list[Array]:
        """The last few samples, the last of them repeated; the surplus answers are dropped."""
        size = self._sizes[-1]
        take = np.minimum(np.arange(start, start + size), rows - 1)
        outputs = self._calls[size]({name: array[take] for name, array in feeds.items()})
        return [output[: rows - start] for output in outputs]


class WholeCalls:
    """One call per sample with its full tensors, for graphs without a batch axis."""

    batch = 1

    def __init__(self, call: Call) -> None:
        self._call = call

    def __call__(self, feeds: Feeds) -> list[Array]:
        rows = len(next(iter(feeds.values())))
        parts = [self._call({name: np.asarray(array[row]) for name, array in feeds.items()}) for row in range(rows)]
        return [np.stack(pieces) for pieces in zip(*parts, strict=True)]


def full(feeds: Feeds, *, whole: bool) -> Feeds:
    """The tensors of one call for the one sample of `feeds`: without the sample axis where there is no batch axis."""
    return {name: np.asarray(array[0]) for name, array in feeds.items()} if whole else dict(feeds)
