"""How servers are reached: proxies and certificates of the settings, logins of the user. Contacts nobody."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.settings import Settings
from orchestrator.domain.redact import login_secrets, remember

if TYPE_CHECKING:
    from orchestrator.assets.credentials import Credentials
    from orchestrator.assets.transfer import Line


def line_of(settings: Settings, logins: Credentials | None = None) -> Line:
    """The line for these settings; from then on its secrets are taken out of all that is shown or stored.

    `logins` are used in place of the user's own. ConfigError for credentials that cannot be used.
    """
    from orchestrator.assets.pypi import download_environment
    from orchestrator.assets.transfer import Line

    environment = download_environment(
        ca_bundle=settings.ca_bundle,
        http_proxy=settings.http_proxy,
        https_proxy=settings.https_proxy,
        no_proxy=settings.no_proxy,
    )
    for proxy in (settings.http_proxy, settings.https_proxy):
        remember(login_secrets(proxy))
    return Line(environment=environment, credentials=logins if logins is not None else credentials())


def credentials() -> Credentials:
    """The user's logins, from the environment and the files in the home folder; known to redaction from then on."""
    from orchestrator.assets.credentials import config_folder, load_credentials

    home = Path.home()
    found = load_credentials(os.environ, home, config_folder(os.environ, home))
    remember(found.secrets())
    return found


def learn_secrets() -> None:
    """Have every login of the user's that can be found taken out of logs, whether this command uses it or not."""
    from orchestrator.assets.credentials import stored_secrets

    remember(stored_secrets(os.environ, Path.home()))
