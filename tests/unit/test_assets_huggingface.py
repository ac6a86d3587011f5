"""Repositories of the hub, listed by the hub's own library from a labelled stand-in of it, fetched by ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.assets.fetch import fill
from orchestrator.assets.huggingface import git_sha1, list_repository
from orchestrator.domain.asset import Gate, GateKind, Service
from orchestrator.domain.source import HuggingFace
from orchestrator.errors import AssetError, ExitCode, TransientAssetError
from tests.unit.archives_made import everything
from tests.unit.source_kit import an_asset, kit_for, lines_of
from tests.unit.source_servers import HubFiles, files_elsewhere, serving
from tests.unit.source_servers import git_sha1 as sha1_of

NAME = "an-owner/a-model"
COMMIT = "c" * 40
FILES = {
    "config.json": b'{"layers": 2}',
    "model-00001.safetensors": b"\x01" * 5000,
    "sub folder/tokenizer.json": b"{}",
    "original/weights.pth": b"\x02" * 3000,
    "empty": b"",
}
BIG = frozenset({"model-00001.safetensors", "original/weights.pth"})
TOKEN = "hf_a_token_for_tests_0123456789"  # noqa: S105 - of the stand-in


def hub(**fields: object) -> HubFiles:
    return HubFiles(NAME, dict(FILES), big=BIG, **fields)  # type: ignore[arg-type]


def source(**fields: object) -> HuggingFace:
    return HuggingFace(**{"repository": NAME, "revision": COMMIT, **fields})  # type: ignore[arg-type]


def made_in(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    return folder


def test_all_files_of_a_pinned_revision_come_big_ones_from_another_host_without_our_token(tmp_path: Path) -> None:
    with serving(files_elsewhere(FILES)) as far, serving(hub(token=TOKEN, elsewhere=far.address).answer) as server:
        made = made_in(tmp_path)
        known = fill(an_asset(source()), made, kit_for(tmp_path, hub=(server.address, TOKEN)))
        assert far.asked
        assert not any("Authorization" in headers for _, headers in far.asked)
    assert {name: (made / name).read_bytes() for name in FILES} == FILES
    assert {item.name for item in known} == set(FILES)
    assert all("Authorization" in headers for path, headers in server.asked if "/resolve/" in path)
    assert server.paths()[0].startswith(f"/api/models/{NAME}/revision/{COMMIT}")


def test_some_of_the_files(tmp_path: Path) -> None:
    with serving(hub().answer) as server:
        made = made_in(tmp_path)
        wanted = source(paths=("*.json", "original/"), leave_out=("sub folder/*",))
        fill(an_asset(wanted), made, kit_for(tmp_path, hub=(server.address, None)))
        assert lines_of(everything(made)) == ["config.json", "original/weights.pth"]
        with pytest.raises(AssetError, match=r"nothing that matches '\*\.onnx'"):
            fill(an_asset(source(paths=("*.onnx",))), made, kit_for(tmp_path, hub=(server.address, None)))


def test_a_data_set_is_asked_for_as_one(tmp_path: Path) -> None:
    with serving(hub(kind="datasets").answer) as server:
        made = made_in(tmp_path)
        fill(an_asset(source(repository_type="dataset")), made, kit_for(tmp_path, hub=(server.address, None)))
    assert f"/datasets/{NAME}/resolve/{COMMIT}/config.json" in server.paths()


def test_without_a_pinned_revision_the_commit_of_today_is_said_and_learned(tmp_path: Path) -> None:
    said: list[str] = []
    facts: dict[str, str] = {}
    with serving(hub().answer) as server:
        kit = replace(kit_for(tmp_path, said, hub=(server.address, None)), learn=facts.__setitem__)
        fill(an_asset(source(revision=None)), made_in(tmp_path), kit)
    assert facts == {"revision": COMMIT}
    assert any("trust on first use" in line and COMMIT in line for line in said)
    assert all(f"/resolve/{COMMIT}/" in path for path in server.paths() if "/resolve/" in path)


def test_a_branch_is_resolved_to_its_commit(tmp_path: Path) -> None:
    said: list[str] = []
    with serving(hub(revisions=("v1",)).answer) as server:
        fill(an_asset(source(revision="v1")), made_in(tmp_path), kit_for(tmp_path, said, hub=(server.address, None)))
    assert any(f"'v1' of {NAME} is now {COMMIT}" in line for line in said)


@pytest.mark.parametrize(
    ("fields", "token", "fault", "remedy"),
    [
        ({"token": TOKEN}, None, "is gated", "login huggingface"),
        ({"token": TOKEN, "granted": False}, TOKEN, "the token from HF_TOKEN has no access", "ask for access at"),
        ({"token": TOKEN}, "hf_of_somebody_else_0123456789", "token from HF_TOKEN", "login huggingface"),
        ({"status": 401}, None, "not there, or not shown to everybody", "login huggingface"),
        ({"status": 403}, TOKEN, "has no access", "https://apply.example"),
        ({"status": 404}, TOKEN, "not there, or not shown to the token from HF_TOKEN", "https://apply.example"),
        ({"revisions": (), "commit": "d" * 40}, None, f"no revision '{COMMIT}'", "removed"),
        ({"status": 418}, None, "the hub answered 418", "https://apply.example"),
    ],
)
def test_who_is_not_let_in_is_told_why_and_where_to_ask(
    tmp_path: Path, fields: dict[str, object], token: str | None, fault: str, remedy: str
) -> None:
    gate = Gate(kind=GateKind.TOKEN, text="x", apply_at="https://apply.example", service=Service.HUGGINGFACE)
    with serving(hub(**fields).answer) as server, pytest.raises(AssetError) as caught:
        asset = replace(an_asset(source()), gate=gate)
        fill(asset, made_in(tmp_path), kit_for(tmp_path, hub=(server.address, token)))
    assert fault in str(caught.value)
    assert remedy in str(caught.value.hint)
    assert caught.value.exit_code is ExitCode.ASSET
    assert not caught.value.retryable
    assert token is None or token not in f"{caught.value} {caught.value.hint}"
    assert len(server.asked) == 1


def test_a_repository_that_is_not_there_is_named(tmp_path: Path) -> None:
    with serving(hub().answer) as server, pytest.raises(AssetError, match="an-owner/other is not there"):
        fill(an_asset(source(repository="an-owner/other")), tmp_path, kit_for(tmp_path, hub=(server.address, None)))
    with pytest.raises(AssetError, match="no name of a repository"):
        list_repository(an_asset(source()), source(repository="a/b/c d"), kit_for(tmp_path))


def test_a_busy_hub_is_asked_again_and_a_dead_one_named(tmp_path: Path) -> None:
    said: list[str] = []
    with serving(hub(status=503).answer) as server:
        kit = kit_for(tmp_path, said, hub=(server.address, None))
        with pytest.raises(TransientAssetError, match="answered 503"):
            list_repository(an_asset(source()), source(), kit)
        assert len(server.asked) == 2
    with pytest.raises(TransientAssetError, match="did not answer"):
        list_repository(an_asset(source()), source(), kit_for(tmp_path, said, hub=("http://127.0.0.1:9", None)))
    assert any("trying again" in line for line in said)


@pytest.mark.parametrize(
    ("name", "fault"), [("model-00001.safetensors", "sha256"), ("config.json", "git hash"), ("empty", "bytes")]
)
def test_what_is_not_the_commits_is_refused(tmp_path: Path, name: str, fault: str) -> None:
    wrong = bytes(reversed(FILES[name])) if name == "config.json" else b"\x03" * (len(FILES[name]) or 3)
    with serving(hub(spoiled={name: wrong}).answer) as server:
        made = made_in(tmp_path)
        with pytest.raises(AssetError, match=fault):
            fill(an_asset(source()), made, kit_for(tmp_path, hub=(server.address, None)))
    assert everything(made) == {}


def test_a_name_that_would_leave_the_folder_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    files = HubFiles(NAME, {"../../evil": b"evil", "a": b""})
    with serving(files.answer) as server:
        made = made_in(tmp_path)
        with pytest.raises(AssetError, match="would leave"):
            fill(an_asset(source()), made, kit_for(tmp_path, hub=(server.address, None)))
        assert len(server.asked) == 1


def test_a_hub_that_is_set_offline_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with serving(hub().answer) as server, pytest.raises(AssetError, match="HF_HUB_OFFLINE"):
        list_repository(an_asset(source()), source(), kit_for(tmp_path, hub=(server.address, None)))
    assert not server.asked


def test_big_files_that_are_in_the_store_are_not_fetched_again(tmp_path: Path) -> None:
    with serving(hub().answer) as server:
        kit = kit_for(tmp_path, hub=(server.address, None))
        fill(an_asset(source()), made_in(tmp_path), kit)
        before = len([path for path in server.paths() if "/resolve/" in path])
        again = tmp_path / "again"
        again.mkdir()
        fill(an_asset(source()), again, kit)
        fetched = [path for path in server.paths() if "/resolve/" in path][before:]
    assert not any(name in path for name in BIG for path in fetched)


def test_the_git_hash_is_gits(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"hello\n")
    assert git_sha1(path) == sha1_of(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
