"""What every source is given to fetch with, and how several files are fetched at once. Knows no source."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from orchestrator.assets.archive_guard import Limits
from orchestrator.assets.blobs import BlobStore
from orchestrator.assets.transfer_wire import Line
from orchestrator.domain.asset import Asset
from orchestrator.domain.ports import Meter, Say, no_meter
from orchestrator.errors import InterruptedRun

FILES_AT_ONCE = 4
Learn = Callable[[str, str], None]
Item = TypeVar("Item")
Result = TypeVar("Result")


def _forget(_what: str, _value: str) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """`scratch`: a folder for workspaces, on the cache's file system. `learn` is told what was not pinned and is now
    known (`revision`, `md5 of the list`), for the manifest.
    """

    line: Line
    blobs: BlobStore
    scratch: Path
    say: Say
    meter: Meter = no_meter
    learn: Learn = _forget

    def place(self, blob: Path, made: Path, name: str) -> None:
        """Link a blob under its name into the folder of an asset."""
        target = made / name
        target.parent.mkdir(parents=True, exist_ok=True)
        self.blobs.link(blob, target)


def limits_of(asset: Asset) -> Limits:
    """How much an archive of this asset may become."""
    return Limits(expected_bytes=asset.size_bytes)


def each(
    items: Iterable[Item], fetch: Callable[[Item, Kit], Result], kit: Kit, *, what: str, total_bytes: int | None
) -> tuple[Result, ...]:
    """Call for every item, some at once; the results in the items' order, one line of progress for all.

    The first error ends the others at their next piece, and so does an interruption.
    """
    listed = tuple(items)
    counter = _Counter(kit, what, len(listed), total_bytes)
    with ThreadPoolExecutor(max_workers=FILES_AT_ONCE, thread_name_prefix="fetch") as pool:
        running: list[Future[Result]] = [
            pool.submit(counter.call, number, fetch, item) for number, item in enumerate(listed)
        ]
        try:
            results = tuple(future.result() for future in running)
            counter.finish()
            return results
        except BaseException:
            counter.stopped.set()
            pool.shutdown(wait=True, cancel_futures=True)
            for future in running:  # the first error in time, not what it did to the others
                if not future.cancelled() and (error := future.exception()) and not isinstance(error, InterruptedRun):
                    raise error from None
            raise


class _Counter:
    """Adds up what several transfers have done, and stops them."""

    def __init__(self, kit: Kit, what: str, files: int, total_bytes: int | None) -> None:
        self._kit, self._total = kit, total_bytes
        self._label = f"{what} ({files:,} files)" if files > 1 else what
        self._lock = threading.Lock()
        self._done: dict[int, int] = {}
        self._sum = 0
        self.stopped = threading.Event()

    def call(self, number: int, fetch: Callable[[Item, Kit], Result], item: Item) -> Result:
        """Fetch one item with a kit that reports here."""
        self._refuse_stopped()

        def meter(_what: str, done: int, _total: int | None) -> None:
            self._refuse_stopped()
            self._report(number, done)

        try:
            return fetch(item, replace(self._kit, say=self._say, meter=meter))
        except BaseException:
            self.stopped.set()
            raise

    def finish(self) -> None:
        """All are here: where the total was not known, it is now."""
        with self._lock:
            if self._sum:
                self._kit.meter(self._label, self._sum, self._sum)

    def _refuse_stopped(self) -> None:
        if self.stopped.is_set():
            raise InterruptedRun("another file could not be had")

    def _report(self, number: int, done: int) -> None:
        with self._lock:
            self._sum += done - self._done.get(number, 0)
            self._done[number] = done
            self._kit.meter(self._label, self._sum, self._total)

    def _say(self, line: str) -> None:
        with self._lock:
            self._kit.say(line)
