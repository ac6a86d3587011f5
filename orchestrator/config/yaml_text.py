"""Read YAML text into plain values and keep the place of every node. Knows no schema and opens no file.

Scalars are read narrowly: only `true` and `false` are booleans, dates stay text, a repeated key is a fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.domain.canonical import JsonValue
from orchestrator.errors import ConfigError

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode

Steps = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_PLAIN_TEXT = {f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}merge", f"{_TAG}value"}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands in a text; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """A text as plain values, with the nodes that they came from. An empty text is an empty mapping."""

    name: str
    value: JsonValue
    root: Node | None

    def place(self, path: Steps, *, of_key: bool = False) -> Place:
        """Where the value at a path stands (or its key); the nearest thing around it that the text does hold."""
        node = self.root
        found = node
        for step in path:
            key, node = _child(node, step)
            if node is None:
                break
            found = key if of_key and key is not None else node
        return _place(found)

    def where(self, path: Steps, *, of_key: bool = False) -> str:
        """The place as `file:line:column`."""
        place = self.place(path, of_key=of_key)
        return f"{self.name}:{place.line}:{place.column}"


def read_yaml(text: str, name: str) -> Document:
    """Parse one document; ConfigError lists every fault of form (syntax, repeated keys, odd tags) with its place."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise ConfigError((f"{where}: not YAML: {error.problem or error.context}",)) from error
    except yaml.YAMLError as error:
        raise ConfigError((f"{name}: not YAML: {' '.join(str(error).split())}",)) from error
    reading = _Reading(name, [])
    value = {} if root is None else reading.plain(root, ())
    if reading.faults:
        raise ConfigError(tuple(reading.faults))
    return Document(name, value, root)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One pass over the nodes; `faults` grows."""

    name: str
    faults: list[str]

    def plain(self, node: Node, above: tuple[Node, ...]) -> JsonValue:
        import yaml

        if any(node is outer for outer in above):
            return self._fault(node, "an alias may not stand inside what it names")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*above, node)) for item in node.value]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, above)
        return self._fault(node, "neither a value, a list nor a mapping")

    def _mapping(self, node: MappingNode, above: tuple[Node, ...]) -> JsonValue:
        value: dict[str, JsonValue] = {}
        first: dict[str, Place] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key, str):
                self._fault(key_node, "a key must be text")
            elif key in first:
                self._fault(key_node, f"'{key}' stands twice (first in line {first[key].line})")
            else:
                first[key] = _place(key_node)
                value[key] = self.plain(value_node, (*above, node))
        return value

    def _scalar(self, node: ScalarNode) -> JsonValue:
        text: str = node.value
        if node.tag in _PLAIN_TEXT or node.style in {"'", '"', "|", ">"}:
            return text
        match node.tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return {"true": True, "false": False}.get(text.lower(), text)
            case "int":
                return _whole(text)
            case "float":
                return _number(text)
            case _:
                return self._fault(node, f"the tag {node.tag} is not used here")

    def _fault(self, node: Node, what: str) -> JsonValue:
        place = _place(node)
        self.faults.append(f"{self.name}:{place.line}:{place.column}: {what}")
        return None


def _whole(text: str) -> int | str:
    """A whole number; what only old YAML takes for one (010, 1:30) stays text."""
    try:
        return int(text, 0)
    except ValueError:
        return text


def _number(text: str) -> float | str:
    """A finite number; `.inf`, `.nan` and 1:30.5 stay text."""
    try:
        return float(text.replace("_", ""))
    except ValueError:
        return text


def _child(node: Node | None, step: str | int) -> tuple[Node | None, Node | None]:
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    return None, None


def _place(node: Node | None) -> Place:
    if node is None or node.start_mark is None:
        return Place(1, 1)
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
