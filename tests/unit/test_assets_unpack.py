"""Whole archives into a folder: all formats that are published, and every hostile entry refused by name."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from orchestrator.assets.archive import extract
from orchestrator.assets.archive_guard import Limits
from orchestrator.assets.unpack import unpack
from orchestrator.domain.source import Member
from orchestrator.errors import AssetError, ExitCode
from tests.unit.archives_made import COMPRESSIONS, debian, entry, everything, folder, hard_link, link, tarred, zipped


def put(tmp_path: Path, content: bytes, **options: object) -> dict[str, str]:
    """Unpack bytes into `tmp_path/out`, and check the hashes that were reported against what lies there."""
    archive = tmp_path / "archive"
    archive.write_bytes(content)
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    known = unpack(archive, out, single_name="single", label="archive", **options)  # type: ignore[arg-type]
    for item in known:
        raw = (out / item.name).read_bytes()
        assert (item.sha256, item.size_bytes) == (hashlib.sha256(raw).hexdigest(), len(raw))
    found = everything(out)
    assert {item.name for item in known} == {name for name, kind in found.items() if kind == "file"}
    return found


def refused(tmp_path: Path, content: bytes, **options: object) -> AssetError:
    """Unpack what must be refused; nothing is left of it, inside or outside."""
    with pytest.raises(AssetError) as caught:
        put(tmp_path, content, **options)
    assert everything(tmp_path / "out") == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "out"]
    assert caught.value.exit_code is ExitCode.ASSET
    return caught.value


@pytest.mark.parametrize("compression", list(COMPRESSIONS))
def test_a_tar_is_unpacked_whatever_it_is_compressed_with(tmp_path: Path, compression: str) -> None:
    content = tarred(
        folder("d/"),
        entry("d/a.bin", b"a" * 5000),
        entry("./d/run.sh", b"#!", mode=0o755),
        link("d/latest", "a.bin"),
        hard_link("d/again.bin", "d/a.bin"),
        entry("top", b""),
        compression=compression,
    )
    assert put(tmp_path, content) == {
        "d": "folder",
        "d/a.bin": "file",
        "d/again.bin": "file",
        "d/latest": "-> a.bin",
        "d/run.sh": "file",
        "top": "file",
    }
    modes = {name: stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) for name in ("d/a.bin", "d/run.sh")}
    assert modes == {"d/a.bin": 0o644, "d/run.sh": 0o755}
    assert (tmp_path / "out/d/again.bin").read_bytes() == b"a" * 5000


def test_a_zip_is_unpacked(tmp_path: Path) -> None:
    assert put(tmp_path, zipped({"d/": b"", "d/a": b"1", "b": b"2"}, modes={"d/": stat.S_IFDIR | 0o755})) == {
        "b": "file",
        "d": "folder",
        "d/a": "file",
    }


@pytest.mark.parametrize("compression", [name for name in COMPRESSIONS if name])
def test_a_single_compressed_file_becomes_the_file(tmp_path: Path, compression: str) -> None:
    assert put(tmp_path, COMPRESSIONS[compression](b"weights" * 100)) == {"single": "file"}
    assert (tmp_path / "out/single").read_bytes() == b"weights" * 100


def test_leading_folders_are_left_out_and_what_has_no_more_than_those_goes(tmp_path: Path) -> None:
    content = tarred(folder("top"), entry("top/a", b"1"), entry("README", b"2"), hard_link("top/b", "top/a"))
    assert put(tmp_path, content, strip=1) == {"a": "file", "b": "file"}


def test_a_debian_package_is_read_without_dpkg(tmp_path: Path) -> None:
    content = debian(tarred(entry("./usr/share/x/model.bin", b"model"), compression="xz"))
    assert put(tmp_path, content)["usr/share/x/model.bin"] == "file"


def test_members_of_a_tar_are_taken_by_name_glob_and_from_an_archive_inside(tmp_path: Path) -> None:
    inner = zipped({"deep/model.bin": b"inner"})
    archive = tmp_path / "a.tgz"
    archive.write_bytes(
        tarred(entry("t/1.txt", b"1"), entry("t/2.txt", b"2"), entry("t/in.zip", inner), compression="gz")
    )
    out = tmp_path / "out"
    out.mkdir()
    known = extract(
        archive,
        (
            Member(path="*.txt", name="texts"),
            Member(path="in.zip!deep/model.bin", name="model.bin"),
            Member(path="1.txt", name="first"),
        ),
        out,
        strip=1,
    )
    assert everything(out) == {
        "first": "file",
        "model.bin": "file",
        "texts": "folder",
        "texts/1.txt": "file",
        "texts/2.txt": "file",
    }
    assert {item.name: item.size_bytes for item in known}["model.bin"] == 5


HOSTILE_TARS = {
    "an absolute path": ((entry("/etc/evil", b"x"),), "would leave"),
    "a way up": ((entry("a/../../evil", b"x"),), "would leave"),
    "a way up in a folder": ((folder("../evil"),), "would leave"),
    "an absolute link": ((link("a", "/etc/passwd"),), "outside"),
    "a link that leaves": ((entry("d/x"), link("d/a", "../../etc/passwd")), "outside"),
    "a link through a link": (
        (folder("d"), folder("d/e"), link("up", "d/e"), link("out", "up/../../../evil")),
        "outside",
    ),
    "a write through a link": ((link("a", "/tmp"), entry("a/evil", b"x")), "as something else"),
    "a write through an inner link": ((folder("d"), link("a", "d"), entry("a/evil", b"x")), "as something else"),
    "a link in place of a folder": ((entry("a/x", b"1"), link("a", ".")), "as a folder and as something else"),
    "a link to nothing": ((link("a", "nothing"), entry("b", b"")), "does not hold"),
    "a link to itself": ((link("a", "b"), link("b", "a"), entry("c", b"")), "circle"),
    "an empty link": ((link("a", ""), entry("c", b"")), "unreadable target"),
    "a hard link out": ((hard_link("a", "/etc/passwd"),), "would leave"),
    "a hard link up": ((hard_link("a", "../../etc/passwd"),), "would leave"),
    "a hard link to nothing": ((hard_link("a", "etc/passwd"),), "came not before"),
    "a hard link to a link": ((entry("x", b""), link("l", "x"), hard_link("a", "l")), "came not before"),
    "a character device": ((entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),), "a device"),
    "a block device": ((entry("disk", type=tarfile.BLKTYPE, devmajor=8),), "a device"),
    "a fifo": ((entry("pipe", type=tarfile.FIFOTYPE),), "a fifo"),
    "setuid": ((entry("su", b"x", mode=0o4755),), "setuid"),
    "setgid": ((entry("sg", b"x", mode=0o2755),), "setgid"),
    "two of one name": ((entry("a", b"1"), entry("./a", b"2")), "two archive members"),
    "a file and a folder": ((entry("a", b"1"), entry("a/b", b"2")), "as something else"),
    "a folder and a file": ((folder("a"), entry("a", b"2")), "as a folder and as something else"),
    "a newline": ((entry("a\nb", b"1"),), "control characters"),
    "an escape": ((entry("\x1b[2Ja", b"1"),), "control characters"),
    "not UTF-8": ((entry("a\udcff", b"1"),), "not UTF-8"),
    "a backslash": ((entry("..\\evil", b"1"),), "backslash"),
    "a long name": ((entry("a" * 256, b"1"),), "longer than"),
    "a long path": ((entry("/".join(["a" * 200] * 21)[1:], b"1"),), "longer than"),
    "the folder itself": ((entry(".", b"1"),), "own place"),
    "nothing": ((), "no file"),
}


@pytest.mark.parametrize("case", list(HOSTILE_TARS))
@pytest.mark.parametrize("compression", ["", "gz"])
def test_a_hostile_tar_entry_is_refused_by_name(tmp_path: Path, case: str, compression: str) -> None:
    entries, reason = HOSTILE_TARS[case]
    error = refused(
        tmp_path,
        tarred(entry("friendly/first", b"1"), *entries, compression=compression)
        if case != "nothing"
        else tarred(compression=compression),
    )
    assert reason in str(error)
    assert str(error).isprintable()


@pytest.mark.parametrize(
    ("name", "mode", "reason"),
    [
        ("../evil", 0o100644, "would leave"),
        ("/evil", 0o100644, "would leave"),
        ("a\\..\\evil", 0o100644, "backslash"),
        ("a\x00b", 0o100644, "control characters"),
        ("a\x07b", 0o100644, "control characters"),
        ("evil", stat.S_IFLNK | 0o777, "outside"),
        ("evil", stat.S_IFCHR | 0o644, "a device"),
        ("evil", stat.S_IFIFO | 0o644, "a fifo"),
        ("evil", stat.S_IFREG | 0o4755, "setuid"),
        ("friendly", 0o100644, "two archive members"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_zip_entry_is_refused_by_name(tmp_path: Path, name: str, mode: int, reason: str) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for title, bits, content in (("friendly", 0o100644, b"1"), (name, mode, b"../../etc/passwd")):
            info = zipfile.ZipInfo("x")
            info.filename = title
            info.external_attr = bits << 16
            archive.writestr(info, content)
    assert reason in str(refused(tmp_path, raw.getvalue()))


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    raw = bytearray(zipped({"secret": b"x"}))
    place = raw.index(b"PK\x01\x02")
    struct.pack_into("<H", raw, place + 8, 1)
    struct.pack_into("<H", raw, 6, 1)
    assert "encrypted" in str(refused(tmp_path, bytes(raw)))


def test_a_sparse_tar_entry_is_refused(tmp_path: Path) -> None:
    assert "sparse" in str(refused(tmp_path, tarred(entry("holes", type=tarfile.GNUTYPE_SPARSE))))
    pax = tarfile.TarInfo("holes")
    pax.size = 512
    pax.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "holes"}
    assert "sparse" in str(refused(tmp_path, tarred((pax, b"0\n".ljust(512, b"\0")))))


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz"])
def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path, compression: str) -> None:
    limits = Limits(free_bytes=1 << 20, bytes_per_byte=10)
    bomb = tarred(entry("small", b"1"), entry("zeros", bytes(3 << 20)), compression=compression)
    assert "'zeros'" in str(refused(tmp_path, bomb, limits=limits))
    single = COMPRESSIONS[compression](b"zero" * (1 << 20))
    assert "a bomb" in str(refused(tmp_path, single, limits=limits))


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    raw = bytearray(zipped({"zeros": bytes(3 << 20)}))
    limits = Limits(free_bytes=1 << 20, bytes_per_byte=10)
    assert "a bomb" in str(refused(tmp_path, bytes(raw), limits=limits))
    for place in (22, raw.index(b"PK\x01\x02") + 24):  # the sizes before and behind the data
        struct.pack_into("<I", raw, place, 10)
    assert refused(tmp_path, bytes(raw), limits=limits)


def test_a_bomb_of_many_files_is_refused(tmp_path: Path) -> None:
    many = tarred(*(entry(f"{number:05}") for number in range(1200)), compression="xz")
    error = refused(tmp_path, many, limits=Limits(free_files=100))
    assert "entries" in str(error)


def test_an_archive_that_says_to_need_more_than_the_disk_has_is_refused(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    info = tarfile.TarInfo("huge")
    info.size = free.f_bavail * free.f_frsize + 1
    content = info.tobuf() + bytes(1024)
    error = refused(tmp_path, content, limits=Limits(free_bytes=1 << 60))
    assert "no room for 'huge'" in str(error)


def test_a_header_that_would_be_read_into_memory_is_bounded(tmp_path: Path) -> None:
    info = tarfile.TarInfo("long")
    info.type = tarfile.GNUTYPE_LONGNAME
    info.size = 1 << 32
    assert "header of" in str(refused(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + b"a" * 2048))


def test_the_limit_follows_what_the_catalogue_says(tmp_path: Path) -> None:
    content = tarred(entry("zeros", bytes(4 << 20)), compression="xz")
    tight = Limits(free_bytes=1 << 20, bytes_per_byte=1)
    assert refused(tmp_path, content, limits=tight)
    allowed = Limits(free_bytes=1 << 20, bytes_per_byte=1, expected_bytes=4 << 20)
    assert put(tmp_path, content, limits=allowed) == {"zeros": "file"}


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.7, 0.99])
@pytest.mark.parametrize("compression", list(COMPRESSIONS))
def test_a_tar_cut_anywhere_is_no_readable_archive(tmp_path: Path, share: float, compression: str) -> None:
    whole = tarred(entry("a", os.urandom(7000)), entry("b", os.urandom(7000)), compression=compression)
    end = len(whole) if compression else 2 * (512 + 7168)  # of a plain tar only the padding can be cut unseen
    assert "not a readable archive" in str(refused(tmp_path, whole[: int(end * share)]))


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    content = bytearray(tarred(entry("a", b"1" * 512), entry("b", b"2")))
    content[1024 + 3] ^= 0xFF
    assert "header" in str(refused(tmp_path, bytes(content)))


def test_a_tar_without_its_end_mark_is_refused(tmp_path: Path) -> None:
    content = tarred(entry("a", b"1" * 512))
    assert "not a readable archive" in str(refused(tmp_path, content[:1024]))


@pytest.mark.parametrize("content", [b"", b"<html>no</html>", b"\x1f\x8b", b"PK\x03\x04", b"!<arch>\n", bytes(100)])
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    assert refused(tmp_path, content)


def test_an_archive_compressed_with_zstd_is_refused_with_the_remedy(tmp_path: Path) -> None:
    compressed = b"\x28\xb5\x2f\xfd" + bytes(100)
    for content in (compressed, debian(compressed, "data.tar.zst")):
        assert "zstd -d" in str(refused(tmp_path, content).hint)


def test_what_another_archive_has_put_there_is_not_overwritten(tmp_path: Path) -> None:
    assert put(tmp_path, tarred(entry("a", b"1"))) == {"a": "file"}
    with pytest.raises(AssetError, match="already"):
        put(tmp_path, tarred(entry("b", b"2"), entry("a", b"3")))
    assert everything(tmp_path / "out") == {"a": "file"}
    assert (tmp_path / "out/a").read_bytes() == b"1"


def test_padding_behind_the_end_is_read_over_and_more_than_that_refused(tmp_path: Path) -> None:
    good = tarred(entry("a", b"1"))
    assert put(tmp_path, gzip.compress(good + bytes(1 << 20))) == {"a": "file"}
    (tmp_path / "out" / "a").unlink()
    assert "after its end" in str(refused(tmp_path, gzip.compress(good + bytes(70 << 20), 1)))
