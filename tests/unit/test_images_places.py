"""Where images stand, what may leave this machine, and what pins them: pure rules and one small file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.images import image_entries
from orchestrator.domain.image import BaseImage, ImageChoice, ImageEntry, ImageRef, PlannedImage
from orchestrator.errors import ConfigError, ImageError
from orchestrator.images.bases import base_names, base_reference
from orchestrator.images.credentials import Login, engine_header, login_for
from orchestrator.images.lock import ImagesLock, Pin, read_lock, write_lock
from orchestrator.images.places import Places
from orchestrator.images.prebuilt import published
from orchestrator.images.push import unpublishable

RECIPE = "a1" * 32
AMD64 = "linux/amd64"
ENTRY = ImageEntry(name="x", template="x", description="x", base=BaseImage(registry="python:3.11"))
PIN = Pin(
    entry="x",
    round="v6.1",
    platform=AMD64,
    reference="old.example/p/x:v6.1-a1a1a1a1a1a1-amd64",
    manifest_digest=f"sha256:{'3' * 64}",
    config_digest=f"sha256:{'4' * 64}",
    recipe=RECIPE,
)


def wanted(choice: ImageChoice | None = None, *, recipe: str = RECIPE) -> PlannedImage:
    return PlannedImage(entry="x", round="v6.1", platform=AMD64, recipe=recipe, choice=choice or ImageChoice())


def test_the_published_name_tells_entry_round_recipe_and_architecture() -> None:
    places = Places(registry="registry.example:5000/mlperf/")
    assert str(places.published(ENTRY, "v6.1", AMD64, RECIPE)) == (
        "registry.example:5000/mlperf/x:v6.1-a1a1a1a1a1a1-amd64"
    )
    assert str(places.published(ENTRY, None, "linux/arm64", RECIPE)).endswith("/x:any-a1a1a1a1a1a1-arm64")


def test_a_tag_of_digits_is_no_port() -> None:
    assert ImageRef.parse("python:3") == ImageRef("python", "3")
    assert ImageRef.parse("registry.example:5000/python:3") == ImageRef("registry.example:5000/python", "3")


def test_an_entrys_own_reference_counts_when_no_registry_is_configured() -> None:
    entry = replace(ENTRY, prebuilt="hub.example/x:{round}-{recipe}-{architecture}")
    assert str(Places().published(entry, "v6.1", AMD64, RECIPE)) == "hub.example/x:v6.1-a1a1a1a1a1a1-amd64"
    assert Places().published(ENTRY, "v6.1", AMD64, RECIPE) is None


@pytest.mark.parametrize(
    ("reference", "mirrored"),
    [
        ("python:3.11", "mirror.example/hub/library/python:3.11"),
        ("intel/openvino:1", "mirror.example/hub/intel/openvino:1"),
        ("docker.io/intel/openvino:1", "mirror.example/hub/intel/openvino:1"),
        ("nvcr.io/nvidia/cuda:12", "inner.example:5000/nvidia/cuda:12"),
        (f"nvcr.io/nvidia/cuda@sha256:{'0' * 64}", f"inner.example:5000/nvidia/cuda@sha256:{'0' * 64}"),
        ("other.example/a:1", "other.example/a:1"),
    ],
)
def test_a_mirror_stands_for_its_registry_and_nothing_else(reference: str, mirrored: str) -> None:
    places = Places(mirrors=(("docker.io", "mirror.example/hub"), ("nvcr.io", "inner.example:5000")))
    assert str(places.mirrored(ImageRef.parse(reference))) == mirrored


def test_the_base_of_the_user_wins_then_the_entrys_for_round_and_architecture() -> None:
    bases = (
        BaseImage(registry="vendor.example/a:5", rounds=("v5.0",), architectures=("amd64",), local="own/a:5"),
        BaseImage(registry="vendor.example/a:6", rounds=("v6.1",), digest=f"sha256:{'5' * 64}"),
    )
    entry = replace(ENTRY, base=None, bases=bases)
    assert base_reference(entry, "v5.0", AMD64) == "vendor.example/a:5"
    assert base_reference(entry, "v6.1", "linux/arm64") == f"vendor.example/a:6@sha256:{'5' * 64}"
    own = ImageChoice(base=ImageRef.parse("mine:1"))
    assert base_reference(entry, "v5.0", "linux/arm64", own) == "mine:1"
    with pytest.raises(ImageError, match=r"no base for round v5\.0 on linux/arm64") as caught:
        base_reference(entry, "v5.0", "linux/arm64")
    assert caught.value.hint is not None
    assert "vendor.example/a:5 (v5.0; amd64); vendor.example/a:6 (v6.1; any architecture)" in caught.value.hint
    names = base_names(entry, "v5.0", AMD64, ImageChoice(), Places(mirrors=(("vendor.example", "m.example"),)))
    assert names.candidates == ("vendor.example/a:5", "m.example/a:5", "own/a:5")


def test_licences_rehearsals_and_the_users_archives_keep_an_image_from_leaving() -> None:
    assert unpublishable(ENTRY) is None
    assert "pushable: false" in (unpublishable(replace(ENTRY, pushable=False)) or "")
    assert "qaic-sdk" in (unpublishable(replace(ENTRY, sdks={"qaic-sdk": "from its maker"})) or "")
    assert "stands in" in (unpublishable(replace(ENTRY, rehearsal=True)) or "")


def test_no_shipped_image_over_a_vendors_may_be_published() -> None:
    over_a_vendors = [
        entry
        for entry in image_entries().values()
        if any("/" in base.registry for base in entry.bases or ((entry.base,) if entry.base else ()))
    ]
    assert len(over_a_vendors) > 10
    assert [entry.name for entry in over_a_vendors if unpublishable(entry) is None] == []


# -- what pins an image


def test_a_lock_comes_back_as_it_was_written_and_is_merged_by_entry_round_and_platform(tmp_path: Path) -> None:
    path = tmp_path / "images.lock"
    assert read_lock(path) == ImagesLock()
    newer, other = replace(PIN, manifest_digest=f"sha256:{'6' * 64}"), replace(PIN, round="v5.1")
    write_lock(path, ImagesLock().with_pins([PIN, other]).with_pins([newer]))
    assert read_lock(path).images == (other, newer)
    assert read_lock(path).find("x", "v6.1", AMD64) == newer
    assert read_lock(path).find("x", None, AMD64) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "images.lock"),
        ('{"schema_version": 2, "images": []}', "schema_version"),
        ('{"schema_version": 1, "imagse": []}', "imagse"),
    ],
)
def test_a_lock_that_cannot_be_read_is_told_with_its_name(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "images.lock").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_lock(tmp_path / "images.lock")
    assert said in str(caught.value)
    assert "images.lock" in str(caught.value)


def test_a_pin_holds_for_its_own_recipe_and_follows_the_configured_registry(tmp_path: Path) -> None:
    path = tmp_path / "images.lock"
    write_lock(path, ImagesLock().with_pins([PIN]))
    alone, moved = Places(lock_file=path), Places(lock_file=path, registry="new.example/p")
    here = published(ENTRY, wanted(), "v6.1", alone)
    assert here is not None
    assert (str(here.reference), here.pin) == (PIN.reference, PIN)
    there = published(ENTRY, wanted(), "v6.1", moved)
    assert there is not None
    assert (there.reference.name, there.pin) == ("new.example/p/x", PIN)
    changed = published(ENTRY, wanted(recipe="b2" * 32), "v6.1", moved)
    assert changed is not None
    assert (changed.pin, changed.outdated) == (None, True)
    assert changed.reference.name == "new.example/p/x"


def test_nobody_can_have_published_what_is_made_from_files_of_the_user() -> None:
    places = Places(registry="registry.example/p")
    for choice in (
        ImageChoice(base=ImageRef.parse("mine:1")),
        ImageChoice(sources=(("inference", Path("/x")),)),
        ImageChoice(sdks=(("sdk", Path("/x")),)),
    ):
        assert published(ENTRY, wanted(choice), "v6.1", places) is None


# -- logins


def configure(folder: Path, content: object, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "config.json").write_text(json.dumps(content))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))


def test_a_login_is_the_users_and_never_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    auths = {"registry.example:5000": {"auth": "YWxpY2U6czNjcmV0"}, "token.example": {"identitytoken": "t0ken"}}
    configure(tmp_path, {"auths": auths}, monkeypatch)
    assert login_for("registry.example:5000") == Login(username="alice", password="s3cret")  # noqa: S106
    assert login_for("token.example") == Login(token="t0ken")  # noqa: S106
    assert login_for("other.example") is None
    assert engine_header("other.example") == {}
    assert engine_header("registry.example:5000")
    assert "s3cret" not in repr(login_for("registry.example:5000"))


def test_a_configuration_that_is_broken_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path, {"auths": {"registry.example": "alice"}}, monkeypatch)
    with pytest.raises(ImageError, match=str(tmp_path)):
        login_for("registry.example")
    configure(tmp_path, {"credsStore": "that-nobody-installed"}, monkeypatch)
    with pytest.raises(ImageError, match="that-nobody-installed"):
        login_for("registry.example")
