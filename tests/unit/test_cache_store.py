"""The store and its views: shared bytes, read-only, for other users too; trust on first use; caches of the site."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.assets.blobs import BlobStore
from orchestrator.assets.cache_uses import uses_of
from orchestrator.assets.store import CacheStore
from orchestrator.domain.asset import Asset, AssetFile, AssetKind, Layout
from orchestrator.domain.source import Download, LocalPath, Scripted, UserSupplied
from orchestrator.errors import AssetError, ExitCode
from tests.unit.asset_shelf import Shelf, shelf
from tests.unit.cache_ground import (
    NOON,
    Maker,
    another_user,
    asset,
    have,
    layout,
    no_catalogue,
    plan,
    silent,
    snapshot,
    writable,
)

ROOT = Path(__file__).parents[2]


def never(*_: object, **__: object) -> None:
    raise AssertionError("nothing was to be prepared")


def test_files_of_one_content_lie_on_the_disk_once(tmp_path: Path) -> None:
    first, second = have(tmp_path, {"one": {"a": b"same", "b": b"own"}, "two": {"deep/c": b"same"}})
    blob = layout(tmp_path).blob(first.files[0].sha256)
    assert (first.path / "a").samefile(blob)
    assert (second.path / "deep" / "c").samefile(blob)
    assert blob.stat().st_nlink == 3


def test_where_there_can_be_no_links_files_are_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr("os.link", refuse)
    first, second = have(tmp_path, {"one": {"a": b"same"}, "two": {"c": b"same"}})
    assert (first.path / "a").read_bytes() == (second.path / "c").read_bytes() == b"same"
    blobs = BlobStore(tmp_path)
    (tmp_path / "given").write_bytes(b"blob")
    blobs.link(tmp_path / "given", tmp_path / "taken")
    assert ((tmp_path / "taken").read_bytes(), (tmp_path / "taken").stat().st_mode & 0o777) == (b"blob", 0o444)


def test_a_damaged_blob_gives_way_to_a_sound_file(tmp_path: Path) -> None:
    (first,) = have(tmp_path, {"one": {"a": b"same"}})
    blob = layout(tmp_path).blob(first.files[0].sha256)
    writable(blob, b"evil")
    blob.chmod(0o444)
    (second,) = have(tmp_path, {"two": {"c": b"same"}})
    assert (second.path / "c").read_bytes() == blob.read_bytes() == b"same"
    assert (first.path / "a").read_bytes() == b"evil"


def test_what_is_cached_is_read_only_and_open_to_other_users_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        (ready,) = have(tmp_path / "cache", {"one": {"deep/a": b"x", "tool": b"y"}})
    finally:
        os.umask(before)
    assert (ready.path / "deep" / "a").stat().st_mode & 0o777 == 0o444
    for folder in (ready.path / "deep", ready.path, *ready.path.parents[:3]):
        assert folder.stat().st_mode & 0o777 == 0o755, folder
    with another_user(tmp_path):
        assert (ready.path / "deep" / "a").read_bytes() == b"x"


def test_a_runnable_file_stays_runnable(tmp_path: Path) -> None:
    def prepare(job: object, *, say: object) -> None:
        del say
        for name, mode in (("script", 0o755), ("data", 0o600)):
            (job.output / name).write_bytes(b"same bytes")  # type: ignore[attr-defined]
            (job.output / name).chmod(mode)  # type: ignore[attr-defined]

    store = CacheStore(tmp_path, prepare=prepare)
    ready = store.ensure(plan(store, asset("one")), say=silent)
    modes = {path.name: path.stat().st_mode & 0o777 for path in ready.path.iterdir() if path.name[0] != "."}
    assert modes == {"script": 0o555, "data": 0o444}


def test_a_folder_of_a_group_stays_the_group_s(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    root.mkdir()
    root.chmod(0o2775)
    (ready,) = have(root, {"one": {"a": b"x"}})
    assert ready.path.stat().st_mode & 0o7777 == 0o2775
    assert (root / "locks").stat().st_mode & 0o7777 == 0o2775


def test_another_user_may_use_a_cache_that_only_its_owner_writes(tmp_path: Path) -> None:
    (ready,) = have(tmp_path / "cache", {"one": {"a": b"x"}})
    store = CacheStore(tmp_path / "cache", prepare=Maker({"two": {}}))
    before = snapshot(tmp_path / "cache")
    with another_user(tmp_path):
        assert store.ensure(plan(store, asset("one")), say=silent, used_by="run-1").files == ready.files
        with pytest.raises(AssetError, match="Permission denied") as caught:
            store.ensure(plan(store, asset("two")), say=silent)
    assert "MLPERF_DOCKER_CACHE" in (caught.value.hint or "")
    assert snapshot(tmp_path / "cache") == before


def test_a_cache_of_the_site_is_used_in_place_and_never_written(tmp_path: Path) -> None:
    site, own = tmp_path / "site", tmp_path / "own"
    (theirs,) = have(site, {"one": {"a": b"x"}})
    before = snapshot(site)
    store = CacheStore(own, prepare=never, site_caches=(tmp_path / "nothing", site), now=lambda: NOON)
    planned = plan(store, asset("one"))
    assert (planned.path, planned.present, planned.fetch_bytes) == (theirs.path, True, 0)
    ready = store.ensure(planned, say=silent, used_by="run-1")
    assert (ready.path, ready.files, ready.fetched) == (theirs.path, theirs.files, False)
    assert snapshot(site) == before
    assert [use.run for use in uses_of(layout(own).uses("one", planned.key))] == ["run-1"]


def test_our_own_copy_comes_before_the_site_s(tmp_path: Path) -> None:
    have(tmp_path / "site", {"one": {"a": b"x"}})
    (own,) = have(tmp_path / "own", {"one": {"a": b"x"}})
    store = CacheStore(tmp_path / "own", prepare=never, site_caches=(tmp_path / "site",))
    assert plan(store, asset("one")).path == own.path


def test_damage_in_a_cache_of_the_site_is_named_with_both_hashes(tmp_path: Path) -> None:
    (theirs,) = have(tmp_path / "site", {"one": {"a": b"x"}})
    store = CacheStore(tmp_path / "own", prepare=never, site_caches=(tmp_path / "site",))
    planned = plan(store, asset("one"))
    writable(theirs.path / "a", b"y")
    with pytest.raises(AssetError, match=f"expected sha256 {theirs.files[0].sha256}, found"):
        store.ensure(planned, say=silent)
    shutil.rmtree(theirs.path)
    with pytest.raises(AssetError, match="no longer in the site's cache"):
        store.ensure(planned, say=silent)


def test_a_blob_of_the_site_s_need_not_be_fetched(tmp_path: Path, shop: Shelf) -> None:
    sha256 = shop.file("numbers", b"[1]")
    wanted = downloaded(shop, "numbers", sha256=sha256)
    first = CacheStore(tmp_path / "site", prepare=never)
    first.ensure(plan(first, wanted), say=silent)
    shop.asked.clear()
    store = CacheStore(tmp_path / "own", prepare=never, site_caches=(tmp_path / "site",))
    other = replace(wanted, name="others")
    assert plan(store, other).fetch_bytes == 0
    assert store.ensure(plan(store, other), say=silent).fetched
    assert shop.asked == []


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shelf]:
    with shelf(tmp_path / "catalog") as found:
        yield found


def downloaded(shop: Shelf, name: str, **source: object) -> Asset:
    urls = (f"{shop.base}/{name}.json",)
    return Asset(
        name=name,
        kind=AssetKind.DATASET,
        source=Download(urls=urls, **source),  # type: ignore[arg-type]
        licence="-",
    )


def test_first_use_is_said_recorded_and_held_to_beyond_a_removal(tmp_path: Path, shop: Shelf) -> None:
    shop.put("/numbers.json", b"first")
    said: list[str] = []
    store = CacheStore(tmp_path / "cache", prepare=never, now=lambda: NOON)
    planned = plan(store, downloaded(shop, "numbers"))
    ready = store.ensure(planned, say=said.append)
    assert ready.trust == "first use"
    assert any("trust on first use" in line and ready.files[0].sha256 in line for line in said)
    shutil.rmtree(ready.path)
    shutil.rmtree(tmp_path / "cache" / "store")
    said.clear()
    assert store.ensure(planned, say=said.append).files == ready.files
    assert not any("first use" in line for line in said)
    shutil.rmtree(ready.path)
    shutil.rmtree(tmp_path / "cache" / "store")
    shop.put("/numbers.json", b"other")
    before = snapshot(tmp_path / "cache" / "trust")
    with pytest.raises(AssetError) as caught:
        store.ensure(planned, say=silent)
    assert caught.value.exit_code is ExitCode.ASSET
    assert f"expected sha256 {ready.files[0].sha256}, found" in str(caught.value)
    assert str(layout(tmp_path / "cache").trust(planned.key)) in (caught.value.hint or "")
    assert not planned.path.exists()
    assert snapshot(tmp_path / "cache" / "trust") == before


def test_what_is_pinned_is_not_a_matter_of_first_use(tmp_path: Path, shop: Shelf) -> None:
    sha256 = shop.file("numbers", b"[1]")
    said: list[str] = []
    store = CacheStore(tmp_path / "cache", prepare=never)
    assert store.ensure(plan(store, downloaded(shop, "numbers", sha256=sha256)), say=said.append).trust == "pinned"
    assert not any("first use" in line for line in said)
    assert not (tmp_path / "cache" / "trust").exists()


def test_a_damaged_memory_of_first_use_is_not_taken_for_none(tmp_path: Path, shop: Shelf) -> None:
    shop.put("/numbers.json", b"first")
    store = CacheStore(tmp_path / "cache", prepare=never)
    planned = plan(store, downloaded(shop, "numbers"))
    ready = store.ensure(planned, say=silent)
    shutil.rmtree(ready.path)
    layout(tmp_path / "cache").trust(planned.key).write_text("[")
    with pytest.raises(AssetError, match="is damaged"):
        store.ensure(planned, say=silent)


def test_what_is_made_here_may_come_out_otherwise_and_that_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    maker = Maker({"one": {"a": b"first"}})
    store = CacheStore(tmp_path, prepare=maker)
    ready = store.ensure(plan(store, asset("one")), say=silent)
    assert ready.trust == "made here"
    shutil.rmtree(ready.path)
    maker.files["one"] = {"a": b"second"}
    again = store.ensure(plan(store, asset("one")), say=said.append)
    assert any(ready.files[0].sha256 in line and again.files[0].sha256 in line for line in said)


def test_a_script_that_downloads_by_itself_is_held_to_its_first_outcome(tmp_path: Path) -> None:
    maker = Maker({"one": {"a": b"first"}})
    store = CacheStore(tmp_path, prepare=maker)
    wanted = replace(asset("one"), source=Scripted(image="none", commands=(("x",),), network=True))
    ready = store.ensure(plan(store, wanted), say=silent)
    assert ready.trust == "first use"
    shutil.rmtree(ready.path)
    maker.files["one"] = {"a": b"second"}
    with pytest.raises(AssetError, match="believed at first use"):
        store.ensure(plan(store, wanted), say=silent)


FIVE = {f"val/{number}.jpg": b"%d" % number for number in range(5)}


@pytest.mark.parametrize(
    ("pattern", "count", "words"),
    [
        ("val/*.jpg", 6, r"5 of 6 files match 'val/\*\.jpg' \(there: 'val/0\.jpg', .* and 2 more\)"),
        ("val/*.jpg", 4, r"5 files match 'val/\*\.jpg', expected 4"),
        ("*.jpg", None, r"none match '\*\.jpg'"),
        ("train/**", 50_000, r"0 of 50,000 files match"),
        ("val/*.jpg", 5, None),
        ("**/*.jpg", 5, None),
        ("val/?.jpg", None, None),
        ("**", 5, None),
    ],
)
def test_the_layout_is_held_to_with_the_count_told(
    tmp_path: Path, pattern: str, count: int | None, words: str | None
) -> None:
    store = CacheStore(tmp_path / "cache", prepare=Maker({"one": FIVE}))
    wanted = asset("one", layout=(Layout(pattern=pattern, count=count),))
    given = tmp_path / "mine"
    for name, content in FIVE.items():
        (given / name).parent.mkdir(parents=True, exist_ok=True)
        (given / name).write_bytes(content)
    mine = replace(wanted, source=LocalPath(path=given))
    if words is None:
        assert len(store.ensure(plan(store, wanted), say=silent).files) == 5
        assert len(store.ensure(plan(store, mine), say=silent).files) == 5
        return
    with pytest.raises(AssetError, match=words):
        store.ensure(plan(store, wanted), say=silent)
    assert not plan(store, wanted).path.exists()
    with pytest.raises(AssetError, match=words) as caught:
        store.ensure(plan(store, mine), say=silent)
    assert f"'{pattern}'" in (caught.value.hint or "")


def test_a_single_file_of_the_user_s_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "my-words.txt").write_bytes(b"words")
    source = LocalPath(path=tmp_path / "my-words.txt")
    mine = asset("one", files=(AssetFile(name="vocab.txt", size_bytes=5),), source=source)
    store = CacheStore(tmp_path / "cache", prepare=never)
    assert store.ensure(plan(store, mine), say=silent).files[0].name == "my-words.txt"
    (tmp_path / "my-words.txt").write_bytes(b"more words")
    with pytest.raises(AssetError, match=r"'vocab\.txt' has 10 bytes, expected 5"):
        store.ensure(plan(store, mine), say=silent)


def test_what_only_the_user_can_bring_says_how_to_hand_it_over(tmp_path: Path) -> None:
    store = CacheStore(tmp_path, prepare=never)
    wanted = asset("one", source=UserSupplied(how="ask Ann"))
    with pytest.raises(AssetError, match="ask Ann") as caught:
        store.ensure(plan(store, wanted), say=silent)
    assert "cache import one PATH" in (caught.value.hint or "")
    assert "--asset one=PATH" in (caught.value.hint or "")


def test_uses_are_noted_with_run_and_time(tmp_path: Path) -> None:
    have(tmp_path, {"one": {"a": b"x"}}, used_by="run-1")
    (ready,) = have(tmp_path, {"one": {"a": b"x"}}, used_by="run-2")
    (tmp_path / "mine").write_bytes(b"m")
    store = CacheStore(tmp_path, prepare=never, now=lambda: NOON)
    mine = Asset(name="one (of mine)", kind=AssetKind.MODEL, source=LocalPath(path=tmp_path / "mine"), licence="-")
    planned = store.plan(mine, no_catalogue)[0]
    store.ensure(planned, say=silent, used_by="run-3")
    found = uses_of(layout(tmp_path).uses("one", ready.key))
    assert [(use.run, use.when) for use in found] == [("run-1", NOON.isoformat()), ("run-2", NOON.isoformat())]
    assert [use.run for use in uses_of(layout(tmp_path).uses("one (of mine)", planned.key))] == ["run-3"]


def test_a_big_asset_is_hashed_again_only_where_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.assets.manifest.ALWAYS_HASHED_BYTES", 3)
    (ready,) = have(tmp_path, {"one": {"a": b"aaaa", "b": b"bbbb"}})
    times = (ready.path / "a").stat()
    writable(ready.path / "a", b"evil")
    os.utime(ready.path / "a", ns=(times.st_atime_ns, times.st_mtime_ns))
    have(tmp_path, {"one": {}})
    os.utime(ready.path / "a", ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    with pytest.raises(AssetError, match="is damaged"):
        have(tmp_path, {"one": {}})


def test_a_manifest_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    (ready,) = have(tmp_path, {"one": {"a": b"x"}})
    path = ready.path / ".manifest.json"
    document = json.loads(path.read_text())
    del document["learned"]
    path.write_text(json.dumps(document))
    assert have(tmp_path, {"one": {}})[0].files == ready.files


SMALL_FILES = """
import resource, signal, sys
from pathlib import Path
from orchestrator.errors import MlperfDockerError
from tests.unit.cache_ground import have
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, resource.RLIM_INFINITY))
try:
    have(Path(sys.argv[1]), {"one": {"a": bytes(1 << 20)}})
except MlperfDockerError as error:
    print(f"{int(error.exit_code)} {error}")
"""


def test_a_file_that_the_system_refuses_to_write_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", SMALL_FILES, str(tmp_path / "cache")]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("4 asset 'one': File too large"), done.stderr
    assert not list((tmp_path / "cache" / "assets" / "one").iterdir())
    assert have(tmp_path / "cache", {"one": {"a": b"x"}})[0].fetched
    assert resource.getrlimit(resource.RLIMIT_FSIZE)


def test_a_full_disk_is_named_with_the_remedy_and_leaves_nothing(tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    mounted = subprocess.run(argv, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small file system")
    try:
        with pytest.raises(AssetError, match="No space left on device") as caught:
            have(place, {"one": {"a": bytes(4 << 20)}})
        assert "cache prune" in (caught.value.hint or "")
        assert list((place / "tmp").iterdir()) == []
        assert have(place, {"two": {"a": b"x"}})[0].fetched
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("part", ["assets", "locks", "tmp", "store"])
def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path, part: str) -> None:
    tmp_path.joinpath(part).write_text("not a folder")
    with pytest.raises(AssetError, match=part):
        have(tmp_path, {"one": {"a": b"x"}})
    assert tmp_path.joinpath(part).read_text() == "not a folder"


@pytest.mark.parametrize("part", ["entries", "uses", "local"])
def test_what_is_only_remembered_may_be_lost(tmp_path: Path, part: str) -> None:
    tmp_path.joinpath(part).write_text("not a folder")
    assert have(tmp_path, {"one": {"a": b"x"}}, used_by="run-1")[0].fetched
