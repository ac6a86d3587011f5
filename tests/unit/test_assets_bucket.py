"""MLCommons' bucket: what the list names is fetched and held to its md5. Against a labelled stand-in of the bucket."""

from __future__ import annotations

import gzip
import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.assets.bucket import list_bucket
from orchestrator.assets.fetch import fill
from orchestrator.assets.kit import FILES_AT_ONCE
from orchestrator.assets.manifest import Trust
from orchestrator.domain.asset import FileHash, Gate, GateKind, Service
from orchestrator.domain.source import Bucket
from orchestrator.errors import AssetError, ExitCode
from tests.unit.archives_made import entry, everything, tarred
from tests.unit.source_kit import an_asset, kit_for, lines_of
from tests.unit.source_servers import BucketFiles, md5, serving

FILES = {
    "data set/a b.json": b'{"a": 1}' * 100,
    "data set/deep/ü#?.bin": b"\0" * 3000,
    "top.txt": b"top",
}
LOGIN = {"CF-Access-Client-Id": "an-id.access", "CF-Access-Client-Secret": "a-secret-of-the-service"}


def test_every_listed_file_comes_and_is_checked(tmp_path: Path) -> None:
    said: list[str] = []
    with serving(BucketFiles(FILES).answer) as server:
        source = Bucket(uri=f"{server.address}/metadata/dataset.uri")
        facts: dict[str, str] = {}
        kit = replace(kit_for(tmp_path, said), learn=facts.__setitem__)
        made = tmp_path / "made"
        made.mkdir()
        known = fill(an_asset(source), made, kit)
    assert {name: (made / name).read_bytes() for name in FILES} == FILES
    assert {item.name for item in known} == set(FILES) == set(lines_of(everything(made)))
    assert all((made / name).stat().st_nlink == 2 for name in FILES)  # shared with the store, not copied
    assert list(facts) == ["md5 of the list"]
    assert any("3 files" in line for line in said)
    assert server.paths()[0] == "/metadata/dataset.uri"


def test_some_of_the_files_without_their_leading_folders(tmp_path: Path) -> None:
    with serving(BucketFiles(FILES).answer) as server:
        source = Bucket(uri=f"{server.address}/metadata/dataset.uri", paths=("data set/*",), strip=1)
        made = tmp_path / "made"
        made.mkdir()
        known = fill(an_asset(source), made, kit_for(tmp_path))
        assert {item.name for item in known} == {"a b.json", "deep/ü#?.bin"}
        assert not any("top.txt" in path for path in server.paths())
        with pytest.raises(AssetError, match="nothing that matches 'none/"):
            fill(an_asset(replace(source, paths=("data set/*", "none/*"))), made, kit_for(tmp_path))
        with pytest.raises(AssetError, match="no 1 leading folders"):
            fill(an_asset(replace(source, paths=())), made, kit_for(tmp_path))


def test_archives_of_the_bucket_are_unpacked_in_place_of_themselves(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("in.txt", "zipped")
    files = {
        "d/pkl.gz": gzip.compress(b"pickle"),
        "d/some.zip": raw.getvalue(),
        "x.tar": tarred(entry("y/z", b"z")),
        "d/plain": b"plain",
        "d/arrays.npz": raw.getvalue(),
    }
    with serving(BucketFiles(files).answer) as server:
        made = tmp_path / "made"
        made.mkdir()
        source = Bucket(uri=f"{server.address}/metadata/dataset.uri", unpack=True)
        known = fill(an_asset(source), made, kit_for(tmp_path))
    assert lines_of(everything(made)) == ["d/arrays.npz", "d/in.txt", "d/pkl", "d/plain", "y/z"]
    assert {item.name for item in known} == {"d/arrays.npz", "d/in.txt", "d/pkl", "d/plain", "y/z"}
    assert (made / "d/pkl").read_bytes() == b"pickle"


def test_a_file_that_is_not_what_the_list_says_is_named_with_both_hashes(tmp_path: Path) -> None:
    lists = f"{md5(b'right')}  a.bin\n".encode()
    with serving(BucketFiles({"a.bin": b"wrong"}, lists=lists).answer) as server:
        made = tmp_path / "made"
        made.mkdir()
        with pytest.raises(AssetError, match=f"{md5(b'right')}.*{md5(b'wrong')}") as caught:
            fill(an_asset(Bucket(uri=f"{server.address}/metadata/dataset.uri")), made, kit_for(tmp_path))
    assert caught.value.exit_code is ExitCode.ASSET
    assert not (tmp_path / "cache/store").exists() or not any((tmp_path / "cache/store").rglob("*.*"))


@pytest.mark.parametrize(
    ("lists", "fault"),
    [
        (b"", "lists no file"),
        (b"<html>\n", "line 1"),
        (b"d41d8cd98f00b204e9800998ecf8427e  a\n                                  b\n", "line 2"),
        (b"d41d8cd98f00b204e9800998ecf8427e  a\nd41d8cd98f00b204e9800998ecf8427e  ./a\n", "line 2 names a file twice"),
        (b"d41d8cd98f00b204e9800998ecf8427e  ../../evil\n", "would leave"),
        (b"d41d8cd98f00b204e9800998ecf8427e  /etc/evil\n", "would leave"),
        (b"d41d8cd98f00b204e9800998ecf8427e  a\\b\n", "backslash"),
        (b"d41d8cd98f00b204e9800998ecf8427e  a\x1bb\n", "control characters"),
    ],
)
def test_a_list_that_cannot_be_believed_is_refused_before_anything_is_fetched(
    tmp_path: Path, lists: bytes, fault: str
) -> None:
    with serving(BucketFiles({"a": b""}, lists=lists).answer) as server:
        made = tmp_path / "made"
        made.mkdir()
        with pytest.raises(AssetError, match=fault):
            fill(an_asset(Bucket(uri=f"{server.address}/metadata/dataset.uri")), made, kit_for(tmp_path))
        assert len(server.asked) == 2
    assert everything(made) == {}


@pytest.mark.parametrize("base", ["not an address", "file:///etc", "", "https://a b/c", "<html>"])
def test_a_metadata_file_without_an_address_is_refused(tmp_path: Path, base: str) -> None:
    with (
        serving(BucketFiles({"a": b""}, base=base or " ").answer) as server,
        pytest.raises(AssetError, match="holds no address"),
    ):
        list_bucket(Bucket(uri=f"{server.address}/metadata/dataset.uri"), kit_for(tmp_path))


def test_a_pinned_list_is_held_to(tmp_path: Path) -> None:
    with serving(BucketFiles(FILES).answer) as server:
        uri = f"{server.address}/metadata/dataset.uri"
        found = list_bucket(Bucket(uri=uri), kit_for(tmp_path)).md5
        made = tmp_path / "made"
        made.mkdir()
        with pytest.raises(AssetError, match=f"expected md5 {'0' * 32}, found {found}"):
            fill(an_asset(Bucket(uri=uri, md5="0" * 32)), made, kit_for(tmp_path))
        assert fill(an_asset(Bucket(uri=uri, md5=found)), made, kit_for(tmp_path))


def test_members_get_in_with_their_service_token_and_others_are_told_where_to_apply(tmp_path: Path) -> None:
    gate = Gate(
        kind=GateKind.MEMBERSHIP,
        text="members of MLCommons",
        apply_at="https://llama2.mlcommons.org",
        service=Service.MLCOMMONS,
    )
    with serving(BucketFiles(FILES, members=LOGIN).answer) as server:
        asset = replace(an_asset(Bucket(uri=f"{server.address}/metadata/dataset.uri")), gate=gate)
        made = tmp_path / "made"
        made.mkdir()
        with pytest.raises(AssetError, match="not open to everybody") as caught:
            fill(asset, made, kit_for(tmp_path))
        assert "https://llama2.mlcommons.org" in str(caught.value.hint)
        assert "login mlcommons" in str(caught.value.hint)
        known = fill(asset, made, kit_for(tmp_path, members=(server.address, LOGIN)))
    assert len(known) == len(FILES)
    sent = [headers for path, headers in server.asked if path.startswith("/some/")]
    assert len(sent) >= len(FILES)
    assert all(headers["CF-Access-Client-Secret"] == LOGIN["CF-Access-Client-Secret"] for headers in sent)


def test_a_bucket_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        serving(BucketFiles(FILES).answer) as server,
        pytest.raises(AssetError, match=r"/metadata/other\.uri answered 404"),
    ):
        list_bucket(Bucket(uri=f"{server.address}/metadata/other.uri"), kit_for(tmp_path))
    with pytest.raises(AssetError, match=r"does not end with \.uri"):
        list_bucket(Bucket(uri="http://127.0.0.1/metadata/dataset.zip"), kit_for(tmp_path))


def test_the_first_fault_ends_the_other_files(tmp_path: Path) -> None:
    files = {f"{number:03}": b"x" * 1000 for number in range(60)}
    lists = "".join(f"{md5(content) if name != '003' else '0' * 32}  {name}\n" for name, content in files.items())
    with serving(BucketFiles(files, lists=lists.encode()).answer) as server:
        made = tmp_path / "made"
        made.mkdir()
        with pytest.raises(AssetError, match="003"):
            fill(an_asset(Bucket(uri=f"{server.address}/metadata/dataset.uri")), made, kit_for(tmp_path))
        assert len(set(server.paths())) < 50


def test_through_the_store_first_use_is_said_recorded_and_held_to(tmp_path: Path) -> None:
    from orchestrator.assets.store import CacheStore
    from tests.unit.assets_wheels import refuse

    said: list[str] = []
    bucket = BucketFiles(dict(FILES))
    with serving(bucket.answer) as server:
        asset = an_asset(Bucket(uri=f"{server.address}/metadata/dataset.uri"))
        store = CacheStore(tmp_path / "cache", prepare=refuse, line=kit_for(tmp_path).line)
        (planned,) = store.plan(asset, lambda _: asset)
        ready = store.ensure(planned, say=said.append)
        assert ready.trust == Trust.FIRST_USE.value
        assert any("trust on first use" in line for line in said)
        before = len(server.asked)
        assert store.ensure(store.plan(asset, lambda _: asset)[0], say=said.append).files == ready.files
        assert len(server.asked) == before
    assert {item.name for item in ready.files} == set(FILES)
    assert isinstance(ready.files[0], FileHash)


def test_what_came_before_a_fault_is_not_fetched_again(tmp_path: Path) -> None:
    """A bucket is known by md5 alone: of hundreds of gigabytes, one bad file must not cost the others."""
    files = {f"part-{number}": bytes([number]) * 1000 for number in range(8)}
    listed = "".join(f"{md5(content)}  {name}\n" for name, content in files.items()).encode()
    bad = BucketFiles({**files, "part-7": b"damaged"}, lists=listed)
    made = tmp_path / "made"
    made.mkdir()
    with serving(bad.answer) as server:
        uri = f"{server.address}/metadata/dataset.uri"
        with pytest.raises(AssetError, match="part-7"):
            fill(an_asset(Bucket(uri=uri)), made, kit_for(tmp_path))
        came = {path for path in server.paths() if "part-" in path}
        assert len(came) > 4
    with serving(BucketFiles(files).answer) as server:
        uri = f"{server.address}/metadata/dataset.uri"
        assert len(fill(an_asset(Bucket(uri=uri)), made, kit_for(tmp_path))) == 8
        again = {path for path in server.paths() if "part-" in path}
        assert len(again) <= FILES_AT_ONCE  # those that were under way when the fault ended them
