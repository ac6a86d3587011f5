"""Files that others read while we write: all or nothing; locks that go with their process."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.host.files import (
    lock,
    publish_file,
    publish_tree,
    sha256_file,
    tree_files,
    write_atomic,
)

HOLDS = """
import sys, time
from pathlib import Path
from orchestrator.host.files import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_reader_never_sees_a_part(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    contents = [letter * (1 << 18) for letter in "ab"]
    write_atomic(path, contents[0])
    over = threading.Event()

    def keep_writing() -> None:
        number = 0
        while not over.is_set():
            number += 1
            write_atomic(path, contents[number % 2], durable=False)

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        seen = [path.read_text() for _ in range(300)]
        while len(set(seen)) < len(contents):
            seen.append(path.read_text())
    finally:
        over.set()
        writer.join()
    assert set(seen) == set(contents)


def test_a_failed_write_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "\ud800")
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError):
        write_atomic(path, "new")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_the_mode_is_the_one_asked_for(tmp_path: Path) -> None:
    write_atomic(tmp_path / "open", b"x")
    write_atomic(tmp_path / "closed", b"x", mode=0o600)
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o600


def test_a_tree_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    made, final = tmp_path / "made", tmp_path / "deep" / "final"
    (made / "sub").mkdir(parents=True)
    (made / "sub" / "file").write_text("x")
    publish_tree(made, final)
    assert (final / "sub" / "file").read_text() == "x"
    assert not made.exists()
    (made / "sub").mkdir(parents=True)
    with pytest.raises(OSError):
        publish_tree(made, final)
    assert (final / "sub" / "file").read_text() == "x"


def test_a_published_file_replaces_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "made").write_text("new")
    (tmp_path / "final").write_text("old")
    publish_file(tmp_path / "made", tmp_path / "final")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("final", "new")]


def test_a_hash_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_file(tmp_path / "file") == expected


def test_a_tree_s_files_come_in_one_order(tmp_path: Path) -> None:
    for name in ("b", "a/z", "a/b/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert [path.relative_to(tmp_path).as_posix() for path in tree_files(tmp_path)] == ["a/b/c", "a/z", "b"]


def test_a_lock_waits_for_another_process_and_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "one.lock"
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        told: list[str] = []

        def waiting() -> None:
            told.append("waiting")
            holder.kill()

        with lock(path, waiting=waiting):
            assert holder.wait() == -9
    assert told == ["waiting"]
    assert path.exists()


def test_a_free_lock_is_had_without_a_word(tmp_path: Path) -> None:
    told: list[str] = []
    for _ in range(2):
        with lock(tmp_path / "one.lock", waiting=lambda: told.append("waiting")):
            pass
    assert told == []
