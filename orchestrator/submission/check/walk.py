"""Check a whole tree: every result by itself, in worker processes, with findings in a fixed order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from orchestrator.domain.submission import CheckedResult, Fault, Origin, Place, Weight
from orchestrator.domain.terms import Division, Scenario
from orchestrator.host.trees import FolderTree
from orchestrator.layouts.paths import LAYOUTS, TreeLayout
from orchestrator.submission.check.accuracy import accuracy
from orchestrator.submission.check.compliance import compliance
from orchestrator.submission.check.description import calibration, measurements, system
from orchestrator.submission.check.hygiene import hygiene
from orchestrator.submission.check.performance import performance
from orchestrator.submission.check.power import power
from orchestrator.submission.check.result import accuracy_of, value_of
from orchestrator.submission.check.rules import Ruleset
from orchestrator.submission.check.scenarios import scenarios
from orchestrator.submission.check.unit import Unit

_PARTS = (performance, accuracy, system, measurements, calibration, power, compliance)
_WORTH_WORKERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A tree that was checked: its results, and findings about no result in particular."""

    results: tuple[CheckedResult, ...]
    faults: tuple[Fault, ...]

    def of(self, origin: Origin) -> tuple[Fault, ...]:
        """All faults (no warnings) of an origin."""
        everything = (*self.faults, *(fault for result in self.results for fault in result.faults))
        return tuple(fault for fault in everything if fault.origin is origin and fault.weight is Weight.FAULT)


def check_tree(tree: FolderTree, rules: Ruleset, *, submitter: str | None = None, workers: int = 1) -> Checked:
    """Every finding about a tree (or one submitter's part). Broken parts give findings, never an error."""
    layout = LAYOUTS[rules.round.layout or "results"]
    groups = tuple(tuple(group) for _, group in groupby(places(tree, submitter), key=_model))
    check = partial(_check_group, tree, layout, rules)
    if workers > 1 and len(groups) > _WORTH_WORKERS:
        results = _in_workers(tree, layout, rules, groups, workers)
    else:
        results = [check(group) for group in groups]
    return Checked(
        results=tuple(result for group in results for result in group),
        faults=tuple(hygiene(tree, rules, submitter)),
    )


def places(tree: FolderTree, submitter: str | None = None) -> Iterator[Place]:
    """Every result of a tree, sorted: division, submitter, system, benchmark, scenario."""
    divisions = {each.value for each in Division}
    for division in tree.folder("").folders:
        if division not in divisions:
            continue
        for name in tree.folder(division).folders:
            if submitter and name != submitter:
                continue
            top = f"{division}/{name}/results"
            for system_name in tree.folder(top).folders:
                for benchmark in tree.folder(f"{top}/{system_name}").folders:
                    for scenario in tree.folder(f"{top}/{system_name}/{benchmark}").folders:
                        yield Place(
                            division=division,
                            submitter=name,
                            system=system_name,
                            benchmark=benchmark,
                            scenario=scenario,
                        )


def check_result(unit: Unit) -> CheckedResult:
    """One result with everything found about it; what breaks a check is a finding, too."""
    faults = [fault for part in _PARTS for fault in part(unit)]
    value, inferred = value_of(unit)
    return CheckedResult(
        place=unit.place,
        model=unit.model.name if unit.model else None,
        value=value,
        unit=None,
        accuracy=accuracy_of(unit),
        inferred=inferred,
        power=unit.tree.has_folder(unit.layout.power(unit.place)),
        faults=tuple(faults),
    )


def _model(place: Place) -> tuple[str, str, str, str]:
    return place.division, place.submitter, place.system, place.benchmark


def _check_group(tree: FolderTree, layout: TreeLayout, rules: Ruleset, group: tuple[Place, ...]) -> list[CheckedResult]:
    """All scenarios of one model on one system; what is missing among them stands against each."""
    units = [Unit(tree=tree, layout=layout, rules=rules, place=place) for place in group]
    shown = frozenset(unit.scenario for unit in units if unit.scenario is not None)
    unknown = tuple(unit.place.scenario for unit in units if unit.scenario is None)
    found = []
    for unit in units:
        checked = check_result(unit)
        more = tuple(scenarios(unit, frozenset[Scenario](shown), unknown))
        found.append(_with(checked, more))
    return found


def _with(checked: CheckedResult, more: tuple[Fault, ...]) -> CheckedResult:
    from dataclasses import replace

    return replace(checked, faults=(*more, *checked.faults)) if more else checked


# -- workers: forked, so that they share the listing; what they give back is small ------------------------------------

_Work = tuple[FolderTree, TreeLayout, Ruleset, tuple[tuple[Place, ...], ...]]
_work: list[_Work] = []


def _in_workers(
    tree: FolderTree, layout: TreeLayout, rules: Ruleset, groups: tuple[tuple[Place, ...], ...], workers: int
) -> list[list[CheckedResult]]:
    import multiprocessing

    _work.append((tree, layout, rules, groups))
    try:
        with multiprocessing.get_context("fork").Pool(min(workers, os.cpu_count() or 1)) as pool:
            return pool.map(_one, range(len(groups)), chunksize=4)
    finally:
        _work.pop()


def _one(at: int) -> list[CheckedResult]:
    tree, layout, rules, groups = _work[-1]
    return _check_group(tree, layout, rules, groups[at])
