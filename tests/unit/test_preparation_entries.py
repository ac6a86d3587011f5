"""Catalogue entries of kind `script` and `prepared`: placeholders, rounds, images, and what upstream has of them."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from orchestrator.config.catalog import asset_names, load_asset, load_round, rounds
from orchestrator.config.images import image_entries
from orchestrator.controller.preparation import choice_of_step
from orchestrator.domain.asset import SubsetForm
from orchestrator.domain.image import ImageChoice, ImageRef
from orchestrator.domain.script import Places, filled, script_faults
from orchestrator.domain.source import Prepared, Scripted
from orchestrator.domain.terms import Pull
from orchestrator.errors import AssetError
from orchestrator.host.process import run
from orchestrator.preparation.__main__ import STEPS
from orchestrator.preparation.subset import _FORMS

SOURCES = {name: load_asset(name).source for name in asset_names()}
SCRIPTS = {name: source for name, source in SOURCES.items() if isinstance(source, Scripted)}
STEPPED = {name: source for name, source in SOURCES.items() if isinstance(source, Prepared)}
CLONES = {"inference": os.environ.get("MLPERF_INFERENCE_CLONE"), "training": os.environ.get("MLPERF_TRAINING_CLONE")}
INSIDE = re.compile(r"/opt/inference/(\S+)")
OFFICIAL = {
    *("imagenet-2012-val", "imagenet-calibration-pictures-1", "imagenet-calibration-pictures-2", "squad-v1.1-features"),
    *("openimages-v6-mlperf", "openimages-calibration-pictures", "kits19", "kits19-calibration-cases"),
    *("cnn-dailymail-v3-gptj", "cnn-dailymail-v3-gptj-calibration", "cnn-dailymail-v3-from-raw"),
    *("cnn-dailymail-calibration-from-raw", "open-orca-from-raw", "librispeech-dev-from-raw", "librispeech-dev-clean"),
    *("criteo-1tb-multihot-from-raw", "coco-2014-1024", "coco-2014-calibration-captions", "coco-2017-safe-from-raw"),
    "igbh-seeds",
}
PLACES = Places(inputs={"raw": PurePosixPath("/in/raw")}, output=PurePosixPath("/out"), work=PurePosixPath("/work"))


def test_every_official_data_set_that_upstream_prepares_is_made_by_a_step() -> None:
    assert SCRIPTS.keys() | STEPPED.keys() >= OFFICIAL


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_a_script_names_what_exists_and_reads_all_its_inputs(name: str) -> None:
    source = SCRIPTS[name]
    assert list(script_faults(source)) == []
    assert set(source.inputs) <= set(asset_names())
    assert source.image in image_entries()
    assert set(source.rounds) <= set(rounds())
    served = image_entries()[source.image].rounds
    assert not served or set(source.rounds or rounds()) <= set(served)
    assert not any("sh" in words[:1] and "-c" in words for words in source.commands)  # no command strings


@pytest.mark.parametrize("name", sorted(STEPPED))
def test_a_step_exists_in_an_image_that_holds_the_steps(name: str) -> None:
    source = STEPPED[name]
    assert source.step in STEPS
    assert ("code/orchestrator/preparation", "orchestrator/preparation") in image_entries()[source.image].context


def test_the_steps_know_every_form_of_subset() -> None:
    assert set(_FORMS) == {form.value for form in SubsetForm}


def named_paths(source: Scripted) -> set[str]:
    """Paths of the repository that the commands name: whole ones, and files relative to a folder they start in."""
    folder = (source.workdir or "").removeprefix("/opt/inference").strip("/")
    found = {match.rstrip(":") for text in _texts(source) for match in INSIDE.findall(text.replace(":", " "))}
    if folder and "{" not in folder:
        scripts = [word for words in source.commands for word in words if re.fullmatch(r"[\w./]+\.(?:py|sh)", word)]
        found |= {f"{folder}/{word}" for word in scripts if not word.startswith("/")}
    return found


def _texts(source: Scripted) -> list[str]:
    return [
        *(word for words in source.commands for word in words),
        *(value for _, value in source.environment),
        source.workdir or "",
    ]


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_the_image_takes_the_paths_that_a_script_names(name: str) -> None:
    taken = [path for repository in image_entries()[SCRIPTS[name].image].sources for path in repository.paths]
    paths = named_paths(SCRIPTS[name])
    assert paths
    for path in paths:
        assert any(path == one or path.startswith(f"{one}/") or one.startswith(f"{path}/") for one in taken), path


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_every_round_s_repository_has_the_script_with_these_options(name: str) -> None:
    """Asks clones: MLPERF_INFERENCE_CLONE and MLPERF_TRAINING_CLONE (Criteo's scripts)."""
    source = SCRIPTS[name]
    repository = image_entries()[source.image].sources[0]
    clone = CLONES[repository.name]
    if not clone:
        pytest.skip(f"no variable names a clone of {repository.url}")
    for round_name in source.rounds or rounds():
        commit = repository.ref or load_round(round_name).commit
        for path in sorted(named_paths(source)):
            shown = run(("git", "-c", "safe.directory=*", "-C", clone, "show", f"{commit}:{path}"))
            assert shown.ok, f"{round_name}: {path}"
        texts = {
            path: run(("git", "-c", "safe.directory=*", "-C", clone, "show", f"{commit}:{path}")).stdout
            for path in named_paths(source)
        }
        options = {
            word.partition("=")[0]
            for words in source.commands
            for word in words
            if word.startswith("--") and words[0] in {"python", "bash"}
        }
        missing = [option for option in options if not any(option in text for text in texts.values())]
        assert not missing, f"{round_name}: {missing}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{in:raw}/a", "/in/raw/a"),
        ("{out}:{work}", "/out:/work"),
        ("{}", "{}"),
        ("${HOME} {round} {in}", "${HOME} {round} {in}"),
    ],
)
def test_placeholders_are_filled_and_other_braces_stay(text: str, expected: str) -> None:
    assert filled(text, PLACES) == expected


def test_an_unknown_input_is_named_with_those_there_are() -> None:
    with pytest.raises(AssetError, match=r"'\{in:cooked\}' is no input of the script; it has: raw"):
        filled("{in:cooked}", PLACES)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"commands": ()}, "has a command without words"),
        ({"commands": (("cp", "{in:raw}", "{work}"),)}, "never names {out}: it can leave nothing"),
        ({"inputs": ("raw", "other")}, "never reads its input 'other'"),
        ({"commands": (("cp", "{in:raw}", "{in:gone}", "{out}"),)}, "reads '{in:gone}', which is none of its inputs"),
        ({"commands": (("cp", "{in:raw}", "{output}", "{out}"),)}, "'{output}' is no placeholder"),
    ],
)
def test_a_faulty_entry_is_told_what_is_wrong(change: dict[str, tuple[object, ...]], fault: str) -> None:
    good = Scripted(image="any", inputs=("raw",), commands=(("cp", "{in:raw}", "{out}"),))
    assert list(script_faults(good)) == []
    assert fault in list(script_faults(replace(good, **change)))  # type: ignore[arg-type]


def test_a_step_s_image_gets_the_clones_that_are_its_own_and_nothing_of_the_run_s_image() -> None:
    from pathlib import Path

    choice = ImageChoice(
        reference=ImageRef.parse("mine:1"),
        rebuild=True,
        pull=Pull.NEVER,
        sources=(("inference", Path("/clone")), ("results", Path("/other"))),
        sdks=(("sdk", Path("/sdk.zip")),),
    )
    entries = image_entries()
    found = choice_of_step(entries["reference-prepare-volumes"], choice)
    assert found == ImageChoice(pull=Pull.NEVER, sources=(("inference", Path("/clone")),))
    assert choice_of_step(entries["generic-prepare"], choice) == ImageChoice(pull=Pull.NEVER)
