"""What a transfer is told of its file, and what its parts share while it is under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.assets.transfer_digest import Digests
from orchestrator.assets.transfer_partial import Partial
from orchestrator.assets.transfer_wire import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is known of a file before it comes; `size_bytes` only where it is exact."""

    sha256: str | None = None
    md5: str | None = None
    size_bytes: int | None = None

    @property
    def pinned(self) -> bool:
        """Whether a hash will tell a wrong file, however it was put together."""
        return self.sha256 is not None or self.md5 is not None


@dataclass(slots=True, kw_only=True)
class Fetching:
    """A transfer under way. `parts` becomes smaller when a server does not bear so many."""

    held: Partial
    digests: Digests
    expected: Expected
    line: Line
    parts: int
    say: Callable[[str], None]
    tick: Callable[[], None]
    ranges: bool = True  # false once the server was seen not to keep to them

    def start_again(self) -> None:
        """Drop what is here."""
        self.digests.stop()
        self.held.forget()
        self.digests.start_again()
