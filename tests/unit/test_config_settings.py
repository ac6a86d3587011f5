"""Settings come in layers, each value knows where it came from, and a slip is told with its place."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.config.settings import NAMES, VARIABLES, Settings, shown
from orchestrator.config.settings_layers import load_settings
from orchestrator.config.settings_template import render_template
from orchestrator.domain.terms import EngineName
from orchestrator.errors import ConfigError


class Machine:
    """Folders of one pretended machine."""

    def __init__(self, root: Path) -> None:
        self.cwd, self.home, self.system_file = root / "work", root / "home", root / "etc" / "config.yaml"
        self.user_file = self.home / ".config" / "mlperf-docker" / "config.yaml"
        self.project_file = self.cwd / "mlperf-docker.yaml"
        for folder in (self.cwd, self.user_file.parent, self.system_file.parent):
            folder.mkdir(parents=True)

    def load(self, *, environ: dict[str, str] | None = None, **flags: str | None) -> Settings:
        return load_settings(flags, environ=environ or {}, cwd=self.cwd, home=self.home, system_file=self.system_file)

    def faults(self, *, environ: dict[str, str] | None = None, **flags: str | None) -> tuple[str, ...]:
        with pytest.raises(ConfigError) as caught:
            self.load(environ=environ, **flags)
        return caught.value.faults


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_anything_the_defaults_hold(machine: Machine) -> None:
    settings = machine.load()
    assert settings.cache_dir == machine.home / ".cache" / "mlperf-docker"
    assert settings.results_dir == machine.cwd / "mlperf-results"
    assert settings.engine is None
    assert settings.mirrors == ()
    assert set(settings.origins) == set(NAMES)
    assert set(settings.origins.values()) == {"default"}


def test_a_flag_wins_over_a_variable_over_project_over_user_over_system(machine: Machine) -> None:
    variable = {"MLPERF_DOCKER_SYSTEM": "from-variable"}
    machine.system_file.write_text("# ours\nsystem: from-system\n")
    assert machine.load().system == "from-system"
    assert machine.load().origins["system"] == f"{machine.system_file}:2"
    machine.user_file.write_text("system: from-user\n")
    assert machine.load().system == "from-user"
    machine.project_file.write_text("\nsubmitter: Us\nsystem: from-project\n")
    assert machine.load().system == "from-project"
    assert machine.load().origins["system"] == f"{machine.project_file}:3"
    assert machine.load(environ=variable).system == "from-variable"
    assert machine.load(environ=variable).origins["system"] == "MLPERF_DOCKER_SYSTEM"
    final = machine.load(environ=variable, system="from-flag", submitter=None)
    assert (final.system, final.origins["system"]) == ("from-flag", "flag")
    assert (final.submitter, final.origins["submitter"]) == ("Us", f"{machine.project_file}:2")


def test_the_user_file_follows_xdg(machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "xdg" / "mlperf-docker"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("site: cluster\n")
    assert machine.load(environ={"XDG_CONFIG_HOME": str(tmp_path / "xdg")}).site == "cluster"
    assert machine.load(environ={"XDG_CACHE_HOME": "/fast"}).cache_dir == Path("/fast/mlperf-docker")
    assert machine.load(environ={"XDG_CACHE_HOME": "relative"}).cache_dir == machine.home / ".cache/mlperf-docker"


def test_paths_are_relative_to_where_they_are_written(machine: Machine) -> None:
    machine.user_file.write_text("ca_bundle: site.pem\nresults_dir: ~/results\n")
    settings = machine.load(environ={"MLPERF_DOCKER_CACHE": "cache"})
    assert settings.ca_bundle == machine.user_file.parent / "site.pem"
    assert settings.results_dir == machine.home / "results"
    assert settings.cache_dir == machine.cwd / "cache"
    assert machine.load(results_dir="/r").results_dir == Path("/r")


def test_site_caches_are_folders_in_every_layer(machine: Machine) -> None:
    assert machine.load().site_caches == ()
    machine.project_file.write_text("site_caches: [shared, ~/team, /srv/cache, /srv/cache]\n")
    settings = machine.load()
    assert settings.site_caches == (machine.cwd / "shared", machine.home / "team", Path("/srv/cache"))
    variable = {"MLPERF_DOCKER_SITE_CACHES": "near:/srv/a"}
    assert machine.load(environ=variable).site_caches == (machine.cwd / "near", Path("/srv/a"))
    rows = {name: value for name, value, _ in shown(settings)}
    assert rows["site_caches"] == f"{machine.cwd}/shared:{machine.home}/team:/srv/cache"


def test_a_site_cache_that_is_no_folder_name_is_told_with_its_place(machine: Machine) -> None:
    assert machine.faults(environ={"MLPERF_DOCKER_SITE_CACHES": "/a::/b"}) == (
        "MLPERF_DOCKER_SITE_CACHES: one of the folders is empty",
    )
    machine.project_file.write_text("site_caches: /srv/cache\n")
    (fault,) = machine.faults()
    assert fault.startswith(f"{machine.project_file}:1:14: 'site_caches' in this settings file must be a list")


def test_mirrors_are_pairs_in_every_layer(machine: Machine) -> None:
    machine.project_file.write_text("mirrors: {upstream.example: mirror.example}\n")
    assert machine.load().mirrors == (("upstream.example", "mirror.example"),)
    assert machine.load(mirrors="a=b, c=d:5000").mirrors == (("a", "b"), ("c", "d:5000"))
    assert machine.faults(mirrors="a=b,c") == ("--mirror: 'c' is not a mirror; write HOST=HOST, several with commas",)


def test_what_is_shown_is_text_with_its_origin(machine: Machine) -> None:
    rows = {name: (value, origin) for name, value, origin in shown(machine.load(mirrors="a=b", engine="docker"))}
    assert rows["mirrors"] == ("a=b", "flag")
    assert rows["engine"] == ("docker", "flag")
    assert rows["results_dir"] == (str(machine.cwd / "mlperf-results"), "default")
    assert rows["site"] == (None, "default")


def test_a_registry_is_a_prefix_of_names_and_its_patience_a_number_of_seconds(machine: Machine) -> None:
    machine.project_file.write_text("registry: registry.example:5000/mlperf/\nregistry_timeout_s: 5\n")
    settings = machine.load()
    assert (settings.registry, settings.registry_timeout_s) == ("registry.example:5000/mlperf", 5.0)
    assert machine.load(registry_timeout_s="1.5").registry_timeout_s == 1.5
    assert settings.images_lock == machine.cwd / "images.lock"
    for wrong in ("https://registry.example", "registry.example/x:v1", "Registry Example"):
        (fault,) = machine.faults(registry=wrong)
        assert fault.startswith(f"--registry: '{wrong}' is not a registry")
    for wrong in ("0", "soon", "inf"):
        (fault,) = machine.faults(registry_timeout_s=wrong)
        assert f"'{wrong}' is not a number of seconds above 0" in fault
    machine.project_file.write_text("mirrors: {docker.io: https://mirror.example}\n")
    (fault,) = machine.faults()
    assert "'docker.io=https://mirror.example' is not a mirror" in fault


def test_proxies_of_the_environment_hold_when_nothing_else_is_set(machine: Machine) -> None:
    environ = {"HTTPS_PROXY": "http://p:1", "no_proxy": "localhost"}
    settings = machine.load(environ=environ)
    assert (settings.https_proxy, settings.origins["https_proxy"]) == ("http://p:1", "HTTPS_PROXY")
    assert settings.no_proxy == "localhost"
    machine.system_file.write_text("https_proxy: http://q:2\n")
    assert machine.load(environ=environ).https_proxy == "http://q:2"


def test_the_engine_is_one_of_a_closed_set(machine: Machine) -> None:
    assert machine.load(engine="native").engine is EngineName.NATIVE
    assert machine.load(engine="Docker").engine is EngineName.DOCKER
    assert machine.faults(environ={"MLPERF_DOCKER_ENGINE": "dokcer"}) == (
        "MLPERF_DOCKER_ENGINE: unknown engine 'dokcer'; did you mean 'docker'?",
    )


def test_an_unknown_round_is_told_with_its_place(machine: Machine) -> None:
    machine.project_file.write_text("round: v6.2\n")
    assert machine.faults()[0].startswith(f"{machine.project_file}:1:8: unknown round 'v6.2'; did you mean 'v6.")


def test_every_fault_of_every_layer_is_told_at_once(machine: Machine) -> None:
    machine.project_file.write_text("submiter: Us\nengine: dokcer\n")
    machine.user_file.write_text("site: [a]\n")
    machine.system_file.write_text("system: a: b\n")
    faults = machine.faults(environ={"MLPERF_DOCKER_SUBMITER": "x"}, regsitry="r")
    assert faults == (
        "flag: unknown setting 'regsitry'; did you mean 'registry'?",
        "MLPERF_DOCKER_SUBMITER: unknown variable 'MLPERF_DOCKER_SUBMITER'; did you mean 'MLPERF_DOCKER_SUBMITTER'?",
        f"{machine.project_file}:1:1: unknown field 'submiter' in this settings file; did you mean 'submitter'?",
        f"{machine.project_file}:2:9: 'engine' in this settings file cannot be the text 'dokcer'; "
        "did you mean 'docker'?",
        f"{machine.user_file}:1:7: 'site' in this settings file must be text, not a list",
        f"{machine.system_file}:1:10: not YAML: mapping values are not allowed in this context",
    )


def test_an_empty_variable_is_unset_and_a_foreign_one_is_left_alone(machine: Machine) -> None:
    settings = machine.load(environ={"MLPERF_DOCKER_SYSTEM": "", "MLPERF_DOCKER_SOMETHING_ELSE": "1"})
    assert settings.system is None
    assert machine.faults(system=" ") == ("--system: 'system' is empty",)


def test_a_file_that_cannot_be_read_is_a_fault(machine: Machine) -> None:
    machine.project_file.write_bytes(b"system: \xff\n")
    assert machine.faults()[0].startswith(f"{machine.project_file}: cannot be read")


def test_the_template_names_every_setting_and_its_examples_are_good(machine: Machine) -> None:
    template = render_template()
    assert set(re.findall(r"^#([a-z_]+): ", template, re.MULTILINE)) == set(NAMES)
    assert all(variable in template for variable in VARIABLES.values())
    machine.project_file.write_text(template)
    assert set(machine.load().origins.values()) == {"default"}
    machine.project_file.write_text(re.sub(r"^#([a-z_]+): ", r"\1: ", template, flags=re.MULTILINE))
    filled = machine.load()
    assert all(origin.startswith(f"{machine.project_file}:") for origin in filled.origins.values())
    assert all(value for _, value, _ in shown(filled))


def test_without_files_neither_yaml_nor_pydantic_is_imported() -> None:
    code = (
        "import sys; from pathlib import Path; from orchestrator.config.settings_layers import load_settings;"
        "load_settings({'round': None}, environ={}, cwd=Path('/nowhere'), home=Path('/nowhere'),"
        " system_file=Path('/nowhere/c'));"
        "print([name for name in ('yaml', 'pydantic', 'pydantic_core', 'difflib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
