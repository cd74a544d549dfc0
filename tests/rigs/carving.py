"""Carves files for a guest: words in plain, and values that are deleted and lie there encrypted."""

import base64
import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from guest_page import Jar
from guest_shell import ShellRig

from bff.crypto.keyring import KeyRing
from bff.errors import BrokenSealError
from bff.records.record_house import Records
from bff.signin.records import EndReason, SessionKey

DEVICE: Final = "device-8d1f4c2e-of-amira"
ADDRESS: Final = "203.0.113.77"
PHONE: Final = "+491701234567"
SAID: Final = "my-old-password-was-swordfish"
PROFILE: Final = {"email": "amira.haddad@example.org", "name": "Amira Haddad-Lindqvist"}
FIELDS: Final = {"mobile": PHONE}
SETTINGS: Final[dict[str, Any]] = {"BFF_PROFILE_FIELDS": "mobile", "BFF_TRUSTED_PROXIES": "1"}


class BehindProxy(Jar):
    """A browser whose requests come from an address of its own, through a proxy."""

    def header(self) -> dict[str, str]:
        return {**super().header(), "X-Forwarded-For": ADDRESS}


def records_of(rig: ShellRig) -> Records:
    records = rig.services.records
    assert records is not None
    return records


@dataclass(kw_only=True)
class Lived:
    """A guest who has done everything that leaves a trace, and every word of it."""

    guest_id: str
    words: list[str] = field(default_factory=list)


def lives(rig: ShellRig, after: Callable[[], None] = lambda: None) -> Lived:
    """Open, talk, sign in, talk, sign out, be refused; `after` is called after each step."""
    records, jar = records_of(rig), BehindProxy()
    with rig.page(jar) as page:
        created = page.open(deviceId=DEVICE, profile={**PROFILE, **FIELDS})
        page.say(SAID)
        page.until("message_delivered")
        after()
        records.settle()
        after()
    key = rig.sign_in(jar)
    with rig.page(jar) as again:
        resumed = again.open(encryptedSessionId=created["encryptedSessionId"], deviceId=DEVICE)
        again.say(f"{SAID} indeed")
        again.until_all(
            lambda frame: frame["type"] == "session_authenticated",
            lambda frame: (frame.get("body") or {}).get("text") == f"{SAID} indeed",
        )
        after()
    thief = BehindProxy()
    with rig.page(thief) as page:
        page.send(page.keys.init(encryptedSessionId="x" * 64, deviceId=DEVICE))
        page.next()
    rig.services.sign_out.revoke(SessionKey(key), EndReason.SIGNED_OUT)
    after()
    binding = jar.cookies.values()
    secrets = [created["encryptedSessionId"], resumed["encryptedSessionId"], *binding]
    profile = [*PROFILE.values(), *FIELDS.values(), "amira@example.com"]
    return Lived(
        # Not the pairwise subject: it is opaque, and stands in the audit log for good.
        guest_id=created["guestId"],
        words=[*profile, DEVICE, SAID, *secrets],
    )


def spelled(word: str) -> set[bytes]:
    """Return how a word may stand in a file."""
    raw = word.encode()
    encoded = base64.b64encode(raw).rstrip(b"=")
    return {
        raw,
        json.dumps(word)[1:-1].encode(),
        word.encode("utf-16-le"),
        raw.hex().encode(),
        encoded,
    }


def words_in(data: bytes, words: Iterable[str]) -> list[str]:
    return [word for word in words if any(form in data for form in spelled(word))]


def disk(*folders: Path) -> bytes:
    files = (file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file())
    return b"".join(file.read_bytes() for file in files)


@dataclass(kw_only=True)
class SqliteCarver:
    """Remembers every stored value that it has seen in the files of the embedded store."""

    folder: Path
    seen: dict[bytes, str] = field(default_factory=dict)

    def look(self) -> None:
        for file in sorted(self.folder.glob("*.sqlite3")):
            self.seen |= {value: name for name, value in self._values(file)}

    def _values(self, file: Path) -> list[tuple[str, bytes]]:
        with closing(sqlite3.connect(file)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            found: list[Any] = []
            if "entries" in tables:
                found += connection.execute("SELECT name, value FROM entries").fetchall()
            if "guests" in tables:
                for column in ("email", "name", "fields", "session"):
                    words = f"SELECT '{column}', {column}_sealed FROM guests"
                    found += connection.execute(words).fetchall()
        return [(name, bytes(value)) for name, value in found if value]

    def live(self) -> dict[str, bytes]:
        """Return what is stored now, by name."""
        files = sorted(self.folder.glob("*.sqlite3"))
        return {name: value for file in files for name, value in self._values(file)}

    def deleted_but_there(self) -> list[str]:
        """Return the names of deleted values whose bytes are in a file still."""
        live, data = set(self.live().values()), disk(self.folder)
        return [name for value, name in self.seen.items() if value not in live and value in data]


def opened(live: dict[str, bytes], rings: Iterable[KeyRing]) -> bytes:
    """Return in plain what the owner of the master key can open of stored values."""
    plain, chosen = [], list(rings)
    for name, value in live.items():
        for ring in chosen:
            try:
                plain.append(name.encode() + b" " + ring.open(value, context=name))
            except BrokenSealError:
                continue
    return b"\n".join(plain)
