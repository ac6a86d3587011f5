"""`sources checkout`: editable clones with the user's own git, from a real repository in the place of upstream's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.settings_layers import load_settings
from orchestrator.controller.run import run
from orchestrator.controller.rundir import RunDir
from orchestrator.controller.sources import check_out, offered, record_sources
from orchestrator.controller.watch import Silent
from orchestrator.domain.image import ImageChoice, SourceRepository
from orchestrator.errors import ImageError, UsageError
from orchestrator.images.checkout import checkout
from tests.unit.cli_calls import Call
from tests.unit.fake_tools import FakeEngine, tools
from tests.unit.plans import a_plan
from tests.unit.test_images_sources import git

UPSTREAM = "https://github.com/mlcommons/inference"
IMAGES = """\
schema_version: 1
images:
  mine:
    description: an image of a test
    template: none
    base: {registry: "python:3.11"}
    sources:
      - {name: tagged, url: "https://example.org/tagged", ref: "release-{round}"}
  other:
    description: another image of a test
    template: none
    base: {registry: "python:3.11"}
    rounds: [v6.1]
    sources:
      - {name: twice, url: "https://example.org/one", ref: main}
      - {name: twice, url: "https://example.org/two", ref: main}
"""


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits, a tag and a branch; git takes it for every address on the web."""
    folder = tmp_path / "upstream"
    (folder / "loadgen").mkdir(parents=True)
    (folder / "loadgen" / "loadgen.cc").write_text("int issue();\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    git(folder, "tag", "release-v6.1")
    (folder / "loadgen" / "loadgen.cc").write_text("int issue(int);\n")
    git(folder, "commit", "-q", "-a", "-m", "two")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{folder}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", UPSTREAM)
    monkeypatch.setenv("GIT_CONFIG_KEY_1", f"url.{folder}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_1", "https://example.org/tagged")
    return folder


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    folder = tmp_path / "catalog"
    folder.mkdir()
    (folder / "images.yaml").write_text(IMAGES)
    return folder


def test_a_revision_of_loadgens_repository_is_cloned_and_can_be_given_back(
    call: Call, upstream: Path, tmp_path: Path
) -> None:
    head = git(upstream, "rev-parse", "HEAD")
    called = call("sources", "checkout", "loadgen", str(tmp_path / "clone"), "--revision", "main", "--json")
    assert called.code == 0, called.stderr
    made = called.document["checkout"]
    assert (made["name"], made["commit"], made["url"]) == ("inference", head, UPSTREAM)
    clone = tmp_path / "clone"
    assert (clone / "loadgen" / "loadgen.cc").read_text() == "int issue(int);\n"
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "branch", "--show-current") == "mlperf-docker-main"
    assert git(clone, "config", "remote.origin.url") == UPSTREAM
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clone", "upstream"]


def test_a_rounds_own_tag_is_taken(call: Call, upstream: Path, catalog: Path, tmp_path: Path) -> None:
    called = call(
        "sources", "checkout", "tagged", str(tmp_path / "clone"), "--round", "v6.1", "--catalog", str(catalog), "--json"
    )
    assert called.code == 0, called.stderr
    assert called.document["checkout"]["revision"] == "release-v6.1"
    assert (tmp_path / "clone" / "loadgen" / "loadgen.cc").read_text() == "int issue();\n"
    assert git(tmp_path / "clone", "rev-parse", "release-v6.1^{commit}") == git(upstream, "rev-parse", "release-v6.1")


def test_a_single_commit_comes_without_the_history(upstream: Path, tmp_path: Path) -> None:
    source, commit = SourceRepository(name="x", url=UPSTREAM), git(upstream, "rev-parse", "release-v6.1")
    found = checkout(source, commit, tmp_path / "clone", environment={}, output=lambda _: None)
    assert found == commit
    assert git(tmp_path / "clone", "rev-list", "--count", "HEAD") == "1"


def test_a_clone_of_the_users_can_stand_in_for_the_network(upstream: Path, tmp_path: Path) -> None:
    settings = load_settings({}, environ={}, cwd=tmp_path, home=tmp_path, system_file=tmp_path / "none")
    made = check_out(
        "inference",
        tmp_path / "clone",
        settings,
        revision="main",
        image=None,
        upstream=str(upstream),
        output=lambda _: None,
    )
    assert made.commit == git(upstream, "rev-parse", "main")
    assert git(made.folder, "config", "remote.origin.url") == UPSTREAM


@pytest.mark.parametrize("kind", ["full", "file", "link"])
def test_what_is_there_is_never_touched(call: Call, upstream: Path, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    match kind:
        case "full":
            target.mkdir()
            (target / "mine").write_text("mine")
        case "file":
            target.write_text("mine")
        case _:
            target.symlink_to(tmp_path)
    called = call("sources", "checkout", "inference", str(target), "--revision", "main")
    assert called.code == 2
    assert str(target) in called.stderr
    assert target.is_symlink() or target.read_text() == "mine" if kind != "full" else (target / "mine").exists()


def test_an_empty_folder_is_used(call: Call, upstream: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    called = call("sources", "checkout", "inference", str(tmp_path / "empty"), "--revision", "release-v6.1")
    assert called.code == 0, called.stderr
    assert "--source inference=" in called.stdout


def test_a_failed_clone_leaves_nothing_and_says_why(upstream: Path, tmp_path: Path) -> None:
    source = SourceRepository(name="x", url=UPSTREAM)
    for revision in ("no-such", "0" * 40):
        with pytest.raises(ImageError, match=r"no revision|failed"):
            checkout(source, revision, tmp_path / "clone", environment={}, output=lambda _: None)
    nowhere = SourceRepository(name="x", url=f"file://{tmp_path}/nowhere")
    with pytest.raises(ImageError, match="git fetch of 'x'"):
        checkout(nowhere, "main", tmp_path / "clone", environment={}, output=lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["upstream"]


def test_a_password_in_an_address_is_not_shown(tmp_path: Path) -> None:
    source = SourceRepository(name="x", url="https://me:planted-password@127.0.0.1:1/x")
    said: list[bytes] = []
    with pytest.raises(ImageError) as failed:
        checkout(source, "main", tmp_path / "clone", environment={}, output=said.append)
    assert "127.0.0.1:1" in str(failed.value)
    assert "planted-password" not in str(failed.value)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("inferense", "x"), 2, "did you mean 'inference'"),
        (("inference", "x", "--image", "reference-berd"), 2, "unknown image"),
        (("inference", "x", "--round", "v6.1", "--revision", "main"), 2, "exclude each other"),
        (("inference", "x", "--source", "kilt=."), 2, "only 'inference'"),
        (("inference", "x", "--source", "inference=nowhere"), 2, "no such folder"),
        (("training", "x"), 2, "--image ENTRY"),
    ],
)
def test_a_request_that_is_not_one_thing_is_refused(
    call: Call, arguments: tuple[str, ...], code: int, said: str
) -> None:
    called = call("sources", "checkout", *arguments)
    assert called.code == code
    assert said in called.stderr


def test_two_upstreams_of_one_name_need_a_choice(call: Call, catalog: Path) -> None:
    called = call("sources", "checkout", "twice", "x", "--revision", "main", "--catalog", str(catalog))
    assert called.code == 2
    assert "https://example.org/one" in called.stderr and "https://example.org/two" in called.stderr


def test_every_round_lists_its_sources_with_a_revision() -> None:
    for name in ("v4.1", "v5.0", "v5.1", "v6.0", "v6.1"):
        found = offered(name)
        assert {one.name for one in found} >= {"inference"}
        assert all(one.revision and one.images for one in found)
    assert "nvidia" in {one.name for one in offered("v5.1")}


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    (tmp_path / "run").mkdir()
    return RunDir(tmp_path / "run")


def _recorded(run_dir: RunDir, where: Path) -> str:
    plan = a_plan()
    choice = ImageChoice(sources=(("inference", where),))
    image = replace(plan.image, entry="reference-vision-onnxruntime", choice=choice)
    assert record_sources(run_dir, replace(plan, image=image)) == ("source-inference.diff",)
    return (run_dir.path / "source-inference.diff").read_text()


def test_a_run_with_a_changed_clone_keeps_its_diff(
    upstream: Path, run_dir: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "planted-in-the-tree")
    folder = upstream / "vision" / "classification_and_detection" / "python"
    folder.mkdir(parents=True)
    (folder / "main.py").write_text("a = 1\n")
    git(upstream, "add", "-A")
    git(upstream, "commit", "-q", "-m", "harness")
    (folder / "main.py").write_text("a = 2\nkey = 'planted-in-the-tree'\n")
    (folder / "new.py").write_text("")
    text = _recorded(run_dir, upstream)
    assert f"at {git(upstream, 'rev-parse', 'HEAD')}, its work tree" in text
    assert "the clone does not have the round's revision" in text
    assert "-a = 1\n+a = 2\n" in text
    assert "not tracked, and not in the image: vision/classification_and_detection/python/new.py" in text
    assert "planted-in-the-tree" not in text and "key = '***'" in text


def test_an_unchanged_clone_says_so(upstream: Path, run_dir: RunDir) -> None:
    assert "# no tracked file differs" in _recorded(run_dir, upstream)


def test_a_clone_at_a_named_revision_is_compared_at_that_revision(upstream: Path, run_dir: RunDir) -> None:
    (upstream / "loadgen" / "loadgen.cc").write_text("changed\n")
    text = _recorded(run_dir, Path(f"{upstream}@release-v6.1"))
    assert git(upstream, "rev-parse", "release-v6.1") in text
    assert "changed" not in text


def test_a_clone_that_is_gone_stops_the_run(tmp_path: Path, run_dir: RunDir) -> None:
    with pytest.raises(ImageError, match="is not a folder"):
        _recorded(run_dir, tmp_path / "gone")


def test_a_relative_folder_with_a_missing_parent_is_made(call: Call, upstream: Path, tmp_path: Path) -> None:
    called = call("sources", "checkout", "inference", str(tmp_path / "a" / "b"), "--revision", "main")
    assert called.code == 0, called.stderr
    with pytest.raises(UsageError):
        checkout(
            SourceRepository(name="x", url=UPSTREAM), "main", Path("/proc/x/y"), environment={}, output=lambda _: None
        )


def test_the_diff_lies_sealed_in_the_run_directory_and_the_log_names_it(upstream: Path, tmp_path: Path) -> None:
    plan = a_plan()
    choice = ImageChoice(sources=(("inference", upstream),))
    other = replace(plan.image, entry="reference-vision-onnxruntime", choice=choice)
    plan = replace(plan, other_images=(other,))
    directory = RunDir.create(tmp_path / "results", plan)
    run(plan, directory, tools(FakeEngine()), Silent())
    assert directory.broken_seal() == ()
    assert "source-inference.diff" in directory.seal_file.read_text()
    assert "is in source-inference.diff" in directory.log.read_text()
