"""One result of a tree with all that its checks read, parsed once and only where it is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from orchestrator.domain.measurement import DetailLog
from orchestrator.domain.submission import Fault, Origin, Place, Weight
from orchestrator.domain.terms import Division, Scenario
from orchestrator.host.trees import FolderTree
from orchestrator.layouts.paths import ACCURACY_TEXT, DETAIL, MODEL_MAPPING, TreeLayout
from orchestrator.loadgen.detail import parse_detail
from orchestrator.submission.check.rules import ModelRules, Ruleset, origin_of

Document = Mapping[str, object]


class UnreadableError(ValueError):
    """A JSON file that is none, or no object."""


def read_object(tree: FolderTree, path: PurePosixPath) -> Document | None:
    """The object of a JSON file; None where there is no file, UnreadableError where it is something else."""
    if tree.size(path) is None or tree.is_absent(path):
        return None
    try:
        found = json.loads(tree.text(path))
    except (ValueError, RecursionError) as error:
        raise UnreadableError(str(error)[:200]) from error
    if not isinstance(found, dict):
        raise UnreadableError("it is no object")
    return found


@dataclass(frozen=True)
class Unit:
    """A result, its tree and its rules. Logs are read on first use."""

    tree: FolderTree
    layout: TreeLayout
    rules: Ruleset
    place: Place

    @cached_property
    def mapping(self) -> dict[str, str]:
        """The submitter's own names for models; the checker reads them in the open division alone."""
        if self.place.official_division is not Division.OPEN:
            return {}
        try:
            found = read_object(self.tree, self.layout.submitter(self.place) / MODEL_MAPPING)
        except UnreadableError:
            return {}
        return {name: value for name, value in (found or {}).items() if isinstance(value, str)}

    @cached_property
    def model(self) -> ModelRules | None:
        """The model's rules in this round."""
        return self.rules.model_of(self.place.benchmark, self.mapping)

    @cached_property
    def system(self) -> Document | None:
        """The system's description, where it can be read."""
        try:
            return read_object(self.tree, self.layout.system(self.place))
        except UnreadableError:
            return None

    @cached_property
    def system_type(self) -> str:
        """`datacenter`, `edge` or both, as the description says; empty where it does not."""
        found = (self.system or {}).get("system_type")
        return found if isinstance(found, str) else ""

    @cached_property
    def scenario(self) -> Scenario | None:
        """The folder's scenario."""
        return self.place.official_scenario

    @cached_property
    def closed(self) -> bool:
        """Whether the division holds results to targets (closed and network)."""
        return self.place.official_division is not Division.OPEN

    @cached_property
    def performance(self) -> DetailLog | None:
        """The measured run's log."""
        return self.log(self.layout.performance(self.place))

    @cached_property
    def accuracy(self) -> DetailLog | None:
        """The accuracy run's log."""
        return self.log(self.layout.accuracy(self.place))

    @cached_property
    def accuracy_text(self) -> str | None:
        """What the accuracy script printed."""
        path = self.layout.accuracy(self.place) / ACCURACY_TEXT
        return None if self.tree.size(path) is None or self.tree.is_absent(path) else self.tree.text(path)

    @cached_property
    def endpoints(self) -> bool:
        """Whether MLCommons endpoints measured it: the round takes them, and LoadGen wrote neither log."""
        allowed = self.model is not None and self.model.rules.endpoints is not None
        return allowed and self.performance is None and self.accuracy is None

    def log(self, folder: PurePosixPath) -> DetailLog | None:
        """The detail log of a folder; None where there is none."""
        path = folder / DETAIL
        there = self.tree.size(path) is not None and not self.tree.is_absent(path)
        return parse_detail(self.tree.chunks(path)) if there else None

    def missing(self, code: str, path: PurePosixPath, text: str, remedy: str) -> Fault:
        """A file that cannot be read: missing, or known to be left out of this copy of the tree (then a warning)."""
        if self.tree.is_absent(path):
            text = "it belongs to the submission and is not in this copy of it: nothing can be said of it"
            return self.fault("not_here", path, text, "check the whole tree", weight=Weight.WARNING)
        return self.fault(code, path, text, remedy)

    def fault(
        self,
        code: str,
        path: PurePosixPath,
        text: str,
        remedy: str,
        *,
        line: int | None = None,
        weight: Weight = Weight.FAULT,
    ) -> Fault:
        """A finding about this result, with the rule's origin in this round."""
        origin: Origin = origin_of(code, self.rules.round.name)
        return Fault(
            code=code, origin=origin, weight=weight, place=self.place, path=path, line=line, text=text, remedy=remedy
        )
