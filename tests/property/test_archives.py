"""Archives at random, hostile, cut and damaged: nothing ever leaves the folder, and a refusal leaves nothing."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.assets.archive_guard import Limits
from orchestrator.assets.unpack import unpack
from orchestrator.errors import AssetError
from tests.unit.archives_made import COMPRESSIONS, everything, tarred, zipped

PARTS = st.sampled_from(["a", "b", "c", "..", ".", "", "/", "\\", "a\nb", "\x00", "é", "x" * 300, "C:", "~"])
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
TYPES = st.sampled_from(
    [
        *[tarfile.REGTYPE] * 4,
        *[tarfile.DIRTYPE] * 2,
        *[tarfile.SYMTYPE] * 4,
        *[tarfile.LNKTYPE] * 2,
        tarfile.CHRTYPE,
        tarfile.FIFOTYPE,
        tarfile.CONTTYPE,
        b"z",
    ]
)
MODES = st.sampled_from([0o644, 0o755, 0o4755, 0, 0o7777])
FEW = settings(max_examples=150, deadline=None)
OUTSIDE = "what lies outside"


@st.composite
def entries(draw: st.DrawFn) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(draw(NAMES))
    info.type = draw(TYPES)
    info.mode = draw(MODES)
    info.linkname = draw(NAMES) if info.type in {tarfile.SYMTYPE, tarfile.LNKTYPE} else ""
    content = draw(st.binary(max_size=600)) if info.type in {tarfile.REGTYPE, tarfile.CONTTYPE} else b""
    info.size = len(content)
    return info, content


def unpacked(content: bytes, **options: Limits) -> dict[str, str] | AssetError:
    """Unpack in a place where what lies around is watched; what came out, or the refusal (which left nothing)."""
    with tempfile.TemporaryDirectory() as place:
        around = Path(place)
        (around / "victim").write_text(OUTSIDE)
        out = around / "deep" / "out"
        out.mkdir(parents=True)
        archive = around / "archive"
        archive.write_bytes(content)
        try:
            known = unpack(archive, out, single_name="single", **options)
        except AssetError as error:
            result: dict[str, str] | AssetError = error
            assert str(error).isprintable()
            assert everything(out) == {}
        else:
            result = everything(out)
            for name, kind in result.items():
                assert (out / name).resolve().is_relative_to(out.resolve()), (name, kind)
                assert (out / name).lstat().st_mode & 0o7000 == 0
            assert {item.name for item in known} == {name for name, kind in result.items() if kind == "file"}
        assert {path.relative_to(around).as_posix() for path in around.rglob("*")} - {"archive"} == {
            "victim",
            "deep",
            "deep/out",
            *((f"deep/out/{name}" for name in result) if isinstance(result, dict) else ()),
        }
        assert (around / "victim").read_text() == OUTSIDE
        return result


@FEW
@given(st.lists(entries(), max_size=6), st.sampled_from(list(COMPRESSIONS)))
def test_no_tar_writes_outside_its_folder(made: list[tuple[tarfile.TarInfo, bytes]], compression: str) -> None:
    try:
        content = tarred(*made, compression=compression)
    except ValueError:
        return  # a name that cannot even be written into a header
    unpacked(content)


@FEW
@given(st.dictionaries(NAMES, st.binary(max_size=100), max_size=6))
def test_no_zip_writes_outside_its_folder(files: dict[str, bytes]) -> None:
    unpacked(zipped(files))


FRIENDLY = {
    "d/a": os.urandom(3000),
    "d/b": b"text " * 500,
    "c": b"",
}


def friendly_tar(compression: str) -> bytes:
    made = []
    for name, content in FRIENDLY.items():
        info = tarfile.TarInfo(name)
        info.size = len(content)
        made.append((info, content))
    return tarred(*made, compression=compression)


ARCHIVES = {**{f"tar.{name}": friendly_tar(name) for name in COMPRESSIONS}, "zip": zipped(FRIENDLY)}
WHOLE = {"c": "file", "d": "folder", "d/a": "file", "d/b": "file"}


@FEW
@given(st.sampled_from(list(ARCHIVES)), st.floats(0, 1, exclude_max=True))
def test_a_cut_archive_is_refused_or_complete(kind: str, share: float) -> None:
    whole = ARCHIVES[kind]
    found = unpacked(whole[: int(len(whole) * share)])
    if kind == "tar.":
        assert isinstance(found, AssetError) or found == WHOLE  # a plain tar ends in padding
    else:
        assert isinstance(found, AssetError)


@FEW
@given(st.sampled_from(list(ARCHIVES)), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_damaged_archive_is_refused_or_harmless(kind: str, share: float, flip: int) -> None:
    raw = bytearray(ARCHIVES[kind])
    raw[int(len(raw) * share)] ^= flip
    found = unpacked(bytes(raw))
    if kind in {"tar.bz2", "tar.xz"}:  # every byte of theirs is covered by a checksum
        assert isinstance(found, AssetError) or found == WHOLE


@FEW
@given(
    st.binary(max_size=2000),
    st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"!<arch>\n", b"PK\x05\x06"]),
)
def test_noise_is_no_archive(noise: bytes, start: bytes) -> None:
    unpacked(start + noise)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(1, 500), st.sampled_from(["gz", "bz2", "xz"]))
def test_what_comes_out_is_bounded_by_what_went_in(files: int, kilobytes: int, compression: str) -> None:
    made = []
    for number in range(files):
        info = tarfile.TarInfo(f"f{number}")
        info.size = kilobytes << 10
        made.append((info, bytes(info.size)))
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for info, content in made:
            archive.addfile(info, io.BytesIO(content))
    content = COMPRESSIONS[compression](raw.getvalue())
    limits = Limits(free_bytes=1 << 18, bytes_per_byte=20)
    found = unpacked(content, limits=limits)
    assert isinstance(found, AssetError) == ((files * kilobytes << 10) > limits.most_bytes(len(content)))
