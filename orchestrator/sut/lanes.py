"""How LoadGen's queries reach the model: on the issuing thread, or through a pool of worker threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from orchestrator.sut.backends import Feeds, Runner
from orchestrator.sut.config import Harness, Scenario
from orchestrator.sut.faults import SutError, guarded
from orchestrator.sut.responses import Encoder, Place
from orchestrator.sut.store import Store

_Claims = tuple[Sequence[int], Sequence[int], Iterator[int]]
Complete = Callable[[Sequence[int], Place], None]  # query ids, and where their answers lie


class LoadGenCompletion:
    """Hands answers to LoadGen, which has copied them on return. One for each thread.

    Making response objects costs more than all the rest, so they are kept as long as the answers come from one place.
    """

    def __init__(self, loadgen: Any) -> None:
        self._make = loadgen.QuerySampleResponse
        self._complete = loadgen.QuerySamplesComplete
        self._kept: list[Any] = []
        self._place: Place = (0, 0, 0)

    def __call__(self, ids: Sequence[int], place: Place) -> None:
        kept = self._kept
        if place != self._place or len(ids) > len(kept):
            address, step_bytes, size_bytes = self._place = place
            places = (address + number * step_bytes for number in range(len(ids)))
            self._kept = kept = list(map(self._make, ids, places, repeat(size_bytes)))
        else:
            for response, number in zip(kept, ids, strict=False):
                response.id = number
        self._complete(kept if len(ids) == len(kept) else kept[: len(ids)])


class Traffic(Protocol):
    """A scenario's side of LoadGen's issue callback."""

    issued: int

    @property
    def completed(self) -> int:
        """Samples answered."""

    def issue(self, ids: Sequence[int], indices: Sequence[int]) -> None:
        """LoadGen's callback."""

    def stop(self) -> None:
        """End what runs behind, once LoadGen has all its answers."""


class Lane:
    """One thread's way from sample indices to completed queries, with its own runner and buffers."""

    def __init__(self, runner: Runner, store: Store, encode: Encoder, complete: Complete) -> None:
        self._runner = runner
        self._store = store
        self._encode = encode
        self._complete = complete
        self._buffers: Feeds = {}
        self.completed = 0

    def answer(self, ids: Sequence[int], indices: Sequence[int]) -> None:
        """Run these samples as one batch and complete their queries."""
        store, count = self._store, len(ids)
        if count == 1:
            feeds, mask = store.single(indices[0])
        else:
            feeds, mask = store.batch(indices, self._buffers)
        self._complete(ids, self._encode(self._runner(feeds), mask, count))
        self.completed += count


class Inline:
    """SingleStream and MultiStream: the issuing thread runs the query, batch after batch, before it returns."""

    def __init__(self, lane: Lane, batch: int) -> None:
        self._lane = lane
        self._batch = batch
        self.issued = 0

    def issue(self, ids: Sequence[int], indices: Sequence[int]) -> None:
        """LoadGen's callback."""
        count = len(ids)
        self.issued += count
        if count <= self._batch:
            self._lane.answer(ids, indices)
            return
        for start in range(0, count, self._batch):
            self._lane.answer(ids[start : start + self._batch], indices[start : start + self._batch])

    def stop(self) -> None:
        """Nothing runs behind."""

    @property
    def completed(self) -> int:
        """Samples answered."""
        return self._lane.completed


class Offline:
    """One query with everything in it: each thread claims the next batch until none is left."""

    def __init__(self, lanes: Sequence[Lane], batch: int, store: Store) -> None:
        self._store = store
        self._lanes = lanes
        self._batch = batch
        self._claims: SimpleQueue[_Claims | None] = SimpleQueue()
        self._threads = _threads(lanes, self._work)
        self.issued = 0

    def issue(self, ids: Sequence[int], indices: Sequence[int]) -> None:
        """LoadGen's callback; returns at once."""
        self.issued += len(ids)
        order = self._store.order(indices)
        if order is not None:
            ids, indices = [ids[place] for place in order], [indices[place] for place in order]
        starts = iter(range(0, len(ids), self._batch))  # a range's iterator hands out each start once to any thread
        for _ in self._lanes:
            self._claims.put((ids, indices, starts))

    def stop(self) -> None:
        """End the threads."""
        _join(self._threads, self._claims.put)

    @property
    def completed(self) -> int:
        """Samples answered."""
        return sum(lane.completed for lane in self._lanes)

    def _work(self, lane: Lane) -> None:
        while (claims := self._claims.get()) is not None:
            ids, indices, starts = claims
            for start in starts:
                lane.answer(ids[start : start + self._batch], indices[start : start + self._batch])


class Server:
    """Queries as they arrive: a bounded queue; a free thread takes its share of what waits, up to one batch."""

    def __init__(self, lanes: Sequence[Lane], batch: int, depth: int) -> None:
        self._lanes = lanes
        self._batch = batch
        self._depth = depth
        self._waiting: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
        self._threads = _threads(lanes, self._work)
        self.issued = 0

    def issue(self, ids: Sequence[int], indices: Sequence[int]) -> None:
        """LoadGen's callback; returns at once. A full queue ends the run: dropping queries would be a lie."""
        self.issued += len(ids)
        if self._waiting.qsize() + len(ids) > self._depth:
            raise SutError(
                f"queue overflow: more than {self._depth} samples wait ({self.issued} issued, {self.completed} "
                "completed); the target rate is beyond this system, lower target_qps or raise queue_depth"
            )
        for sample in zip(ids, indices, strict=True):
            self._waiting.put(sample)

    def stop(self) -> None:
        """End the threads."""
        _join(self._threads, self._waiting.put)

    @property
    def completed(self) -> int:
        """Samples answered."""
        return sum(lane.completed for lane in self._lanes)

    def _work(self, lane: Lane) -> None:
        while (first := self._waiting.get()) is not None:
            ids, indices = zip(first, *self._more(), strict=True)
            lane.answer(ids, indices)

    def _more(self) -> Iterator[tuple[int, int]]:
        """This thread's share of the others that wait now; leaves some for threads that are free."""
        for _ in range(min(self._batch - 1, self._waiting.qsize() // len(self._lanes))):
            try:
                sample = self._waiting.get_nowait()
            except Empty:
                return
            if sample is None:  # the end, meant for some thread's next turn
                self._waiting.put(None)
                return
            yield sample


def _threads(lanes: Sequence[Lane], work: Callable[[Lane], None]) -> list[threading.Thread]:
    threads = [
        threading.Thread(target=guarded(work), args=(lane,), name=f"lane-{place}", daemon=True)
        for place, lane in enumerate(lanes)
    ]
    for thread in threads:
        thread.start()
    return threads


def _join(threads: list[threading.Thread], put: Callable[[None], None]) -> None:
    for _ in threads:
        put(None)
    for thread in threads:
        thread.join()


def traffic(harness: Harness, lanes: Sequence[Lane], batch: int, store: Store) -> Traffic:
    """The scenario's way of answering queries."""
    if harness.scenario.inline:
        return Inline(lanes[0], batch)
    if harness.scenario is Scenario.OFFLINE:
        return Offline(lanes, batch, store)
    return Server(lanes, batch, harness.queue_depth)
