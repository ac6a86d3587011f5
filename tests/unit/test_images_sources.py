"""Sources and SDKs of a recipe: tracked files of a clone, told by commit and state; what is missing is said."""

from __future__ import annotations

import io
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.config.catalog import load_round
from orchestrator.config.images import image_entries
from orchestrator.domain.benchmark import Round
from orchestrator.domain.image import ImageChoice, ImageEntry, SourceRepository
from orchestrator.errors import ImageError
from orchestrator.host.process import run
from orchestrator.images import sources
from orchestrator.images.context import ContextFile, digest, pack
from orchestrator.images.render import render
from orchestrator.images.sources import SourceState, source_states

AMD64 = "linux/amd64"
SOURCE = SourceRepository(name="inference", url="https://example.org/inference", paths=("harness",))


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=a tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false")
    done = run(("git", *identity, "-C", str(folder), *words))
    assert done.ok, done.stderr
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of a few files in one commit."""
    folder = tmp_path / "clone"
    (folder / "harness").mkdir(parents=True)
    (folder / "elsewhere").mkdir()
    (folder / "harness" / "main.py").write_text("print('harness')\n")
    (folder / "harness" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "harness" / "run.sh").chmod(0o755)
    (folder / "harness" / "name with ünicode").write_text("")
    (folder / "harness" / "mlperf.conf").symlink_to("../elsewhere/mlperf.conf")
    (folder / "elsewhere" / "mlperf.conf").write_text("x")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    return folder


def the(source: SourceRepository, where: Path, *, wanted: Round | None = None) -> SourceState:
    entry = ImageEntry(name="an-image", template="none", description="", sources=(source,))
    (found,) = source_states(entry, wanted, (("inference", where),))
    return found


def content(file: ContextFile) -> bytes:
    return file.origin.read_bytes() if file.origin is not None else file.content


def test_only_tracked_files_of_the_wanted_paths_are_taken(clone: Path) -> None:
    (clone / "harness" / "untracked.log").write_text("not mine")
    found = the(SOURCE, clone)
    files = {file.path.removeprefix("source/inference/"): file for file in found.files}
    assert sorted(files) == ["harness/main.py", "harness/mlperf.conf", "harness/name with ünicode", "harness/run.sh"]
    assert files["harness/run.sh"].mode == 0o755
    assert files["harness/mlperf.conf"].link == "../elsewhere/mlperf.conf"
    assert not found.modified


def test_a_bare_directory_and_a_work_tree_give_the_same_files(clone: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(clone), str(tmp_path / "bare"))
    tree, bare = the(SOURCE, clone), the(SOURCE, tmp_path / "bare")
    assert tree.commit == bare.commit
    assert [(one.path, one.mode, content(one), one.link) for one in tree.files] == [
        (one.path, one.mode, content(one), one.link) for one in bare.files
    ]
    assert digest("", tree.files) == digest("", bare.files)


def test_a_change_is_told_and_changes_what_is_built(clone: Path) -> None:
    before = digest("", the(SOURCE, clone).files)
    (clone / "harness" / "main.py").write_text("print('mine')\n")
    after = the(SOURCE, clone)
    assert after.modified
    assert after.blocker == "source 'inference' has changes that no commit holds"
    assert digest("", after.files) != before
    (clone / "elsewhere" / "mlperf.conf").write_text("a change that is not taken along")
    git(clone, "checkout", "-q", "harness/main.py")
    assert not the(SOURCE, clone).modified


def test_a_revision_is_taken_from_its_commit_whatever_the_work_tree_holds(clone: Path) -> None:
    git(clone, "tag", "first")
    (clone / "harness" / "main.py").write_text("print('later')\n")
    git(clone, "commit", "-q", "-a", "-m", "two")
    first, head = the(SOURCE, Path(f"{clone}@first")), the(SOURCE, clone)
    assert first.commit != head.commit
    (main,) = [file for file in first.files if file.path.endswith("main.py")]
    assert content(main) == b"print('harness')\n"


def test_the_rounds_own_commit_blocks_nothing_and_another_does(clone: Path) -> None:
    own = replace(load_round("v6.1"), commit=git(clone, "rev-parse", "HEAD"))
    assert the(SOURCE, clone, wanted=own).blocker is None
    other = the(SOURCE, clone, wanted=replace(own, commit="0" * 40)).blocker
    assert other is not None
    assert "not at the round's 000000000000" in other


def test_a_tag_of_the_round_that_the_clone_knows_is_its_commit(clone: Path) -> None:
    git(clone, "tag", "v6.1")
    assert the(SOURCE, clone, wanted=replace(load_round("v6.1"), commit=None, tag="v6.1")).blocker is None


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("nowhere", "is not a folder"),
        ("plain", "is no git clone"),
        ("clone/harness", "is no git clone"),
        ("clone@v9.9", "has no revision 'v9.9'"),
    ],
)
def test_what_is_no_clone_is_named(clone: Path, tmp_path: Path, where: str, says: str) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(ImageError, match=says) as caught:
        the(SOURCE, tmp_path / where)
    assert caught.value.cause.startswith("--source inference: ")
    assert caught.value.hint


def test_a_path_that_the_revision_lacks_is_named(clone: Path) -> None:
    with pytest.raises(ImageError, match="has no 'later/harness'"):
        the(replace(SOURCE, paths=("harness", "later/harness")), clone)


def test_content_that_a_partial_copy_lacks_is_named(clone: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(clone), str(tmp_path / "bare"))
    blob = git(tmp_path / "bare", "rev-parse", "HEAD:harness/main.py")
    for pack_file in (tmp_path / "bare" / "objects" / "pack").glob("*.pack"):
        moved = tmp_path / "moved.pack"
        pack_file.chmod(0o644)
        pack_file.rename(moved)
        for index in (tmp_path / "bare" / "objects" / "pack").iterdir():
            index.chmod(0o644)
            index.unlink()
        run(("git", "-C", str(tmp_path / "bare"), "unpack-objects", "-q"), stdin=moved.read_bytes())
    loose = tmp_path / "bare" / "objects" / blob[:2] / blob[2:]
    loose.chmod(0o644)
    loose.unlink()
    with pytest.raises(ImageError, match=r"lacks the content of 'harness/main\.py'"):
        the(SOURCE, tmp_path / "bare")


@pytest.mark.parametrize("form", ["", "@HEAD"])
def test_too_large_a_clone_is_refused(clone: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr(sources, "LARGEST_SOURCE_BYTES", 10)
    with pytest.raises(ImageError, match="are more than"):
        the(SOURCE, Path(f"{clone}{form}"))


def test_a_submodule_comes_along_where_it_is_checked_out_and_is_missed_where_it_is_not(
    clone: Path, tmp_path: Path
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    git(inner, "init", "-q")
    (inner / "words.txt").write_text("inner\n")
    git(inner, "add", "-A")
    git(inner, "commit", "-q", "-m", "inner")
    git(clone, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "harness/inner")
    git(clone, "commit", "-q", "-a", "-m", "with a submodule")
    own = replace(load_round("v6.1"), commit=git(clone, "rev-parse", "HEAD"))
    source = replace(SOURCE, submodules=("harness/inner",))
    there = the(source, clone, wanted=own)
    assert "source/inference/harness/inner/words.txt" in [file.path for file in there.files]
    assert there.blocker is None
    absent = the(source, Path(f"{clone}@HEAD"), wanted=own)
    assert absent.blocker == "source 'inference' lacks its submodule harness/inner"


def test_files_on_the_disk_and_links_are_packed_as_they_are(clone: Path) -> None:
    raw = pack(the(SOURCE, clone).files)
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        link = archive.getmember("source/inference/harness/mlperf.conf")
        assert (link.issym(), link.linkname) == (True, "../elsewhere/mlperf.conf")
        main = archive.extractfile("source/inference/harness/main.py")
        assert main is not None
        assert main.read() == b"print('harness')\n"


# -- in recipes ------------------------------------------------------------------------------------------------------


def test_without_a_clone_the_recipe_fetches_the_rounds_commit_and_never_a_branch() -> None:
    for name, entry in image_entries().items():
        if not entry.sources or not name.startswith("reference"):
            continue
        for round_name in entry.rounds or ("v4.1", "v6.1"):
            rendered = render(entry, round_name, entry.platforms[0])
            for source in entry.sources:
                commit = source.ref or load_round(round_name).commit  # forks are pinned by themselves
                assert commit is not None
                assert re.fullmatch("[0-9a-f]{40}", commit)
                assert f'"{source.url}", "{commit}"' in rendered.text
            assert rendered.blockers == ()
            rendered.require()


def test_a_given_clone_is_in_the_context_and_in_the_label(clone: Path) -> None:
    entry = replace(image_entries()["reference-bert-onnxruntime"], sources=(SOURCE,))
    rendered = render(entry, "v6.1", AMD64, choice=ImageChoice(sources=(("inference", clone),)))
    assert "COPY source/inference/ /opt/source/inference/" in rendered.text
    assert "clone.sh" not in rendered.text
    assert f'LABEL mlperf-docker.source.inference="{git(clone, "rev-parse", "HEAD")} (given)"' in rendered.text
    assert "source/inference/harness/main.py" in [file.path for file in rendered.context]
    assert len(rendered.blockers) == 1


def test_a_round_without_a_known_revision_is_missing_its_source_until_one_is_given(clone: Path) -> None:
    entry = replace(image_entries()["reference-bert-onnxruntime"], sources=(SOURCE,), requirements=None, context=())
    rendered = render(entry, "v0.5", AMD64)
    with pytest.raises(ImageError, match=r"no revision of 'inference' for round v0\.5") as caught:
        rendered.require()
    assert caught.value.hint is not None
    assert "--source inference=DIR" in caught.value.hint
    render(entry, "v0.5", AMD64, choice=ImageChoice(sources=(("inference", clone),))).require()


@pytest.fixture
def sdk_entry() -> ImageEntry:
    """An image that needs an archive which only the user can bring."""
    return replace(
        image_entries()["reference-server-vllm"], sdks={"platform": "get it from the vendor's download page"}
    )


def test_a_missing_sdk_renders_but_does_not_build(sdk_entry: ImageEntry) -> None:
    rendered = render(sdk_entry, "v6.1", AMD64)
    with pytest.raises(ImageError, match="needs the SDK archive 'platform'") as caught:
        assert rendered.context
    assert caught.value.hint == "get it from the vendor's download page; then give it: --sdk platform=FILE"


def test_an_sdk_is_packed_from_the_disk_and_part_of_the_recipe(sdk_entry: ImageEntry, tmp_path: Path) -> None:
    archive = tmp_path / "platform-1.0.zip"
    archive.write_bytes(b"one")
    choice = ImageChoice(sdks=(("platform", archive),))
    first = render(sdk_entry, "v6.1", AMD64, choice=choice)
    assert "sdk/platform/platform-1.0.zip" in [file.path for file in first.context]
    archive.write_bytes(b"another")
    assert render(sdk_entry, "v6.1", AMD64, choice=choice).recipe != first.recipe


def test_an_sdk_that_is_not_there_is_named(sdk_entry: ImageEntry, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="--sdk platform: there is no file"):
        render(sdk_entry, "v6.1", AMD64, choice=ImageChoice(sdks=(("platform", tmp_path / "no.zip"),)))
