"""YAML text becomes plain values with places; odd YAML is a fault with its place, never a surprise."""

from __future__ import annotations

import pytest

from orchestrator.config.yaml_text import Place, read_yaml
from orchestrator.errors import ConfigError


def faults_of(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, "a.yaml")
    return caught.value.faults


def test_scalars_are_read_narrowly() -> None:
    text = "a: true\nb: yes\nc: 010\nd: 1:30\ne: 2026-07-31\nf: ~\ng: 0x10\nh: 1.5\ni: '7'\nj: 18_000\nk: .inf\n"
    assert read_yaml(text, "a.yaml").value == {
        "a": True,
        "b": "yes",
        "c": "010",
        "d": "1:30",
        "e": "2026-07-31",
        "f": None,
        "g": 16,
        "h": 1.5,
        "i": "7",
        "j": 18000,
        "k": ".inf",
    }


def test_without_the_c_library_the_same_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x {b: [1, '2', 1:30]}\nc: *x\nd: |\n  5\n"
    fast = read_yaml(text, "a.yaml")
    monkeypatch.delattr("yaml.CSafeLoader")
    slow = read_yaml(text, "a.yaml")
    assert slow.value == fast.value == {"a": {"b": [1, "2", "1:30"]}, "c": {"b": [1, "2", "1:30"]}, "d": "5\n"}
    assert slow.place(("c", "b", 1)) == fast.place(("c", "b", 1)) == Place(1, 15)


def test_keys_are_text_whatever_they_look_like() -> None:
    assert read_yaml("1: a\n5.0: b\ntrue: c\n", "a.yaml").value == {"1": "a", "5.0": "b", "true": "c"}


def test_an_alias_stands_for_what_it_names() -> None:
    assert read_yaml("a: &x [1, 2]\nb: *x\n", "a.yaml").value == {"a": [1, 2], "b": [1, 2]}


def test_an_empty_text_is_an_empty_mapping() -> None:
    document = read_yaml("# nothing\n", "a.yaml")
    assert document.value == {}
    assert document.where(("x",)) == "a.yaml:1:1"


def test_places_of_keys_values_and_of_what_is_not_there() -> None:
    document = read_yaml("a:\n  - b: 1\n  - c: 2\n", "a.yaml")
    assert document.place(("a", 1, "c")) == Place(3, 8)
    assert document.place(("a", 1, "c"), of_key=True) == Place(3, 5)
    assert document.place(("a", 1, "gone")) == Place(3, 5)
    assert document.place(("a", 9)) == Place(2, 3)


def test_every_repeated_key_and_odd_tag_is_told_at_once() -> None:
    assert faults_of("a: 1\na: 2\nb: !thing 3\nc: {d: 1, d: 2}\n") == (
        "a.yaml:2:1: 'a' stands twice (first in line 1)",
        "a.yaml:3:4: the tag !thing is not used here",
        "a.yaml:4:11: 'd' stands twice (first in line 4)",
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: [1", "a.yaml:2:1: not YAML"),
        ("a: b: c", "a.yaml:1:5: not YAML"),
        ("a: &x [*x]", "a.yaml:1:4: an alias may not stand inside what it names"),
        ("{[1]: 2}", "a.yaml:1:2: a key must be text"),
        ("a: 1\n---\nb: 2", "a.yaml:2:1: not YAML"),
        ("a: \x01", "a.yaml: not YAML: unacceptable character"),
    ],
)
def test_broken_yaml_is_a_fault_with_its_place(text: str, fault: str) -> None:
    found = faults_of(text)
    assert len(found) == 1
    assert found[0].startswith(fault)
