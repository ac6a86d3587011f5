"""Members of Debian and npm packages: through the real apt and npm where they are, from repositories of our own.

The repositories are stand-ins on this machine; two tests at the end ask the machine's own mirrors for something small.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator.assets.fetch import fill
from orchestrator.assets.npm import registry
from orchestrator.domain.source import DebianPackage, Member, NpmPackage
from orchestrator.errors import AssetError, TransientAssetError
from orchestrator.host.process import run
from tests.unit.archives_made import debian, entry, everything, tarred
from tests.unit.assets_wheels import sha256
from tests.unit.source_kit import an_asset, kit_for, lines_of
from tests.unit.source_servers import Answering, Reply, Server, serving

MODEL = b"weights of a model " * 500
PACKAGE, VERSION = "stand-in-model", "1.2-3"
needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="this machine has no apt")
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="this machine has no npm")


def made_in(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    return folder


@dataclass(frozen=True)
class AptRepository:
    """A folder that the real apt takes packages from."""

    folder: Path
    deb: Path

    def source(self, **fields: object) -> DebianPackage:
        """The catalogue's entry for its package."""
        raw = self.deb.read_bytes()
        members = (Member(path="usr/share/m/model.bin", name="model.bin", sha256=sha256(MODEL)),)
        known = {
            "package": PACKAGE,
            "version": VERSION,
            "filename": self.deb.name,
            "sha256": sha256(raw),
            "size_bytes": len(raw),
            "members": members,
        }
        return DebianPackage(**{**known, **fields})  # type: ignore[arg-type]


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AptRepository:
    """A repository of one package, and an apt that knows no other; nothing of the machine's own is touched."""
    folder = tmp_path / "apt" / "repository"
    folder.mkdir(parents=True)
    data = tarred(entry("./usr/share/m/model.bin", MODEL), entry("./usr/bin/x", b"#!"), compression="xz")
    deb = folder / f"{PACKAGE}_{VERSION}_all.deb"
    deb.write_bytes(debian(data))
    (folder / "Packages").write_text(
        f"Package: {PACKAGE}\nVersion: {VERSION}\nArchitecture: all\nMaintainer: nobody <n@example.org>\n"
        f"Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {sha256(deb.read_bytes())}\n"
        "Description: a stand-in\n"
    )
    for name in ("lists/partial", "cache/archives/partial", "etc/parts", "etc/trusted.gpg.d"):
        (tmp_path / "apt" / name).mkdir(parents=True)
    (tmp_path / "apt" / "status").write_text("")
    (tmp_path / "apt" / "sources.list").write_text(f"deb [trusted=yes] file:{folder} ./\n")
    config = tmp_path / "apt" / "apt.conf"
    place = tmp_path / "apt"
    config.write_text(
        f'Dir::State "{place}"; Dir::State::status "{place}/status"; Dir::State::lists "{place}/lists";\n'
        f'Dir::Cache "{place}/cache"; Dir::Etc::SourceList "{place}/sources.list"; Dir::Etc::SourceParts "-";\n'
        f'Dir::Etc::Parts "{place}/etc/parts"; APT::Sandbox::User "";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(config))
    done = run(("apt-get", "update", "-q"))
    assert done.ok, done.stderr
    return AptRepository(folder, deb)


@needs_apt
def test_the_real_apt_fetches_the_package_and_its_members_are_taken(tmp_path: Path, apt: AptRepository) -> None:
    kit = kit_for(tmp_path)
    source = apt.source()
    known = fill(an_asset(source), made_in(tmp_path), kit)
    assert everything(tmp_path / "made") == {"model.bin": "file"}
    assert [(item.name, item.sha256) for item in known] == [("model.bin", sha256(MODEL))]
    apt.deb.unlink()  # a second asset out of the same package needs nothing of apt
    other = tmp_path / "other"
    other.mkdir()
    fill(an_asset(replace(source, members=(Member(path="usr/bin/*", name="programs"),))), other, kit)
    assert lines_of(everything(other)) == ["programs/x"]


@needs_apt
def test_another_package_than_the_pinned_one_is_refused_with_both_hashes(tmp_path: Path, apt: AptRepository) -> None:
    with pytest.raises(AssetError, match=f"expected sha256 {'0' * 64}, found {sha256(apt.deb.read_bytes())}"):
        fill(an_asset(apt.source(sha256="0" * 64)), made_in(tmp_path), kit_for(tmp_path))
    assert everything(tmp_path / "made") == {}


@needs_apt
@pytest.mark.parametrize("fields", [{"version": "9.9"}, {"package": "no-such-package"}, {"architecture": "riscv64"}])
def test_what_apt_does_not_know_is_said_with_the_remedy(
    tmp_path: Path, apt: AptRepository, fields: dict[str, str]
) -> None:
    with pytest.raises(AssetError, match="knows no Debian package") as caught:
        fill(an_asset(apt.source(**fields)), made_in(tmp_path), kit_for(tmp_path))
    assert "apt-get update" in str(caught.value.hint)


def test_without_apt_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    source = DebianPackage(package="x", version="1", filename="x.deb", sha256="0" * 64, size_bytes=1, members=())
    with pytest.raises(AssetError, match="has no apt") as caught:
        fill(an_asset(source), made_in(tmp_path), kit_for(tmp_path))
    assert "--asset" in str(caught.value.hint)


TARBALL = tarred(entry("package/package.json", b"{}"), entry("package/model/m.bin", MODEL), compression="gz")


def npm_source(package: str = PACKAGE, **fields: object) -> NpmPackage:
    members = (Member(path="package/model/m.bin", name="m.bin", sha256=sha256(MODEL)),)
    known = {"package": package, "version": "1.2.3", "sha256": sha256(TARBALL), "size_bytes": len(TARBALL)}
    return NpmPackage(**{**known, "members": members, **fields})  # type: ignore[arg-type]


def npm_registry(package: str = PACKAGE, tarball: bytes = TARBALL) -> object:
    """A stand-in registry of one package."""

    def answer(server: Server) -> Answering:
        integrity = f"sha512-{base64.b64encode(hashlib.sha512(tarball).digest()).decode()}"
        version = {
            "name": package,
            "version": "1.2.3",
            "dist": {"tarball": f"{server.address}/tarballs/x-1.2.3.tgz", "integrity": integrity},
        }
        document = {"name": package, "dist-tags": {"latest": "1.2.3"}, "versions": {"1.2.3": version}}
        pages = {f"/{package}": document, f"/{package}/1.2.3": version}

        def reply(path: str, _headers: object) -> Reply | None:
            if path.startswith("/tarballs/"):
                return Reply(tarball)
            return Reply(json.dumps(pages[path]).encode()) if path in pages else None

        return reply

    return answer


@pytest.fixture
def no_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without npm, and without settings of npm's."""
    empty = tmp_path / "empty"
    empty.mkdir()
    for name in list(os.environ):
        if name.lower().startswith("npm_config_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setenv("HOME", str(empty))
    return empty


@pytest.fixture
def npm_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """npm with a home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm-cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    yield


@needs_npm
@pytest.mark.usefixtures("npm_home")
@pytest.mark.parametrize("package", [PACKAGE, "@a-scope/stand-in"])
def test_the_real_npm_fetches_from_the_registry_of_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    with serving(npm_registry(package)) as server:  # type: ignore[arg-type]
        monkeypatch.setenv("npm_config_registry", server.address)
        known = fill(an_asset(npm_source(package)), made_in(tmp_path), kit_for(tmp_path))
        assert [(item.name, item.sha256) for item in known] == [("m.bin", sha256(MODEL))]
        assert server.asked
        asked = len(server.asked)
        again = tmp_path / "again"
        again.mkdir()
        fill(an_asset(npm_source(package)), again, kit_for(tmp_path))
        assert len(server.asked) == asked


@needs_npm
@pytest.mark.usefixtures("npm_home")
def test_npms_faults_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = made_in(tmp_path)
    with serving(npm_registry()) as server:  # type: ignore[arg-type]
        monkeypatch.setenv("npm_config_registry", server.address)
        with pytest.raises(AssetError, match="registry has no npm package"):
            fill(an_asset(npm_source(version="9.9.9")), made, kit_for(tmp_path))
        with pytest.raises(AssetError, match="expected sha256 0000"):
            fill(an_asset(npm_source(sha256="0" * 64)), made, kit_for(tmp_path))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    with pytest.raises(TransientAssetError, match="no answer"):
        fill(an_asset(npm_source()), made, kit_for(tmp_path))


@pytest.mark.parametrize("package", [PACKAGE, "@a-scope/stand-in"])
def test_without_npm_the_registry_of_its_settings_is_asked(
    tmp_path: Path, no_npm: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(npm_registry(package)) as server:  # type: ignore[arg-type]
        (no_npm / ".npmrc").write_text(
            f'; a comment\nregistry = "{server.address}/"\n@other:registry=http://127.0.0.1:9\n'
        )
        fill(an_asset(npm_source(package)), made_in(tmp_path), kit_for(tmp_path))
        assert (tmp_path / "made" / "m.bin").read_bytes() == MODEL
        with pytest.raises(AssetError, match="answered 404"):
            fill(an_asset(npm_source("no-such-package", sha256="1" * 64)), tmp_path, kit_for(tmp_path))
        asked = len(server.asked)
        again = tmp_path / "again"
        again.mkdir()
        fill(an_asset(npm_source(package)), again, kit_for(tmp_path))
        assert len(server.asked) == asked
    with serving(npm_registry(package, b"other")) as server:  # type: ignore[arg-type]
        monkeypatch.setenv("npm_config_registry", server.address)
        shutil.rmtree(tmp_path / "cache")
        with pytest.raises(AssetError, match=r"sha256|bytes"):
            fill(an_asset(npm_source(package)), tmp_path, kit_for(tmp_path))


@pytest.mark.usefixtures("no_npm")
def test_without_npm_and_without_a_registry_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="has no npm") as caught:
        fill(an_asset(npm_source()), made_in(tmp_path), kit_for(tmp_path))
    assert "npm_config_registry" in str(caught.value.hint)


def test_a_scopes_registry_comes_before_all_others(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text("registry=https://one.example/\n@s:registry=https://two.example\n")
    assert registry("x", {}, tmp_path) == "https://one.example"
    assert registry("@s/x", {"npm_config_registry": "https://three.example"}, tmp_path) == "https://two.example"
    assert registry("x", {"NPM_CONFIG_REGISTRY": "https://three.example"}, tmp_path) == "https://three.example"
    assert registry("x", {}, tmp_path / "none") is None


@needs_apt
@pytest.mark.slow
def test_a_real_package_of_this_machines_own_mirror(tmp_path: Path) -> None:
    """Debian's own `hello`-sized package: whatever version the machine's lists name."""
    shown = run(("apt-cache", "show", "--no-all-versions", "media-types")).stdout
    fields = dict(re.findall(r"^(Version|Filename|Size|SHA256|Architecture): (\S+)$", shown, re.MULTILINE))
    if not {"Version", "SHA256", "Filename"} <= set(fields):
        pytest.skip("the machine's apt has no lists (apt-get update fetches them)")
    source = DebianPackage(
        package="media-types",
        version=fields["Version"],
        filename=Path(fields["Filename"]).name,
        sha256=fields["SHA256"],
        size_bytes=int(fields["Size"]),
        members=(Member(path="etc/mime.types", name="mime.types"),),
        architecture=fields["Architecture"],
    )
    try:
        fill(an_asset(source), made_in(tmp_path), kit_for(tmp_path))
    except TransientAssetError as error:
        pytest.skip(f"no network to apt's mirror: {error}")
    assert b"application/json" in (tmp_path / "made" / "mime.types").read_bytes()


@needs_npm
@pytest.mark.slow
def test_a_real_package_of_this_machines_own_npm_registry(tmp_path: Path) -> None:
    """A package of four small files, pinned."""
    source = npm_source(
        "is-number",
        version="7.0.0",
        sha256="7b75c1057198cf97696909a9bee176c9c5e9bcb5b03bf3ecef2f484defadd51e",
        size_bytes=3730,
        members=(Member(path="package/index.js", name="index.js"),),
    )
    try:
        fill(an_asset(source), made_in(tmp_path), kit_for(tmp_path))
    except TransientAssetError as error:
        pytest.skip(f"no network to npm's registry: {error}")
    assert b"isFinite" in (tmp_path / "made" / "index.js").read_bytes()
