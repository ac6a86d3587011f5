"""Files of a repository at one commit, through the real git: from a folder, and from a `git daemon` on the loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.assets.fetch import fill
from orchestrator.domain.asset import FileHash
from orchestrator.domain.source import GitTree
from orchestrator.errors import AssetError, TransientAssetError
from orchestrator.host.process import run
from tests.unit.archives_made import everything
from tests.unit.source_kit import an_asset, kit_for, lines_of

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false")
    done = run(("git", *identity, "-C", str(folder), *words))
    assert done.ok, done.stderr
    return done.stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one more")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of two commits; the first is what is wanted."""
    folder = tmp_path / "served" / "repo"
    (folder / "data" / "deep").mkdir(parents=True)
    (folder / "data" / "list.txt").write_bytes(b"one\r\ntwo\n")
    (folder / "data" / "deep" / "model.bin").write_bytes(os.urandom(200_000))
    (folder / "data" / "latest").symlink_to("deep/model.bin")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "ünicode name").write_text("")
    (folder / ".gitattributes").write_text("* text eol=crlf filter=lfs\n")
    git(folder, "init", "-q", "-b", "main")
    commit(folder)
    git(folder, "tag", "first")
    (folder / "later").write_text("later")
    commit(folder)
    return folder


def fetch(tmp_path: Path, url: str, revision: str, *paths: str, said: list[str] | None = None) -> tuple[FileHash, ...]:
    made = tmp_path / "made"
    made.mkdir(exist_ok=True)
    return fill(an_asset(GitTree(repository=url, commit=revision, paths=paths)), made, kit_for(tmp_path, said))


def test_the_files_are_those_of_the_commit_byte_by_byte(tmp_path: Path, repository: Path) -> None:
    known = fetch(tmp_path, f"file://{repository}", git(repository, "rev-parse", "first"))
    made = tmp_path / "made"
    assert everything(made) == {
        ".gitattributes": "file",
        "data": "folder",
        "data/deep": "folder",
        "data/deep/model.bin": "file",
        "data/latest": "-> deep/model.bin",
        "data/list.txt": "file",
        "run.sh": "file",
        "ünicode name": "file",
    }
    for name in lines_of(everything(made)):
        asked = ("git", "-C", str(repository), "cat-file", "blob", f"first:{name}")
        assert (made / name).read_bytes() == subprocess.run(asked, capture_output=True, check=True).stdout
    assert os.access(made / "run.sh", os.X_OK)
    assert {item.name for item in known} == set(lines_of(everything(made)))
    assert not any((tmp_path / "cache" / "tmp").iterdir())


def test_only_the_wanted_paths_come(tmp_path: Path, repository: Path) -> None:
    git(repository, "config", "uploadpack.allowFilter", "true")
    git(repository, "config", "uploadpack.allowAnySHA1InWant", "true")
    fetch(tmp_path, f"file://{repository}", git(repository, "rev-parse", "first"), "data/deep/", "run.sh")
    assert lines_of(everything(tmp_path / "made")) == ["data/deep/model.bin", "run.sh"]
    with pytest.raises(AssetError, match="has no 'data/none'"):
        fetch(tmp_path, f"file://{repository}", git(repository, "rev-parse", "first"), "data/none")


def test_what_is_not_wanted_is_not_even_transferred(tmp_path: Path, repository: Path) -> None:
    revision = git(repository, "rev-parse", "first")
    for name in ("allowFilter", "allowAnySHA1InWant"):
        git(repository, "config", f"uploadpack.{name}", "true")
    unwanted = git(repository, "rev-parse", "first:data/deep/model.bin")
    (repository / ".git" / "objects" / unwanted[:2] / unwanted[2:]).unlink()  # could not be sent if it were asked for
    fetch(tmp_path, f"file://{repository}", revision, "run.sh", "data/list.txt")
    assert lines_of(everything(tmp_path / "made")) == ["data/list.txt", "run.sh"]


@contextlib.contextmanager
def daemon(base: Path, *options: str) -> Iterator[str]:
    """A `git daemon` that serves the repositories below a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ("--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={port}", f"--base-path={base}", *options)
    argv = ("git", "-c", "safe.directory=*", "daemon", *words, str(base))
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            for _ in range(200):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                time.sleep(0.02)
            yield f"git://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)


def test_a_server_that_gives_no_single_commits_is_asked_for_its_history(tmp_path: Path, repository: Path) -> None:
    said: list[str] = []
    git(repository, "config", "uploadpack.allowTipSHA1InWant", "false")
    git(repository, "tag", "-d", "first")
    revision = git(repository, "rev-parse", "HEAD~1")
    old = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.version", "GIT_CONFIG_VALUE_0": "0"}
    with daemon(repository.parent) as address, pytest.MonkeyPatch.context() as patch:
        for name, value in old.items():
            patch.setenv(name, value)  # the newer protocol gives any commit
        fetch(tmp_path, f"{address}/repo", revision, said=said)
    assert "later" not in everything(tmp_path / "made")
    assert any("whole history" in line for line in said)


def test_over_the_wire_from_a_real_daemon(tmp_path: Path, repository: Path) -> None:
    with daemon(repository.parent) as address:
        fetch(tmp_path, f"{address}/repo", git(repository, "rev-parse", "first"), "data")
        assert lines_of(everything(tmp_path / "made")) == ["data/deep/model.bin", "data/list.txt"]
        with pytest.raises(AssetError, match=r"127\.0\.0\.1:\d+/none"):
            fetch(tmp_path, f"{address}/none", "1" * 40)
        with pytest.raises(AssetError, match=r"git could not fetch|has no commit"):
            fetch(tmp_path, f"{address}/repo", "1" * 40)
    with pytest.raises(TransientAssetError, match=r"refused|unable to connect|hung up"):
        fetch(tmp_path, f"{address}/repo", "1" * 40)


def test_pointers_of_lfs_are_refused_with_the_remedy(tmp_path: Path, repository: Path) -> None:
    (repository / "data" / "big.bin").write_text(POINTER)
    (repository / "README").write_text("version https://git-lfs.github.com/spec/v1 is what pointers begin with\n")
    revision = commit(repository)
    with pytest.raises(AssetError, match=r"pointers \(git LFS\).*data/big\.bin$") as caught:
        fetch(tmp_path, f"file://{repository}", revision)
    assert "git lfs pull" in str(caught.value.hint)
    assert everything(tmp_path / "made") == {}
    fetch(tmp_path, f"file://{repository}", revision, "README")


def test_a_link_out_of_the_tree_is_refused(tmp_path: Path, repository: Path) -> None:
    (repository / "out").symlink_to("/etc/passwd")
    with pytest.raises(AssetError, match=r"'out'.*outside"):
        fetch(tmp_path, f"file://{repository}", commit(repository))
    assert everything(tmp_path / "made") == {}


def test_submodules_are_left_out_and_that_is_said(tmp_path: Path, repository: Path) -> None:
    said: list[str] = []
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},third_party/other")
    git(repository, "commit", "-q", "-m", "a submodule")
    fetch(tmp_path, f"file://{repository}", git(repository, "rev-parse", "HEAD"), said=said)
    assert any("other repositories: third_party/other" in line for line in said)


@pytest.mark.parametrize("revision", ["main", "1234567", "--upload-pack=evil", "G" * 40])
def test_what_moves_is_no_commit(tmp_path: Path, repository: Path, revision: str) -> None:
    with pytest.raises(AssetError, match="is no commit"):
        fetch(tmp_path, f"file://{repository}", revision)


@pytest.mark.parametrize("url", ["ext::sh -c evil%20", "--upload-pack=touch evil", "nowhere://x/y"])
def test_an_address_is_nothing_that_git_would_run(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssetError):
        fetch(tmp_path, url, "1" * 40)
    assert not list(tmp_path.rglob("evil*"))


def test_nothing_of_the_users_git_is_run_or_asked(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    template = home / "template" / "hooks"
    template.mkdir(parents=True)
    trap = home / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {home}/sprung\nexit 1\n")
    trap.chmod(0o755)
    for hook in ("post-checkout", "reference-transaction", "post-merge"):
        (template / hook).symlink_to(trap)
    (home / ".gitconfig").write_text(
        f'[init]\n\ttemplateDir = {home}/template\n[filter "lfs"]\n\tsmudge = {trap}\n\tprocess = {trap}\n'
        f"\trequired = true\n[credential]\n\thelper = {trap}\n[core]\n\thooksPath = {template}\n\tautocrlf = true\n"
    )
    monkeypatch.setenv("HOME", str(home))
    fetch(tmp_path, f"file://{repository}", git(repository, "rev-parse", "first"))
    assert not (home / "sprung").exists()
    assert (tmp_path / "made" / "data" / "list.txt").read_bytes() == b"one\ntwo\n"


def test_without_git_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AssetError, match="this machine has no git"):
        fetch(tmp_path, "https://example.org/x", "1" * 40)


def test_a_login_in_the_address_is_not_shown(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(AssetError) as caught:
        fetch(tmp_path, "http://me:a-secret-word@127.0.0.1:9/repo", "1" * 40, said=said)
    assert "a-secret-word" not in f"{caught.value} {caught.value.hint} {said}"
