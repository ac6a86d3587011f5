"""Recipes of the shipped images: golden Dockerfiles, hashes that move when they must, faults that are named."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.catalog import load_round, rounds
from orchestrator.config.images import image_entries
from orchestrator.domain.canonical import pretty_json
from orchestrator.domain.image import ImageEntry
from orchestrator.errors import ImageError
from orchestrator.host.shipped import shipped
from orchestrator.images.context import SourceTree
from orchestrator.images.render import render, render_debug

GOLDEN = Path(__file__).parent / "golden"
AMD64 = "linux/amd64"
ENTRIES = ("generic-onnxruntime", "generic-openvino", "generic-tflite", "generic-prepare")
# Every template by the entries that show all of its branches.
SHOWN = (
    *ENTRIES,
    "reference-vision-onnxruntime",
    "reference-vision-onnxruntime-cuda",
    "reference-deepseek-r1-sglang-cuda",
)


def entry_of(name: str) -> ImageEntry:
    return image_entries()[name]


@pytest.fixture
def tree(tmp_path: Path) -> SourceTree:
    """A copy of everything shipped, for tests that change it; the in-container code is one small file."""
    shutil.copytree(shipped("dockerfiles"), tmp_path / "shipped" / "dockerfiles")
    code = tmp_path / "package" / "sut"
    code.mkdir(parents=True)
    (code / "__main__.py").write_text("print('sut')\n")
    return SourceTree(shipped=tmp_path / "shipped", package=tmp_path / "package")


def check_golden(name: str, text: str) -> None:
    """Compare with the checked-in text; GOLDEN_UPDATE=1 rewrites it."""
    path = GOLDEN / f"{name}.Dockerfile"
    if os.environ.get("GOLDEN_UPDATE"):
        path.write_text(text)
    assert text == path.read_text()


def shown_entries() -> tuple[str, ...]:
    """The entries named above, and of every other template its first."""
    entries = image_entries()
    covered = {entries[name].template for name in SHOWN}
    firsts = {entry.template: name for name, entry in reversed(tuple(entries.items())) if entry.template not in covered}
    return (*SHOWN, *sorted(firsts.values()))


@pytest.mark.parametrize("name", shown_entries())
def test_the_rendered_dockerfile_is_the_checked_in_one(name: str) -> None:
    entry = entry_of(name)
    round_name = "v6.1" if not entry.rounds or "v6.1" in entry.rounds else entry.rounds[-1]
    check_golden(name, render(entry, round_name, entry.platforms[0]).text)


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.Dockerfile")} == {"debug", *shown_entries()}


def test_the_rendered_debug_layer_is_the_checked_in_one() -> None:
    check_golden("debug", render_debug("generic-tflite", AMD64).text)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.Dockerfile")), ids=lambda path: path.stem)
def test_every_stage_that_is_thrown_away_is_labelled_so_that_it_can_be_pruned(path: Path) -> None:
    *thrown_away, final = path.read_text().split("\nFROM ")[1:]
    for stage in thrown_away:
        base = stage.split()[0]
        assert 'LABEL mlperf-docker.stage="thrown away"\n' in stage or not base.startswith("$"), stage.splitlines()[0]
    assert "mlperf-docker.stage" not in final
    assert final.startswith("${BASE}")


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("round_name", rounds())
def test_every_entry_has_a_recipe_for_every_round_of_the_catalogue(name: str, round_name: str) -> None:
    rendered = render(entry_of(name), round_name, AMD64)
    paths = [file.path for file in rendered.files]
    assert "build/requirements.txt" in paths
    assert any(path.startswith("code/orchestrator/") for path in paths)
    assert not [path for path in paths if path == "code/orchestrator/__init__.py" or "__pycache__" in path]


@pytest.mark.parametrize("round_name", rounds())
def test_the_locked_loadgen_and_the_checked_seeds_are_the_catalogues(round_name: str) -> None:
    wanted = load_round(round_name)
    rendered = render(entry_of("generic-tflite"), round_name, AMD64)
    files = {file.path: file.content.decode() for file in rendered.files}
    assert f"\nmlcommons-loadgen=={wanted.loadgen} " in files["build/requirements.txt"]
    assert files["build/seeds.json"] == pretty_json(wanted.seeds)


@pytest.mark.parametrize(
    "path",
    sorted(shipped("dockerfiles").glob("*/requirements/*.txt")),
    ids=lambda p: f"{p.parent.parent.name}-{p.name}",
)
def test_every_locked_package_has_hashes_and_no_lock_names_an_index(path: Path) -> None:
    lines = path.read_text().replace("\\\n", "").splitlines()
    entries = [line for line in lines if line and not line.startswith(("#", "--only-binary", "--no-binary"))]
    assert entries
    for entry in entries:
        pin, *hashes = entry.split()
        assert "==" in pin
        assert hashes
        assert all(part.startswith("--hash=sha256:") for part in hashes)
    assert "://" not in path.read_text()


def test_rounds_differ_but_an_entry_without_a_round_does_not() -> None:
    tflite, prepare = entry_of("generic-tflite"), entry_of("generic-prepare")
    assert render(tflite, "v6.0", AMD64).recipe != render(tflite, "v6.1", AMD64).recipe
    assert render(prepare, "v6.0", AMD64).recipe == render(prepare, "v6.1", AMD64).recipe
    assert render(prepare, "v6.1", AMD64).round is None


def test_a_change_in_code_or_mode_changes_the_recipe_but_caches_and_prose_do_not(tree: SourceTree) -> None:
    entry = entry_of("generic-tflite")
    before = render(entry, "v6.1", AMD64, tree=tree).recipe
    (tree.package / "sut" / "README.md").write_text("# words\n")
    (tree.package / "sut" / "__pycache__").mkdir()
    (tree.package / "sut" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"x")
    assert render(entry, "v6.1", AMD64, tree=tree).recipe == before
    (tree.package / "sut" / "__main__.py").chmod(0o755)
    executable = render(entry, "v6.1", AMD64, tree=tree).recipe
    assert executable != before
    (tree.package / "sut" / "__main__.py").write_text("print('other')\n")
    assert render(entry, "v6.1", AMD64, tree=tree).recipe not in {before, executable}


def test_the_umask_of_a_checkout_does_not_change_the_recipe(tree: SourceTree) -> None:
    entry = entry_of("generic-tflite")
    before = render(entry, "v6.1", AMD64, tree=tree).recipe
    for path in tree.shipped.rglob("*"):
        path.chmod(path.stat().st_mode & ~0o077)
    assert render(entry, "v6.1", AMD64, tree=tree).recipe == before


def test_an_unknown_round_names_the_rounds_there_are() -> None:
    with pytest.raises(ImageError, match=r"no requirements for round v9\.9") as caught:
        render(entry_of("generic-tflite"), "v9.9", AMD64)
    assert caught.value.hint is not None
    assert "v5.0, v5.1, v6.0, v6.1" in caught.value.hint


def test_a_platform_without_loadgen_is_refused_with_the_platforms_there_are() -> None:
    with pytest.raises(ImageError, match="cannot be made for linux/arm64") as caught:
        render(entry_of("generic-tflite"), "v6.1", "linux/arm64")
    assert caught.value.hint is not None
    assert "linux/amd64" in caught.value.hint


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("FROM {{ nothing }}\n", "'nothing' is undefined"),
        ("FROM base\n{% if %}\n", "Dockerfile.j2:2"),
        ("{{ entry.__class__.__mro__ }}\n", "unsafe"),
        ('{% include "elsewhere.j2" %}', "dockerfiles/elsewhere.j2"),
    ],
)
def test_a_broken_template_is_named_with_its_fault(tree: SourceTree, template: str, says: str) -> None:
    (tree.shipped / "dockerfiles" / "generic" / "Dockerfile.j2").write_text(template)
    with pytest.raises(ImageError) as caught:
        render(entry_of("generic-tflite"), "v6.1", AMD64, tree=tree)
    assert says in str(caught.value)
    assert caught.value.hint


def test_a_missing_context_folder_is_named(tree: SourceTree) -> None:
    shutil.rmtree(tree.package / "sut")
    with pytest.raises(ImageError, match="orchestrator/sut"):
        render(entry_of("generic-tflite"), "v6.1", AMD64, tree=tree)


def test_arguments_reach_the_template_quoted_for_a_shell(tree: SourceTree) -> None:
    (tree.shipped / "dockerfiles" / "generic" / "Dockerfile.j2").write_text(
        "RUN x {{ arguments.word | shell_quote }}\n"
    )
    entry = replace(entry_of("generic-tflite"), arguments=(("word", "a b; rm -rf /"),))
    assert render(entry, "v6.1", AMD64, tree=tree).text == "RUN x 'a b; rm -rf /'\n"
