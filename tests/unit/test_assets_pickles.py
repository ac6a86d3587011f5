"""What preparation reads of foreign pickles: names and numbers; nothing that a pickle names is imported or called."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.preparation.fault import BadInput
from orchestrator.preparation.newsgroups import body, read_posts
from orchestrator.preparation.pickles import load_bunch, load_plain, load_torch_structure

READERS = [load_torch_structure, load_plain, load_bunch]


class Evil:
    """Runs a command when unpickled the ordinary way."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> object:
        return os.system, (self._command,)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_malicious_pickle_is_refused(tmp_path: Path, reader: object, protocol: int) -> None:
    mark = tmp_path / "owned"
    raw = pickle.dumps({"weights": Evil(f"touch {mark}")}, protocol)
    assert any(opcode.name == "REDUCE" for opcode, _, _ in pickletools.genops(raw))
    with pytest.raises(BadInput, match=r"refused to load (posix|nt)\.system"):
        reader(io.BytesIO(raw))  # type: ignore[operator]
    assert not mark.exists()


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@pytest.mark.parametrize(
    "raw",
    [
        b"c__builtin__\neval\n(S'1/0'\ntR.",
        b"cbuiltins\nexec\n(S'1/0'\ntR.",
        b"cbuiltins\ngetattr\n.",
        b"ccopy_reg\n_reconstructor\n(c__builtin__\nobject\nc__builtin__\nobject\nNtR.",
        b"(ios\nsystem\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"ctorch._utils\n_rebuild_tensor_v2\n(I1\nI2\nI3\nI4\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(c__builtin__\ndict\n(I0\ntS'b'\ntR.",
        b"P1\n.",
        b"Pstorage\n.",
        b"",
        b".",
    ],
)
def test_pickles_of_another_kind_are_refused(reader: object, raw: bytes) -> None:
    with pytest.raises(BadInput):
        reader(io.BytesIO(raw))  # type: ignore[operator]


def old_bunch(posts: list[str], labels: bytes, count: int) -> bytes:
    """A Bunch as the old pickle writes it (protocol 0, with the module names of its time)."""
    listed = b"".join(b"V" + post.encode("raw_unicode_escape").replace(b"\n", b"\\u000a") + b"\na" for post in posts)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I%d\ntcnumpy\ndtype\n(S'i8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS%s\ntb"
    ) % (count, repr(labels.decode("latin-1")).encode())
    state = b"(dS'data'\n(l" + listed + b"sS'target'\n" + array + b"s"
    return b"ccopy_reg\n_reconstructor\n(csklearn.datasets.base\nBunch\nc__builtin__\ndict\n" + state + b"tR."


def test_posts_and_labels_are_read(tmp_path: Path) -> None:
    labels = b"\x01" + bytes(7) + bytes(8)
    texts, found = read_posts(zlib.compress(old_bunch(["Subject: a\n\nfirst", "second"], labels, 2)))
    assert (texts, found) == (("Subject: a\n\nfirst", "second"), (1, 0))
    assert [body(text) for text in texts] == ["first", ""]


@pytest.mark.parametrize(
    ("posts", "labels", "count"),
    [(["a"], bytes(16), 2), (["a", "b"], bytes(15), 2), (["a"], bytes(8), 2), ([], bytes(8), 1)],
)
def test_posts_that_do_not_fit_their_labels_are_refused(posts: list[str], labels: bytes, count: int) -> None:
    with pytest.raises(BadInput):
        read_posts(zlib.compress(old_bunch(posts, labels, count)))


def test_posts_that_are_not_packed_are_refused() -> None:
    with pytest.raises(BadInput, match="zlib"):
        read_posts(b"not packed")


@given(st.data())
def test_a_mutated_pickle_is_read_or_refused_and_raises_nothing_else(data: st.DataObject) -> None:
    raw = bytearray(old_bunch(["one\n\ntwo", "three"], bytes(16), 2))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        texts, labels = read_posts(zlib.compress(bytes(raw)))
    except BadInput:
        return
    assert len(texts) == len(labels)
    assert all(isinstance(text, str) for text in texts)
