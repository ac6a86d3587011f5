"""Members of package archives: found, verified, and never written outside the asset's folder."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from orchestrator.assets.archive import extract
from orchestrator.domain.source import Member
from orchestrator.errors import AssetError, ExitCode
from tests.unit.assets_wheels import sha256


def zipped(files: dict[str, bytes], *, links: tuple[str, ...] = ()) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            if name in links:
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, content)
    return raw.getvalue()


def take(tmp_path: Path, content: bytes, *members: Member) -> dict[str, bytes]:
    archive = tmp_path / "package.whl"
    archive.write_bytes(content)
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    extract(archive, members, folder)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_glob_takes_files_of_one_folder_only(tmp_path: Path) -> None:
    content = zipped({"d/a_1.png": b"1", "d/a_2.png": b"2", "d/b.png": b"no", "d/e/a_3.png": b"no", "a_4.png": b"no"})
    assert take(tmp_path, content, Member(path="d/a_*.png", name="pictures")) == {
        "pictures/a_1.png": b"1",
        "pictures/a_2.png": b"2",
    }


def test_a_file_of_an_archive_inside_the_archive_is_taken(tmp_path: Path) -> None:
    content = zipped({"m/inner.zip": zipped({"model.bin": b"model", "deep.zip": zipped({"x/y": b"deep"})})})
    assert take(
        tmp_path,
        content,
        Member(path="m/inner.zip!model.bin", name="model.bin", sha256=sha256(b"model"), size_bytes=5),
        Member(path="m/inner.zip!deep.zip!x/y", name="y"),
    ) == {"model.bin": b"model", "y": b"deep"}


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..", "a\\..\\evil"])
def test_a_target_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(AssetError, match="would leave"):
        take(tmp_path, zipped({"model.bin": b"m"}), Member(path="model.bin", name=name))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["out", "package.whl"]


@pytest.mark.parametrize("entry", ["d/../../evil", "/d/evil", "d/..\\..\\evil"])
def test_a_dangerous_entry_of_the_archive_never_leaves_the_folder(tmp_path: Path, entry: str) -> None:
    content = zipped({entry: b"evil", "d/good": b"good"})
    try:
        found = take(tmp_path, content, Member(path="d/*", name="d"))
    except AssetError as error:
        assert "would leave" in str(error)
    else:
        assert found["d/good"] == b"good"
    inside = tmp_path / "out"
    assert all(path in (inside, tmp_path / "package.whl") or inside in path.parents for path in tmp_path.rglob("*"))


def test_a_symbolic_link_in_the_archive_is_refused(tmp_path: Path) -> None:
    content = zipped({"d/link": b"/etc/passwd"}, links=("d/link",))
    with pytest.raises(AssetError, match="symbolic link"):
        take(tmp_path, content, Member(path="d/link", name="link"))


@pytest.mark.parametrize("path", ["none.bin", "d/*.none", "model.bin!x", "none.zip!x"])
def test_a_missing_or_unreadable_member_is_named(tmp_path: Path, path: str) -> None:
    with pytest.raises(AssetError, match=r"has no member|not a readable archive"):
        take(tmp_path, zipped({"model.bin": b"m"}), Member(path=path, name="x"))


def test_a_member_with_another_hash_names_both(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=f"expected sha256 {'0' * 64}, found {sha256(b'm')}") as caught:
        take(tmp_path, zipped({"model.bin": b"m"}), Member(path="model.bin", name="m", sha256="0" * 64))
    assert caught.value.exit_code is ExitCode.ASSET


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    content = zipped({"a/x": b"1", "b/x": b"2"})
    with pytest.raises(AssetError, match="two archive members"):
        take(tmp_path, content, Member(path="?/x", name="d"))


@pytest.mark.parametrize("cut", [0, 10, 100])
def test_a_truncated_archive_is_an_asset_error(tmp_path: Path, cut: int) -> None:
    content = zipped({"model.bin": bytes(1000)})
    with pytest.raises(AssetError, match="not a readable archive"):
        take(tmp_path, content[:cut], Member(path="model.bin", name="m"))
