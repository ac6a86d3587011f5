"""scripts/engine with fake programs on PATH: what it does, in which order, and what it refuses; scripts are clean."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.host.process import Completed, run
from orchestrator.host.shipped import shipped

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "engine"
LOCAL_BASE = "mlperf-docker/base:bookworm-py311"
REGISTRY_BASE = "python:3.11-slim-bookworm"

FAKES = {
    "docker": """
case "$1 $2" in
  version*) [ -e "$STATE/up" ] && echo 20.10 ;;
  "image inspect") grep -qx "$3" "$STATE/images" ;;
  pull*) if [ -e "$STATE/registry" ]; then echo "$2" >>"$STATE/images"; else echo "no such host" >&2; exit 1; fi ;;
  import*) echo "$*" >>"$STATE/imports"; for last; do :; done; echo "$last" >>"$STATE/images" ;;
  *) exit 64 ;;
esac""",
    "dockerd": '[ ! -e "$STATE/broken" ] || { echo "cannot start: broken" >&2; exit 1; }\ntouch "$STATE/up"',
    "mmdebstrap": """
for word; do case "$word" in */base.tar) tar=$word ;; esac; done
: >"$tar"; echo "python3=1" >"$(dirname "$tar")/packages"; echo "$*" >>"$STATE/mmdebstrap" """,
    "dpkg-query": 'echo "install ok installed"',
    "apt-get": 'case "$1" in indextargets) echo "http://mirror.example/debian/ bookworm" ;; *) exit 64 ;; esac',
    "apt-config": """echo 'Acquire::http::Proxy "http://cache.example:3142";'""",
    "systemctl": "exit 64",
    "service": "exit 64",
}


@dataclass(frozen=True)
class Machine:
    """A machine whose programs are fakes; `state` is what they remember."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def pid_files(self) -> tuple[Path, Path]:
        return self.folder / "run/docker.pid", self.folder / "run/docker/containerd/containerd.pid"

    def images(self) -> list[str]:
        return (self.state / "images").read_text().split()

    def call(self, *arguments: str, user: int | None = None, **environment: str) -> Completed:
        """Run the script; as another user when one is given (needs root)."""
        as_user = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups") if user else ()
        variables = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "STATE": str(self.state),
            "MLPERF_DOCKER_ENGINE_RUN": str(self.folder / "run"),
            "MLPERF_DOCKER_ENGINE_LOG": str(self.state / "dockerd.log"),
            "DOCKER_HOST": "",
            **environment,
        }
        script = SCRIPT.read_bytes()
        return run([*as_user, "bash", "-s", "--", *arguments], environment=variables, stdin=script, timeout_s=60)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Everything installed, nothing running; open to every user."""
    folder = Path(tempfile.mkdtemp(prefix="images-test-"))
    folder.chmod(0o755)
    for name in ("bin", "state", "run/docker/containerd"):
        (folder / name).mkdir(parents=True)
    (folder / "state/images").touch()
    for name, body in FAKES.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    yield Machine(folder)
    shutil.rmtree(folder)


def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("starting an engine needs root, even a fake one")


def test_from_nothing_it_starts_the_daemon_and_makes_a_base(machine: Machine) -> None:
    as_root()
    done = machine.call()
    assert done.ok, done.stderr
    said = done.stdout.splitlines()
    steps = ["start dockerd", "answers: 20.10", f"pull {REGISTRY_BASE}", "no such host", "with mmdebstrap", LOCAL_BASE]
    assert [step for step in steps if any(step in line for line in said)] == steps
    assert machine.images() == [LOCAL_BASE]
    assert "http://mirror.example/debian/" in (machine.state / "mmdebstrap").read_text()
    assert 'Acquire::http::Proxy "http://cache.example:3142";' in (machine.state / "mmdebstrap").read_text()
    labels = (machine.state / "imports").read_text()
    assert "mlperf-docker.base.origin=mmdebstrap" in labels
    assert "mlperf-docker.base.packages-sha256=" in labels
    assert "mirror.example" not in labels


def test_a_second_time_it_does_nothing(machine: Machine) -> None:
    as_root()
    assert machine.call().ok
    again = machine.call()
    assert again.ok
    assert len(again.stdout.splitlines()) == 2
    assert machine.images() == [LOCAL_BASE]


def test_where_a_registry_answers_its_base_is_pulled(machine: Machine) -> None:
    (machine.state / "up").touch()
    (machine.state / "registry").touch()
    assert machine.call().ok
    assert machine.images() == [REGISTRY_BASE]


def test_a_dry_run_says_all_and_does_nothing(machine: Machine) -> None:
    machine.pid_files[0].write_text("999999999\n")
    done = machine.call("--dry-run")
    assert done.ok, done.stderr
    assert "would start dockerd" in done.stdout
    assert "would remove the stale pid file" in done.stdout
    assert not (machine.state / "up").exists()
    assert machine.pid_files[0].exists()
    assert machine.images() == []


def test_stale_pid_files_go_and_a_living_daemons_stays(machine: Machine) -> None:
    as_root()
    docker_pid, containerd_pid = machine.pid_files
    docker_pid.write_text(f"{os.getpid()}\n")  # alive, but no dockerd: the number was used again
    containerd = machine.folder / "bin" / "containerd"
    shutil.copy("/bin/sleep", containerd)
    with subprocess.Popen([containerd, "30"]) as living:
        containerd_pid.write_text(f"{living.pid}\n")
        done = machine.call("--engine-only")
        living.kill()
    assert done.ok, done.stderr
    assert not docker_pid.exists()
    assert containerd_pid.exists()


def test_a_daemons_zombie_counts_as_gone(machine: Machine) -> None:
    as_root()
    dead = machine.folder / "bin" / "containerd"
    shutil.copy("/bin/true", dead)
    with subprocess.Popen([dead]) as zombie:
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        machine.pid_files[1].write_text(f"{zombie.pid}\n")
        assert machine.call("--engine-only").ok
    assert not machine.pid_files[1].exists()


def test_a_daemon_that_does_not_start_shows_the_end_of_its_log(machine: Machine) -> None:
    as_root()
    (machine.state / "broken").touch()
    done = machine.call()
    assert done.code == 6
    assert "cannot start: broken" in done.stderr
    assert "hint:" in done.stderr


def test_another_engine_that_is_named_is_never_replaced(machine: Machine) -> None:
    done = machine.call(DOCKER_HOST="tcp://elsewhere:2375")
    assert done.code == 6
    assert "tcp://elsewhere:2375" in done.stderr
    assert not (machine.state / "up").exists()


def test_without_root_it_says_whom_to_ask_for_what(machine: Machine) -> None:
    done = machine.call(user=65534 if os.geteuid() == 0 else None)
    assert done.code == 3
    assert "root is needed to start the container engine" in done.stderr
    assert "hint: ask the administrator" in done.stderr


def test_without_root_an_engine_and_a_base_that_are_there_suffice(machine: Machine) -> None:
    (machine.state / "up").touch()
    (machine.state / "images").write_text(f"{LOCAL_BASE}\n")
    assert machine.call(user=65534 if os.geteuid() == 0 else None).ok


def test_an_unknown_option_is_a_usage_error_and_help_is_help(machine: Machine) -> None:
    wrong = machine.call("--frobnicate")
    assert wrong.code == 2
    assert "'--frobnicate'" in wrong.stderr
    helped = machine.call("--help")
    assert helped.ok
    assert helped.stdout.startswith("usage: scripts/engine")


def shell_files() -> list[Path]:
    found = [SCRIPT, *sorted(shipped("dockerfiles").rglob("*.sh"))]
    assert len(found) > 3
    return found


@pytest.mark.parametrize("path", shell_files(), ids=lambda path: path.name)
def test_shell_files_are_clean(path: Path) -> None:
    if shutil.which("shellcheck") is None:
        if os.environ.get("CI"):
            pytest.fail("shellcheck is not installed")
        pytest.skip("shellcheck is not installed")
    done = run(["shellcheck", "--external-sources", str(path)], cwd=ROOT)
    assert done.ok, done.stdout


def test_every_lock_pins_exactly_what_its_set_names() -> None:
    folder = shipped("dockerfiles/generic/requirements")
    sets = tomllib.loads((folder / "sets.toml").read_text())["sets"]
    seen = 0
    for path in sorted(folder.glob("*.txt")):
        wanted = sets[path.name.split("-")[0]]
        pins = {line.split()[0] for line in path.read_text().splitlines() if line[0] not in "# "}
        loadgen = {pin for pin in pins if pin.startswith("mlcommons-loadgen==")}
        assert pins - loadgen == set(wanted["packages"]), path.name
        assert bool(loadgen) is wanted["loadgen"], path.name
        seen += 1
    assert seen > 10
