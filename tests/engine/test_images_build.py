"""Building on the real engine: identity, layers, nothing of the site left behind, faults that are named."""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import docker
import pytest

from orchestrator.domain.image import BaseImage, ImageChoice, ImageRef, ReadyImage
from orchestrator.domain.site import Site
from orchestrator.domain.terms import Pull
from orchestrator.errors import ImageError
from orchestrator.host.docker_api import connect
from orchestrator.host.site import detect_site
from orchestrator.images.build import find_buildkit
from tests.engine.small_images import ENTRY, Heard, Workshop, small_workshop
from tests.unit.planted import PROXY_PASSWORD, in_bytes, plant

pytestmark = pytest.mark.engine

# Looked for, must not be found. Another in each session: else the builder would have the stage that reads it already.
SECRET = f"s3cret-of-the-site-{os.urandom(6).hex()}"


@pytest.fixture(scope="module")
def client(docker_url: str) -> Iterator[docker.DockerClient]:
    """The real engine; what these tests made is removed in the end."""
    found = connect(docker_url)
    yield found
    tags = [tag for image in found.images.list(f"mlperf-docker/{ENTRY}") for tag in image.tags]
    for tag in tags:
        if tag.startswith(f"mlperf-docker/{ENTRY}:"):
            found.images.remove(tag)
    found.close()


@pytest.fixture
def workshop(tmp_path: Path, docker_url: str, client: docker.DockerClient) -> Workshop:
    """A small entry of the real templates."""
    return small_workshop(tmp_path, docker_url)


def layers(client: docker.DockerClient, ready: ReadyImage) -> list[str]:
    return list(client.images.get(ready.handle).attrs["RootFS"]["Layers"])


def output_of(client: docker.DockerClient, ready: ReadyImage, *command: str, user: str = "0:0") -> str:
    made = client.containers.run(
        ready.handle, list(command), user=user, network_mode="none", read_only=True, remove=True
    )
    return bytes(made).decode()


def test_an_image_is_built_once_and_then_found(client: docker.DockerClient, workshop: Workshop) -> None:
    assert workshop.images().present(workshop.planned(workshop.images())) is None
    built = workshop.ensure()
    assert built.origin == "built"
    assert built.reference == f"mlperf-docker/{ENTRY}:v6.1-{built.identity[:12]}"
    assert built.size_bytes is not None
    assert built.base_size_bytes is not None
    again = Heard()
    found = workshop.ensure(heard=again)
    assert found == replace(built, origin="present")
    assert found == workshop.images().present(workshop.planned(workshop.images()))
    assert (again.text, again.lines) == ("", [])
    labels = client.images.get(built.handle).labels
    assert labels["mlperf-docker.recipe"] == workshop.planned(workshop.images()).recipe
    assert labels["mlperf-docker.identity"] == built.identity
    assert labels["mlperf-docker.base-id"] == built.base_id
    assert labels["mlperf-docker.round"] == "v6.1"


def test_finding_an_unchanged_image_takes_at_most_three_tenths_of_a_second(workshop: Workshop) -> None:
    workshop.ensure()
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        assert workshop.ensure().origin == "present"
        taken.append(time.perf_counter() - start)
    assert min(taken) <= 0.3


def test_a_change_in_the_code_rebuilds_only_the_last_layer(client: docker.DockerClient, workshop: Workshop) -> None:
    first = layers(client, workshop.ensure())
    workshop.write_code("print('second')\n")
    heard = Heard()
    second_image = workshop.ensure(heard=heard)
    second = layers(client, second_image)
    assert second_image.origin == "built"
    assert len(first) == len(second) > 2
    assert first[:-1] == second[:-1]
    assert first[-1] != second[-1]
    assert "Successfully installed" not in heard.text
    assert output_of(client, second_image, "python", "-m", "orchestrator.sut") == "second\n"


def test_two_runs_at_once_build_once(workshop: Workshop) -> None:
    workshop.write_code(f"print({time.time()})\n")
    ready: list[ReadyImage] = []
    both = [threading.Thread(target=lambda: ready.append(workshop.ensure())) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(image.origin for image in ready) == ["built", "present"]
    assert ready[0].image_id == ready[1].image_id


@pytest.mark.parametrize("user", ["0:0", "1000:1000", "65534:65534"])
def test_any_user_can_run_the_harness_in_a_read_only_root(
    client: docker.DockerClient, workshop: Workshop, user: str
) -> None:
    ready = workshop.ensure()
    program = (
        "import mlperf_loadgen, os, orchestrator.sut, sys;"
        "print(os.getuid(), sys.executable, orchestrator.__file__, open('/opt/mlperf-docker/versions.txt').read())"
    )
    text = output_of(client, ready, "python", "-c", program, user=user)
    assert text.startswith(f"{user.partition(':')[0]} /opt/venv/bin/python None # python\nPython 3.11")
    assert "mlcommons_loadgen==6.0.17" in text
    assert "\n# apt\n" in text


def test_own_and_installed_code_is_byte_compiled_by_content(client: docker.DockerClient, workshop: Workshop) -> None:
    ready = workshop.ensure()
    program = (
        "import importlib.util, pathlib, sys\n"
        "names = ['/opt/mlperf-docker/orchestrator/sut/__main__.py']\n"
        "for name in names:\n"
        "    raw = pathlib.Path(importlib.util.cache_from_source(name)).read_bytes()\n"
        "    print(int.from_bytes(raw[4:8], 'little'))\n"
        "print(importlib.util.find_spec('pip'))\n"
    )
    assert output_of(client, ready, "python", "-c", program) == "1\nNone\n"


def test_nothing_of_the_site_stays_in_the_image(
    client: docker.DockerClient, workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not with `rebuild`: what the classic builder makes without its cache hides its cache from all later builds.
    workshop.write_code(f"print({time.time()})\n")
    for name, value in plant(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    certificate = tmp_path / "site.crt"
    certificate.write_text(Path("/etc/ssl/certs/ca-certificates.crt").read_text() + f"# {SECRET}\n")
    proxy = f"http://user:{quote(PROXY_PASSWORD, safe='')}@127.0.0.1:9"
    here = detect_site()
    site = replace(
        here,
        certificates=(*here.certificates, certificate),
        http_proxy=proxy,
        https_proxy=proxy,
        no_proxy="*",  # else pip would ask the proxy, which is none
        pip_config=f"[global]\ntrusted-host = {SECRET}.example\n# {proxy}\n",
        apt_config=f'Acquire::http::Proxy::{SECRET}.example "{proxy}";',
    )
    heard = Heard()
    ready = workshop.ensure(site=site, heard=heard)
    assert "Successfully installed" in heard.text
    image = client.images.get(ready.handle)
    history = f"{image.history()} {image.attrs}"
    assert SECRET not in history
    assert in_bytes("history and configuration", history.encode()) == []
    assert "proxy" not in history.lower()
    assert ready.base_id is not None
    below = len(client.images.get(ready.base_id).attrs["RootFS"]["Layers"])
    assert files_with(client, ready, SECRET, below) == []


def files_with(client: docker.DockerClient, ready: ReadyImage, word: str, below: int) -> list[str]:
    """Paths in the layers over the base with a word or a planted secret in name or bytes, or where the site's lay."""
    raw = io.BytesIO(b"".join(client.images.get(ready.handle).save()))
    found, seen = [], 0
    with tarfile.open(fileobj=raw) as outer:
        manifest = outer.extractfile("manifest.json")
        assert manifest is not None
        for name in json.load(manifest)[0]["Layers"][below:]:
            stream = outer.extractfile(name)
            assert stream is not None
            with tarfile.open(fileobj=stream) as layer:
                for item in layer:
                    seen += 1
                    body = layer.extractfile(item) if item.isfile() else None
                    content = item.name.encode() + (body.read() if body else b"")
                    planted = word.encode() in content or in_bytes(item.name, content)
                    if planted or item.name.split("/")[0] in {"site", "build"}:
                        found.append(item.name)
    assert seen > 20
    return found


def test_the_recipe_does_not_depend_on_the_site(workshop: Workshop) -> None:
    with_site = workshop.images(site=Site(http_proxy="http://proxy:1"))
    assert workshop.planned(with_site).recipe == workshop.planned(workshop.images(site=Site())).recipe


def test_another_loadgen_than_the_rounds_fails_the_build(workshop: Workshop) -> None:
    seeds = workshop.shipped_file("generic/seeds/v6.1.json")
    seeds.write_text(workshop.shipped_file("generic/seeds/v6.0.json").read_text())
    with pytest.raises(ImageError, match="LoadGen's seeds are not the round's") as caught:
        workshop.ensure()
    assert "install.sh" in str(caught.value)


def test_a_failing_step_is_named_with_its_last_lines(workshop: Workshop) -> None:
    workshop.shipped_file("generic/Dockerfile.j2").write_text(
        "ARG BASE\nFROM ${BASE}\nRUN echo fine\nRUN echo to-stdout; echo it-broke >&2; exit 3\n"
    )
    heard = Heard()
    with pytest.raises(ImageError) as caught:
        workshop.ensure(heard=heard)
    text = str(caught.value)
    assert "at step 'RUN echo to-stdout" in text
    assert "| it-broke" in text
    assert "non-zero code: 3" in text
    assert "\x1b" not in text
    assert caught.value.hint
    assert not caught.value.retryable
    assert "it-broke" in heard.text


def test_a_dockerfile_that_is_none_is_refused_with_its_name(workshop: Workshop) -> None:
    workshop.shipped_file("generic/Dockerfile.j2").write_text("ARG BASE\nFROM ${BASE}\nRUNN true\n")
    with pytest.raises(ImageError, match="RUNN") as caught:
        workshop.ensure()
    assert ENTRY in str(caught.value)


def test_a_base_that_nobody_has_points_to_the_script_that_makes_one(workshop: Workshop) -> None:
    nowhere = BaseImage(registry="127.0.0.1:1/mlperf-docker/no-base:1")
    with pytest.raises(ImageError, match="no base image") as caught:
        workshop.ensure(entry=replace(workshop.entry, base=nowhere))
    assert caught.value.hint is not None
    assert "scripts/engine" in caught.value.hint
    with pytest.raises(ImageError, match="pulling is off"):
        workshop.ensure(ImageChoice(pull=Pull.NEVER), entry=replace(workshop.entry, base=nowhere))


def test_a_base_of_the_users_is_used_and_makes_another_image(client: docker.DockerClient, workshop: Workshop) -> None:
    workshop.shipped_file("generic/Dockerfile.j2").write_text("ARG BASE\nFROM ${BASE}\nWORKDIR /tmp\n")
    ordinary = workshop.ensure()
    assert ordinary.base_id is not None
    client.images.get(ordinary.base_id).tag(f"mlperf-docker/{ENTRY}", "base")
    same = workshop.ensure(ImageChoice(base=ImageRef.parse(f"mlperf-docker/{ENTRY}:base")))
    assert same.image_id == ordinary.image_id
    other = ImageRef.parse(ordinary.reference)
    different = workshop.ensure(ImageChoice(base=other))
    assert different.base_id == ordinary.image_id
    assert different.identity != ordinary.identity


def test_a_plan_made_before_a_change_of_the_recipe_is_refused(workshop: Workshop) -> None:
    wanted = workshop.planned(workshop.images())
    workshop.write_code("print('changed since')\n")
    with pytest.raises(ImageError, match="not the one that was planned"):
        workshop.images().ensure(wanted, log=lambda _: None, say=lambda _: None)


def test_a_recipe_that_needs_buildkit_is_built_by_it(client: docker.DockerClient, workshop: Workshop) -> None:
    if find_buildkit(client, workshop.url) is None:
        with pytest.raises(ImageError, match="needs BuildKit"):
            workshop.ensure(entry=replace(workshop.entry, needs_buildkit=True))
        return
    template = workshop.shipped_file("generic/Dockerfile.j2")
    template.write_text(template.read_text().replace("RUN [", "RUN --mount=type=cache,target=/var/cache/x [", 1))
    heard = Heard()
    ready = workshop.ensure(entry=replace(workshop.entry, needs_buildkit=True), heard=heard)
    assert any("BuildKit" in line for line in heard.lines)
    assert output_of(client, ready, "python", "-m", "orchestrator.sut") == "first\n"
    workshop.write_code("print('another recipe')\n")
    with pytest.raises(ImageError, match="building image"):
        workshop.ensure()  # the classic builder does not know mounts


def test_a_failing_buildkit_step_is_named(client: docker.DockerClient, workshop: Workshop) -> None:
    if find_buildkit(client, workshop.url) is None:
        pytest.skip("no docker command here drives BuildKit; the refusal is tested above")
    workshop.shipped_file("generic/Dockerfile.j2").write_text("ARG BASE\nFROM ${BASE}\nRUN echo it-broke; exit 3\n")
    with pytest.raises(ImageError, match="at step 'RUN echo it-broke; exit 3'") as caught:
        workshop.ensure(entry=replace(workshop.entry, needs_buildkit=True))
    assert "it-broke" in str(caught.value)


def test_without_a_command_line_that_has_buildkit_the_remedy_is_named(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin" / "docker"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'the buildx component is missing' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent))
    workshop.write_code(f"print({time.time()})\n")
    with pytest.raises(ImageError, match="needs BuildKit") as caught:
        workshop.ensure(entry=replace(workshop.entry, needs_buildkit=True))
    assert caught.value.hint is not None
    assert "buildx" in caught.value.hint


@pytest.mark.slow
def test_the_debug_layer_brings_gdb_and_strace_and_leaves_the_rest(
    client: docker.DockerClient, workshop: Workshop
) -> None:
    plain, debug = workshop.ensure(), workshop.ensure(debug=True)
    assert debug.identity != plain.identity
    assert layers(client, debug)[: len(layers(client, plain))] == layers(client, plain)
    assert "GNU gdb" in output_of(client, debug, "gdb", "--version")
    assert "strace" in output_of(client, debug, "strace", "--version")
    assert output_of(client, debug, "python", "-m", "orchestrator.sut") == "first\n"
    assert workshop.ensure(debug=True).origin == "present"
