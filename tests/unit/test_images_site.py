"""What counts as a setting of the site, and what is only a path of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.domain.site import Site
from orchestrator.host.site import detect_site
from orchestrator.images.site_files import site_files


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty file system."""
    (tmp_path / "etc").mkdir()
    return tmp_path


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_plain_machine_has_no_settings(root: Path) -> None:
    site = detect_site(environment={}, root=root)
    assert site.certificates == ()
    assert (site.http_proxy, site.https_proxy, site.no_proxy) == (None, None, None)
    assert (site.pip_config, site.apt_config, site.build_network) == (None, None, None)


def test_the_administrators_certificates_are_found_in_order(root: Path) -> None:
    folder = root / "usr/local/share/ca-certificates"
    two, one = put(folder / "two.crt", "2"), put(folder / "a" / "one.crt", "1")
    put(folder / "notes.txt", "no")
    red_hat = put(root / "etc/pki/ca-trust/source/anchors/x.pem", "3")
    assert detect_site(environment={}, root=root).certificates == (one, two, red_hat)


def test_a_named_bundle_counts_unless_it_is_the_systems_own(root: Path) -> None:
    own = put(root / "own.pem", "x")
    variables = {
        "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
        "REQUESTS_CA_BUNDLE": str(own),
        "PIP_CERT": str(own),
        "CURL_CA_BUNDLE": str(root / "missing.pem"),
    }
    assert detect_site(environment=variables, root=root).certificates == (own,)


def test_what_is_given_beats_what_is_found(root: Path) -> None:
    found = {"http_proxy": "http://found:1", "HTTPS_PROXY": "http://found:2", "no_proxy": "a"}
    site = detect_site(ca_bundle=Path("/given.pem"), https_proxy="http://given:3", environment=found, root=root)
    assert (site.http_proxy, site.https_proxy, site.no_proxy) == ("http://found:1", "http://given:3", "a")
    assert site.certificates == (Path("/given.pem"),)


def test_a_proxy_on_this_machines_loopback_makes_builds_use_its_network(root: Path) -> None:
    assert detect_site(environment={"http_proxy": "http://127.0.0.1:3128"}, root=root).build_network == "host"
    assert detect_site(environment={"http_proxy": "http://proxy:3128"}, root=root).build_network is None


def test_pips_indexes_are_kept_and_local_paths_dropped(root: Path) -> None:
    put(
        root / "etc/pip.conf", "[global]\nindex-url = https://weak/simple\ncert = /etc/x.crt\nconstraint = /etc/c.txt\n"
    )
    put(
        root / "home/.config/pip/pip.conf",
        "[global]\nindex_url = https://u:p@mirror/simple\nextra-index-url = file:///opt/x https://more/simple\n"
        "find-links = /srv/wheels\n[install]\ntrusted-host = mirror\n",
    )
    site = detect_site(environment={"HOME": str(root / "home"), "PIP_TIMEOUT": "60"}, root=root)
    assert site.pip_config is not None
    assert site.pip_config.splitlines() == [
        "[global]",
        "extra-index-url = https://more/simple",
        "index-url = https://u:p@mirror/simple",
        "timeout = 60",
        "trusted-host = mirror",
    ]


def test_pips_variables_beat_its_files_and_only_local_settings_are_no_settings(root: Path) -> None:
    put(root / "etc/pip.conf", "[global]\nindex-url = https://file/simple\n")
    site = detect_site(environment={"PIP_INDEX_URL": "https://variable/simple"}, root=root)
    assert site.pip_config == "[global]\nindex-url = https://variable/simple\n"
    put(root / "etc/pip.conf", "[global]\nfind-links = /srv/wheels\n")
    assert detect_site(environment={"PIP_FIND_LINKS": "/srv/wheels"}, root=root).pip_config is None


def test_a_broken_pip_configuration_is_left_to_pip_to_complain_about(root: Path) -> None:
    put(root / "etc/pip.conf", "no section\n")
    assert detect_site(environment={}, root=root).pip_config is None


def test_apts_proxies_are_kept_and_nothing_else(root: Path) -> None:
    put(root / "etc/apt/apt.conf.d/80proxy", 'APT::Install "x";\nAcquire::http::Proxy "http://cache:3142"; // ours\n')
    put(root / "etc/apt/apt.conf", 'Acquire::https::Proxy "http://cache:3143";\n')
    assert detect_site(environment={}, root=root).apt_config == (
        'Acquire::http::Proxy "http://cache:3142";\nAcquire::https::Proxy "http://cache:3143";'
    )


def test_folders_of_wheels_among_find_links_are_taken_and_addresses_are_not(root: Path) -> None:
    wheels = root / "wheels"
    wheels.mkdir()
    found = detect_site(environment={"PIP_FIND_LINKS": f"{wheels} file://{wheels} https://x/y /not/there"}, root=root)
    assert found.wheel_folders == (wheels, wheels)
    assert found.pip_config is not None
    assert str(wheels) not in found.pip_config


def test_a_build_gets_the_wheels_that_it_pins_and_no_others(tmp_path: Path) -> None:
    wheel = put(tmp_path / "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", "x")
    put(tmp_path / "torch-2.12.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", "x")
    put(tmp_path / "other-1.0-py3-none-any.whl", "x")
    site = Site(wheel_folders=(tmp_path,), pip_config="[global]\nfind-links = https://x/y\n")
    files = {file.path: file for file in site_files(site, "numpy==2.0 \\\n  --hash=sha256:0\nTorch==2.13.0+cpu \\\n")}
    taken = [path for path in files if path.startswith("site/wheels/")]
    assert taken == [f"site/wheels/{wheel.name}"]
    assert files["site/pip.conf"].content.decode() == "[global]\nfind-links = /site/wheels\n    https://x/y\n"
    assert [file.path for file in site_files(site)] == ["site/README", "site/pip.conf"]


def test_wheels_alone_make_a_pip_configuration(tmp_path: Path) -> None:
    put(tmp_path / "torch-1.0-py3-none-any.whl", "x")
    files = {file.path: file.content for file in site_files(Site(wheel_folders=(tmp_path,)), "torch==1.0\n")}
    assert files["site/pip.conf"] == b"[global]\nfind-links = /site/wheels\n"
