"""Bytes by content: `store/sha256/HASH`, fetched once, read-only, hard-linked into every view that holds them."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.assets.cache_layout import CacheLayout, is_sha256, make_root
from orchestrator.assets.workspace import workspace
from orchestrator.domain.asset import FileHash
from orchestrator.domain.canonical import fingerprint
from orchestrator.domain.ports import Meter, Say
from orchestrator.errors import AssetError
from orchestrator.host.files import make_folder, publish_file, sha256_file, write_atomic
from orchestrator.host.locks import lock

if TYPE_CHECKING:
    from orchestrator.assets.transfer import Expected, Line

Fetch = Callable[[Path], Path]
_NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS})
READ_ONLY, RUNNABLE = 0o444, 0o555


class BlobStore:
    """The content-addressed part of a cache; `others` are caches of the site, looked into and never written."""

    def __init__(self, root: Path, others: tuple[Path, ...] = ()) -> None:
        self._layout = CacheLayout(root)
        self._others = tuple(CacheLayout(other) for other in others)

    def path(self, sha256: str) -> Path:
        """Where a blob lies, or would."""
        return self._layout.blob(sha256)

    def present(self, sha256: str) -> Path | None:
        """A blob that is there, here or at the site; not checked."""
        places = (layout.blob(sha256) for layout in (self._layout, *self._others))
        return next((place for place in places if os.path.isfile(place)), None)  # noqa: PTH113 - no error at a locked door

    def ensure(self, sha256: str, *, what: str, fetch: Fetch, say: Say) -> Path:
        """The blob with this hash; `fetch` is given an empty folder and returns the file it put there.

        A damaged blob is fetched again; AssetError names expected and found hash when what was fetched is another.
        """
        if (there := self._sound(sha256, what, say)) is not None:
            return there
        purpose = f"blob-{sha256}"
        with self._locked(purpose, what, say), workspace(self._layout.tmp, purpose) as work:
            if (there := self._sound(sha256, what, lambda _: None)) is not None:
                return there
            fetched = fetch(work)
            found = sha256_file(fetched)
            if found != sha256:
                raise AssetError(
                    f"{what} is not the pinned one: expected sha256 {sha256}, found {found}",
                    hint="the index or mirror that served it is wrong, or the catalogue is: nothing was kept",
                )
            return self._publish(fetched, sha256)

    def receive(
        self, urls: tuple[str, ...], *, name: str, expected: Expected, line: Line, say: Say, meter: Meter
    ) -> tuple[Path, FileHash]:
        """A file from the first address that has it, as a blob; one that is there by its sha256 needs no network.

        What a crash left of the transfer is continued. AssetError as transfer() raises it.
        """
        from orchestrator.assets.transfer import transfer

        if (there := self._wanted(expected, name, say)) is not None:
            return there
        key = fingerprint({"urls": urls, "expected": expected})
        partial = self._layout.partial(key)
        with self._locked(f"partial-{partial.name}", name, say):
            if (there := self._wanted(expected, name, lambda _: None)) is not None:
                return there
            make_folder(partial)
            got = transfer(urls, partial, name=name, expected=expected, line=line, say=say, meter=meter)
            blob = self._publish(got.path, got.sha256)
            if expected.md5 is not None:
                self._remember(expected.md5, got.sha256)
            shutil.rmtree(partial, ignore_errors=True)
        return blob, FileHash(name=name, sha256=got.sha256, size_bytes=got.size_bytes)

    def link(self, blob: Path, target: Path) -> None:
        """A blob under a name of its own: a hard link, or a copy where there can be none; read-only either way."""
        try:
            os.link(blob, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with blob.open("rb") as source, target.open("xb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            target.chmod(READ_ONLY)

    def adopt(self, file: Path, sha256: str) -> None:
        """Make a finished file (of this hash, its mode final) share its bytes with the blob; where it cannot, nothing.

        A blob that turns out to be damaged gives way to the file.
        """
        blob = self._layout.blob(sha256)
        try:
            os.link(file, blob)
        except FileExistsError:
            self._share(file, blob, sha256)
        except FileNotFoundError:
            make_folder(blob.parent)
            with suppress(OSError):
                os.link(file, blob)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise

    def _share(self, file: Path, blob: Path, sha256: str) -> None:
        there, ours = blob.stat(), file.stat()
        if there.st_ino == ours.st_ino or stat.S_IMODE(there.st_mode) != stat.S_IMODE(ours.st_mode):
            return
        sound = there.st_size == ours.st_size and sha256_file(blob) == sha256
        source, target = (blob, file) if sound else (file, blob)
        beside = target.with_name(f".{secrets.token_hex(8)}.link")
        try:
            os.link(source, beside)
            beside.replace(target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        finally:
            beside.unlink(missing_ok=True)

    def _wanted(self, expected: Expected, name: str, say: Say) -> tuple[Path, FileHash] | None:
        sha256 = expected.sha256 or (self._recall(expected.md5) if expected.md5 is not None else None)
        if sha256 is None or (blob := self._sound(sha256, name, say)) is None:
            return None
        return blob, FileHash(name=name, sha256=sha256, size_bytes=blob.stat().st_size)

    def _remember(self, md5: str, sha256: str) -> None:
        """Of most published files the md5 alone is known: with it they are found again here."""
        note = self._layout.md5_note(md5)
        make_folder(note.parent)
        write_atomic(note, f"{sha256}\n", durable=False)

    def _recall(self, md5: str) -> str | None:
        """The sha256 of what once came with this md5, checked then; None when nothing did."""
        for layout in (self._layout, *self._others):
            with suppress(OSError, ValueError):
                found = layout.md5_note(md5).read_text(encoding="ascii").strip()
                if is_sha256(found):
                    return found
        return None

    def _sound(self, sha256: str, what: str, say: Say) -> Path | None:
        """A blob that is there and is what its name says; nothing is removed."""
        for layout in (self._layout, *self._others):
            try:
                if sha256_file(layout.blob(sha256)) == sha256:
                    return layout.blob(sha256)
            except OSError:
                continue
            say(f"the cached {what} is damaged; fetching it again")
        return None

    def _publish(self, file: Path, sha256: str) -> Path:
        """Give a verified file its name; a sound blob of that name stays, so that views go on to share it."""
        blob = self._layout.blob(sha256)
        if blob.is_file() and sha256_file(blob) == sha256:
            return blob
        make_folder(blob.parent)
        file.chmod(READ_ONLY)
        publish_file(file, blob)
        return blob

    def _locked(self, purpose: str, what: str, say: Say) -> AbstractContextManager[None]:
        make_root(self._layout.root)
        for folder in (self._layout.tmp, self._layout.lock(purpose).parent):
            make_folder(folder)
        return lock(self._layout.lock(purpose), waiting=lambda: say(f"waiting for another process that fetches {what}"))
