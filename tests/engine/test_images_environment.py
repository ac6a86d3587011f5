"""Private environments of the native engine, made for real with the host's pip."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.domain.image import ImageChoice, ImageRef, PlannedImage, ReadyImage
from orchestrator.domain.site import Site
from orchestrator.errors import ImageError
from orchestrator.host.process import run
from orchestrator.images.environment import NativeEnvironments
from tests.engine.small_images import ENTRY, PLATFORM, ROUND, Heard, Workshop, small_workshop

pytestmark = pytest.mark.engine  # needs no engine, but the package index


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """A small entry of the real templates; its engine is not asked for anything."""
    return small_workshop(tmp_path, "unix:///nowhere")


def environments(workshop: Workshop, site: Site | None = None) -> NativeEnvironments:
    return NativeEnvironments({ENTRY: workshop.entry}, cache=workshop.cache, site=site or Site(), tree=workshop.tree)


def planned(workshop: Workshop, choice: ImageChoice | None = None) -> PlannedImage:
    recipe = environments(workshop).plan(ENTRY, round_name=ROUND, platform=PLATFORM)
    return PlannedImage(entry=ENTRY, round=ROUND, platform=PLATFORM, recipe=recipe, choice=choice or ImageChoice())


def ensure(workshop: Workshop, heard: Heard | None = None) -> ReadyImage:
    heard = heard or Heard()
    return environments(workshop).ensure(planned(workshop), log=heard.log.extend, say=heard.lines.append)


def test_an_environment_is_made_once_and_runs_the_harness(workshop: Workshop) -> None:
    assert environments(workshop).present(planned(workshop)) is None
    made = ensure(workshop)
    folder = Path(made.handle)
    assert made.origin == "environment"
    assert made.image_id == f"env:{made.identity}" == f"env:{folder.name}"
    assert folder.parent == workshop.cache / "native"
    python = str(folder / "bin" / "python")
    ran = run([python, "-m", "orchestrator.sut"], environment={"PYTHONPATH": str(folder / "code")}, cwd=folder)
    assert (ran.stdout, ran.stderr) == ("first\n", "")
    inside = run([python, "-I", "-c", "import sys, mlperf_loadgen; print(sys.prefix)"])
    assert inside.stdout.strip() == str(folder)
    again = Heard()
    assert ensure(workshop, again).origin == "present"
    assert environments(workshop).present(planned(workshop)) is not None
    assert (again.text, again.lines) == ("", [])


def test_other_code_makes_another_environment(workshop: Workshop) -> None:
    first = planned(workshop).recipe
    workshop.write_code("print('second')\n")
    assert planned(workshop).recipe != first


def test_an_environment_that_was_cut_short_is_made_anew(workshop: Workshop) -> None:
    made = ensure(workshop)
    (Path(made.handle) / "environment.json").unlink()
    assert environments(workshop).present(planned(workshop)) is None
    assert ensure(workshop).origin == "environment"


def test_wrong_seeds_leave_no_environment(workshop: Workshop) -> None:
    seeds = workshop.shipped_file("generic/seeds/v6.1.json")
    seeds.write_text(workshop.shipped_file("generic/seeds/v6.0.json").read_text())
    with pytest.raises(ImageError, match="seeds are not the round's"):
        ensure(workshop)
    assert list((workshop.cache / "native").iterdir()) == []


def test_a_wheel_that_is_not_the_pinned_one_is_refused_and_leaves_nothing(workshop: Workshop) -> None:
    lock = workshop.shipped_file(f"generic/requirements/small-{ROUND}-amd64.txt")
    pin = lock.read_text().splitlines()[0]
    lock.write_text(f"{pin}\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ImageError, match="DO NOT MATCH") as caught:
        ensure(workshop)
    assert caught.value.hint is not None
    assert f"this is CPython {sys.version_info.major}.{sys.version_info.minor}" in caught.value.hint
    assert list((workshop.cache / "native").iterdir()) == []


def test_an_image_reference_means_nothing_here_and_is_refused(workshop: Workshop) -> None:
    wanted = planned(workshop, ImageChoice(reference=ImageRef.parse("some/image:1")))
    with pytest.raises(ImageError, match="runs no images"):
        environments(workshop).ensure(wanted, log=lambda _: None, say=lambda _: None)
