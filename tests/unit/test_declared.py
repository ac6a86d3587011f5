"""Implementations written down in YAML: names filled in, one result, services joined, faults named."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.domain.benchmark import DeclaredStep, Knob, KnobKind
from orchestrator.domain.container import Network
from orchestrator.domain.plan import Execution, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import Knobs
from orchestrator.domain.terms import EngineName, Mode
from orchestrator.errors import ConfigError, UsageError
from orchestrator.implementations.declared import _names, steps
from tests.unit.plans import a_situation, a_spec

PAGE = Path(__file__).parents[2] / "docs" / "own-implementation.md"
RESULT = DeclaredStep(name="measure", command=("harness", "{scenario}", "{user_conf}"))


def declared(*written: DeclaredStep, **changes: object) -> Situation:
    on = a_situation()
    knobs = {"any": {"answer": Knob(kind=KnobKind.CHOICE, values=("3", "5"))}}
    offer = replace(on.offer, parameters={"profile": "p"})
    way = replace(on.implementation, name="mine", steps=written, knobs=knobs)
    return replace(on, implementation=way, offer=offer, assets={"vocab": Path("/cache/vocab")}, **changes)


def only(step: DeclaredStep, **spec: object) -> Execution:
    return steps(a_spec(**spec), declared(step))[-1]


def test_names_are_filled_in_and_knobs_have_their_first_value() -> None:
    words = ("{set.answer}", "{parameter.profile}", "{asset.vocab}", "{{brace}}", "{threads}")
    assert only(replace(RESULT, command=words)).container.command == ("3", "p", "/assets/vocab", "{brace}", "2")
    chosen = only(replace(RESULT, command=words), knobs=Knobs(extra=(("answer", "5"),)))
    assert chosen.container.command[0] == "5"


def test_an_unknown_name_is_told_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match=r"step 'measure': nothing is known as '\{modle\}'") as caught:
        only(replace(RESULT, command=("{modle}",)))
    assert "dataset" in (caught.value.hint or "")


@pytest.mark.parametrize("written", [(), (RESULT, replace(RESULT, name="again"))])
def test_there_is_exactly_one_result(written: tuple[DeclaredStep, ...]) -> None:
    with pytest.raises(ConfigError, match=r"\d results in a performance run; there must be one"):
        steps(a_spec(), declared(*written))


def test_steps_of_other_modes_are_left_out() -> None:
    score = DeclaredStep(name="score", role="evaluate", command=("score",), modes=(Mode.ACCURACY,))
    assert [each.name for each in steps(a_spec(), declared(RESULT, score))] == ["measure"]
    accuracy = steps(a_spec(mode=Mode.ACCURACY), declared(RESULT, score))
    assert [each.role for each in accuracy] == [Role.RESULT, Role.EVALUATE]
    assert accuracy[0].folder == accuracy[1].folder


def test_what_comes_after_a_service_shares_its_network() -> None:
    server = DeclaredStep(name="server", role="service", command=("serve",), health=("ask",), network="bridge")
    first, second = steps(a_spec(), declared(server, RESULT))
    assert (first.container.network, first.container.joins) == (Network.BRIDGE, None)
    assert second.container.joins == "server"
    assert first.health is not None


def test_declared_steps_are_for_containers() -> None:
    with pytest.raises(UsageError, match="'mine' is declared for containers"):
        only(RESULT, engine=EngineName.NATIVE)


def test_the_page_lists_the_very_names_that_are_filled_in() -> None:
    said = set(re.findall(r"`\{([a-z_.]+(?:NAME)?)\}`", PAGE.read_text()))
    known = {re.sub(r"^(asset|parameter|set)\..*", r"\1.NAME", name) for name in _names(a_spec(), declared(RESULT))}
    assert said == known
