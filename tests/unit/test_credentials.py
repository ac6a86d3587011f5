"""Logins are found where users keep them, shown to their own services alone, and to nobody else by any path."""

from __future__ import annotations

import stat
import traceback
from pathlib import Path

import pytest

from orchestrator.assets.credentials import (
    NO_CREDENTIALS,
    Credentials,
    config_folder,
    hub_login,
    hub_token_file,
    load_credentials,
    members_login,
    remove_login,
    store_login,
    variables_of,
)
from orchestrator.domain.asset import Service
from orchestrator.errors import ConfigError, UsageError

HUB_TOKEN = "hf_plantedPLANTED0123456789"  # noqa: S105 - planted
CLIENT_ID, CLIENT_SECRET = "1234567890abcdef.access", "plantedSECRET0123456789abcdef"
JWT = "eyJplanted.eyJpayload.c2lnbmF0dXJl"


def _load(home: Path, **environ: str) -> Credentials:
    return load_credentials(environ, home, config_folder(environ, home))


def _both(home: Path, **environ: str) -> Credentials:
    return _load(
        home, HF_TOKEN=HUB_TOKEN, CF_ACCESS_CLIENT_ID=CLIENT_ID, CF_ACCESS_CLIENT_SECRET=CLIENT_SECRET, **environ
    )


def test_without_any_login_nothing_is_sent(tmp_path: Path) -> None:
    found = _load(tmp_path)
    assert found.headers_for("https://huggingface.co/x") == {} == NO_CREDENTIALS.headers_for("https://huggingface.co/x")
    assert found.token(Service.HUGGINGFACE) is None and found.origin(Service.MLCOMMONS) is None
    assert found.secrets() == ()


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
def test_the_hubs_variables_hold_its_token(tmp_path: Path, name: str) -> None:
    found = _load(tmp_path, **{name: f" {HUB_TOKEN}\n"})
    assert found.headers_for("https://huggingface.co/api") == {"Authorization": f"Bearer {HUB_TOKEN}"}
    assert found.origin(Service.HUGGINGFACE) == name


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({}, ".cache/huggingface/token"),
        ({"XDG_CACHE_HOME": "{home}/elsewhere"}, "elsewhere/huggingface/token"),
        ({"HF_HOME": "{home}/hub"}, "hub/token"),
        ({"HF_HOME": "~/hub"}, "hub/token"),
        ({"HF_HOME": "{home}/hub", "HF_TOKEN_PATH": "{home}/mine"}, "mine"),
    ],
)
def test_the_hub_librarys_own_token_file_is_read(tmp_path: Path, variables: dict[str, str], place: str) -> None:
    environ = {name: value.format(home=tmp_path) for name, value in variables.items()}
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HUB_TOKEN}\n")
    found = _load(tmp_path, **environ)
    assert found.token(Service.HUGGINGFACE) == HUB_TOKEN and found.origin(Service.HUGGINGFACE) == str(path)
    assert hub_token_file(environ, tmp_path) == path


def test_a_variable_wins_over_the_token_file(tmp_path: Path) -> None:
    store_login(
        Service.HUGGINGFACE, hub_login("hf_stored0123456789", "a test"), environ={}, home=tmp_path, config_dir=tmp_path
    )
    assert _load(tmp_path).token(Service.HUGGINGFACE) == "hf_stored0123456789"
    assert _load(tmp_path, HF_TOKEN=HUB_TOKEN).token(Service.HUGGINGFACE) == HUB_TOKEN
    assert variables_of(Service.HUGGINGFACE, {"HF_TOKEN": HUB_TOKEN}) == ("HF_TOKEN",)


def test_members_service_token_comes_from_the_variables_of_the_official_downloader(tmp_path: Path) -> None:
    found = _load(tmp_path, CF_ACCESS_CLIENT_ID=CLIENT_ID, CF_ACCESS_CLIENT_SECRET=CLIENT_SECRET)
    assert found.headers_for("https://waymo.mlcommons-storage.org/metadata/x.uri") == {
        "CF-Access-Client-Id": CLIENT_ID,
        "CF-Access-Client-Secret": CLIENT_SECRET,
    }
    assert set(found.secrets()) == {CLIENT_ID.encode(), CLIENT_SECRET.encode()}


def test_half_a_service_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="CF_ACCESS_CLIENT_SECRET is not"):
        _load(tmp_path, CF_ACCESS_CLIENT_ID=CLIENT_ID)


@pytest.mark.parametrize("text", [f"{CLIENT_ID}\n{CLIENT_SECRET}\n", JWT])
def test_a_stored_members_login_comes_back_and_is_private(tmp_path: Path, text: str) -> None:
    folder = config_folder({}, tmp_path)
    login = members_login(text, "a test")
    path = store_login(Service.MLCOMMONS, login, environ={}, home=tmp_path, config_dir=folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path == tmp_path / ".config/mlperf-docker/credentials.yaml"
    found = _load(tmp_path)
    assert found.headers_for("https://inference.mlcommons-storage.org/a") == login.headers
    assert found.origin(Service.MLCOMMONS) == str(path)
    assert remove_login(Service.MLCOMMONS, environ={}, home=tmp_path, config_dir=folder) == path
    assert remove_login(Service.MLCOMMONS, environ={}, home=tmp_path, config_dir=folder) is None
    assert _load(tmp_path).logins == {}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_credentials_file_that_others_may_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    folder = config_folder({}, tmp_path)
    path = store_login(
        Service.MLCOMMONS,
        members_login(f"{CLIENT_ID} {CLIENT_SECRET}", "t"),
        environ={},
        home=tmp_path,
        config_dir=folder,
    )
    path.chmod(mode)
    with pytest.raises(ConfigError, match="others may read it") as refused:
        _load(tmp_path)
    assert f"chmod 600 {path}" in str(refused.value.hint)
    assert CLIENT_SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "mlcommons: {client_id: a}",
        "mlcommons: text",
        "[a]",
        "other: {a: b}",
        "mlcommons: {client_id: 1, client_secret: 2}",
    ],
)
def test_a_malformed_credentials_file_is_a_fault_that_shows_nothing_of_it(tmp_path: Path, text: str) -> None:
    folder = config_folder({}, tmp_path)
    folder.mkdir(parents=True)
    path = folder / "credentials.yaml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="not as `mlperf-docker login mlcommons` writes it"):
        _load(tmp_path)


@pytest.mark.parametrize("bad", ["hf_x\nX-Injected: 1", "hf with space", "hf_\x00zero", "hf_ü", "  "])
def test_what_cannot_be_a_token_is_refused_and_not_shown(tmp_path: Path, bad: str) -> None:
    with pytest.raises(UsageError) as refused:
        hub_login(bad, "standard input")
    assert bad.strip() not in str(refused.value) or not bad.strip()
    if bad.strip():
        with pytest.raises(UsageError, match="HF_TOKEN"):
            _load(tmp_path, HF_TOKEN=bad)


@pytest.mark.parametrize(
    "url",
    [
        "https://evilhuggingface.co/x",
        "https://huggingface.co.evil.example/x",
        "https://huggingface.com/x",
        "http://huggingface.co/x",
        "https://huggingface.co:8443/x",
        "https://huggingface.co@evil.example/x",
        "https://evil.example\\@huggingface.co/x",
        "https://hugging\nface.co/x",
        "https://evil.example/https://huggingface.co/x",
        "https://evil.example/?u=huggingface.co",
        "https://evil.example#@huggingface.co/",
        "https://xmlcommons-storage.org/x",
        "https://mlcommons-storage.org.evil.example/x",
        "https://mlcommons.cloudflareaccess.com/x",
        "http://inference.mlcommons-storage.org/x",
        "http://127.0.0.1:8000/x",
        "https://cdn-lfs.hf.co/x?Signature=a",
        "ftp://huggingface.co/x",
        "https://[::1/x",
        "huggingface.co/x",
        "",
    ],
)
def test_no_login_is_shown_to_any_other_host(tmp_path: Path, url: str) -> None:
    assert _both(tmp_path).headers_for(url) == {}


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://huggingface.co/api", "Authorization"),
        ("https://HuggingFace.co:443/api", "Authorization"),
        ("https://huggingface.co./api", "Authorization"),
        ("https://mlcommons-storage.org/x", "CF-Access-Client-Id"),
        ("https://a.b.mlcommons-storage.org/x", "CF-Access-Client-Secret"),
    ],
)
def test_a_services_own_hosts_are_shown_its_login_and_no_other(tmp_path: Path, url: str, header: str) -> None:
    headers = _both(tmp_path).headers_for(url)
    assert header in headers
    assert not {"Authorization", "CF-Access-Client-Id"} <= set(headers)


def test_an_endpoint_that_was_set_takes_the_services_place(tmp_path: Path) -> None:
    found = _both(
        tmp_path, HF_ENDPOINT="http://127.0.0.1:8123/hub/", MLPERF_DOCKER_MLCOMMONS_ENDPOINT="https://mirror.example"
    )
    assert "Authorization" in found.headers_for("http://127.0.0.1:8123/x")
    assert found.endpoint(Service.HUGGINGFACE) == "http://127.0.0.1:8123/hub"
    assert found.headers_for("http://127.0.0.1:8124/x") == {}
    assert found.headers_for("http://localhost:8123/x") == {}
    assert "CF-Access-Client-Id" in found.headers_for("https://mirror.example/x")
    assert found.headers_for("http://mirror.example/x") == {}
    plain = _both(tmp_path, HF_ENDPOINT="http://mirror.example")
    assert plain.headers_for("http://mirror.example/x") == {}, "a token never goes over a network in the clear"


def test_nothing_about_a_login_can_be_printed(tmp_path: Path) -> None:
    found = _both(tmp_path)
    assert found.secrets(), "the test would otherwise find nothing"
    shown = [repr(found), str(found), f"{found}", repr(found.logins[Service.HUGGINGFACE]), str(found.logins)]
    error = RuntimeError(f"something about {found} and {found.logins}")
    shown.append("".join(traceback.format_exception(error)))
    for text in shown:
        assert HUB_TOKEN not in text and CLIENT_SECRET not in text and CLIENT_ID not in text
