"""The cache: what is planned, what is fetched, and that damage is found and named."""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.assets import manifest
from orchestrator.assets.pypi import download_environment
from orchestrator.assets.store import CacheStore
from orchestrator.domain.asset import Asset, AssetFile, AssetKind, PlannedAsset, PreparationJob
from orchestrator.domain.ports import Say
from orchestrator.domain.source import LocalPath
from orchestrator.errors import AssetError, ExitCode, TransientAssetError
from tests.unit.assets_wheels import (
    MODEL,
    Wheel,
    make_wheel,
    packaged,
    pip_environment,
    prepared,
    refuse,
    sha256,
    silent,
)


@pytest.fixture
def wheel(tmp_path: Path) -> Wheel:
    return make_wheel(tmp_path / "links", {"pkg/model.bin": MODEL, "pkg/other.bin": b"other"})


@pytest.fixture
def store(tmp_path: Path, wheel: Wheel) -> CacheStore:
    environment = pip_environment(wheel.path.parent, tmp_path / "pip.log")
    return CacheStore(tmp_path / "cache", prepare=refuse, environment=environment)


@pytest.fixture
def seeded(tmp_path: Path, wheel: Wheel) -> CacheStore:
    """A cache into which the wheel was downloaded before."""
    download(tmp_path / "cache", wheel)
    return CacheStore(tmp_path / "cache", prepare=refuse)


def download(cache: Path, wheel: Wheel) -> None:
    blobs = cache / "store" / "sha256"
    blobs.mkdir(parents=True)
    shutil.copy(wheel.path, blobs / wheel.sha256)


def only(store: CacheStore, asset: Asset) -> PlannedAsset:
    planned = store.plan(asset, no_catalogue)
    assert len(planned) == 1
    return planned[0]


def no_catalogue(name: str) -> Asset:
    raise AssertionError(f"{name} was looked up")


def pip_runs(tmp_path: Path) -> int:
    log = tmp_path / "pip.log"
    return log.read_text().count("Saved ") if log.exists() else 0


def test_a_plan_writes_nothing_and_says_what_a_fetch_costs(store: CacheStore, wheel: Wheel, tmp_path: Path) -> None:
    planned = only(store, packaged(wheel))
    assert not (tmp_path / "cache").exists()
    assert (planned.present, planned.fetch_bytes) == (False, wheel.size_bytes)
    assert planned.path == tmp_path / "cache" / "assets" / "test-model" / planned.key[:16]


def test_a_package_member_is_fetched_once_and_recorded(store: CacheStore, wheel: Wheel, tmp_path: Path) -> None:
    said: list[str] = []
    first = store.ensure(only(store, packaged(wheel)), say=said.append)
    assert (first.path / "model.bin").read_bytes() == MODEL
    assert [(file.name, file.sha256, file.size_bytes) for file in first.files] == [
        ("model.bin", sha256(MODEL), len(MODEL))
    ]
    assert (first.fetched, first.trust) == (True, "pinned")
    assert any("assets-test-model 1.0" in line for line in said)
    again = only(store, packaged(wheel))
    assert (again.present, again.fetch_bytes) == (True, 0)
    second = store.ensure(again, say=silent)
    assert (second.fetched, second.files, second.path) == (False, first.files, first.path)
    assert pip_runs(tmp_path) == 1
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


def test_the_manifest_says_where_an_asset_came_from(seeded: CacheStore, wheel: Wheel) -> None:
    ready = seeded.ensure(only(seeded, packaged(wheel)), say=silent)
    document = json.loads((ready.path / manifest.FILE_NAME).read_text())
    assert (document["schema_version"], document["name"], document["key"]) == (1, "test-model", ready.key)
    assert document["source"]["sha256"] == wheel.sha256
    assert document["trust"] == "pinned"
    assert document["when"].endswith("+00:00")


def test_two_assets_out_of_one_wheel_download_it_once(store: CacheStore, wheel: Wheel, tmp_path: Path) -> None:
    store.ensure(only(store, packaged(wheel)), say=silent)
    other = only(store, packaged(wheel, "second", member="pkg/other.bin", pin=b"other"))
    assert (other.present, other.fetch_bytes) == (False, 0)
    ready = store.ensure(other, say=silent)
    assert (ready.path / "model.bin").read_bytes() == b"other"
    assert pip_runs(tmp_path) == 1


def test_a_damaged_download_is_fetched_again(store: CacheStore, wheel: Wheel, tmp_path: Path) -> None:
    store.ensure(only(store, packaged(wheel)), say=silent)
    blob = tmp_path / "cache" / "store" / "sha256" / wheel.sha256
    blob.write_bytes(b"damaged")
    store.ensure(only(store, packaged(wheel, "second", member="pkg/other.bin", pin=b"other")), say=silent)
    assert sha256(blob.read_bytes()) == wheel.sha256
    assert pip_runs(tmp_path) == 2


@pytest.mark.parametrize("damaged", [MODEL[:-1], b"", b"X" + MODEL[1:]], ids=["truncated", "empty", "one byte"])
def test_a_damaged_model_is_found_and_both_hashes_are_named(seeded: CacheStore, wheel: Wheel, damaged: bytes) -> None:
    planned = only(seeded, packaged(wheel))
    model = seeded.ensure(planned, say=silent).path / "model.bin"
    times = model.stat()
    model.write_bytes(damaged)
    os.utime(model, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(AssetError) as caught:
        seeded.ensure(planned, say=silent)
    assert caught.value.exit_code is ExitCode.ASSET
    assert sha256(MODEL) in str(caught.value)
    assert sha256(damaged) in str(caught.value)
    assert str(planned.path) in (caught.value.hint or "")
    assert model.read_bytes() == damaged


def test_a_changed_file_is_found_even_when_the_manifest_was_changed_with_it(seeded: CacheStore, wheel: Wheel) -> None:
    planned = only(seeded, packaged(wheel))
    place = seeded.ensure(planned, say=silent).path
    (place / "model.bin").write_bytes(b"evil")
    note = place / manifest.FILE_NAME
    note.write_text(note.read_text().replace(sha256(MODEL), sha256(b"evil")))
    with pytest.raises(AssetError, match=sha256(MODEL)):
        seeded.ensure(planned, say=silent)


def test_a_missing_file_is_named(seeded: CacheStore, wheel: Wheel) -> None:
    planned = only(seeded, packaged(wheel))
    (seeded.ensure(planned, say=silent).path / "model.bin").unlink()
    with pytest.raises(AssetError, match=r"lacks its file .*model\.bin"):
        seeded.ensure(planned, say=silent)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 2}', "\0", '{"schema_version":1,"files":[1]}'])
def test_a_damaged_manifest_is_an_asset_error(seeded: CacheStore, wheel: Wheel, text: str) -> None:
    planned = only(seeded, packaged(wheel))
    (seeded.ensure(planned, say=silent).path / manifest.FILE_NAME).write_text(text)
    with pytest.raises(AssetError, match="is damaged"):
        seeded.ensure(planned, say=silent)


def test_a_lost_manifest_is_an_asset_error(seeded: CacheStore, wheel: Wheel) -> None:
    planned = only(seeded, packaged(wheel))
    (seeded.ensure(planned, say=silent).path / manifest.FILE_NAME).unlink()
    with pytest.raises(AssetError, match="has lost its"):
        seeded.ensure(planned, say=silent)


def test_a_wheel_with_another_hash_is_refused_and_both_hashes_are_named(store: CacheStore, wheel: Wheel) -> None:
    pinned = wheel.sha256
    found = make_wheel(wheel.path.parent, {"pkg/model.bin": b"another"})
    said: list[str] = []
    with pytest.raises(AssetError) as caught:
        store.ensure(only(store, packaged(replace(found, sha256=pinned))), say=said.append)
    assert caught.value.exit_code is ExitCode.ASSET
    assert not caught.value.retryable
    assert f"expected sha256 {pinned}" in str(caught.value)
    assert f"found {found.sha256}" in str(caught.value)
    assert not any("trying again" in line for line in said)


def test_a_member_with_another_hash_is_refused_and_nothing_is_kept(seeded: CacheStore, wheel: Wheel) -> None:
    planned = only(seeded, packaged(wheel, pin=b"what the catalogue thinks"))
    with pytest.raises(AssetError, match=f"expected sha256 .*, found {sha256(MODEL)}"):
        seeded.ensure(planned, say=silent)
    assert not planned.path.exists()


def test_a_package_that_the_index_lacks_is_named_and_not_tried_again(tmp_path: Path, wheel: Wheel) -> None:
    (tmp_path / "empty").mkdir()
    said: list[str] = []
    store = CacheStore(tmp_path / "cache", prepare=refuse, environment=pip_environment(tmp_path / "empty"))
    with pytest.raises(AssetError, match=r"assets-test-model 1\.0") as caught:
        store.ensure(only(store, packaged(wheel)), say=said.append)
    assert "PIP_FIND_LINKS" in (caught.value.hint or "")
    assert not any("trying again" in line for line in said)


def test_an_index_that_does_not_answer_is_tried_again_then_named(tmp_path: Path, wheel: Wheel) -> None:
    environment = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    said: list[str] = []
    store = CacheStore(tmp_path / "cache", prepare=refuse, environment={**environment, "PIP_EXTRA_INDEX_URL": ""})
    with pytest.raises(TransientAssetError, match="no answer from the package index") as caught:
        store.ensure(only(store, packaged(wheel)), say=said.append)
    assert caught.value.exit_code is ExitCode.ASSET
    assert wheel.path.name in (caught.value.hint or "")
    assert sum("trying again" in line for line in said) == 2


def test_a_proxy_named_by_the_user_is_the_one_pip_goes_through(tmp_path: Path, wheel: Wheel) -> None:
    index = {
        "PIP_INDEX_URL": "http://index.invalid/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_TRUSTED_HOST": "index.invalid",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": "",
    }
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_what: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        proxy = download_environment(http_proxy=f"http://127.0.0.1:{server.server_port}")
        store = CacheStore(tmp_path / "cache", prepare=refuse, environment={**index, **proxy})
        with pytest.raises(AssetError, match=r"assets-test-model 1\.0"):
            store.ensure(only(store, packaged(wheel)), say=silent)
        server.shutdown()
    assert "http://index.invalid/simple/assets-test-model/" in asked


def test_a_cache_that_cannot_be_written_is_an_asset_error(tmp_path: Path, wheel: Wheel) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = CacheStore(tmp_path / "file", prepare=refuse)
    with pytest.raises(AssetError, match="file") as caught:
        store.ensure(only(store, packaged(wheel)), say=silent)
    assert "MLPERF_DOCKER_CACHE" in (caught.value.hint or "")


def test_materials_are_planned_before_what_is_made_from_them(store: CacheStore, wheel: Wheel) -> None:
    catalogue = {"one": packaged(wheel, "one"), "two": prepared("one", name="two")}
    planned = store.plan(prepared("two", "one"), catalogue.__getitem__)
    assert [item.asset.name for item in planned] == ["one", "two", "test-prepared"]
    assert planned[-1].inputs == (("two", planned[1].path), ("one", planned[0].path))
    assert [item.fetch_bytes for item in planned] == [wheel.size_bytes, 0, 0]


def test_an_asset_made_from_itself_is_refused(store: CacheStore) -> None:
    catalogue = {"one": prepared("two", name="one"), "two": prepared("one", name="two")}
    with pytest.raises(AssetError, match="one -> two -> one"):
        store.plan(catalogue["one"], catalogue.__getitem__)


@pytest.mark.parametrize("name", ["../up", "a/b", "", "~", ".hidden"])
def test_a_name_that_could_leave_the_cache_is_refused(store: CacheStore, wheel: Wheel, name: str) -> None:
    with pytest.raises(AssetError, match="is not a name"):
        store.plan(packaged(wheel, name), no_catalogue)


class Step:
    """A Preparer that writes one file out of its inputs."""

    def __init__(self, output: bytes | None, error: AssetError | None = None) -> None:
        self.jobs: list[PreparationJob] = []
        self._output = output
        self._error = error

    def __call__(self, job: PreparationJob, *, say: Say) -> None:
        say(job.asset)
        self.jobs.append(job)
        assert list(job.output.iterdir()) == []
        assert all(path.is_dir() for _, path in job.inputs)
        if self._output is not None:
            (job.output / "out.bin").write_bytes(self._output)
        if self._error is not None:
            raise self._error


def prepare_with(tmp_path: Path, wheel: Wheel, step: Step, asset: Asset) -> tuple[CacheStore, tuple[PlannedAsset, ...]]:
    download(tmp_path / "cache", wheel)
    store = CacheStore(tmp_path / "cache", prepare=step)
    return store, store.plan(asset, {"test-model": packaged(wheel)}.__getitem__)


@pytest.mark.parametrize(("pin", "trust"), [(b"made", "pinned"), (None, "made here")])
def test_a_prepared_asset_is_made_once(tmp_path: Path, wheel: Wheel, pin: bytes | None, trust: str) -> None:
    step = Step(b"made")
    store, planned = prepare_with(tmp_path, wheel, step, prepared("test-model", pin=pin))
    first = [store.ensure(item, say=silent) for item in planned]
    again = [store.ensure(item, say=silent) for item in planned]
    assert len(step.jobs) == 1
    assert step.jobs[0].inputs == (("test-model", planned[0].path),)
    assert [item.fetched for item in first + again] == [True, True, False, False]
    assert (first[1].trust, (first[1].path / "out.bin").read_bytes()) == (trust, b"made")


def test_materials_of_a_prepared_asset_that_is_there_are_not_needed(tmp_path: Path, wheel: Wheel) -> None:
    store, planned = prepare_with(tmp_path, wheel, Step(b"made"), prepared("test-model"))
    assert store.needed(planned) == planned
    for item in planned:
        store.ensure(item, say=silent)
    assert store.needed(planned) == planned[-1:]


def test_a_step_that_writes_something_else_than_pinned_is_refused(tmp_path: Path, wheel: Wheel) -> None:
    store, planned = prepare_with(tmp_path, wheel, Step(b"made"), prepared("test-model", pin=b"expected"))
    store.ensure(planned[0], say=silent)
    with pytest.raises(AssetError, match=f"expected sha256 {sha256(b'expected')}, found {sha256(b'made')}"):
        store.ensure(planned[1], say=silent)
    assert not planned[1].path.exists()


@pytest.mark.parametrize(
    ("step", "words"),
    [(Step(None), "wrote nothing"), (Step(b"half", AssetError("the step broke")), "the step broke")],
    ids=["wrote nothing", "failed half-way"],
)
def test_a_step_that_fails_leaves_nothing(tmp_path: Path, wheel: Wheel, step: Step, words: str) -> None:
    store, planned = prepare_with(tmp_path, wheel, step, prepared("test-model"))
    store.ensure(planned[0], say=silent)
    with pytest.raises(AssetError, match=words):
        store.ensure(planned[1], say=silent)
    assert not planned[1].path.exists()
    assert list((tmp_path / "cache" / "tmp").iterdir()) == []


def test_other_code_makes_another_key_unless_the_outcome_is_pinned(tmp_path: Path) -> None:
    def key(code: str, asset: Asset) -> str:
        store = CacheStore(tmp_path, prepare=refuse, code_key=lambda step: f"{step}-{code}")
        return only(store, asset).key

    assert key("old", prepared()) != key("new", prepared())
    assert key("old", prepared(pin=b"made")) == key("new", prepared(pin=b"made"))


def local(path: Path, *files: AssetFile) -> Asset:
    return Asset(name="mine", kind=AssetKind.MODEL, source=LocalPath(path=path), files=files, licence="own")


def test_a_local_file_is_hashed_and_used_where_it_lies(store: CacheStore, tmp_path: Path) -> None:
    mine = tmp_path / "mine.onnx"
    mine.write_bytes(b"mine")
    planned = only(store, local(mine))
    ready = store.ensure(planned, say=silent)
    assert (ready.path, ready.trust, ready.fetched, planned.fetch_bytes) == (mine, "local", False, 0)
    assert [(file.name, file.sha256) for file in ready.files] == [("mine.onnx", sha256(b"mine"))]
    mine.write_bytes(b"changed")
    assert only(store, local(mine)).key != planned.key
    assert store.ensure(planned, say=silent).files[0].sha256 == sha256(b"changed")


def test_a_local_folder_is_recorded_file_by_file(store: CacheStore, tmp_path: Path) -> None:
    (tmp_path / "set" / "deep").mkdir(parents=True)
    (tmp_path / "set" / "deep" / "b").write_bytes(b"b")
    (tmp_path / "set" / "a").write_bytes(b"a")
    ready = store.ensure(only(store, local(tmp_path / "set")), say=silent)
    assert [(file.name, file.sha256) for file in ready.files] == [("a", sha256(b"a")), ("deep/b", sha256(b"b"))]


def test_a_big_local_file_is_hashed_again_only_when_it_changed(store: CacheStore, tmp_path: Path) -> None:
    mine = tmp_path / "big.bin"
    with mine.open("wb") as file:
        file.truncate(manifest.ALWAYS_HASHED_BYTES + 1)
    planned = only(store, local(mine))
    before = store.ensure(planned, say=silent).files[0].sha256
    times = mine.stat()
    with mine.open("r+b") as file:
        file.write(b"changed")
    os.utime(mine, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert store.ensure(planned, say=silent).files[0].sha256 == before
    os.utime(mine, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    assert store.ensure(planned, say=silent).files[0].sha256 != before


def test_a_local_path_that_is_not_there_is_named_when_planning(store: CacheStore, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"nothing at .*/gone\.onnx"):
        store.plan(local(tmp_path / "gone.onnx"), no_catalogue)
    (tmp_path / "empty").mkdir()
    with pytest.raises(AssetError, match="holds no files"):
        store.plan(local(tmp_path / "empty"), no_catalogue)


def test_a_local_link_that_leads_out_of_its_folder_is_refused(store: CacheStore, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "elsewhere").write_bytes(b"x")
    (tmp_path / "set" / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AssetError, match="leads out of the folder"):
        store.plan(local(tmp_path / "set"), no_catalogue)


def test_a_local_file_that_breaks_a_pin_is_refused_with_both_hashes(store: CacheStore, tmp_path: Path) -> None:
    mine = tmp_path / "mine.onnx"
    mine.write_bytes(b"mine")
    asset = local(mine, AssetFile(name="mine.onnx", sha256=sha256(b"theirs")))
    with pytest.raises(AssetError, match=f"expected sha256 {sha256(b'theirs')}, found {sha256(b'mine')}"):
        store.ensure(only(store, asset), say=silent)
