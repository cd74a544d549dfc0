"""What a relay wants of the shell that carries it, and who is at the other end of its socket."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from bff.guests.guest_tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who asked for the upgrade. `origin` is on the list of pages, or nobody would be here.

    `browser_secret` is our own lasting cookie, `session_token` the cookie of a sign-in.
    """

    origin: str
    address: str
    browser_secret: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


class Hands(Protocol):
    """Does what a relay says, in the order in which it says it.

    None of these blocks, raises, or calls the relay before it has returned.
    """

    def to_page(self, text: bytes) -> None:
        """Send the page one text frame (JSON, UTF-8)."""

    def close_page(self, code: int, reason: str) -> None:
        """Close the page's socket behind what was sent. `page_gone` may be reported or not."""

    def dial(self, path: str, *, after: timedelta) -> None:
        """Wait, then open a socket to `path` at the web messaging host, with the page's Origin.

        Answer with exactly one of `genesys_opened`, `genesys_refused` or `genesys_closed`, within
        15 s of dialling.
        """

    def to_genesys(self, text: bytes) -> None:
        """Send Genesys one text frame."""

    def hang_up(self, code: int) -> None:
        """Close the socket to Genesys, or give up dialling. Report nothing more about it."""

    def ask(self, task: Task) -> None:
        """Have the desk perform a task where it may block; hand its answer to `answered`."""

    def watch(self, session_key: str) -> None:
        """Report what happens to this key from now on with `heard_of_session`. There are several.

        A key is that of a sign-in, or the one of `guest_news`.
        """
