"""Access to gated assets is tested before anything is fetched: what is shut, what is open, what nobody can tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.assets.credentials import load_credentials
from orchestrator.assets.transfer import Line
from orchestrator.config.settings_layers import load_settings
from orchestrator.controller.access import (
    Standing,
    access_findings,
    asked_address,
    doctors_findings,
    gated,
    is_gated,
    try_access,
)
from orchestrator.controller.login import access_to_gated, gated_assets
from orchestrator.domain.asset import Asset, AssetKind, Gate, GateKind, PlannedAsset, Service
from orchestrator.domain.finding import Level
from orchestrator.domain.redact import forget
from orchestrator.domain.source import Bucket, Download, HuggingFace, LocalPath, Scripted, Source, UserSupplied
from orchestrator.errors import UsageError
from tests.unit import gate_server
from tests.unit.cli_calls import Call
from tests.unit.gate_server import CLIENT_ID, CLIENT_SECRET, HUB_TOKEN

OPEN, SHUT = "meta-llama/Open-8B", "meta-llama/Shut-70B"
CATALOGUE = """\
name: {name}
kind: model
source: {{kind: huggingface, repository: {repository}, revision: abc}}
licence: Some Licence
gate:
  kind: token
  text: accept the licence on its page
  apply_at: https://huggingface.co/{repository}
  service: huggingface
"""


@pytest.fixture(autouse=True)
def _no_secrets_known() -> Iterator[None]:
    yield
    forget()


@pytest.fixture
def server() -> Iterator[gate_server.Gate]:
    with gate_server.gate(login_page="http://mlcommons.cloudflareaccess.com.example.invalid/") as found:
        found.open_repositories.add(OPEN)
        yield found


def a_line(home: Path, **environ: str) -> Line:
    """A line with these variables, patient for a second."""
    return Line(environment={}, credentials=load_credentials(environ, home, home), connect_s=1.0, silence_s=1.0)


def hub_line(home: Path, server: gate_server.Gate, token: str | None = HUB_TOKEN) -> Line:
    return a_line(home, HF_ENDPOINT=server.url, **({"HF_TOKEN": token} if token else {}))


def an_asset(source: Source, service: Service | None = Service.HUGGINGFACE, name: str = "an-asset") -> Asset:
    gate = Gate(kind=GateKind.TOKEN, text="accept it", apply_at=f"https://huggingface.co/{SHUT}", service=service)
    return Asset(name=name, kind=AssetKind.MODEL, source=source, licence="some", gate=gate)


def test_a_repository_that_the_token_opens_is_fine(tmp_path: Path, server: gate_server.Gate) -> None:
    (found,) = access_findings([an_asset(HuggingFace(repository=OPEN))], hub_line(tmp_path, server))
    assert found.level is Level.OK
    assert set(server.paths()) == {f"/api/models/{OPEN}/auth-check"}
    assert all(headers["Authorization"] == f"Bearer {HUB_TOKEN}" for _, _, headers in server.asked)


@pytest.mark.parametrize(("token", "said"), [(HUB_TOKEN, "the login from HF_TOKEN"), (None, "no login")])
def test_a_refusal_names_gate_where_to_apply_and_the_command(
    tmp_path: Path, server: gate_server.Gate, token: str | None, said: str
) -> None:
    asset = an_asset(HuggingFace(repository=SHUT, repository_type="dataset"))
    (found,) = access_findings([asset], hub_line(tmp_path, server, token))
    assert found.level is Level.FAULT and found.name == "access an-asset"
    assert "accept it" in found.text and said in found.text and "403" in found.text
    assert f"https://huggingface.co/{SHUT}" in str(found.remedy)
    assert "mlperf-docker login huggingface" in str(found.remedy) and "--asset an-asset=PATH" in str(found.remedy)
    assert server.paths()[0] == f"/api/datasets/{SHUT}/auth-check"
    assert HUB_TOKEN not in found.text + str(found.remedy)


def test_no_network_is_a_finding_of_its_own_and_never_the_lack_of_access(tmp_path: Path) -> None:
    line = a_line(tmp_path, HF_ENDPOINT="http://127.0.0.1:1", HF_TOKEN=HUB_TOKEN)
    assets = [an_asset(HuggingFace(repository=name), name=name.replace("/", "-")) for name in (OPEN, SHUT)]
    (found,) = access_findings(assets, line)
    assert found.level is Level.WARNING and found.name == "access-network"
    assert "meta-llama-Open-8B, meta-llama-Shut-70B" in found.text
    assert "doctor --network" in str(found.remedy)


def test_a_service_that_is_broken_is_not_the_lack_of_access_either(tmp_path: Path, server: gate_server.Gate) -> None:
    asset = an_asset(Download(urls=(f"{server.url}/broken/x",)), Service.MLCOMMONS)
    (found,) = access_findings([asset], a_line(tmp_path))
    assert found.name == "access-network" and "500" in found.text


def test_members_buckets_are_tested_with_the_service_token(tmp_path: Path) -> None:
    with gate_server.gate() as server:
        server.files["/members/metadata/x.uri"] = b"https://example.org/x\n"
        asset = an_asset(Bucket(uri=f"{server.url}/members/metadata/x.uri"), Service.MLCOMMONS)
        endpoint = {"MLPERF_DOCKER_MLCOMMONS_ENDPOINT": server.url}
        login = {"CF_ACCESS_CLIENT_ID": CLIENT_ID, "CF_ACCESS_CLIENT_SECRET": CLIENT_SECRET}
        (found,) = try_access([asset], a_line(tmp_path, **endpoint, **login))
        assert (found.standing, found.login) == (Standing.WORKS, "CF_ACCESS_CLIENT_ID")
        (refused,) = try_access([asset], a_line(tmp_path, **endpoint))
        assert (refused.standing, refused.login) == (Standing.REFUSED, None)
        (elsewhere,) = try_access([asset], a_line(tmp_path, **login))
        assert elsewhere.standing is Standing.REFUSED, "a login is not shown to a host that is not the service's"


def test_being_sent_to_a_login_page_is_a_refusal(tmp_path: Path) -> None:
    with gate_server.gate(login_page="http://mlcommons.cloudflareaccess.com/cdn-cgi/access/login/x?meta=1") as server:
        asset = an_asset(Bucket(uri=f"{server.url}/members/metadata/x.uri"), Service.MLCOMMONS)
        (found,) = try_access([asset], a_line(tmp_path))
    assert found.standing is Standing.REFUSED
    assert found.text == "it asks for a login"


def test_what_cannot_be_tested_from_here_is_a_note(tmp_path: Path, server: gate_server.Gate) -> None:
    asset = an_asset(Download(urls=("https://example.org/x",)), None)
    (found,) = access_findings([asset], hub_line(tmp_path, server))
    assert found.level is Level.NOTE and "cannot be tested" in found.text
    assert server.asked == []


def test_a_repository_that_does_not_exist_is_not_a_refusal(tmp_path: Path, server: gate_server.Gate) -> None:
    asset = an_asset(Download(urls=(f"{server.url}/nothing",)), Service.MLCOMMONS)
    (found,) = try_access([asset], a_line(tmp_path))
    assert found.standing is Standing.UNKNOWN and "404" in found.text


def test_a_script_that_downloads_by_itself_is_tested_by_the_page_of_its_gate(
    tmp_path: Path, server: gate_server.Gate
) -> None:
    line = hub_line(tmp_path, server)
    asset = an_asset(Scripted(image="i", commands=(("x",),), network=True))
    assert asked_address(asset, line) == f"{server.url}/api/models/{SHUT}/auth-check"


def test_one_question_is_asked_once_and_many_at_a_time(tmp_path: Path, server: gate_server.Gate) -> None:
    assets = [an_asset(HuggingFace(repository=OPEN), name=f"asset-{number}") for number in range(20)]
    found = try_access(assets, hub_line(tmp_path, server))
    assert [one.standing for one in found] == [Standing.WORKS] * 20
    assert len(server.asked) <= 2


def test_only_what_a_plan_would_fetch_is_tested(tmp_path: Path) -> None:
    def planned(asset: Asset, *, present: bool) -> PlannedAsset:
        return PlannedAsset(asset=asset, key=asset.name, path=tmp_path, present=present, fetch_bytes=0)

    wanted = an_asset(HuggingFace(repository=SHUT), name="wanted")
    free = Asset(name="free", kind=AssetKind.MODEL, source=HuggingFace(repository=OPEN), licence="-")
    own = an_asset(LocalPath(path=tmp_path), name="own")
    there = an_asset(HuggingFace(repository=SHUT), name="there")
    brought = an_asset(UserSupplied(how="ask"), name="brought")
    rows = [planned(wanted, present=False), planned(free, present=False), planned(own, present=True)]
    assert gated([*rows, planned(there, present=True), planned(wanted, present=False)]) == (wanted,)
    assert not is_gated(own)
    assert access_findings([brought], a_line(tmp_path)) == (), "what the user brings is said elsewhere"


def test_to_the_doctor_a_shut_gate_is_no_fault(tmp_path: Path, server: gate_server.Gate) -> None:
    (found,) = doctors_findings([an_asset(HuggingFace(repository=SHUT))], hub_line(tmp_path, server))
    assert found.level is Level.NOTE and found.remedy


def test_the_doctor_says_which_logins_there_are_and_what_is_wrong_with_them(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings({}, environ={}, cwd=tmp_path, home=tmp_path, system_file=tmp_path / "none")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HF_HOME", "HF_TOKEN_PATH", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", HUB_TOKEN)
    hub, members = access_to_gated(settings, ask=False)
    assert (hub.level, members.level) == (Level.OK, Level.NOTE)
    assert "HF_TOKEN" in hub.text and "login mlcommons" in str(members.remedy)
    monkeypatch.setenv("CF_ACCESS_CLIENT_ID", CLIENT_ID)
    (found,) = access_to_gated(settings, ask=False)
    assert found.level is Level.FAULT and "CF_ACCESS_CLIENT_SECRET is not" in found.text


def test_every_gated_asset_of_the_catalogue_can_be_asked_for_or_says_so(tmp_path: Path) -> None:
    assets = gated_assets()
    assert len(assets) > 10
    for asset in assets:
        assert asset.gate is not None
        address = asked_address(asset, a_line(tmp_path))
        assert (address is not None) == (
            asset.gate.service is Service.HUGGINGFACE
            or (asset.gate.service is not None and isinstance(asset.source, Bucket | Download))
        ), asset.name
    with pytest.raises(UsageError, match="is not gated"):
        gated_assets(["bert-vocab"])


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Two gated assets of a user's own catalogue."""
    folder = tmp_path / "catalog"
    (folder / "assets").mkdir(parents=True)
    for name, repository in (("open-8b", OPEN), ("shut-70b", SHUT)):
        (folder / "assets" / f"{name}.yaml").write_text(CATALOGUE.format(name=name, repository=repository))
    return folder


def test_login_status_tells_licence_login_access_and_where_to_apply(
    call: Call, catalog: Path, server: gate_server.Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", HUB_TOKEN)
    called = call("login", "status", "open-8b", "shut-70b", "--catalog", str(catalog), "--json")
    assert called.code == 4, "one that was named is shut"
    rows = {row["asset"]: row for row in called.document["assets"]}
    assert (rows["open-8b"]["access"], rows["shut-70b"]["access"]) == ("works", "refused")
    assert rows["shut-70b"]["licence"] == "Some Licence" and rows["shut-70b"]["login"] == "HF_TOKEN"
    assert rows["shut-70b"]["gate"]["apply_at"].endswith(SHUT)
    assert HUB_TOKEN not in json.dumps(called.document)
    text = call("login", "status", "open-8b", "--catalog", str(catalog))
    assert text.code == 0 and "works" in text.stdout


def test_login_status_of_what_is_not_gated_or_not_there_is_refused(call: Call) -> None:
    assert "is not gated" in call("login", "status", "bert-vocab").stderr
    assert "did you mean" in call("login", "status", "bert-vocap").stderr
