"""The commented settings file that `config init` writes: every setting with what it means and an example."""

from __future__ import annotations

from types import MappingProxyType

from orchestrator.config.settings import VARIABLES

_HEAD = """\
# Settings of mlperf-docker. Take away the # before a setting to set it.
# A flag wins over a variable, that over ./mlperf-docker.yaml, that over ~/.config/mlperf-docker/config.yaml,
# that over /etc/mlperf-docker/config.yaml. Paths are relative to this file; ~/ is your home folder.
# `mlperf-docker config show --origin` says what holds and where it comes from.
"""
_TEMPLATE = MappingProxyType(
    {
        "submitter": ("The organisation that results are recorded for.", "Example Organisation"),
        "system": ("Name of the system description, used in paths and results.", "lab-server-1"),
        "round": ("The round whose rules and LoadGen hold; without it, the newest.", "v6.1"),
        "engine": ("docker or native; without it, docker.", "docker"),
        "cache_dir": ("Where models, data sets and environments are kept.", "~/.cache/mlperf-docker"),
        "site_caches": (
            "Shared caches of this site, only read, asked in order after the cache; in the variable with colons.",
            "[/srv/mlperf/cache]",
        ),
        "results_dir": ("Where run directories are made; without it, ./mlperf-results.", "~/mlperf-results"),
        "registry": (
            "Where prebuilt images are looked for, and published; without it, images are built here.",
            "registry.example/mlperf-docker",
        ),
        "registry_timeout_s": ("Seconds after which a registry that brings nothing on counts as stalled.", "60"),
        "mirrors": ("Registries to ask for base images instead of others.", "{docker.io: mirror.example}"),
        "images_lock": ("File that pins published images by digest; without it, ./images.lock.", "images.lock"),
        "image_key": ("Public key (PEM) that prebuilt images must be signed with.", "~/mlperf-docker.pub"),
        "http_proxy": ("Proxy for http; without it, the variable http_proxy.", "http://proxy.example:3128"),
        "https_proxy": ("Proxy for https; without it, the variable https_proxy.", "http://proxy.example:3128"),
        "no_proxy": ("Hosts that are reached without a proxy; without it, no_proxy.", "localhost,.example"),
        "ca_bundle": ("PEM file with the certificates of this site.", "~/certificates/site.pem"),
        "docker_url": ("Address of the container engine; without it, DOCKER_HOST.", "unix:///var/run/docker.sock"),
        "site": ("Not used by this version: the scheduler site that runs are given to.", "cluster-a"),
    }
)


def render_template() -> str:
    """The text that `config init` writes: every setting, commented out, with what it means and an example."""
    parts = [_HEAD]
    for name, (meaning, example) in _TEMPLATE.items():
        parts.append(f"# {meaning}\n# Variable: {VARIABLES[name]}\n#{name}: {example}\n")
    return "\n".join(parts)
