"""What a graph's own signature says about batching, and what options a backend takes."""

from __future__ import annotations

import pytest

from orchestrator.sut.backends.options import chosen
from orchestrator.sut.faults import SutError
from orchestrator.sut.signature import Dim, Signature, TensorSpec

KNOWN = {"precision": ("f32", "bf16"), "spin": ("1", "0")}


def signature(*shapes: tuple[Dim, ...]) -> Signature:
    return Signature(tuple(TensorSpec(f"in{place}", "float32", shape) for place, shape in enumerate(shapes)), ())


@pytest.mark.parametrize(
    ("shapes", "fixed", "whole"),
    [
        ([("batch", 3, 8, 8)], None, False),
        ([("batch", "tokens"), ("batch", "tokens")], None, False),
        ([(1, 3, 8, 8)], 1, False),
        ([(4, 10), (4,)], 4, False),
        ([("batch", 4), (1, 4)], 1, False),  # one of them takes one sample only
        ([(1, 576), (2, 1, 128), ()], None, True),  # a recurrent graph: state and sampling rate beside the samples
        ([("batch", 4), (2, 4)], None, True),
        ([()], None, True),
        ([], None, False),
    ],
)
def test_a_batch_axis_is_what_all_inputs_share(shapes: list[tuple[Dim, ...]], fixed: int | None, whole: bool) -> None:
    found = signature(*shapes)
    assert (found.fixed_batch, found.whole) == (fixed, whole)


def test_a_sample_has_no_batch_axis_unless_the_graph_has_none() -> None:
    batched, whole = signature(("batch", 4)), signature((2, 4), ())
    assert batched.sample_shape(batched.inputs[0]) == (4,)
    assert whole.sample_shape(whole.inputs[0]) == (2, 4)


def test_options_default_to_the_first_known_value() -> None:
    assert chosen("x", {"spin": "0"}, KNOWN) == {"precision": "f32", "spin": "0"}


def test_sizes_of_open_dimensions_are_not_a_backends_option() -> None:
    assert chosen("x", {"dim.tokens": "64"}, {}) == {}


@pytest.mark.parametrize(
    ("options", "said"),
    [({"precison": "f32"}, "did you mean 'precision'"), ({"spin": "yes"}, "takes 1 or 0"), ({"zzz": ""}, "it knows")],
)
def test_an_unknown_option_or_value_is_explained(options: dict[str, str], said: str) -> None:
    with pytest.raises(SutError, match=said):
        chosen("x", options, KNOWN)
