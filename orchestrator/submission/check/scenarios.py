"""Which scenarios a system of a category has to show for a model. Pure but for the tree."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.domain.benchmark import BenchmarkRules
from orchestrator.domain.submission import Fault
from orchestrator.domain.terms import Category, Scenario
from orchestrator.layouts.paths import MODEL_MAPPING
from orchestrator.submission.check.unit import Unit


def scenarios(unit: Unit, shown: frozenset[Scenario], unknown: tuple[str, ...]) -> Iterator[Fault]:
    """Findings about the scenario folders of one model on one system; one stands for all its results."""
    path = unit.layout.result(unit.place).parent
    if unknown:
        yield unit.fault(
            "scenario_unknown",
            path,
            f"no scenarios: {', '.join(unknown)}",
            f"folders are called {', '.join(Scenario)}, or so in lower case",
        )
    mapping = unit.layout.submitter(unit.place) / MODEL_MAPPING
    if unit.model is None and not unit.closed and unit.tree.is_absent(mapping):
        yield unit.missing("model_unknown", mapping, "", "")
        return
    if unit.model is None:
        yield unit.fault(
            "model_unknown",
            path,
            f"round {unit.rules.round.name} has no model '{unit.place.benchmark}'",
            f"its models: {', '.join(sorted(unit.rules.models))}"
            + ("" if unit.closed else "; or name yours in model_mapping.json"),
        )
        return
    if not unit.closed:
        return
    wanted = _wanted(unit.model.rules, unit.system_type)
    if wanted is None:
        yield unit.fault(
            "model_not_of_category",
            path,
            f"'{unit.model.name}' is no benchmark of {unit.system_type or 'an unknown category'}",
            "submit it in the open division, or under another system type",
        )
        return
    required, optional, one_of = wanted
    lacking = [each.value for each in required if each not in shown]
    if one_of and not shown & set(one_of):
        lacking.append(" or ".join(each.value for each in one_of))
    if lacking:
        yield unit.fault("scenario_missing", path, f"scenarios are missing: {', '.join(lacking)}", "measure them")
    odd = [each.value for each in sorted(shown - set(required) - set(optional))]
    if odd:
        yield unit.fault(
            "scenario_unknown", path, f"not scenarios of '{unit.model.name}' there: {', '.join(odd)}", "take them out"
        )


def _wanted(
    rules: BenchmarkRules, system_type: str
) -> tuple[tuple[Scenario, ...], tuple[Scenario, ...], tuple[Scenario, ...]] | None:
    """Required and optional scenarios, and those of which one must be there; None: no benchmark of that category."""
    categories = [each.strip() for each in system_type.split(",")]
    if len(categories) == 2:
        both = rules.datacenter_edge
        return None if both is None else (both.required, both.optional, both.one_of)
    category = next((each for each in Category if each.value == categories[0]), None)
    if category is None or (category not in rules.required and category not in rules.optional):
        return None
    return rules.required.get(category, ()), rules.optional.get(category, ()), rules.one_of.get(category, ())
