"""Recipes depend on what is in a context, and on nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.images.context import ContextFile, digest, pack

FILES = st.lists(
    st.builds(
        ContextFile,
        path=st.text(alphabet="abc/._-", min_size=1, max_size=12).filter(lambda name: name.strip("/.") == name),
        mode=st.sampled_from((0o644, 0o755)),
        content=st.binary(max_size=40),
    ),
    unique_by=lambda file: file.path,
    max_size=6,
)


@given(text=st.text(max_size=30), files=FILES, random=st.randoms(use_true_random=False))
def test_the_order_of_files_changes_nothing(text: str, files: list[ContextFile], random: object) -> None:
    shuffled = sorted(files, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert digest(text, shuffled) == digest(text, files)
    assert pack(shuffled) == pack(files)


@given(text=st.text(max_size=30), one=FILES, other=FILES)
def test_different_contexts_have_different_digests(text: str, one: list[ContextFile], other: list[ContextFile]) -> None:
    def by_path(files: list[ContextFile]) -> list[ContextFile]:
        return sorted(files, key=lambda file: file.path)

    assert (digest(text, one) == digest(text, other)) == (by_path(one) == by_path(other))
