"""Room that a request takes is counted exactly, by file system, before the first byte; what is unknown is said."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.images import image_entries
from orchestrator.controller.preflight import refuse_faults
from orchestrator.controller.space import (
    RESULTS_WANT_BYTES,
    Need,
    Place,
    amount,
    asset_needs,
    contents_bytes,
    file_systems,
    image_needs,
    results_need,
    space_findings,
)
from orchestrator.domain.asset import Asset, AssetFile, AssetKind, PlannedAsset
from orchestrator.domain.finding import Level
from orchestrator.domain.image import ImageChoice, ImageRef, PlannedImage
from orchestrator.domain.source import (
    Bucket,
    Download,
    GitTree,
    HuggingFace,
    LocalPath,
    Member,
    Prepared,
    PypiPackage,
    Scripted,
    Source,
    StandIn,
    UserSupplied,
)
from orchestrator.errors import PreflightError
from orchestrator.host.disks import Disk, disk
from orchestrator.host.process import run

MB = 10**6
URLS = ("https://example.org/file",)


def planned(source: Source, *, name: str = "one", fetch: int | None = None, **changes: object) -> PlannedAsset:
    """An asset that is not there; `fetch` of its bytes are still to come (all of them, if not said)."""
    asset = Asset(name=name, kind=AssetKind.MODEL, source=source, licence="-", **changes)  # type: ignore[arg-type]
    size = getattr(source, "size_bytes", None) or 0
    return PlannedAsset(
        asset=asset, key=asset.key(), path=Path("/x"), present=False, fetch_bytes=size if fetch is None else fetch
    )


def wheel(name: str, *members: Member) -> PypiPackage:
    return PypiPackage(
        package=name, version="1", filename=f"{name}.whl", sha256="0" * 64, size_bytes=MB, members=members
    )


def need(one: PlannedAsset) -> tuple[int, int, bool]:
    """Bytes to fetch, room, whether more is unknown."""
    (found,) = asset_needs([one], Path("/cache"))
    return found.fetch_bytes, found.room_bytes, found.unknown


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (planned(Download(urls=URLS, size_bytes=5 * MB)), (5 * MB, 5 * MB, False)),
        (planned(Download(urls=URLS)), (0, 0, True)),
        (planned(Download(urls=URLS, size_bytes=5 * MB, unpack=True), size_bytes=20 * MB), (5 * MB, 25 * MB, False)),
        (planned(Download(urls=URLS, size_bytes=5 * MB, unpack=True)), (5 * MB, 10 * MB, True)),
        (planned(Download(urls=URLS, size_bytes=5 * MB, unpack=True), fetch=0, size_bytes=9), (0, 9, False)),
        (planned(Bucket(uri="https://x/y.uri", size_bytes=7 * MB)), (7 * MB, 7 * MB, False)),
        (
            planned(Bucket(uri="https://x/y.uri", size_bytes=7 * MB, unpack=True), size_bytes=MB),
            (7 * MB, 8 * MB, False),
        ),
        (planned(HuggingFace(repository="a/b", size_bytes=3 * MB), fetch=MB), (MB, MB, False)),
        (planned(GitTree(repository="r", commit="c", size_bytes=MB)), (MB, 2 * MB, True)),
        (planned(wheel("w", Member(path="a", name="a", size_bytes=10))), (MB, MB + 10, False)),
        (planned(wheel("w", Member(path="a", name="a"))), (MB, MB, True)),
        (planned(Prepared(step="s", image="i", inputs=()), size_bytes=4 * MB), (0, 4 * MB, False)),
        (planned(Prepared(step="s", image="i", inputs=())), (0, 0, True)),
        (planned(Scripted(image="i", commands=(), size_bytes=MB, network=True), size_bytes=2), (MB, MB + 2, False)),
        (planned(Scripted(image="i", commands=()), size_bytes=2), (0, 2, False)),
        (planned(Scripted(image="i", commands=(), network=True)), (0, 0, True)),
    ],
)
def test_every_kind_of_source_takes_its_room(one: PlannedAsset, expected: tuple[int, int, bool]) -> None:
    assert need(one) == expected


@pytest.mark.parametrize(
    "source", [LocalPath(path=Path("/x")), StandIn(of="x"), UserSupplied(how="ask", size_bytes=9 * MB)]
)
def test_what_is_not_fetched_takes_none(source: Source) -> None:
    assert asset_needs([planned(source, fetch=0)], Path("/cache")) == () or isinstance(source, StandIn)
    if not isinstance(source, StandIn):
        assert asset_needs([planned(source, fetch=0)], Path("/cache")) == ()


def test_what_is_there_takes_none() -> None:
    one = planned(Download(urls=URLS, size_bytes=MB))
    there = PlannedAsset(asset=one.asset, key=one.key, path=one.path, present=True, fetch_bytes=0)
    assert asset_needs([there], Path("/cache")) == ()


def test_two_assets_of_one_package_count_it_once() -> None:
    first = planned(wheel("w", Member(path="a", name="a", size_bytes=10)), name="first")
    second = planned(wheel("w", Member(path="b", name="b", size_bytes=20)), name="second")
    found = asset_needs([first, second, first], Path("/cache"))
    assert [(one.fetch_bytes, one.room_bytes) for one in found] == [(MB, MB + 10), (0, 20)]


def test_contents_are_the_catalogues_word_or_the_sum_of_the_files() -> None:
    files = (AssetFile(name="a", size_bytes=1), AssetFile(name="b", size_bytes=2))
    assert contents_bytes(planned(Download(urls=URLS), files=files).asset) == 3
    assert contents_bytes(planned(Download(urls=URLS), files=files, size_bytes=9).asset) == 9
    assert contents_bytes(planned(Download(urls=URLS), files=(*files, AssetFile(name="c"))).asset) is None


def an_image(entry: str, **changes: object) -> PlannedImage:
    return PlannedImage(entry=entry, round="v6.1", platform="linux/amd64", recipe="0" * 64, **changes)  # type: ignore[arg-type]


def test_images_take_what_was_measured_of_them_once() -> None:
    chosen = an_image("generic-tflite", choice=ImageChoice(reference=ImageRef.parse("example.org/mine:1")))
    found = image_needs(
        [an_image("generic-tflite"), an_image("generic-tflite"), an_image("redhat-vllm"), chosen],
        image_entries().get,
        Path("/engine"),
    )
    assert [(one.what, one.unknown) for one in found] == [
        ("image generic-tflite", False),
        ("image redhat-vllm", True),
        ("image example.org/mine:1", True),
    ]
    assert found[0].room_bytes == image_entries()["generic-tflite"].size_bytes
    assert found[0].path == Path("/engine")


def _disks(*free: tuple[str, str, int]) -> Callable[[Path], Disk]:
    """A look at made-up file systems: (path, device, free bytes)."""
    table = {
        Path(path): Disk(
            path=Path(path), device=device, kind="ext4", mounted_at=None, total_bytes=1 << 50, free_bytes=bytes_
        )
        for path, device, bytes_ in free
    }
    return lambda path: table[path]


def a_need(path: str | None, room: int, place: Place = Place.CACHE, **changes: bool) -> Need:
    need = Need(what=f"a {place.value} thing", place=place, path=Path(path) if path else None, room_bytes=room)
    return replace(need, **changes)  # type: ignore[arg-type]


def test_places_on_one_file_system_share_its_bytes() -> None:
    look = _disks(("/cache", "8:1", 100), ("/results", "8:1", 100))
    (one,) = file_systems([a_need("/cache", 60), a_need("/results", 40, Place.RESULTS)], look)
    assert one.room_bytes == 100 and not one.short
    (other,) = file_systems([a_need("/cache", 60), a_need("/results", 41, Place.RESULTS)], look)
    assert other.short
    (finding,) = space_findings([other])
    assert finding.level is Level.FAULT
    assert "1 bytes too little" in finding.text
    assert "cache prune --keep" in str(finding.remedy) and "--results-dir" in str(finding.remedy)
    assert "data root" not in str(finding.remedy)


def test_each_of_several_file_systems_is_judged_by_itself() -> None:
    look = _disks(("/cache", "8:1", 100), ("/engine", "8:2", 10), ("/results", "8:3", 100))
    needs = [
        a_need("/cache", 100),
        a_need("/engine", 11, Place.ENGINE),
        a_need("/results", 1, Place.RESULTS),
        a_need(None, 1 << 60, Place.ENGINE),
    ]
    found = space_findings(file_systems(needs, look))
    assert [one.level for one in found] == [Level.OK, Level.FAULT, Level.OK]
    with pytest.raises(PreflightError) as refused:
        refuse_faults(found, "a model")
    assert "data root" in str(refused.value) and "docker system df" in str(refused.value)


def test_what_nobody_knows_is_said_and_does_not_refuse() -> None:
    look = _disks(("/cache", "8:1", 100))
    found = space_findings(
        file_systems([a_need("/cache", 50, unknown=True), a_need("/cache", 1, estimated=True)], look)
    )
    assert [one.level for one in found] == [Level.OK, Level.NOTE]
    assert "at least 51 bytes (estimated) needed" in found[0].text
    assert "a cache thing" in found[1].text


def test_amounts_are_as_disks_and_published_sizes_count() -> None:
    assert [amount(size) for size in (0, 999, 1000, 97_310_000_000, 2_300_000_000_000)] == [
        "0 bytes",
        "999 bytes",
        "1 kB",
        "97.3 GB",
        "2.3 TB",
    ]


@pytest.fixture
def small_disks(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """Two real file systems of 1 and 2 MiB."""
    folders = (tmp_path / "one", tmp_path / "two")
    mounted: list[Path] = []
    try:
        for folder, size in zip(folders, ("1m", "2m"), strict=True):
            folder.mkdir()
            if os.geteuid() or not run(("mount", "-t", "tmpfs", "-o", f"size={size}", "space-test", str(folder))).ok:
                pytest.skip("mounting takes root; the made-up file systems above are tested everywhere")
            mounted.append(folder)
        yield folders
    finally:
        for folder in mounted:
            run(("umount", str(folder)))


def test_real_file_systems_are_told_apart_and_measured_to_the_byte(small_disks: tuple[Path, Path]) -> None:
    one, two = small_disks
    free = {path: disk(path).free_bytes for path in small_disks}
    assert free == {one: 1 << 20, two: 2 << 20}
    exact = [a_need(str(one / "a" / "cache"), free[one]), a_need(str(two), free[two], Place.RESULTS)]
    assert [system.short for system in file_systems(exact)] == [False, False]
    above = [a_need(str(one), free[one]), a_need(str(one / "b"), 1), a_need(str(two), free[two] + 1)]
    first, second = file_systems(above)
    assert (first.short, second.short) == (True, True)
    assert (first.disk.mounted_at, second.disk.mounted_at) == (one, two)
    (one / "file").write_bytes(bytes(4096))
    assert [system.short for system in file_systems(exact)] == [True, False]


def test_logs_of_runs_are_counted_too(tmp_path: Path) -> None:
    assert results_need(tmp_path).room_bytes == RESULTS_WANT_BYTES
