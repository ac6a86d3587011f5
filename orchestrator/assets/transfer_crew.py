"""Threads that fetch the missing pieces of a file together. The first error ends them all; who called judges it."""

from __future__ import annotations

import threading
import time

from orchestrator.assets.transfer_faults import disk_error, shown
from orchestrator.assets.transfer_partial import Piece
from orchestrator.assets.transfer_ranges import PARTIAL, piece_fault, range_headers
from orchestrator.assets.transfer_terms import Fetching
from orchestrator.assets.transfer_wire import Answer, ask
from orchestrator.errors import TransientAssetError

_BLOCK_BYTES = 1 << 18
_TICK_S, _SYNC_S, _END_S = 0.25, 20.0, 2.0


class Crew:
    """Threads that fetch pieces, each over a connection of its own, until nothing is missing or one has failed."""

    def __init__(self, fetching: Fetching, first: Answer, url: str) -> None:
        self._fetching, self._first, self._url = fetching, first, url
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._working = 0
        self._error: BaseException | None = None
        self._answers: set[Answer] = set()
        self._syncing: threading.Thread | None = None

    def work(self) -> None:
        """Return when the file is whole; otherwise raise the first error, and let nobody write any more."""
        held = self._fetching.held
        self._working = self._size()
        threads = [
            threading.Thread(target=self._member, args=(number == 0,), name=f"fetch-{number}", daemon=True)
            for number in range(self._working)
        ]
        try:
            for thread in threads:
                thread.start()
            self._watch()
        finally:
            self._end(threads)
            held.note()
        if self._error is not None:
            if len(threads) > 1:
                self._fetching.parts = max(1, self._fetching.parts // 2)
            raise self._error

    def _size(self) -> int:
        held, line = self._fetching.held, self._fetching.line
        missing = held.size_bytes - held.done_bytes if held.size_bytes is not None else 0
        in_parallel = self._first.status == PARTIAL and missing >= 2 * line.part_bytes
        return max(1, min(self._fetching.parts, -(-missing // line.part_bytes))) if in_parallel else 1

    def _watch(self) -> None:
        synced = time.monotonic()
        while True:
            with self._news:
                over = self._news.wait_for(lambda: not self._working or self._error is not None, _TICK_S)
            if over:
                return
            self._fetching.held.note()
            self._fetching.tick()
            if time.monotonic() - synced > _SYNC_S and not (self._syncing and self._syncing.is_alive()):
                synced = time.monotonic()
                self._syncing = threading.Thread(target=self._sync, name="sync", daemon=True)
                self._syncing.start()

    def _sync(self) -> None:
        try:
            self._fetching.held.sync()
        except OSError as error:
            with self._news:
                self._error = self._error or disk_error(error, self._fetching.held.path)

    def _end(self, threads: list[threading.Thread]) -> None:
        self._stop.set()
        with self._news:
            answers = tuple(self._answers)
        for answer in answers:
            answer.abort()
        if self._syncing is not None:
            self._syncing.join()
        patient_until = time.monotonic() + _END_S  # who still connects by then will find that it is over
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(0.0, patient_until - time.monotonic()))

    def _member(self, has_first: bool) -> None:
        try:
            answer = self._first if has_first else None
            while not self._stop.is_set() and (piece := self._fetching.held.take()) is not None:
                self._fetch(piece, answer)
                answer = None
        except BaseException as error:  # raised again by the thread that waits
            with self._news:
                if not self._stop.is_set():
                    self._error = self._error or error
        finally:
            with self._news:
                self._working -= 1
                self._news.notify_all()

    def _fetch(self, piece: Piece, answer: Answer | None) -> None:
        answer = answer or self._ask(piece)
        with self._news:
            self._answers.add(answer)
        try:
            self._receive(piece, answer)
        finally:
            with self._news:
                self._answers.discard(answer)
            answer.close()

    def _ask(self, piece: Piece) -> Answer:
        """Ask the server that we were sent on to for a further piece; it must be of the same file."""
        held, first = self._fetching.held, self._first
        assert held.identity is not None  # noqa: S101 - there are pieces
        answer = ask(
            first.url,
            line=self._fetching.line,
            headers=range_headers(piece.at, piece.end, held.identity),
            trusted=first.own,
        )
        fault = piece_fault(answer, piece, held.identity)
        if fault is not None:
            answer.close()
            raise fault
        return answer

    def _receive(self, piece: Piece, answer: Answer) -> None:
        held, digests = self._fetching.held, self._fetching.digests
        while not self._stop.is_set() and not piece.whole:
            most = _BLOCK_BYTES if piece.end is None else min(_BLOCK_BYTES, piece.end - piece.at)
            block = answer.read(most)
            if self._stop.is_set():
                return
            if not block:
                break
            digests.advance(held.write(piece, block))
        if self._stop.is_set():
            return
        if piece.end is None and piece.at >= (self._fetching.expected.size_bytes or 0):
            held.end_at(piece)
        elif not piece.whole:
            raise TransientAssetError(f"the transfer from {shown(self._url)} ended too early")
