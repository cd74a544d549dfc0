"""A computer that many people use one after the other: one browser, one device, one guest cookie.

What each of them leaves behind in the browser is there for the next: the cookie of the guest
socket always, the sealed ids of sessions if the next one looks for them.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from guest_page import GuestPage, Jar
from guest_shell import Shell, ShellRig, running_shell

from bff.records.outbox import Outbox, OutboxFullError
from bff.records.record_house import Records
from bff.signin.records import EndReason, SessionKey

DEVICE: Final = "device-of-the-library"
SIGN_IN: Final = "__Host-bff"


@dataclass(kw_only=True)
class SharedComputer:
    """The browser that everybody uses, in front of a whole service."""

    rig: ShellRig
    folder: Path
    jar: Jar = field(default_factory=Jar)
    key: str | None = None

    @property
    def records(self) -> Records:
        records = self.rig.services.records
        assert records is not None
        return records

    @contextmanager
    def page(self, **init: Any) -> Iterator[GuestPage]:
        """Open a chat in a new tab, and close the tab afterwards."""
        with self.rig.page(self.jar) as page:
            page.open(deviceId=DEVICE, **init)
            yield page

    def says(self, text: str, **init: Any) -> dict[str, Any]:
        """Have a chat and close the page; return what the page was told of its session."""
        with self.page(**init) as page:
            page.say(text)
            page.until("message_delivered")
        return page.created

    def ends(self, page: GuestPage) -> None:
        """End the chat, and wait until the service has done its part."""
        page.send(page.keys.end())
        page.until("session_ended")
        guest_id, live = page.created["guestId"], self.records.guests.live
        self.rig.until(lambda: not live.of(guest_id), "the sessions of the guest live on")

    def looks_for(self, secret: str) -> None:
        """Sit down as the next one, find nothing, and end the chat."""
        with self.page() as page:
            assert page.created["resumed"] is False
            assert "profile" not in page.created
            page.say("who was here?")
            page.until("message_delivered")
            self.ends(page)
        assert secret not in str(page.seen)

    def code_for(self, sealed: str) -> str | None:
        """Try to go on with a session whose id was left behind; return the code of the refusal."""
        with self.rig.page(self.jar) as page:
            page.send(page.keys.init(encryptedSessionId=sealed, deviceId=DEVICE))
            answer = page.next()
            return None if answer["type"] == "session_created" else str(answer["code"])

    def signs_in(self, name: str) -> None:
        """Somebody signs in."""
        self.key = self.rig.sign_in(self.jar, name)

    def signs_out(self) -> None:
        """They sign out, as they should."""
        assert self.key is not None
        self.rig.services.sign_out.revoke(SessionKey(self.key), EndReason.SIGNED_OUT)
        self.walks_away()

    def walks_away(self) -> None:
        """They do not: but the cookie of the sign-in is gone when the next one comes."""
        self.jar.cookies.pop(SIGN_IN, None)
        self.key = None

    @contextmanager
    def nothing_can_be_written(self) -> Iterator[None]:
        """Hold the database of the records, so that it can be read and not written."""
        (file,) = self.folder.glob("*-records.sqlite3")
        with ExitStack() as held:
            other = sqlite3.connect(file, isolation_level=None)
            held.callback(other.close)
            other.execute("BEGIN IMMEDIATE")
            yield

    @contextmanager
    def nothing_can_wait(self) -> Iterator[None]:
        """Let the outbox be full."""

        def full(*_: object, **__: object) -> NoReturn:
            raise OutboxFullError("as if 10,000 waited")

        put = Outbox.put
        try:
            Outbox.put = full  # type: ignore[method-assign]  # to fill it would take seconds
            yield
        finally:
            Outbox.put = put  # type: ignore[method-assign]

    def settles(self) -> None:
        """Deliver what waits: nobody does so before, as if the other worker had been slow."""
        self.records.settle()

    def noted(self, action: str) -> int:
        """Return how many events of this kind stand in the log."""
        self.settles()
        return [row.action for row in self.records.keeper.rows(after=0, limit=1000)].count(action)


@contextmanager
def shared_computer(folder: Path, **changes: str) -> Iterator[SharedComputer]:
    """Raise a service with a database whose locks are not waited for."""
    settings: Any = {"BFF_RECORDS_TIMEOUT": "PT0.2S", **changes}
    with running_shell(Shell.FLASK, folder, **settings) as rig:
        records = rig.services.records
        assert records is not None
        records.prepare()
        yield SharedComputer(rig=rig, folder=folder)
