"""`mlperf-docker cache …` on a real cache: what is shown, checked, brought, pinned, removed; every fault a message."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.asset_shelf import Shelf, shelf
from tests.unit.cache_ground import have, layout, snapshot, writable
from tests.unit.cli_calls import Call

CONTENT = b'["one", "two", "three"]\n'


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MLPERF_DOCKER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def shop(tmp_path: Path, root: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    """A catalogue of a pinned data set, one that nobody pins, an archive's content, and what only a user brings."""
    del root, call
    with shelf(tmp_path / "catalog") as found:
        monkeypatch.setenv("MLPERF_DOCKER_CATALOG", str(found.catalog))
        found.file("numbers", CONTENT, aliases=["digits"])
        found.entry("letters", source={"kind": "download", "urls": [found.put("/letters.txt", b"abc")]})
        found.entry(
            "pictures",
            source={"kind": "user", "how": "register at example.org"},
            layout=[{"pattern": "val/*.jpg", "count": 3}],
        )
        packed = archive({"top/a": b"a", "top/b": b"b"})
        found.entry(
            "packed",
            source={
                "kind": "download",
                "urls": [found.put("/packed.tar", packed)],
                "sha256": hashlib.sha256(packed).hexdigest(),
                "size_bytes": len(packed),
                "unpack": True,
                "strip": 1,
            },
        )
        yield found
    from orchestrator.config import catalog
    from orchestrator.host.shipped import use_overlays

    use_overlays(())
    catalog.forget()


def archive(files: dict[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as opened:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return raw.getvalue()


def folder(place: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


PICTURES = {f"val/{number}.jpg": b"%d" % number for number in range(3)}


def test_an_empty_cache_is_shown_as_such_and_stays_unmade(call: Call, root: Path) -> None:
    assert call("cache", "show", "--json").document == {"schema_version": 1, "entries": []}
    assert call("cache", "du", "--json").document["usage"]["total_bytes"] == 0
    assert call("cache", "verify").code == 0
    assert not root.exists()


def test_what_is_here_is_shown_with_size_use_trust_and_origin(call: Call, root: Path, shop: Shelf) -> None:
    call("datasets", "get", "numbers", "letters")
    have(root, {"numbers": {}, "other": {"a": b"x"}} | {"numbers": {"a": b"y"}}, used_by="run-7")
    found = {(entry["name"], entry["trust"]): entry for entry in call("cache", "show", "--json").document["entries"]}
    numbers, letters = found["numbers", "pinned"], found["letters", "first use"]
    assert (numbers["size_bytes"], numbers["files"], numbers["kind"], numbers["state"]) == (24, 1, "dataset", "whole")
    assert numbers["origin"] == f"{shop.base}/numbers.json"
    assert (numbers["used_by"], numbers["pinned"], numbers["in_use"]) == (None, False, None)
    assert letters["origin"] == f"{shop.base}/letters.txt"
    assert (found["other", "made here"]["used_by"], found["other", "made here"]["in_use"]) == ("run-7", "run-7")
    table = call("cache", "show").stdout
    assert "in use by run-7" in table
    said = call("cache", "show", "other").stdout
    assert "by run-7" in said
    assert str(root / "assets" / "other") in said


def test_the_path_is_one_line_and_follows_an_alias(call: Call, shop: Shelf) -> None:
    (path,) = call("datasets", "get", "numbers").stdout.splitlines()
    assert call("cache", "path", "digits").stdout == f"{path}\n"
    missing = call("cache", "path", "letters")
    assert (missing.code, missing.stdout) == (4, "")
    assert "'letters' is not in the cache" in missing.stderr


def test_of_several_versions_the_last_one_is_meant(call: Call, root: Path, shop: Shelf) -> None:
    have(root, {"numbers": {"a": b"x"}}, at=datetime(2020, 1, 1, tzinfo=UTC))
    (path,) = call("datasets", "get", "numbers").stdout.splitlines()
    asked = call("cache", "path", "numbers")
    assert asked.stdout == f"{path}\n"
    assert "2 versions of 'numbers' are here" in asked.stderr
    key = Path(path).name
    assert call("cache", "path", f"numbers/{key[:6]}").stdout == f"{path}\n"
    assert call("cache", "rm", f"numbers/{key}").code == 0
    assert call("cache", "path", "numbers").stdout != f"{path}\n"


def test_names_that_are_not_here_get_the_nearest(call: Call, root: Path) -> None:
    have(root, {"numbers": {"a": b"x"}})
    for command in ("show", "rm", "verify"):
        done = call("cache", command, "nombers")
        assert done.code == 2
        assert "did you mean 'numbers'?" in done.stderr
    assert call("cache", "pin", "nonsense").code == 2
    assert call("cache", "unpin", "numbers").code == 2


def test_a_pinned_asset_is_not_removed_until_it_is_let_go(call: Call, root: Path, shop: Shelf) -> None:
    call("datasets", "get", "numbers")
    assert call("cache", "pin", "digits").stdout == "pinned numbers\n"
    refused = call("cache", "rm", "numbers")
    assert refused.code == 2
    assert "it is pinned (mlperf-docker cache unpin numbers)" in refused.stderr
    assert "kept numbers/" in call("cache", "prune", "--keep", "0").stdout
    assert "pinned" in call("cache", "show").stdout
    assert call("cache", "unpin", "numbers").code == 0
    assert call("cache", "rm", "numbers").code == 0
    assert not any((root / "store" / "sha256").iterdir())
    assert call("datasets", "get", "numbers").code == 0


def test_what_a_run_uses_now_is_not_removed(call: Call, root: Path) -> None:
    have(root, {"numbers": {"a": b"x"}}, used_by="run-7")
    refused = call("cache", "rm", "numbers")
    assert (refused.code, "it is in use by run-7" in refused.stderr) == (2, True)


def test_prune_takes_sizes_and_ages(call: Call, root: Path) -> None:
    have(root, {"old": {"a": bytes(9000)}}, at=datetime.now(UTC) - timedelta(days=40))
    have(root, {"new": {"a": b"n" * 9000}}, at=datetime.now(UTC))
    said = call("cache", "prune", "--keep", "1k", "--older-than", "30d", "--dry-run")
    assert "would remove old/" in said.stdout
    assert "new" not in said.stdout
    assert "too young" in said.stderr
    done = call("cache", "prune", "--keep", "12k", "--json").document
    assert [gone["name"].partition("/")[0] for gone in done["pruned"]["gone"]] == ["old"]
    for arguments in (("--keep", "much"), ("--older-than", "long"), ("--older-than", "9999999d"), ("--keep", "-1")):
        assert call("cache", "prune", *arguments).code == 2


def test_verify_names_what_is_missing_changed_or_extra_and_removes_nothing(call: Call, root: Path, shop: Shelf) -> None:
    files = {f"file{number}": b"%d" % number for number in range(5)}
    (ready,) = have(root, {"numbers": files})
    assert call("cache", "verify", "numbers").code == 0
    times = (ready.path / "file1").stat()
    writable(ready.path / "file1", b"X")
    os.utime(ready.path / "file1", ns=(times.st_atime_ns, times.st_mtime_ns))
    (ready.path / "file2").unlink()
    (ready.path / "more").write_bytes(b"y")
    before = snapshot(ready.path)
    done = call("cache", "verify", "--json")
    (found,) = [one["result"] for one in done.document["verified"] if one["result"]["name"] == "numbers"]
    assert done.code == 4
    assert (found["missing"], found["extra"]) == (["file2"], ["more"])
    assert found["changed"] == [
        {"name": "file1", "expected": ready.files[1].sha256, "found": hashlib.sha256(b"X").hexdigest()}
    ]
    said = call("cache", "verify").stdout
    assert "DAMAGED" in said
    assert f"remedy: mlperf-docker cache rm numbers/{ready.path.name}" in said
    assert snapshot(ready.path) == before
    assert call("cache", "rm", "numbers").code == 0
    assert call("cache", "verify").code == 0


def test_verify_believes_the_catalogue_and_first_use_before_a_manifest(call: Call, root: Path, shop: Shelf) -> None:
    for name in ("numbers", "letters"):
        (path,) = call("datasets", "get", name).stdout.splitlines()
        (file,) = [one for one in Path(path).iterdir() if one.name[0] != "."]
        good = hashlib.sha256(file.read_bytes()).hexdigest()
        writable(file, b"evil")
        note = Path(path) / ".manifest.json"
        note.write_text(note.read_text().replace(good, hashlib.sha256(b"evil").hexdigest()))
        assert (name, call("cache", "verify", name).code) == (name, 4)


def test_verify_hashes_crowds_of_files_in_several_processes(
    call: Call, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.host.hashing._CROWD", 100)
    files = {f"{number % 10}/{number}": b"%d" % number for number in range(300)}
    (ready,) = have(root, {"numbers": files})
    assert call("cache", "verify").code == 0
    writable(ready.path / "3/13", b"X")
    found = call("cache", "verify", "--json").document["verified"][0]["result"]
    assert [one["name"] for one in found["changed"]] == ["3/13"]


def test_verify_hashes_blobs_that_nothing_holds(call: Call, root: Path, shop: Shelf) -> None:
    call("datasets", "get", "packed")
    assert call("cache", "verify").code == 0
    (blob,) = [path for path in layout(root).blobs() if path.stat().st_nlink == 1]
    writable(blob, b"evil")
    done = call("cache", "verify")
    assert (done.code, f"expected sha256 {blob.name}" in done.stdout) == (4, True)
    assert call("cache", "prune").code == 0
    assert call("cache", "verify").code == 0


@pytest.mark.parametrize("text", ["", "[]", '{"schema_version": 9}', "\0", '{"schema_version":1,"files":[1]}'])
def test_a_damaged_manifest_is_shown_as_such_and_can_be_removed(call: Call, root: Path, text: str) -> None:
    (ready,) = have(root, {"numbers": {"a": b"x"}})
    (ready.path / ".manifest.json").write_text(text)
    layout(root).summary("numbers", ready.key).unlink()
    (entry,) = call("cache", "show", "--json").document["entries"]
    assert (entry["state"], bool(entry["note"])) == ("damaged", True)
    done = call("cache", "verify")
    assert (done.code, "is damaged" in done.stdout) == (4, True)
    assert call("cache", "rm", "numbers").code == 0
    assert have(root, {"numbers": {"a": b"x"}})[0].fetched


@pytest.mark.parametrize("text", ["", "[]", "{", '{"name": "numbers"}', None])
def test_a_damaged_or_lost_summary_is_made_again(call: Call, root: Path, text: str | None) -> None:
    (ready,) = have(root, {"numbers": {"a": b"x"}})
    (before,) = call("cache", "show", "--json").document["entries"]
    summary = layout(root).summary("numbers", ready.key)
    summary.unlink() if text is None else summary.write_text(text)
    (after,) = call("cache", "show", "--json").document["entries"]
    assert {**after, "kind": before["kind"], "origin": before["origin"]} == before
    assert summary.stat().st_size > 100


def test_another_program_s_files_are_no_trouble(call: Call, root: Path) -> None:
    have(root, {"numbers": {"a": b"x"}})
    folder(root, {"README": b"theirs", "assets/README": b"x", "assets/numbers/notes": b"x", "assets/a b/c/d": b"x"})
    folder(root, {"pins/.x": b"", "partial/x": b"", "store/sha256/x": b"", "work/x": b"", "tmp/x": b"", "uses/x": b""})
    assert [entry["name"] for entry in call("cache", "show", "--json").document["entries"]] == ["numbers"]
    for command in (("du",), ("verify",), ("prune", "--keep", "0"), ("show",)):
        assert call("cache", *command).code == 0
    for name in ("README", "assets/README", "assets/numbers/notes", "assets/a b/c/d", "tmp/x", "store/sha256/x"):
        assert (root / name).exists(), name


def test_a_folder_is_brought_and_held_to_the_layout(call: Call, root: Path, shop: Shelf, tmp_path: Path) -> None:
    mine = folder(tmp_path / "mine", {**PICTURES, "labels.txt": b"l"})
    (mine / "val" / "2.jpg").rename(mine / "val" / "2.jpeg")
    before = snapshot(mine)
    refused = call("cache", "import", "pictures", str(mine), "--move")
    assert refused.code == 4
    assert "2 of 3 files match 'val/*.jpg'" in refused.stderr
    assert "must hold 3 files 'val/*.jpg'" in refused.stderr
    assert snapshot(mine) == before
    (mine / "val" / "2.jpeg").rename(mine / "val" / "2.jpg")
    done = call("cache", "import", "pictures", str(mine))
    assert done.code == 0, done.stderr
    assert snapshot(mine).keys() == {"labels.txt", "val", *PICTURES}
    assert call("datasets", "get", "pictures").stdout == done.stdout
    (entry,) = call("cache", "show", "--json").document["entries"]
    assert (entry["trust"], entry["files"]) == ("imported", 4)
    again = call("cache", "import", "pictures", str(mine))
    assert (again.code, "in the cache already" in again.stderr) == (4, True)


def test_what_is_linked_is_left_as_it_is_and_what_is_moved_is_gone(
    call: Call, root: Path, shop: Shelf, tmp_path: Path
) -> None:
    mine = folder(tmp_path / "mine", PICTURES)
    before = snapshot(mine)
    (path,) = call("cache", "import", "pictures", str(mine), "--link").stdout.splitlines()
    assert snapshot(mine) == before
    assert (mine / "val" / "1.jpg").samefile(Path(path) / "val" / "1.jpg")
    (mine / "val" / "1.jpg").write_bytes(b"changed later")
    assert call("cache", "verify", "pictures").code == 4
    assert call("cache", "rm", "pictures").code == 0
    assert (mine / "val" / "1.jpg").read_bytes() == b"changed later"
    refused = call("cache", "import", "pictures", str(mine), "--move")
    assert (refused.code, "believed at first use" in refused.stderr) == (4, True)
    (mine / "val" / "1.jpg").write_bytes(b"1")
    assert call("cache", "import", "pictures", str(mine), "--move").code == 0
    assert not mine.exists()
    assert call("cache", "verify", "pictures").code == 0
    assert call("cache", "import", "pictures", str(tmp_path), "--link", "--move").code == 2
    assert call("cache", "import", "pictures", str(tmp_path / "nothing")).code == 2


def test_an_archive_that_the_catalogue_pins_needs_no_network(
    call: Call, root: Path, shop: Shelf, tmp_path: Path
) -> None:
    packed = shop.files["/packed.tar"]
    assert isinstance(packed, bytes)
    (tmp_path / "mine.tar").write_bytes(packed)
    (tmp_path / "other.tar").write_bytes(archive({"top/a": b"evil"}))
    refused = call("cache", "import", "packed", str(tmp_path / "other.tar"))
    assert refused.code == 4
    assert f"expected sha256 {hashlib.sha256(packed).hexdigest()}, found" in refused.stderr
    (path,) = call("cache", "import", "packed", str(tmp_path / "mine.tar")).stdout.splitlines()
    assert {file.name: file.read_bytes() for file in Path(path).iterdir() if file.name[0] != "."} == {
        "a": b"a",
        "b": b"b",
    }
    assert shop.asked == []
    (entry,) = call("cache", "show", "--json").document["entries"]
    assert entry["trust"] == "pinned"


def test_an_archive_of_what_only_the_user_has_is_unpacked_safely(
    call: Call, root: Path, shop: Shelf, tmp_path: Path
) -> None:
    (tmp_path / "evil.tar").write_bytes(archive({**PICTURES, "../evil": b"x"}))
    refused = call("cache", "import", "pictures", str(tmp_path / "evil.tar"))
    assert (refused.code, "../evil" in refused.stderr) == (4, True)
    assert not (tmp_path / "evil").exists()
    (tmp_path / "good.tar").write_bytes(archive(PICTURES))
    assert call("cache", "import", "pictures", str(tmp_path / "good.tar"), "--move").code == 0
    assert not (tmp_path / "good.tar").exists()
    assert call("cache", "verify", "pictures").code == 0


def test_caches_of_the_site_are_shown_used_and_never_changed(
    call: Call, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    (theirs,) = have(site, {"numbers": {"a": b"x"}})
    monkeypatch.setenv("MLPERF_DOCKER_SITE_CACHES", f"{tmp_path / 'none'}:{site}")
    before = snapshot(site)
    (entry,) = call("cache", "show", "--json").document["entries"]
    assert (entry["name"], entry["site"], entry["path"]) == ("numbers", True, str(theirs.path))
    assert call("cache", "path", "numbers").stdout == f"{theirs.path}\n"
    assert call("cache", "verify", "numbers").code == 0
    refused = call("cache", "rm", "numbers")
    assert (refused.code, "a cache of the site" in refused.stderr) == (2, True)
    assert call("cache", "prune", "--keep", "0").code == 0
    assert snapshot(site) == before
    writable(theirs.path / "a", b"y")
    assert "whoever keeps that" in call("cache", "verify", "numbers").stdout


@pytest.mark.parametrize("command", [("show",), ("du",), ("verify",), ("prune",)])
def test_a_cache_that_is_a_file_is_no_traceback(call: Call, root: Path, command: tuple[str, ...]) -> None:
    root.write_text("not a folder")
    assert call("cache", *command).code in {0, 4}
    assert root.read_text() == "not a folder"
