"""The driver of KILT: every cell planned, devices and copies as published, nothing asked that is not published."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from orchestrator.config.images import image_entries
from orchestrator.domain.container import Network
from orchestrator.domain.image import ImageChoice
from orchestrator.domain.plan import Role
from orchestrator.domain.situation import Host
from orchestrator.domain.spec import Knobs, LoadGenWishes
from orchestrator.domain.terms import EngineName, Mode, Scenario, Tier
from orchestrator.errors import ImageError, UsageError
from orchestrator.images.render import render
from tests.unit.offer_cells import Cell, cell, cells, steps
from tests.unit.published import documented, option_names

CELLS = cells("qualcomm")
RESNET = cell("qualcomm", "resnet50", "v4.1", Scenario.OFFLINE)
AMD64 = "linux/amd64"


def given(one: Cell, **knobs: str) -> dict[str, str]:
    """KILT's variables with these `--set` options."""
    spec = one.spec(knobs=Knobs(extra=tuple(knobs.items())))
    return dict(steps(spec, one.on())["result"].container.environment)


def test_the_published_models_are_offered_for_the_one_round_that_their_harness_fits() -> None:
    assert {(one.round, one.benchmark.name) for one in CELLS} == {
        ("v4.1", name) for name in ("resnet50", "retinanet", "bert-99", "bert-99.9")
    }


@pytest.mark.parametrize("one", CELLS, ids=str)
def test_every_cell_is_planned_in_every_mode(one: Cell) -> None:
    for spec, on in one.runs():
        made = steps(spec, on)
        assert [each for each in made.values() if each.role is Role.RESULT] == [made["result"]]
        assert ("evaluate" in made) == (spec.mode is Mode.ACCURACY)
        files = dict(made["result"].files)
        assert (PurePosixPath("audit.config") in files) == (spec.mode is Mode.COMPLIANCE)
        assert made["result"].container.workdir == PurePosixPath("/out"), "LoadGen looks for audit.config where it runs"


@pytest.mark.parametrize("one", CELLS, ids=str)
def test_kilt_gets_no_argument_and_no_variable_that_is_not_published(one: Cell) -> None:
    published = documented("qualcomm")["variables"]
    for spec, on in one.runs():
        container = steps(spec, on)["result"].container
        assert len(container.command) == 1
        for name, value in container.environment:
            assert name in published, name
            takes = published[name].get("takes")
            assert not isinstance(takes, list) or value in takes, (name, value)
        program = on.offer.parameters["program"]
        wanted = {
            name
            for name, each in published.items()
            if each.get("required") and program in each.get("benchmarks", [program])
        }
        assert wanted <= set(dict(container.environment))


@pytest.mark.parametrize("one", CELLS, ids=str)
@pytest.mark.parametrize("knobs", [{}, {"calibrate": "yes"}, {"nsp": "16"}, {"nsp": "9"}], ids=str)
def test_the_compiler_gets_published_options_only(one: Cell, knobs: dict[str, str]) -> None:
    published = set(documented("qualcomm")["qaic-exec"])
    made = steps(one.spec(knobs=Knobs(extra=tuple(knobs.items()))), one.on())
    compiler = made["compile"].container.command[3:]
    assert option_names(compiler[1:]) <= published
    if "calibrate" in made:
        assert option_names(made["calibrate"].container.command[1:]) <= published
    assert {"-model", "-aic-binary-dir", "-compile-only", "-aic-hw"} <= option_names(compiler[1:])


def test_the_scorer_gets_options_that_it_has_and_the_type_that_kilt_writes() -> None:
    for one in CELLS:
        command = steps(one.spec(Mode.ACCURACY), one.on())["evaluate"].container.command
        script = next(PurePosixPath(word).name for word in command if word.endswith(".py"))
        published = documented("qualcomm")["scorers"][script]
        assert option_names(command) <= set(published)
        assert "float32" in command or script == "accuracy-openimages.py"


def test_copies_of_the_program_follow_the_cores_of_a_card() -> None:
    assert given(RESNET)["qaic_activation_count"] == "3"
    assert given(RESNET, nsp="16")["qaic_activation_count"] == "4"
    assert given(RESNET, nsp="16")["qaic_queue_length"] == "10"
    assert given(RESNET, activations="7", nsp="16")["qaic_activation_count"] == "7"
    assert given(cell("qualcomm", "bert-99.9", "v4.1", Scenario.OFFLINE))["qaic_activation_count"] == "7"
    assert given(cell("qualcomm", "bert-99", "v4.1", Scenario.SERVER), nsp="16")["qaic_activation_count"] == "16"


def test_batches_are_those_published_for_the_scenario() -> None:
    assert given(RESNET)["kilt_model_batch_size"] == "8"
    assert given(cell("qualcomm", "resnet50", "v4.1", Scenario.SINGLE_STREAM))["kilt_model_batch_size"] == "1"
    assert given(cell("qualcomm", "bert-99", "v4.1", Scenario.OFFLINE))["kilt_model_batch_size"] == "4096"
    assert given(cell("qualcomm", "bert-99", "v4.1", Scenario.SERVER))["kilt_model_batch_size"] == "1024"


@pytest.mark.parametrize(
    "nodes", [("/dev/accel/accel0", "/dev/accel/accel1"), ("/dev/qaic_aic100_0", "/dev/qaic_aic100_1")], ids=str
)
def test_every_card_is_used_and_only_the_first_one_for_a_stream(nodes: tuple[str, ...]) -> None:
    host = Host(usable_cpus=4, device_nodes=("/dev/dri/renderD128", *nodes), qaic_group="977")
    made = steps(RESNET.spec(), RESNET.on(host=host))
    assert made["result"].container.devices == nodes
    assert made["result"].container.groups == ("977",)
    assert dict(made["result"].container.environment)["kilt_device_ids"] == "0,1"
    assert made["ready"].container.command[-1] == "2"
    assert made["compile"].container.devices == (), "compiling needs no card"
    stream = cell("qualcomm", "resnet50", "v4.1", Scenario.SINGLE_STREAM)
    result = steps(stream.spec(), stream.on(host=host))["result"]
    assert dict(result.container.environment)["kilt_device_ids"] == "0"


def test_named_cards_win_and_a_wrong_one_is_refused() -> None:
    assert given(RESNET, devices="2,3")["kilt_device_ids"] == "2,3"
    with pytest.raises(UsageError, match="'one' is no number of a card"):
        given(RESNET, devices="one")


def test_the_model_is_compiled_once_for_each_way_of_compiling() -> None:
    def stamp(one: Cell, **knobs: str) -> object:
        return steps(one.spec(knobs=Knobs(extra=tuple(knobs.items()))), one.on())["compile"].once

    server = cell("qualcomm", "resnet50", "v4.1", Scenario.SERVER)
    assert stamp(RESNET) == stamp(RESNET)
    assert len({stamp(RESNET), stamp(server), stamp(server, nsp="16"), stamp(RESNET, calibrate="yes")}) == 4
    assert steps(RESNET.spec(Mode.ACCURACY), RESNET.on())["compile"].once == stamp(RESNET)


def test_only_a_quantised_model_wants_a_profile() -> None:
    exact = cell("qualcomm", "bert-99.9", "v4.1", Scenario.OFFLINE)
    assert "-load-profile" not in option_names(steps(exact.spec(), exact.on())["compile"].container.command)
    knobs = Knobs(extra=(("calibrate", "yes"),))
    assert "calibrate" not in steps(exact.spec(knobs=knobs), exact.on())
    made = steps(RESNET.spec(knobs=knobs), RESNET.on())
    assert list(made) == ["ready", "calibrate", "compile", "result"]
    assert "-load-profile=/program/profile.yaml" in made["compile"].container.command


def test_privileges_are_the_least_unless_the_vendors_are_asked_for() -> None:
    least = steps(RESNET.spec(), RESNET.on())["result"].container
    assert not least.privileged
    assert least.read_only_root
    assert least.network is Network.NONE
    most = steps(RESNET.spec(privileges=Tier.VENDOR), RESNET.on())["result"].container
    assert most.privileged
    assert most.network is Network.HOST


def test_a_valid_run_needs_a_target() -> None:
    with pytest.raises(UsageError, match="needs --target-qps"):
        steps(RESNET.spec(loadgen=LoadGenWishes()), RESNET.on())


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(UsageError, match="container only"):
        steps(RESNET.spec(engine=EngineName.NATIVE), RESNET.on())
    with pytest.raises(UsageError, match="needs its model and data set"):
        steps(RESNET.spec(), RESNET.on(model=None))
    with pytest.raises(UsageError, match="whole number"):
        given(RESNET, activations="many")


def test_a_missing_archive_is_named_with_where_to_get_it() -> None:
    recipe = render(image_entries()["qualcomm-kilt"], "v4.1", AMD64)
    assert [cause for cause, _ in recipe.missing] == [
        "it needs the SDK archive 'qaic-apps'",
        "it needs the SDK archive 'qaic-platform'",
    ]
    with pytest.raises(ImageError) as caught:
        recipe.require()
    assert caught.value.hint is not None
    assert "Qualcomm Package Manager" in caught.value.hint
    assert "--sdk qaic-apps=FILE" in caught.value.hint


def test_the_archives_reach_a_stage_that_is_thrown_away_and_the_image_is_never_pushed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("sdk")
    archives = tuple((name, folder / f"{name}.zip") for name in ("qaic-apps", "qaic-platform"))
    for _, path in archives:
        path.write_bytes(b"a stand-in for an archive of Qualcomm's")
    entry = image_entries()["qualcomm-kilt"]
    text = render(entry, "v4.1", AMD64, choice=ImageChoice(sdks=archives)).text
    stages = [stage.splitlines() for stage in text.split("\nFROM ")]
    with_archives = [stage[0] for stage in stages if any(line.startswith("COPY sdk/") for line in stage)]
    assert with_archives == ["toolchain AS sdk"]
    assert not any(line.startswith("COPY --from=sdk /sdk") for stage in stages for line in stage)
    assert not entry.pushable
    assert replace(entry).sdks.keys() == {"qaic-apps", "qaic-platform"}
