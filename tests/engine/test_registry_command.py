"""The commands about published images, on tiny images of a catalogue folder: push, lock, pull, verify, prune."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest

from orchestrator.config.images import image_entries
from orchestrator.host import process
from orchestrator.host.docker_api import connect
from orchestrator.images.held import ENTRY_LABEL
from orchestrator.images.prune import leftovers, remove
from tests.e2e.command import Called, call, environment
from tests.engine.registry_server import Server, registry_server
from tests.engine.tiny_images import BASE, ENTRY, PLATFORM, drop, import_base, load_image, names_with

pytestmark = pytest.mark.engine

PRIVATE = f"{ENTRY}-private"
SCRIPT = Path(__file__).parents[2] / "scripts" / "publish-images"


@dataclass(kw_only=True)
class Desk:
    """A folder with a catalogue of two tiny images, and a registry."""

    folder: Path
    registry: str
    client: docker.DockerClient
    variables: dict[str, str] = field(default_factory=dict)

    def call(self, *arguments: str) -> Called:
        """`mlperf-docker images …` here."""
        return call(self.folder, "images", *arguments, **self.variables)

    def publish(self, *arguments: str) -> process.Completed:
        """`scripts/publish-images …` here."""
        variables = {**environment(), **self.variables}
        return process.run([str(SCRIPT), *arguments], environment=variables, cwd=self.folder)

    @property
    def pins(self) -> list[dict[str, str]]:
        """What images.lock says."""
        found: list[dict[str, str]] = json.loads((self.folder / "images.lock").read_text())["images"]
        return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A registry for all of them."""
    with registry_server(tmp_path_factory.mktemp("registry")) as serving:
        yield serving


@pytest.fixture
def desk(tmp_path: Path, server: Server, docker_url: str) -> Iterator[Desk]:
    """A fresh folder with new images, gone afterwards."""
    template = tmp_path / "catalogue" / "dockerfiles" / "tiny" / "Dockerfile.j2"
    template.parent.mkdir(parents=True)
    template.write_text("# {{ entry }}\nARG BASE\nFROM ${BASE}\nCOPY files/ /\n")
    (tmp_path / "catalogue" / "files").mkdir()
    (tmp_path / "catalogue" / "files" / "content").write_bytes(os.urandom(32))
    common = f"template: tiny/Dockerfile.j2, base: {{registry: '{BASE}'}}, context: {{files: files}}"
    (tmp_path / "catalogue" / "images.yaml").write_text(
        "schema_version: 1\nimages:\n"
        f"  {ENTRY}: {{description: for tests, {common}}}\n"
        f"  {PRIVATE}: {{description: for tests, {common}, pushable: false}}\n"
    )
    client = connect(docker_url)
    import_base(client, os.urandom(16))
    program = str(Path(sys.executable).parent / "mlperf-docker")
    registry = f"{server.host}/{tmp_path.name.strip('_').lower().replace('_', '-')}"
    variables = {
        "MLPERF_DOCKER_CATALOG": str(tmp_path / "catalogue"),
        "MLPERF_DOCKER_PROGRAM": program,
        "DOCKER_CONFIG": str(tmp_path),
        "DOCKER_HOST": docker_url,
    }
    yield Desk(folder=tmp_path, registry=registry, client=client, variables=variables)
    drop(client, names_with(client, ENTRY))
    client.close()


def test_publishing_pushes_and_locks_and_a_clean_engine_pulls_what_is_pinned(desk: Desk) -> None:
    published = desk.publish(desk.registry, ENTRY)
    assert published.ok, published.stderr
    (pin,) = desk.pins
    assert (pin["entry"], pin["platform"], pin["round"]) == (ENTRY, PLATFORM, "any")
    assert pin["reference"].startswith(f"{desk.registry}/{ENTRY}:any-{pin['recipe'][:12]}-")
    assert f"{pin['reference']}  {pin['manifest_digest']}" in published.stdout
    assert desk.client.images.get(pin["reference"]).id == pin["config_digest"]

    drop(desk.client, names_with(desk.client, ENTRY))
    pulled = desk.call("pull", ENTRY, "--registry", desk.registry, "--json")
    assert pulled.code == 0, pulled.stderr
    (image,) = pulled.document["images"]
    assert (image["image_id"], image["manifest_digest"]) == (pin["config_digest"], pin["manifest_digest"])
    built = desk.call("build", ENTRY, "--pull", "only", "--registry", desk.registry, "--json")
    assert built.document["image"]["origin"] == "present"
    verified = desk.call("verify", ENTRY, "--registry", desk.registry, "--json")
    outcomes = {check["name"]: check["outcome"] for check in verified.document["images"][0]["checks"]}
    expected = {"digest": "ok", "labels": "ok", "recipe": "ok", "signature": "not checked", "seeds": "not checked"}
    assert (verified.code, outcomes) == (0, expected)


def test_everything_that_licences_allow_is_published_and_what_could_not_be_is_named(desk: Desk) -> None:
    catalogue = desk.folder / "catalogue" / "images.yaml"
    broken = f"{ENTRY}-broken"
    common = "template: tiny/Dockerfile.j2, context: {files: files}"
    kept = "".join(
        f"  {name}: {{description: kept, {common}, pushable: false}}\n" for name in image_entries() if name != ENTRY
    )
    nowhere = f"{{registry: '{desk.registry}/no-base:1'}}"
    catalogue.write_text(
        f"{catalogue.read_text()}  {broken}: {{description: has no base, {common}, base: {nowhere}}}\n{kept}"
    )
    published = desk.publish(desk.registry)
    assert published.code == 5
    assert f"not published: {broken}: there is no base image" in published.stderr
    assert "1 of 2 images could not be published" in published.stderr
    assert f"left out {PRIVATE}: the licence" in published.stderr
    assert [pin["entry"] for pin in desk.pins] == [ENTRY]


def test_an_image_under_our_name_that_is_not_ours_fails_its_verification(desk: Desk) -> None:
    assert desk.publish(desk.registry, ENTRY).ok
    (pin,) = desk.pins
    drop(desk.client, names_with(desk.client, ENTRY))
    other = "linux/amd64" if PLATFORM.endswith("arm64") else "linux/arm64"
    load_image(desk.client, pin["reference"], platform=other, content=b"x", labels={ENTRY_LABEL: "another"})
    verified = desk.call("verify", ENTRY, "--registry", desk.registry)
    assert verified.code == 5
    for said in ("images.lock says", f"{ENTRY_LABEL} is another", f"not for {PLATFORM}", "made from none"):
        assert said in verified.stdout
    drop(desk.client, [pin["reference"]])
    missing = desk.call("verify", ENTRY)
    assert missing.code == 5
    assert "does not hold it" in missing.stdout


def test_a_lock_of_what_nobody_published_is_refused(desk: Desk) -> None:
    refused = desk.call("lock", ENTRY, "--registry", desk.registry)
    assert refused.code == 5
    assert not (desk.folder / "images.lock").exists()


def test_a_lock_file_that_is_none_is_told_with_its_place(desk: Desk) -> None:
    (desk.folder / "images.lock").write_text('{"schema_version": 1, "images": [{"entry": 5}]}')
    refused = desk.call("pull", ENTRY, "--registry", desk.registry)
    assert refused.code == 2
    assert "images.lock" in refused.stderr


def test_a_reference_of_any_registry_is_pulled_with_the_users_login(desk: Desk) -> None:
    assert desk.call("push", ENTRY, "--registry", desk.registry).code == 0
    (name,) = [name for name in names_with(desk.client, ENTRY) if name.startswith(desk.registry) and "@" not in name]
    drop(desk.client, names_with(desk.client, ENTRY))
    pulled = desk.call("pull", name)
    assert pulled.code == 0, pulled.stderr
    assert desk.client.images.get(name)


def test_old_images_go_and_present_ones_and_those_in_use_stay(desk: Desk) -> None:
    from orchestrator.domain.image import ImageEntry

    entries = {ENTRY: ImageEntry(name=ENTRY, template="x", description="x")}

    def labels(recipe: str) -> dict[str, str]:
        return {ENTRY_LABEL: ENTRY, "mlperf-docker.round": "any", "mlperf-docker.recipe": recipe}

    for tag, recipe in (("old", "0" * 64), ("used", "1" * 64), ("now", "2" * 64)):
        content = tag.encode()
        load_image(desk.client, f"{ENTRY}:{tag}", platform=PLATFORM, content=content, labels=labels(recipe))
    container = desk.client.api.create_container(f"{ENTRY}:used", ["/nothing"])["Id"]
    try:
        found = leftovers(desk.client, entries, lambda _entry, _round: "2" * 64, stages=False)
        assert [one.names for one in found] == [(f"{ENTRY}:old",)]
        assert "another recipe" in found[0].reason
        assert [remove(desk.client, one) for one in found] == [None]
    finally:
        desk.client.api.remove_container(container)
    assert set(names_with(desk.client, f"{ENTRY}:")) == {f"{ENTRY}:used", f"{ENTRY}:now"}
    shown = desk.call("prune", "--dry-run", "--no-stages", "--json")
    assert shown.code == 0
    assert f"{ENTRY}:now" in {one["image"] for one in shown.document["images"]}
    assert desk.client.images.get(f"{ENTRY}:now")


def test_what_the_builder_leaves_of_a_stage_goes_and_untagged_images_of_others_stay(desk: Desk) -> None:
    mark = f"registry-test.of={os.urandom(8).hex()}"
    stage = f'FROM ${{BASE}} AS work\nLABEL mlperf-docker.stage="thrown away" {mark}\nCOPY files/ /\n'
    template = desk.folder / "catalogue" / "dockerfiles" / "tiny" / "Dockerfile.j2"
    template.write_text(f"ARG BASE\n{stage}\nFROM ${{BASE}}\nCOPY --from=work /content /content\n")
    assert desk.call("build", ENTRY, "--pull", "never").code == 0
    left = {str(one["Id"]) for one in desk.client.api.images(filters={"dangling": True, "label": mark})}
    assert left
    foreign = load_image(desk.client, f"{ENTRY}-foreign:1", platform=PLATFORM, content=b"theirs")
    load_image(desk.client, f"{ENTRY}-foreign:1", platform=PLATFORM, content=b"theirs too")
    try:
        shown = {one["image"] for one in desk.call("prune", "--dry-run", "--json").document["images"]}
        assert {image_id[7:19] for image_id in left} <= shown
        assert foreign[7:19] not in shown
        ours = [one for one in leftovers(desk.client, {}, lambda _entry, _round: None) if one.image_id in left]
        assert [remove(desk.client, one) for one in ours] == [None] * len(left)
        assert not desk.client.api.images(filters={"dangling": True, "label": mark})
        assert desk.client.images.get(foreign)
        assert desk.call("build", ENTRY, "--pull", "never", "--json").document["image"]["origin"] == "present"
    finally:
        drop(desk.client, [foreign])
