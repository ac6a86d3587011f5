"""Downloads by content: `store/sha256/<hash>`, fetched once for all assets that are made from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orchestrator.assets.workspace import workspace
from orchestrator.domain.ports import Say
from orchestrator.errors import AssetError
from orchestrator.host.files import lock, publish_file, sha256_file

Fetch = Callable[[Path], Path]


class BlobStore:
    """The content-addressed part of the cache."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, sha256: str) -> Path:
        """Where a blob lies, or would."""
        return self._root / "store" / "sha256" / sha256

    def ensure(self, sha256: str, *, what: str, fetch: Fetch, say: Say) -> Path:
        """The blob with this hash; `fetch` is given an empty folder and returns the file it put there.

        A damaged blob is fetched again; AssetError names expected and found hash when what was fetched is another.
        """
        path = self.path(sha256)
        purpose = f"blob-{sha256}"
        held = lock(
            self._root / "locks" / f"{purpose}.lock",
            waiting=lambda: say(f"waiting for another process that fetches {what}"),
        )
        with held, workspace(self._root / "tmp", purpose) as work:
            if path.is_file():
                if sha256_file(path) == sha256:
                    return path
                say(f"the cached {what} is damaged; fetching it again")
            fetched = fetch(work)
            found = sha256_file(fetched)
            if found != sha256:
                raise AssetError(
                    f"{what} is not the pinned one: expected sha256 {sha256}, found {found}",
                    hint="the index or mirror that served it is wrong, or the catalogue is: nothing was kept",
                )
            publish_file(fetched, path)
        return path
