"""What only Docker has: warnings of the daemon, its real limits, labelled networks and volumes, a missing daemon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from docker import APIClient

from orchestrator.domain.container import OWNER_LABEL, RUN_LABEL, Capability, ContainerSpec, Mount, Outcome, outcome
from orchestrator.engines.docker import DockerEngine
from orchestrator.errors import EngineError
from orchestrator.host.docker_api import connect
from orchestrator.host.owner import boot_id, owner_label
from tests.engine.carriers import LONG_S, Carrier, new_token

pytestmark = pytest.mark.engine

DEAD = f"{boot_id()}:1:0"


@pytest.fixture
def api(docker_url: str) -> Iterator[APIClient]:
    client = connect(docker_url).api
    yield client
    client.close()


def test_a_warning_of_the_daemon_is_on_the_record(docker_carrier: Carrier, foreign_image: str) -> None:
    token = new_token()
    spec = ContainerSpec(image=foreign_image, command=("sh", "-c", "exit 0"))
    with docker_carrier.engine.start(spec, run_id=token, output=len) as running:
        ended = running.wait(LONG_S)
    assert ended.code == 0
    assert any("platform" in warning for warning in ended.warnings)


def test_peak_memory_is_read_while_it_runs(docker_carrier: Carrier) -> None:
    if Capability.MEMORY_LIMIT not in docker_carrier.capabilities:
        pytest.skip("this daemon has no memory cgroups")
    ended = docker_carrier.run("block = b'x' * (120 << 20); import time; time.sleep(1.6)").exit
    assert ended.peak_memory_bytes is not None
    assert 120 << 20 <= ended.peak_memory_bytes < 300 << 20


def test_a_start_that_the_daemon_refuses_leaves_nothing(docker_carrier: Carrier) -> None:
    token = new_token()
    spec = replace(docker_carrier.spec("pass ", token=token), add_capabilities=("NO_SUCH_CAPABILITY",))
    with (
        pytest.raises(EngineError, match="NO_SUCH_CAPABILITY"),
        docker_carrier.engine.start(spec, run_id=token, output=len),
    ):
        pytest.fail("it was started all the same")
    assert docker_carrier.traces(token) == []


def test_a_start_that_fails_late_is_no_exit_status_and_leaves_nothing(docker_carrier: Carrier, tmp_path: Path) -> None:
    token = new_token()
    over_a_file = Mount(source=tmp_path, target=PurePosixPath("/etc/passwd"))
    spec = docker_carrier.spec("pass ", token=token, mounts=(over_a_file,))
    with (
        pytest.raises(EngineError, match="start the container"),
        docker_carrier.engine.start(spec, run_id=token, output=len),
    ):
        pytest.fail("it was started all the same")
    assert docker_carrier.traces(token) == []


def test_a_harness_may_be_silent_for_longer_than_the_client_is_patient(
    docker_carrier: Carrier, docker_url: str
) -> None:
    engine = DockerEngine(docker_url)
    engine.info()
    engine._api.timeout = 2
    ended = replace(docker_carrier, engine=engine).run("import time; time.sleep(2.5); print('still here')")
    assert (ended.exit.code, ended.text) == (0, "still here\n")


def test_clean_takes_networks_and_volumes_of_dead_owners_only(docker_carrier: Carrier, api: APIClient) -> None:
    dead, living = new_token(), new_token()
    for name, owner in ((dead, DEAD), (living, owner_label())):
        api.create_volume(name, labels={OWNER_LABEL: owner})
        api.create_network(name, labels={OWNER_LABEL: owner}, internal=True)
        api.create_container(docker_carrier.image, ["sh"], name=name, labels={OWNER_LABEL: owner, RUN_LABEL: name})
    try:
        removed = docker_carrier.engine.clean()
        assert {f"container {dead}", f"network {dead}", f"volume {dead}"} <= set(removed)
        assert not any(living in what for what in removed)
        left = {volume["Name"] for volume in api.volumes()["Volumes"] or []}
        assert (living in left, dead in left) == (True, False)
    finally:
        api.remove_container(living, force=True)
        api.remove_network(living)
        api.remove_volume(living)


def test_the_daemon_s_hard_limits_are_read_from_its_process(docker_carrier: Carrier, docker_url: str) -> None:
    info = docker_carrier.engine.info()
    if not docker_url.startswith("unix://"):
        pytest.skip("the daemon is not of this machine")
    limits = dict(info.hard_limits)
    pids = [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _command(folder) == "dockerd"]
    assert pids
    ours = [(Path("/proc") / str(pid) / "limits").read_text() for pid in pids]
    assert any(f" {limits['nofile']} " in text for text in ours)


def _command(folder: Path) -> str:
    try:
        return (folder / "comm").read_text().strip()
    except OSError:
        return ""


def test_an_endless_writer_is_stopped_in_time(docker_carrier: Carrier) -> None:
    token, received = new_token(), [0]

    def count(piece: bytes) -> None:
        received[0] += len(piece)

    spec = docker_carrier.spec("import os\nwhile True:\n    os.write(1, b'y' * 65536)", token=token)
    with docker_carrier.engine.start(spec, run_id=token, output=count) as running:
        ended = running.wait(1.0)
    assert outcome(ended) is Outcome.TIMED_OUT
    assert received[0] > 0


def test_a_missing_daemon_is_named_with_a_remedy(tmp_path: Path) -> None:
    engine = DockerEngine(f"unix://{tmp_path}/no.sock")
    with pytest.raises(EngineError, match=r"no\.sock") as refused:
        engine.info()
    assert "native" in str(refused.value.hint)


def test_the_client_s_proxy_settings_stay_outside(
    docker_carrier: Carrier, docker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"proxies": {"default": {"httpProxy": "http://proxy.example:1"}}}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    fresh = replace(docker_carrier, engine=DockerEngine(docker_url))
    ended = fresh.run("import os; print(sorted(name for name in os.environ if 'proxy' in name.lower()))")
    assert ended.text == "[]\n"
    assert os.environ["DOCKER_CONFIG"] == str(tmp_path)
