"""Making a cache smaller: in which order things go, what never goes, and that shared bytes are counted once."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.assets.blobs import BlobStore
from orchestrator.assets.cache_entries import assets_in, works_in
from orchestrator.assets.cache_prune import BLOB, LEFTOVER, PARTIAL, Limits, Pruned, prune, usage
from orchestrator.assets.cache_remove import pin, remove_entry, unpin
from orchestrator.assets.cache_uses import Use
from orchestrator.domain.canonical import canonical_json
from orchestrator.host.files import append_line, make_folder
from orchestrator.host.locks import lock
from orchestrator.host.owner import boot_id
from tests.unit.cache_ground import NOON, have, layout

LATER = NOON + timedelta(days=40)
K = 1 << 12  # one block, so that bytes on disk are bytes


def filled(root: Path) -> None:
    """Four assets of one, two, four and eight blocks, used in this order; `one` by a run on the last day."""
    for number, name in enumerate(("one", "two", "four", "eight")):
        have(root, {name: {"file": bytes([number + 1]) * (K << number)}}, at=NOON + timedelta(days=number))
    used(root, "one", NOON + timedelta(days=30))


def used(root: Path, name: str, when: datetime, *, host: str = "", owner: str = "") -> None:
    (entry,) = assets_in(layout(root), LATER, name=name)
    dead = f"{boot_id()}:999999999:1"
    use = Use(when=when.isoformat(), run=f"run-of-{name}", owner=owner or dead, host=host or os.uname().nodename)
    path = layout(root).uses(name, entry.key)
    make_folder(path.parent)
    append_line(path, canonical_json(use))


def pruned(root: Path, *, now: datetime = LATER, dry_run: bool = False, **limits: object) -> Pruned:
    return prune(layout(root), Limits(**limits), now=now, dry_run=dry_run)  # type: ignore[arg-type]


def names(found: Pruned) -> list[str]:
    return [gone.name.partition("/")[0] for gone in found.gone if gone.kind not in {BLOB, PARTIAL, LEFTOVER}]


def left(root: Path) -> list[str]:
    return [entry.name for entry in assets_in(layout(root), LATER)]


def test_the_least_recently_used_go_first_and_no_more_than_needed(tmp_path: Path) -> None:
    filled(tmp_path)
    assert usage(layout(tmp_path), LATER).assets_bytes >= 15 * K
    found = pruned(tmp_path, keep_bytes=12 * K)
    assert names(found) == ["two", "four"]
    assert left(tmp_path) == ["eight", "one"]
    assert found.after_bytes <= 12 * K < found.before_bytes
    assert sum(gone.freed_bytes for gone in found.gone) == found.before_bytes - found.after_bytes


def test_a_dry_run_says_the_same_and_removes_nothing(tmp_path: Path) -> None:
    filled(tmp_path)
    said = pruned(tmp_path, keep_bytes=12 * K, dry_run=True)
    assert sorted(left(tmp_path)) == ["eight", "four", "one", "two"]
    assert pruned(tmp_path, keep_bytes=12 * K) == said


def test_with_an_age_nothing_younger_goes(tmp_path: Path) -> None:
    filled(tmp_path)
    assert names(pruned(tmp_path, older_than=timedelta(days=38, hours=12))) == ["two"]
    assert names(pruned(tmp_path, older_than=timedelta(days=1), keep_bytes=1 << 30)) == []
    assert names(pruned(tmp_path, older_than=timedelta(days=30), keep_bytes=0)) == ["four", "eight"]
    assert left(tmp_path) == ["one"]


def test_what_is_pinned_stays_and_the_reason_is_told(tmp_path: Path) -> None:
    filled(tmp_path)
    pin(layout(tmp_path), "two", NOON.isoformat())
    found = pruned(tmp_path, keep_bytes=0)
    assert left(tmp_path) == ["two"]
    assert [(stayed.name.partition("/")[0], "pinned" in stayed.reason) for stayed in found.stayed] == [("two", True)]
    assert unpin(layout(tmp_path), "two")
    assert names(pruned(tmp_path, keep_bytes=0)) == ["two"]


def test_what_a_living_run_uses_stays(tmp_path: Path) -> None:
    filled(tmp_path)
    have(tmp_path, {"two": {}}, used_by="run-of-mine")
    used(tmp_path, "four", LATER - timedelta(hours=3), host="elsewhere")
    used(tmp_path, "eight", LATER - timedelta(days=3), host="elsewhere")
    found = pruned(tmp_path, keep_bytes=0)
    assert sorted(left(tmp_path)) == ["four", "two"]
    reasons = {stayed.name.partition("/")[0]: stayed.reason for stayed in found.stayed}
    assert reasons == {"two": "it is in use by run-of-mine", "four": "it is in use by run-of-four (on elsewhere)"}


def test_a_use_that_began_after_we_looked_is_seen(tmp_path: Path) -> None:
    filled(tmp_path)
    (entry,) = assets_in(layout(tmp_path), LATER, name="two")
    have(tmp_path, {"two": {}}, used_by="run-of-mine")
    assert remove_entry(layout(tmp_path), entry, LATER) == "it is in use by run-of-mine"
    with lock(layout(tmp_path).asset_lock("four", assets_in(layout(tmp_path), LATER, name="four")[0].key)):
        (entry,) = assets_in(layout(tmp_path), LATER, name="four")
        assert entry.in_use == "another process"
    assert "two" in left(tmp_path)


def test_rubbish_goes_first(tmp_path: Path) -> None:
    filled(tmp_path)
    place = layout(tmp_path)
    partial = place.partial("a" * 64)
    make_folder(partial)
    (partial / "file").write_bytes(bytes(K))
    dead = place.tmp / f"asset-x~{os.uname().nodename}~{boot_id()}_999999999_1~00"
    make_folder(dead)
    (dead / "file").write_bytes(bytes(K))
    (tmp_path / "given").write_bytes(b"b" * K)
    BlobStore(tmp_path).adopt(tmp_path / "given", "b" * 64)
    (tmp_path / "given").unlink()
    found = usage(place, LATER)
    assert found.rubbish_bytes == 3 * K
    assert found.total_bytes == found.assets_bytes + found.rubbish_bytes + found.work_bytes + found.other_bytes
    gone = pruned(tmp_path, keep_bytes=pruned(tmp_path, keep_bytes=1 << 40).before_bytes - 2 * K - 1)
    assert [one.kind for one in gone.gone] == [LEFTOVER, PARTIAL, BLOB]
    assert not partial.exists()
    assert not dead.exists()
    assert len(left(tmp_path)) == 4


def test_without_limits_only_rubbish_goes(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "given").write_bytes(b"b" * K)
    BlobStore(tmp_path).adopt(tmp_path / "given", "b" * 64)
    (tmp_path / "given").unlink()
    assert [gone.kind for gone in pruned(tmp_path).gone] == [BLOB]
    assert len(left(tmp_path)) == 4


def test_while_something_is_fetched_blobs_and_partial_downloads_stay(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "given").write_bytes(b"b" * K)
    BlobStore(tmp_path).adopt(tmp_path / "given", "b" * 64)
    (tmp_path / "given").unlink()
    with lock(layout(tmp_path).filling_lock, shared=True):
        found = pruned(tmp_path)
    assert (found.gone, [stayed.reason for stayed in found.stayed]) == ((), ["something is fetched or made now"])
    assert layout(tmp_path).blob("b" * 64).exists()


def test_bytes_that_two_share_are_counted_once_and_freed_with_the_last(tmp_path: Path) -> None:
    both = b"s" * (8 * K)
    have(tmp_path, {"one": {"a": both, "b": b"o" * K}}, at=NOON)
    have(tmp_path, {"two": {"c": both}}, at=NOON + timedelta(days=1))
    cost = {one.name.partition("/")[0]: one for one in usage(layout(tmp_path), LATER).costs}
    assert cost["two"].size_bytes - cost["two"].own_bytes == 8 * K
    assert cost["one"].size_bytes - cost["one"].own_bytes == 8 * K
    found = pruned(tmp_path, keep_bytes=9 * K)
    assert names(found) == ["one"]
    assert found.gone[0].freed_bytes < 4 * K
    assert (assets_in(layout(tmp_path), LATER)[0].path / "c").read_bytes() == both
    assert names(pruned(tmp_path, keep_bytes=0)) == ["two"]
    assert list(layout(tmp_path).blobs()) == []


def test_a_file_with_a_name_outside_frees_nothing(tmp_path: Path) -> None:
    (ready,) = have(tmp_path / "cache", {"one": {"a": bytes(8 * K)}})
    os.link(ready.path / "a", tmp_path / "mine")
    found = pruned(tmp_path / "cache", keep_bytes=0)
    assert found.gone[0].freed_bytes < 2 * K
    assert (tmp_path / "mine").stat().st_size == 8 * K


def test_folders_of_drivers_are_listed_and_go_unless_a_run_is_under_way(tmp_path: Path) -> None:
    filled(tmp_path)
    engines = tmp_path / "work" / "nvidia" / "engines-1"
    engines.mkdir(parents=True)
    (engines / "plan").write_bytes(bytes(2 * K))
    os.utime(engines / "plan", (0, 0))
    os.utime(engines, (0, 0))
    (entry,) = works_in(layout(tmp_path), LATER)
    assert (entry.name, entry.size_bytes, entry.last_used[:4]) == ("work/nvidia/engines-1", 2 * K, "1970")
    assert usage(layout(tmp_path), LATER).work_bytes == 2 * K
    have(tmp_path, {"two": {}}, used_by="run-of-mine")
    assert names(pruned(tmp_path, keep_bytes=0)) == ["four", "eight", "one"]
    assert engines.exists()
    uses = layout(tmp_path).uses("two", assets_in(layout(tmp_path), LATER, name="two")[0].key)
    uses.unlink()
    assert "work" in names(pruned(tmp_path, keep_bytes=0))
    assert not engines.exists()


def test_other_programs_files_are_shown_and_never_touched(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "file").write_bytes(b"x" * K)
    (tmp_path / "assets" / "README").write_text("theirs")
    (tmp_path / "assets" / "one" / "notes").mkdir()
    found = usage(layout(tmp_path), LATER)
    assert ("theirs", K) in [(cost.name, cost.size_bytes) for cost in found.others]
    pruned(tmp_path, keep_bytes=0)
    assert left(tmp_path) == []
    assert (tmp_path / "theirs" / "file").exists()
    assert (tmp_path / "assets" / "README").exists()
    assert (tmp_path / "assets" / "one" / "notes").exists()


@pytest.mark.parametrize("line", ["", "{}", "[1", '{"when": "never", "run": "r", "owner": "o", "host": "h"}', "\xff\0"])
def test_a_damaged_line_of_use_is_passed_over(tmp_path: Path, line: str) -> None:
    filled(tmp_path)
    (entry,) = assets_in(layout(tmp_path), LATER, name="one")
    append_line(layout(tmp_path).uses("one", entry.key), line)
    (again,) = assets_in(layout(tmp_path), LATER, name="one")
    assert (again.used_by, again.last_used) == (entry.used_by, entry.last_used)
    assert entry.used_by == "run-of-one"


def test_a_crash_while_removing_leaves_the_asset_or_nothing_of_it(tmp_path: Path) -> None:
    filled(tmp_path)
    (entry,) = assets_in(layout(tmp_path), LATER, name="eight")
    grave = layout(tmp_path).tmp / f"removed-x~{os.uname().nodename}~{boot_id()}_999999999_1~00"
    grave.mkdir()
    entry.path.rename(grave / "gone")
    assert "eight" not in left(tmp_path)
    assert have(tmp_path, {"eight": {"file": b"\4" * (K << 3)}})[0].fetched
    assert not grave.exists()
