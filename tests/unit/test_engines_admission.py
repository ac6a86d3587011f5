"""What an engine cannot carry is refused before anything starts, by name and with a remedy."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from orchestrator.domain.container import Capability, ContainerSpec, Limits, Mount
from orchestrator.engines.admission import require, require_sources, require_terminal
from orchestrator.engines.native import NativeEngine
from orchestrator.errors import EngineError, UsageError


def test_everything_that_is_lacking_is_named_at_once() -> None:
    spec = ContainerSpec(image="i", command=("x",), gpus=("all",), limits=Limits(memory_bytes=1, cpuset="0"))
    with pytest.raises(EngineError, match="memory_limit, cpuset, gpu") as refused:
        require(spec, frozenset(), "bare")
    assert "driver" in str(refused.value.hint)
    require(spec, frozenset(Capability), "full")


def test_isolation_that_is_only_our_choice_is_not_refused() -> None:
    require(ContainerSpec(image="i", command=("x",)), frozenset(), "bare")


def test_sources_must_exist_and_be_absolute(tmp_path: Path) -> None:
    require_sources([Mount(source=tmp_path, target=PurePosixPath("/x"))])
    for source in (tmp_path / "none", Path("relative")):
        with pytest.raises(EngineError, match=source.name):
            require_sources([Mount(source=source, target=PurePosixPath("/x"))])


def test_a_shell_without_a_terminal_is_refused() -> None:
    require_terminal(True)
    with pytest.raises(UsageError):
        require_terminal(False)


def test_the_native_engine_shows_a_path_only_where_it_is(tmp_path: Path) -> None:
    spec = ContainerSpec(
        image=str(tmp_path), command=("x",), mounts=(Mount(source=tmp_path, target=PurePosixPath("/model")),)
    )
    with (
        pytest.raises(EngineError, match="/model"),
        NativeEngine().start(spec, run_id="r", output=len),
    ):
        pytest.fail("it was started all the same")


def test_the_native_line_names_the_environment_and_nothing_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s")
    spec = ContainerSpec(image="/env dir", command=("python", "-m", "x"), environment=(("A", "b c"),))
    line = NativeEngine().equivalent(spec)
    assert line.startswith("cd / && env -i 'PATH=/env dir/bin:")
    assert line.endswith("'A=b c' python -m x")
    assert "SECRET" not in line
