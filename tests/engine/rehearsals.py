"""Rehearse a vendor's driver with the real command on the real engine, and ask its stand-in for what it refuses."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.errors import ContainerError

from orchestrator.host.docker_api import connect
from tests.e2e.command import Called, blockers, call


@dataclass(frozen=True)
class Rehearsed:
    """One run of a rehearsal: its part of the --json document, and its folder."""

    run: Any

    @property
    def folder(self) -> Path:
        """The run directory."""
        return Path(self.run["run_dir"])

    @property
    def logs(self) -> Path:
        """LoadGen's logs."""
        return self.folder / "loadgen"

    @property
    def record(self) -> Any:
        """What run.json says of it."""
        return json.loads((self.folder / "run.json").read_text())

    @property
    def steps(self) -> list[str]:
        """The names of its executions, in order."""
        return [one["name"] for one in self.record["executions"]]

    @property
    def audited(self) -> bool:
        """Whether LoadGen read an audit file."""
        return "Found Audit Config file" in (self.logs / "mlperf_log_detail.txt").read_text()

    @property
    def said(self) -> str:
        """Everything that was printed."""
        return (self.folder / "run.log").read_text()

    def check(self) -> None:
        """It ended well on a real LoadGen, and says everywhere what it is."""
        assert self.run["state"] == "done", self.run["failure"]
        assert self.run["loadgen"]["qsl_rng_seed"], "LoadGen is real"
        assert any("REHEARSAL" in text for text in blockers(self.run))
        assert any("a rehearsal measures a stand-in" in text for text in blockers(self.run))
        plan = json.loads((self.folder / "plan.json").read_text())
        assert plan["evidence"] == "rehearsed"
        assert (self.logs / "mlperf_log_detail.txt").stat().st_size > 1000
        if self.run["mode"] == "accuracy":
            assert (self.logs / "accuracy.txt").read_text().strip()

    def check_programs(self) -> None:
        """The same where our image holds stand-ins for single programs, and the audit file lies with the logs."""
        self.check()
        assert "is a stand-in for the published one" in self.said
        if self.run["mode"] == "compliance":
            assert (self.logs / "audit.config").read_text().startswith("# TEST")
            assert (self.logs / "mlperf_log_accuracy.json").stat().st_size > 100, "the audit file was read"
        else:
            assert not (self.logs / "audit.config").exists()

    def check_owner(self) -> None:
        """What its containers wrote belongs to the caller."""
        written = [path for path in self.logs.rglob("*") if path.is_file()]
        assert written
        assert {path.stat().st_uid for path in written} == {os.geteuid()}


def attempt(cwd: Path, *arguments: str) -> Called:
    """`mlperf-docker run --rehearse …` with a cache of its own, so that every phase runs; it may fail."""
    return call(cwd, "run", "--rehearse", "--json", *arguments, MLPERF_DOCKER_CACHE=str(cwd / "cache"))


def rehearse(cwd: Path, *arguments: str) -> dict[str, Rehearsed]:
    """The same when it has to end well: its runs by mode."""
    done = attempt(cwd, *arguments)
    assert done.code == 0, done.stdout + done.stderr
    assert done.document["runs"]
    return {run["mode"]: Rehearsed(run) for run in done.document["runs"]}


def refusal(
    url: str,
    image: str,
    command: list[str],
    environment: dict[str, str] | None = None,
    *,
    volumes: dict[str, Any] | None = None,
    user: str | None = "65534:65534",
) -> str:
    """What a stand-in says to a command that it must refuse; `user` null: the image's own."""
    client = connect(url)
    try:
        client.containers.run(
            image,
            command,
            environment=environment or {},
            volumes=volumes or {},
            network_mode="none",
            user=user,
            remove=True,
        )
    except ContainerError as error:
        return str(error)
    finally:
        client.close()
    raise AssertionError(f"{command} was not refused")
