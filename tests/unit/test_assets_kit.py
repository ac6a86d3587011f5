"""Several files at once: one line of progress for all, and the first fault or an interruption ends the others."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.assets.kit import FILES_AT_ONCE, Kit, each
from orchestrator.assets.names import chosen, placed
from orchestrator.errors import AssetError
from tests.unit.source_kit import kit_for


def test_results_come_in_order_and_progress_adds_up(tmp_path: Path) -> None:
    heard: list[tuple[str, int, int | None]] = []
    kit = replace(kit_for(tmp_path), meter=lambda *words: heard.append(words))

    def fetch(number: int, own: Kit) -> int:
        own.meter("its own name", 5, 10)
        own.meter("its own name", 10, 10)
        return number * 2

    assert each(range(20), fetch, kit, what="all", total_bytes=None) == tuple(range(0, 40, 2))
    assert {what for what, _, _ in heard} == {"all (20 files)"}
    assert [done for _, done, _ in heard] == sorted(done for _, done, _ in heard)
    assert heard[-1] == ("all (20 files)", 200, 200)
    assert each((), fetch, kit, what="none", total_bytes=None) == ()


def test_the_first_fault_ends_the_others_at_their_next_piece(tmp_path: Path) -> None:
    others = threading.Barrier(FILES_AT_ONCE)
    begun: list[int] = []

    def fetch(number: int, own: Kit) -> None:
        begun.append(number)
        others.wait(10)
        if number == 2:
            raise AssetError("number two is damaged")
        for piece in range(1_000_000_000):
            own.meter("", piece, None)

    with pytest.raises(AssetError, match="number two is damaged"):
        each(range(100), fetch, kit_for(tmp_path), what="all", total_bytes=None)
    assert len(begun) == FILES_AT_ONCE
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fetch")]


def test_an_interruption_ends_all(tmp_path: Path) -> None:
    class Interrupted(BaseException):
        pass

    def fetch(_number: int, own: Kit) -> None:
        for piece in range(1_000_000_000):
            own.meter("", piece, None)

    def meter(_what: str, done: int, _total: int | None) -> None:
        if done > 1000:
            raise Interrupted

    with pytest.raises(Interrupted):
        each(range(3), fetch, replace(kit_for(tmp_path), meter=meter), what="all", total_bytes=None)


def test_names_are_chosen_by_globs_as_the_hubs_library_has_them() -> None:
    names = ["a.json", "b/c.json", "b/d.bin", "e/f/g.bin"]
    assert chosen(names, (), label="x") == ("a.json", "b/c.json", "b/d.bin", "e/f/g.bin")
    assert chosen(names, ("*.json",), label="x") == ("a.json", "b/c.json")
    assert chosen(names, ("b/", "e/*.bin"), ("*d.bin",), label="x") == ("b/c.json", "e/f/g.bin")
    for wanted, left_out, fault in ((("z*",), (), "matches 'z"), ((), ("*",), "no file that is wanted")):
        with pytest.raises(AssetError, match=fault):
            chosen(names, wanted, left_out, label="x")
    with pytest.raises(AssetError, match="holds no file"):
        chosen([], (), label="x")


def test_two_names_that_would_become_one_are_refused() -> None:
    assert placed(["a/x", "a/b/y"], 1, label="l") == {"a/x": "x", "a/b/y": "b/y"}
    with pytest.raises(AssetError, match="would both become 'x'"):
        placed(["a/x", "b/x"], 1, label="l")
