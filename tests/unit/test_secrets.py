"""Planted secrets are in nothing that a command says or leaves: output, cache, records, bug files, error messages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.assets.transfer import Line, probe
from orchestrator.controller.line import credentials, learn_secrets
from orchestrator.controller.recorder import RunLog
from orchestrator.controller.run import run
from orchestrator.controller.rundir import RunDir
from orchestrator.controller.watch import Silent
from orchestrator.domain.container import Exit
from orchestrator.domain.redact import forget
from orchestrator.errors import AssetError, HarnessError
from tests.called import Called
from tests.unit import gate_server
from tests.unit.cli_calls import Call
from tests.unit.fake_tools import FakeEngine, tools
from tests.unit.gate_server import CLIENT_SECRET, HUB_TOKEN, SIGNATURE
from tests.unit.plans import a_plan
from tests.unit.planted import FILE_TOKEN, OTHER, PLANTED, in_bytes, in_tree, plant

CONTENT = b"an asset's bytes\n" * 1000
ASSET = """\
name: {name}
kind: dataset
source: {source}
licence: none
gate: {{kind: login, text: ask, apply_at: "https://example.org", service: {service}}}
"""


@pytest.fixture
def server() -> Iterator[gate_server.Gate]:
    with gate_server.gate() as found:
        found.files |= {"/files/data.bin": CONTENT, "/members/data.bin": CONTENT}
        yield found


@pytest.fixture(autouse=True)
def _planted(call: Call, server: gate_server.Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Secrets everywhere; the server is the proxy, the hub and the bucket, too."""
    for name in ("XDG_CACHE_HOME", "HF_HOME", "HF_TOKEN_PATH", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in plant(tmp_path / "home", proxy=server.url.removeprefix("http://")).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/hub")
    monkeypatch.setenv("MLPERF_DOCKER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:planted0PASSWORD@127.0.0.1:1/simple")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    yield
    forget()


@pytest.fixture
def catalog(tmp_path: Path, server: gate_server.Gate) -> Path:
    """Assets behind gates, signed redirects and servers that repeat what they hear."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    folder = tmp_path / "catalog"
    (folder / "assets").mkdir(parents=True)
    download = f"{{{{kind: download, urls: ['{server.url}/{{path}}'], sha256: {sha256}}}}}"
    entries = {
        "signed": ("huggingface", download.format(path="signed/data.bin")),
        "members": ("mlcommons", download.format(path="members/data.bin")),
        "broken": ("mlcommons", download.format(path="broken/data.bin")),
        "missing": ("huggingface", download.format(path="nothing/data.bin")),
        "wrong": ("huggingface", download.format(path="signed/data.bin").replace(sha256, "f" * 64)),
        "shut": ("huggingface", "{kind: huggingface, repository: a/shut, revision: abc}"),
    }
    for name, (service, source) in entries.items():
        text = ASSET.format(name=name, source=source.replace("{{", "{").replace("}}", "}"), service=service)
        (folder / "assets" / f"{name}.yaml").write_text(text)
    return folder


def clean(called: Called) -> Called:
    """The call, when nothing that it said holds a secret."""
    assert called.stdout + called.stderr
    assert in_bytes("stdout", called.stdout.encode()) == []
    assert in_bytes("stderr", called.stderr.encode()) == []
    return called


def test_the_search_finds_what_was_planted(tmp_path: Path) -> None:
    assert {one.secret for one in in_tree(tmp_path / "home")} >= {FILE_TOKEN, CLIENT_SECRET}
    assert len(in_bytes("all", " ".join(PLANTED).encode())) == len(PLANTED)


def test_a_fetch_through_a_proxy_with_a_login_and_a_signed_redirect_leaves_no_secret(
    call: Call, server: gate_server.Gate, catalog: Path, tmp_path: Path
) -> None:
    called = clean(call("datasets", "get", "signed", "--catalog", str(catalog)))
    assert called.code == 0, called.stderr
    heard = str(server.asked)
    assert SIGNATURE in heard and "proxy-authorization" in heard.lower(), "the test would otherwise find nothing"
    assert in_tree(tmp_path / "cache") == []
    assert in_tree(tmp_path / "cache" / "assets") == []


@pytest.mark.parametrize("name", ["members", "missing", "wrong", "shut"])
def test_a_fetch_that_fails_says_why_without_secrets(
    call: Call, server: gate_server.Gate, catalog: Path, tmp_path: Path, name: str
) -> None:
    called = clean(call("datasets", "get", name, "--catalog", str(catalog), "--json"))
    assert called.code != 0, called.stdout
    assert server.asked, called.stderr
    (tmp_path / "cache").mkdir(exist_ok=True)
    (tmp_path / "cache" / "searched").touch()
    assert in_tree(tmp_path / "cache") == []
    clean(call("login", "status", name, "--catalog", str(catalog), "--json"))
    clean(call("login", "status", name, "--catalog", str(catalog)))


@pytest.mark.parametrize(
    "arguments",
    [
        ("config", "show"),
        ("config", "show", "--json"),
        ("config", "show", "--origin"),
        ("doctor", "--network", "--json"),
        ("login",),
        ("run", "--model", "resnet8-cifar10", "--dry-run"),
        ("run", "--model", "resnet8-cifar10", "--dry-run", "--json"),
        ("run", "--model", "resnet8-cifar10", "-v"),
        ("login", "status"),
        ("run", "--model", "llama2-70b-99", "--dry-run", "--check-access"),
        ("cache", "show", "--json"),
        ("images", "render", "generic-tflite"),
        ("run", "--model", "resnet8-cifar10", "--proxy", "planted-user:planted0PASSWORD@127.0.0.1:1"),
        ("sources", "checkout", "inference", "clone"),
    ],
    ids=" ".join,
)
def test_no_command_shows_a_secret(call: Call, arguments: tuple[str, ...]) -> None:
    clean(call(*arguments))


def test_settings_files_with_a_login_are_shown_without_it(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mlperf-docker.yaml").write_text("http_proxy: http://me:planted0PASSWORD@proxy.example:3128\n")
    called = clean(call("config", "show", "--json"))
    assert called.document["settings"]["http_proxy"]["value"] == "http://***@proxy.example:3128"


@pytest.mark.parametrize(
    "address",
    [
        "https://me:planted0PASSWORD@example.org/file",
        f"https://example.org/file?X-Amz-Signature={SIGNATURE}",
        f"https://example.org/file?se=2030&sig={SIGNATURE}",
    ],
)
def test_a_catalogue_with_a_secret_in_an_address_is_refused(call: Call, catalog: Path, address: str) -> None:
    source = f"{{kind: download, urls: ['{address}']}}"
    (catalog / "assets" / "own.yaml").write_text(ASSET.format(name="own", source=source, service="huggingface"))
    called = clean(call("datasets", "get", "own", "--catalog", str(catalog)))
    assert called.code == 2
    assert "assets/own.yaml" in called.stderr and "--asset own=PATH" in called.stderr


def test_a_bug_file_holds_no_secret(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_named: object) -> None:
        raise RuntimeError(f"Authorization: Bearer {HUB_TOKEN} at http://me:planted0PASSWORD@x/?sig={SIGNATURE}")

    monkeypatch.setattr("orchestrator.cli.options.settings", broken)
    monkeypatch.setattr("tempfile.tempdir", None)
    called = call("config", "show")
    assert called.code == 70
    (path,) = (tmp_path / "temporary").glob("mlperf-docker-bug-*")
    text = path.read_text()
    assert "RuntimeError" in text and "Traceback" in text
    assert in_bytes("bug file", text.encode()) == []
    clean(called)


def test_what_a_harness_prints_and_dies_of_reaches_no_file_of_the_run(tmp_path: Path) -> None:
    learn_secrets()
    says = tuple(f"{secret}\nAuthorization: Bearer {secret}\n".encode() for secret in PLANTED[:2])
    cut = f"half {HUB_TOKEN}\nand {OTHER['WANDB_API_KEY']}".encode()
    engine = FakeEngine(
        harness=lambda _: None, says=(*says, cut[:10], cut[10:25], cut[25:]), ended=Exit(code=1, image_id="sha256:1")
    )
    plan = a_plan()
    with pytest.raises(HarnessError) as failed:
        run(plan, RunDir.create(tmp_path / "results", plan), tools(engine), Silent())
    log = (tmp_path / "results" / "runs" / plan.run_id / "run.log").read_text()
    assert "half ***" in log and "and ***" in log
    assert in_tree(tmp_path / "results") == []
    assert failed.value


def test_an_assets_failure_reaches_the_record_without_secrets(tmp_path: Path) -> None:
    class Failing:
        def plan(self, *_: object) -> tuple[()]:
            return ()

        def needed(self, *_: object) -> tuple[object, ...]:
            return (object(),)

        def ensure(self, *_: object, **__: object) -> None:
            raise AssetError(
                f"the server said: Bearer {HUB_TOKEN} https://x.example/?sig={SIGNATURE}",
                hint=f"try {OTHER['MY_PASSWORD']}",
            )

    plan = a_plan()
    kit = replace(tools(FakeEngine()), assets=Failing())  # type: ignore[arg-type]
    with pytest.raises(AssetError):
        run(plan, RunDir.create(tmp_path / "results", plan), kit, Silent())
    text = (tmp_path / "results" / "runs" / plan.run_id / "run.json").read_text()
    assert "the server said: Bearer ***" in text and '"try ***"' in text
    assert in_tree(tmp_path / "results") == []


def test_a_log_is_redacted_even_when_a_secret_comes_in_pieces(tmp_path: Path) -> None:
    plan = a_plan()
    directory = RunDir.create(tmp_path / "results", plan)
    log = RunLog(directory, build=True)
    for letter in f"a {HUB_TOKEN} b {CLIENT_SECRET}":
        log.write(letter.encode())
    log.flush()
    assert (directory.build_log).read_text().startswith("a *** b ")
    assert HUB_TOKEN not in directory.build_log.read_text()


def test_a_failed_fetch_and_what_it_went_over_show_no_secret() -> None:
    line = Line(environment={"http_proxy": "http://me:planted0PASSWORD@127.0.0.1:1"}, credentials=credentials())
    with pytest.raises(AssetError) as failed:
        probe(f"http://huggingface.example/x?X-Amz-Signature={SIGNATURE}", line=line)
    said = f"{failed.value} {failed.value.hint} {line!r}"
    assert "huggingface.example" in said
    assert in_bytes("error", said.encode()) == []
