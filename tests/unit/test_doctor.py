"""controller/doctor.py and its checks: every finding that is not ok carries a remedy, and nothing raises."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from orchestrator.controller.doctor import Surroundings, doctor, engine_findings, gpu_preflight, socket_findings
from orchestrator.controller.gpu_preflight import gpu_findings
from orchestrator.controller.machine_checks import disk_findings, machine_findings
from orchestrator.controller.network_checks import (
    certificate_findings,
    network_findings,
    pip_settings,
    proxy_findings,
)
from orchestrator.domain.container import Capability, EngineInfo
from orchestrator.domain.finding import Finding, Level, ok, warning, worst
from orchestrator.domain.ports import Engine
from orchestrator.domain.site import Site
from orchestrator.domain.terms import Device
from orchestrator.errors import EngineError
from orchestrator.host.disks import Disk
from orchestrator.host.machine import describe_machine
from tests.unit.machine_trees import RECORDED_VM, two_socket_server, with_amd_card, with_nvidia_card

CERTIFICATES = Path(__file__).parents[1] / "recordings" / "certificates"
GIB = 1 << 30


@pytest.fixture(autouse=True)
def no_proxy_of_the_tester(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def level_of(findings: tuple[Finding, ...], name: str) -> Level:
    named = [finding for finding in findings if finding.name == name]
    assert named, f"no finding is named {name}"
    return worst(named)


def fake_pip(folder: Path, listed: str, *, index_works: bool = True) -> tuple[str, ...]:
    program = folder / "fake-pip"
    status = 0 if index_works else 1
    text = (
        f'#!/bin/sh\ncase "$1" in config) cat <<EOF\n{listed}\nEOF\n;; index) echo no route >&2; exit {status};; esac\n'
    )
    program.write_text(text)
    program.chmod(0o755)
    return (str(program),)


def index_findings(
    tmp_path: Path, listed: str, *, ask_pip: bool = False, index_works: bool = True
) -> tuple[Finding, ...]:
    pip = fake_pip(tmp_path, listed, index_works=index_works)
    found = network_findings(Site(), {}, pip=pip, ask_pip=ask_pip)
    return tuple(finding for finding in found if finding.name == "package-index")


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A package index on the loopback that answers every request with one status; its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- findings as values


def test_a_finding_that_is_not_ok_must_carry_a_remedy() -> None:
    with pytest.raises(ValueError, match="without a remedy"):
        Finding(name="x", level=Level.WARNING, text="bad")


def test_the_worst_level_of_many_is_found() -> None:
    assert worst(()) is Level.OK
    assert worst((ok("a", "fine"), warning("b", "bad", "mend it"))) is Level.WARNING


# --- the whole


def test_a_missing_engine_is_a_fault_with_the_engines_own_remedy(tmp_path: Path) -> None:
    def refusing() -> Engine:
        raise EngineError("no container engine answers at nowhere", hint="start it")

    around = Surroundings(
        cache_dir=tmp_path / "cache",
        results_dir=tmp_path / "results",
        environment={},
        endpoint=f"unix://{tmp_path}/none.sock",
        pip=fake_pip(tmp_path, ""),
    )
    found = doctor(engine=refusing, around=around, machine=describe_machine(RECORDED_VM))
    engine = next(finding for finding in found if finding.name == "engine")
    assert (engine.level, engine.remedy) == (Level.FAULT, "start it")
    assert level_of(found, "engine-socket") is Level.FAULT
    assert level_of(found, "folders") is Level.OK
    assert {"disk", "memory", "processors", "governor", "load", "clock", "certificates", "proxy"} <= {
        finding.name for finding in found
    }


def test_no_engine_at_all_is_a_fault(tmp_path: Path) -> None:
    around = Surroundings(cache_dir=tmp_path, results_dir=tmp_path, environment={}, pip=fake_pip(tmp_path, ""))
    found = doctor(engine=lambda: None, around=around, machine=describe_machine(RECORDED_VM))
    assert level_of(found, "engine") is Level.FAULT


def test_a_results_folder_that_is_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    around = Surroundings(
        cache_dir=tmp_path, results_dir=tmp_path / "file" / "runs", environment={}, pip=fake_pip(tmp_path, "")
    )
    found = doctor(engine=lambda: None, around=around, machine=describe_machine(RECORDED_VM))
    assert level_of(found, "folders") is Level.FAULT


# --- engine


DOCKER = EngineInfo(
    name="docker",
    version="20.10.24",
    endpoint="unix:///var/run/docker.sock",
    platform="linux/amd64",
    capabilities=frozenset(Capability),
    cgroup_version="1",
)


def of_engine(info: EngineInfo) -> tuple[Finding, ...]:
    return tuple(engine_findings(info, describe_machine(RECORDED_VM)))


def test_an_engine_that_enforces_everything_is_ok() -> None:
    assert worst(of_engine(DOCKER)) is Level.OK


def test_what_an_engine_does_not_enforce_is_named() -> None:
    weak = replace(DOCKER, capabilities=frozenset(Capability) - {Capability.MEMORY_LIMIT}, rootless=True)
    (finding,) = (one for one in of_engine(weak) if one.name == "engine-enforces")
    assert finding.level is Level.NOTE
    assert "memory_limit" in finding.text
    assert "version 2" in (finding.remedy or "")


def test_hard_limits_of_the_engine_are_told() -> None:
    found = of_engine(replace(DOCKER, hard_limits=(("memlock", "8388608"), ("nofile", "20000"))))
    assert level_of(found, "engine-memlock") is Level.NOTE
    assert level_of(found, "engine-nofile") is Level.NOTE


def test_unlimited_hard_limits_are_no_news() -> None:
    found = of_engine(replace(DOCKER, hard_limits=(("memlock", "unlimited"), ("nofile", "1048576"))))
    assert worst(found) is Level.OK


def test_an_engine_of_another_platform_is_a_warning() -> None:
    assert level_of(of_engine(replace(DOCKER, platform="linux/arm64")), "engine-platform") is Level.WARNING


def test_a_socket_that_everybody_may_use_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        path.chmod(0o660)
        assert worst(socket_findings(f"unix://{path}")) is Level.OK
        path.chmod(0o666)
        assert worst(socket_findings(f"unix://{path}")) is Level.WARNING


def test_a_socket_that_is_no_socket_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert worst(socket_findings(f"unix://{tmp_path}/file")) is Level.FAULT


def test_a_remote_engine_has_no_socket_to_look_at() -> None:
    assert socket_findings("tcp://engine.example:2376") == ()


# --- machine


def test_a_noisy_server_is_warned_about(tmp_path: Path) -> None:
    found = machine_findings(describe_machine(two_socket_server(tmp_path)), {"PYTHONDONTWRITEBYTECODE": "1"})
    levels = {finding.name: finding.level for finding in found}
    assert levels["processor-quota"] is Level.WARNING
    assert levels["governor"] is Level.WARNING
    assert levels["load"] is Level.WARNING
    assert levels["memory"] is Level.WARNING
    assert levels["swap"] is Level.WARNING
    assert levels["processors"] is Level.NOTE
    assert levels["bytecode"] is Level.NOTE
    assert levels["hypervisor"] is Level.OK


def test_a_virtual_machine_gets_notes_and_no_warning() -> None:
    machine = describe_machine(RECORDED_VM)
    assert machine.load is not None
    quiet = replace(machine, load=replace(machine.load, one_minute=0.1))
    assert worst(machine_findings(quiet, {})) is Level.NOTE


def a_disk(path: str, device: str, free_bytes: int, kind: str = "ext4") -> Disk:
    return Disk(
        path=Path(path), device=device, kind=kind, mounted_at=None, total_bytes=100 * GIB, free_bytes=free_bytes
    )


def test_needs_on_one_file_system_are_added_up() -> None:
    places = [("cache", a_disk("/a", "8:1", 5 * GIB), 3 * GIB), ("images", a_disk("/b", "8:1", 5 * GIB), 3 * GIB)]
    (finding,) = disk_findings(places)
    assert finding.level is Level.WARNING
    assert "cache (/a), images (/b)" in finding.text


def test_the_same_needs_on_two_file_systems_are_met() -> None:
    places = [("cache", a_disk("/a", "8:1", 5 * GIB), 3 * GIB), ("images", a_disk("/b", "8:2", 5 * GIB), 3 * GIB)]
    assert [finding.level for finding in disk_findings(places)] == [Level.OK, Level.OK]


def test_a_full_disk_is_a_fault_and_one_in_memory_a_warning() -> None:
    assert worst(disk_findings([("cache", a_disk("/a", "8:1", 1000), GIB)])) is Level.FAULT
    assert worst(disk_findings([("cache", a_disk("/a", "0:9", 9 * GIB, "tmpfs"), GIB)])) is Level.WARNING


# --- network


def test_trust_files_that_cannot_be_read_are_faults(tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("no certificate\n")
    for value in (tmp_path / "none.pem", tmp_path / "text.pem"):
        found = certificate_findings(Site(), {"SSL_CERT_FILE": str(value)}, now_s=0)
        assert worst(found) is Level.FAULT
        assert str(value) in found[0].text


@pytest.mark.parametrize(("days_left", "level"), [(100, Level.OK), (10, Level.WARNING), (-1, Level.FAULT)])
def test_a_site_certificate_is_judged_by_its_end(days_left: int, level: Level) -> None:
    path = CERTIFICATES / "site-ca.crt"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cafile=path)
    end = ssl.cert_time_to_seconds(str(context.get_ca_certs()[0]["notAfter"]))
    assert worst(certificate_findings(Site(certificates=(path,)), {}, now_s=end - days_left * 86400)) is level


def test_a_site_certificate_that_is_no_ca_is_a_warning() -> None:
    found = certificate_findings(Site(certificates=(CERTIFICATES / "server.crt",)), {}, now_s=0)
    assert worst(found) is Level.WARNING


@pytest.mark.parametrize(
    ("environment", "level"),
    [
        ({}, Level.OK),
        ({"https_proxy": "http://proxy.example:3128", "no_proxy": "localhost"}, Level.OK),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, Level.NOTE),
        ({"https_proxy": "http://"}, Level.FAULT),
    ],
)
def test_proxies_are_checked(environment: Mapping[str, str], level: Level) -> None:
    assert worst(proxy_findings(Site(), environment)) is level


def test_credentials_of_a_proxy_are_never_shown() -> None:
    found = proxy_findings(Site(https_proxy="http://user:secret@proxy.example:3128"), {})
    assert "proxy.example" in found[0].text
    assert "secret" not in found[0].text


def test_pips_environment_wins_over_its_files() -> None:
    listed = "global.index-url='http://a.example/simple'\n:env:.index-url='http://b.example/simple'\nlist.format='x'\n"
    assert pip_settings(listed) == {"index-url": ("http://b.example/simple",)}


def test_several_extra_indexes_are_told_apart() -> None:
    assert pip_settings("global.extra-index-url='file:///a file:///b'")["extra-index-url"] == ("file:///a", "file:///b")


@pytest.mark.parametrize(("status", "level"), [(200, Level.OK), (401, Level.OK), (404, Level.OK), (503, Level.FAULT)])
def test_a_configured_index_answers_or_not(tmp_path: Path, status: int, level: Level) -> None:
    with answering(status) as address:
        found = index_findings(tmp_path, f"global.index-url='{address}'")
    assert worst(found) is level
    assert address in found[0].text


def test_an_index_that_refuses_is_a_fault_and_its_credentials_are_not_shown(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        (finding,) = index_findings(tmp_path, f"global.index-url='http://user:secret@127.0.0.1:{port}/simple'")
    assert finding.level is Level.FAULT
    assert "secret" not in finding.text


def test_an_index_in_a_folder_must_exist(tmp_path: Path) -> None:
    assert worst(index_findings(tmp_path, f"global.index-url='file://{tmp_path}'")) is Level.OK
    assert worst(index_findings(tmp_path, f"global.index-url='file://{tmp_path}/none'")) is Level.FAULT


def test_pips_default_index_is_asked_only_when_wanted(tmp_path: Path) -> None:
    assert worst(index_findings(tmp_path, "", index_works=False)) is Level.NOTE
    assert worst(index_findings(tmp_path, "", ask_pip=True)) is Level.OK
    (finding,) = index_findings(tmp_path, "", ask_pip=True, index_works=False)
    assert finding.level is Level.FAULT
    assert "no route" in finding.text


def test_a_python_without_pip_is_a_fault(tmp_path: Path) -> None:
    found = network_findings(Site(), {}, pip=(str(tmp_path / "no-pip"),), ask_pip=False)
    assert level_of(found, "package-index") is Level.FAULT


# --- accelerators


def test_a_machine_without_gpu_lacks_device_driver_nodes_and_toolkit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    found = gpu_preflight(Device.CUDA, describe_machine(tmp_path))
    assert [finding.name for finding in found] == ["cuda-device", "cuda-driver", "device-nodes", "container-toolkit"]
    assert {finding.level for finding in found} == {Level.FAULT}
    assert "--device cpu" in (found[0].remedy or "")


def test_processors_need_no_preflight(tmp_path: Path) -> None:
    assert gpu_preflight(Device.CPU, describe_machine(tmp_path)) == ()


@pytest.mark.parametrize("device", [device for device in Device if device is not Device.CPU])
def test_every_kind_of_accelerator_is_missed_with_a_remedy(tmp_path: Path, device: Device) -> None:
    found = gpu_preflight(device, describe_machine(tmp_path))
    assert len(found) >= 3
    assert worst(found) is Level.FAULT


def test_a_card_without_driver_is_told_from_no_card(tmp_path: Path) -> None:
    found = gpu_preflight(Device.CUDA, describe_machine(with_nvidia_card(tmp_path, driver=False)))
    assert level_of(found, "cuda-device") is Level.OK
    assert level_of(found, "cuda-driver") is Level.FAULT


def test_a_driver_without_container_toolkit_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/bin")  # below the made root there is none
    found = gpu_preflight(Device.CUDA, describe_machine(with_nvidia_card(tmp_path, driver=True)))
    assert level_of(found, "cuda-driver") is Level.OK
    assert level_of(found, "device-nodes") is Level.OK
    assert level_of(found, "container-toolkit") is Level.FAULT


def test_a_cdi_specification_counts_as_a_toolkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/bin")
    with_nvidia_card(tmp_path, driver=True)
    (tmp_path / "etc" / "cdi").mkdir(parents=True)
    (tmp_path / "etc" / "cdi" / "nvidia.yaml").write_text("")
    assert worst(gpu_preflight(Device.CUDA, describe_machine(tmp_path))) is Level.OK


def test_an_amd_card_needs_no_toolkit(tmp_path: Path) -> None:
    assert worst(gpu_preflight(Device.ROCM, describe_machine(with_amd_card(tmp_path)))) is Level.OK


def test_a_lack_is_no_fault_while_nobody_asked_for_the_device(tmp_path: Path) -> None:
    found = gpu_findings(describe_machine(with_nvidia_card(tmp_path, driver=False)))
    assert worst(found) is Level.WARNING
